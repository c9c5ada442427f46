import Files
import Statistics

/// What is printed at the end of an experiment, of the CSV just written: for each of the plan's figures the mean of
/// every point, and its difference to the reference, with the estimates of `keystep report`.
package struct Summary: Sendable {
  package let text: String

  /// Throws a `FileError` if runs were not scored on the same questions.
  package init(_ file: ResultFile, _ plan: Plan) throws(FileError) {
    let arms = file.runs.map(\.arm)
    // Of a plan in progress the reference may be missing.
    let name = arms.contains(plan.reference) ? plan.reference : arms.first ?? ""
    let results = ResultPoints(file, reference: name)
    var tables: [String] = []
    for key in plan.summary {
      if let table = try Self.table(key, results) { tables.append(table.text) }
    }
    text = tables.joined(separator: "\n\n")
  }

  private static func table(_ key: MetricKey, _ results: ResultPoints) throws(FileError)
    -> TextTable?
  {
    guard let outcomes = try results.outcomes(key) else { return nil }
    let unit = outcomes.figures.lazy.flatMap(\.values).first?.unit ?? nil
    let shown = FigureText(unit)
    var rows = [
      [
        heading(key, results), "mean", "95 %",
        "minus \(results.referenceArm)" + (shown.isFraction ? ", points" : ""), "95 %", "seeds",
      ]
    ]
    for (index, point) in results.points.enumerated() where !outcomes.figures[index].isEmpty {
      let mean = point.mean(key)
      var cells = ["", ""]
      if let reference = results.references(of: index).first,
        let (difference, _) = outcomes.difference(index, minus: reference)
      {
        cells = [
          shown.difference(difference.value), shown.differenceInterval(difference.interval()),
        ]
      }
      rows.append(
        [point.label, shown.value(mean.value), shown.interval(mean)] + cells
          + ["\(outcomes.figures[index].count)"])
    }
    return TextTable(rows)
  }

  /// The figure's name, that of an accuracy with the majority baseline.
  private static func heading(_ key: MetricKey, _ results: ResultPoints) -> String {
    var baseline = key
    baseline.name = .majorityBaseline
    guard key.name == .accuracy,
      let figure = results.file.runs.lazy.compactMap({ $0.figure(baseline) }).first
    else { return "\(key)" }
    return "\(key) (majority baseline \(FigureText(.fraction).value(figure.value)))"
  }
}
