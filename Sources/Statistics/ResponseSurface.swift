import Foundation
import LinearAlgebra
import Randomness

/// A quadratic in one or two settings, fitted by least squares to what runs scored.
///
///     y = b₀ + b₁ x₁ + b₂ x₂ + b₃ x₁² + b₄ x₁ x₂ + b₅ x₂²        where both settings vary
///     y = b₀ + b₁ x + b₂ x²                                      where one does
///
/// Source: Box and Wilson, "On the experimental attainment of optimum conditions", JRSS B 13, 1951.
public struct ResponseSurface: Sendable {
  /// What one run scored.
  public struct Observation: Hashable, Sendable {
    /// The values of one or two settings, such as log α and β.
    public var place: [Double]
    public var value: Double
    public var seed: Int

    public init(place: [Double], value: Double, seed: Int) {
      self.place = place
      self.value = value
      self.seed = seed
    }
  }

  /// Which of a place's values vary, in rising order: x₁ and x₂.
  public let axes: [Int]
  /// b₀, b₁ and so on; of least norm where the places are too few to tell.
  public let coefficients: [Double]
  /// The standard error of each coefficient, clustered by seed, with `degrees` degrees of freedom.
  ///
  ///     SE_j² = S / (S - 1) Σ_s (Σ_{i in seed s} P_ji r_i)²,   P = (XᵀX)⁻¹ Xᵀ, r the residuals
  ///
  /// Runs of one seed share data and initialisation and are not independent. Where every seed was run at the same
  /// places this is the standard error of the mean of the S seeds' own coefficients, sd / √S, and coefficient ± t SE is
  /// exact if these are normal. Seeds as fixed effects would remove only what a seed adds at all places alike; a seed
  /// whose best place is elsewhere would still count as many independent runs.
  ///
  /// NaN with one seed, where there are no more runs than coefficients, or too few places.
  ///
  /// Source: Liang and Zeger, "Longitudinal data analysis using generalized linear models", Biometrika 73, 1986, with
  /// the factor S / (S - 1) of Cameron and Miller, "A practitioner's guide to cluster-robust inference", Journal of
  /// Human Resources 50, 2015.
  public let standardErrors: [Double]
  /// S - 1, with S the number of seeds.
  public let degrees: Int
  /// How many coefficients the places determine.
  public let rank: Int
  public let observations: [Observation]
  /// The largest |x| of each axis: the fit is made in u = x / scale.
  private let scale: [Double]

  /// Throws a `LAPACKError` where a value is not finite. Precondition: every place has as many values, one or two.
  public init(_ observations: [Observation]) throws {
    let dimensions = observations.first?.place.count ?? 0
    precondition(
      dimensions <= 2 && observations.allSatisfy { $0.place.count == dimensions },
      "places of one or two values, found \(observations.map(\.place.count))")
    self.observations = observations
    let axes = (0..<dimensions).filter { axis in Set(observations.map { $0.place[axis] }).count > 1
    }
    let scale = axes.map { axis in observations.map { abs($0.place[axis]) }.max() ?? 1 }
    self.axes = axes
    self.scale = scale
    let units = Self.terms(scale)
    let count = units.count
    let rows = observations.map { run in
      Self.terms(zip(axes, scale).map { run.place[$0] / $1 })
    }
    let x = Matrix(rows: rows.count, columns: count, elements: rows.flatMap { $0 })
    let y = Matrix(rows: rows.count, columns: 1, elements: observations.map(\.value))
    let (solution, rank) = try x.leastSquares(y)
    self.rank = rank
    coefficients = zip(solution.elements, units).map { $0 / $1 }
    let seeds = Dictionary(grouping: observations.indices) { observations[$0].seed }
    degrees = seeds.count - 1
    guard rank == count, rows.count > count, degrees > 0 else {
      standardErrors = units.map { _ in .nan }
      return
    }
    let fitted = x * solution
    let residuals = zip(y.elements, fitted.elements).map { $0 - $1 }
    // A row of Uᵀ summed over a seed's residuals; P = V diag(1/σ) Uᵀ.
    let (u, singularValues, v) = try x.singularValueDecomposition()
    let correction = Double(seeds.count) / Double(degrees)
    let projected = seeds.sorted { $0.key < $1.key }.map { _, runs in
      singularValues.indices.map { k in
        runs.reduce(0) { $0 + u[$1, k] * residuals[$1] } / singularValues[k]
      }
    }
    standardErrors = units.indices.map { j in
      let squares = projected.reduce(0) { sum, seed in
        sum + pow(seed.indices.reduce(0) { $0 + v[$1, j] * seed[$1] }, 2)
      }
      return (correction * squares).squareRoot() / units[j]
    }
  }

  /// What each coefficient multiplies.
  private static func terms(_ x: [Double]) -> [Double] {
    switch x.count {
    case 1: [1, x[0], x[0] * x[0]]
    case 2: [1, x[0], x[1], x[0] * x[0], x[0] * x[1], x[1] * x[1]]
    default: [1]
    }
  }

  // MARK: Optimum

  public enum Direction: Sendable { case highest, lowest }

  /// Why a surface has no optimum, or its optimum no interval.
  public enum Obstacle: String, Error, Sendable {
    case tooFewPlaces = "too few distinct values for a quadratic"
    case flat = "it is flat, or a ridge"
    case saddle = "it has a saddle"
    case opposite = "it curves the other way"
    case outside = "its extremum lies outside the grid"
    case oneSeed = "one seed tells no spread"
    case unsteady = "more than 5 % of the resamples have no such extremum"
  }

  /// Where a surface is highest or lowest.
  public struct Optimum: Sendable, Hashable {
    /// In the order of the axes; empty where there is none. `count` counts the seeds.
    public var place: [Estimate] = []
    /// The surface's value there; NaN where there is none.
    public var value = Double.nan
    /// Why there is none; or, where there is a place, why its interval is infinite.
    public var obstacle: Obstacle?
    /// The share of resamples whose surface has no such extremum, inside the grid or outside it.
    public var lacking = Double.nan
  }

  /// The optimum, where the gradient is zero, the Hessian definite and the place within the grid, with a percentile
  /// interval of each coordinate from refits on seeds drawn anew, each with all its runs.
  ///
  /// A refit's extremum may lie outside the grid and counts there, so that a wide interval is seen to be one. Where
  /// more than 1 - level of the refits have none there is no interval.
  ///
  /// Throws a `LAPACKError` where a refit does not converge.
  public func optimum(
    _ direction: Direction, resamples: Int = 2000, level: Double = 0.95,
    using generator: inout SeededGenerator
  ) throws -> Optimum {
    var optimum = Optimum()
    let units = Self.terms(scale)
    guard rank == units.count, !axes.isEmpty else {
      optimum.obstacle = .tooFewPlaces
      return optimum
    }
    let u: [Double]
    switch extremum(zip(coefficients, units).map { $0 * $1 }, direction) {
    case .failure(let obstacle):
      optimum.obstacle = obstacle
      return optimum
    case .success(let place): u = place
    }
    let place = zip(u, scale).map { $0 * $1 }
    let isInside = zip(axes, place).allSatisfy { axis, x in
      let values = observations.map { $0.place[axis] }
      return (values.min() ?? x) <= x && x <= (values.max() ?? x)
    }
    guard isInside else {
      optimum.obstacle = .outside
      return optimum
    }
    optimum.value = zip(coefficients, Self.terms(place)).reduce(0) { $0 + $1.0 * $1.1 }

    let refits = try refits(direction, resamples, using: &generator)
    optimum.lacking = refits.map { 1 - Double($0.count) / Double(max(1, resamples)) } ?? .nan
    optimum.obstacle =
      refits == nil ? .oneSeed : optimum.lacking > 1 - level + 1e-12 ? .unsteady : nil
    let seeds = Set(observations.map(\.seed)).count
    optimum.place = place.indices.map { axis in
      let resampled = optimum.obstacle == nil ? (refits ?? []).map { $0[axis] * scale[axis] } : []
      let interval = Bootstrap(estimate: place[axis], resampled: resampled, jackknife: [])
        .percentileInterval(level: level)
      return Estimate(value: place[axis], low: interval.low, high: interval.high, count: seeds)
    }
    return optimum
  }

  /// The extrema, in u, of the surfaces of drawn seeds, those that have one; nil with one seed.
  ///
  /// Each seed's XᵀX and Xᵀy are summed over the draw, and the normal equations solved.
  private func refits(
    _ direction: Direction, _ resamples: Int, using generator: inout SeededGenerator
  ) throws -> [[Double]]? {
    let count = coefficients.count
    let seeds = Dictionary(grouping: observations, by: \.seed).sorted { $0.key < $1.key }
    guard seeds.count > 1 else { return nil }
    // XᵀX and beside it, as a last column, Xᵀy.
    let sums = seeds.map { _, runs in
      var sum = [Double](repeating: 0, count: count * (count + 1))
      for run in runs {
        let x = Self.terms(zip(axes, scale).map { run.place[$0] / $1 })
        for (i, left) in x.enumerated() {
          for (j, right) in (x + [run.value]).enumerated() {
            sum[i * (count + 1) + j] += left * right
          }
        }
      }
      return sum
    }
    var found: [[Double]] = []
    for _ in 0..<resamples {
      var gram = Matrix<Double>(rows: count, columns: count)
      var moment = Matrix<Double>(rows: count, columns: 1)
      for _ in seeds.indices {
        let drawn = sums[generator.index(below: seeds.count)]
        for i in 0..<count {
          for j in 0..<count { gram.elements[i * count + j] += drawn[i * (count + 1) + j] }
          moment.elements[i] += drawn[i * (count + 1) + count]
        }
      }
      let (solution, rank) = try gram.leastSquares(moment)
      if rank == count, case .success(let place) = extremum(solution.elements, direction) {
        found.append(place)
      }
    }
    return found
  }

  /// Where the gradient of the surface with these coefficients, in u, is zero: b + H u = 0.
  ///
  /// |u| is at most 1 on the grid, so that a coefficient is a difference of values; what is below 1e-10 of the largest
  /// value is rounding.
  private func extremum(_ c: [Double], _ direction: Direction) -> Result<[Double], Obstacle> {
    let rounding = 1e-10 * (observations.map { abs($0.value) }.max() ?? 0)
    let wanted: (Double) -> Bool = { direction == .highest ? $0 < 0 : $0 > 0 }
    if c.count == 3 {
      let curvature = 2 * c[2]
      if abs(curvature) <= rounding { return .failure(.flat) }
      return wanted(curvature) ? .success([-c[1] / curvature]) : .failure(.opposite)
    }
    let (h11, h12, h22) = (2 * c[3], c[4], 2 * c[5])
    let largest = max(abs(h11), abs(h12), abs(h22))
    let determinant = h11 * h22 - h12 * h12
    if largest <= rounding || abs(determinant) <= 1e-10 * largest * largest {
      return .failure(.flat)
    }
    if determinant < 0 { return .failure(.saddle) }
    if !wanted(h11) { return .failure(.opposite) }
    return .success([
      (h12 * c[2] - h22 * c[1]) / determinant, (h12 * c[1] - h11 * c[2]) / determinant,
    ])
  }
}
