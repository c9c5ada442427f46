import Foundation

/// The mean difference of two arms with its standard error, read as a t distribution.
///
///     interval:  value ± t(ν, (1 + level) / 2) SE
///     p:         2 P(T_ν ≤ -|value| / SE)
///
/// p is below 0.05 exactly where the 95 % interval excludes 0.
///
/// Two cases have no t distribution; `degrees` is 0 in both:
/// - The spread is unknown (one seed and one question): SE is infinite, the interval is -∞ ... ∞ and p is 1.
/// - All differences are equal: SE is 0, the interval has no width and p is 1, because data that do not vary say
///   nothing about how much they could vary.
public struct MeanDifference: Hashable, Sendable {
  /// What the standard error covers.
  public enum Basis: String, Sendable {
    /// New seeds and new questions.
    case seedsAndQuestions = "t over seeds and questions"
    /// New questions, for the one seed that was run.
    case questions = "t over questions"
    /// New seeds, for the questions that were asked.
    case seeds = "t over seeds"
  }

  public var value: Double
  public let standardError: Double
  /// ν, the degrees of freedom; not a whole number in general.
  public let degrees: Double
  public let basis: Basis
  /// The number of observations: seeds times questions, questions, or seeds, as `basis` says.
  public let count: Int

  /// - Parameter size: the size of the values that were subtracted. Differences that vary by less than 1e-12 of it are
  ///   equal but for rounding.
  init(value: Double, variance: Double, degrees: Double, basis: Basis, count: Int, size: Double) {
    self.value = value
    self.basis = basis
    self.count = count
    let error = variance.squareRoot()
    standardError = error > 1e-12 * size ? error : 0
    self.degrees = standardError > 0 && error.isFinite ? degrees : 0
  }

  /// The mean over seeds of one figure of each seed minus the other arm's, with a paired t test: SE = s / √S and
  /// ν = S - 1. The questions are taken as given.
  ///
  /// Precondition: as many values as reference values.
  ///
  /// Source: Student, "The probable error of a mean", Biometrika 6, 1908.
  public init(ofSeeds values: [Double], minus reference: [Double]) {
    precondition(
      values.count == reference.count,
      "\(values.count) values can't be paired with \(reference.count)")
    let differences = zip(values, reference).map { $0 - $1 }
    let count = differences.count
    let spread = differences.standardDeviation
    self.init(
      value: differences.mean, variance: count > 1 ? spread * spread / Double(count) : .infinity,
      degrees: Double(count - 1), basis: .seeds, count: count,
      size: (values + reference).map(abs).max() ?? 0)
  }

  /// The value with its t interval.
  public func interval(level: Double = 0.95) -> Estimate {
    let half = halfWidth(tail: (1 - level) / 2)
    return Estimate(value: value, low: value - half, high: value + half, count: count)
  }

  /// The two-sided p of the hypothesis that the true difference is 0.
  public var pValue: Double {
    degrees > 0 ? 2 * StudentT.cumulative(-abs(value) / standardError, degrees: degrees) : 1
  }

  /// The smallest margin x at which two one-sided t tests (TOST) conclude that the true difference lies in -x ... x:
  /// the larger absolute end of the interval of level 1 - 2 `significance`, 90 % by default.
  ///
  ///     x = |value| + t(ν, 1 - significance) SE
  ///
  /// A margin fixed before the experiment is met where it is at least x. Infinite where the spread is unknown or 0: data
  /// that do not vary cannot bound the difference.
  ///
  /// Source: Schuirmann, "A comparison of the two one-sided tests procedure and the power approach for assessing the
  /// equivalence of average bioavailability", Journal of Pharmacokinetics and Biopharmaceutics 15, 1987.
  public func equivalenceMargin(significance: Double = 0.05) -> Double {
    degrees > 0 ? abs(value) + halfWidth(tail: significance) : .infinity
  }

  /// The smallest true difference that the test at `significance` finds with probability `power`, if the standard
  /// error were the one found here. Infinite where the spread is unknown, 0 where it is 0.
  public func smallestDetectable(significance: Double = 0.05, power: Double = 0.8) -> Double {
    guard degrees > 0 else { return standardError }
    return smallestDetectableDifference(
      standardError: standardError, degrees: degrees, significance: significance, power: power)
  }

  private func halfWidth(tail: Double) -> Double {
    degrees > 0 ? StudentT.quantile(1 - tail, degrees: degrees) * standardError : standardError
  }
}
