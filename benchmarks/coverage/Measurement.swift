import Randomness
import Statistics

/// How often a method's intervals cover the true difference, how wide they are and how often its p is below 0.05.
struct Measurement {
  enum Method: String, CaseIterable {
    case crossed = "t over seeds and questions"
    case bootstrap = "two-way percentile bootstrap"
    case seeds = "t over seeds"
  }

  private(set) var replicates = 0
  private var covered = 0
  private var rejected = 0
  private var width = 0.0

  var coverage: Double { Double(covered) / Double(replicates) }
  var rejections: Double { Double(rejected) / Double(replicates) }
  var meanWidth: Double { width / Double(replicates) }

  mutating func add(_ interval: (low: Double, high: Double), p: Double, truth: Double) {
    replicates += 1
    if interval.low <= truth, truth <= interval.high { covered += 1 }
    if p < 0.05 { rejected += 1 }
    width += interval.high - interval.low
  }

  /// Simulates `design` and measures every method on the same answers.
  static func of(_ design: Design, replicates: Int, resamples: Int, seed: UInt64)
    -> [Method: Measurement]
  {
    var generator = SeededGenerator(seed: seed, stream: design.label)
    var found = Dictionary(
      uniqueKeysWithValues: Method.allCases.map { ($0, Measurement()) })
    let (truth, sampling) = (design.truth, design.sampling)
    let weights = Array(repeating: 1.0, count: design.questions)
    // Tables of one batch meet the same draws, so that their figures are one matrix product.
    for start in stride(from: 0, to: replicates, by: 50) {
      let tables = (start..<min(start + 50, replicates)).map { _ in
        design.answers(using: &generator)
      }
      let bootstrap = TwoWayBootstrap(sampling, resamples: resamples, using: &generator)
      let figures = bootstrap.figures(tables.flatMap { $0[0] + $0[1] }, weights: weights)
      for (index, arms) in tables.enumerated() {
        let crossed = MeanDifference(arms[0], minus: arms[1], sampling: sampling)
        let first = 2 * index * design.seeds
        let resampled = bootstrap.difference(
          Array(figures[first..<first + design.seeds]),
          minus: Array(figures[first + design.seeds..<first + 2 * design.seeds]),
          estimate: crossed.value)
        let seeds = MeanDifference(ofSeeds: arms[0].map(\.mean), minus: arms[1].map(\.mean))
        for (method, difference) in [(Method.crossed, crossed), (.seeds, seeds)] {
          let interval = difference.interval()
          found[method]?.add(
            (interval.low, interval.high), p: difference.pValue, truth: truth)
        }
        found[.bootstrap]?.add(
          resampled.percentileInterval(), p: resampled.twoSidedPValue, truth: truth)
      }
    }
    return found
  }
}
