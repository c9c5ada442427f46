import Foundation
import Randomness
import Statistics
import TestSupport
import Testing

/// statsmodels' and SciPy's numbers, made by `Tests/Fixtures/statistics/make.py`.
private struct Expected: Decodable {
  struct Crossed: Decodable, CustomTestStringConvertible {
    let name: String
    let values, reference: [[Double]]
    let weights, interval: [Double]
    let clusters, strata: [String]?
    let value, standardError, degrees, p, margin: Double

    var testDescription: String { name }
  }
  struct Seeds: Decodable {
    let values, reference, interval: [Double]
    let p, margin: Double
  }

  let crossed: [Crossed]
  let seeds: [Seeds]

  static func read() throws -> Expected {
    let decoder = JSONDecoder()
    decoder.keyDecodingStrategy = .convertFromSnakeCase
    return try decoder.decode(
      Expected.self, from: Data(contentsOf: fixture("statistics/differences.json")))
  }
}

/// Whether two numbers agree to 1e-9, of the larger where that is above 1; infinities only with themselves.
private func agree(_ a: Double, _ b: Double) -> Bool {
  a == b || abs(a - b) <= 1e-9 * max(1, abs(a), abs(b))
}

/// The difference of a seeds × questions table from zeros.
private func difference(
  _ table: [[Double]], weights: [Double]? = nil, sampling: QuestionSampling? = nil
) -> MeanDifference {
  MeanDifference(
    table, minus: table.map { $0.map { _ in 0 } }, weights: weights, sampling: sampling)
}

@Suite("Mean differences over seeds crossed with questions")
struct CrossClassifiedTests {
  @Test(
    "agree with the mean squares of statsmodels and SciPy's t distribution",
    arguments: try Expected.read().crossed)
  fileprivate func agreement(_ row: Expected.Crossed) {
    let found = MeanDifference(
      row.values, minus: row.reference, weights: row.weights,
      sampling: QuestionSampling(
        count: row.weights.count, clusters: row.clusters, strata: row.strata))
    #expect(found.basis == .seedsAndQuestions)
    #expect(found.count == row.values.count * row.weights.count)
    #expect(agree(found.value, row.value))
    #expect(agree(found.standardError, row.standardError))
    #expect(agree(found.degrees, row.degrees))
    #expect(agree(found.interval().low, row.interval[0]))
    #expect(agree(found.interval().high, row.interval[1]))
    #expect(agree(found.pValue, row.p))
    #expect(agree(found.equivalenceMargin(), row.margin))
  }

  @Test("over seeds alone agree with SciPy's paired t test and statsmodels' TOST")
  func seedsAlone() throws {
    for row in try Expected.read().seeds {
      let found = MeanDifference(ofSeeds: row.values, minus: row.reference)
      #expect(found.basis == .seeds && found.count == row.values.count)
      #expect(agree(found.interval().low, row.interval[0]))
      #expect(agree(found.interval().high, row.interval[1]))
      #expect(agree(found.pValue, row.p))
      #expect(agree(found.equivalenceMargin(), row.margin))
    }
  }

  @Test("without an interaction the variance is that of seeds plus that of questions")
  func additive() {
    // a = (0, 1, 2) and b = (0, 3, 6): A = 1 / 3 with 2 degrees, B = 9 / 3 with 2, C = 0.
    let found = difference([[0, 3, 6], [1, 4, 7], [2, 5, 8]])
    #expect(agree(found.value, 4))
    #expect(agree(found.standardError, (10.0 / 3).squareRoot()))
    #expect(agree(found.degrees, (100.0 / 9) / ((1.0 / 9) / 2 + 9.0 / 2)))
  }

  @Test("two seeds and two questions by hand")
  func smallest() {
    // All three mean squares are 1/4, V = 1/16; Satterthwaite gives 1/3, below the fewest, 1. T₁ is Cauchy's.
    let found = difference([[1, 0], [0, 0]])
    #expect(agree(found.value, 0.25) && agree(found.standardError, 0.25))
    #expect(found.degrees == 1)
    #expect(agree(found.pValue, 0.5))
    #expect(agree(found.interval().high, 0.25 + 0.25 * tan(.pi * 0.475)))
    #expect(agree(found.equivalenceMargin(), 0.25 + 0.25 * tan(.pi * 0.45)))
  }

  @Test("an interaction alone is counted once, and its variance is that of the mean of all cells")
  func interactionAlone() {
    // Rows and columns have mean 0, so that A = B = 0 < C = 16 / (3 · 3) / 16.
    let found = difference([[1, -1, 1, -1], [-1, 1, -1, 1], [1, -1, 1, -1], [-1, 1, -1, 1]])
    #expect(found.value == 0 && agree(found.standardError, 1.0 / 3))
    #expect(agree(found.degrees, 9))
  }

  @Test("a cluster is a question that has the sums of its values and weights")
  func clusters() {
    let table: [[Double]] = [[1, 0, 1, 1, 0, 1], [0, 0, 1, 0, 0, 1], [1, 1, 1, 0, 0, 1]]
    let found = difference(
      table, sampling: QuestionSampling(count: 6, clusters: ["a", "b", "a", "c", "c", "c"]))
    let sums = difference(
      table.map { [$0[0] + $0[2], $0[1], $0[3] + $0[4] + $0[5]] }, weights: [2, 1, 3])
    #expect(agree(found.value, sums.value) && agree(found.standardError, sums.standardError))
    #expect(agree(found.degrees, sums.degrees))
  }

  @Test("what differs between fixed tasks is no part of the variance")
  func strata() {
    var generator = SeededGenerator(seed: 1)
    let table = (0..<3).map { _ in (0..<12).map { _ in generator.normal() } }
    let tasks = (0..<12).map { $0 < 5 ? "a" : "b" }
    let moved = table.map { seed in zip(seed, tasks).map { $1 == "a" ? $0 : $0 + 100 } }
    let sampling = QuestionSampling(count: 12, strata: tasks)
    #expect(
      agree(
        difference(moved, sampling: sampling).standardError,
        difference(table, sampling: sampling).standardError))
    #expect(difference(moved).standardError > 10)
  }

  @Test("tasks of one question are joined, one alone with the smallest other task")
  func singleQuestions() {
    let table: [[Double]] = [
      [1, 0, 1, 1, 0, 0, 1], [0, 0, 1, 0, 1, 0, 1], [1, 1, 1, 0, 0, 0, 0],
    ]
    func found(_ strata: [String]) -> MeanDifference {
      difference(table, sampling: QuestionSampling(count: 7, strata: strata))
    }
    #expect(
      found(["a", "a", "a", "b", "c", "d", "e"]) == found(["a", "a", "a", "b", "b", "b", "b"]))
    #expect(
      found(["a", "a", "a", "b", "c", "c", "c"]) == found(["a", "a", "a", "a", "c", "c", "c"]))
    #expect(
      found(["a", "a", "a", "a", "b", "c", "c"]) == found(["a", "a", "a", "a", "c", "c", "c"]))
  }

  @Test("fewer than ten tasks are strata, ten or more are clusters")
  func tasks() {
    let few = (0..<18).map { "task \($0 / 2)" }
    #expect(QuestionSampling(tasks: few) == QuestionSampling(count: 18, strata: few))
    let many = few + ["task 9", "task 9"]
    #expect(QuestionSampling(tasks: many) == QuestionSampling(count: 20, clusters: many))
  }

  @Test("exchanging the arms changes the sign, scaling the values the scale, and nothing else")
  func invariance() {
    let a: [[Double]] = [[1, 0, 1, 1], [0, 0, 1, 0], [1, 1, 1, 0]]
    let b: [[Double]] = [[0, 0, 1, 1], [1, 0, 0, 0], [0, 1, 0, 0]]
    let (forward, backward) = (MeanDifference(a, minus: b), MeanDifference(b, minus: a))
    #expect(forward.value == -backward.value && forward.pValue == backward.pValue)
    #expect(forward.equivalenceMargin() == backward.equivalenceMargin())
    let scaled = MeanDifference(
      a.map { $0.map { 8 * $0 } }, minus: b.map { $0.map { 8 * $0 } }, weights: [4, 4, 4, 4])
    #expect(agree(scaled.standardError, 2 * forward.standardError))
    #expect(agree(scaled.degrees, forward.degrees) && agree(scaled.pValue, forward.pValue))
  }

  @Test("one seed: the interval is that of the questions")
  func oneSeed() {
    let table: [Double] = [1, 0, 0, -1, 1, 1, 0, 1]
    let found = difference([table])
    let mean = Estimate.mean(of: table)
    #expect(found.basis == .questions && found.count == 8 && agree(found.degrees, 7))
    #expect(agree(found.interval().low, mean.low) && agree(found.interval().high, mean.high))
  }

  @Test("one question, or one cluster of all: the interval is that of the seeds")
  func oneQuestion() {
    let figures = [0.5, 0.25, 0.75]
    let seeds = MeanDifference(ofSeeds: figures, minus: [0, 0, 0])
    for found in [
      difference(figures.map { [$0] }),
      difference(
        figures.map { [2 * $0, 0] }, sampling: QuestionSampling(count: 2, clusters: ["a", "a"])),
    ] {
      #expect(found.basis == .seeds && found.count == 3 && found.degrees == 2)
      #expect(agree(found.standardError, seeds.standardError))
    }
  }

  @Test(
    "where nothing tells the spread the interval is infinite, p is 1 and no margin is concluded",
    arguments: [
      difference([[1]]), difference([]), difference([[], []]),
      difference([[1, 0], [0, 1]], weights: [0, 0]),
      MeanDifference(ofSeeds: [0.5], minus: [0.25]), MeanDifference(ofSeeds: [], minus: []),
    ])
  func unknownSpread(_ found: MeanDifference) {
    #expect(found.standardError == .infinity && found.degrees == 0 && found.pValue == 1)
    #expect(found.equivalenceMargin() == .infinity && found.smallestDetectable() == .infinity)
    #expect(found.value.isNaN || found.interval().low == -.infinity)
  }

  @Test(
    "equal differences have an interval of no width, p is 1 and no margin is concluded",
    arguments: [
      difference([[1, 1, 1], [1, 1, 1]]), difference([[0, 0], [0, 0]]), difference([[0, 0]]),
      // Equal but for rounding.
      MeanDifference(ofSeeds: [0.3, 0.8, 0.9], minus: [0.1, 0.6, 0.7]),
      MeanDifference(
        [[0.3, 0.8], [0.9, 0.4]], minus: [[0.1, 0.6], [0.7, 0.2]], weights: [1, 1]),
    ])
  func noSpread(_ found: MeanDifference) {
    #expect(found.standardError == 0 && found.degrees == 0 && found.pValue == 1)
    #expect(found.interval().low == found.value && found.interval().high == found.value)
    #expect(found.equivalenceMargin() == .infinity && found.smallestDetectable() == 0)
  }

  @Test("the smallest detectable difference of seeds is that of the paired t test")
  func detectable() {
    let found = MeanDifference(ofSeeds: [0.5, 0.75, 0.25, 0.5], minus: [0, 0, 0, 0])
    let expected = smallestDetectableDifference(
      standardError: [0.5, 0.75, 0.25, 0.5].standardDeviation / 2, degrees: 3, significance: 0.05,
      power: 0.8)
    #expect(agree(found.smallestDetectable(), expected))
  }

  // The standard error of a coverage of 0.95 over 2,000 tables is 0.005; `make coverage` measures more cases.
  @Test(
    "the 95 % interval of three seeds covers the true difference in 93 to 99 % of tables",
    arguments: [0.0, 0.1, 0.5, 2], [false, true])
  func coverage(seedEffect: Double, areStrata: Bool) {
    var generator = SeededGenerator(seed: 5)
    let tasks = (0..<24).map { $0 < 8 ? "a" : "b" }
    let sampling = areStrata ? QuestionSampling(tasks: tasks) : nil
    var covered = 0
    for _ in 0..<2000 {
      let questions = (0..<24).map { _ in 0.5 * generator.normal() }
      let table = (0..<3).map { _ in
        let seed = seedEffect * generator.normal()
        return questions.map { 1 + seed + $0 + generator.normal() }
      }
      let interval = difference(table, sampling: sampling).interval()
      if interval.low <= 1, 1 <= interval.high { covered += 1 }
    }
    #expect((0.93...0.99).contains(Double(covered) / 2000), "\(covered) of 2000")
  }
}
