import Files

/// What a run recorded at each step: a CSV with a row for each, for plots.
///
///     step, epoch         counted from 1
///     loss                the step's, before its update
///     learning_rate
///     gradient_norm       Euclidean, before clipping
///     chosen_nll          mean -log p, in nats a token, of the step's weighted tokens of chosen responses
///     rejected_nll        the same of rejected ones
///
/// After these come the columns of what was measured after a step, under its own names. A field is empty where the step
/// has no such figure, or it is not finite.
public struct LearningCurve: Sendable, Equatable {
  private static let stepColumns = [
    "step", "epoch", "loss", "learning_rate", "gradient_norm", "chosen_nll", "rejected_nll",
  ]

  public private(set) var columns = Self.stepColumns
  /// A value for each of the first columns; the last ones may be missing. NaN where there is none.
  private var rows: [[Double]] = []

  public init() {}

  /// Reads a file that was written as `csv`. Throws a `FileError` where it is no such file.
  public init(path: String) throws(FileError) {
    var lines = try CSV.rows(of: path)[...]
    let header = lines.popFirst()?.fields ?? []
    guard header.starts(with: Self.stepColumns) else {
      throw FileError(
        file: path, location: "line 1",
        expected: "the columns \(Self.stepColumns.joined(separator: ", "))",
        found: header.joined(separator: ", "))
    }
    columns = header
    for line in lines {
      let values = line.fields.compactMap { $0.isEmpty ? Double.nan : Double($0) }
      guard values.count == header.count, line.fields.count == header.count,
        values.prefix(2).allSatisfy({ (1...1e9).contains($0) && $0 == $0.rounded() })
      else {
        throw FileError(
          file: path, location: "line \(line.line)",
          expected: "\(header.count) numbers, step and epoch whole ones from 1 to 1000000000",
          found: line.fields.joined(separator: ","))
      }
      rows.append(values)
    }
  }

  mutating func add(_ report: StepReport) {
    rows.append([
      Double(report.step + 1), Double(report.epoch + 1), report.loss, report.learningRate,
      report.gradientNorm, report.likelihood.chosen ?? .nan, report.likelihood.rejected ?? .nan,
    ])
  }

  /// Notes figures that were measured after the last step.
  mutating func add(_ measured: [(name: String, value: Double)]) {
    guard var row = rows.popLast() else { return }
    for (name, value) in measured {
      let column = columns.firstIndex(of: name) ?? columns.count
      if column == columns.count { columns.append(name) }
      while row.count <= column { row.append(.nan) }
      row[column] = value
    }
    rows.append(row)
  }

  /// Drops what comes after `step`, counted from 1.
  mutating func removeSteps(after step: Int) {
    rows.removeAll { $0[0] > Double(step) }
  }

  /// The rows as text, with the header; numbers to single precision.
  public var table: [[String]] {
    [columns]
      + rows.map { row in
        columns.indices.map { column in
          let value = column < row.count ? row[column] : .nan
          guard value.isFinite else { return "" }
          return column < 2 ? "\(Int(value))" : "\(Float(value))"
        }
      }
  }

  public var csv: String { CSV.text(table) }
}
