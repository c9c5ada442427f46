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
    /// Write the CSV of the plan's records.
    case collect
    /// Print the plan.
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
  private static let executionFlags: Set = ["--jobs", "--save-interval"]

  /// Reads `arguments`. Throws a `UsageError` that names all that is wrong with them.
  package init(_ arguments: [String], for experiment: Experiment, cores: Int) throws {
    let own = ["--seeds", "--arms", "--workers", "--jobs", "--save-interval", "--output"]
    let known = experiment.settings.map(\.flag) + own
    let switches = ["--smoke", "--dry-run", "--help"]
    let optional = experiment.settings.filter { $0.kind == .flag }.map(\.flag)
    var rest = arguments[...]
    action = .all
    switch rest.first {
    case "plan": action = .plan
    case "collect": action = .collect
    case "run": action = .run("")
    default: break
    }
    var missing: [String] = []
    if action != .all { rest.removeFirst() }
    if action == .run("") {
      if let id = rest.first, !id.hasPrefix("--") {
        action = .run(rest.removeFirst())
      } else {
        missing.append("run: expected the id of a run of the plan, found none")
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
    let isFromPlan =
      switch action {
      case .run, .collect: true
      default: false
      }
    if isFromPlan, let flag = self.flags.first {
      problems.append(
        "\(flag): the plan states what is run; expected no flag but "
          + "\(Self.executionFlags.sorted().joined(separator: " and ")) after run or collect")
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
          if !found.contains(value) { found.append(value) }
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
    workers = number("--workers", Self.workerRange, default: 1)
    jobs = number("--jobs", 1...256, default: max(1, cores / workers))
    savingInterval = .seconds(number("--save-interval", 0...1_000_000, default: 60))
    output =
      given["--output"]
      ?? "results/\(isSmoke ? "scratch/" : "")\(experiment.outputName(inVariant: isVariant)).csv"
    if !problems.isEmpty, action != .help { throw UsageError(problems: problems) }
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
        ("--jobs", "runs side by side; as many as there are cores for them"),
        ("--save-interval", "seconds of training between two saved states of a run; 60"),
        ("--output", "the CSV; results/\(experiment.outputName(inVariant: isVariant)).csv"),
        ("--smoke", "a run of a few seconds, to see that all works"),
        ("--dry-run", "print the plan and what of it is finished"),
      ]))

      Steps; without one of these words all three are done
      \(rows([
        ("plan", "write runs/\(experiment.name)/plan.json, a list of the runs with their ids"),
        ("run ID", "execute one run of the plan"),
        ("collect", "write the CSV and the summary of the plan's finished runs"),
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
