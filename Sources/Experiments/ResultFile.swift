import Files
import Foundation

/// An experiment's CSV, read: its runs with their settings and figures.
package struct ResultFile: Sendable {
  package let path: String
  package let sha256: String
  package let experiment: String
  /// The columns that are settings, in their order.
  package let settings: [String]
  /// In the order of their first rows.
  package let runs: [Run]
  /// Whether the file has items.
  package let hasItems: Bool

  package struct Run: Sendable {
    package let id: String
    package let arm: String
    package let seed: Int
    /// By name, without those that the arm does not have.
    package let settings: [String: String]
    package let commit: String
    package let line: Int
    package fileprivate(set) var figures: [MetricKey: Figure] = [:]

    /// The figure at `key`; nil if there is none, or it has no value (NaN, infinite).
    package func figure(_ key: MetricKey) -> Figure? {
      figures[key].flatMap { $0.value.isFinite ? $0 : nil }
    }

    package func figure(_ split: String, _ name: MetricName, group: String = "") -> Figure? {
      figure(MetricKey(split, name, group: group))
    }
  }

  package struct Figure: Sendable {
    package let unit: MetricUnit?
    package let value: Double
    package let count: Int
    /// nil if the file has none, or the figure has no value.
    package let items: Items?
    package let line: Int

    var withoutItems: Figure {
      Figure(unit: unit, value: value, count: count, items: nil, line: line)
    }

    package init(unit: MetricUnit?, value: Double, count: Int, items: Items?, line: Int) {
      self.unit = unit
      self.value = value
      self.count = count
      self.items = items
      self.line = line
    }
  }

  /// A figure item by item: Σ values / Σ weights.
  package struct Items: Hashable, Sendable {
    package var values: [Double]
    package var weights: [Double]

    package init(values: [Double], weights: [Double]) {
      self.values = values
      self.weights = weights
    }

    /// Reads `0110` or `3.21/4 0.5/2`; nil where `text` is neither.
    init?(_ text: String) {
      guard text.utf8.contains(UInt8(ascii: "/")) else {
        values = text.utf8.map { Double($0) - Double(UInt8(ascii: "0")) }
        weights = values.map { _ in 1 }
        guard values.allSatisfy({ $0 == 0 || $0 == 1 }) else { return nil }
        return
      }
      let parts = text.split(separator: " ", omittingEmptySubsequences: false).map {
        $0.split(separator: "/", omittingEmptySubsequences: false).map { Double($0) }
      }
      values = parts.compactMap { $0.count == 2 ? $0[0] : nil }
      weights = parts.compactMap { $0.count == 2 ? $0[1] : nil }
      guard values.count == parts.count, weights.count == parts.count,
        weights.allSatisfy({ $0 >= 0 && $0.isFinite })
      else { return nil }
    }

    /// Whether the figure is `value`, given that each item has four digits only.
    func amount(to value: Double) -> Bool {
      let total = weights.reduce(0, +)
      let size = values.reduce(0) { $0 + abs($1) } / total
      return abs(values.reduce(0, +) / total - value) <= 1e-3 * size + 1e-9
    }
  }

  /// Reads the file at `path`, metrics under their present names.
  ///
  /// Throws a `FileError` that names the line if columns are missing, a number is none, a run or a figure occurs twice,
  /// or items do not fit their count or their figure.
  package init(path: String) throws(FileError) {
    let bytes = try FileContents.bytes(of: path)
    self.path = path
    sha256 = SHA256.hex(of: bytes)
    var rows = try CSV.rows(bytes, file: path)[...]
    let header = rows.popFirst()?.fields ?? []
    let place = Dictionary(header.enumerated().map { ($1, $0) }) { first, _ in first }
    let needed = [
      "experiment", "run", "arm", "seed", "split", "metric", "unit", "value", "count", "commit",
    ]
    let missing = needed.filter { place[$0] == nil }
    guard missing.isEmpty, let arm = place["arm"], let seed = place["seed"], arm < seed else {
      let columns = missing.isEmpty ? "arm, the settings, seed" : missing.joined(separator: ", ")
      throw FileError(
        file: path, location: "line 1",
        expected: "an experiment's CSV, with the columns \(columns)",
        found: Self.short(header.joined(separator: ",")))
    }
    let settings = Array(header[(arm + 1)..<seed])
    var runs: [Run] = []
    var known: [String: Int] = [:]
    var experiment = ""
    for row in rows {
      let (line, fields) = (row.line, row.fields)
      func error(_ expected: String, _ found: String) -> FileError {
        FileError(
          file: path, location: "line \(line)", expected: expected, found: Self.short(found))
      }
      guard fields.count == header.count else {
        throw error("\(header.count) fields", "\(fields.count)")
      }
      func field(_ name: String) -> String { place[name].map { fields[$0] } ?? "" }
      for name in ["experiment", "arm", "split", "group"] + settings
      where CSV.isFormula(field(name)) {
        throw error("\(CSV.plainField), as \(name)", "\"\(field(name))\"")
      }
      guard let seed = Int(field("seed")) else {
        throw error("a whole number as seed", "\"\(field("seed"))\"")
      }
      let run = Run(
        id: field("run"), arm: field("arm"), seed: seed,
        settings: Dictionary(settings.map { ($0, field($0)) }) { first, _ in first }
          .filter { !$0.value.isEmpty },
        commit: field("commit"), line: line)
      experiment = field("experiment")
      if known[run.id] == nil {
        let same = runs.first {
          $0.arm == run.arm && $0.seed == run.seed && $0.settings == run.settings
        }
        if let same {
          throw error(
            "one run for each arm, settings and seed, here run \(same.id) of line \(same.line)",
            "run \(run.id)")
        }
        known[run.id] = runs.count
        runs.append(run)
      }
      let index = known[run.id] ?? 0
      let first = runs[index]
      guard first.arm == run.arm, first.seed == run.seed, first.settings == run.settings else {
        throw error("arm, settings and seed of run \(run.id) as in line \(first.line)", "others")
      }
      guard let value = Double(field("value")) else {
        throw error("a number as value", "\"\(field("value"))\"")
      }
      let unit = MetricUnit.read(field("unit"))
      if unit == .fraction, value.isFinite, !(0...1).contains(value) {
        throw error("a fraction from 0 to 1", "\(value)")
      }
      guard let count = field("count").isEmpty ? 0 : Int(field("count")), count >= 0 else {
        throw error("a whole number as count", "\"\(field("count"))\"")
      }
      var items: Items?
      if !field("items").isEmpty, value.isFinite {
        guard let read = Items(field("items")) else {
          throw error("items as 0110 or 3.21/4 0.5/2", "\"\(field("items"))\"")
        }
        guard read.values.count == count else {
          throw error("\(count) items, as count says", "\(read.values.count)")
        }
        guard read.amount(to: value) else {
          throw error("items whose figure is the value \(value)", "\"\(field("items"))\"")
        }
        items = read
      }
      let (name, group) = MetricName.read(field("metric"), group: field("group"))
      let key = MetricKey(field("split"), name, group: group)
      if let before = first.figures[key] {
        throw error(
          "one row for each run, split, metric and group",
          "a second \(key) of run \(run.id), after line \(before.line)")
      }
      runs[index].figures[key] = Figure(
        unit: unit, value: value, count: count, items: items, line: line)
    }
    guard !runs.isEmpty else { throw FileError(nothingIn: path, expected: "run") }
    self.experiment = experiment
    self.settings = settings
    self.runs = runs
    hasItems = place["items"] != nil
  }

  private static func short(_ text: String) -> String {
    text.count > 80 ? text.prefix(80) + "…" : text
  }
}

// MARK: Writing

extension ResultFile {
  /// The rows of the CSV of `records`, which are of one plan: a header, and a row for each run and metric.
  static func rows(of records: [RunRecord]) -> [[String]] {
    let settings = records.first?.settings.map(\.name) ?? []
    var rows = [
      ["experiment", "run", "arm"] + settings + [
        "seed", "split", "metric", "group", "unit", "value", "low_95", "high_95", "count", "items",
        "run_seconds", "commit",
      ]
    ]
    for record in records {
      let start =
        [record.experiment, record.id, record.arm]
        + record.settings.map { $0.value?.description ?? "" } + ["\(record.seed)"]
      for metric in record.metrics {
        rows.append(
          start + [
            metric.key.split, metric.key.name.rawValue, metric.key.group, metric.unit.rawValue,
            "\(metric.value)", metric.low.map { "\($0)" } ?? "", metric.high.map { "\($0)" } ?? "",
            metric.count > 0 ? "\(metric.count)" : "", metric.items?.text ?? "",
            "\((1000 * record.seconds).rounded() / 1000)", record.commit,
          ])
      }
    }
    return rows
  }
}

extension MetricItems {
  /// In the order of the ids: `0110` if all are 0 or 1, else `3.21/4 0.5/2`, four digits of each value over its weight.
  fileprivate var text: String {
    if weights == nil, values.allSatisfy({ $0 == 0 || $0 == 1 }) {
      return values.map { $0 == 1 ? "1" : "0" }.joined()
    }
    return values.indices.map { index in
      let weight: Double = weights?[index] ?? 1
      return String(format: "%.4g/%g", values[index], weight)
    }.joined(separator: " ")
  }
}
