import Foundation
import Randomness

/// A statistic and its values on resampled data, from which intervals are read.
///
/// Source: Efron and Tibshirani, "An Introduction to the Bootstrap", 1993, chapters 13 and 14.
public struct Bootstrap: Sendable {
  /// The statistic on the data themselves.
  public let estimate: Double
  /// The statistic on each resample, in rising order; those without a value (NaN) are left out.
  public let resampled: [Double]
  /// The statistic with each unit left out in turn, for the acceleration of the BCa interval.
  public let jackknife: [Double]

  public init(estimate: Double, resampled: [Double], jackknife: [Double]) {
    self.estimate = estimate
    self.resampled = resampled.filter { !$0.isNaN }.sorted()
    self.jackknife = jackknife
  }

  /// Resamples `count` units with replacement.
  ///
  /// - Parameter statistic: the statistic on the units with these indices, which may repeat. It should return NaN
  ///   where it has no value.
  public init(
    count: Int, resamples: Int = 2000, using generator: inout SeededGenerator,
    statistic: ([Int]) -> Double
  ) {
    self.init(
      clusters: (0..<count).map { [$0] }, resamples: resamples, using: &generator,
      statistic: statistic)
  }

  /// Resamples whole clusters with replacement: questions that share a task or a passage are not independent, and
  /// come or stay away together.
  ///
  /// - Parameters:
  ///   - clusters: the indices of the units of each cluster.
  ///   - statistic: the statistic on the units with these indices, which may repeat.
  ///
  /// Source: Davison and Hinkley, "Bootstrap Methods and their Application", 1997, section 3.8.
  public init(
    clusters: [[Int]], resamples: Int = 2000, using generator: inout SeededGenerator,
    statistic: ([Int]) -> Double
  ) {
    var resampled: [Double] = []
    if !clusters.isEmpty {
      for _ in 0..<resamples {
        resampled.append(
          statistic(clusters.indices.flatMap { _ in clusters.randomElement(using: &generator)! }))
      }
    }
    self.init(
      estimate: statistic(clusters.flatMap { $0 }),
      resampled: resampled,
      jackknife: clusters.indices.map { left in
        statistic(clusters.indices.flatMap { $0 == left ? [] : clusters[$0] })
      })
  }

  /// The percentile interval: the quantiles (1 - level) / 2 and (1 + level) / 2 of the resampled values, linearly
  /// interpolated. Infinite where nothing was resampled.
  public func percentileInterval(level: Double = 0.95) -> (low: Double, high: Double) {
    (quantile((1 - level) / 2), quantile((1 + level) / 2))
  }

  /// The bias-corrected and accelerated (BCa) interval.
  ///
  ///     quantiles at Φ(z₀ + (z₀ + z) / (1 - a (z₀ + z))),   z = Φ⁻¹((1 ± level) / 2)
  ///     z₀ = Φ⁻¹(share of resampled values below the estimate, ties half)
  ///     a = Σ uᵢ³ / (6 (Σ uᵢ²)^{3/2}),   uᵢ = mean of the jackknife - its i-th value
  ///
  /// Where it has no value (all resamples on one side of the estimate, or all equal) the percentile interval is
  /// returned.
  ///
  /// Source: Efron, "Better bootstrap confidence intervals", JASA 82, 1987.
  public func bcaInterval(level: Double = 0.95) -> (low: Double, high: Double) {
    let below = resampled.count { $0 < estimate }
    let equal = resampled.count { $0 == estimate }
    let z0 = StandardNormal.quantile(
      resampled.isEmpty ? 0 : (Double(below) + Double(equal) / 2) / Double(resampled.count))
    let mean = jackknife.mean
    let squares = jackknife.reduce(0) { $0 + pow(mean - $1, 2) }
    let a = jackknife.reduce(0) { $0 + pow(mean - $1, 3) } / (6 * pow(squares, 1.5))
    guard z0.isFinite, a.isFinite else { return percentileInterval(level: level) }
    func adjusted(_ p: Double) -> Double {
      let z = z0 + StandardNormal.quantile(p)
      return StandardNormal.cumulative(z0 + z / (1 - a * z))
    }
    return (quantile(adjusted((1 - level) / 2)), quantile(adjusted((1 + level) / 2)))
  }

  /// The two-sided p of the hypothesis that the statistic is 0: twice the smaller share of resampled values on one
  /// side of 0, both shares counting those at 0.
  ///
  ///     min(1, 2 (1 + min(#{t* ≤ 0}, #{t* ≥ 0})) / (B + 1))
  ///
  /// It is below 0.05 where the 95 % percentile interval excludes 0, but for rounding, and never below 2 / (B + 1).
  ///
  /// Source: Davison and Hinkley, "Bootstrap Methods and their Application", 1997, chapter 4 (the 1 in both places).
  public var twoSidedPValue: Double {
    let fewer = Swift.min(resampled.count { $0 <= 0 }, resampled.count { $0 >= 0 })
    return Swift.min(1, 2 * Double(1 + fewer) / Double(1 + resampled.count))
  }

  /// The `p` quantile of the resampled values, interpolated between the two nearest as by numpy's default.
  private func quantile(_ p: Double) -> Double {
    guard let last = resampled.indices.last else { return p < 0.5 ? -.infinity : .infinity }
    let place = p * Double(last)
    let index = Swift.min(Int(place), last)
    let next = Swift.min(index + 1, last)
    return resampled[index] + (place - Double(index)) * (resampled[next] - resampled[index])
  }
}
