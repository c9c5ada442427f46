/// What the scores of held-out dual pairs say of a student, each with a 95 % interval over pairs.
public struct KeyStepMetrics: Sendable, Hashable {
  /// The share of pairs whose right chain has the higher mean log-likelihood (Wilson's interval).
  public var prefersRight: Estimate
  /// The share of the right chains' key tokens that the student finds the likeliest of all.
  public var keyTop1: Estimate
  /// The mean -log p of the right chains' key tokens, and of their other tokens, in nats.
  public var keyNegativeLogLikelihood: Estimate
  public var otherNegativeLogLikelihood: Estimate

  public init(_ scores: [PairScore]) {
    prefersRight = .share(scores.count { $0.prefersRight }, of: scores.count)
    func perToken(_ tally: (PairScore) -> TokenTally, _ sum: (TokenTally) -> Double) -> Estimate {
      .ratio(of: scores.map { sum(tally($0)) }, over: scores.map { Double(tally($0).count) })
    }
    keyTop1 = perToken(\.key) { Double($0.top1) }
    keyNegativeLogLikelihood = perToken(\.key, \.negativeLogLikelihood)
    otherNegativeLogLikelihood = perToken(\.other, \.negativeLogLikelihood)
  }
}

extension Estimate {
  /// Σ y / Σ x over clusters, such as right tokens over tokens of each pair, with a t interval from the
  /// spread of the clusters' residuals y - r x.
  ///
  ///     r ± t_{n-1} √(Σ (y_i - r x_i)² / (n - 1)) / (√n x̄)
  ///
  /// Tokens of one chain are not independent, so the clusters are what is counted. Without any x it is
  /// NaN in -∞ ... ∞.
  ///
  /// Source: Cochran, "Sampling Techniques", 3rd edition, 1977, section 6.4 (the ratio estimator).
  public static func ratio(of y: [Double], over x: [Double], level: Double = 0.95) -> Estimate {
    precondition(y.count == x.count, "\(y.count) numerators, \(x.count) denominators")
    let total = x.reduce(0, +)
    let n = Double(x.count)
    guard total > 0 else {
      return Estimate(value: .nan, low: -.infinity, high: .infinity, count: x.count)
    }
    let r = y.reduce(0, +) / total
    let residuals = zip(y, x).map { ($0 - r * $1) * n / total }
    let spread = mean(of: residuals, level: level)
    return Estimate(
      value: r, low: r + spread.low - spread.value, high: r + spread.high - spread.value,
      count: x.count)
  }
}
