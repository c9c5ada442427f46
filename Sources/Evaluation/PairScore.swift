import Distillation
import KeySteps
import LanguageModel

/// What a student makes of one held-out dual pair, teacher-forced: informative where its answers
/// are still near the floor.
public struct PairScore: Sendable, Hashable, Codable {
  public var id: String
  /// The mean log-likelihood of a token of the right chain, and of the wrong one, in nats.
  public var rightLogLikelihood: Double
  public var wrongLogLikelihood: Double
  /// The right chain's key tokens and its other tokens.
  public var key: TokenTally
  public var other: TokenTally

  /// Whether the student finds the right chain likelier, token by token.
  public var prefersRight: Bool { rightLogLikelihood > wrongLogLikelihood }
}

/// Sums over some tokens of a chain.
public struct TokenTally: Sendable, Hashable, Codable {
  public var count = 0
  /// Tokens that the student finds the likeliest of all.
  public var top1 = 0
  /// The sum of their -log p, in nats.
  public var negativeLogLikelihood = 0.0

  public init() {}

  mutating func add(_ loss: TokenLoss, isTop: Bool) {
    count += 1
    if isTop { top1 += 1 }
    negativeLogLikelihood += Double(loss.negativeLogLikelihood)
  }
}

extension PairScore {
  /// Scores `pairs` under `decoder`, in their order.
  ///
  /// Throws an `EvaluationError` that names the pair whose likelihood is not a number.
  public static func scores(
    of pairs: [TokenizedPair], on decoder: Decoder, workers: Workers,
    choice: KeyTokenChoice = KeyTokenChoice()
  ) throws -> [PairScore] {
    let trees = pairs.map { pair in
      // Any weight but zero has a token predicted; the shared start's add up to more than zero.
      Objective.example(pair, right: pair.right.map { _ in 1 }, wrong: pair.wrong.map { _ in 1 })
        .tree
    }
    return try zip(pairs, workers.losses(of: trees, on: decoder)).map { pair, losses in
      try PairScore(pair, losses, choice.keyTokens(of: pair))
    }
  }

  private init(_ pair: TokenizedPair, _ losses: ExampleLoss, _ keys: KeyTokens) throws {
    let common = zip(pair.right, pair.wrong).prefix { $0 == $1 }.count
    let isKey = keys.rightMask
    var (key, other) = (TokenTally(), TokenTally())
    var (right, wrong) = (0.0, 0.0)
    for token in losses.tokens {
      let nll = Double(token.loss.negativeLogLikelihood)
      guard nll.isFinite else { throw EvaluationError(example: pair.id, value: nll) }
      let (segment, index) = (token.prediction.segment, token.prediction.index)
      if segment == Objective.wrongSegment {
        wrong += nll
        continue
      }
      // The root holds the prompt and the start that both sides share.
      let position = segment == 0 ? index - pair.prompt.count : common + index
      if segment == 0 { wrong += nll }
      right += nll
      let isTop = token.loss.top == pair.right[position]
      if isKey[position] {
        key.add(token.loss, isTop: isTop)
      } else {
        other.add(token.loss, isTop: isTop)
      }
    }
    id = pair.id
    rightLogLikelihood = -right / Double(pair.right.count)
    wrongLogLikelihood = -wrong / Double(pair.wrong.count)
    self.key = key
    self.other = other
  }
}

/// A student whose likelihoods are no numbers.
public struct EvaluationError: Error, CustomStringConvertible {
  public let example: String
  public let value: Double
  public var description: String { "\(example): -log p of a token is \(value)" }
}
