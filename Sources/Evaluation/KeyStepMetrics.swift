import Statistics

/// Teacher-forced metrics of a student on held-out dual pairs, each with a 95 % interval over pairs.
public struct KeyStepMetrics: Sendable, Hashable {
  /// Pairwise accuracy: the fraction of pairs whose chosen chain has the higher mean log-likelihood (Wilson's interval).
  public var prefersChosen: Estimate
  /// The fraction of the chosen chains' key tokens that are the student's most likely token.
  public var keyTop1: Estimate
  /// The mean -log p of the chosen chains' key tokens, and of their other tokens, in nats.
  public var keyNegativeLogLikelihood: Estimate
  public var otherNegativeLogLikelihood: Estimate

  public init(_ scores: [PairScore]) {
    prefersChosen = .share(scores.count { $0.prefersChosen }, of: scores.count)
    func perToken(_ tally: (PairScore) -> TokenTally, _ sum: (TokenTally) -> Double) -> Estimate {
      .ratio(of: scores.map { sum(tally($0)) }, over: scores.map { Double(tally($0).count) })
    }
    keyTop1 = perToken(\.key) { Double($0.top1) }
    keyNegativeLogLikelihood = perToken(\.key, \.negativeLogLikelihood)
    otherNegativeLogLikelihood = perToken(\.other, \.negativeLogLikelihood)
  }
}
