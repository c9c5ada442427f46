import Reasoning

/// Questions with what a teacher made of them: EDIT's data, ready to train on or to measure with.
public struct AnnotatedQuestions: Hashable, Codable, Sendable {
  public let questions: [Question]
  /// D+: the teacher's first answers that are correct.
  public private(set) var correct: [ChainOfThought] = []
  /// D-: the teacher's first answers that are incorrect.
  public private(set) var incorrect: [ChainOfThought] = []
  /// Correct chains for the questions of `incorrect`, given the gold answer as a hint.
  public private(set) var rectified: [ChainOfThought] = []
  /// Incorrect chains made from those of `correct`.
  public private(set) var corrupted: [ChainOfThought] = []
  /// The pairs of each question's two chains (`Pairing.byOrigin`), in the questions' order.
  public private(set) var pairs: [DualChainOfThought] = []
  /// Questions without a pair, because the teacher gave no chain where one was asked for, or one
  /// whose answer was on the wrong side of the gold one.
  public private(set) var withoutPair: [String] = []

  /// All correct chains, original and rectified: what stage 1 learns from.
  public var correctAndRectified: [ChainOfThought] { correct + rectified }

  /// Sorts a teacher's chains.
  ///
  /// - Parameters:
  ///   - first: for each question the teacher's first answer, with `isCorrect` known; nil where it
  ///     gave none.
  ///   - second: for each question the rectification of an incorrect first answer or the corruption
  ///     of a correct one; nil where the teacher gave none.
  public init(_ questions: [Question], first: [ChainOfThought?], second: [ChainOfThought?]) {
    precondition(
      first.count == questions.count && second.count == questions.count,
      "\(questions.count) questions, \(first.count) first and \(second.count) second chains")
    self.questions = questions
    for (question, (first, second)) in zip(questions, zip(first, second)) {
      guard let first, let isCorrect = first.isCorrect else {
        withoutPair.append(question.id)
        continue
      }
      if isCorrect { correct.append(first) } else { incorrect.append(first) }
      let chains = [first, second].compactMap(\.self)
      guard let second,
        let pair = Pairing.byOrigin.pair(chains, goldAnswer: question.answer)
      else {
        withoutPair.append(question.id)
        continue
      }
      if isCorrect { corrupted.append(second) } else { rectified.append(second) }
      pairs.append(pair)
    }
  }
}
