import Files

/// GSM8K's published model solutions, and the dual chains of thought that they make.
///
/// Source: Cobbe et al., arXiv 2110.14168; https://github.com/openai/grade-school-math
public enum GSM8K {
  /// A question with the solutions of several models.
  public struct Entry: Hashable, Sendable {
    public var question: Question
    public var solutions: [Solution]
  }

  public struct Solution: Hashable, Sendable {
    /// `6b_finetuning` and so on.
    public var model: String
    /// The chain and, after `A: `, its answer, with the calculator notes (`<<48/2=24>>`) as they
    /// are.
    public var text: String
    public var isCorrect: Bool
  }

  /// The fields of `model_solutions.jsonl` that hold a model's solution.
  private static let models = [
    "6b_finetuning", "6b_verification", "175b_finetuning", "175b_verification",
  ]

  /// Reads lines of `{"question", "ground_truth", "6b_finetuning": {"solution", "is_correct"}, …}`.
  ///
  /// A model that a line leaves out has no solution there. Throws a `FileError` that names the line
  /// and field.
  public static func solutions(at path: String) throws -> [Entry] {
    try JSONLinesFile.objects(of: path).enumerated().map { number, line in
      let gold = try line.filledString("ground_truth")
      guard let answer = AnswerRule.gsm8k.answer(in: gold) else {
        throw FileError(
          file: path, location: line.location,
          expected: "a \"ground_truth\" that ends with \"A: \" and a number",
          found: "\"\(gold.suffix(40))\"")
      }
      let solutions = try models.compactMap { model in
        try line.object(model).map {
          Solution(
            model: model, text: try $0.string("solution"), isCorrect: try $0.bool("is_correct"))
        }
      }
      return Entry(
        question: Question(
          id: "gsm8k-solutions-\(number)", task: "gsm8k", text: try line.filledString("question"),
          answer: answer),
        solutions: solutions)
    }
  }

  /// The dual chains of thought made of model solutions, and what was left out of them.
  public struct DualChains: Sendable {
    public var pairs: [DualChainOfThought]
    /// Questions that have no right solution, or no wrong one.
    public var questionsWithoutBoth: Int
    /// Solutions that an earlier one of the same question repeats word for word.
    public var repeatedSolutions: Int
    /// Questions that an earlier one of the file repeats; they make no pair of their own.
    public var repeatedQuestions: Int
  }

  /// For each question with a correct and an incorrect solution, those two with the smallest edit
  /// distance (`Pairing.nearest`).
  ///
  /// - Parameter tokens: the token ids of a response; the distance is counted in them.
  public static func dualChains(
    of entries: [Entry], tokens: @escaping @Sendable (String) -> [Int]
  ) -> DualChains {
    var result = DualChains(
      pairs: [], questionsWithoutBoth: 0, repeatedSolutions: 0, repeatedQuestions: 0)
    let pairing = Pairing.nearest(tokens: tokens)
    var seen: Set<String> = []
    for entry in entries {
      guard seen.insert(entry.question.normalisedText).inserted else {
        result.repeatedQuestions += 1
        continue
      }
      var texts: Set<String> = []
      let chains = entry.solutions.compactMap { solution -> ChainOfThought? in
        let text = " " + solution.text.trimmingSpace()
        guard texts.insert(text).inserted else {
          result.repeatedSolutions += 1
          return nil
        }
        return ChainOfThought(
          questionID: entry.question.id, task: entry.question.task, prompt: entry.question.prompt,
          text: text, answer: AnswerRule.gsm8k.answer(in: text), isCorrect: solution.isCorrect,
          origin: .recorded, mistake: solution.isCorrect ? nil : Mistake(kind: .unknown))
      }
      if let pair = pairing.pair(chains, goldAnswer: entry.question.answer) {
        result.pairs.append(pair)
      } else {
        result.questionsWithoutBoth += 1
      }
    }
    return result
  }
}
