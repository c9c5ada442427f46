import Files
import Foundation
import Reasoning

/// Annotations that someone made before.
public struct RecordedAnnotations: Hashable, Sendable {
  /// The questions, each once.
  public private(set) var questions: [Question] = []
  /// The chains of thought for each question, in the order of their file.
  public private(set) var chains: [[ChainOfThought]] = []
  /// Where a question stands, by its normalised text.
  private var indices: [String: Int] = [:]

  /// Adds a response to `question`.
  ///
  /// - Parameter isCorrect: nil where the gold answer is to tell.
  mutating func add(
    _ text: String, to question: Question, isCorrect: Bool? = nil,
    origin: ChainOfThought.Origin = .recorded, mistake: Mistake? = nil
  ) {
    let index = indices[question.normalisedText] ?? questions.count
    if index == questions.count {
      indices[question.normalisedText] = index
      questions.append(question)
      chains.append([])
    }
    let known = questions[index]
    let reading = AnswerRule.usual(forTask: known.task).matching(.flexible)
      .read(text, gold: known.answer ?? "", options: known.options)
    chains[index].append(
      ChainOfThought(
        questionID: known.id, task: known.task, prompt: known.prompt,
        text: " " + text.trimmingSpace(), answer: reading.answer,
        isCorrect: isCorrect ?? reading.isCorrect, origin: origin, mistake: mistake))
  }
}

/// The files of recorded annotations, each with fields of its own; a file's format is named, never
/// guessed.
public enum RecordedFormat: String, CaseIterable, Sendable {
  /// BIG-Bench Hard's published teacher outputs: `{"outputs": [{"input", "prediction",
  /// "target"}]}`, the question being the last of `input`'s; the task is the file's name.
  case bigBenchHard = "bbh"
  /// GSM8K's model solutions; see `GSM8K.solutions`.
  case gsm8kSolutions = "gsm8k-solutions"
  /// Lines of `{"instruction", "output", "response"}`, `output` being the gold answer, with
  /// `task_description` where it is known.
  case instructions
  /// Lines of `{"input", "chosen", "rejected"}`.
  case preferences
  /// TRL's lines of `{"prompt", "chosen", "rejected"}`, each a text or a list of `{"role",
  /// "content"}`; with the further fields of `JSONLines`' pairs where they are there.
  case trl

  /// Reads the annotations of the file at `path`. Throws a `FileError` that names the line or
  /// output, and the field.
  public func annotations(at path: String) throws -> RecordedAnnotations {
    let file = URL(fileURLWithPath: path).deletingPathExtension().lastPathComponent
    var annotations = RecordedAnnotations()
    switch self {
    case .bigBenchHard:
      for (number, output) in try JSONNode(path: path).elements("outputs")
        .enumerated()
      {
        let text = try Self.lastQuestion(of: output)
        let question = Question(
          id: "\(file)-\(number)", task: file, text: text, options: Question.options(in: text),
          answer: try output.filledString("target"))
        annotations.add(try output.string("prediction"), to: question)
      }
    case .gsm8kSolutions:
      for entry in try GSM8K.solutions(at: path) {
        for solution in entry.solutions {
          annotations.add(solution.text, to: entry.question, isCorrect: solution.isCorrect)
        }
      }
    case .instructions:
      for (number, line) in try JSONLinesFile.objects(of: path).enumerated() {
        let text = try line.filledString("instruction")
        let question = Question(
          id: "\(file)-\(number)", task: try line.optionalString("task_description") ?? file,
          text: text, options: Question.options(in: text), answer: try line.filledString("output"))
        annotations.add(try line.string("response"), to: question)
      }
    case .preferences, .trl:
      for (number, line) in try JSONLinesFile.objects(of: path).enumerated() {
        let prompt = try Self.content(self == .trl ? "prompt" : "input", of: line, role: "user")
        let chosen = try Self.content("chosen", of: line, role: "assistant")
        let rejected = try Self.content("rejected", of: line, role: "assistant")
        let (text, description) = Self.question(inPrompt: prompt)
        let task = try line.optionalString("task") ?? description ?? file
        let rule = AnswerRule.usual(forTask: task)
        let question = Question(
          id: try line.optionalIdentifier("id") ?? "\(file)-\(number)", task: task, text: text,
          options: Question.options(in: text),
          answer: try line.optionalString("answer")
            ?? (rule.read(chosen, gold: "").isParsed ? rule.answer(in: chosen) : nil))
        func origin(_ key: String) throws -> ChainOfThought.Origin {
          try line.choice(key, of: ChainOfThought.Origin.self) ?? .recorded
        }
        annotations.add(chosen, to: question, isCorrect: true, origin: try origin("chosen_origin"))
        let mistake = try line.choice("mistake", of: Mistake.Kind.self)
        annotations.add(
          rejected, to: question, isCorrect: false, origin: try origin("rejected_origin"),
          mistake: try mistake.map {
            Mistake(kind: $0, step: try line.optionalInteger("mistake_step"))
          })
      }
    }
    return annotations
  }

  /// What stands between the last `Q: ` of the few-shot prompt `input` and the `A:` after it.
  private static func lastQuestion(of output: JSONNode) throws -> String {
    let input = try output.filledString("input")
    guard let start = input.ranges(of: "Q: ").last?.upperBound,
      let end = input[start...].ranges(of: "\nA:").last?.lowerBound
    else {
      throw FileError(
        file: output.file, location: output.location,
        expected: "an \"input\" that ends with \"Q: \", a question, \"A:\"",
        found: "\"\(input.suffix(40))\"")
    }
    return input[start..<end].trimmingSpace()
  }

  /// The text at `key`, or the last message of `role` where a list of messages is there.
  private static func content(_ key: String, of line: JSONNode, role: String) throws -> String {
    guard line[key]?.isArray == true else { return try line.filledString(key) }
    let messages = try line.elements(key)
    guard let message = try messages.last(where: { try $0.string("role") == role }) else {
      throw FileError(
        file: line.file, location: line.location,
        expected: "\"\(key)\" to have a message of the role \"\(role)\"", found: "none")
    }
    return try message.filledString("content")
  }

  /// The question of a student's prompt, and the task's description where it begins with one: what
  /// stands between `Q:` and `A:` of `Q: …\nA:` or `Task Description:\n…\nQ:…\n\nA:`; all of any
  /// other prompt.
  private static func question(inPrompt prompt: String) -> (text: String, description: String?) {
    var rest = prompt[...]
    var description: String?
    if rest.hasPrefix("Task Description:\n"), let mark = rest.firstRange(of: "\nQ:") {
      description = rest[..<mark.lowerBound].dropFirst("Task Description:\n".count).trimmingSpace()
      rest = rest[mark.lowerBound...].dropFirst()
    }
    guard rest.hasPrefix("Q:"), rest.hasSuffix("\nA:") else { return (prompt, nil) }
    return (rest.dropFirst(2).dropLast(3).trimmingSpace(), description)
  }
}
