import Files
import Foundation
import Mustache
import Reasoning
import Teachers

/// The three prompts of a teacher, as Mustache templates.
///
/// | name | what it holds |
/// | --- | --- |
/// | `instruction` | what the teacher is told of the task |
/// | `cue` | what a response says before its answer |
/// | `task`, `question` | of the question that is asked |
/// | `answer` | its gold answer, in the rectify template alone |
/// | `right_response` | the response to be corrupted, in the corrupt template alone |
/// | `exemplars` | a section with `question` and `response` for each exemplar; with `answer` in the rectify template, with `wrong_response` in the corrupt template |
///
/// Text is put in as it is, not escaped for HTML. Newlines that end a template are no part of the
/// prompt.
public struct PromptTemplates: Sendable {
  private var templates: [AnnotationStep: MustacheTemplate] = [:]
  private var family: TaskFamily?
  private var exemplars: [Exemplar]?

  /// - Parameters:
  ///   - folder: holds `annotate.mustache`, `rectify.mustache`, `corrupt.mustache`, or some of
  ///     them; the built-in ones stand in for the others.
  ///   - exemplars: a file of exemplars in place of the family's own.
  ///   - family: whose instruction and exemplars are used; nil: each question tells.
  ///   - steps: those that are going to be asked for.
  ///
  /// Throws a `FileError` that names the file, the line and what is wrong there.
  public init(
    folder: String? = nil, exemplars: String? = nil, family: TaskFamily? = nil,
    for steps: Set<AnnotationStep> = Set(AnnotationStep.allCases)
  ) throws {
    self.family = family
    self.exemplars = try exemplars.map { try Exemplar.read($0, for: steps) }
    var found = 0
    for step in AnnotationStep.allCases {
      var source = (file: "the built-in \(step.rawValue) template", text: Self.builtIn(step))
      if let path = folder.map({ "\($0)/\(step.rawValue).mustache" }),
        FileManager.default.fileExists(atPath: path)
      {
        guard let data = FileManager.default.contents(atPath: path),
          let text = String(data: data, encoding: .utf8)
        else {
          throw FileError(
            file: path, expected: "UTF-8 text", found: "something that is none")
        }
        source = (path, text)
        found += 1
      }
      templates[step] = try Self.template(source.text, for: step, file: source.file)
    }
    if let folder, found == 0 {
      throw FileError(
        file: folder, location: nil,
        expected: "annotate.mustache, rectify.mustache or corrupt.mustache", found: "none")
    }
  }

  /// The prompt of `step` for `question`.
  ///
  /// - Parameter rightResponse: what is to be corrupted.
  public func prompt(
    _ step: AnnotationStep, for question: Question, rightResponse: String? = nil
  ) -> TeacherPrompt {
    let family = family ?? TaskFamily(question)
    let right = rightResponse?.trimmingSpace()
    let text = Self.render(
      templates[step], step, question, rightResponse: right, family: family,
      exemplars: exemplars ?? family.exemplars)
    return TeacherPrompt(step: step, question: question, rightResponse: right, text: text)
  }

  /// The mean length of the exemplars' responses, in bytes; that of `question`'s family where none
  /// was named.
  func responseBytes(for question: Question?) -> Int {
    let family = family ?? question.map { TaskFamily($0) } ?? .reasoning
    let exemplars = exemplars ?? family.exemplars
    return exemplars.map(\.response.utf8.count).reduce(0, +) / max(exemplars.count, 1)
  }

  private static func render(
    _ template: MustacheTemplate?, _ step: AnnotationStep, _ question: Question,
    rightResponse: String?, family: TaskFamily, exemplars: [Exemplar]
  ) -> String {
    var fields: [String: Any] = [
      "instruction": family.instruction, "cue": family.cue, "task": question.task,
      "question": question.text,
      "exemplars": exemplars.map {
        [
          "question": $0.question, "response": $0.response, "answer": $0.answer ?? "",
          "wrong_response": $0.wrongResponse ?? "",
        ]
      },
    ]
    if step == .rectify { fields["answer"] = question.answer }
    if step == .corrupt { fields["right_response"] = rightResponse }
    return template?.render(fields) ?? ""
  }

  /// The names a template of `step` may use.
  private static func names(_ step: AnnotationStep) -> Set<String> {
    let all: Set = ["instruction", "cue", "task", "question", "exemplars", "response"]
    return switch step {
    case .annotate: all
    case .rectify: all.union(["answer"])
    case .corrupt: all.union(["right_response", "wrong_response"])
    }
  }

  private static func template(_ text: String, for step: AnnotationStep, file: String) throws
    -> MustacheTemplate
  {
    let names = names(step)
    for (number, line) in text.split(separator: "\n", omittingEmptySubsequences: false).enumerated()
    {
      for tag in line.matches(of: #/\{\{\{?\s*([^\s\w]?)\s*([^\s\}]*)[^\}]*\}\}/#)
      where tag.1 != "!" {
        guard ["", "#", "^", "/", "&"].contains(tag.1), names.contains(String(tag.2)) else {
          throw FileError(
            file: file, location: "line \(number + 1)",
            expected: "tags of \(names.sorted().joined(separator: ", "))", found: "\(tag.0)")
        }
      }
    }
    var text = text
    while text.last?.isNewline == true { text.removeLast() }
    let template: MustacheTemplate
    do {
      // Its line of its own leaves nothing in the prompt.
      template = try MustacheTemplate(string: "{{% CONTENT_TYPE: TEXT }}\n" + text)
    } catch let error as MustacheTemplate.ParserError {
      let found =
        switch error.error as? MustacheTemplate.Error {
        case .expectedSectionEnd: "a section that is not closed"
        case .sectionCloseNameIncorrect: "the end of a section that is not open"
        default: "a tag that is not closed"
        }
      throw FileError(
        file: file, location: "line \(error.context.lineNumber - 1)",
        expected: "a Mustache template", found: found)
    }
    // A probe tells whether it asks what it should.
    let probe = Question(id: "", task: "", text: "<a question & its text>", answer: "<its answer>")
    var expected = ["question": probe.text]
    if step == .rectify { expected["answer"] = probe.answer }
    if step == .corrupt { expected["right_response"] = "<a response>" }
    let prompt = render(
      template, step, probe, rightResponse: "<a response>", family: .reasoning, exemplars: [])
    for (name, text) in expected.sorted(by: { $0.key < $1.key }) where !prompt.contains(text) {
      throw FileError(
        file: file, expected: "{{\(name)}} outside of the exemplars", found: "none")
    }
    return template
  }

  /// The templates that hold where the user gives none.
  public static func builtIn(_ step: AnnotationStep) -> String {
    switch step {
    case .annotate:
      """
      {{instruction}}

      {{#exemplars}}
      Q: {{question}}
      A: {{response}}

      {{/exemplars}}
      Q: {{question}}
      A:
      """
    case .rectify:
      """
      {{instruction}}
      A hint states the correct answer of each question. Find the steps that lead to it, and do not mention the hint.

      {{#exemplars}}
      Q: {{question}}
      Hint: {{answer}} is correct.
      A: {{response}}

      {{/exemplars}}
      Q: {{question}}
      Hint: {{answer}} is correct.
      A:
      """
    case .corrupt:
      """
      {{instruction}}
      Here each question comes with a right response. Write the wrong response that is most likely: stay as near to the right one as you can, make one mistake, carry it on to another answer, and end as the right one does.

      {{#exemplars}}
      Q: {{question}}
      Right response: {{response}}
      Wrong response: {{wrong_response}}

      {{/exemplars}}
      Q: {{question}}
      Right response: {{right_response}}
      Wrong response:
      """
    }
  }
}
