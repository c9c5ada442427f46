import Foundation
import Randomness
import Statistics
import Testing

/// SciPy's and statsmodels' numbers, made by `Tests/Fixtures/evaluation/make.py`.
private struct Expected: Decodable {
  struct Quantile: Decodable { let p, x: Double, degrees: Double? }
  struct Wilson: Decodable { let successes, count: Int, level: Double, interval: [Double] }
  struct Mean: Decodable { let sample: [Double], level, value: Double, interval: [Double] }
  struct Paired: Decodable { let sample, reference: [Double], value: Double, interval: [Double] }
  struct McNemar: Decodable { let onlyFirst, onlySecond: Int, p: Double }
  struct Adjustment: Decodable { let p, adjusted: [Double] }
  struct Detectable: Decodable {
    let pairs: Int
    let significance, power, standardDeviation, difference: Double
  }
  struct Resampling: Decodable {
    let sample: [Double]
    let level, estimate: Double
    let resampled, jackknife, percentile, bca: [Double]
  }
  struct Consistency: Decodable { let answers: [[Int]], value: Double }
  struct Tally: Decodable {
    let values, reference: [Double]
    let wins, losses: Int
    let p: Double
  }
  struct MeanShare: Decodable { let share: Double, count: Int, interval: [Double] }
  struct PairedP: Decodable { let differences: [Double], p: Double }

  let normalQuantile, tQuantile: [Quantile]
  let wilson: [Wilson]
  let mean: [Mean]
  let paired: [Paired]
  let mcnemar: [McNemar]
  let benjaminiHochberg: [Adjustment]
  let smallestDetectable: [Detectable]
  let bootstrap: [Resampling]
  let consistency: [Consistency]
  let tallies: [Tally]
  let meanShare: [MeanShare]
  let pairedP: [PairedP]

  init() throws {
    let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
    let file = folder.appendingPathComponent("../Fixtures/evaluation/statistics.json")
    let decoder = JSONDecoder()
    decoder.keyDecodingStrategy = .convertFromSnakeCase
    self = try decoder.decode(Expected.self, from: Data(contentsOf: file))
  }
}

/// Whether two numbers agree to 1e-9, of the larger where that is above 1; infinities only with themselves.
private func agree(_ a: Double, _ b: Double) -> Bool {
  a == b || abs(a - b) <= 1e-9 * max(1, abs(a), abs(b))
}

@Suite("Statistics against SciPy and statsmodels")
struct AgreementTests {
  private let expected: Expected

  init() throws { expected = try Expected() }

  @Test("quantiles of the normal and of Student's t")
  func quantiles() {
    for row in expected.normalQuantile {
      #expect(agree(StandardNormal.quantile(row.p), row.x), "p \(row.p)")
    }
    for row in expected.tQuantile {
      let t = StudentT.quantile(row.p, degrees: row.degrees ?? .nan)
      #expect(agree(t, row.x), "p \(row.p), degrees \(row.degrees ?? .nan)")
    }
  }

  @Test("Wilson's interval of a share")
  func wilson() {
    for row in expected.wilson {
      let share = Estimate.share(row.successes, of: row.count, level: row.level)
      #expect(agree(share.low, row.interval[0]) && agree(share.high, row.interval[1]), "\(row)")
    }
  }

  @Test("Wilson's interval of a mean share, whose successes are no whole number")
  func meanShare() {
    for row in expected.meanShare {
      let share = Estimate.meanShare(row.share, of: row.count)
      #expect(share.value == row.share && share.count == row.count)
      #expect(agree(share.low, row.interval[0]) && agree(share.high, row.interval[1]), "\(row)")
    }
  }

  @Test("t intervals of a mean and of a paired difference")
  func means() {
    for row in expected.mean {
      let mean = Estimate.mean(of: row.sample, level: row.level)
      #expect(agree(mean.value, row.value))
      #expect(agree(mean.low, row.interval[0]) && agree(mean.high, row.interval[1]))
    }
    for row in expected.paired {
      let difference = MeanDifference(ofSeeds: row.sample, minus: row.reference).interval()
      #expect(agree(difference.value, row.value) && difference.count == row.sample.count)
      #expect(agree(difference.low, row.interval[0]) && agree(difference.high, row.interval[1]))
    }
  }

  @Test("McNemar's exact test")
  func mcNemar() {
    for row in expected.mcnemar {
      let p = mcNemarExactPValue(onlyFirst: row.onlyFirst, onlySecond: row.onlySecond)
      #expect(agree(p, row.p), "\(row)")
    }
  }

  @Test("the exact test over the questions of one seed")
  func tallies() {
    for row in expected.tallies {
      let tally = QuestionTally(row.values, against: row.reference)
      #expect(tally.wins == row.wins && tally.losses == row.losses)
      #expect(agree(tally.pValue, row.p), "\(row.p), found \(tally.pValue)")
    }
  }

  @Test("the paired t test's p")
  func pairedT() {
    for row in expected.pairedP {
      let difference = MeanDifference(
        ofSeeds: row.differences, minus: row.differences.map { _ in 0 })
      #expect(agree(difference.pValue, row.p), "\(row)")
    }
  }

  @Test("Benjamini and Hochberg's adjusted p-values")
  func adjusted() {
    for row in expected.benjaminiHochberg {
      let adjusted = benjaminiHochberg(row.p)
      #expect(adjusted.count == row.p.count)
      #expect(zip(adjusted, row.adjusted).allSatisfy(agree), "\(row)")
    }
  }

  @Test("the smallest difference a paired design detects")
  func detectable() {
    for row in expected.smallestDetectable {
      let pairs = Double(row.pairs)
      let difference = smallestDetectableDifference(
        standardError: row.standardDeviation / pairs.squareRoot(), degrees: pairs - 1,
        significance: row.significance, power: row.power)
      #expect(agree(difference, row.difference), "\(row), found \(difference)")
    }
  }

  @Test("percentile and BCa intervals of a given bootstrap distribution")
  func bootstrapIntervals() {
    for row in expected.bootstrap {
      let bootstrap = Bootstrap(
        estimate: row.estimate, resampled: row.resampled, jackknife: row.jackknife)
      let percentile = bootstrap.percentileInterval(level: row.level)
      #expect(agree(percentile.low, row.percentile[0]) && agree(percentile.high, row.percentile[1]))
      let bca = bootstrap.bcaInterval(level: row.level)
      #expect(agree(bca.low, row.bca[0]) && agree(bca.high, row.bca[1]))
    }
  }

  @Test("the jackknife of a mean")
  func jackknife() {
    for row in expected.bootstrap where row.level == 0.95 {
      var generator = SeededGenerator(seed: 1)
      let bootstrap = Bootstrap(count: row.sample.count, resamples: 1, using: &generator) {
        indices in indices.reduce(0) { $0 + row.sample[$1] } / Double(indices.count)
      }
      #expect(agree(bootstrap.estimate, row.estimate))
      #expect(zip(bootstrap.jackknife, row.jackknife).allSatisfy(agree))
    }
  }

  @Test("agreement between seeds, as Fleiss observes it")
  func consistency() {
    for row in expected.consistency {
      #expect(agree(Estimate.consistency(row.answers).value, row.value))
    }
  }
}

@Suite("Statistics where data are few or uniform")
struct EdgeCaseTests {
  @Test("a share of nothing could be anything; none and all reach the end of the range")
  func shares() {
    let nothing = Estimate.share(0, of: 0)
    #expect(nothing.value.isNaN && nothing.low == 0 && nothing.high == 1)
    let none = Estimate.share(0, of: 20)
    #expect(none.low == 0 && none.high > 0.1)
    let all = Estimate.share(20, of: 20)
    #expect(all.high == 1 && all.low < 0.9)
  }

  @Test("a mean of one value has an infinite interval, of equal values one of no width")
  func means() {
    let one = Estimate.mean(of: [3])
    #expect(one.value == 3 && one.low == -.infinity && one.high == .infinity)
    let equal = Estimate.mean(of: [2, 2, 2])
    #expect(equal.low == 2 && equal.high == 2)
    #expect(Estimate.mean(of: []).value.isNaN)
  }

  @Test("the BCa interval falls back on percentiles where it has no value")
  func degenerateBootstrap() {
    var generator = SeededGenerator(seed: 3)
    let equal = Bootstrap(count: 5, resamples: 50, using: &generator) { _ in 4 }
    #expect(equal.bcaInterval() == (4, 4))
    let nothing = Bootstrap(count: 0, using: &generator) { _ in .nan }
    #expect(nothing.percentileInterval() == (-.infinity, .infinity))
    #expect(nothing.bcaInterval() == (-.infinity, .infinity))
  }

  @Test("the bootstrap's p is 1 where all is equal and 2 / (B + 1) where all are on one side")
  func bootstrapP() {
    func p(_ values: [Double]) -> Double {
      Bootstrap(estimate: 0, resampled: values, jackknife: []).twoSidedPValue
    }
    #expect(p([0, 0, 0]) == 1 && p([]) == 1)
    #expect(p([1, 2, 3]) == 0.5 && p([-1, -2, -3]) == 0.5)
    #expect(agree(p([-1] + Array(repeating: 1, count: 98)), 2 * 2 / 100.0))
  }

  @Test("macro accuracy gives each task the same weight")
  func macroAccuracy() {
    let large = Array(repeating: true, count: 90) + Array(repeating: false, count: 10)
    let small = [false, false, true, false]
    let macro = Estimate.macroAccuracy([large, small, []])
    #expect(agree(macro.value, (0.9 + 0.25) / 2) && macro.count == 104)
    let largeShare = Estimate.share(90, of: 100)
    let smallShare = Estimate.share(1, of: 4)
    let below =
      (pow(0.9 - largeShare.low, 2) + pow(0.25 - smallShare.low, 2)).squareRoot() / 2
    #expect(agree(macro.low, macro.value - below))
    let single = Estimate.macroAccuracy([large])
    #expect(agree(single.low, largeShare.low) && agree(single.high, largeShare.high))
    #expect(Estimate.macroAccuracy([]).value.isNaN)
  }

  @Test("consistency is 1 where all seeds agree and unknown with one seed")
  func consistency() {
    #expect(Estimate.consistency([["a", "b"], ["a", "b"], ["a", "b"]]).value == 1)
    #expect(Estimate.consistency([["a", "b"], ["b", "a"]]).value == 0)
    #expect(Estimate.consistency([["a"]]).value.isNaN)
    #expect(Estimate.consistency([[Int]]()).value.isNaN)
  }
}

@Suite("Bootstrap")
struct BootstrapTests {
  /// Draws from the standard normal by sums of twelve uniforms.
  private static func draws(_ count: Int, _ generator: inout SeededGenerator) -> [Double] {
    (0..<count).map { _ in (0..<12).reduce(-6) { sum, _ in sum + generator.uniform() } }
  }

  @Test("the same seed gives the same interval, another seed another")
  func seeded() {
    func interval(_ seed: UInt64) -> Double {
      var generator = SeededGenerator(seed: seed)
      let values = [3.0, 1, 4, 1, 5, 9, 2, 6]
      return Bootstrap(count: 8, resamples: 100, using: &generator) { indices in
        indices.map { values[$0] }.mean
      }.percentileInterval().low
    }
    #expect(interval(1) == interval(1))
    #expect(interval(1) != interval(2))
  }

  @Test("for a mean it agrees with the normal interval")
  func normalMean() {
    var generator = SeededGenerator(seed: 4)
    let values = Self.draws(400, &generator)
    let bootstrap = Bootstrap(count: 400, resamples: 4000, using: &generator) { indices in
      indices.map { values[$0] }.mean
    }
    let half = 1.96 * values.standardDeviation / 20
    for interval in [bootstrap.percentileInterval(), bootstrap.bcaInterval()] {
      #expect(abs(interval.low - (values.mean - half)) < 0.1 * half)
      #expect(abs(interval.high - (values.mean + half)) < 0.1 * half)
    }
  }

  @Test("clusters of equal values make the interval as wide as their number allows")
  func clusters() {
    var generator = SeededGenerator(seed: 5)
    let levels = Self.draws(40, &generator)
    let values = levels.flatMap { Array(repeating: $0, count: 25) }
    let clusters = (0..<40).map { Array(($0 * 25)..<($0 * 25 + 25)) }
    let clustered = Bootstrap(clusters: clusters, resamples: 1000, using: &generator) { indices in
      indices.map { values[$0] }.mean
    }.percentileInterval()
    let alone = Bootstrap(count: 1000, resamples: 1000, using: &generator) { indices in
      indices.map { values[$0] }.mean
    }.percentileInterval()
    let ratio = (clustered.high - clustered.low) / (alone.high - alone.low)
    #expect((4.0...6).contains(ratio), "√25 expected, found \(ratio)")
  }

  /// The mean difference of two arms with the percentile interval of a two-way bootstrap.
  private static func difference(
    _ values: [[Double]], minus reference: [[Double]], clusters: [String]? = nil,
    resamples: Int = 2000, using generator: inout SeededGenerator
  ) -> Estimate {
    let questions = values[0].count
    let bootstrap = TwoWayBootstrap(
      QuestionSampling(count: questions, clusters: clusters), resamples: resamples,
      using: &generator)
    let figures = bootstrap.figures(
      values + reference, weights: Array(repeating: 1, count: questions))
    let value = values.joined().mean - reference.joined().mean
    let interval = bootstrap.difference(
      Array(figures.prefix(values.count)), minus: Array(figures.suffix(values.count)),
      estimate: value
    ).percentileInterval()
    return Estimate(
      value: value, low: interval.low, high: interval.high, count: values.count * questions)
  }

  @Test("two ways: the width is that of seeds and questions together")
  func twoWays() {
    var generator = SeededGenerator(seed: 6)
    // d_sq = seed effect + question effect, so that the variance of the mean is σs²/S + σq²/Q.
    let seeds = Self.draws(30, &generator)
    let questions = Self.draws(60, &generator).map { 2 * $0 }
    let values = seeds.map { seed in questions.map { seed + $0 } }
    let reference = seeds.map { _ in questions.map { _ in 0.0 } }
    let difference = Self.difference(
      values, minus: reference, resamples: 4000, using: &generator)
    #expect(agree(difference.value, seeds.mean + questions.mean))
    #expect(difference.count == 1800)
    let sd = { (values: [Double]) in values.standardDeviation }
    let half = 1.96 * (pow(sd(seeds), 2) / 30 + pow(sd(questions), 2) / 60).squareRoot()
    #expect(abs((difference.high - difference.low) / (2 * half) - 1) < 0.08)
  }

  @Test("two ways: questions of one cluster come together; one seed is drawn as itself")
  func twoWaysOfClusters() {
    var generator = SeededGenerator(seed: 7)
    let difference = Self.difference(
      [[1, 1, 0, 0]], minus: [[0, 0, 0, 0]], clusters: ["a", "a", "b", "b"], using: &generator)
    #expect(difference.value == 0.5 && difference.low == 0 && difference.high == 1)
    let same = Self.difference(
      [[1, 0], [0, 1]], minus: [[1, 0], [0, 1]], using: &generator)
    #expect(same.value == 0 && same.low == 0 && same.high == 0)
  }

  /// The half width of the percentile interval of one seed's figure Σ v / Σ w against 0.
  private static func halfWidth(
    _ values: [Double], _ weights: [Double], _ sampling: QuestionSampling
  ) -> Double {
    var generator = SeededGenerator(seed: 8)
    let bootstrap = TwoWayBootstrap(sampling, resamples: 10_000, using: &generator)
    let figures = bootstrap.figures([values, values.map { _ in 0 }], weights: weights)
    let interval = bootstrap.difference([figures[0]], minus: [figures[1]], estimate: 0)
      .percentileInterval()
    return (interval.high - interval.low) / 2
  }

  // A 2.5 % quantile of 10,000 draws has a standard error of √(0.025 · 0.975 / 10000) / φ(1.96) = 0.027 standard
  // deviations, a half width of two such ends 1 % of 1.96; four times that is 4 %, and 400 questions leave the normal
  // approximation well below.
  private static let tolerance = 0.04

  @Test("questions that weigh more or less: the width is the ratio estimator's")
  func weighted() {
    var generator = SeededGenerator(seed: 9)
    let weights = (0..<400).map { _ in Double(1 + generator.index(below: 9)) }
    let values = zip(weights, Self.draws(400, &generator)).map { $0 * (2 + $1) }
    let ratio = values.reduce(0, +) / weights.reduce(0, +)
    let squares = zip(values, weights).reduce(0) { $0 + pow($1.0 - ratio * $1.1, 2) }
    let expected = 1.96 * squares.squareRoot() / weights.reduce(0, +)
    let half = Self.halfWidth(values, weights, QuestionSampling(count: 400))
    #expect(abs(half / expected - 1) < Self.tolerance, "\(expected), found \(half)")
  }

  @Test("fixed tasks: what differs between them is no part of the width, micro or macro")
  func strata() {
    var generator = SeededGenerator(seed: 10)
    let sizes = [280, 120]
    let tasks = sizes.enumerated().map { task, size in
      Self.draws(size, &generator).map { Double(10 * task) + Double(1 + task) * $0 }
    }
    let labels = ["a", "b"].enumerated().flatMap { Array(repeating: $1, count: sizes[$0]) }
    let sampling = QuestionSampling(count: 400, strata: labels)
    func variance(_ values: [Double]) -> Double {
      values.reduce(0) { $0 + pow($1 - values.mean, 2) } / Double(values.count)
    }
    let shares = sizes.map { Double($0) / 400 }
    for (taskShares, weights) in [
      (shares, Array(repeating: 1.0, count: 400)),
      ([0.5, 0.5], sizes.flatMap { Array(repeating: 1 / Double($0), count: $0) }),
    ] {
      let square = tasks.indices.reduce(0) {
        $0 + pow(taskShares[$1], 2) * variance(tasks[$1]) / Double(sizes[$1])
      }
      let values = zip(tasks.flatMap { $0 }, weights).map { $0 * $1 }
      let half = Self.halfWidth(values, weights, sampling)
      let expected = 1.96 * square.squareRoot()
      #expect(abs(half / expected - 1) < Self.tolerance, "\(expected), found \(half)")
    }
  }

  @Test("passages within fixed tasks: each task draws its own passages, whole")
  func clustersWithinStrata() {
    // Two tasks of two passages; within a task one passage is all right, the other all wrong.
    let sampling = QuestionSampling(
      count: 8, clusters: ["p", "p", "q", "q", "r", "r", "s", "s"],
      strata: ["a", "a", "a", "a", "b", "b", "b", "b"])
    var generator = SeededGenerator(seed: 11)
    let bootstrap = TwoWayBootstrap(sampling, resamples: 500, using: &generator)
    let found = bootstrap.figures(
      [[1, 1, 0, 0, 0, 0, 0, 0], [1, 0, 1, 0, 1, 0, 1, 0]],
      weights: Array(repeating: 1, count: 8))
    // Of task a's two draws none, one or two are the right passage.
    #expect(Set(found[0]) == [0, 0.25, 0.5])
    // Half of every passage is right, whichever is drawn.
    #expect(Set(found[1]) == [0.5])
  }

  @Test("all arms meet the same draws, whatever is asked for first")
  func sharedDraws() {
    var generator = SeededGenerator(seed: 12)
    let bootstrap = TwoWayBootstrap(
      QuestionSampling(count: 3), resamples: 300, using: &generator)
    let together = bootstrap.figures([[1, 0, 0], [0, 1, 0]], weights: [1, 1, 1])
    #expect(bootstrap.figures([[0, 1, 0]], weights: [1, 1, 1])[0] == together[1])
    // A question that no weight is drawn of gives no figure.
    let rare = bootstrap.figures([[1, 0, 0]], weights: [1, 0, 0])[0]
    #expect(rare.contains { $0.isNaN } && rare.allSatisfy { $0.isNaN || $0 == 1 })
  }
}
