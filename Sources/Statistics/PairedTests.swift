import Foundation

/// McNemar's exact test, two-sided: the probability of a split of the discordant pairs at least as uneven as the one
/// found, were both kinds equally likely.
///
///     p = min(1, 2 P(X ≤ min(b, c))),   X ~ Binomial(b + c, 1/2)
///
/// Without discordant pairs p is 1.
///
/// - Parameters:
///   - onlyFirst: b, the questions that the first arm alone answered right.
///   - onlySecond: c, those that the second arm alone answered right.
///
/// Source: McNemar, "Note on the sampling error of the difference between correlated proportions or percentages",
/// Psychometrika 12, 1947.
public func mcNemarExactPValue(onlyFirst: Int, onlySecond: Int) -> Double {
  precondition(
    onlyFirst >= 0 && onlySecond >= 0, "counts of pairs, found \(onlyFirst) and \(onlySecond)")
  let n = Double(onlyFirst + onlySecond)
  var tail = 0.0
  for k in 0...min(onlyFirst, onlySecond) {
    let k = Double(k)
    let logChoices: Double = lgamma(n + 1) - lgamma(k + 1) - lgamma(n - k + 1)
    tail += exp(logChoices - n * log(2))
  }
  return min(1, 2 * tail)
}

/// The questions of one seed that only one of two arms answers correctly, and the exact test of their numbers.
///
/// With several seeds there is no such test: it takes seeds as given.
public struct QuestionTally: Hashable, Sendable {
  /// The questions that only the arm, and that only the reference, answers correctly.
  public let wins: Int
  public let losses: Int

  /// - Parameters:
  ///   - values: for each question 1 for a correct answer and 0 for a wrong one.
  ///   - reference: the other arm's, for the same questions.
  public init(_ values: [Double], against reference: [Double]) {
    precondition(
      values.count == reference.count,
      "\(values.count) questions can't be paired with \(reference.count)")
    wins = zip(values, reference).count { $0 > $1 }
    losses = zip(values, reference).count { $0 < $1 }
  }

  /// McNemar's.
  public var pValue: Double { mcNemarExactPValue(onlyFirst: wins, onlySecond: losses) }
}

/// p-values adjusted for the number of comparisons by Benjamini and Hochberg: rejecting those at most q keeps the
/// expected share of false rejections at q or below.
///
///     adjusted p₍ᵢ₎ = min over j ≥ i of min(1, n p₍ⱼ₎ / j),   p₍₁₎ ≤ … ≤ p₍ₙ₎
///
/// In the order given; of nothing, nothing.
///
/// Source: Benjamini and Hochberg, "Controlling the false discovery rate", JRSS B 57, 1995.
public func benjaminiHochberg(_ pValues: [Double]) -> [Double] {
  precondition(
    pValues.allSatisfy { (0...1).contains($0) }, "p-values lie in 0...1, found \(pValues)")
  var adjusted = pValues
  var smallest = 1.0
  let falling = pValues.indices.sorted { pValues[$0] > pValues[$1] }
  for (place, index) in falling.enumerated() {
    let rank = pValues.count - place
    smallest = min(smallest, pValues[index] * Double(pValues.count) / Double(rank))
    adjusted[index] = smallest
  }
  return adjusted
}

/// The smallest true difference that a two-sided t test of an estimate finds with the given power.
///
///     δ: P(|T| > t) = power,   T noncentral t with ν degrees of freedom and noncentrality δ / SE
///
/// - Parameters:
///   - standardError: SE, in the unit of the result.
///   - degrees: ν.
///   - significance: the test's level, at which its t is read.
///
/// Source: Cohen, "Statistical Power Analysis for the Behavioral Sciences", 1988, section 2.3.
package func smallestDetectableDifference(
  standardError: Double, degrees: Double, significance: Double, power: Double
) -> Double {
  precondition(
    0 < significance && significance < power && power < 1,
    "0 < significance < power < 1, found significance \(significance) and power \(power)")
  let t = StudentT.quantile(1 - significance / 2, degrees: degrees)
  var high = 1.0
  while twoSidedPower(noncentrality: high, t: t, degrees: degrees) < power { high *= 2 }
  let noncentrality = bisect(0, high) {
    twoSidedPower(noncentrality: $0, t: t, degrees: degrees) < power
  }
  return noncentrality * standardError
}

/// P(|T| > t) for T = (Z + δ) / Y, with Z standard normal and ν Y² chi-square with ν degrees of freedom.
///
///     1 - ∫ (Φ(t y - δ) - Φ(-t y - δ)) f(y) dy,   f(y) = 2 (ν/2)^{ν/2} y^{ν-1} e^{-ν y²/2} / Γ(ν/2)
///
/// Integrated by Gauss and Legendre's five points on 400 panels over all that f leaves above about 1e-20.
private func twoSidedPower(noncentrality delta: Double, t: Double, degrees nu: Double) -> Double {
  let points: [(at: Double, weight: Double)] = {
    let near = (5 - 2 * (10.0 / 7).squareRoot()).squareRoot() / 3
    let far = (5 + 2 * (10.0 / 7).squareRoot()).squareRoot() / 3
    let nearWeight = (322 + 13 * 70.0.squareRoot()) / 900
    let farWeight = (322 - 13 * 70.0.squareRoot()) / 900
    return [
      (-far, farWeight), (-near, nearWeight), (0, 128.0 / 225), (near, nearWeight),
      (far, farWeight),
    ]
  }()
  let low = max(0, 1 - 10 / (2 * nu).squareRoot())
  let high = (1 + (14 * (2 * nu).squareRoot() + 100) / nu).squareRoot()
  let scale = log(2) + nu / 2 * log(nu / 2) - lgamma(nu / 2)
  let panels = 400
  let half = (high - low) / Double(2 * panels)
  var inside = 0.0
  for panel in 0..<panels {
    let middle = low + Double(2 * panel + 1) * half
    for point in points {
      let y = middle + half * point.at
      let logDensity: Double = scale + (nu - 1) * log(y) - nu * y * y / 2
      let below = StandardNormal.cumulative(-t * y - delta)
      let within = StandardNormal.cumulative(t * y - delta) - below
      inside += half * point.weight * exp(logDensity) * within
    }
  }
  return 1 - inside
}
