import Evaluation
import Experiments
import Files
import Foundation
import Statistics

/// A report as one self-contained HTML page: the question, the answer in a sentence, forest plots, curves over the
/// settings, learning curves, accuracy by task, chains side by side, and where the figures come from.
///
/// All figures are those of the report. What is beside the CSV is shown where it is there: `NAME.steps.csv`, and of the
/// runs their records, learning curves and responses.
package struct ReportPage: Sendable {
  let report: Report
  /// What the experiment asks; nil if that is not known.
  let question: String?
  let place: Place
  let curves: MeanCurveFile?
  let records: [RunRecord]

  var all: Comparisons { report.comparisons }
  var results: ResultPoints { all.results }

  /// - Parameter runs: the folder of plans and records.
  ///
  /// Throws a `FileError` if `NAME.steps.csv` is there and no such file.
  package init(_ report: Report, question: String? = nil, runs folder: String = "runs") throws {
    self.report = report
    self.question = question
    let file = report.comparisons.results.file
    place = Place(
      root: folder,
      // The name is from a file: it must not lead elsewhere.
      experiment: file.experiment.contains("/") ? "" : file.experiment)
    let steps = Self.path(file.path, "steps.csv")
    curves = FileContents.exists(steps) ? try MeanCurveFile(path: steps) : nil
    let store = place.records
    records = file.runs.compactMap { store.record(id: $0.id) }
  }

  /// The question of the experiment `name`: the first line under the title of its README in the folder `experiments`;
  /// nil if there is none.
  package static func question(of name: String, in folder: String = "experiments") -> String? {
    let path = "\(folder)/\(name)/README.md"
    guard !name.contains("/"), let bytes = try? FileContents.bytes(of: path) else { return nil }
    return String(decoding: bytes, as: UTF8.self).split(separator: "\n")
      .first { !$0.hasPrefix("#") && !$0.allSatisfy(\.isWhitespace) }.map(String.init)
  }

  /// Writes `NAME.html` of the CSV `NAME.csv` at `path` beside it, or into `folder`, and returns its path.
  @discardableResult
  package func write(beside path: String, folder: String? = nil) throws -> String {
    let target = Self.path(path, "html", in: folder)
    try AtomicFile.write(html, to: target)
    return target
  }

  private static func path(_ csv: String, _ ending: String, in folder: String? = nil) -> String {
    let url = URL(fileURLWithPath: csv).deletingPathExtension()
    let place = folder.map { URL(fileURLWithPath: $0) } ?? url.deletingLastPathComponent()
    return place.appendingPathComponent("\(url.lastPathComponent).\(ending)").relativePath
  }

  /// The whole page.
  package var html: String {
    var sections: [(id: String, title: String, html: String)] = [
      ("answer", "Answer", answer), ("differences", "Differences", differences),
      ("settings", "Over the settings", overSettings),
      ("learning", "Learning curves", learningCurves),
      ("tasks", "Accuracy by task", accuracyByTask), ("chains", "Chains side by side", chains),
    ].filter { !$0.2.isEmpty }.map { (id: $0.0, title: $0.1, html: $0.2) }
    sections.append(("provenance", "Provenance", provenance))
    let contents = sections.map { "<li><a href=\"#\($0.id)\">\($0.title)</a></li>" }.joined()
    let body = sections.map { section in
      """
      <section id="\(section.id)" aria-labelledby="\(section.id)-h">
      <h2 id="\(section.id)-h">\(section.title)</h2>
      \(section.html)
      </section>
      """
    }.joined(separator: "\n")
    let name = URL(fileURLWithPath: results.file.path).deletingPathExtension().lastPathComponent
    return HTMLPage(
      title: "\(name): \(question ?? "report")", style: Self.style, script: Self.script,
      body: """
        <a class="skip" href="#answer">Skip to the answer</a>
        <header>
        <p class="name">\(HTMLText.escaped(name))</p>
        <h1>\(HTMLText.escaped(question ?? "Report: \(name)"))</h1>
        <nav aria-label="Contents"><ol>\(contents)</ol></nav>
        </header>
        <main>
        \(body)
        </main>
        """
    ).html
  }

  // MARK: - The answer

  /// The arm that the sentence is about: KRSL or EDIT, or the first one that is compared.
  var subject: Int? {
    let compared = Set(all.comparisons.map(\.point))
    let chosen = results.points.indices.filter {
      compared.contains($0) && results.points[$0].isChosen
        && results.points[$0].arm != results.referenceArm
    }
    for arm in ["krsl", "edit"] {
      if let point = chosen.first(where: { results.points[$0].arm.lowercased() == arm }) {
        return point
      }
    }
    return chosen.first ?? compared.min()
  }

  private var answer: String {
    guard let subject else {
      return
        "<p class=\"answer\">No arm is compared with \(HTMLText.escaped(results.referenceArm)).</p>"
    }
    let groups = all.groups
    let first = groups.first { $0.comparisons.contains { $0.point == subject } }
    let told = first.flatMap { group -> String? in
      let comparison = group.comparisons.first { $0.point == subject }
      return comparison.map { sentence($0, in: group) }
    }
    func counts(_ metric: ComparedMetric, _ split: String) -> String {
      guard let group = groups.first(where: { $0.metric == metric && $0.split == split }) else {
        return "–"
      }
      let found = group.findings
      let better = found.count { $0.verdict == .better }
      return "\(better) better, \(found.count - better) worse of \(group.comparisons.count)"
    }
    let floors = groups.filter(\.isAtBaseline).map(\.split)
    let rows = ComparedMetric.allCases.filter { metric in groups.contains { $0.metric == metric } }
      .map { metric in [metric.title] + results.tests.map { counts(metric, $0) } }
    return """
      <p class="answer">\(told ?? "")</p>
      \(TextTable([["metric"] + results.tests] + rows).html(
        caption: "Resolved differences to \(results.referenceArm), of all points"))
      \(floors.isEmpty
        ? ""
        : "<p>No point is above the majority baseline \(HTMLText.escaped(floors.joined(separator: ", "))), "
          + "so accuracy does not separate them there.</p>")
      <p class="note">Resolved: q ≤ 0.05, where q is p after Benjamini and Hochberg over the \
      comparisons of one metric on one test. Within ±: the smallest margin in which two one-sided \
      tests at 5 % place the difference; it is no test of a margin that is chosen afterwards.</p>
      """
  }

  /// The comparison in a sentence, as HTML.
  private func sentence(_ comparison: Comparison, in group: ComparisonGroup) -> String {
    let difference = comparison.difference
    let shown = FigureText(group.metric.unit)
    let unit =
      shown.isFraction ? "points of \(group.metric.title)" : "nats of \(group.metric.title)"
    let (point, reference) = (
      results.points[comparison.point].label, results.points[comparison.reference].label
    )
    let margin = difference.equivalenceMargin()
    var verdict: String
    switch comparison.verdict {
    case .better: verdict = "<strong>better</strong>"
    case .worse: verdict = "<strong>worse</strong>"
    case .unresolved:
      verdict = "<strong>unresolved</strong>"
      if margin.isFinite { verdict += ", within ± \(shown.size(margin)) by two one-sided tests" }
    }
    if comparison.seedsLeaveItOpen {
      verdict += "; the interval over the \(comparison.seeds) seeds alone includes zero"
    }
    let of = group.comparisons.count
    let interval = interval(difference.interval(), shown)
    return """
      \(HTMLText.escaped(point)) − \(HTMLText.escaped(reference)): \
      \(Self.signed(shown.difference(difference.value))) \(unit), \
      \(HTMLText.escaped(group.split)) (95 % \(interval); \
      q \(Report.probability(comparison.q)) over \(of) comparison\(of == 1 ? "" : "s")): \(verdict).
      """
  }

  private func interval(_ estimate: Estimate, _ shown: FigureText) -> String {
    Self.signed(shown.differenceInterval(estimate))
  }

  /// Numbers with a minus sign in place of a hyphen.
  static func signed(_ number: String) -> String { number.replacing("-", with: "−") }

  // MARK: - Differences

  private var differences: String {
    let groups = all.groups
    let parts = ComparedMetric.allCases.compactMap { metric -> String? in
      let own = groups.filter { $0.metric == metric }
      guard !own.isEmpty else { return nil }
      let found = own.map {
        "\(HTMLText.escaped($0.split)): \($0.findings.count) of \($0.comparisons.count) resolved"
      }.joined(separator: "; ")
      return disclosure(
        "<h3>\(metric.title) <span>\(found)</span></h3>", forest(own), isOpen: metric == .accuracy)
    }
    guard !parts.isEmpty else { return "" }
    return """
      <ul class="legend">
      <li>\(verdictKey(2, "better")) better, \(verdictKey(3, "worse")) worse (q ≤ 0.05)</li>
      <li>\(verdictKey(0, "unresolved")) unresolved</li>
      <li>line: 95 % interval</li><li>grey bar: within ±</li>
      </ul>
      \(parts.joined(separator: "\n"))
      """
  }

  private func verdictKey(_ shape: Int, _ style: String) -> String {
    var drawing = Drawing(width: 26, height: 12)
    drawing.line(1, 6, 25, 6, "interval \(style)")
    drawing.marker(shape, 13, 6, "point \(style)")
    return drawing.decoration
  }

  /// The forest plots and tables of one metric.
  private func forest(_ groups: [ComparisonGroup]) -> String {
    let isGrid = results.points.count > results.arms.count
    let chosen = groups.map { group in
      figure(
        forestPlot(group, ofChosen: true).drawing, id: "f-\(id(group))",
        title: "\(group.metric.title), \(group.split)",
        caption: isGrid
          ? "\(group.split), each arm at the settings chosen on validation"
          : "\(group.split)", description: description(group))
    }
    var html = "<div class=\"panels\">\(chosen.joined(separator: "\n"))</div>"
    if isGrid {
      let grids = groups.map { group in
        figure(
          forestPlot(group, ofChosen: false).drawing, id: "g-\(id(group))",
          title: "\(group.metric.title), \(group.split), all settings",
          caption: "\(group.split), all settings", description: description(group))
      }
      html += disclosure(
        "All \(results.points.count) points",
        "<div class=\"panels\">\(grids.joined(separator: "\n"))</div>")
    }
    for group in groups {
      html += disclosure(
        "Table: \(HTMLText.escaped(group.split))",
        "<p class=\"note\">\(Report.basis(of: group)).</p>"
          + Report.table(of: group, all).html(
            caption: "\(group.metric.title), \(group.split): difference to \(results.referenceArm)"
          ))
    }
    return html
  }

  private func id(_ group: ComparisonGroup) -> String {
    let split = results.tests.firstIndex(of: group.split) ?? 0
    return "\(group.metric.name.rawValue.replacing("_", with: "-"))-\(split)"
  }

  private func description(_ group: ComparisonGroup) -> String {
    let found = group.findings.map {
      "\(results.points[$0.point].label) \(FigureText(group.metric.unit).difference($0.difference.value))"
    }
    return "Differences to \(results.referenceArm) with 95 % intervals. Resolved: "
      + (found.isEmpty ? "none" : found.prefix(12).joined(separator: ", "))
      + (found.count > 12 ? ", and \(found.count - 12) more" : "")
      + ". The table below has all figures."
  }

  /// One row for each arm's choice, the best first; or all, by arm and in the order of the file.
  private func forestPlot(_ group: ComparisonGroup, ofChosen: Bool) -> ForestPlot {
    let shown = FigureText(group.metric.unit)
    let scale = shown.isFraction ? 100.0 : 1
    func row(_ comparison: Comparison, _ label: String) -> ForestPlot.Row {
      let difference = comparison.difference
      let interval = difference.interval()
      let figures =
        Self.signed(shown.difference(difference.value))
        + " (\(self.interval(interval, shown)))"
      return ForestPlot.Row(
        label: label,
        note: all.areMatched ? "to \(results.points[comparison.reference].label)" : "",
        figures: figures, value: scale * difference.value,
        low: scale * interval.low, high: scale * interval.high,
        margin: comparison.isFinding ? .nan : scale * difference.equivalenceMargin(),
        verdict: comparison.verdict)
    }
    let unit =
      (shown.isFraction ? "percentage points" : group.metric.unit.rawValue)
      + (group.metric.isHigherBetter ? ", higher is better" : ", lower is better")
    if ofChosen {
      var known: Set<Int> = []
      let rows = group.comparisons.filter {
        results.points[$0.point].isChosen && known.insert($0.point).inserted
      }.sorted {
        group.metric.isHigherBetter
          ? $0.difference.value > $1.difference.value : $0.difference.value < $1.difference.value
      }
      return ForestPlot(
        [
          .init(
            heading: "",
            rows: rows.map { row($0, results.points[$0.point].label) })
        ], unit: unit)
    }
    let groups = results.arms.compactMap { arm -> ForestPlot.Group? in
      let own = group.comparisons.filter { results.points[$0.point].arm == arm }
      guard !own.isEmpty else { return nil }
      // An arm without settings of its own is one row.
      let isPlain = own.allSatisfy { results.points[$0.point].varying.isEmpty }
      return ForestPlot.Group(
        heading: isPlain ? "" : arm,
        rows: own.map {
          let point = results.points[$0.point]
          return row($0, (isPlain ? arm : settings(point)) + Report.mark(point, results))
        })
    }
    return ForestPlot(groups, unit: unit)
  }

  private func settings(_ point: ResultPoint, without left: String? = nil) -> String {
    point.varying.filter { $0.name != left }.map { "\($0.name)=\($0.value)" }
      .joined(separator: " ")
  }

  // MARK: - Over the settings

  /// The settings that vary and are numbers.
  private var numericSettings: [String] {
    results.varying.filter { name in
      let values = results.points.compactMap { point in
        point.varying.first { $0.name == name }?.value
      }
      return Set(values).count > 1 && values.allSatisfy { Double($0)?.isFinite == true }
    }
  }

  private var overSettings: String {
    let settings = numericSettings.filter { name in
      results.arms.contains { arm in
        Set(
          results.points.filter { $0.arm == arm }.compactMap { point in
            point.varying.first { $0.name == name }?.value
          }
        ).count > 1
      }
    }
    let groups = all.groups.filter { $0.metric != .macroAccuracy }
    let parts = settings.map { setting in
      let lines = lines(over: setting)
      let byMetric = ComparedMetric.allCases.compactMap { metric -> String? in
        let own = groups.filter { $0.metric == metric }
        guard !own.isEmpty else { return nil }
        return disclosure(
          "<h4>\(metric.title)</h4>",
          legend(lines) + own.map { sweep(over: setting, lines, $0) }.joined(separator: "\n"),
          isOpen: metric == .accuracy)
      }
      return "<h3>\(HTMLText.escaped(setting))</h3>\n" + byMetric.joined(separator: "\n")
    }
    let surfaces = ((try? Report.surfaces(all)) ?? []).dropFirst()
    guard !parts.isEmpty else { return "" }
    return parts.joined(separator: "\n")
      + (surfaces.isEmpty
        ? ""
        : disclosure(
          "<h3>Response surfaces</h3>",
          Array(surfaces).html(headings: 4, label: "response surfaces")))
  }

  /// The choices of the settings other than `setting`, each a line of its own.
  private func lines(over setting: String) -> [String] {
    results.points.filter { point in point.varying.contains { $0.name == setting } }
      .map { settings($0, without: setting) }
      .reduce(into: [String]()) { if !$0.contains($1) { $0.append($1) } }
  }

  /// A panel for each arm: the difference to the reference over one setting, a line for each of `names`, the choices of
  /// the others.
  private func sweep(over setting: String, _ names: [String], _ group: ComparisonGroup) -> String {
    let shown = FigureText(group.metric.unit)
    let scale = shown.isFraction ? 100.0 : 1
    var values: Set<Double> = []
    var panels: [(arm: String, series: [(name: String, points: [LinePlot.Point])])] = []
    var known: Set<Int> = []
    for comparison in group.comparisons where known.insert(comparison.point).inserted {
      let point = results.points[comparison.point]
      guard let x = point.varying.first(where: { $0.name == setting }).flatMap({ Double($0.value) })
      else { continue }
      values.insert(x)
      let others = settings(point, without: setting)
      let panel = panels.firstIndex { $0.arm == point.arm }
      if panel == nil { panels.append((point.arm, [])) }
      let index = panel ?? panels.count - 1
      let line = panels[index].series.firstIndex { $0.name == others }
      if line == nil { panels[index].series.append((others, [])) }
      let interval = comparison.difference.interval()
      func end(_ value: Double) -> Double? { value.isFinite ? scale * value : nil }
      panels[index].series[line ?? panels[index].series.count - 1].points.append(
        .init(
          x: x, y: scale * comparison.difference.value, low: end(interval.low),
          high: end(interval.high)))
    }
    let ticks = values.sorted()
    // Values that grow by factors.
    let isLogarithmic =
      (ticks.first ?? 0) > 0 && ticks.count > 2 && (ticks.last ?? 1) / (ticks.first ?? 1) >= 8
    let figures = panels.enumerated().filter { $0.element.series.contains { $0.points.count > 1 } }
      .map { index, panel -> String in
        var plot = LinePlot(
          title: panel.arm, xLabel: setting, yLabel: shown.isFraction ? "points" : "nats",
          series: panel.series.map { line in
            .init(
              line.name, style: names.firstIndex(of: line.name) ?? 0,
              line.points.sorted { $0.x < $1.x })
          }, spread: .bars)
        plot.isLogarithmic = isLogarithmic
        plot.xTicks = ticks.count <= 8 ? ticks : nil
        plot.hasZeroLine = true
        let number = results.varying.firstIndex(of: setting) ?? 0
        return figure(
          plot.drawing, id: "s\(number)-\(id(group))-\(index)",
          title: "\(panel.arm), \(group.metric.title), \(group.split), over \(setting)",
          caption: nil, description: told(plot))
      }
    guard !figures.isEmpty else { return "" }
    return """
      <figure class="many"><figcaption>\(HTMLText.escaped(group.split)): difference to \
      \(HTMLText.escaped(results.referenceArm)) over \(HTMLText.escaped(setting)), with 95 % \
      intervals; the tables above have the figures. Each panel has its own scale.\
      \(names.count > 6 ? " Colours and markers repeat after six lines." : "")</figcaption>
      <div class="panels small">\(figures.joined(separator: "\n"))</div></figure>
      """
  }

  /// What a drawing shows, for those who do not see it.
  private func told(_ plot: LinePlot) -> String {
    plot.series.prefix(8).compactMap { series in
      guard let first = series.points.first, let last = series.points.last else { return nil }
      func number(_ x: Double) -> String { String(format: "%.4g", x) }
      return (series.name.isEmpty ? "" : series.name + ": ")
        + "from \(number(first.y)) at \(number(first.x)) to \(number(last.y)) at \(number(last.x))"
    }.joined(separator: "; ")
  }

  private func legend(_ names: [String]) -> String {
    guard names.count > 1 else { return "" }
    return "<ul class=\"legend\">"
      + names.enumerated().map {
        "<li>\(LinePlot.key($0)) \($1.isEmpty ? "no other setting" : HTMLText.escaped($1))</li>"
      }.joined() + "</ul>"
  }

  // MARK: - Learning curves

  /// A figure of the learning curves: the columns that one panel shows.
  private static let curveFigures: [(title: String, columns: [String], unit: String)] = [
    ("Chosen and rejected −log p", ["chosen_nll", "rejected_nll"], "nats a token"),
    ("Loss", ["loss"], ""), ("Gradient norm, before clipping", ["gradient_norm"], ""),
  ]

  private var learningCurves: String {
    guard let curves else { return "" }
    let validation = curves.columns.filter { $0.hasPrefix("validation_") }
    let figures =
      Self.curveFigures
      + validation.map { ($0.replacing("_", with: " "), [$0], "") }
    let firstValidation = Self.curveFigures.count
    let arms = results.points.filter(\.isChosen)
    let shown = arms.compactMap { point -> (ResultPoint, [CurveWindow], [[CurveWindow]])? in
      let own = curves.curves.filter { curve in
        curve.arm == point.arm && point.varying.allSatisfy { curve.settings[$0.name] == $0.value }
      }
      guard let stage = own.first?.windows.last?.stage, let windows = own.first?.windows else {
        return nil
      }
      return (point, windows.filter { $0.stage == stage }, runs(of: point, stage))
    }
    guard !shown.isEmpty else { return "" }
    let hasBands = shown.contains { $0.2.count > 1 }
    let parts = figures.enumerated().compactMap { number, figure -> (Int, String)? in
      guard figure.columns.contains(where: curves.columns.contains) else { return nil }
      let panels = shown.enumerated().compactMap { index, curve -> String? in
        panel(
          curve.0, curve.1, curve.2, figure.columns, figure.unit,
          id: "l\(number)-\(index)", title: figure.title)
      }
      guard !panels.isEmpty else { return nil }
      let level = number < firstValidation ? 3 : 4
      let drawn = "<div class=\"panels small\">\(panels.joined(separator: "\n"))</div>"
      return (
        number,
        disclosure(
          "<h\(level)>\(HTMLText.escaped(figure.title))</h\(level)>",
          (figure.columns.count > 1 ? legend(["chosen responses", "rejected responses"]) : "")
            + drawn, isOpen: number == 0)
      )
    }
    let (training, held) = (
      parts.filter { $0.0 < firstValidation }.map(\.1),
      parts.filter { $0.0 >= firstValidation }.map(\.1)
    )
    let columns = curves.columns.filter { column in
      column != "epoch" && shown.contains { $0.1.contains { $0.values[column] != nil } }
    }
    let rows = shown.flatMap { point, windows, _ in
      windows.map { window in
        [point.label, window.stage, "\(window.step)", "\(window.seeds)"]
          + columns.map { window.values[$0].map { String(format: "%.4g", $0) } ?? "" }
      }
    }
    return """
      <p>Means over seeds and over windows of steps\
      \(hasBands ? "; bands from the lowest seed to the highest" : ""). Each panel has its own \
      scale. A run has the curve of its second stage, or of stage 1 where it has no other.</p>
      \(training.joined(separator: "\n"))
      \(held.isEmpty ? "" : disclosure("<h3>Validation</h3>", held.joined(separator: "\n")))
      \(disclosure(
        "Table of the curves",
        TextTable([["point", "stage", "step", "seeds"] + columns] + rows).html(
          caption: "Learning curves, means over seeds and steps")))
      """
  }

  /// The curves of the runs of `point` over the same windows, of those that are there.
  private func runs(of point: ResultPoint, _ stage: String) -> [[CurveWindow]] {
    point.seeds.compactMap { seed in
      guard let id = point.runs[seed]?.id, Plan.isID(id), FileContents.exists(place.curve(id))
      else { return nil }
      return (try? MeanCurves.windows(of: place.curve(id)))?.filter { $0.stage == stage }
    }
  }

  private func panel(
    _ point: ResultPoint, _ windows: [CurveWindow], _ runs: [[CurveWindow]], _ columns: [String],
    _ unit: String, id: String, title: String
  ) -> String? {
    let series = columns.enumerated().compactMap { style, column -> LinePlot.Series? in
      let points = windows.compactMap { window -> LinePlot.Point? in
        guard let mean = window.values[column] else { return nil }
        let seeds = runs.compactMap { run in
          run.first { $0.step == window.step }?.values[column]
        }
        // A band of some of the seeds would mislead.
        let isWhole = seeds.count == window.seeds && seeds.count > 1
        return LinePlot.Point(
          x: Double(window.step), y: mean, low: isWhole ? seeds.min() : nil,
          high: isWhole ? seeds.max() : nil)
      }
      return points.isEmpty ? nil : LinePlot.Series(column, style: style, points)
    }
    guard !series.isEmpty else { return nil }
    let plot = LinePlot(
      title: point.arm, xLabel: "step of \(windows.first?.stage ?? "")", yLabel: unit,
      series: series, spread: .bands)
    return figure(
      plot.drawing, id: id, title: "\(point.label): \(title)", caption: nil,
      description: told(plot))
  }

  // MARK: - Tasks

  private var accuracyByTask: String {
    let parts = results.tests.compactMap { split -> String? in
      let tasks = results.tasks(split)
      let points = results.points.filter {
        $0.isChosen && !$0.values(split, .accuracy).isEmpty
      }
      guard !points.isEmpty else { return nil }
      let shown = FigureText(.fraction)
      let rows = points.map { point -> [String] in
        [point.label, "\(point.values(split, .accuracy).count)"]
          + ([""] + tasks).map { task in
            let estimate = point.mean(MetricKey(split, .accuracy, group: task))
            return "\(shown.value(estimate.value)) (\(shown.interval(estimate)))"
          }
      }
      let baselines = ([""] + tasks).map { task in
        points.lazy.flatMap(\.runs.values)
          .compactMap { $0.figure(split, .majorityBaseline, group: task)?.value }.first
      }
      let floor = ["majority baseline", ""] + baselines.map { shown.value($0 ?? .nan) }
      let header = ["point", "seeds", "all questions"] + tasks
      return TextTable([header] + rows + [floor]).html(
        caption: "Accuracy, \(split), with Wilson's 95 % intervals")
    }
    guard !parts.isEmpty else { return "" }
    let whole = Report.accuracy(all).html(headings: 3, label: "accuracy of all points")
    return parts.joined(separator: "\n")
      + disclosure("All points, with macro accuracy, unparsed responses and consistency", whole)
  }

  // MARK: - Provenance

  private var provenance: String {
    let file = results.file
    let name = URL(fileURLWithPath: file.path).lastPathComponent
    func code(_ text: String) -> String { "<code>\(HTMLText.escaped(text))</code>" }
    var facts: [(String, String)] = []
    if let curves {
      facts.append((name.replacing(".csv", with: ".steps.csv"), "SHA-256 \(code(curves.sha256))"))
    }
    let inputs = Set(
      records.flatMap { record in
        record.provenance.parts.filter { $0.key != "run" && !$0.key.hasPrefix("setting ") }
          .map { "\($0.key)\t\($0.value)" }
      }
    ).sorted()
    for line in inputs {
      let parts = line.split(separator: "\t", maxSplits: 1).map(String.init)
      facts.append((parts[0], code(parts.count > 1 ? parts[1] : "")))
    }
    let machines = Set(
      records.map { record in
        record.machine.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value)" }
          .joined(separator: ", ")
      }
    ).sorted()
    for machine in machines { facts.append(("machine", HTMLText.escaped(machine))) }
    if !records.isEmpty {
      let seconds = records.map(\.seconds).reduce(0, +)
      facts.append(("time of \(records.count) runs", String(format: "%.1f hours", seconds / 3600)))
    } else {
      facts.append(
        ("records", "none of these runs in \(code("\(place.root)/\(file.experiment)/records"))"))
    }
    let parts = Array(Report.introduction(all).dropFirst())
    return "<div class=\"facts\">\(HTMLText.facts(facts))</div>"
      + parts.html(headings: 3, label: "settings")
      + disclosure(
        "How the figures are computed",
        Array(Report.methods.dropFirst()).html(headings: 3, label: "methods"))
  }

  // MARK: - Elements

  /// `summary` and `content` are HTML.
  func disclosure(_ summary: String, _ content: String, isOpen: Bool = false) -> String {
    "<details\(isOpen ? " open" : "")><summary>\(summary)</summary>\n\(content)\n</details>\n"
  }

  private func figure(
    _ drawing: Drawing, id: String, title: String, caption: String?, description: String
  ) -> String {
    let svg = drawing.svg(id: id, title: title, description: description)
    return caption.map {
      "<figure><figcaption>\(HTMLText.escaped($0))</figcaption>\(svg)</figure>"
    } ?? "<div>\(svg)</div>"
  }
}
