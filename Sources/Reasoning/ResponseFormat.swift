import Files

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

  /// The rule for responses to questions of `task`: the one that reproduces what was published, or
  /// for JSON Lines that of `AnswerRule.judging(task:matching:)`. `matching` takes the place of the
  /// rule's own.
  public func rule(forTask task: String, matching: AnswerRule.Matching? = nil) -> AnswerRule {
    let published: AnswerRule
    switch self {
    case .bigBenchHard: published = .bigBenchHard
    case .gsm8kSolutions: published = .gsm8k
    case .jsonLines: return .judging(task: task, matching: matching)
    }
    return published.matching(matching ?? published.matching)
  }

  /// Reads the responses of the file at `path`. Throws a `FileError` that names the line or output,
  /// and the field.
  public func responses(at path: String) throws -> [Score.Response] {
    switch self {
    case .bigBenchHard:
      return try BigBenchHardOutput.outputs(at: path).map {
        Score.Response(id: $0.id, task: $0.task, text: $0.prediction, gold: $0.target)
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
          text: try line.string("response"), gold: try line.goldAnswer("answer"))
      }
    }
  }
}
