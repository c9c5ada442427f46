import Files
import Foundation

/// What one run leaves behind: everything that its rows of the CSV are made of, and where it ran.
public struct RunRecord: Sendable {
  public var experiment: String
  /// The id of its provenance.
  public var id: String
  public var provenance: Provenance
  /// The settings in the order of the CSV's columns; nil for those that the arm does not have. Files
  /// by their names.
  public var settings: [(name: String, value: SettingValue?)]
  public var arm: String
  public var seed: Int
  /// The commit as results cite it.
  public var commit: String
  /// Processor, cores, memory, BLAS.
  public var machine: [String: String]
  public var seconds: Double
  public var finished: Date
  /// SHA-256 of what the run made and does not keep, such as the student's weights, by name.
  public var checksums: [String: String]
  /// Empty if the run failed.
  public var metrics: [Metric]
  /// What went wrong; nil for a finished run.
  public var failure: String?

  /// How runs are scored, all of them.
  public static let scoringRule =
    "validation is what settings are chosen on; each test was scored once, after training"
}

extension RunRecord {
  var json: JSONValue {
    .members(
      ("experiment", .string(experiment)), ("run", .string(id)), ("arm", .string(arm)),
      (
        "settings",
        .object(settings.map { JSONMember(key: $0.name, value: $0.value?.json ?? .null) })
      ), ("seed", .integer(seed)), ("provenance", provenance.json),
      ("commit", .string(commit)), ("machine", .object(machine.mapValues { .string($0) })),
      ("scoring", .string(Self.scoringRule)), ("seconds", .number(seconds)),
      ("finished", .string(finished.formatted(.iso8601))),
      ("checksums", .object(checksums.mapValues { .string($0) })),
      ("failure", failure.map { .string($0) } ?? .null), ("metrics", .array(metrics.map(\.json))))
  }

  /// Throws an error that names the place where `node` is no record.
  init(_ node: JSONNode) throws(FileError) {
    experiment = try node.string("experiment")
    id = try node.string("run")
    arm = try node.string("arm")
    seed = try node.integer("seed")
    provenance = try Provenance(node.child("provenance"))
    settings = []
    for (name, node) in try node.child("settings").members() {
      settings.append((name, node.isNull ? nil : try SettingValue(node)))
    }
    commit = try node.string("commit")
    machine = [:]
    for (key, value) in try node.child("machine").members() { machine[key] = try value.string() }
    seconds = try node.child("seconds").number()
    let date = try node.string("finished")
    guard let finished = try? Date(date, strategy: .iso8601) else {
      throw node.error("finished", expected: "a date as 2026-01-31T12:00:00Z")
    }
    self.finished = finished
    checksums = [:]
    for (key, value) in try node.child("checksums").members() {
      checksums[key] = try value.string()
    }
    failure = try node.optionalString("failure")
    metrics = []
    for metric in try node.elements("metrics") { metrics.append(try Metric(metric)) }
  }
}

extension Metric {
  var json: JSONValue {
    .members(
      ("split", .string(key.split)), ("metric", .string(key.name.rawValue)),
      ("group", .string(key.group)), ("unit", .string(unit.rawValue)),
      ("value", Self.json(value)), ("low_95", low.map(Self.json) ?? .null),
      ("high_95", high.map(Self.json) ?? .null), ("count", .integer(count)),
      ("items", items?.json ?? .null))
  }

  init(_ node: JSONNode) throws(FileError) {
    key = try MetricKey(node)
    guard let unit = MetricUnit(rawValue: try node.string("unit")) else {
      let units = MetricUnit.allCases.map(\.rawValue).joined(separator: ", ")
      throw node.error("unit", expected: "one of \(units)")
    }
    self.unit = unit
    value = try Self.number(node.child("value"))
    low = try node["low_95"].map(Self.number)
    high = try node["high_95"].map(Self.number)
    count = try node.integer("count")
    items = try node["items"].map { node throws(FileError) in try MetricItems(node) }
  }

  /// JSON has no NaN and no infinity: they are the strings `nan`, `inf` and `-inf`.
  fileprivate static func json(_ value: Double) -> JSONValue {
    value.isFinite ? .number(value) : .string("\(value)")
  }

  fileprivate static func number(_ node: JSONNode) throws(FileError) -> Double {
    guard case .string(let text) = node.value else { return try node.number() }
    guard let value = Double(text), !value.isFinite else { throw node.error(expected: "a number") }
    return value
  }
}

extension MetricItems {
  fileprivate var json: JSONValue {
    .members(
      ("ids", .array(ids.map { .string($0) })), ("values", .array(values.map(Metric.json))),
      ("weights", weights.map { .array($0.map(Metric.json)) } ?? .null))
  }

  fileprivate init(_ node: JSONNode) throws(FileError) {
    func numbers(_ node: JSONNode) throws(FileError) -> [Double] {
      var numbers: [Double] = []
      for element in try node.elements() { numbers.append(try Metric.number(element)) }
      return numbers
    }
    var ids: [String] = []
    for id in try node.elements("ids") { ids.append(try id.string()) }
    let values = try numbers(node.child("values"))
    let weights = try node["weights"].map { node throws(FileError) in try numbers(node) }
    guard values.count == ids.count, weights?.count ?? ids.count == ids.count else {
      throw node.error(
        expected: "as many values and weights as ids, \(ids.count)",
        found: "\(values.count) and \(weights?.count ?? ids.count)")
    }
    self.init(ids: ids, values: values, weights: weights)
  }
}

/// The records of an experiment's runs, one JSON file each, which holds a checksum of itself.
package struct RecordStore: Sendable {
  package let folder: String

  package init(folder: String) { self.folder = folder }

  package func path(_ id: String) -> String { "\(folder)/\(id).json" }

  /// The record of `run`, be it that of a failure; nil if there is none. One that is damaged is named on standard
  /// error and set aside as `ID.json.damaged`.
  ///
  /// Throws an error that names what differs if the record is of a run with another provenance, or why the file cannot
  /// be read.
  package func record(_ run: PlannedRun, of plan: Plan) throws(FileError) -> RunRecord? {
    let path = path(run.id)
    guard FileContents.exists(path) else { return nil }
    let bytes: [UInt8]
    do { bytes = try FileContents.bytes(of: path) } catch {
      // It may have been set aside in the meantime.
      if !FileContents.exists(path) { return nil }
      throw error
    }
    let record: RunRecord
    do {
      record = try RunRecord(JSONNode(checksummed: bytes, file: path))
    } catch {
      StandardError.line("\(error); the record is damaged and the run is made again")
      rename(path, path + ".damaged")
      return nil
    }
    try plan.provenance(of: run.settings).check(record.provenance, file: path)
    return record
  }

  /// The record of `run` if it finished, as `record` reads it.
  package func finished(_ run: PlannedRun, of plan: Plan) throws(FileError) -> RunRecord? {
    let record = try record(run, of: plan)
    return record?.failure == nil ? record : nil
  }

  /// The record of the run with this id; nil where there is none that can be read.
  package func record(id: String) -> RunRecord? {
    let path = path(id)
    guard Plan.isID(id), FileContents.exists(path) else { return nil }
    return try? RunRecord(JSONNode(checksummedAt: path))
  }

  /// The finished records of `plan`, in its order.
  package func finished(_ plan: Plan) throws(FileError) -> [RunRecord] {
    var records: [RunRecord] = []
    for run in plan.runs {
      if let record = try finished(run, of: plan) { records.append(record) }
    }
    return records
  }

  /// Writes the record, the whole file or nothing. Throws where the run has a finished one.
  package func write(_ record: RunRecord, of plan: Plan) throws(FileError) {
    let path = path(record.id)
    if let run = plan.runs.first(where: { $0.id == record.id }), try finished(run, of: plan) != nil
    {
      throw FileError(
        file: path, expected: "no finished record yet", found: "one that another process wrote")
    }
    try AtomicFile.write(record.json.withChecksum().text(isIndented: true) + "\n", to: path)
  }
}
