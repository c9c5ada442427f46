import Files

/// One way to train that an experiment compares.
public struct Arm: Sendable {
  /// As the CSV names it, such as `KRSL`.
  public let name: String
  /// The settings it does not have, whose axes do not multiply it.
  public let without: Set<String>
  /// When it runs only if `--arms` names it.
  public let optional: Condition
  public let help: String

  public init(
    _ name: String, without: Set<String> = [], optional: Condition = .never, help: String
  ) {
    self.name = name
    self.without = without
    self.optional = optional
    self.help = help
  }
}

/// An experiment: its question, its grid, and what one run of it does. The library does the rest:
/// plan, progress, records, resuming, CSV and summary.
public struct Experiment: Sendable {
  /// A variant of an experiment that a flag selects, with defaults of its own.
  public struct Variant: Sendable {
    /// The setting whose flag selects it.
    public let setting: String
    /// What is appended to the CSV's name, so that the default's is not overwritten.
    public let suffix: String
    /// How many seeds run without `--seeds`.
    public let seeds: Int

    public init(setting: String, suffix: String, seeds: Int) {
      self.setting = setting
      self.suffix = suffix
      self.seeds = seeds
    }
  }

  public let name: String
  /// What it asks, in one line.
  public let question: String
  public let arms: [Arm]
  /// The arm that the others are compared with.
  public let reference: String
  public let settings: [Setting]
  /// How many seeds run without `--seeds`, and with `--smoke`.
  public let seeds: Int
  public let smokeSeeds: Int
  public let variant: Variant?
  /// The figures that the summary shows.
  public let summary: [MetricKey]
  /// A call to show in `--help`.
  public let example: String
  /// Called once, before the first run: reads data, and states what all runs depend on.
  public let prepare: @Sendable (PreparationContext) throws -> Prepared
  /// Called with the path of a CSV that was written, and the folder of plans and records: writes what reads the CSV.
  public var report: (@Sendable (_ csv: String, _ folder: String) throws -> Void)?

  public init(
    name: String, question: String, arms: [Arm], reference: String, settings: [Setting],
    seeds: Int, smokeSeeds: Int = 1, variant: Variant? = nil, summary: [MetricKey],
    example: String, prepare: @escaping @Sendable (PreparationContext) throws -> Prepared
  ) {
    precondition(arms.contains { $0.name == reference }, "no arm is called \(reference)")
    precondition(!arms.contains { CSV.isFormula($0.name) }, "an arm is called as a formula")
    self.name = name
    self.question = question
    self.arms = arms
    self.reference = reference
    self.settings = settings
    self.seeds = seeds
    self.smokeSeeds = smokeSeeds
    self.variant = variant
    self.summary = summary
    self.example = example
    self.prepare = prepare
  }
}

/// What an experiment prepares with: the settings, and a folder for files.
public struct PreparationContext: Sendable {
  /// Those that have one value in all runs.
  public let settings: RunSettings
  /// The values that runs may have, by setting.
  public let values: [String: [SettingValue]]
  public let folder: String

  package init(values: [String: [SettingValue]], folder: String) {
    settings = RunSettings(values.compactMapValues { $0.count == 1 ? $0[0] : nil })
    self.values = values
    self.folder = folder
  }
}

/// What all runs of an experiment share.
public struct Prepared: Sendable {
  /// SHA-256 of data, model and tokenizer, by name; part of every run's provenance.
  public var checksums: [String: String]
  /// What else changes numbers, such as the precision, by name; part of every run's provenance.
  public var conditions: [String: String]
  /// What records say of the machine beside `Machine.description()`, such as its BLAS.
  public var machine: [String: String]
  /// Lines to print before the runs start: what the data is, and the majority baselines.
  public var notes: [String]
  /// Whether runs begin with a stage that they share (`RunContext.stage`). Such a stage can be made before the runs; to
  /// find it, a run is called and ended where it asks for the stage, which must not take long.
  public var sharesStages: Bool
  /// One run. It is called on several threads at once.
  public var run: @Sendable (RunContext) throws -> [Metric]

  public init(
    checksums: [String: String], conditions: [String: String] = [:],
    machine: [String: String] = [:], notes: [String] = [], sharesStages: Bool = false,
    run: @escaping @Sendable (RunContext) throws -> [Metric]
  ) {
    self.checksums = checksums
    self.conditions = conditions
    self.machine = machine
    self.notes = notes
    self.sharesStages = sharesStages
    self.run = run
  }

  /// The parts of every run's provenance.
  var inputs: [String: String] {
    conditions.merging(checksums.map { ("sha256 \($0)", $1) }) { own, _ in own }
  }
}
