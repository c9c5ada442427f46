import Parameters

/// What the flags of an experiment ask for.
///
/// The flags come from the experiment's declaration.
package struct ExperimentOptions: Sendable {
  /// The values of each setting, by name.
  package var values: [String: [SettingValue]]
  package var arms: [Arm]
  package var seeds: [Int]
  package var jobs: Int
  package var output: String
  package var isSmoke = false
  package var isDryRun = false
  package var asksForHelp = false

  /// Reads `arguments`. Throws a `UsageError` that names all that is wrong with them.
  package init(_ arguments: [String], for experiment: Experiment, cores: Int) throws {
    let known = experiment.settings.map(\.flag) + ["--seeds", "--arms", "--jobs", "--output"]
    let switches = ["--smoke", "--dry-run", "--help"]
    let optional = experiment.settings.filter { $0.kind == .flag }.map(\.flag)
    let read = FlagArguments(
      arguments, flags: known.filter { !optional.contains($0) }, optional: optional,
      switches: switches
    ) { argument in
      let near = FlagArguments.nearest(to: argument, of: known + switches) ?? ""
      return "\(argument): no such flag; did you mean \(near)? --help lists them all"
    }
    var problems = read.problems
    let given = read.values
    isSmoke = read.switches.contains("--smoke")
    isDryRun = read.switches.contains("--dry-run")
    asksForHelp = read.switches.contains("--help")

    values = [:]
    for setting in experiment.settings {
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

    seeds = Array(0..<(isSmoke ? experiment.smokeSeeds : experiment.seeds))
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
    arms = experiment.arms.filter { !$0.isOptional }
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
      ?? "results/\(isSmoke ? "scratch/" : "")\(experiment.outputName).csv"
    if !problems.isEmpty, !asksForHelp { throw UsageError(problems: problems) }
  }

  /// What `--help` prints.
  package static func help(_ experiment: Experiment) -> String {
    func rows(_ rows: [(String, String)]) -> String {
      let width = rows.map(\.0.count).max() ?? 0
      return rows.map { "  \($0.0)\(String(repeating: " ", count: width - $0.0.count))  \($0.1)" }
        .joined(separator: "\n")
    }
    let settings = experiment.settings.map { setting in
      let values = setting.values.map(\.description).joined(separator: ",")
      return (
        setting.flag,
        "\(setting.help) (\(setting.kind.allowed); \(values.isEmpty ? "none" : values))"
      )
    }
    return """
      \(experiment.name): \(experiment.question)

      Arms
      \(rows(experiment.arms.map { ($0.name, $0.help + ($0.isOptional ? "; with --arms only" : "")) }))

      Settings; values separated by commas make an axis of the grid
      \(rows(settings))

      Which runs, and where
      \(rows([
        ("--seeds", "how many seeds (5), or which (0,3,7); \(experiment.seeds)"),
        ("--arms", "only these arms"),
        ("--jobs", "runs side by side; as many as there are cores"),
        ("--output", "the CSV; results/\(experiment.outputName).csv"),
        ("--smoke", "a run of a few seconds, to see that all works"),
        ("--dry-run", "print the plan and what of it is finished"),
      ]))

      Example: \(experiment.example)
      """
  }
}
