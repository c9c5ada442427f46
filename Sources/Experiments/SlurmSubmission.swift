import Files
import Foundation

/// Submitting an experiment to Slurm: what is missing of a plan becomes arrays of jobs that call `stage`, `run` and
/// `collect` of a copy of this program.
///
/// A submission is the folder `runs/NAME/slurm/N-XXXXXX`: the plan, the program, scripts, the lists of their tasks, and
/// logs. The names of its jobs hold its own, so that a task in the queue is found again by name and index, also where
/// the process that submitted it was killed before it could note a job's number.
extension Experiment {
  /// Submits what is missing and neither queued nor under way; with `--dry-run` prints it. Where all runs are finished
  /// the CSV is written at once. Returns false where that did not work.
  func submit(_ options: ExperimentOptions, _ place: Place, _ slurm: SlurmCommands) throws -> Bool {
    var (plan, prepared) = try planned(options, place)
    if prepared.sharesStages { findStages(&plan, prepared, options, place) }
    try show(plan, prepared, options, place, isDetailed: false)
    let isDry = options.action == .dryRun
    let queue = try SlurmQueue(place, slurm, canBeMissing: isDry)
    let finished = Set(try place.records.finished(plan).map(\.id))
    if finished.count == plan.runs.count, !isDry {
      try plan.write(to: place.plan)
      return try collect(plan, place)
    }
    let working = place.claimFolder.working()
    let open = plan.runs.filter { !finished.contains($0.id) }
    let missing = open.filter { working[$0.id] == nil && queue.runs[$0.id] == nil }
    let busy = open.count - missing.count
    if busy > 0 { print("  \(busy) queued or under way, which are not submitted again") }
    guard !missing.isEmpty else {
      if !isDry { try plan.write(to: place.plan) }
      print("  nothing to submit")
      return true
    }
    let scripts = try scripts(for: plan, missing, queue, options, place, slurm)
    if isDry {
      print(scripts.shown)
      return true
    }
    try AtomicFile.check(plan.output)
    try plan.write(to: place.plan)
    try write(scripts, of: plan)
    try submit(scripts, slurm)
    return true
  }

  /// Notes in the plan with which stage each run begins; what an earlier plan says of a run holds.
  private func findStages(
    _ plan: inout Plan, _ prepared: Prepared, _ options: ExperimentOptions, _ place: Place
  ) {
    let before = (try? Plan(path: place.plan))?.runs ?? []
    let known = Dictionary(before.map { ($0.id, $0.stage) }) { first, _ in first }
    let execution = Execution(
      plan: plan, prepared: prepared, place: place, savingInterval: options.savingInterval,
      claims: place.claimFolder, failures: [:], progress: ProgressDisplay("runs", total: 0),
      needsStage: false)
    for index in plan.runs.indices {
      plan.runs[index].stage =
        known[plan.runs[index].id].flatMap { $0 } ?? execution.firstStage(of: plan.runs[index])
    }
  }

  // MARK: Scripts

  /// What is submitted, in this order.
  private struct Scripts {
    var submission: SlurmScript.Submission
    var stages: [SlurmScript]
    var runs: [SlurmScript]
    var collect = SlurmScript(.collect)
    /// Jobs in the queue that make stages which the runs need, and that execute others of the plan's runs.
    var earlierStages: [String]
    var earlierRuns: [String]

    var all: [SlurmScript] { stages + runs + [collect] }

    /// The calls of sbatch; `submit` returns a job's number, or what stands for it.
    func calls<Failure: Error>(
      _ submit: (SlurmScript, [String]) throws(Failure) -> String
    ) throws(Failure) {
      /// The arrays of one kind; with a limit they follow one another, so that it holds for all.
      func call(_ scripts: [SlurmScript], after jobs: [String]) throws(Failure) -> [String] {
        var made: [String] = []
        for script in scripts {
          let previous = script.limit == nil ? [] : made.suffix(1)
          made.append(
            try submit(script, script.command(submission, after: jobs + previous)))
        }
        return made
      }
      let made = try call(stages, after: [])
      let executed = try call(runs, after: earlierStages + made)
      _ = try call([collect], after: earlierRuns + executed)
    }

    /// For `--dry-run`.
    var shown: String {
      var parts: [String] = []
      calls { script, words in
        parts.append(
          "== \(script.file)\n\(script.text(submission))== submitted by\n\(ShellCommand.line(words))"
        )
        if !script.tasks.isEmpty {
          parts.append(
            "== \(script.list), one line for each task\n"
              + script.tasks.map(\.line).joined(separator: "\n"))
        }
        return "<\(script.name)>"
      }
      return parts.joined(separator: "\n\n")
    }
  }

  private func scripts(
    for plan: Plan, _ missing: [PlannedRun], _ queue: SlurmQueue, _ options: ExperimentOptions,
    _ place: Place, _ slurm: SlurmCommands
  ) throws -> Scripts {
    let most = min(slurm.arrayLimit(), 10_000)
    func arrays(_ kind: SlurmScript.Kind, _ tasks: [SlurmScript.Task]) -> [SlurmScript] {
      stride(from: 0, to: tasks.count, by: most).enumerated().map { number, start in
        SlurmScript(
          kind, number: number + 1,
          tasks: Array(tasks[start..<min(start + most, tasks.count)]), limit: options.taskLimit)
      }
    }
    let store = StageStore(folder: place.stages)
    var stages: [SlurmScript.Task] = []
    var earlierStages: Set<String> = []
    var seen: Set<String> = []
    for run in missing {
      guard let stage = run.stage, seen.insert(stage).inserted, !store.isMade(stage) else {
        continue
      }
      if let task = queue.stages[stage] {
        earlierStages.insert(task.job)
      } else {
        // One that another process makes, too: the task waits for it, and the runs for the task.
        stages.append(SlurmScript.Task(run: run.id, stage: stage))
      }
    }
    let planned = Set(plan.runs.map(\.id))
    let earlierRuns = Set(queue.runs.filter { planned.contains($0.key) }.map(\.value.job))
    guard let site = options.slurm else { preconditionFailure("a submission without --engine") }
    let seconds = Int(options.savingInterval / .seconds(1))
    return Scripts(
      submission: try submission(site, plan, place, flags: ["--save-interval=\(seconds)"]),
      stages: arrays(.stages, stages),
      runs: arrays(.runs, missing.map { SlurmScript.Task(run: $0.id) }),
      earlierStages: earlierStages.sorted(), earlierRuns: earlierRuns.sorted())
  }

  private func submission(
    _ options: SlurmOptions, _ plan: Plan, _ place: Place, flags: [String]
  ) throws(FileError) -> SlurmScript.Submission {
    let folder = FileManager.default.currentDirectoryPath
    guard !(folder + place.root).contains(where: \.isNewline) else {
      throw FileError(
        file: folder, expected: "a path without line ends, which no script can name",
        found: "one with them")
    }
    let number = SubmissionFolder.all(place).map(\.number).max() ?? 0
    let id = "\(number + 1)-\(UUID().uuidString.prefix(6).lowercased())"
    return SlurmScript.Submission(
      name: name, folder: "\(place.submissions)/\(id)", id: id, workingFolder: folder,
      options: options, workers: plan.workers, flags: flags)
  }

  // MARK: Submitting

  private func write(_ scripts: Scripts, of plan: Plan) throws {
    let submission = scripts.submission
    let folder = submission.folder
    try AtomicFile.makeFolder(folder + "/log")
    try plan.write(to: folder + "/plan.json")
    let program = SymbolicLink.target(of: "/proc/self/exe") ?? CommandLine.arguments[0]
    let copy = "\(folder)/\(submission.name)"
    try AtomicFile.write(FileContents.bytes(of: program), to: copy)
    guard chmod(copy, 0o755) == 0 else {
      throw FileError(
        file: copy, expected: "a file that can be made executable",
        found: String(cString: strerror(errno)))
    }
    for script in scripts.all {
      if !script.tasks.isEmpty {
        try AtomicFile.write(
          script.tasks.map { $0.line + "\n" }.joined(), to: "\(folder)/\(script.list)")
      }
      try AtomicFile.write(script.text(submission), to: "\(folder)/\(script.file)")
    }
  }

  private func submit(_ scripts: Scripts, _ slurm: SlurmCommands) throws {
    try scripts.calls { script, words in
      let job = try slurm.submit(words)
      let what =
        script.kind == .collect
        ? "collect" : "\(script.tasks.count) \(script.kind.rawValue)"
      print("  job \(job): \(what)")
      return job
    }
    print(
      """
      Submitted: \(scripts.submission.folder)
      How far it is: make status NAME=\(name); the same call again submits what is missing then
      """)
  }
}

/// The folder of a submission.
struct SubmissionFolder {
  let path: String
  /// `N-XXXXXX`.
  let id: String
  let number: Int

  /// Those of the experiment, by their numbers.
  static func all(_ place: Place) -> [SubmissionFolder] {
    let names = (try? FileContents.names(inFolder: place.submissions)) ?? []
    return names.compactMap { name in
      guard let number = name.split(separator: "-").first.flatMap({ Int($0) }), number > 0 else {
        return nil
      }
      return SubmissionFolder(path: "\(place.submissions)/\(name)", id: name, number: number)
    }.sorted { ($0.number, $0.id) < ($1.number, $1.id) }
  }

  /// The tasks of its arrays, by the arrays' names. What cannot be read is left out.
  func tasks() -> [String: [SlurmScript.Task]] {
    var tasks: [String: [SlurmScript.Task]] = [:]
    for file in (try? FileContents.names(inFolder: path)) ?? [] where file.hasSuffix(".txt") {
      guard let bytes = try? FileContents.bytes(of: "\(path)/\(file)") else { continue }
      let lines = String(decoding: bytes, as: UTF8.self).split(separator: "\n")
      tasks[String(file.dropLast(".txt".count))] = lines.map { line in
        let words = line.split(separator: " ").map(String.init)
        return SlurmScript.Task(run: words.first ?? "", stage: words.dropFirst().first)
      }
    }
    return tasks
  }
}

/// What of an experiment waits or runs in Slurm's queue.
struct SlurmQueue {
  /// By the ids of runs, and of stages.
  private(set) var runs: [String: SlurmCommands.QueuedTask] = [:]
  private(set) var stages: [String: SlurmCommands.QueuedTask] = [:]

  /// That of the experiment at `place`. Throws where the queue cannot be read, unless nothing was ever submitted.
  init(_ place: Place, _ slurm: SlurmCommands, canBeMissing: Bool = false) throws(FileError) {
    let folders = SubmissionFolder.all(place)
    guard !folders.isEmpty else { return }
    let queue: [SlurmCommands.QueuedTask]
    do { queue = try slurm.queue() } catch {
      if canBeMissing { return }
      throw error
    }
    var tasks: [String: [String: [SlurmScript.Task]]] = [:]
    for queued in queue {
      let parts = queued.name.split(separator: ".")
      guard parts.count == 3, parts[0] == place.experiment, let index = queued.index,
        let folder = folders.first(where: { $0.id == parts[1] })
      else { continue }
      let lists = tasks[folder.id] ?? folder.tasks()
      tasks[folder.id] = lists
      guard let list = lists[String(parts[2])], list.indices.contains(index) else { continue }
      if let stage = list[index].stage {
        stages[stage] = queued
      } else {
        runs[list[index].run] = queued
      }
    }
  }
}
