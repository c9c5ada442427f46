import Files
import Foundation
import Parameters

extension Experiment {
  /// The whole of an experiment's executable: reads the flags, writes the plan, executes the runs
  /// that are missing, writes the CSV, prints a summary, and ends the process with status 0, 1 if a
  /// run failed, or 2 if the call made no sense.
  public func main(_ arguments: [String] = Array(CommandLine.arguments.dropFirst())) -> Never {
    exit(run(arguments))
  }

  /// `main` up to the end of the process: returns its exit status. The plan and the records go to
  /// `<folder>/<name>`, what runs share, those of other experiments too, to `<folder>/stages`.
  package func run(_ arguments: [String], folder: String = "runs") -> Int32 {
    do {
      let options = try ExperimentOptions(arguments, for: self, cores: AvailableCores.count)
      let place = Place(root: folder, experiment: name)
      switch options.action {
      case .help:
        print(options.help(self))
        return 0
      case .dryRun:
        let (plan, prepared) = try planned(options, place)
        try show(plan, prepared, options, place, isDetailed: true)
        return 0
      case .plan:
        let (plan, prepared) = try planned(options, place)
        try plan.write(to: place.plan)
        try show(plan, prepared, options, place, isDetailed: true)
        print("Plan: \(place.plan)")
        return 0
      case .run(let id):
        return try execute(id, jobs: options.jobs, place) ? 0 : 1
      case .collect:
        return try collect(Plan(path: place.plan), place) ? 0 : 1
      case .all:
        let (plan, prepared) = try planned(options, place)
        try plan.write(to: place.plan)
        try show(plan, prepared, options, place, isDetailed: false)
        try execute(plan, prepared, on: LocalThreads(count: options.jobs), place)
        return try collect(plan, place) ? 0 : 1
      }
    } catch let error as UsageError {
      StandardError.line("\(error)")
      return 2
    } catch {
      StandardError.line("\(name): \(error)")
      return 1
    }
  }

  // MARK: Plan

  private func planned(_ options: ExperimentOptions, _ place: Place) throws -> (Plan, Prepared) {
    let fixed = options.values.compactMapValues { $0.count == 1 ? $0[0] : nil }
    let prepared = try prepare(
      PreparationContext(settings: RunSettings(fixed), folder: place.data))
    return (plan(options, code: CodeVersion().key, inputs: prepared.inputs), prepared)
  }

  private func show(
    _ plan: Plan, _ prepared: Prepared, _ options: ExperimentOptions, _ place: Place,
    isDetailed: Bool
  ) throws {
    let finished = Set(try place.records.finished(plan).map(\.id))
    print("\(name): \(question)")
    for note in prepared.notes { print("  " + note) }
    print(
      "  \(plan.runs.count) runs (\(options.arms.count) arms, seeds "
        + "\(plan.seeds.map(String.init).joined(separator: ","))), "
        + "\(plan.runs.count { finished.contains($0.id) }) finished before, "
        + "\(options.jobs) side by side")
    guard isDetailed else { return }
    for run in plan.runs {
      print("  \(finished.contains(run.id) ? "finished" : "to run  ") \(run.id)  \(run.label)")
    }
  }

  // MARK: Run

  /// Executes the runs of `plan` that are missing.
  private func execute(
    _ plan: Plan, _ prepared: Prepared, on executor: some Executor, _ place: Place
  ) throws {
    let finished = Set(try place.records.finished(plan).map(\.id))
    let missing = plan.runs.filter { !finished.contains($0.id) }
    guard !missing.isEmpty else { return }
    Interruption.watch()
    let progress = ProgressDisplay(
      "runs", total: missing.count, jobs: executor.jobs(for: missing.count),
      sharedCount: plan.seeds.count)
    let execution = Execution(plan: plan, prepared: prepared, place: place, progress: progress)
    executor.execute(missing) { execution.execute($0, threads: $1) != .interrupted }
    progress.close()
  }

  /// Executes one run of the plan that is written; returns whether it is finished.
  private func execute(_ id: String, jobs: Int, _ place: Place) throws -> Bool {
    let plan = try Plan(path: place.plan)
    guard let run = plan.runs.first(where: { $0.id == id }) else {
      throw FileError(
        file: place.plan, location: "runs", expected: "a run with the id \(id)",
        found: "\(plan.runs.count) others, such as \(plan.runs.first?.id ?? "none")")
    }
    if try place.records.finished(run, of: plan) != nil {
      print("\(id) \(run.label): finished before")
      return true
    }
    let options = try ExperimentOptions(plan.flags, for: self, cores: jobs)
    let (now, prepared) = try planned(options, place)
    try plan.check(now, file: place.plan)
    Interruption.watch()
    let progress = ProgressDisplay("runs", total: 1, sharedCount: 1)
    let execution = Execution(plan: plan, prepared: prepared, place: place, progress: progress)
    let outcome = execution.execute(run, threads: jobs)
    progress.close()
    return outcome == .finished
  }

  // MARK: Collect

  /// Writes the CSV of the records of `plan` and prints a summary; returns whether all are there.
  private func collect(_ plan: Plan, _ place: Place) throws -> Bool {
    let records = try place.records.finished(plan)
    if records.isEmpty {
      StandardError.line("\(name): no run of \(place.plan) is finished")
      return false
    }
    try AtomicFile.write(CSV.text(ResultFile.rows(of: records)), to: plan.output)
    print("\n" + (try Summary(ResultFile(path: plan.output), plan).text))
    if records.count < plan.runs.count {
      print(
        "\n\(plan.runs.count - records.count) of \(plan.runs.count) runs are missing; "
          + "the same call makes them")
    }
    print("\nCSV: \(plan.output) (\(records.count) runs); records: \(place.records.folder)")
    return records.count == plan.runs.count
  }
}

/// Where an experiment's files are.
struct Place: Sendable {
  let root: String
  let experiment: String

  var plan: String { "\(root)/\(experiment)/plan.json" }
  var data: String { "\(root)/\(experiment)/data" }
  var records: RecordStore { RecordStore(folder: "\(root)/\(experiment)/records") }
  var stages: String { "\(root)/stages" }
}

/// Executes single runs of a plan and writes their records.
struct Execution: Sendable {
  let plan: Plan
  let prepared: Prepared
  let records: RecordStore
  let progress: ProgressDisplay
  private let stages: StageStore
  private let code = CodeVersion()
  private let machine: [String: String]

  init(plan: Plan, prepared: Prepared, place: Place, progress: ProgressDisplay) {
    self.plan = plan
    self.prepared = prepared
    self.progress = progress
    records = place.records
    stages = StageStore(folder: place.stages)
    machine = Machine.description().merging(prepared.machine) { $1 }
  }

  enum Outcome { case finished, failed, interrupted }

  /// Executes `run` and writes its record. An interrupted run leaves no record, a failed one a record
  /// of the failure.
  func execute(_ run: PlannedRun, threads: Int) -> Outcome {
    if Interruption.isRequested { return .interrupted }
    progress.started(run.id, run.label)
    let start = ContinuousClock.now
    var metrics: [Metric] = []
    var failure: String?
    do {
      metrics = try prepared.run(
        RunContext(
          settings: run.settings, threads: threads, id: run.id, plan: plan, stages: stages,
          progress: progress))
    } catch is CancellationError {
      return .interrupted
    } catch {
      failure = "\(error)"
    }
    let seconds = (ContinuousClock.now - start) / .seconds(1)
    let record = RunRecord(
      experiment: plan.experiment, id: run.id, provenance: plan.provenance(of: run.settings),
      settings: plan.columns.map { ($0, shown($0, run.settings)) }, arm: run.settings.arm,
      seed: run.settings.integer("seed"), commit: code.shortCitation, machine: machine,
      seconds: seconds, finished: Date(), metrics: metrics, failure: failure)
    do {
      try records.write(record)
    } catch {
      failure = "its record cannot be written: \(error)"
    }
    progress.finished(run.id, seconds: seconds, failure: failure)
    return failure == nil ? .finished : .failed
  }

  /// A setting as records have it: of a path the last part.
  private func shown(_ name: String, _ settings: RunSettings) -> SettingValue? {
    guard plan.files.contains(name), case .text(let path) = settings.values[name] else {
      return settings.values[name]
    }
    return .text(URL(fileURLWithPath: path).lastPathComponent)
  }
}

/// What has runs executed: threads of this process, or a cluster's scheduler.
protocol Executor {
  /// How many runs of `count` are executed at once.
  func jobs(for count: Int) -> Int

  /// Calls `body` for each of `runs` with the number of threads that it may use, or has another
  /// process call the experiment with `run ID`, and returns when all have ended. No further runs are
  /// begun after `body` has returned false.
  func execute(_ runs: [PlannedRun], _ body: @escaping @Sendable (PlannedRun, Int) -> Bool)
}

/// Threads of this process, `count` in all.
struct LocalThreads: Executor {
  let count: Int

  func jobs(for count: Int) -> Int { max(1, min(self.count, count)) }

  /// A run that is alone may use all threads; else each run has its own.
  func execute(_ runs: [PlannedRun], _ body: @escaping @Sendable (PlannedRun, Int) -> Bool) {
    let jobs = jobs(for: runs.count)
    let threads = max(1, count / jobs)
    let next = Counter()
    DispatchQueue.concurrentPerform(iterations: jobs) { _ in
      while let index = next.next(below: runs.count), body(runs[index], threads) {}
    }
  }
}

/// Hands out the numbers from 0.
private final class Counter: @unchecked Sendable {
  private let lock = NSLock()
  private var value = 0

  func next(below limit: Int) -> Int? {
    lock.withLock {
      guard value < limit else { return nil }
      value += 1
      return value - 1
    }
  }
}
