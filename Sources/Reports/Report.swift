import Experiments
import Files
import Foundation
import Randomness
import Statistics

/// The analysis of an experiment's CSV: as text, as Markdown and as a CSV of comparisons.
package struct Report: Sendable {
  let comparisons: Comparisons
  private var results: ResultPoints { comparisons.results }
  private let blocks: [Block]

  /// Throws a `LAPACKError` if a response surface cannot be fitted.
  package init(_ comparisons: Comparisons) throws {
    self.comparisons = comparisons
    blocks =
      Self.introduction(comparisons) + Self.choice(comparisons) + Self.accuracy(comparisons)
      + Self.differences(comparisons) + (try Self.surfaces(comparisons))
      + Self.findings(comparisons)
  }

  /// A reference that no run of the CSV has.
  package struct UnknownArm: Error, CustomStringConvertible {
    let arms: [String]
    let found: String
    package var description: String {
      "--reference: expected one of the arms \(arms.joined(separator: ", ")), found \(found)"
    }
  }

  /// That of the CSV at `path`, against the arm `reference`, or the usual one where that is nil. Throws
  /// `UnknownArm` where no arm is called so.
  package init(path: String, reference: String? = nil, resamples: Int = 10_000, seed: UInt64 = 0)
    throws
  {
    let file = try ResultFile(path: path)
    let arms = file.runs.map(\.arm).reduce(into: [String]()) {
      if !$0.contains($1) { $0.append($1) }
    }
    let name = reference ?? ResultPoints.defaultReference(arms) ?? ""
    guard arms.contains(name) else {
      throw UnknownArm(arms: arms, found: name)
    }
    try self.init(Comparisons(file, reference: name, resamples: resamples, seed: seed))
  }

  /// The experiment's name.
  package var experiment: String { results.file.experiment }

  /// Writes `NAME.report.md` and `NAME.comparisons.csv` of the CSV `NAME.csv` at `path` beside it, or into `folder`, and
  /// returns their paths.
  @discardableResult
  package func write(beside path: String, folder: String? = nil) throws -> [String] {
    let url = URL(fileURLWithPath: path).deletingPathExtension()
    let place = folder.map { URL(fileURLWithPath: $0) } ?? url.deletingLastPathComponent()
    let paths = ["report.md", "comparisons.csv"].map {
      place.appendingPathComponent("\(url.lastPathComponent).\($0)").relativePath
    }
    try AtomicFile.write(markdown, to: paths[0])
    try AtomicFile.write(csv, to: paths[1])
    return paths
  }

  /// For the terminal.
  package var text: String { blocks.map(\.text).joined(separator: "\n\n") }

  /// The same, and how each figure is made.
  package var markdown: String {
    (blocks + Self.methods).map(\.markdown).joined(separator: "\n\n") + "\n"
  }

  // MARK: The CSV of comparisons

  private var columns: [String] {
    ["experiment", "split", "metric", "unit", "arm"] + results.varying + [
      "chosen", "reference", "seeds", "question_count", "difference", "low_95", "high_95",
      "degrees", "interval", "questions_drawn", "p", "q", "equivalence_margin",
      "bootstrap_low_95", "bootstrap_high_95", "seeds_low_95", "seeds_high_95",
      "smallest_detectable", "wins", "losses", "exact_p", "exact_q",
    ]
  }

  /// A value for each column, nil if there is none.
  private func values(_ comparison: Comparison) -> [SettingValue?] {
    func number(_ value: Double?) -> SettingValue? {
      value.flatMap { $0.isFinite ? .number($0) : nil }
    }
    let point = results.points[comparison.point]
    let difference = comparison.difference
    let interval = difference.interval()
    let names: [SettingValue?] = [
      .text(results.file.experiment), .text(comparison.split),
      .text(comparison.metric.name.rawValue), .text(comparison.metric.unit.rawValue),
      .text(point.arm),
    ]
    let settings: [SettingValue?] = results.varying.map { name in
      point.varying.first { $0.name == name }.map { .text($0.value) }
    }
    let design: [SettingValue?] = [
      .text(point.isChosen ? "yes" : "no"),
      .text(results.points[comparison.reference].label), .integer(comparison.seeds),
      .integer(comparison.questions),
    ]
    let found: [SettingValue?] = [
      number(difference.value), number(interval.low), number(interval.high),
      difference.degrees > 0 ? number(difference.degrees) : nil, .text(difference.basis.rawValue),
      (comparison.drawing?.rawValue).map { .text($0) }, number(comparison.p),
      number(comparison.q), number(difference.equivalenceMargin()),
      number(comparison.bootstrap?.low), number(comparison.bootstrap?.high),
      number(comparison.overSeeds.low), number(comparison.overSeeds.high),
      number(difference.smallestDetectable()), comparison.tally.map { .integer($0.wins) },
      comparison.tally.map { .integer($0.losses) }, number(comparison.tally?.pValue),
      number(comparison.exactQ),
    ]
    return names + settings + design + found
  }

  /// One JSON object for each comparison, by the names of the columns, without those that are empty.
  package var objects: [JSONValue] {
    comparisons.comparisons.map { comparison in
      .object(
        zip(columns, values(comparison)).compactMap { column, value in
          value.map { JSONMember(key: column, value: $0.json) }
        })
    }
  }

  /// One row for each comparison.
  package var csv: String {
    CSV.text(
      [columns] + comparisons.comparisons.map { values($0).map { $0?.description ?? "" } })
  }

  // MARK: Parts

  static func introduction(_ all: Comparisons) -> [Block] {
    let results = all.results
    let file = results.file
    let runs = file.runs
    let seeds = Set(runs.map(\.seed)).sorted().map(String.init)
    let commits = Set(runs.map(\.commit)).sorted()
    let fixed = file.settings.filter { !results.varying.contains($0) }.compactMap { name in
      runs.lazy.compactMap { $0.settings[name] }.first.map { [name, $0] }
    }
    let lost = runs.flatMap { run in
      run.figures.filter { !$0.value.value.isFinite && !$0.key.split.isEmpty }.map { _ in run.line }
    }
    var limits: [String] = []
    if !file.hasItems {
      limits.append(
        """
        The CSV has no column `items`: intervals are over seeds only (Student's t), and there are \
        no exact tests, no bootstrap and no consistency.
        """)
    }
    for split in results.tests {
      let tasks = results.tasks(split)
      guard file.hasItems, !tasks.isEmpty else { continue }
      limits.append(
        tasks.count < QuestionSampling.fewestDrawnTasks
          ? """
          \(split): its \(tasks.count) tasks (\(tasks.joined(separator: ", "))) are fixed, and \
          questions are drawn within each: intervals of accuracy cover new questions of these \
          tasks only.
          """
          : """
          \(split): its \(tasks.count) tasks are drawn whole: intervals of accuracy cover other \
          tasks of their kind. The CSV does not state the tasks of the dual pairs, which count as \
          independent.
          """)
    }
    let compared = Set(all.comparisons.map(\.point))
    let alone = results.points.indices.filter {
      results.points[$0].arm != results.referenceArm && !compared.contains($0)
    }
    if !alone.isEmpty {
      limits.append(
        """
        Not compared, because they share no seed with the reference: \
        \(alone.map { results.points[$0].label }.joined(separator: ", ")).
        """)
    }
    if !lost.isEmpty {
      limits.append(
        """
        \(lost.count) figures of \(Set(lost).count) runs are NaN or infinite and are left out.
        """)
    }
    let rule = RunRecord.scoringRule
    let name = URL(fileURLWithPath: file.path).lastPathComponent
    var blocks: [Block] = [
      .heading(1, "Report: \(file.experiment)"),
      .paragraph(
        """
        \(runs.count) runs: \(results.points.count) points of \(results.arms.count) arms, seeds \
        \(seeds.joined(separator: ", ")). Commit \(commits.joined(separator: ", ")).
        """),
      .paragraph("`\(name)`, SHA-256 `\(file.sha256)`."),
      .paragraph(
        """
        Differences are to \(said(all)). Bootstrap: \(all.resamples) resamples, seed \(all.seed). \
        \(rule.prefix(1).uppercased())\(rule.dropFirst()).
        """),
    ]
    if !limits.isEmpty { blocks.append(.list(limits)) }
    let settings = Block.table(TextTable([["setting", "value"]] + fixed))
    return blocks + [.heading(2, "Settings of all runs"), settings]
  }

  private static func choice(_ all: Comparisons) -> [Block] {
    let heading = Block.heading(2, "Chosen on validation")
    guard all.results.points.count > all.results.arms.count else {
      return [heading, .paragraph("Each arm has one point: there was nothing to choose.")]
    }
    let rows = all.results.points.map { point in
      let values = point.values("validation", .accuracy)
      return [
        point.label, "\(point.seeds.count)", fractions.value(values.mean),
        point.isChosen ? "chosen" : "",
      ]
    }
    return [
      heading,
      .paragraph(
        """
        For each arm the point with the best mean validation accuracy over its seeds, of equal ones \
        the first.
        """),
      .table(TextTable([["point", "seeds", "validation accuracy", ""]] + rows)),
    ]
  }

  static func accuracy(_ all: Comparisons) -> [Block] {
    let results = all.results
    return results.tests.flatMap { split -> [Block] in
      let tasks = results.tasks(split)
      var rows: [[String]] = []
      for point in results.points {
        let scored = point.seeds.compactMap { point.runs[$0] }.first {
          $0.figure(split, .accuracy) != nil
        }
        guard let run = scored, let count = run.figure(split, .accuracy)?.count else { continue }
        let accuracy = point.mean(MetricKey(split, .accuracy))
        let byTask = tasks.map { task in
          Estimate.meanShare(
            point.values(split, .accuracy, group: task).mean,
            of: run.figure(split, .accuracy, group: task)?.count ?? 0)
        }
        let macro = Estimate.macroAccuracy(ofTasks: byTask)
        let answers = point.seeds.compactMap {
          point.runs[$0]?.figure(split, .accuracy)?.items?.values
        }
        let consistency = Estimate.consistency(answers)
        rows.append([
          point.label + mark(point, results), "\(point.values(split, .accuracy).count)",
          "\(count)", fractions.value(accuracy.value), fractions.interval(accuracy),
          tasks.isEmpty ? "–" : fractions.value(macro.value),
          tasks.isEmpty ? "–" : fractions.interval(macro),
          fractions.value(run.figure(split, .majorityBaseline)?.value ?? .nan),
          fractions.value(point.values(split, .unparsed).mean),
          fractions.value(consistency.value),
          fractions.value(point.values("validation", .accuracy).mean),
        ])
      }
      let header = [
        "point", "seeds", "questions", "accuracy", "95 % (Wilson)", "macro", "95 %",
        "majority baseline", "unparsed", "consistency", "validation",
      ]
      return rows.isEmpty
        ? [] : [.heading(2, "Accuracy, \(split)"), .table(TextTable([header] + rows))]
    }
  }

  private static func differences(_ all: Comparisons) -> [Block] {
    all.groups.flatMap { group -> [Block] in
      let results = all.results
      let (shown, basis) = (FigureText(group.metric.unit), Self.basis(of: group))
      return [
        .heading(
          2, "\(group.metric.name), \(group.split): difference to \(results.referenceArm)"),
        .paragraph(
          basis + (shown.isFraction ? "." : "; lower is better.")
            + (group.comparisons.contains { $0.tally != nil }
              ? " The exact test is McNemar's." : "")),
        .table(table(of: group, all)),
      ]
    }
  }

  /// What the intervals of a group rest on.
  static func basis(of group: ComparisonGroup) -> String {
    let bases = Set(group.comparisons.map(\.difference.basis.rawValue)).sorted()
    let drawn = Set(group.comparisons.compactMap { $0.drawing?.rawValue }).sorted()
    return "Interval and p: \(bases.joined(separator: "; "))"
      + (drawn.isEmpty ? "" : ", questions drawn \(drawn.joined(separator: "; "))")
  }

  /// A row for each comparison of a group.
  static func table(of group: ComparisonGroup, _ all: Comparisons) -> TextTable {
    let results = all.results
    let shown = FigureText(group.metric.unit)
    let exact = group.comparisons.contains { $0.tally != nil }
    let rows = group.comparisons.map { comparison -> [String] in
      let point = results.points[comparison.point]
      let difference = comparison.difference
      let tally = comparison.tally
      return [point.label + mark(point, results)]
        + (all.areMatched ? [results.points[comparison.reference].label] : []) + [
          "\(comparison.seeds)", shown.difference(difference.value),
          shown.differenceInterval(difference.interval()),
          difference.degrees > 0 ? String(format: "%.1f", difference.degrees) : "–",
          probability(comparison.p), probability(comparison.q),
          shown.size(difference.equivalenceMargin()),
          comparison.bootstrap.map(shown.differenceInterval) ?? "–",
          shown.differenceInterval(comparison.overSeeds),
          shown.size(difference.smallestDetectable()),
        ]
        + (exact
          ? [
            tally.map { "\($0.wins) : \($0.losses)" } ?? "–",
            probability(tally?.pValue ?? .nan), probability(comparison.exactQ ?? .nan),
          ] : [])
    }
    let header =
      ["point"] + (all.areMatched ? ["minus"] : []) + [
        "seeds", shown.isFraction ? "points" : group.metric.unit.rawValue, "95 %", "df", "p", "q",
        "within ±", "95 % bootstrap", "95 % over seeds (t)", "detectable",
      ] + (exact ? ["wins : losses", "exact p", "exact q"] : [])
    return TextTable([header] + rows)
  }

  /// How many differences that are no findings are told one by one.
  private static let toldOneByOne = 10

  private static func findings(_ all: Comparisons) -> [Block] {
    let results = all.results
    let items = all.groups.map { group -> String in
      let shown = FigureText(group.metric.unit)
      func name(_ comparison: Comparison) -> String {
        results.points[comparison.point].label
          + (all.areMatched ? " to \(results.points[comparison.reference].label)" : "")
      }
      func said(_ comparison: Comparison) -> String {
        let difference = comparison.difference
        var parts = [
          shown.differenceInterval(difference.interval()), "q \(probability(comparison.q))",
        ]
        let margin = difference.equivalenceMargin()
        if !comparison.isFinding, margin.isFinite { parts.append("within ± \(shown.size(margin))") }
        if comparison.seedsLeaveItOpen {
          parts.append("the interval over the \(comparison.seeds) seeds alone includes zero")
        }
        return "\(name(comparison)) \(shown.difference(difference.value)) "
          + "(\(parts.joined(separator: ", ")))"
      }
      let found = group.findings
      let rest = group.comparisons.filter { !$0.isFinding }
      var lines = [
        "\(group.split), \(group.metric.name): "
          + (group.isAtBaseline
            ? "no point is above the majority baseline, so accuracy does not separate them; " : "")
          + "\(found.count) of \(group.comparisons.count) differences have q ≤ 0.05"
      ]
      for (verdict, word) in [(ForestPlot.Verdict.better, "better"), (.worse, "worse")] {
        lines += found.filter { $0.verdict == verdict }.map { "\(word): \(said($0))" }
      }
      if rest.count <= toldOneByOne {
        lines += rest.map { "unresolved: \(said($0))" }
      } else {
        let margins = rest.map { ($0, $0.difference.equivalenceMargin()) }
          .filter { $0.1.isFinite }.sorted { $0.1 < $1.1 }
        let ends = [margins.first, margins.last].compactMap { $0 }.map {
          "± \(shown.size($0.1)) (\(name($0.0)))"
        }
        lines.append(
          "unresolved: \(rest.count) others"
            + (ends.isEmpty ? "" : ", within \(ends.joined(separator: " to "))"))
      }
      return lines.joined(separator: "\n  - ")
    }
    guard !items.isEmpty else { return [] }
    return [
      .heading(2, "Findings"),
      .paragraph(
        """
        Differences to \(results.referenceArm) with q ≤ 0.05 (Benjamini and Hochberg, over the \
        comparisons of one metric on one test), and the others with the margin within which two \
        one-sided tests at 5 % place the difference.
        """), .list(items),
    ]
  }

  // MARK: Response surfaces

  /// A surface over (log α, β) for each arm in which one of them varies, at each of its other settings.
  static func surfaces(_ all: Comparisons) throws -> [Block] {
    let axes = ["alpha", "beta"]
    var rows: [[String]] = []
    var excluded = 0
    let results = all.results
    for arm in results.arms {
      let own = results.points.filter { $0.arm == arm }
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
          (ComparedMetric.accuracy, ResponseSurface.Direction.highest), (.keyTokenNLL, .lowest),
        ] {
          for split in ["validation"] + results.tests {
            let observations = placed.compactMap { run, place in
              run.figure(split, metric.name).map {
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
                slice.isEmpty ? arm : "\(arm) \(slice)", "\(metric.name), \(split)",
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
        Least squares; in brackets the coefficients' standard errors, clustered by seed. Fractions, \
        not per cent. The optimum's interval is a bootstrap over seeds, and may reach beyond the \
        grid.\(note)
        """),
      .table(
        TextTable(
          [["arm", "metric", "runs", "optimum", "1", "log α", "β", "(log α)²", "log α · β", "β²"]]
            + rows)),
    ]
  }

  /// Log α and β of a run, 0 for one that the arm does not have; nil if α has no logarithm.
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
    return
      "\(name) \(FigureText(metric.unit).value(optimum.value)) at \(places.joined(separator: ", "))"
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

  /// What points are compared with.
  private static func said(_ all: Comparisons) -> String {
    let results = all.results
    let chosen = results.points[results.reference].label
    guard all.areMatched else { return chosen }
    return """
      \(results.referenceArm) at the same settings as far as both have them; chosen points also to \
      its chosen one, \(chosen)
      """
  }

  static func mark(_ point: ResultPoint, _ results: ResultPoints) -> String {
    point.isChosen && results.points.count > results.arms.count ? " (chosen)" : ""
  }

  private static let fractions = FigureText(.fraction)

  static func probability(_ p: Double) -> String {
    guard p.isFinite else { return "–" }
    return String(format: p < 0.001 ? "%.1e" : "%.3f", p)
  }

  /// How each figure is computed.
  static let methods: [Block] = [
    .heading(2, "How the figures are computed"),
    .list([
      """
      accuracy: the mean over seeds of the fraction of correct answers, with Wilson's interval at \
      the number of questions: seeds answer the same questions and add none. macro: the mean of \
      the tasks' accuracies, its interval combined from theirs (Zou and Donner).
      """,
      """
      majority baseline: the accuracy of each task's most frequent answer. unparsed: responses \
      without an answer, which count as wrong. consistency: the probability that two seeds are \
      both right or both wrong on a question.
      """,
      """
      difference: the mean over the seeds that both have of the point's figure minus the \
      reference's, in percentage points or nats.
      """,
      """
      95 %, df, p: a t interval over seeds crossed with questions (variance over seeds + over \
      questions − interaction, Satterthwaite's degrees of freedom). If the CSV has no items: \
      Student's t over seeds. q: p after Benjamini and Hochberg over the comparisons of one metric \
      on one test.
      """,
      """
      within ±: the smallest x for which two one-sided tests at 5 % conclude that the difference \
      lies within ± x.
      """,
      """
      95 % bootstrap: a check; the percentile interval of a bootstrap that draws seeds and \
      questions independently of each other (Owen). It is too narrow with few seeds that differ.
      """,
      """
      95 % over seeds (t): Student's interval of the seeds' differences, for these questions only.
      """,
      """
      detectable: the smallest true difference that the test of p finds at 5 % with power 0.8, if \
      the standard error is the one found here.
      """,
      """
      wins : losses: with one seed, the questions that only the point, and that only the reference, \
      answers correctly; exact p is McNemar's.
      """,
      """
      response surface: a quadratic in log α and β by least squares over all runs of the arm. It \
      has an optimum where its gradient is zero, its Hessian definite and the place within the grid.
      """,
      """
      `docs/statistics.md` has the formulas, their sources and their limits.
      """,
    ]),
  ]
}

/// A part of a report.
enum Block: Sendable {
  case heading(Int, String)
  case paragraph(String)
  case list([String])
  case table(TextTable)

  var text: String {
    switch self {
    case .heading(_, let text): text + "\n" + String(repeating: "─", count: text.count)
    case .paragraph(let text): text.replacing("`", with: "")
    case .list(let items):
      items.map { "- " + $0.replacing("`", with: "") }.joined(separator: "\n")
    case .table(let table): table.text
    }
  }

  var markdown: String {
    switch self {
    case .heading(let level, let text): return String(repeating: "#", count: level) + " " + text
    case .paragraph(let text): return text
    case .list(let items): return items.map { "- " + $0 }.joined(separator: "\n")
    case .table(let table): return table.markdown
    }
  }

}

extension [Block] {
  /// The parts with headings of the level `level`. A table is called after the heading before it, or `label`.
  func html(headings level: Int, label: String) -> String {
    var label = label
    return map { block in
      switch block {
      case .heading(_, let text):
        label = text
        return "<h\(level)>\(HTMLText.escaped(text))</h\(level)>"
      case .paragraph(let text): return "<p>\(HTMLText.withCode(text))</p>"
      case .list(let items):
        return "<ul>" + items.map { "<li>\(HTMLText.withCode($0))</li>" }.joined() + "</ul>"
      case .table(let table): return table.html(label: label)
      }
    }.joined(separator: "\n")
  }
}

extension TextTable {
  /// The table in HTML, in a box that scrolls, with its first column as the rows' headings. Its name is the caption, or
  /// else `label`, which is not shown.
  func html(caption: String? = nil, label: String = "") -> String {
    func isNumber(_ cell: String) -> Bool {
      cell.isEmpty || cell.first.map { "+-−–0123456789".contains($0) } == true
    }
    let body = rows.dropFirst()
    let numeric = (rows.first ?? []).indices.map { column in
      column > 0 && body.allSatisfy { column >= $0.count || isNumber($0[column]) }
    }
    func cells(_ row: [String], isHeader: Bool) -> String {
      row.enumerated().map { column, cell in
        let (element, scope) =
          isHeader ? ("th", " scope=\"col\"") : column == 0 ? ("th", " scope=\"row\"") : ("td", "")
        let style = numeric[min(column, numeric.count - 1)] ? " class=\"n\"" : ""
        // An empty heading would name nothing.
        let isUnnamed = isHeader && cell.isEmpty
        return isUnnamed
          ? "<td></td>" : "<\(element)\(scope)\(style)>\(HTMLText.escaped(cell))</\(element)>"
      }.joined()
    }
    let lines = body.map { "<tr>\(cells($0, isHeader: false))</tr>" }.joined(separator: "\n")
    let title = caption.map { "<caption>\(HTMLText.escaped($0))</caption>" } ?? ""
    let label = HTMLText.escaped(caption ?? label)
    return """
      <div class="table" role="region" tabindex="0" aria-label="\(label)"><table>\(title)
      <thead><tr>\(cells(rows.first ?? [], isHeader: true))</tr></thead>
      <tbody>
      \(lines)
      </tbody></table></div>
      """
  }
}
