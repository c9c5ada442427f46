import Files
import Foundation

/// The learning curve of one stage of a run: a header, whose first column is `step`, and a row of numbers for each step.
struct StageCurve: Sendable {
  let stage: String
  let rows: [[String]]

  /// The rows of several stages in one table, which begins with the column `stage`.
  static func joined(_ curves: [StageCurve]) -> [[String]] {
    var columns: [String] = []
    for curve in curves {
      for name in curve.rows.first ?? [] where !columns.contains(name) { columns.append(name) }
    }
    return [["stage"] + columns]
      + curves.flatMap { curve in
        let place = Dictionary(
          (curve.rows.first ?? []).enumerated().map { ($1, $0) },
          uniquingKeysWith: { first, _ in first })
        return curve.rows.dropFirst().map { row in
          [curve.stage] + columns.map { name in place[name].map { row[$0] } ?? "" }
        }
      }
  }
}

/// The means of a learning curve over a window of steps.
package struct CurveWindow: Sendable {
  package let stage: String
  /// The last one of the window, from 1.
  package let step: Int
  /// The number of runs.
  package let seeds: Int
  /// By column, without those that are empty.
  package let values: [String: Double]
}

/// The learning curves of a sweep, small enough to be kept with its CSV: for each arm at each place of the grid the means
/// over its seeds, and over windows of steps that grow with the step.
package enum MeanCurves {
  /// The last steps of the windows up to `count`: each of the first eight steps, then four windows for each doubling.
  package static func windows(upTo count: Int) -> [Int] {
    var ends = Array(1...8)
    var quarters = 1.0
    while let last = ends.last, last < count {
      ends.append(Int(8 * pow(2, quarters / 4)))
      quarters += 1
    }
    return ends.filter { $0 < count } + (count > 0 ? [count] : [])
  }

  /// A header, and a row for each arm with its settings, stage and window; nil where no run has a curve.
  ///
  /// `step` is the last one of the window, `seeds` the number of runs. A column of the curves that has the name of a
  /// setting gets another one: `learning_rate_at_step`. Throws where a file is no learning curve.
  static func rows(of records: [RunRecord], path: (String) -> String) throws(FileError)
    -> [[String]]?
  {
    var points: [Point] = []
    var columns: [String] = []
    for record in records where FileContents.exists(path(record.id)) {
      let file = path(record.id)
      let table = try CSV.rows(of: file)
      let header = try Self.header(of: table, file: file)
      for name in header.dropFirst(2) where !columns.contains(name) { columns.append(name) }
      let settings = record.settings.map { $0.value?.description ?? "" }
      let known = points.firstIndex { $0.arm == record.arm && $0.settings == settings }
      if known == nil { points.append(Point(arm: record.arm, settings: settings)) }
      try points[known ?? points.count - 1].add(table.dropFirst(), header, file)
    }
    guard !points.isEmpty, let first = records.first else { return nil }
    let settings = first.settings.map(\.name)
    let header =
      ["experiment", "arm"] + settings + ["stage", "step", "seeds"]
      + columns.map { settings.contains($0) ? $0 + "_at_step" : $0 }
    return [header]
      + points.flatMap { point in
        point.rows(columns).map { [first.experiment, point.arm] + point.settings + $0 }
      }
  }

  /// The means of one run's curve over the same windows, by stage.
  ///
  /// Throws where the file at `path` is no learning curve.
  package static func windows(of path: String) throws(FileError) -> [CurveWindow] {
    let table = try CSV.rows(of: path)
    let header = try Self.header(of: table, file: path)
    var point = Point(arm: "", settings: [])
    try point.add(table.dropFirst(), header, path)
    let columns = Array(header.dropFirst(2))
    return point.rows(columns).map { row in
      CurveWindow(
        stage: row[0], step: Int(row[1]) ?? 0, seeds: 1,
        values: Dictionary(
          zip(columns, row.dropFirst(3)).compactMap { name, text in
            Double(text).map { (name, $0) }
          }, uniquingKeysWith: { first, _ in first }))
    }
  }

  /// The columns of a learning curve. Throws where `table` is none.
  private static func header(of table: [CSV.Row], file: String) throws(FileError) -> [String] {
    let header = table.first?.fields ?? []
    guard header.starts(with: ["stage", "step"]) else {
      throw FileError(
        file: file, location: "line 1", expected: "the columns stage and step first",
        found: header.joined(separator: ","))
    }
    return header
  }

  /// An arm at one place of the grid.
  private struct Point {
    let arm: String
    let settings: [String]
    private var stages: [String] = []
    /// For each stage the sums and numbers of a column's values, by step.
    private var sums: [String: [Int: [String: (sum: Double, count: Int)]]] = [:]
    private var runs: [String: Int] = [:]

    init(arm: String, settings: [String]) { (self.arm, self.settings) = (arm, settings) }

    mutating func add(
      _ rows: ArraySlice<CSV.Row>, _ header: [String], _ file: String
    ) throws(FileError) {
      var seen: Set<String> = []
      for row in rows {
        guard row.fields.count == header.count, let step = Int(row.fields[1]),
          (1...1_000_000_000).contains(step)
        else {
          throw FileError(
            file: file, location: "line \(row.line)",
            expected: "\(header.count) fields, the second a step from 1 to 1000000000",
            found: row.fields.prefix(4).joined(separator: ","))
        }
        let stage = row.fields[0]
        if seen.insert(stage).inserted {
          runs[stage, default: 0] += 1
          if !stages.contains(stage) { stages.append(stage) }
        }
        for (name, text) in zip(header, row.fields).dropFirst(2) where !text.isEmpty {
          guard let value = Double(text) else {
            throw FileError(
              file: file, location: "line \(row.line), \(name)", expected: "a number", found: text)
          }
          let before = sums[stage]?[step]?[name] ?? (0, 0)
          sums[stage, default: [:]][step, default: [:]][name] = (
            before.sum + value, before.count + 1
          )
        }
      }
    }

    func rows(_ columns: [String]) -> [[String]] {
      stages.flatMap { stage -> [[String]] in
        var rest = (sums[stage] ?? [:]).sorted { $0.key < $1.key }[...]
        return MeanCurves.windows(upTo: rest.last?.key ?? 0).map { end in
          let window = rest.prefix { $0.key <= end }
          rest = rest.dropFirst(window.count)
          return [stage, "\(end)", "\(runs[stage] ?? 0)"]
            + columns.map { name in
              let parts = window.compactMap { $0.value[name] }
              let count = parts.reduce(0) { $0 + $1.count }
              guard count > 0 else { return "" }
              return String(
                format: "%.5g", parts.reduce(0) { $0 + $1.sum } / Double(count))
            }
        }
      }
    }
  }
}

/// `NAME.steps.csv`, read: the mean learning curves of a sweep.
package struct MeanCurveFile: Sendable {
  /// An arm at one place of the grid.
  package struct Curve: Sendable {
    package let arm: String
    /// By name, without those that the arm does not have.
    package let settings: [String: String]
    /// In the order of the file.
    package fileprivate(set) var windows: [CurveWindow] = []
  }

  package let sha256: String
  /// The columns of figures, in their order.
  package let columns: [String]
  package let curves: [Curve]

  /// Reads the file at `path`. Throws a `FileError` that names the line where it is no such file.
  package init(path: String) throws(FileError) {
    let bytes = try FileContents.bytes(of: path)
    sha256 = SHA256.hex(of: bytes)
    let table = try CSV.rows(bytes, file: path)
    let header = table.first?.fields ?? []
    guard let arm = header.firstIndex(of: "arm"), let stage = header.firstIndex(of: "stage"),
      arm < stage, header[stage...].starts(with: ["stage", "step", "seeds"])
    else {
      throw FileError(
        file: path, location: "line 1",
        expected: "the columns arm, the settings, stage, step and seeds",
        found: header.joined(separator: ","))
    }
    columns = Array(header[(stage + 3)...])
    var curves: [Curve] = []
    for row in table.dropFirst() {
      guard row.fields.count == header.count, let step = Int(row.fields[stage + 1]),
        let seeds = Int(row.fields[stage + 2])
      else {
        throw FileError(
          file: path, location: "line \(row.line)",
          expected: "\(header.count) fields with whole numbers as step and seeds",
          found: row.fields.prefix(4).joined(separator: ","))
      }
      let settings = Dictionary(
        zip(header[(arm + 1)..<stage], row.fields[(arm + 1)..<stage]).filter { !$0.1.isEmpty },
        uniquingKeysWith: { first, _ in first })
      let known = curves.lastIndex { $0.arm == row.fields[arm] && $0.settings == settings }
      if known == nil { curves.append(Curve(arm: row.fields[arm], settings: settings)) }
      var values: [String: Double] = [:]
      for (name, text) in zip(columns, row.fields[(stage + 3)...]) where !text.isEmpty {
        guard let value = Double(text) else {
          throw FileError(
            file: path, location: "line \(row.line), \(name)", expected: "a number", found: text)
        }
        values[name] = value
      }
      curves[known ?? curves.count - 1].windows.append(
        CurveWindow(stage: row.fields[stage], step: step, seeds: seeds, values: values))
    }
    self.curves = curves
  }
}
