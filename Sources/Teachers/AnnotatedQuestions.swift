import Reasoning

/// Questions with what a teacher made of them: EDIT's data, ready to train on or to measure with.
public struct AnnotatedQuestions: Hashable, Codable, Sendable {
  public let questions: [Question]
  /// D+: the teacher's first answers that are right.
  public private(set) var correct: [ChainOfThought] = []
  /// D-: the teacher's first answers that are wrong.
  public private(set) var incorrect: [ChainOfThought] = []
  /// Right chains for the questions of `wrong`, given the gold answer as a hint.
  public private(set) var rectified: [ChainOfThought] = []
  /// Wrong chains made of `right`.
  public private(set) var corrupted: [ChainOfThought] = []
  /// Right and wrong chain of one question: an original right one with its corruption, a rectified
  /// one with the original wrong one; in the questions' order.
  public private(set) var pairs: [DualChainOfThought] = []
  /// Questions without a pair, because the teacher gave no chain where one was asked for, or one
  /// whose answer was on the wrong side of the gold one.
  public private(set) var withoutPair: [String] = []

  /// All right chains, original and rectified: what stage 1 learns from.
  public var correctAndRectified: [ChainOfThought] { correct + rectified }

  /// Sorts a teacher's chains.
  ///
  /// - Parameters:
  ///   - first: for each question the teacher's first answer, with `isCorrect` known; nil where it
  ///     gave none.
  ///   - second: for each question the rectification of a wrong first answer or the corruption of a
  ///     right one; nil
  ///     where the teacher gave none.
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
      guard let second, second.isCorrect == !isCorrect else {
        withoutPair.append(question.id)
        continue
      }
      if isCorrect { corrupted.append(second) } else { rectified.append(second) }
      pairs.append(
        DualChainOfThought(
          chosen: isCorrect ? first : second, rejected: isCorrect ? second : first,
          goldAnswer: question.answer))
    }
  }
}
