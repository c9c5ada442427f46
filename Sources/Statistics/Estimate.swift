import Foundation

/// A figure with its interval.
///
/// What the data can't tell is left open: no observation gives the value NaN, and a bound that nothing limits is
/// infinite (or the end of the range: 0 and 1 for a share).
public struct Estimate: Hashable, Sendable {
  public var value: Double
  /// The interval's lower bound.
  public var low: Double
  /// The interval's upper bound.
  public var high: Double
  /// How many observations it rests on: questions, or seeds, or pairs, as the function that made it says.
  public var count: Int

  public init(value: Double, low: Double, high: Double, count: Int) {
    self.value = value
    self.low = low
    self.high = high
    self.count = count
  }
}

extension Estimate {
  /// A share, `successes` of `count`, with Wilson's score interval.
  ///
  ///     (p + z²/2n ± z √(p(1-p)/n + z²/4n²)) / (1 + z²/n),   p = successes / n,   z = Φ⁻¹((1 + level) / 2)
  ///
  /// It stays within 0 and 1 and has a width where none or all succeed: the bound on that side is then 0 or 1
  /// exactly. Without observations it is NaN in 0 ... 1.
  ///
  /// Source: Wilson, "Probable inference, the law of succession, and statistical inference", JASA 22, 1927.
  public static func share(_ successes: Int, of count: Int, level: Double = 0.95) -> Estimate {
    precondition(
      0 <= successes && successes <= count, "\(successes) successes of \(count) observations")
    return meanShare(Double(successes) / Double(count), of: count, level: level)
  }

  /// A share that is itself a mean, such as the accuracy over seeds, with Wilson's interval of `count` observations.
  ///
  /// Seeds that answer the same questions add no questions: `count` is how many one of them answers.
  public static func meanShare(_ p: Double, of count: Int, level: Double = 0.95) -> Estimate {
    if count == 0 { return Estimate(value: .nan, low: 0, high: 1, count: 0) }
    precondition((0...1).contains(p), "a share lies in 0...1, found \(p)")
    let n = Double(count)
    let z = StandardNormal.quantile((1 + level) / 2)
    let middle = p + z * z / (2 * n)
    let half = z * (p * (1 - p) / n + z * z / (4 * n * n)).squareRoot()
    let scale = 1 + z * z / n
    return Estimate(
      value: p, low: p == 0 ? 0 : (middle - half) / scale,
      high: p == 1 ? 1 : (middle + half) / scale, count: count)
  }

  /// The mean of independent values with Student's t interval: mean ± t_{n-1} s / √n.
  ///
  /// One value has an infinite interval, none is NaN in -∞ ... ∞; equal values have an interval of no width.
  ///
  /// Source: Student, "The probable error of a mean", Biometrika 6, 1908.
  public static func mean(of values: [Double], level: Double = 0.95) -> Estimate {
    let value = values.mean
    guard values.count > 1 else {
      return Estimate(value: value, low: -.infinity, high: .infinity, count: values.count)
    }
    let n = Double(values.count)
    let t = StudentT.quantile((1 + level) / 2, degrees: n - 1)
    let half = t * values.standardDeviation / n.squareRoot()
    return Estimate(value: value, low: value - half, high: value + half, count: values.count)
  }
}

extension Collection<Double> {
  /// The mean; NaN of nothing.
  package var mean: Double {
    reduce(0, +) / Double(count)
  }

  /// The standard deviation of the sample, with n - 1; NaN of fewer than two values.
  package var standardDeviation: Double {
    guard count > 1 else { return .nan }
    let mean = mean
    return (reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(count - 1)).squareRoot()
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
