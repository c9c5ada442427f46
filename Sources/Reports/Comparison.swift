import Evaluation
import Experiments
import Files
import Foundation
import Randomness
import Reasoning
import Statistics

/// An arm at one place of the grid, with its runs.
package struct Point: Sendable {
  package let arm: String
  /// The settings that vary in the file, as far as the arm has them.
  package let varying: [(name: String, value: String)]
  /// By seed.
  package fileprivate(set) var runs: [Int: ResultFile.Run] = [:]
  /// Whether it is the arm's choice: the best on validation, or its only one.
  package fileprivate(set) var isChosen = false
  fileprivate let settings: [String: String]

  package var label: String {
    ([arm] + varying.map { "\($0.name)=\($0.value)" }).joined(separator: " ")
  }

  package var seeds: [Int] { runs.keys.sorted() }

  /// The metric's value in each seed that has one, by rising seed.
  package func values(_ split: String, _ metric: String) -> [Double] {
    seeds.compactMap { runs[$0]?.figure(split, metric)?.value }
  }

  /// Whether its mean accuracy on a test is no better than guessing; false where that is not known.
  package func isAtFloor(_ split: String) -> Bool {
    values(split, "accuracy").mean <= values(split, "guessing floor").mean
  }
}

/// What arms are compared in, as the CSV names it; macro accuracy is the mean of the tasks'.
package enum ComparedMetric: String, CaseIterable, Sendable {
  case accuracy
  case macroAccuracy = "macro accuracy"
  case prefersChosen = "prefers right chain"
  case keyTokens = "key tokens -log p"

  package var isShare: Bool { self != .keyTokens }
  package var unit: String { isShare ? "share" : "nats" }
}

/// One point against the reference in one metric on one test.
package struct Comparison: Sendable {
  /// What the interval and p rest on.
  package enum Basis: String, Sendable {
    case seedsAndQuestions = "bootstrap over seeds and questions"
    case questions = "bootstrap over questions"
    case seeds = "Student's t over seeds"
  }

  /// How questions are drawn in the bootstrap.
  package enum Drawing: String, Sendable {
    case alone = "each by itself"
    case withinTasks = "within tasks"
    case wholeTasks = "whole tasks"
  }

  /// The index of the point, and of the one that it is held against.
  package let point: Int
  package let reference: Int
  package let split: String
  package let metric: ComparedMetric
  /// Those that both have.
  package let seeds: Int
  /// Or pairs.
  package let questions: Int
  /// The mean over seeds, with its 95 % interval.
  package let difference: Estimate
  package let basis: Basis
  /// nil where none are drawn.
  package let drawing: Drawing?
  /// The same with Student's interval over the seeds alone.
  package let overSeeds: Estimate
  package let p: Double
  /// Of p, by Benjamini and Hochberg over the comparisons of one metric on one test.
  package fileprivate(set) var q = Double.nan
  /// nil where the metric is not one of right and wrong, or the file has no items.
  package let tally: QuestionTally?
  package fileprivate(set) var exactQ: Double?
  /// Of a paired t test over seeds, at 5 % with power 0.8.
  package let smallestDetectable: Double

  package var isFinding: Bool { q <= 0.05 }
}

/// An experiment's points, which of them were chosen on validation, and all of them against a reference.
package struct Comparisons: Sendable {
  package let file: ResultFile
  /// In the order in which they first occur.
  package let points: [Point]
  /// The index of the reference arm's chosen point, or its first.
  package let reference: Int
  /// The settings that vary in the file.
  package let varying: [String]
  package let tests: [String]
  package let resamples: Int
  package let seed: UInt64
  package let comparisons: [Comparison]
  private let tasksBySplit: [String: [String]]

  /// With fewer tasks than this they are fixed: too few to draw from.
  package static let fewestDrawnTasks = 10

  /// The arm that the others are held against where none is named.
  package static func defaultReference(_ arms: [String]) -> String? {
    ["std-cot", "edit-without-krsl", "stage 1"].first(where: arms.contains) ?? arms.first
  }

  /// Throws a `FileError` where runs were not scored on the same questions. Precondition: a run's arm is called
  /// `reference`.
  package init(_ file: ResultFile, reference name: String, resamples: Int, seed: UInt64) throws {
    self.file = file
    self.resamples = resamples
    self.seed = seed
    let varying = file.settings.filter { setting in
      Set(file.runs.compactMap { $0.settings[setting] }).count > 1
    }
    self.varying = varying
    var points: [Point] = []
    for run in file.runs {
      let known = points.firstIndex { $0.arm == run.arm && $0.settings == run.settings }
      if known == nil {
        points.append(
          Point(
            arm: run.arm,
            varying: varying.compactMap { name in
              run.settings[name].map { (name: name, value: $0) }
            }, settings: run.settings))
      }
      points[known ?? points.count - 1].runs[run.seed] = run
    }
    for arm in Set(points.map(\.arm)) {
      let own = points.indices.filter { points[$0].arm == arm }
      if let chosen = Self.best(own, of: points) { points[chosen].isChosen = true }
    }
    let ofReference = points.indices.filter { points[$0].arm == name }
    guard let reference = ofReference.first(where: { points[$0].isChosen }) ?? ofReference.first
    else { preconditionFailure("no arm is called \(name)") }
    self.points = points
    self.reference = reference

    let keys = file.runs.flatMap { $0.figures.sorted { $0.value.line < $1.value.line }.map(\.key) }
    var splits: [String] = []
    var tasks: [String: [String]] = [:]
    for key in keys {
      if !splits.contains(key.split) { splits.append(key.split) }
      if key.metric.hasPrefix("accuracy: ") {
        let task = String(key.metric.dropFirst("accuracy: ".count))
        if !tasks[key.split, default: []].contains(task) {
          tasks[key.split, default: []].append(task)
        }
      }
    }
    tests = splits.filter { $0 != "" && $0 != "validation" }
    tasksBySplit = tasks
    let pairs = points.indices.flatMap { point in
      Self.references(of: point, among: ofReference, reference, points).map {
        (point: point, reference: $0)
      }
    }
    comparisons = try tests.flatMap { split in
      try ComparedMetric.allCases.flatMap { metric in
        try Self.compare(
          points, pairs, in: metric,
          Split(name: split, tasks: tasks[split] ?? [], file: file), resamples, seed)
      }
    }
  }

  package var referenceArm: String { points[reference].arm }

  /// Whether points are held against several of the reference arm's.
  package var areMatched: Bool { Set(comparisons.map(\.reference)).count > 1 }

  package var arms: [String] {
    points.reduce(into: []) { if !$0.contains($1.arm) { $0.append($1.arm) } }
  }

  /// The tasks of a split; none where it has one alone.
  package func tasks(_ split: String) -> [String] { tasksBySplit[split] ?? [] }

  /// The point of one arm with the best mean validation accuracy, of equal ones the first; nil where there are several
  /// and none has any.
  private static func best(_ own: [Int], of points: [Point]) -> Int? {
    if own.count == 1 { return own[0] }
    var best: (index: Int, accuracy: Double)?
    for index in own {
      let accuracy = points[index].values("validation", "accuracy").mean
      // Equal ones are equal but for rounding.
      if !accuracy.isNaN, accuracy > (best?.accuracy ?? -1) + 1e-12 { best = (index, accuracy) }
    }
    return best?.index
  }

  /// What a point is held against: the reference arm's point with the same settings as far as both have them, else
  /// the one that was chosen; a chosen point against that one in any case.
  private static func references(
    of point: Int, among candidates: [Int], _ chosen: Int, _ points: [Point]
  ) -> [Int] {
    if candidates.contains(point) { return point == chosen ? [] : [chosen] }
    let own = Dictionary(points[point].varying.map { ($0.name, $0.value) }) { first, _ in first }
    let alike = candidates.filter { candidate in
      points[candidate].varying.allSatisfy { own[$0.name] == nil || own[$0.name] == $0.value }
    }
    let matched = best(alike, of: points) ?? alike.first ?? chosen
    return points[point].isChosen && matched != chosen ? [matched, chosen] : [matched]
  }

  /// A test and how its questions are known.
  private struct Split {
    let name: String
    let tasks: [String]
    let file: ResultFile
    /// The task of each question, task after task; nil where the file does not tell.
    let labels: [String]?

    init(name: String, tasks: [String], file: ResultFile) {
      self.name = name
      self.tasks = tasks
      self.file = file
      let isKnown = file.runs.allSatisfy { run in
        let byTask = tasks.map { run.figure(name, "accuracy: \($0)")?.items?.values.count }
        let known = byTask.compactMap { $0 }
        return known.count == tasks.count
          && known.reduce(0, +) == run.figure(name, "accuracy")?.count
      }
      labels =
        tasks.isEmpty || !isKnown
        ? nil
        : tasks.flatMap { task in
          Array(
            repeating: task, count: file.runs[0].figure(name, "accuracy: \(task)")?.count ?? 0)
        }
    }

    /// What a run scored, with its questions where they are known; nil where it has no such figure.
    func outcome(_ metric: ComparedMetric, of run: ResultFile.Run) -> ResultFile.Figure? {
      let byTask = tasks.compactMap { run.figure(name, "accuracy: \($0)") }
      let isMacro = metric == .macroAccuracy
      let whole = run.figure(name, isMacro ? "accuracy" : metric.rawValue)
      guard let whole, !isMacro || (!tasks.isEmpty && byTask.count == tasks.count) else {
        return nil
      }
      guard isMacro || metric == .accuracy else { return whole }
      // A mean over tasks is one over questions that weigh one over the number of their task's.
      let items = labels.map { _ in
        let weights = byTask.flatMap { task in
          Array(repeating: isMacro ? 1 / Double(task.count) : 1, count: task.count)
        }
        return ResultFile.Items(
          values: zip(byTask.flatMap { $0.items?.values ?? [] }, weights).map { $0 * $1 },
          weights: weights)
      }
      return ResultFile.Figure(
        value: isMacro ? byTask.map(\.value).mean : whole.value, count: whole.count,
        items: items ?? (isMacro ? nil : whole.items), line: whole.line)
    }

    /// How the questions of a metric are drawn.
    func drawing(_ metric: ComparedMetric) -> Comparison.Drawing {
      guard labels != nil, metric == .accuracy || metric == .macroAccuracy else { return .alone }
      return tasks.count < Comparisons.fewestDrawnTasks ? .withinTasks : .wholeTasks
    }
  }

  private static func compare(
    _ points: [Point], _ pairs: [(point: Int, reference: Int)], in metric: ComparedMetric,
    _ split: Split, _ resamples: Int, _ seed: UInt64
  ) throws -> [Comparison] {
    let outcomes = points.map { point in
      point.runs.compactMapValues { split.outcome(metric, of: $0) }
    }
    let all = outcomes.flatMap { $0.sorted { $0.key < $1.key }.map(\.value) }
    guard let first = all.first else { return [] }
    let weights = all.lazy.compactMap(\.items?.weights).first
    for outcome in all {
      let hasItems = outcome.items != nil && weights != nil
      guard outcome.count == first.count, !hasItems || outcome.items?.weights == weights else {
        throw FileError(
          file: split.file.path, location: "line \(outcome.line)",
          expected: "\(split.name) \(metric.rawValue) over the same questions as in line "
            + "\(first.line), \(first.count) of them",
          found: outcome.count == first.count ? "others" : "\(outcome.count)")
      }
    }

    let drawing = split.drawing(metric)
    var generator = SeededGenerator(seed: seed, stream: "bootstrap \(split.name)")
    let bootstrap = TwoWayBootstrap(
      QuestionSampling(
        count: weights?.count ?? 0, clusters: drawing == .wholeTasks ? split.labels : nil,
        strata: drawing == .withinTasks ? split.labels : nil),
      resamples: resamples, using: &generator)
    // The figures of each point's seeds on all resamples, made at once.
    let rows = points.indices.flatMap { point in
      points[point].seeds.compactMap { seed in
        (outcomes[point][seed]?.items?.values).map { (point: point, seed: seed, values: $0) }
      }
    }
    var figures = points.map { _ in [Int: [Double]]() }
    for (row, resampled) in zip(rows, bootstrap.figures(rows.map(\.values), weights: weights ?? []))
    {
      figures[row.point][row.seed] = resampled
    }

    // For differences of standard deviation 1, by the number of seeds.
    var detectable: [Int: Double] = [:]
    var comparisons: [Comparison] = []
    for (point, reference) in pairs {
      let seeds = points[point].seeds.filter {
        outcomes[point][$0] != nil && outcomes[reference][$0] != nil
      }
      guard !seeds.isEmpty else { continue }
      func picked<Value>(_ values: [Int: Value]) -> [Value] { seeds.compactMap { values[$0] } }
      let ours = picked(outcomes[point])
      let theirs = picked(outcomes[reference])
      let differences = zip(ours, theirs).map { $0.value - $1.value }
      let overSeeds = Estimate.mean(of: differences)
      var difference = overSeeds
      var p = pairedTPValue(differences)
      var basis = Comparison.Basis.seeds
      var tally: QuestionTally?
      let (mine, other) = (picked(figures[point]), picked(figures[reference]))
      if mine.count == seeds.count, other.count == seeds.count {
        let resampled = bootstrap.difference(mine, minus: other, estimate: difference.value)
        (difference.low, difference.high) = resampled.percentileInterval()
        p = resampled.twoSidedPValue
        basis = seeds.count > 1 ? .seedsAndQuestions : .questions
        if metric == .accuracy || metric == .prefersChosen {
          tally = QuestionTally(
            ours.compactMap(\.items?.values), against: theirs.compactMap(\.items?.values))
        }
      }
      let unit =
        detectable[seeds.count]
        ?? smallestDetectableDifference(standardDeviation: 1, pairs: seeds.count)
      detectable[seeds.count] = unit
      comparisons.append(
        Comparison(
          point: point, reference: reference, split: split.name, metric: metric, seeds: seeds.count,
          questions: first.count, difference: difference, basis: basis,
          drawing: basis == .seeds ? nil : drawing, overSeeds: overSeeds, p: p, tally: tally,
          smallestDetectable: seeds.count > 1 ? unit * differences.standardDeviation : .infinity))
    }
    let q = benjaminiHochberg(comparisons.map(\.p))
    let tallied = comparisons.indices.filter { comparisons[$0].tally != nil }
    let exactQ = benjaminiHochberg(tallied.compactMap { comparisons[$0].tally?.pValue })
    for index in comparisons.indices { comparisons[index].q = q[index] }
    for (index, q) in zip(tallied, exactQ) { comparisons[index].exactQ = q }
    return comparisons
  }
}
