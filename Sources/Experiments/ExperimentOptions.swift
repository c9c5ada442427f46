import Files

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
  package var output: String
  package var isSmoke = false
  /// Whether the flags select the experiment's variant.
  package var isVariant = false
  /// The flags that say what is run, from which the same plan is made again.
  package var flags: [String]

  /// Everything that is wrong with a call.
  package struct UsageError: Error, CustomStringConvertible {
    package var problems: [String]
    package var description: String { problems.joined(separator: "\n") }
  }

  /// Reads `arguments`. Throws a `UsageError` that names all that is wrong with them.
  package init(_ arguments: [String], for experiment: Experiment, cores: Int) throws {
    var problems: [String] = []
    var given: [String: String] = [:]
    var flags: Set<String> = []
    let switches = ["--smoke", "--dry-run", "--help"]
    let own = ["--seeds", "--arms", "--jobs", "--output"]
    let known = experiment.settings.map(\.flag) + own + switches
    var rest = arguments[...]
    action = .all
    switch rest.first {
    case "plan": action = .plan
    case "collect": action = .collect
    case "run": action = .run("")
    default: break
    }
    if action != .all { rest.removeFirst() }
    if action == .run("") {
      if let id = rest.first, !id.hasPrefix("--") {
        action = .run(rest.removeFirst())
      } else {
        problems.append("run: expected the id of a run of the plan, found none")
      }
    }
    self.flags = []
    while let argument = rest.popFirst() {
      let parts = argument.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
      let flag = parts.first.map(String.init) ?? ""
      guard known.contains(flag) else {
        let near = known.min { distance($0, flag) < distance($1, flag) } ?? ""
        problems.append("\(argument): no such flag; did you mean \(near)? --help lists them all")
        // The value of a mistyped flag is not a second mistake.
        if let next = rest.first, !next.hasPrefix("--") { rest.removeFirst() }
        continue
      }
      if switches.contains(flag) {
        flags.insert(flag)
        if parts.count == 2 {
          problems.append("\(flag): expected no value, found \"\(parts[1])\"")
        }
        if flag == "--smoke" { self.flags.append(flag) }
        continue
      } else if parts.count == 2 {
        given[flag] = String(parts[1])
      } else if let value = rest.first, !value.hasPrefix("--") {
        given[flag] = rest.removeFirst()
      } else {
        problems.append("\(flag): expected a value, found none")
      }
      // The number of jobs is no part of the plan.
      if flag != "--jobs", let value = given[flag] { self.flags.append("\(flag)=\(value)") }
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
        "\(flag): the plan states what is run; expected no flag but --jobs after run or collect")
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
        if let value = setting.value(word) {
          if !found.contains(value) { found.append(value) }
        } else {
          problems.append("\(setting.flag): expected \(setting.allowed), found \"\(word)\"")
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
        || (found.count == 1 && !text.contains(",") && found[0] < 1)
      {
        problems.append(
          "--seeds: expected how many (5), or which (0,3,7), found \"\(text)\"")
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
    jobs = cores
    if let text = given["--jobs"] {
      if let number = Int(text), (1...256).contains(number) {
        jobs = number
      } else {
        problems.append("--jobs: expected a whole number from 1 to 256, found \"\(text)\"")
      }
    }
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
        setting.flag, "\(setting.help) (\(setting.allowed); \(values.isEmpty ? "none" : values))"
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
        ("--jobs", "runs side by side; as many as there are cores"),
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

/// How many letters have to change between two flags.
private func distance(_ a: String, _ b: String) -> Int {
  var row = Array(0...b.count)
  for (i, x) in a.enumerated() {
    var diagonal = row[0]
    row[0] = i + 1
    for (j, y) in b.enumerated() {
      (diagonal, row[j + 1]) = (
        row[j + 1], min(diagonal + (x == y ? 0 : 1), row[j] + 1, row[j + 1] + 1)
      )
    }
  }
  return row[b.count]
}
