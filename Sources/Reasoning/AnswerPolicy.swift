/// How answers are judged: a teacher's chains and a student's responses alike.
extension AnswerRule {
  /// The rule for responses to questions of `task`.
  ///
  /// Answers are compared by value. The procedural tasks, whose answers have one spelling, are
  /// compared strictly, as published formats are (`ResponseFormat.rule(forTask:matching:)`).
  /// `matching` takes the place of either.
  public static func judging(task: String, matching: Matching? = nil) -> AnswerRule {
    let isExact = ProceduralTask(rawValue: task) != nil
    return usual(forTask: task).matching(matching ?? (isExact ? .strict : .flexible))
  }

  /// The answer that `chain` states after the cue of its task's rule; nil if there is no cue or
  /// nothing after it.
  public static func statedAnswer(of chain: ChainOfThought) -> String? {
    let reading = usual(forTask: chain.task).matching(.strict).read(chain.text, gold: "")
    guard reading.isParsed, let answer = reading.answer?.trimmingSpace(), !answer.isEmpty else {
      return nil
    }
    return answer
  }
}
