import Files
import Parameters

/// What the flags of an experiment ask for.
///
/// The flags come from the experiment's declaration, which `swift-argument-parser`, whose flags are
/// properties known at compile time, cannot express.
package struct ExperimentOptions: Sendable {
  /// What to do with the experiment.
  package enum Action: Hashable, Sendable {
    /// Plan, run what is missing, collect.
    case all
    /// Write the plan.
    case plan
    /// Execute one run of the plan.
    case run(String)
    /// Make the shared stage that one run of the plan begins with.
    case stage(String)
    /// Write the CSV of the plan's records.
    case collect
    /// Print how far the plan's runs are.
    case status
    /// Print the plan, or what would be submitted.
    case dryRun
    case help
  }

  package var action: Action
  /// The experiment's settings, as they are in the variant that the flags select.
  package var settings: [Setting]
  /// The values of each setting, by name.
  package var values: [String: [SettingValue]]
  package var arms: [Arm]
  package var seeds: [Int]
  package var jobs: Int
  /// How many tasks of a submission may run at once; nil for as many as the scheduler lets.
  package var taskLimit: Int?
  /// What sbatch is asked for; nil where the runs are executed by this process.
  package var slurm: SlurmOptions?
  /// The folder of the submission whose plan is executed or collected; nil for the plan last written.
  package var submission: String?
  /// The threads of each run.
  package var workers: Int
  /// How long a run trains before it saves its state.
  package var savingInterval: Duration
  package var output: String
  package var isSmoke = false
  /// Whether the flags select the experiment's variant.
  package var isVariant = false
  /// The flags that say what is run, from which the same plan is made again.
  package var flags: [String]

  static let workerRange = 1...256
  private static let mostSeeds = 100_000

  /// The flags that are no part of the plan.
  private static let executionFlags: Set = [
    "--jobs", "--save-interval", "--submission", "--engine", "--slurm", "--slurm-defaults",
  ]

  /// Those of them that may follow `run`, `stage` and `collect`.
  private static let taskFlags = ["--jobs", "--save-interval", "--submission"]

  /// Reads `arguments`. Throws a `UsageError` that names all that is wrong with them.
  package init(_ arguments: [String], for experiment: Experiment, cores: Int) throws {
    let own =
      ["--seeds", "--arms", "--workers", "--output"] + Self.executionFlags.sorted()
    let known = experiment.settings.map(\.flag) + own
    let switches = ["--smoke", "--dry-run", "--help"]
    let optional = experiment.settings.filter { $0.kind == .flag }.map(\.flag)
    var rest = arguments[...]
    action = .all
    switch rest.first {
    case "plan": action = .plan
    case "collect": action = .collect
    case "status": action = .status
    case "run": action = .run("")
    case "stage": action = .stage("")
    default: break
    }
    var missing: [String] = []
    let step = action == .all ? "" : rest.removeFirst()
    if action == .run("") || action == .stage("") {
      if let id = rest.first, !id.hasPrefix("--") {
        rest.removeFirst()
        action = step == "run" ? .run(id) : .stage(id)
      } else {
        missing.append("\(step): expected the id of a run of the plan, found none")
      }
    }
    let read = FlagArguments(
      Array(rest), flags: known.filter { !optional.contains($0) }, optional: optional,
      switches: switches
    ) { argument in
      let near = FlagArguments.nearest(to: argument, of: known + switches) ?? ""
      return "\(argument): no such flag; did you mean \(near)? --help lists them all"
    }
    var problems = missing + read.problems
    let given = read.values
    let flags = read.switches
    self.flags =
      (flags.contains("--smoke") ? ["--smoke"] : [])
      + known.compactMap { flag in
        Self.executionFlags.contains(flag) ? nil : given[flag].map { "\(flag)=\($0)" }
      }
    isSmoke = flags.contains("--smoke")
    if flags.contains("--dry-run") { action = .dryRun }
    if flags.contains("--help") { action = .help }
    let allowed: [String]? =
      switch action {
      case .run, .stage, .collect: Self.taskFlags
      case .status: []
      default: nil
      }
    if let allowed {
      let other =
        self.flags.first
        ?? Self.executionFlags.sorted().first { given[$0] != nil && !allowed.contains($0) }
      if let other {
        problems.append(
          "\(other): the plan states what is run; expected "
            + (allowed.isEmpty ? "no flag" : "no flag but \(allowed.joined(separator: ", "))")
            + " after \(step)")
      }
    }
    submission = given["--submission"]
    if submission != nil, allowed?.contains("--submission") != true {
      problems.append("--submission: expected only after run, stage or collect")
    }
    switch given["--engine"] {
    case nil, "local":
      for flag in ["--slurm", "--slurm-defaults"] where given[flag] != nil {
        problems.append("\(flag): expected only with --engine slurm")
      }
    case "slurm":
      do {
        slurm = try SlurmOptions(
          line: given["--slurm"] ?? "", defaults: given["--slurm-defaults"])
      } catch { problems.append("\(error)") }
      if action == .plan { problems.append("--engine: expected only without plan") }
    case let engine?:
      problems.append("--engine: expected local or slurm, found \"\(engine)\"")
    }

    let variantFlag = experiment.variant.flatMap { variant in
      experiment.settings.first { $0.name == variant.setting }?.flag
    }
    let isVariant = variantFlag.map { given[$0] != nil } ?? false
    self.isVariant = isVariant
    settings = experiment.settings.filter { $0.availability.applies(inVariant: isVariant) }
      .map { $0.resolved(inVariant: isVariant) }
    for setting in experiment.settings where given[setting.flag] != nil {
      if !settings.contains(where: { $0.name == setting.name }) {
        problems.append(
          "\(setting.flag): expected only with\(isVariant ? "out" : "") \(variantFlag ?? "")")
      }
    }

    values = [:]
    for setting in settings {
      let standard = (isSmoke ? setting.smoke : nil) ?? setting.values
      guard let text = given[setting.flag] else {
        values[setting.name] = standard
        continue
      }
      var found: [SettingValue] = []
      let words =
        setting.isAxis
        ? text.split(separator: ",", omittingEmptySubsequences: false) : [text[...]]
      for word in words {
        if let value = setting.kind.value(word) {
          let field = setting.isFile ? value.fileName : value.description
          if CSV.isFormula(field) {
            problems.append("\(setting.flag): expected \(CSV.plainField), found \"\(field)\"")
          } else if !found.contains(value) {
            found.append(value)
          }
        } else {
          problems.append("\(setting.flag): expected \(setting.kind.allowed), found \"\(word)\"")
        }
      }
      values[setting.name] = found
    }

    let defaultSeeds = experiment.variant.flatMap { isVariant ? $0.seeds : nil } ?? experiment.seeds
    seeds = Array(0..<(isSmoke ? experiment.smokeSeeds : defaultSeeds))
    if let text = given["--seeds"] {
      let numbers = text.split(separator: ",", omittingEmptySubsequences: false).map { Int($0) }
      let found = numbers.compactMap { $0 }
      if found.count < numbers.count || found.contains(where: { $0 < 0 })
        || (found.count == 1 && !text.contains(",") && !(1...Self.mostSeeds).contains(found[0]))
      {
        problems.append(
          "--seeds: expected how many (5), at most \(Self.mostSeeds), or which (0,3,7), found \"\(text)\""
        )
      } else {
        seeds =
          text.contains(",")
          ? found.reduce(into: []) { if !$0.contains($1) { $0.append($1) } } : Array(0..<found[0])
      }
    }
    arms = experiment.arms.filter { !$0.optional.applies(inVariant: isVariant) }
    if let text = given["--arms"] {
      let names = text.split(separator: ",", omittingEmptySubsequences: false).map(String.init)
      for name in names where !experiment.arms.contains(where: { $0.name == name }) {
        let all = experiment.arms.map(\.name).joined(separator: ", ")
        problems.append("--arms: expected some of \(all), found \"\(name)\"")
      }
      arms = experiment.arms.filter { names.contains($0.name) }
    }
    func number(_ flag: String, _ range: ClosedRange<Int>, default standard: Int) -> Int {
      guard let text = given[flag] else { return standard }
      if let number = Int(text), range.contains(number) { return number }
      problems.append(
        "\(flag): expected a whole number from \(range.lowerBound) to \(range.upperBound), "
          + "found \"\(text)\"")
      return standard
    }
    workers = number("--workers", Self.workerRange, default: slurm?.coresPerTask ?? 1)
    if given["--workers"] == nil, workers > 1 { self.flags.append("--workers=\(workers)") }
    jobs = number("--jobs", Self.jobRange(slurm), default: max(1, cores / workers))
    if given["--jobs"] != nil { taskLimit = jobs }
    if let cores = slurm?.coresPerTask, workers > cores {
      problems.append(
        "--workers: expected at most \(cores), the cores of a task (--cpus-per-task), found \(workers)"
      )
    }
    savingInterval = .seconds(number("--save-interval", 0...1_000_000, default: 60))
    output =
      given["--output"]
      ?? "results/\(isSmoke ? "scratch/" : "")\(experiment.outputName(inVariant: isVariant)).csv"
    if !problems.isEmpty, action != .help { throw UsageError(problems: problems) }
  }

  /// The plan that is executed or collected.
  func planPath(_ place: Place) -> String { submission.map { $0 + "/plan.json" } ?? place.plan }

  /// One process has fewer threads than a cluster has nodes.
  private static func jobRange(_ slurm: SlurmOptions?) -> ClosedRange<Int> {
    1...(slurm == nil ? 256 : 100_000)
  }

  /// What `--help` prints.
  package func help(_ experiment: Experiment) -> String {
    func rows(_ rows: [(String, String)]) -> String {
      TextTable(rows.map { ["  " + $0.0, $0.1] }).text
    }
    let settings = settings.map { setting in
      let values = setting.values.map(\.description).joined(separator: ",")
      return (
        setting.flag,
        "\(setting.help) (\(setting.kind.allowed); \(values.isEmpty ? "none" : values))"
      )
    }
    let arms = experiment.arms.map { arm in
      (
        arm.name,
        arm.help + (arm.optional.applies(inVariant: isVariant) ? "; only with --arms" : "")
      )
    }
    let seeds = experiment.variant.flatMap { isVariant ? $0.seeds : nil } ?? experiment.seeds
    return """
      \(experiment.name): \(experiment.question)

      Arms
      \(rows(arms))

      Settings; values separated by commas make an axis of the grid
      \(rows(settings))

      Which runs, and where
      \(rows([
        ("--seeds", "how many seeds (5), or which (0,3,7); \(seeds)"),
        ("--arms", "only these arms"),
        ("--workers", "threads of each run, which change its last digits; 1"),
        ("--jobs", "runs side by side; as many as there are cores for them, or as the cluster lets"),
        ("--save-interval", "seconds of training between two saved states of a run; 60"),
        ("--output", "the CSV; results/\(experiment.outputName(inVariant: isVariant)).csv"),
        ("--smoke", "a run of a few seconds, to see that all works"),
        ("--dry-run", "print the plan and what of it is finished, or what would be submitted"),
      ]))

      On a cluster; docs/slurm.md says more
      \(rows([
        ("--engine", "local, or slurm: submit what is missing as job arrays; local"),
        ("--slurm", "options of sbatch: --slurm=\"--partition=p --time=4:00:00 --cpus-per-task=4\""),
        ("--slurm-defaults", "a file of such options; \(SlurmOptions.defaultsFile), where it exists"),
      ]))

      Steps; without one of these words plan, run and collect are done
      \(rows([
        ("plan", "write runs/\(experiment.name)/plan.json, a list of the runs with their ids"),
        ("run ID", "execute one run of the plan"),
        ("stage ID", "make the stage that this run begins with, where runs share it"),
        ("collect", "write the CSV and the summary of the plan's finished runs"),
        ("status", "print which runs are done, running, waiting or failed, and the time left"),
      ]))

      Example: \(experiment.example)
      """
  }
}

extension Experiment {
  fileprivate func outputName(inVariant isVariant: Bool) -> String {
    variant.flatMap { isVariant ? "\(name).\($0.suffix)" : nil } ?? name
  }
}
