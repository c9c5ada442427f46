import Files
import Foundation

/// The files of responses that are scored, each with the rule by which its accuracy was published.
public enum ResponseFormat: String, CaseIterable, Sendable {
  /// The outputs published with BIG-Bench Hard: `{"outputs": [{"input", "prediction", "target"}]}`;
  /// the task is the file's name.
  case bigBenchHard = "bbh"
  /// GSM8K's model solutions; see `GSM8K.solutions`.
  case gsm8kSolutions = "gsm8k-solutions"
  /// Lines of `{"response", "answer"}`, the answer being the gold one, with `id` and `task` where
  /// they are known.
  case jsonLines = "jsonl"

  /// The rule that reproduces what was published.
  public var rule: AnswerRule {
    switch self {
    case .bigBenchHard: .bigBenchHard
    case .gsm8kSolutions: .gsm8k
    case .jsonLines: .bigBenchHard.matching(.flexible)
    }
  }

  /// The rule for responses to questions of `task`: the format's own, but that of the task where
  /// JSON lines name one that has its own cue; `matching` in place of the rule's where given.
  public func rule(forTask task: String, matching: AnswerRule.Matching? = nil) -> AnswerRule {
    let usual = self == .jsonLines ? AnswerRule.usual(forTask: task) : rule
    return usual.matching(matching ?? rule.matching)
  }

  /// Reads the responses of the file at `path`. Throws a `FileError` that names the line or output,
  /// and the field.
  public func responses(at path: String) throws -> [Score.Response] {
    let file = URL(fileURLWithPath: path).deletingPathExtension().lastPathComponent
    switch self {
    case .bigBenchHard:
      return try JSONNode(path: path).elements("outputs").enumerated().map {
        number, output in
        Score.Response(
          id: "\(file)-\(number)", task: file, text: try output.string("prediction"),
          gold: try output.filledString("target"))
      }
    case .gsm8kSolutions:
      return try GSM8K.solutions(at: path).flatMap { entry in
        entry.solutions.map { solution in
          Score.Response(
            id: "\(entry.question.id) \(solution.model)", task: entry.question.task,
            text: solution.text,
            gold: entry.question.answer ?? "", publishedAsCorrect: solution.isCorrect)
        }
      }
    case .jsonLines:
      return try JSONLinesFile.objects(of: path).map { line in
        Score.Response(
          id: try line.optionalIdentifier("id") ?? line.line ?? "",
          task: try line.optionalString("task") ?? "unnamed",
          text: try line.string("response"), gold: try line.filledString("answer"))
      }
    }
  }
}
