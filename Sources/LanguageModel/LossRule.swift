import CKernels

/// What the forward pass says of one predicted token.
public struct TokenLoss: Sendable, Hashable {
  /// -log p of the token given all before it, in nats.
  public var negativeLogLikelihood: Float
  /// The entropy of the prediction in nats; 0 where the rule did not ask for it.
  public var entropy: Float
  /// The probability of all tokens that are no likelier than the predicted one, itself included; 0 where the rule did
  /// not ask for it.
  public var support: Float
  /// The likeliest token's id.
  public var top: Int

  public init(negativeLogLikelihood: Float, entropy: Float = 0, support: Float = 0, top: Int) {
    self.negativeLogLikelihood = negativeLogLikelihood
    self.entropy = entropy
    self.support = support
    self.top = top
  }
}

/// What a rule needs to know of a token beside its loss. Each costs a pass over the logits.
public struct TokenStatistics: OptionSet, Sendable, Hashable {
  public let rawValue: Int32
  public init(rawValue: Int32) { self.rawValue = rawValue }

  public static let entropy = TokenStatistics(rawValue: Int32(KS_ENTROPY))
  public static let support = TokenStatistics(rawValue: Int32(KS_SUPPORT))
}

/// What a token adds to the loss, and how the loss changes with its -log p.
public struct WeightedLoss: Sendable, Hashable {
  public var value: Float
  /// The factor of -log p's gradient, taken as a constant.
  public var gradientWeight: Float

  public init(value: Float, gradientWeight: Float) {
    self.value = value
    self.gradientWeight = gradientWeight
  }
}

/// How the losses of an example's tokens make its loss.
public enum LossRule: Sendable {
  /// Σ weight · -log p, with the weights that the segments carry.
  case weighted
  /// Each token's contribution from its own forward value: a guard, a bounded negative, a token's own
  /// probability.
  case token(needs: TokenStatistics = [], @Sendable (Prediction, TokenLoss) -> WeightedLoss)
  /// The contributions of an example's tokens from all of their forward values: a preference between two
  /// chains, a choice of the tokens with the highest loss. Costs a second vocabulary projection.
  case example(needs: TokenStatistics = [], @Sendable ([(Prediction, TokenLoss)]) -> [WeightedLoss])

  var needs: TokenStatistics {
    switch self {
    case .weighted: []
    case .token(let needs, _), .example(let needs, _): needs
    }
  }
}

/// The losses of one example.
public struct ExampleLoss: Sendable {
  /// Its loss: the sum of its tokens' contributions. The mean over examples is taken by the caller, once.
  public var loss: Double
  /// Its predicted tokens, in the order of its segments.
  public var tokens: [(prediction: Prediction, loss: TokenLoss, contribution: WeightedLoss)]

  /// The part of the loss that the tokens of one segment make.
  public func loss(ofSegment segment: Int) -> Double {
    tokens.reduce(0) { $1.prediction.segment == segment ? $0 + Double($1.contribution.value) : $0 }
  }
}
