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

  public init() {}

  /// Adds those of another file. A question of both keeps the id and the task of the first.
  public mutating func add(_ other: RecordedAnnotations) {
    for (question, responses) in zip(other.questions, other.chains) {
      let index = index(of: question)
      let known = questions[index]
      chains[index] += responses.map { response in
        var response = response
        (response.questionID, response.task) = (known.id, known.task)
        response.prompt = known.prompt
        return response
      }
    }
  }

  /// Where `question` stands, behind the others if it is new.
  private mutating func index(of question: Question) -> Int {
    let index = indices[question.normalisedText] ?? questions.count
    if index == questions.count {
      indices[question.normalisedText] = index
      questions.append(question)
      chains.append([])
    }
    return index
  }

  /// Adds a response to `question`.
  ///
  /// - Parameter isCorrect: nil where the gold answer is to tell.
  mutating func add(
    _ text: String, to question: Question, isCorrect: Bool? = nil,
    origin: ChainOfThought.Origin = .recorded, mistake: Mistake? = nil
  ) {
    let index = index(of: question)
    let known = questions[index]
    let reading = AnswerRule.judging(task: known.task)
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
  /// `task_description` where it is known. Alpaca's `input` follows the instruction after an empty
  /// line.
  case instructions
  /// Lines of `{"input", "chosen", "rejected"}`.
  case preferences
  /// TRL's lines of `{"prompt", "chosen", "rejected"}`, with the further forms and fields of the
  /// pairs that `JSONLines` reads.
  case trl

  /// Reads the annotations of the file at `path`. Throws a `FileError` that names the line or
  /// output, and the field.
  public func annotations(at path: String) throws -> RecordedAnnotations {
    let file = URL(fileURLWithPath: path).deletingPathExtension().lastPathComponent
    var annotations = RecordedAnnotations()
    switch self {
    case .bigBenchHard:
      for output in try BigBenchHardOutput.outputs(at: path) {
        annotations.add(output.prediction, to: try output.question())
      }
    case .gsm8kSolutions:
      for entry in try GSM8K.solutions(at: path) {
        for solution in entry.solutions {
          annotations.add(solution.text, to: entry.question, isCorrect: solution.isCorrect)
        }
      }
    case .instructions:
      for (number, line) in try JSONLinesFile.objects(of: path).enumerated() {
        let parts = [
          try line.filledString("instruction"), try line.optionalString("input") ?? "",
        ].filter { !$0.allSatisfy(\.isWhitespace) }
        let text = parts.joined(separator: "\n\n")
        let question = Question(
          id: "\(file)-\(number)", task: try line.optionalString("task_description") ?? file,
          text: text, options: Question.options(in: text), answer: try line.goldAnswer("output"))
        annotations.add(try line.string("response"), to: question)
      }
    case .preferences, .trl:
      var ids = UniqueIDs()
      for (number, line) in try JSONLinesFile.objects(of: path).enumerated() {
        let exchange = try Exchange(
          line, promptKey: self == .trl ? "prompt" : "input", responses: ["chosen", "rejected"])
        let details = try PairDetails(line)
        let (asked, description) = Self.question(inPrompt: exchange.prompt.question)
        let text = exchange.prompt.preamble + asked
        let id = try line.optionalIdentifier("id") ?? "\(file)-\(number)"
        try ids.add(id, at: line)
        var question = Question(
          id: id, task: try line.optionalString("task") ?? description ?? file, text: text,
          options: Question.options(in: text), answer: details.answer)
        if question.answer == nil {
          question.answer = AnswerRule.statedAnswer(
            of: ChainOfThought(
              questionID: id, task: question.task, prompt: question.prompt,
              text: exchange.responses[0], origin: .recorded))
        }
        annotations.add(
          exchange.responses[0], to: question, isCorrect: true, origin: details.chosenOrigin)
        annotations.add(
          exchange.responses[1], to: question, isCorrect: false, origin: details.rejectedOrigin,
          mistake: details.mistake)
      }
    }
    guard !annotations.questions.isEmpty else {
      throw FileError(nothingIn: path, expected: "annotation")
    }
    return annotations
  }

  /// The question of a student's prompt, and the task's description if it begins with one: what is
  /// between `Q:` and `A:` of `Q: …\nA:` or `Task Description:\n…\nQ:…\n\nA:`; all of any
  /// other prompt.
  private static func question(inPrompt prompt: String) -> (text: String, description: String?) {
    var rest = prompt[...]
    var description: String?
    if rest.hasPrefix("Task Description:\n"), let mark = rest.firstRange(of: "\nQ:") {
      description = rest[..<mark.lowerBound].dropFirst("Task Description:\n".count).trimmingSpace()
      rest = rest[mark.lowerBound...].dropFirst()
    }
    while rest.last?.isWhitespace == true { rest.removeLast() }
    guard rest.hasPrefix("Q:"), rest.hasSuffix("\nA:") else { return (prompt, nil) }
    return (rest.dropFirst(2).dropLast(3).trimmingSpace(), description)
  }
}
