import Files

/// The runs of an experiment, written as a file: what each is set to, what all depend on, and how
/// their records become a CSV.
package struct Plan: Sendable {
  package var experiment: String
  /// The flags from which it was made.
  package var flags: [String]
  package var code: String
  /// Checksums and conditions, by key, as in `Provenance`.
  package var inputs: [String: String]
  /// The threads of each run. How a sum is split over them changes its last bits.
  package var workers: Int
  /// The settings in the order of the CSV's columns, and which of them are paths.
  package var columns: [String]
  package var files: Set<String>
  package var reference: String
  package var summary: [MetricKey]
  package var seeds: [Int]
  /// The CSV.
  package var output: String
  /// The path of the sweep's learning curves: `NAME.steps.csv`.
  package var curves: String {
    (output.hasSuffix(".csv") ? String(output.dropLast(4)) : output) + ".steps.csv"
  }
  package var runs: [PlannedRun]

  /// What all runs, and the stages that they share, depend on beside settings and code.
  var conditions: [String: String] { inputs.merging(["workers": "\(workers)"]) { own, _ in own } }

  package func provenance(of settings: RunSettings) -> Provenance {
    Provenance(
      of: "experiment \(experiment)", code: code, inputs: conditions,
      settings: settings.values.filter { !files.contains($0.key) })
  }

  /// Throws an error that names what differs from `other`, the plan that the same flags give now.
  func check(_ other: Plan, file: String) throws(FileError) {
    func shared(_ plan: Plan) -> Provenance {
      Provenance(of: plan.experiment, code: plan.code, inputs: plan.conditions, settings: [:])
    }
    try shared(self).check(
      shared(other), file: file, help: " (as planned; plan again to change it)")
  }
}

/// One run of a plan.
package struct PlannedRun: Sendable {
  /// The id of its provenance.
  package var id: String
  package var settings: RunSettings
  /// The arm, the values of the axes, and the seed.
  package var label: String
  /// The id of the shared stage that it begins with; nil where there is none, or nothing has asked for it yet.
  package var stage: String?
}

extension Experiment {
  /// Seeds of which all runs are made before those of the next.
  private static let seedsTogether = 8

  /// The settings of every run, in the order in which they are best made: runs with different seeds
  /// first, so that runs side by side do not wait for one shared stage, but all runs of eight seeds
  /// before those of the next, so that an interrupted sweep has seeds that are whole.
  package func grid(_ options: ExperimentOptions) -> [RunSettings] {
    var grid: [[String: SettingValue]] = []
    for arm in options.arms {
      var points: [[String: SettingValue]] = [["arm": .text(arm.name)]]
      for setting in options.settings where !arm.without.contains(setting.name) {
        let values = options.values[setting.name] ?? []
        guard !values.isEmpty else { continue }
        points = points.flatMap { point in
          values.map { value in point.merging([setting.name: value]) { own, _ in own } }
        }
      }
      grid += points
    }
    return stride(from: 0, to: options.seeds.count, by: Self.seedsTogether).flatMap { start in
      let seeds = options.seeds[start..<min(start + Self.seedsTogether, options.seeds.count)]
      return grid.flatMap { point in
        seeds.map { seed in
          RunSettings(point.merging(["seed": .integer(seed)]) { own, _ in own })
        }
      }
    }
  }

  package func plan(_ options: ExperimentOptions, code: String, inputs: [String: String]) -> Plan {
    var plan = Plan(
      experiment: name, flags: options.flags, code: code, inputs: inputs,
      workers: options.workers, columns: options.settings.map(\.name),
      files: Set(options.settings.filter(\.isFile).map(\.name)), reference: reference,
      summary: summary, seeds: options.seeds, output: options.output, runs: [])
    let axes = plan.columns.filter { (options.values[$0]?.count ?? 0) > 1 }
    plan.runs = grid(options).map { settings in
      let values = axes.compactMap { name in settings.values[name].map { "\(name)=\($0)" } }
      return PlannedRun(
        id: plan.provenance(of: settings).id, settings: settings,
        label: ([settings.arm] + values + ["seed \(settings.seed)"]).joined(separator: " "))
    }
    return plan
  }
}

// MARK: The file

extension Plan {
  /// Whether `text` is the id of a run, which names files.
  package static func isID(_ text: String) -> Bool { text.wholeMatch(of: /[0-9a-f]{16}/) != nil }

  func write(to path: String) throws(FileError) {
    let json = JSONValue.members(
      ("experiment", .string(experiment)), ("flags", .array(flags.map { .string($0) })),
      ("code", .string(code)), ("inputs", .object(inputs.mapValues { .string($0) })),
      ("workers", .integer(workers)), ("columns", .array(columns.map { .string($0) })),
      ("files", .array(files.sorted().map { .string($0) })),
      ("reference", .string(reference)), ("summary", .array(summary.map(\.json))),
      ("seeds", .array(seeds.map { .integer($0) })), ("output", .string(output)),
      (
        "runs",
        .array(
          runs.map { run in
            .members(
              ("id", .string(run.id)), ("label", .string(run.label)),
              ("stage", run.stage.map { .string($0) } ?? .null),
              ("settings", .object(run.settings.values.mapValues(\.json))))
          })
      ))
    try AtomicFile.write(json.text(isIndented: true) + "\n", to: path)
  }

  /// Reads the plan at `path`. Throws an error that names the place where it is none.
  package init(path: String) throws(FileError) {
    let node = try JSONNode(path: path)
    func strings(_ key: String) throws(FileError) -> [String] {
      var strings: [String] = []
      for node in try node.elements(key) { strings.append(try node.string()) }
      return strings
    }
    experiment = try node.string("experiment")
    flags = try strings("flags")
    code = try node.string("code")
    inputs = [:]
    for (key, value) in try node.child("inputs").members() { inputs[key] = try value.string() }
    workers = try node.integer("workers")
    guard ExperimentOptions.workerRange.contains(workers) else {
      throw node.error("workers", expected: "1 to \(ExperimentOptions.workerRange.upperBound)")
    }
    columns = try strings("columns")
    files = Set(try strings("files"))
    reference = try node.string("reference")
    summary = []
    for key in try node.elements("summary") { summary.append(try MetricKey(key)) }
    seeds = try node.integers("seeds")
    output = try node.string("output")
    runs = []
    for run in try node.elements("runs") {
      let settings = try RunSettings(run.child("settings"))
      for name in ["arm", "seed"] where settings.values[name] == nil {
        throw run.child("settings").error(name, expected: "the run's \(name)")
      }
      // It names files.
      let id = try run.string("id")
      guard Self.isID(id) else {
        throw run.error("id", expected: "16 hexadecimal digits")
      }
      runs.append(
        PlannedRun(
          id: id, settings: settings, label: try run.string("label"),
          stage: try run.optionalString("stage")))
    }
  }
}

extension RunSettings {
  /// Throws an error that names the place where `node` is no object of numbers and strings.
  init(_ node: JSONNode) throws(FileError) {
    var values: [String: SettingValue] = [:]
    for (name, node) in try node.members() where !node.isNull {
      values[name] = try SettingValue(node)
    }
    self.init(values)
  }
}

extension MetricKey {
  var json: JSONValue {
    .members(
      ("split", .string(split)), ("metric", .string(name.rawValue)), ("group", .string(group)))
  }

  init(_ node: JSONNode) throws(FileError) {
    self.init(
      try node.string("split"), MetricName(try node.string("metric")),
      group: try node.string("group"))
  }
}

extension JSONValue {
  /// An object whose members keep this order.
  static func members(_ members: (String, JSONValue)...) -> JSONValue {
    .object(members.map { JSONMember(key: $0, value: $1) })
  }
}
