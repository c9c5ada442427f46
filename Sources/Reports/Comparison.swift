import Experiments
import Files
import Randomness
import Statistics

/// The figures in which arms are compared, with how reports show them.
package enum ComparedMetric: CaseIterable, Sendable {
  case accuracy, macroAccuracy, stepAccuracy, pairwiseAccuracy, keyTokenNLL

  package var name: MetricName {
    switch self {
    case .accuracy: .accuracy
    case .macroAccuracy: .accuracy.macro
    case .stepAccuracy: .stepAccuracy
    case .pairwiseAccuracy: .pairwiseAccuracy
    case .keyTokenNLL: .keyTokenNLL
    }
  }

  package var unit: MetricUnit { self == .keyTokenNLL ? .nats : .fraction }

  /// For readers: `key_token_nll` is `−log p of key tokens`.
  var title: String {
    switch self {
    case .accuracy: "accuracy"
    case .macroAccuracy: "macro accuracy"
    case .stepAccuracy: "step accuracy"
    case .pairwiseAccuracy: "pairwise accuracy"
    case .keyTokenNLL: "−log p of key tokens"
    }
  }

  var isHigherBetter: Bool { self != .keyTokenNLL }

  /// Whether items are 1 or 0.
  var isOutcome: Bool { self == .accuracy || self == .pairwiseAccuracy }
}

/// One point against the reference in one figure on one test.
package struct Comparison: Sendable {
  /// The index of the point, and of the one that it is compared with.
  package let point: Int
  package let reference: Int
  package let split: String
  package let metric: ComparedMetric
  /// The number of seeds that both have.
  package let seeds: Int
  /// Or pairs.
  package let questions: Int
  /// The mean over seeds, with its standard error: the reported interval and p.
  package let difference: MeanDifference
  /// nil if the questions are not known.
  package let drawing: ResultPoints.Drawing?
  /// The percentile interval of a two-way bootstrap, a check; nil if the questions are not known.
  package let bootstrap: Estimate?
  /// The paired t interval over seeds, for these questions.
  package let overSeeds: Estimate
  /// Of `difference.pValue`, by Benjamini and Hochberg over the comparisons of one figure on one test.
  package fileprivate(set) var q = Double.nan
  /// With one seed; nil with several, or if the items are not outcomes.
  package let tally: QuestionTally?
  package fileprivate(set) var exactQ: Double?

  package var p: Double { difference.pValue }
  package var isFinding: Bool { q <= 0.05 }

  /// A finding with its direction: whether the point is better than the reference.
  package var verdict: ForestPlot.Verdict {
    guard isFinding else { return .unresolved }
    return (difference.value > 0) == metric.isHigherBetter ? .better : .worse
  }

  /// Whether the seeds alone, which took the questions as given, leave a finding open.
  var seedsLeaveItOpen: Bool {
    isFinding && seeds > 1 && difference.basis != .seeds && overSeeds.low <= 0
      && overSeeds.high >= 0
  }
}

/// The comparisons of one metric on one test, over which q is computed.
package struct ComparisonGroup: Sendable {
  package let split: String
  package let metric: ComparedMetric
  package let comparisons: [Comparison]
  /// Whether no point is above the majority baseline, so that accuracy does not separate them.
  package let isAtBaseline: Bool

  package var findings: [Comparison] { comparisons.filter(\.isFinding) }
}

/// All points of an experiment's CSV against the reference on every test.
package struct Comparisons: Sendable {
  package let results: ResultPoints
  package let resamples: Int
  package let seed: UInt64
  package let comparisons: [Comparison]

  /// Throws a `FileError` if runs were not scored on the same questions. Precondition: a run's arm is called
  /// `reference`.
  package init(_ file: ResultFile, reference name: String, resamples: Int, seed: UInt64) throws {
    let results = ResultPoints(file, reference: name)
    self.results = results
    self.resamples = resamples
    self.seed = seed
    let pairs = results.points.indices.flatMap { point in
      results.references(of: point).map { (point: point, reference: $0) }
    }
    comparisons = try results.tests.flatMap { split in
      try ComparedMetric.allCases.flatMap { metric in
        try Self.compare(results, pairs, in: metric, on: split, resamples, seed)
      }
    }
  }

  /// The comparisons of each metric on each test.
  package var groups: [ComparisonGroup] {
    results.tests.flatMap { split in
      ComparedMetric.allCases.compactMap { metric in
        let group = comparisons.filter { $0.split == split && $0.metric == metric }
        return group.isEmpty
          ? nil
          : ComparisonGroup(
            split: split, metric: metric, comparisons: group,
            isAtBaseline: metric == .accuracy
              && results.points.allSatisfy { $0.isAtBaseline(split) })
      }
    }
  }

  /// Whether points are compared with several of the reference arm's.
  package var areMatched: Bool { Set(comparisons.map(\.reference)).count > 1 }

  private static func compare(
    _ results: ResultPoints, _ pairs: [(point: Int, reference: Int)], in metric: ComparedMetric,
    on split: String, _ resamples: Int, _ seed: UInt64
  ) throws -> [Comparison] {
    guard let outcomes = try results.outcomes(MetricKey(split, metric.name)) else { return [] }
    var generator = SeededGenerator(seed: seed, stream: "bootstrap \(split)")
    let bootstrap = TwoWayBootstrap(
      outcomes.sampling ?? QuestionSampling(count: 0), resamples: resamples, using: &generator)
    // The figures of each point's seeds on all resamples, made at once.
    let rows = results.points.indices.flatMap { point in
      results.points[point].seeds.compactMap { seed in
        (outcomes.figures[point][seed]?.items?.values).map {
          (point: point, seed: seed, values: $0)
        }
      }
    }
    var resampled = results.points.map { _ in [Int: [Double]]() }
    let figures = bootstrap.figures(rows.map(\.values), weights: outcomes.weights ?? [])
    for (row, figures) in zip(rows, figures) { resampled[row.point][row.seed] = figures }

    var comparisons: [Comparison] = []
    for (point, reference) in pairs {
      guard let (difference, seeds) = outcomes.difference(point, minus: reference) else { continue }
      func picked<Value>(_ values: [[Int: Value]], _ point: Int) -> [Value] {
        seeds.compactMap { values[point][$0] }
      }
      let values = [point, reference].map { picked(outcomes.figures, $0) }
      let hasQuestions = difference.basis != .seeds && outcomes.sampling != nil
      var check: Estimate?
      if hasQuestions {
        let interval = bootstrap.difference(
          picked(resampled, point), minus: picked(resampled, reference), estimate: difference.value
        ).percentileInterval()
        check = Estimate(
          value: difference.value, low: interval.low, high: interval.high, count: difference.count)
      }
      var tally: QuestionTally?
      if hasQuestions, metric.isOutcome, seeds.count == 1,
        let ours = values[0].first?.items?.values, let theirs = values[1].first?.items?.values
      {
        tally = QuestionTally(ours, against: theirs)
      }
      comparisons.append(
        Comparison(
          point: point, reference: reference, split: split, metric: metric, seeds: seeds.count,
          questions: outcomes.count, difference: difference,
          drawing: hasQuestions ? outcomes.drawing : nil, bootstrap: check,
          overSeeds: MeanDifference(
            ofSeeds: values[0].map(\.value), minus: values[1].map(\.value)
          ).interval(), tally: tally))
    }
    let q = benjaminiHochberg(comparisons.map(\.p))
    let tallied = comparisons.indices.filter { comparisons[$0].tally != nil }
    let exactQ = benjaminiHochberg(tallied.compactMap { comparisons[$0].tally?.pValue })
    for index in comparisons.indices { comparisons[index].q = q[index] }
    for (index, q) in zip(tallied, exactQ) { comparisons[index].exactQ = q }
    return comparisons
  }
}
