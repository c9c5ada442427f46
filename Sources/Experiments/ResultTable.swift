import Foundation
import Statistics

/// The results of an experiment's runs: a tidy CSV, one row for each run and metric, and a summary.
package struct ResultTable {
  let experiment: Experiment
  let options: ExperimentOptions
  let records: [RunRecord]

  package init(_ experiment: Experiment, _ options: ExperimentOptions, _ records: [RunRecord]) {
    self.experiment = experiment
    self.options = options
    self.records = records
  }

  /// The CSV's text. The columns are fixed by the experiment's declaration.
  package var csv: String {
    let settings = experiment.settings.map(\.name)
    let header =
      ["experiment", "run", "arm"] + settings
      + [
        "seed", "split", "metric", "unit", "value", "low_95", "high_95", "count", "items",
        "run_seconds", "commit",
      ]
    var rows = [header]
    for record in records {
      let start =
        [experiment.name, record.identity, record.settings["arm"]?.description ?? ""]
        + experiment.settings.map { setting in
          let value = record.settings[setting.name]?.description ?? ""
          return setting.isFile && !value.isEmpty
            ? URL(fileURLWithPath: value).lastPathComponent : value
        }
        + [record.settings["seed"]?.description ?? ""]
      let commit = record.commit.prefix(12) + (record.isModified ? "+modified" : "")
      for metric in record.metrics {
        rows.append(
          start + [
            metric.split, metric.name, metric.unit, "\(metric.value)",
            metric.low.map { "\($0)" } ?? "", metric.high.map { "\($0)" } ?? "",
            metric.count > 0 ? "\(metric.count)" : "", metric.items?.text ?? "",
            "\((1000 * record.seconds).rounded() / 1000)",
            String(commit),
          ])
      }
    }
    return rows.map { $0.map(Self.quoted).joined(separator: ",") + "\n" }.joined()
  }

  /// A field as RFC 4180 quotes it.
  package static func quoted(_ field: String) -> String {
    guard field.contains(where: { $0 == "," || $0 == "\"" || $0.isNewline }) else { return field }
    return "\"\(field.replacing("\"", with: "\"\""))\""
  }

  /// Writes the CSV anew, the whole file or nothing.
  package func write(to path: String) throws {
    let url = URL(fileURLWithPath: path)
    try FileManager.default.createDirectory(
      at: url.deletingLastPathComponent(), withIntermediateDirectories: true)
    try csv.write(to: url, atomically: true, encoding: .utf8)
  }

  /// For each point of the grid and each metric of the summary: the mean over seeds with its 95 %
  /// interval, and the difference to the reference arm where the settings that both have agree, paired
  /// by seed.
  package var summary: String {
    let points = Dictionary(grouping: records) { label($0) }
    let order = records.map { label($0) }.reduce(into: [String]()) {
      if !$0.contains($1) { $0.append($1) }
    }
    var lines: [String] = []
    for key in experiment.summary {
      let isPercentage = records.contains {
        $0.metrics.contains { $0.key == key && $0.unit == "share" }
      }
      var rows = [
        [
          heading(key), "mean", "95 % interval", "minus \(experiment.reference)", "95 % interval",
          "seeds",
        ]
      ]
      for point in order {
        let found = values(of: key, in: points[point] ?? [])
        guard !found.isEmpty else { continue }
        let reference = values(
          of: key, in: records.filter { isReference($0, of: points[point]?.first) })
        let mean = Estimate.mean(of: found.map(\.value))
        var row = [point, figure(mean.value, isPercentage), interval(mean, isPercentage)]
        let seeds = found.keys.filter { reference[$0] != nil }.sorted()
        if arm(points[point]?.first) != experiment.reference, !seeds.isEmpty {
          let difference = Estimate.pairedDifference(
            seeds.compactMap { found[$0] }, minus: seeds.compactMap { reference[$0] })
          row += [
            figure(difference.value, isPercentage, signed: true),
            interval(difference, isPercentage, signed: true),
          ]
        } else {
          row += ["", ""]
        }
        rows.append(row + ["\(found.count)"])
      }
      if rows.count > 1 { lines.append(Self.aligned(rows)) }
    }
    return lines.joined(separator: "\n\n")
  }

  /// The metric's name, an accuracy's with what guessing scores there.
  private func heading(_ key: String) -> String {
    let floor = key.replacing("accuracy", with: "guessing floor")
    guard floor != key,
      let value = records.first?.metrics.first(where: { $0.key == floor })?.value
    else { return key }
    return "\(key) (guessing \(figure(value, true)))"
  }

  private func arm(_ record: RunRecord?) -> String { record?.settings["arm"]?.description ?? "" }

  /// Whether `record` is what `run` is held against.
  private func isReference(_ record: RunRecord, of run: RunRecord?) -> Bool {
    arm(record) == experiment.reference
      && experiment.settings.allSatisfy { setting in
        let (own, other) = (record.settings[setting.name], run?.settings[setting.name])
        return own == nil || other == nil || own == other
      }
  }

  private func label(_ record: RunRecord) -> String {
    let axes = experiment.settings.filter { (options.values[$0.name]?.count ?? 0) > 1 }.compactMap {
      setting in record.settings[setting.name].map { "\(setting.name)=\($0)" }
    }
    return ([arm(record)] + axes).joined(separator: " ")
  }

  /// The metric's value by seed.
  private func values(of key: String, in records: [RunRecord]) -> [String: Double] {
    var result: [String: Double] = [:]
    for record in records {
      if let metric = record.metrics.first(where: { $0.key == key }) {
        result[record.settings["seed"]?.description ?? ""] = metric.value
      }
    }
    return result
  }

  private func figure(_ value: Double, _ isPercentage: Bool, signed: Bool = false) -> String {
    guard value.isFinite else { return "–" }
    let text = String(format: isPercentage ? "%.1f" : "%.3f", isPercentage ? 100 * value : value)
    return (signed && value > 0 ? "+" : "") + text + (isPercentage ? " %" : "")
  }

  private func interval(_ estimate: Estimate, _ isPercentage: Bool, signed: Bool = false) -> String
  {
    guard estimate.low.isFinite, estimate.high.isFinite else { return "one seed" }
    return "\(figure(estimate.low, isPercentage, signed: signed)) … "
      + figure(estimate.high, isPercentage, signed: signed)
  }

  /// Columns as wide as their widest cell.
  package static func aligned(_ rows: [[String]]) -> String {
    let widths = (rows.first ?? []).indices.map { column in rows.map { $0[column].count }.max() ?? 0
    }
    return rows.map { row in
      zip(row, widths).map { $0 + String(repeating: " ", count: $1 - $0.count) }
        .joined(separator: "  ").trimmingTrailingSpaces
    }.joined(separator: "\n")
  }
}

extension String {
  fileprivate var trimmingTrailingSpaces: String {
    String(reversed().drop { $0 == " " }.reversed())
  }
}
