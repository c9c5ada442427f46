import Evaluation
import Experiments
import Foundation
import Randomness
import Statistics

/// What an experiment's CSV says, with its intervals and tests: as text, as Markdown and as a CSV of comparisons.
package struct Report: Sendable {
  private let comparisons: Comparisons
  private let blocks: [Block]

  /// Throws a `LAPACKError` where a response surface cannot be fitted.
  package init(_ comparisons: Comparisons) throws {
    self.comparisons = comparisons
    blocks =
      Self.introduction(comparisons) + Self.choice(comparisons) + Self.accuracy(comparisons)
      + Self.differences(comparisons) + (try Self.surfaces(comparisons))
      + Self.findings(comparisons)
  }

  /// For the terminal.
  package var text: String { blocks.map(\.text).joined(separator: "\n\n") }

  /// The same, and how each figure is made.
  package var markdown: String {
    (blocks + Self.methods).map(\.markdown).joined(separator: "\n\n") + "\n"
  }

  // MARK: The CSV of comparisons

  private var columns: [String] {
    ["experiment", "split", "metric", "unit", "arm"] + comparisons.varying + [
      "chosen", "reference", "seeds", "question_count", "difference", "low_95", "high_95",
      "interval", "questions_drawn", "p", "q", "seeds_low_95", "seeds_high_95",
      "smallest_detectable", "questions_for", "questions_against", "exact_p", "exact_q",
    ]
  }

  /// A value for each column, nil where there is none.
  private func values(_ comparison: Comparison) -> [SettingValue?] {
    func number(_ value: Double?) -> SettingValue? {
      value.flatMap { $0.isFinite ? .number($0) : nil }
    }
    let point = comparisons.points[comparison.point]
    let names: [SettingValue?] = [
      .text(comparisons.file.experiment), .text(comparison.split),
      .text(comparison.metric.rawValue), .text(comparison.metric.unit), .text(point.arm),
    ]
    let settings: [SettingValue?] = comparisons.varying.map { name in
      point.varying.first { $0.name == name }.map { .text($0.value) }
    }
    let design: [SettingValue?] = [
      .text(point.isChosen ? "yes" : "no"),
      .text(comparisons.points[comparison.reference].label), .integer(comparison.seeds),
      .integer(comparison.questions),
    ]
    let found: [SettingValue?] = [
      number(comparison.difference.value), number(comparison.difference.low),
      number(comparison.difference.high), .text(comparison.basis.rawValue),
      (comparison.drawing?.rawValue).map { .text($0) }, number(comparison.p),
      number(comparison.q), number(comparison.overSeeds.low), number(comparison.overSeeds.high),
      number(comparison.smallestDetectable), comparison.tally.map { .integer($0.forArm) },
      comparison.tally.map { .integer($0.against) }, number(comparison.tally?.pValue),
      number(comparison.exactQ),
    ]
    return names + settings + design + found
  }

  /// One object for each comparison, by the names of the columns.
  package var objects: [[String: SettingValue]] {
    comparisons.comparisons.map { comparison in
      Dictionary(zip(columns, values(comparison))) { first, _ in first }.compactMapValues { $0 }
    }
  }

  /// One row for each comparison.
  package var csv: String {
    ([columns] + comparisons.comparisons.map { values($0).map { $0?.description ?? "" } })
      .map { $0.map(ResultTable.quoted).joined(separator: ",") + "\n" }.joined()
  }

  // MARK: Parts

  private static func introduction(_ all: Comparisons) -> [Block] {
    let file = all.file
    let runs = file.runs
    let seeds = Set(runs.map(\.seed)).sorted().map(String.init)
    let commits = Set(runs.map(\.commit)).sorted()
    let fixed = file.settings.filter { !all.varying.contains($0) }.compactMap { name in
      runs.lazy.compactMap { $0.settings[name] }.first.map { [name, $0] }
    }
    let lost = runs.flatMap { run in
      run.figures.filter { !$0.value.value.isFinite && $0.key.split != "" }.map { _ in run.line }
    }
    var limits: [String] = []
    if !file.hasItems {
      limits.append(
        """
        The CSV lacks the column `items`: comparisons rest on seeds alone (Student's t), and there \
        are no exact tests and no consistency.
        """)
    }
    for split in all.tests {
      let tasks = all.tasks(split)
      guard file.hasItems, !tasks.isEmpty else { continue }
      limits.append(
        tasks.count < Comparisons.fewestDrawnTasks
          ? """
          \(split): its \(tasks.count) tasks (\(tasks.joined(separator: ", "))) are fixed, and \
          questions are drawn within each: intervals of accuracy speak of these tasks only.
          """
          : """
          \(split): its \(tasks.count) tasks are drawn whole: intervals of accuracy speak of other \
          tasks of their kind too. The CSV does not tell the tasks of the dual pairs, which are \
          drawn each by itself.
          """)
    }
    let compared = Set(all.comparisons.map(\.point))
    let alone = all.points.indices.filter {
      all.points[$0].arm != all.referenceArm && !compared.contains($0)
    }
    if !alone.isEmpty {
      limits.append(
        """
        Not compared, for want of a seed that both have: \
        \(alone.map { all.points[$0].label }.joined(separator: ", ")).
        """)
    }
    if !lost.isEmpty {
      limits.append(
        """
        \(lost.count) figures of \(Set(lost).count) runs have no value (NaN or infinite) and are \
        left out.
        """)
    }
    let rule = RunRecord.scoringRule
    let name = URL(fileURLWithPath: file.path).lastPathComponent
    var blocks: [Block] = [
      .heading(1, "Report: \(file.experiment)"),
      .paragraph(
        """
        \(runs.count) runs: \(all.points.count) points of \(all.arms.count) arms, seeds \
        \(seeds.joined(separator: ", ")). Commit \(commits.joined(separator: ", ")).
        """),
      .paragraph("`\(name)`, SHA-256 `\(file.sha256)`."),
      .paragraph(
        """
        Differences are to \(said(all)). \(all.resamples) resamples, seed \(all.seed). \
        \(rule.prefix(1).uppercased())\(rule.dropFirst()).
        """),
    ]
    if !limits.isEmpty { blocks.append(.list(limits)) }
    let settings = Block.table([["setting", "value"]] + fixed)
    return blocks + [.heading(2, "Settings that all runs share"), settings]
  }

  private static func choice(_ all: Comparisons) -> [Block] {
    let heading = Block.heading(2, "Chosen on validation")
    guard all.points.count > all.arms.count else {
      return [heading, .paragraph("Each arm has one point: there was nothing to choose.")]
    }
    let rows = all.points.map { point in
      let values = point.values("validation", "accuracy")
      return [
        point.label, "\(point.seeds.count)", percent(values.mean), point.isChosen ? "chosen" : "",
      ]
    }
    return [
      heading,
      .paragraph(
        """
        Of each arm the point with the best mean validation accuracy over its seeds, of equal ones \
        the first.
        """),
      .table([["point", "seeds", "validation accuracy", ""]] + rows),
    ]
  }

  private static func accuracy(_ all: Comparisons) -> [Block] {
    all.tests.flatMap { split -> [Block] in
      let tasks = all.tasks(split)
      var rows: [[String]] = []
      for point in all.points {
        let scored = point.seeds.compactMap { point.runs[$0] }.first {
          $0.figure(split, "accuracy") != nil
        }
        guard let run = scored, let count = run.figure(split, "accuracy")?.count else { continue }
        let accuracy = Estimate.meanShare(point.values(split, "accuracy").mean, of: count)
        let byTask = tasks.map { task in
          Estimate.meanShare(
            point.values(split, "accuracy: \(task)").mean,
            of: run.figure(split, "accuracy: \(task)")?.count ?? 0)
        }
        let macro = Estimate.macroAccuracy(ofTasks: byTask)
        let answers = point.seeds.compactMap {
          point.runs[$0]?.figure(split, "accuracy")?.items?.values
        }
        let consistency = Estimate.consistency(answers)
        rows.append([
          point.label + mark(point, all), "\(point.values(split, "accuracy").count)", "\(count)",
          percent(accuracy.value), interval(accuracy, true),
          tasks.isEmpty ? "–" : percent(macro.value), tasks.isEmpty ? "–" : interval(macro, true),
          percent(run.figure(split, "guessing floor")?.value ?? .nan),
          percent(point.values(split, "unparsed").mean), percent(consistency.value),
          percent(point.values("validation", "accuracy").mean),
        ])
      }
      let header = [
        "point", "seeds", "questions", "accuracy", "95 % (Wilson)", "macro", "95 %",
        "guessing floor", "unparsed", "consistency", "validation",
      ]
      return rows.isEmpty ? [] : [.heading(2, "Accuracy, \(split)"), .table([header] + rows)]
    }
  }

  private static func differences(_ all: Comparisons) -> [Block] {
    groups(all).flatMap { split, metric, group -> [Block] in
      let exact = group.contains { $0.tally != nil }
      let rows = group.map { comparison -> [String] in
        let isShare = metric.isShare
        let point = all.points[comparison.point]
        let tally = comparison.tally
        return [point.label + mark(point, all)]
          + (all.areMatched ? [all.points[comparison.reference].label] : []) + [
            "\(comparison.seeds)",
            figure(comparison.difference.value, isShare, signed: true),
            interval(comparison.difference, isShare, signed: true), probability(comparison.p),
            probability(comparison.q), interval(comparison.overSeeds, isShare, signed: true),
            figure(comparison.smallestDetectable, isShare).replacing(" %", with: ""),
          ]
          + (exact
            ? [
              tally.map { "\($0.forArm) : \($0.against)" } ?? "–",
              probability(tally?.pValue ?? .nan), probability(comparison.exactQ ?? .nan),
            ] : [])
      }
      let header =
        ["point"] + (all.areMatched ? ["minus"] : []) + [
          "seeds", metric.isShare ? "points" : metric.unit, "95 %", "p", "q",
          "95 % over seeds (t)", "detectable",
        ] + (exact ? ["questions for : against", "exact p", "exact q"] : [])
      let bases = Set(group.map(\.basis.rawValue)).sorted().joined(separator: "; ")
      let drawn = Set(group.compactMap { $0.drawing?.rawValue }).sorted().joined(separator: "; ")
      return [
        .heading(
          2, "\(metric.rawValue), \(split): difference to \(all.referenceArm)"),
        .paragraph(
          "Interval and p: \(bases)" + (drawn.isEmpty ? "" : ", questions drawn \(drawn)")
            + (metric.isShare ? "." : "; less is better.")
            + (exact && group.allSatisfy { $0.seeds == 1 } ? " The exact test is McNemar's." : "")),
        .table([header] + rows),
      ]
    }
  }

  private static func findings(_ all: Comparisons) -> [Block] {
    let items = groups(all).map { split, metric, group -> String in
      func said(_ comparison: Comparison) -> String {
        let difference = comparison.difference
        let doubt =
          comparison.isFinding && comparison.seeds > 1 && comparison.basis != .seeds
            && comparison.overSeeds.low <= 0 && comparison.overSeeds.high >= 0
          ? "; not so over the \(comparison.seeds) seeds alone" : ""
        let value = figure(difference.value, metric.isShare, signed: true)
        let ends = interval(difference, metric.isShare, signed: true)
        let other = all.areMatched ? " to \(all.points[comparison.reference].label)" : ""
        return "\(all.points[comparison.point].label)\(other) \(value) (\(ends), q "
          + "\(probability(comparison.q))\(doubt))"
      }
      let found = group.filter(\.isFinding)
      let rest = group.filter { !$0.isFinding }
      let isAtFloor = metric == .accuracy && all.points.allSatisfy { $0.isAtFloor(split) }
      return
        "\(split), \(metric.rawValue): "
        + (isAtFloor ? "no point is above the guessing floor, so accuracy tells none apart; " : "")
        + "\(found.count) of \(group.count) differences exclude zero"
        + (found.isEmpty ? "" : ": " + found.map(said).joined(separator: "; "))
        + (rest.isEmpty ? "." : ". Not so: " + rest.map(said).joined(separator: "; ") + ".")
    }
    guard !items.isEmpty else { return [] }
    return [
      .heading(2, "Findings"),
      .paragraph(
        """
        Differences to \(all.referenceArm) that exclude zero after Benjamini and Hochberg's \
        correction (q ≤ 0.05, over the comparisons of one metric on one test), and those that do not.
        """), .list(items),
    ]
  }

  /// The comparisons of each metric on each test.
  private static func groups(_ all: Comparisons) -> [(String, ComparedMetric, [Comparison])] {
    all.tests.flatMap { split in
      ComparedMetric.allCases.compactMap { metric in
        let group = all.comparisons.filter { $0.split == split && $0.metric == metric }
        return group.isEmpty ? nil : (split, metric, group)
      }
    }
  }

  // MARK: Response surfaces

  /// A surface over (log α, β) for each arm in which one of them varies, at each of its other settings.
  private static func surfaces(_ all: Comparisons) throws -> [Block] {
    let axes = ["alpha", "beta"]
    var rows: [[String]] = []
    var excluded = 0
    for arm in all.arms {
      let own = all.points.filter { $0.arm == arm }
      let slices = Dictionary(grouping: own) { point in
        point.varying.filter { !axes.contains($0.name) }.map { "\($0.name)=\($0.value)" }
          .joined(separator: " ")
      }
      for (slice, points) in slices.sorted(by: { $0.key < $1.key }) {
        let varies = axes.contains { axis in
          Set(points.compactMap { $0.varying.first { $0.name == axis }?.value }).count > 1
        }
        guard varies else { continue }
        let runs = points.flatMap(\.runs.values)
        let placed = runs.compactMap { run in place(of: run).map { (run: run, place: $0) } }
        excluded += runs.count - placed.count
        for (metric, direction) in [
          (ComparedMetric.accuracy, ResponseSurface.Direction.highest), (.keyTokens, .lowest),
        ] {
          for split in ["validation"] + all.tests {
            let observations = placed.compactMap { run, place in
              run.figure(split, metric.rawValue).map {
                ResponseSurface.Observation(place: place, value: $0.value, seed: run.seed)
              }
            }.sorted { ($0.seed, $0.place[0], $0.place[1]) < ($1.seed, $1.place[0], $1.place[1]) }
            guard !observations.isEmpty else { continue }
            let surface = try ResponseSurface(observations)
            var generator = SeededGenerator(seed: all.seed, stream: "surface \(split)")
            let optimum = try surface.optimum(
              direction, resamples: all.resamples, using: &generator)
            rows.append(
              [
                slice.isEmpty ? arm : "\(arm) \(slice)", "\(metric.rawValue), \(split)",
                "\(observations.count)",
                said(optimum, of: surface, metric, direction),
              ] + coefficients(surface))
          }
        }
      }
    }
    guard !rows.isEmpty else { return [] }
    let note =
      excluded > 0 ? " \(excluded) runs with α = 0, which has no logarithm, are left out." : ""
    return [
      .heading(2, "Response surfaces over (log α, β)"),
      .paragraph(
        """
        Least squares; in brackets the coefficients' standard errors. Shares, not per cent. The \
        optimum's interval is a bootstrap over seeds, and may reach beyond the grid.\(note)
        """),
      .table(
        [["arm", "metric", "runs", "optimum", "1", "log α", "β", "(log α)²", "log α · β", "β²"]]
          + rows),
    ]
  }

  /// Log α and β of a run; where the arm does not have one, 0 in its place. Nil where α has no logarithm.
  private static func place(of run: ResultFile.Run) -> [Double]? {
    let alpha = run.settings["alpha"].map { Double($0) ?? .nan } ?? 1
    let beta = run.settings["beta"].map { Double($0) ?? .nan } ?? 0
    return alpha > 0 && alpha.isFinite && beta.isFinite ? [log(alpha), beta] : nil
  }

  private static func said(
    _ optimum: ResponseSurface.Optimum, of surface: ResponseSurface, _ metric: ComparedMetric,
    _ direction: ResponseSurface.Direction
  ) -> String {
    let name = direction == .highest ? "maximum" : "minimum"
    guard !optimum.place.isEmpty else {
      return "no \(name): \(optimum.obstacle?.rawValue ?? "")"
    }
    let places = zip(surface.axes, optimum.place).map { axis, estimate in
      // α is told as itself, of which an interval's ends are those of its logarithm.
      func shown(_ x: Double) -> String { String(format: "%.3g", axis == 0 ? exp(x) : x) }
      return "\(axis == 0 ? "α" : "β") = \(shown(estimate.value))"
        + (estimate.low.isFinite ? " (\(shown(estimate.low)) … \(shown(estimate.high)))" : "")
    }
    return "\(name) \(figure(optimum.value, metric.isShare)) at \(places.joined(separator: ", "))"
      + (optimum.obstacle.map { "; no interval: \($0.rawValue)" } ?? "")
  }

  /// A cell for each of the six terms, empty where the surface does not have it.
  private static func coefficients(_ surface: ResponseSurface) -> [String] {
    let terms: [Int] =
      switch surface.axes {
      case [0]: [0, 1, 3]
      case [1]: [0, 2, 5]
      case [0, 1]: [0, 1, 2, 3, 4, 5]
      default: [0]
      }
    var cells = Array(repeating: "", count: 6)
    guard surface.rank == terms.count else { return cells }
    // What is that much smaller than the constant is rounding.
    let rounding = 1e-12 * (surface.coefficients.map(abs).max() ?? 0)
    func shown(_ format: String, _ x: Double) -> String {
      String(format: format, abs(x) < rounding ? 0 : x)
    }
    for (index, term) in terms.enumerated() {
      let error = surface.standardErrors[index]
      cells[term] =
        shown("%.3g", surface.coefficients[index])
        + (error.isFinite ? " (\(shown("%.2g", error)))" : "")
    }
    return cells
  }

  // MARK: Words and figures

  /// What differences are taken to.
  private static func said(_ all: Comparisons) -> String {
    guard all.areMatched else { return all.points[all.reference].label }
    return """
      \(all.referenceArm) at the same settings as far as both have them; those of chosen points to \
      its chosen one too, \(all.points[all.reference].label)
      """
  }

  private static func mark(_ point: Point, _ all: Comparisons) -> String {
    point.isChosen && all.points.count > all.arms.count ? " (chosen)" : ""
  }

  private static func percent(_ share: Double) -> String { figure(share, true) }

  private static func figure(_ value: Double, _ isShare: Bool, signed: Bool = false) -> String {
    guard value.isFinite else { return "–" }
    let text = String(format: isShare ? "%.1f" : "%.4f", isShare ? 100 * value : value)
    return (signed && value > 0 ? "+" : "") + text + (isShare && !signed ? " %" : "")
  }

  private static func interval(_ estimate: Estimate, _ isShare: Bool, signed: Bool = false)
    -> String
  {
    guard estimate.low.isFinite, estimate.high.isFinite else { return "–" }
    return figure(estimate.low, isShare, signed: signed) + " … "
      + figure(estimate.high, isShare, signed: signed)
  }

  private static func probability(_ p: Double) -> String {
    guard p.isFinite else { return "–" }
    return String(format: p < 0.001 ? "%.1e" : "%.3f", p)
  }

  /// How each figure is made.
  private static let methods: [Block] = [
    .heading(2, "How the figures are made"),
    .list([
      """
      accuracy: the mean over seeds of the share of right answers, with Wilson's interval at \
      the number of questions: seeds answer the same questions and add none. Macro: the mean \
      of the tasks' accuracies, its interval put together from theirs (Zou and Donner).
      """,
      """
      guessing floor: what each task's most frequent answer scores. unparsed: responses \
      without an answer, which count as wrong. consistency: the probability that two seeds are \
      both right or both wrong on a question.
      """,
      """
      difference: the mean over the seeds that both have of the point's figure minus the \
      reference's, in percentage points or nats; positive is better for shares, negative for \
      -log p.
      """,
      """
      95 % interval: the percentile interval of a bootstrap that draws seeds and questions \
      anew, independently of each other, the same draws for all points (Owen). p: twice the \
      smaller tail beyond zero. q: p after Benjamini and Hochberg over the comparisons of one \
      metric on one test. Where the CSV has no items: Student's t over seeds.
      """,
      """
      95 % over seeds (t): Student's interval of the seeds' differences, the questions as they \
      are. With few seeds the bootstrap's part for seeds is too narrow; then this one is to be \
      heeded too.
      """,
      """
      detectable: the smallest true difference that a paired t test over as many seeds would \
      find at 5 % with power 0.8, given how much the seeds' differences vary.
      """,
      """
      exact test: a question counts for the point where it is right in more seeds than the \
      reference, against it where in fewer; the two numbers by the exact binomial test at 1/2. \
      With one seed this is McNemar's exact test. It takes questions for independent and seeds \
      as they are.
      """,
      """
      response surface: a quadratic in log α and β by least squares over all runs of the arm. \
      It has an optimum where its gradient is zero, its Hessian definite and the place within \
      the grid.
      """,
      """
      `docs/statistics.md` has the formulas, their sources and their limits.
      """,
    ]),
  ]
}

/// A part of a report.
private enum Block: Sendable {
  case heading(Int, String)
  case paragraph(String)
  case list([String])
  /// The first row is the header.
  case table([[String]])

  var text: String {
    switch self {
    case .heading(_, let text): text + "\n" + String(repeating: "─", count: text.count)
    case .paragraph(let text): text.replacing("`", with: "")
    case .list(let items):
      items.map { "- " + $0.replacing("`", with: "") }.joined(separator: "\n")
    case .table(let rows): ResultTable.aligned(rows)
    }
  }

  var markdown: String {
    switch self {
    case .heading(let level, let text): return String(repeating: "#", count: level) + " " + text
    case .paragraph(let text): return text
    case .list(let items): return items.map { "- " + $0 }.joined(separator: "\n")
    case .table(let rows):
      var lines = rows.map { row in
        "| " + row.map { $0.replacing("|", with: "\\|") }.joined(separator: " | ") + " |"
      }
      lines.insert("|" + String(repeating: " --- |", count: rows.first?.count ?? 0), at: 1)
      return lines.joined(separator: "\n")
    }
  }
}
