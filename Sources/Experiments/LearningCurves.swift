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
      let header = table.first?.fields ?? []
      guard header.starts(with: ["stage", "step"]) else {
        throw FileError(
          file: file, location: "line 1", expected: "the columns stage and step first",
          found: header.joined(separator: ","))
      }
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
