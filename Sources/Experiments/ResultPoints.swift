import Files
import Statistics

/// An arm at one place of the grid, with its runs.
package struct ResultPoint: Sendable {
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

  /// The figure's value in each seed that has one, by rising seed.
  package func values(_ key: MetricKey) -> [Double] {
    seeds.compactMap { runs[$0]?.figure(key)?.value }
  }

  package func values(_ split: String, _ name: MetricName, group: String = "") -> [Double] {
    values(MetricKey(split, name, group: group))
  }

  /// The mean over seeds. A fraction of questions or pairs has Wilson's interval at their number: seeds answer the same
  /// ones and add none. Any other figure has Student's t interval over seeds. NaN without seeds.
  package func mean(_ key: MetricKey) -> Estimate {
    let values = values(key)
    let count = seeds.lazy.compactMap { runs[$0]?.figure(key)?.count }.first ?? 0
    let isCounted = [.accuracy, .pairwiseAccuracy, .unparsed].contains(key.name)
    return isCounted && count > 0
      ? .meanShare(min(1, values.mean), of: count) : .mean(of: values)
  }

  /// Whether its mean accuracy on a test is at most the majority baseline; false if that is not known.
  package func isAtBaseline(_ split: String) -> Bool {
    values(split, .accuracy).mean <= values(split, .majorityBaseline).mean
  }
}

/// The points of an experiment's CSV, which of them were chosen on validation, and the differences between them.
package struct ResultPoints: Sendable {
  package let file: ResultFile
  /// In the order of their first rows.
  package let points: [ResultPoint]
  /// The index of the reference arm's chosen point, or its first.
  package let reference: Int
  /// The settings that vary in the file.
  package let varying: [String]
  package let splits: [String]
  private let tasksBySplit: [String: [String]]

  /// The arm that the others are compared with if none is named.
  package static func defaultReference(_ arms: [String]) -> String? {
    ["std-cot", "edit-without-krsl", "stage 1"].first(where: arms.contains) ?? arms.first
  }

  /// Precondition: a run's arm is called `reference`.
  package init(_ file: ResultFile, reference name: String) {
    self.file = file
    let varying = file.settings.filter { setting in
      Set(file.runs.compactMap { $0.settings[setting] }).count > 1
    }
    self.varying = varying
    var points: [ResultPoint] = []
    for run in file.runs {
      let known = points.firstIndex { $0.arm == run.arm && $0.settings == run.settings }
      if known == nil {
        points.append(
          ResultPoint(
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
      if key.name == .accuracy, !key.group.isEmpty,
        tasks[key.split]?.contains(key.group) != true
      {
        tasks[key.split, default: []].append(key.group)
      }
    }
    self.splits = splits
    tasksBySplit = tasks
  }

  package var referenceArm: String { points[reference].arm }
  package var tests: [String] { splits.filter { $0 != "" && $0 != "validation" } }

  package var arms: [String] {
    points.reduce(into: []) { if !$0.contains($1.arm) { $0.append($1.arm) } }
  }

  /// The tasks of a split; none if it has only one.
  package func tasks(_ split: String) -> [String] { tasksBySplit[split] ?? [] }

  /// The point of one arm with the best mean validation accuracy, of equal ones the first; nil if there are several and
  /// none has any.
  private static func best(_ own: [Int], of points: [ResultPoint]) -> Int? {
    if own.count == 1 { return own[0] }
    var best: (index: Int, accuracy: Double)?
    for index in own {
      let accuracy = points[index].values("validation", .accuracy).mean
      // Equal ones are equal but for rounding.
      if !accuracy.isNaN, accuracy > (best?.accuracy ?? -1) + 1e-12 { best = (index, accuracy) }
    }
    return best?.index
  }

  /// The points that a point is compared with: the reference arm's point with the same settings as far as both have
  /// them, else the one that was chosen; a chosen point with that one in any case.
  package func references(of point: Int) -> [Int] {
    let candidates = points.indices.filter { points[$0].arm == referenceArm }
    if candidates.contains(point) { return point == reference ? [] : [reference] }
    let own = Dictionary(points[point].varying.map { ($0.name, $0.value) }) { first, _ in first }
    let alike = candidates.filter { candidate in
      points[candidate].varying.allSatisfy { own[$0.name] == nil || own[$0.name] == $0.value }
    }
    let matched = Self.best(alike, of: points) ?? alike.first ?? reference
    return points[point].isChosen && matched != reference ? [matched, reference] : [matched]
  }

  // MARK: Differences

  /// How the questions of a split are sampled.
  package enum Drawing: String, Sendable {
    case alone = "each by itself"
    case withinTasks = "within tasks"
    case wholeTasks = "whole tasks"
  }

  /// A figure of every point and seed, over the same questions.
  package struct Outcomes: Sendable {
    package let key: MetricKey
    package let drawing: Drawing
    /// How many questions or pairs.
    package let count: Int
    /// How the questions are sampled; nil if the file does not have them.
    package let sampling: QuestionSampling?
    /// The questions' weights; nil if the file does not have them.
    package let weights: [Double]?
    /// By point and seed; without those that have no such figure.
    package let figures: [[Int: ResultFile.Figure]]

    /// The difference of two points over the seeds that both have, with the seeds; nil if there are none.
    package func difference(_ point: Int, minus reference: Int) -> (
      MeanDifference, seeds: [Int]
    )? {
      let seeds = figures[point].keys.filter { figures[reference][$0] != nil }.sorted()
      guard !seeds.isEmpty else { return nil }
      let ours = seeds.compactMap { figures[point][$0] }
      let theirs = seeds.compactMap { figures[reference][$0] }
      let overSeeds = MeanDifference(ofSeeds: ours.map(\.value), minus: theirs.map(\.value))
      let (mine, other) = (ours.compactMap(\.items?.values), theirs.compactMap(\.items?.values))
      guard let weights, let sampling, mine.count == seeds.count, other.count == seeds.count else {
        return (overSeeds, seeds)
      }
      var difference = MeanDifference(mine, minus: other, weights: weights, sampling: sampling)
      // The file has four digits of each item, and all of the figures.
      difference.value = overSeeds.value
      return (difference, seeds)
    }
  }

  /// The outcomes of a figure; nil if no run has it. The macro accuracy is computed from the tasks' accuracies.
  ///
  /// Throws a `FileError` if runs were not scored on the same questions.
  package func outcomes(_ key: MetricKey) throws(FileError) -> Outcomes? {
    let tasks = key.group.isEmpty ? tasks(key.split) : []
    let isAccuracy = key.name == .accuracy || key.name == .accuracy.macro
    let labels = isAccuracy ? taskLabels(key.split, tasks) : nil
    var figures = points.map { point in
      point.runs.compactMapValues { Self.outcome(key, of: $0, tasks, isKnown: labels != nil) }
    }
    let all = figures.flatMap { $0.sorted { $0.key < $1.key }.map(\.value) }
    guard let first = all.first else { return nil }
    var weights = all.lazy.compactMap(\.items?.weights).first
    // The steps of a response are its own: only those of procedural questions are the same in all runs.
    let haveOwnItems =
      key.name == .stepAccuracy
      && all.contains { $0.count != first.count || $0.items?.weights != weights }
    if haveOwnItems {
      weights = nil
      figures = figures.map { $0.mapValues(\.withoutItems) }
    }
    for figure in all where !haveOwnItems {
      let hasItems = figure.items != nil && weights != nil
      guard figure.count == first.count, !hasItems || figure.items?.weights == weights else {
        throw FileError(
          file: file.path, location: "line \(figure.line)",
          expected:
            "\(key) over the same questions as in line \(first.line), \(first.count) of them",
          found: figure.count == first.count ? "others" : "\(figure.count)")
      }
    }
    let drawing: Drawing =
      labels == nil
      ? .alone : tasks.count < QuestionSampling.fewestDrawnTasks ? .withinTasks : .wholeTasks
    let sampling = weights.map { weights in
      labels.map { QuestionSampling(tasks: $0) } ?? QuestionSampling(count: weights.count)
    }
    return Outcomes(
      key: key, drawing: drawing, count: first.count, sampling: sampling, weights: weights,
      figures: figures)
  }

  /// The task of each question, task after task; nil if the file does not tell.
  private func taskLabels(_ split: String, _ tasks: [String]) -> [String]? {
    guard !tasks.isEmpty else { return nil }
    for run in file.runs {
      let known = tasks.compactMap { run.figure(split, .accuracy, group: $0)?.items?.values.count }
      guard known.count == tasks.count, known.reduce(0, +) == run.figure(split, .accuracy)?.count
      else { return nil }
    }
    return tasks.flatMap { task in
      Array(
        repeating: task, count: file.runs[0].figure(split, .accuracy, group: task)?.count ?? 0)
    }
  }

  /// What a run scored, with its questions if they are known; nil if it has no such figure.
  private static func outcome(
    _ key: MetricKey, of run: ResultFile.Run, _ tasks: [String], isKnown: Bool
  ) -> ResultFile.Figure? {
    let isMacro = key.name == .accuracy.macro
    guard isMacro || key.name == .accuracy && key.group.isEmpty else { return run.figure(key) }
    let byTask = tasks.compactMap { run.figure(key.split, .accuracy, group: $0) }
    guard let whole = run.figure(key.split, .accuracy),
      !isMacro || (!tasks.isEmpty && byTask.count == tasks.count)
    else { return nil }
    // A mean over tasks is one over questions that weigh 1 / the number of their task's questions.
    var items = isMacro ? nil : whole.items
    if isKnown {
      let weights = byTask.flatMap { task in
        Array(repeating: isMacro ? 1 / Double(task.count) : 1, count: task.count)
      }
      items = ResultFile.Items(
        values: zip(byTask.flatMap { $0.items?.values ?? [] }, weights).map { $0 * $1 },
        weights: weights)
    }
    return ResultFile.Figure(
      unit: whole.unit, value: isMacro ? byTask.map(\.value).mean : whole.value,
      count: whole.count, items: items, line: whole.line)
  }
}
