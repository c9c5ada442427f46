import Files
import Foundation

/// An experiment's CSV read back: its runs, with what each was set to and what came of it.
package struct ResultFile: Sendable {
  package let path: String
  package let sha256: String
  package let experiment: String
  /// The columns that are settings, in their order.
  package let settings: [String]
  /// In the order in which they first occur.
  package let runs: [Run]
  /// Whether the figures' items were written.
  package let hasItems: Bool

  package struct Run: Sendable {
    package let id: String
    package let arm: String
    package let seed: Int
    /// By name; those that the arm does not have are absent.
    package let settings: [String: String]
    package let commit: String
    package let line: Int
    package fileprivate(set) var figures: [Key: Figure] = [:]

    /// The figure of a split; nil where there is none, or it has no value (NaN, infinite).
    package func figure(_ split: String, _ metric: String) -> Figure? {
      figures[Key(split: split, metric: metric)].flatMap { $0.value.isFinite ? $0 : nil }
    }
  }

  package struct Key: Hashable, Sendable {
    package let split: String
    package let metric: String
  }

  package struct Figure: Sendable {
    package let value: Double
    package let count: Int
    /// nil where the file has none, or the figure has no value.
    package let items: Items?
    package let line: Int

    package init(value: Double, count: Int, items: Items?, line: Int) {
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

    /// Whether this is `value`, but for the four digits that each item has.
    func amount(to value: Double) -> Bool {
      let total = weights.reduce(0, +)
      let size = values.reduce(0) { $0 + abs($1) } / total
      return abs(values.reduce(0, +) / total - value) <= 1e-3 * size + 1e-9
    }
  }

  /// Reads the file at `path`. Throws a `FileError` that names the line where columns are missing, a number is none,
  /// a run or a figure comes twice, or items do not fit their count or their figure.
  package init(path: String) throws {
    guard let data = FileManager.default.contents(atPath: path) else {
      let there = FileManager.default.fileExists(atPath: path)
      throw FileError(
        file: path, expected: "a readable CSV",
        found: there ? "something that cannot be read" : "no such file")
    }
    let bytes = [UInt8](data)
    self.path = path
    sha256 = SHA256.hex(of: bytes)
    var rows = try Self.rows(bytes, of: path)[...]
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
    for (line, fields) in rows {
      func error(_ expected: String, _ found: String) -> FileError {
        FileError(
          file: path, location: "line \(line)", expected: expected, found: Self.short(found))
      }
      guard fields.count == header.count else {
        throw error("\(header.count) fields", "\(fields.count)")
      }
      func field(_ name: String) -> String { place[name].map { fields[$0] } ?? "" }
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
            "one run for each arm, setting and seed, which run \(same.id) was (line \(same.line))",
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
      if field("unit") == "share", value.isFinite, !(0...1).contains(value) {
        throw error("a share from 0 to 1", "\(value)")
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
          throw error("items that amount to the value \(value)", "\"\(field("items"))\"")
        }
        items = read
      }
      let key = Key(split: field("split"), metric: field("metric"))
      if let before = first.figures[key] {
        throw error(
          "one row for each run, split and metric",
          "a second \(key.split) \(key.metric) of run \(run.id), after line \(before.line)")
      }
      runs[index].figures[key] = Figure(value: value, count: count, items: items, line: line)
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

  /// The rows of a CSV (RFC 4180) with the lines that they begin in; empty lines are passed over.
  private static func rows(_ bytes: [UInt8], of path: String) throws -> [(
    line: Int, fields: [String]
  )] {
    let (quote, comma) = (UInt8(ascii: "\""), UInt8(ascii: ","))
    let (newline, carriageReturn) = (UInt8(ascii: "\n"), UInt8(ascii: "\r"))
    var rows: [(line: Int, fields: [String])] = []
    var fields: [String] = []
    var field: [UInt8] = []
    var (line, start) = (1, 1)
    // Within quotes, and after those that end a field.
    var (isQuoted, isClosed) = (false, false)
    func endField() {
      fields.append(String(decoding: field, as: UTF8.self))
      field.removeAll(keepingCapacity: true)
      isClosed = false
    }
    func endRow() {
      endField()
      if fields != [""] { rows.append((start, fields)) }
      fields = []
    }
    var index = 0
    while index < bytes.count {
      let byte = bytes[index]
      let next = index + 1 < bytes.count ? bytes[index + 1] : newline
      index += 1
      if isQuoted, byte == quote, next == quote, index < bytes.count {
        field.append(quote)
        index += 1
      } else if isQuoted, byte == quote {
        (isQuoted, isClosed) = (false, true)
      } else if isQuoted {
        if byte == newline { line += 1 }
        field.append(byte)
      } else if byte == comma {
        endField()
      } else if byte == newline {
        endRow()
        line += 1
        start = line
      } else if byte == carriageReturn, next == newline {
        continue
      } else if byte == quote, field.isEmpty, !isClosed {
        isQuoted = true
      } else if byte == quote || isClosed {
        throw FileError(
          file: path, location: "line \(line)",
          expected: "quotes around a whole field, doubled within",
          found: "\"\(String(decoding: field.prefix(40), as: UTF8.self))\" and more")
      } else {
        field.append(byte)
      }
    }
    if isQuoted {
      throw FileError(
        file: path, location: "line \(start)", expected: "a field's closing quotes",
        found: "the end of the file")
    }
    if !field.isEmpty || !fields.isEmpty || isClosed { endRow() }
    return rows
  }
}
