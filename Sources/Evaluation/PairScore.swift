import Distillation
import KeySteps
import LanguageModel

/// What a student makes of one held-out dual pair, teacher-forced: informative where its answers
/// are still near the floor.
public struct PairScore: Sendable, Hashable, Codable {
  public var id: String
  /// The mean log-likelihood of a token of the chosen chain, and of the rejected one, in nats.
  public var chosenLogLikelihood: Double
  public var rejectedLogLikelihood: Double
  /// The chosen chain's key tokens and its other tokens.
  public var key: TokenTally
  public var other: TokenTally

  /// Whether the student finds the chosen chain likelier, token by token.
  public var prefersChosen: Bool { chosenLogLikelihood > rejectedLogLikelihood }
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
    try zip(pairs, PairLosses.losses(of: pairs, on: decoder, workers: workers)).map {
      PairScore($0, $1, $0.keyTokens(choice))
    }
  }

  /// Precondition: `losses` and `keys` are those of `pair`.
  package init(_ pair: TokenizedPair, _ losses: PairLosses, _ keys: KeyTokens) {
    func logLikelihood(_ losses: [TokenLoss]) -> Double {
      -losses.map { Double($0.negativeLogLikelihood) }.reduce(0, +) / Double(losses.count)
    }
    id = pair.id
    chosenLogLikelihood = logLikelihood(losses.chosen)
    rejectedLogLikelihood = logLikelihood(losses.rejected)
    (key, other) = (TokenTally(), TokenTally())
    for (index, isKey) in keys.chosenMask.enumerated() {
      let loss = losses.chosen[index]
      let isTop = loss.top == pair.chosen[index]
      if isKey { key.add(loss, isTop: isTop) } else { other.add(loss, isTop: isTop) }
    }
  }
}

/// What a student makes of each token of a dual pair, teacher-forced.
public struct PairLosses: Sendable, Hashable {
  /// One for each token of the chosen response, and of the rejected one, end of sequence included.
  public var chosen: [TokenLoss]
  public var rejected: [TokenLoss]

  /// The losses of `pairs` under `decoder`, in their order.
  ///
  /// Throws an `EvaluationError` that names the pair whose likelihood is not a number.
  public static func losses(of pairs: [TokenizedPair], on decoder: Decoder, workers: Workers) throws
    -> [PairLosses]
  {
    let trees = pairs.map { pair in
      // Any weight but zero has a token predicted; the shared start's add up to more than zero.
      Objective.example(
        pair, chosen: pair.chosen.map { _ in 1 }, rejected: pair.rejected.map { _ in 1 }
      )
      .tree
    }
    return try zip(pairs, workers.losses(of: trees, on: decoder)).map { pair, losses in
      var segments: [[TokenLoss]] = [[], [], []]
      for token in losses.tokens {
        let value = Double(token.loss.negativeLogLikelihood)
        guard value.isFinite else { throw EvaluationError(example: pair.id, value: value) }
        segments[token.prediction.segment].append(token.loss)
      }
      // The root holds the prompt and the start that both sides share.
      return PairLosses(chosen: segments[0] + segments[1], rejected: segments[0] + segments[2])
    }
  }
}

extension PairLosses {
  /// -log p of each rejected token of `pairs` once more right after itself, in nats: what
  /// `NegativeForm.GuardToken.repeated` tests.
  ///
  /// Throws an `EvaluationError` that names the pair whose likelihood is not a number.
  public static func repeats(of pairs: [TokenizedPair], on decoder: Decoder, workers: Workers)
    throws
    -> [[Float]]
  {
    let trees = pairs.map { pair in
      var tree = PrefixTree(
        prompt: pair.prompt, response: pair.rejected, weights: pair.rejected.map { _ in -1 })
      tree.segments[1].measuresRepeats = true
      return tree
    }
    return try zip(pairs, workers.losses(of: trees, on: decoder)).map { pair, losses in
      try losses.tokens.filter(\.prediction.isRepeat).map { token in
        let value = token.loss.negativeLogLikelihood
        guard value.isFinite else { throw EvaluationError(example: pair.id, value: Double(value)) }
        return value
      }
    }
  }
}

/// A student whose likelihoods are no numbers.
public struct EvaluationError: Error, CustomStringConvertible {
  public let example: String
  public let value: Double
  public var description: String { "\(example): -log p of a token is \(value)" }
}
