import Foundation
import Randomness
import Statistics
import TestSupport
import Testing

@Suite struct ResponseSurfaceTests {
  /// statsmodels' least squares, clustered by seed, and numpy's solution, made by `Tests/Fixtures/evaluation/make.py`.
  private struct Expected: Decodable {
    struct Surface: Decodable {
      let places: [[Double]]
      let values: [Double]
      let seeds: [Int]
      let coefficients, standardErrors, place: [Double]
      let value: Double
      let kind: String
    }
    let surfaces: [Surface]
  }

  private func agree(_ a: [Double], _ b: [Double]) -> Bool {
    a.count == b.count
      && zip(a, b).allSatisfy { abs($0 - $1) <= 1e-9 * max(1, abs($0), abs($1)) }
  }

  private func optimum(
    _ surface: ResponseSurface, _ direction: ResponseSurface.Direction = .highest,
    resamples: Int = 400
  ) throws -> ResponseSurface.Optimum {
    var generator = SeededGenerator(seed: 1)
    return try surface.optimum(direction, resamples: resamples, using: &generator)
  }

  /// One axis: a value for each seed and place.
  private func surface(
    _ places: [Double], seeds: Int = 1, _ value: (_ seed: Int, _ x: Double) -> Double
  ) throws -> ResponseSurface {
    try ResponseSurface(
      (0..<seeds).flatMap { seed in
        places.map { ResponseSurface.Observation(place: [$0], value: value(seed, $0), seed: seed) }
      })
  }

  @Test("Coefficients, standard errors and optimum agree with statsmodels and numpy")
  func agreement() throws {
    let decoder = JSONDecoder()
    decoder.keyDecodingStrategy = .convertFromSnakeCase
    let expected = try decoder.decode(
      Expected.self, from: Data(contentsOf: fixture("evaluation/statistics.json")))
    #expect(Set(expected.surfaces.map(\.kind)) == ["maximum", "minimum", "saddle"])
    for row in expected.surfaces {
      let surface = try ResponseSurface(
        row.places.indices.map {
          ResponseSurface.Observation(
            place: row.places[$0], value: row.values[$0], seed: row.seeds[$0])
        })
      #expect(agree(surface.coefficients, row.coefficients))
      #expect(agree(surface.standardErrors, row.standardErrors))
      #expect(surface.degrees == 3)
      #expect(surface.rank == row.coefficients.count)
      let highest = try optimum(surface)
      let lowest = try optimum(surface, .lowest)
      let (found, other) = row.kind == "minimum" ? (lowest, highest) : (highest, lowest)
      if row.kind == "saddle" {
        #expect(highest.obstacle == .saddle && lowest.obstacle == .saddle)
      } else {
        #expect(agree(found.place.map(\.value), row.place) && agree([found.value], [row.value]))
        #expect(found.obstacle == nil && other.obstacle == .opposite && other.place.isEmpty)
        #expect(found.place.allSatisfy { $0.low < $0.value && $0.value < $0.high && $0.count == 4 })
      }
    }
  }

  @Test(
    "Standard errors are those of the seeds' own coefficients where all seeds have the same places")
  func blockedBySeed() throws {
    // y = a + b x + c x² without noise, so that each seed's fit has its own coefficients exactly.
    let own = [[0.5, 0.1, -0.3], [0.6, -0.1, -0.2], [0.4, 0.3, -0.1], [0.5, 0.1, -0.2]]
    let fitted = try surface([-1, -0.5, 0, 1], seeds: 4) { seed, x in
      own[seed][0] + own[seed][1] * x + own[seed][2] * x * x
    }
    for term in 0..<3 {
      let values = own.map { $0[term] }
      #expect(agree([fitted.coefficients[term]], [values.mean]))
      #expect(agree([fitted.standardErrors[term]], [values.standardDeviation / 2]))
    }
  }

  @Test("A seed's level widens the constant's standard error and no other; one seed tells none")
  func seedLevels() throws {
    let levels = [0.0, 0.2, 0.7]
    let fitted = try surface([-1, 0, 1, 2], seeds: 3) { seed, x in levels[seed] + x - x * x }
    #expect(agree(fitted.standardErrors, [levels.standardDeviation / 3.0.squareRoot(), 0, 0]))
    let single = try surface([-1, 0, 1, 2]) { _, x in x - x * x }
    #expect(single.degrees == 0 && single.standardErrors.allSatisfy(\.isNaN))
  }

  @Test("An axis that does not vary is left out")
  func oneAxis() throws {
    let surface = try ResponseSurface(
      [-1.0, 0, 1, 2].map {
        ResponseSurface.Observation(place: [0.5, $0], value: 3 - ($0 - 0.5) * ($0 - 0.5), seed: 0)
      })
    #expect(surface.axes == [1] && agree(surface.coefficients, [2.75, 1, -1]))
    #expect(agree(try optimum(surface).place.map(\.value), [0.5]))
  }

  @Test("The optimum's interval is that of the seeds' own optima where these alone differ")
  func interval() throws {
    // Equal curvatures, so that a refit's optimum is the mean of the drawn seeds' optima.
    var generator = SeededGenerator(seed: 2)
    let optima = (0..<40).map { _ in 0.2 * generator.normal() }
    let fitted = try surface([-1, -0.5, 0, 0.5, 1], seeds: 40) { seed, x in
      -pow(x - optima[seed], 2)
    }
    let found = try #require(try optimum(fitted, resamples: 10_000).place.first)
    #expect(agree([found.value], [optima.mean]))
    let spread = optima.reduce(0) { $0 + pow($1 - optima.mean, 2) }.squareRoot() / 40
    // Four times the 1 % that the quantiles of 10,000 draws leave, and what 40 seeds are from normal.
    #expect(abs((found.high - found.low) / (2 * 1.96 * spread) - 1) < 0.06)
  }

  @Test("Where there is no optimum, or no interval of it, the reason is told")
  func obstacles() throws {
    let grid = [-1.0, -0.5, 0, 0.5, 1]
    #expect(try optimum(surface([0, 1]) { _, x in x }).obstacle == .tooFewPlaces)
    #expect(try optimum(surface([1, 1]) { _, x in x }).obstacle == .tooFewPlaces)
    #expect(try optimum(surface(grid) { _, _ in 0.3 }).obstacle == .flat)
    #expect(try optimum(surface(grid) { _, _ in 0 }).obstacle == .flat)
    #expect(try optimum(surface(grid) { _, x in 0.1 * x }).obstacle == .flat)
    #expect(try optimum(surface(grid) { _, x in x * x }).obstacle == .opposite)
    #expect(try optimum(surface(grid) { _, x in -pow(x - 2, 2) }).obstacle == .outside)
    // Two values of one axis and three of the other leave x₁² undetermined.
    let narrow = try ResponseSurface(
      [0.0, 1].flatMap { a in
        [0.0, 1, 2].map {
          ResponseSurface.Observation(place: [a, $0], value: a - $0 * $0, seed: 0)
        }
      })
    #expect(narrow.rank == 5 && narrow.standardErrors.allSatisfy(\.isNaN))
    #expect(try optimum(narrow).obstacle == .tooFewPlaces)

    let single = try optimum(surface(grid) { _, x in 1 - x * x })
    #expect(single.obstacle == .oneSeed && agree(single.place.map(\.value), [0]))
    #expect(single.place[0].low == -.infinity && agree([single.value], [1]))
    // Of four seeds two curve upwards: with probability 5/16 they are drawn thrice or more.
    let unsteady = try optimum(surface(grid, seeds: 4) { seed, x in (seed < 2 ? -2 : 1) * x * x })
    #expect(unsteady.obstacle == .unsteady && unsteady.place.count == 1)
    #expect(abs(unsteady.lacking - 5.0 / 16) < 0.1 && unsteady.place[0].high == .infinity)
  }
}
