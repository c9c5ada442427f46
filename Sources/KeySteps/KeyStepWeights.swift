/// The weights of key reasoning steps learning (KRSL) on a dual pair's tokens:
///
///     w+_t = α on key tokens of the chosen chain, γ on its other tokens
///     w-_t = β on key tokens of the rejected chain, 0 on its others
///
/// With β negative a step down the loss Σ w_t (-log p) / |r| lowers the likelihood of the rejected key
/// tokens.
///
/// Source: Dai, Li, Zhou, Hu, arXiv 2405.19737, section 3.3; the values are those of its
/// experiments.
public struct KeyStepWeights: Hashable, Sendable, Codable {
  /// On key tokens of the chosen chain.
  public var alpha: Float
  /// On key tokens of the rejected chain.
  public var beta: Float
  /// On the other tokens of the chosen chain.
  public var gamma: Float

  public init(alpha: Float = 1, beta: Float = -0.025, gamma: Float = 0) {
    self.alpha = alpha
    self.beta = beta
    self.gamma = gamma
  }

  /// w+, a weight for each token of the chosen chain.
  public func chosen(_ key: KeyTokens) -> [Float] {
    key.chosenMask.map { $0 ? alpha : gamma }
  }

  /// w-, a weight for each token of the rejected chain.
  public func rejected(_ key: KeyTokens) -> [Float] {
    key.rejectedMask.map { $0 ? beta : 0 }
  }
}
