import Files
import Foundation
import Parameters
import Synchronization

extension Experiment {
  /// The whole of an experiment's executable: reads the flags, writes the plan, executes the runs
  /// that are missing, writes the CSV, prints a summary, and ends the process with status 0, 1 if a
  /// run failed, or 2 if the call made no sense.
  public func main(_ arguments: [String] = Array(CommandLine.arguments.dropFirst())) -> Never {
    StandardStreams.prepare()
    StandardStreams.ignoreBrokenPipes()
    do { try ProgramArguments.check() } catch {
      StandardError.line("\(error)")
      exit(2)
    }
    var status = run(arguments)
    do { try StandardStreams.flush() } catch {
      StandardError.line("\(name): \(error)")
      status = max(status, 1)
    }
    exit(status)
  }

  /// The exit status of `run` and `stage` where they were interrupted and the same call goes on: sysexits.h's
  /// EX_TEMPFAIL.
  static let interruptedStatus: Int32 = 75

  /// `main` up to the end of the process: returns its exit status. The plan and the records go to
  /// `<folder>/<name>`, what runs share, those of other experiments too, to `<folder>/stages`. Slurm's commands are
  /// those on `searchPath`; nil for the environment's PATH.
  package func run(
    _ arguments: [String], folder: String = "runs", searchPath: String? = nil
  ) -> Int32 {
    do {
      let options = try ExperimentOptions(arguments, for: self, cores: AvailableCores.count)
      let place = Place(root: folder, experiment: name)
      let searchPath = searchPath ?? ExternalCommand().searchPath
      let slurm = SlurmCommands(ExternalCommand(searchPath: searchPath))
      switch options.action {
      case .help:
        print(options.help(self))
        return 0
      case .all where options.slurm != nil, .dryRun where options.slurm != nil:
        return try submit(options, place, slurm) ? 0 : 1
      case .status:
        print(try SweepStatus(name, root: folder, searchPath: searchPath).text)
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
        return try execute(id, options, place)
      case .stage(let id):
        return try makeStage(id, options, place)
      case .collect:
        let plan = try Plan(path: options.planPath(place))
        return try collect(plan, place) ? 0 : 1
      case .all:
        let (plan, prepared) = try planned(options, place)
        try plan.write(to: place.plan)
        try show(plan, prepared, options, place, isDetailed: false)
        try AtomicFile.check(plan.output)
        let isInterrupted = try execute(plan.runs, of: plan, prepared, options, place)
        let isWhole = try collect(plan, place, isReported: !isInterrupted)
        if isInterrupted {
          StandardError.line("interrupted; to go on: \(ShellCommand.current)")
        }
        return isWhole ? 0 : 1
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

  /// The plan of the flags, and what its runs share; `code` is what it is made of.
  func planned(
    _ options: ExperimentOptions, _ place: Place, code: CodeVersion = CodeVersion()
  ) throws -> (Plan, Prepared) {
    let prepared = try prepare(PreparationContext(values: options.values, folder: place.data))
    return (plan(options, code: code.key, inputs: prepared.inputs), prepared)
  }

  func show(
    _ plan: Plan, _ prepared: Prepared, _ options: ExperimentOptions, _ place: Place,
    isDetailed: Bool
  ) throws {
    let finished = Set(try place.records.finished(plan).map(\.id))
    print("\(name): \(question)")
    for note in prepared.notes { print("  " + note) }
    print(
      "  \(plan.runs.count) runs (\(options.arms.count) arms, seeds "
        + "\(plan.seeds.map(String.init).joined(separator: ","))), "
        + "\(plan.runs.count { finished.contains($0.id) }) finished before"
        + (options.slurm == nil ? ", \(options.jobs) side by side" : ""))
    guard isDetailed else { return }
    for run in plan.runs {
      print("  \(finished.contains(run.id) ? "finished" : "to run  ") \(run.id)  \(run.label)")
    }
  }

  // MARK: Run

  /// Executes those of `runs`, which are of `plan`, that are missing, and waits for those that other processes
  /// execute. Returns whether it was interrupted.
  private func execute(
    _ runs: [PlannedRun], of plan: Plan, _ prepared: Prepared, _ options: ExperimentOptions,
    _ place: Place
  ) throws -> Bool {
    var missing: [PlannedRun] = []
    var failures: [String: RunRecord] = [:]
    let claims = place.claimFolder
    for run in runs {
      let record = try place.records.record(run, of: plan)
      if record != nil, record?.failure == nil { place.removeLeftovers(run.id, claims) }
      if record == nil || record?.failure != nil { missing.append(run) }
      failures[run.id] = record
    }
    guard !missing.isEmpty else { return false }
    try checkFolders(place)
    Interruption.watch()
    let executor = LocalThreads(count: options.jobs)
    let progress = ProgressDisplay(
      "runs", total: missing.count, jobs: executor.jobs(for: missing.count))
    let execution = Execution(
      plan: plan, prepared: prepared, place: place, savingInterval: options.savingInterval,
      claims: claims, failures: failures, progress: progress,
      needsStage: options.submission != nil)
    if prepared.sharesStages { progress.expectShared(execution.missingStages(of: missing)) }
    let isInterrupted = executor.execute(missing, execution.execute)
    progress.close()
    return isInterrupted
  }

  /// Throws where nothing can be written, before any work is lost.
  private func checkFolders(_ place: Place) throws {
    for folder in [place.records.folder, place.stages] { try AtomicFile.check(folder + "/check") }
  }

  /// The plan of a call that executes a part of it, and the run with the id `id`. Throws where there is none.
  private func plannedRun(_ id: String, _ options: ExperimentOptions, _ place: Place) throws
    -> (Plan, PlannedRun)
  {
    let path = options.planPath(place)
    let plan = try Plan(path: path)
    guard let run = plan.runs.first(where: { $0.id == id }) else {
      throw FileError(
        file: path, location: "runs", expected: "a run with the id \(id)",
        found: "\(plan.runs.count) others, such as \(plan.runs.first?.id ?? "none")")
    }
    return (plan, run)
  }

  /// What the runs of `plan` share, now, and `run` of it as the plan's flags give it. Throws where either is not what it
  /// was when the plan was made. A submission's program is a copy, so that its code is the plan's.
  private func prepared(
    for plan: Plan, _ run: PlannedRun, _ options: ExperimentOptions, _ place: Place
  ) throws -> (Prepared, PlannedRun) {
    let planOptions = try ExperimentOptions(plan.flags, for: self, cores: AvailableCores.count)
    let code = options.submission == nil ? CodeVersion() : CodeVersion(key: plan.code)
    let (now, prepared) = try planned(planOptions, place, code: code)
    let path = options.planPath(place)
    try plan.check(now, file: path)
    guard var same = now.runs.first(where: { $0.id == run.id }) else {
      throw FileError(
        file: path, location: "run \(run.id)", expected: "a run that the plan's flags give",
        found: "another one")
    }
    same.stage = run.stage
    return (prepared, same)
  }

  /// Executes one run of the plan that is written; returns the exit status.
  private func execute(_ id: String, _ options: ExperimentOptions, _ place: Place) throws -> Int32 {
    let (plan, run) = try plannedRun(id, options, place)
    if try place.records.finished(run, of: plan) != nil {
      print("\(id) \(run.label): finished before")
      return 0
    }
    let (prepared, same) = try prepared(for: plan, run, options, place)
    let isInterrupted = try execute([same], of: plan, prepared, options, place)
    if try place.records.finished(run, of: plan) != nil { return 0 }
    return isInterrupted ? interrupted() : 1
  }

  private func interrupted() -> Int32 {
    StandardError.line("interrupted; to go on: \(ShellCommand.current)")
    return Self.interruptedStatus
  }

  /// Makes the shared stage with which one run of the plan begins; returns the exit status.
  private func makeStage(_ id: String, _ options: ExperimentOptions, _ place: Place) throws -> Int32
  {
    let (plan, run) = try plannedRun(id, options, place)
    let (prepared, same) = try prepared(for: plan, run, options, place)
    guard prepared.sharesStages else {
      throw FileError(
        file: options.planPath(place), location: id, expected: "a run that shares a stage",
        found: "one of an experiment without such stages")
    }
    try checkFolders(place)
    Interruption.watch()
    let progress = ProgressDisplay("stages", total: 1)
    let execution = Execution(
      plan: plan, prepared: prepared, place: place, savingInterval: options.savingInterval,
      claims: place.claimFolder, failures: [:], progress: progress, needsStage: false)
    do {
      guard let stage = try execution.makeStage(same) else {
        print("\(id) \(run.label): begins with no shared stage")
        return 0
      }
      print("\(id) \(run.label): made its stage \(stage)")
      return 0
    } catch is CancellationError {
      return interrupted()
    }
  }

  // MARK: Collect

  /// Writes the CSV of the records of `plan`, prints a summary and, where `isReported`, writes the experiment's report;
  /// returns whether all are there.
  func collect(_ plan: Plan, _ place: Place, isReported: Bool = true) throws -> Bool {
    let records = try place.records.finished(plan)
    if records.isEmpty {
      StandardError.line("\(name): no run of the plan is finished")
      return false
    }
    try AtomicFile.write(CSV.text(ResultFile.rows(of: records)), to: plan.output)
    let curves = try MeanCurves.rows(of: records) { place.curve($0) }
    if let curves { try AtomicFile.write(CSV.text(curves), to: plan.curves) }
    print("\n" + (try Summary(ResultFile(path: plan.output), plan).text))
    if records.count < plan.runs.count {
      print(
        "\n\(plan.runs.count - records.count) of \(plan.runs.count) runs are missing; "
          + "the same call makes them")
    }
    print("\nCSV: \(plan.output) (\(records.count) runs); records: \(place.records.folder)")
    if isReported { try report?(plan.output, place.root) }
    return records.count == plan.runs.count
  }
}

/// Where an experiment's files are.
package struct Place: Sendable {
  package let root: String
  package let experiment: String

  package init(root: String, experiment: String) {
    (self.root, self.experiment) = (root, experiment)
  }

  var plan: String { "\(root)/\(experiment)/plan.json" }
  var data: String { "\(root)/\(experiment)/data" }
  package var records: RecordStore { RecordStore(folder: "\(root)/\(experiment)/records") }
  /// A run's learning curve.
  package func curve(_ id: String) -> String { "\(root)/\(experiment)/steps/\(id).csv" }
  /// What a run answered on `split`.
  package func responses(_ id: String, _ split: String) -> String {
    "\(responseFolder(id))/\(split.replacing(" ", with: "-")).jsonl"
  }
  func responseFolder(_ id: String) -> String { "\(root)/\(experiment)/responses/\(id)" }
  var claims: String { "\(root)/\(experiment)/claims" }
  var claimFolder: ClaimFolder { ClaimFolder(folder: claims) }
  var stages: String { "\(root)/stages" }
  /// What was handed to a cluster.
  var submissions: String { "\(root)/\(experiment)/slurm" }

  /// Where the run goes on from after its process has ended.
  func work(_ id: String) -> String { "\(root)/\(experiment)/work/\(id)" }

  func removeWork(_ id: String) {
    try? FileContents.removeFolder(work(id))
    FileContents.removeIfEmpty(AtomicFile.folder(of: work(id)))
  }

  /// Removes what a process left that ended between writing the record of the run and tidying up.
  func removeLeftovers(_ id: String, _ claims: ClaimFolder) {
    guard FileContents.exists(work(id)) || claims.hasFiles(of: id),
      let claim = try? claims.claim(id)
    else { return }
    removeWork(id)
    claim.finish()
  }
}

/// Executes single runs of a plan and writes their records.
struct Execution: Sendable {
  let plan: Plan
  let prepared: Prepared
  let place: Place
  let savingInterval: Duration
  /// The records of earlier failures, by run: such a run is made again. One that failed since then failed in another
  /// process.
  let failures: [String: RunRecord]
  let progress: ProgressDisplay
  private let records: RecordStore
  private let claims: ClaimFolder
  private let stages: StageStore
  private let code: CodeVersion
  /// Whether a run fails at once where the shared stage with which it begins is missing: another job had to make it, and
  /// all runs of a stage that cannot be made would otherwise try.
  private let needsStage: Bool
  private let machine: [String: String]

  init(
    plan: Plan, prepared: Prepared, place: Place, savingInterval: Duration,
    claims: ClaimFolder, failures: [String: RunRecord], progress: ProgressDisplay,
    needsStage: Bool
  ) {
    (self.plan, self.prepared, self.place) = (plan, prepared, place)
    (self.savingInterval, self.failures, self.progress) = (savingInterval, failures, progress)
    records = place.records
    self.claims = claims
    self.needsStage = needsStage
    // The one that the plan was made of: whoever executes it has checked that it is the present one.
    code = CodeVersion(key: plan.code)
    stages = StageStore(folder: place.stages)
    machine = Machine.description().merging(prepared.machine) { $1 }
  }

  enum Outcome {
    case finished, failed, interrupted
    /// Another process works on it.
    case elsewhere
    /// Its record cannot be written, nor could those of others.
    case unwritable
  }

  /// Executes `run` and writes its record. An interrupted run leaves no record, a failed one a record
  /// of the failure.
  func execute(_ run: PlannedRun) -> Outcome {
    if Interruption.isRequested { return .interrupted }
    let claim: Claim
    do {
      guard let made = try claims.claim(run.id) else { return .elsewhere }
      claim = made
    } catch {
      progress.failed(run.label, "\(error)")
      return .unwritable
    }
    do {
      // Another process may have finished it before the claim was free.
      if let outcome = try outcomeElsewhere(run) {
        place.removeWork(run.id)
        claim.finish()
        return outcome
      }
      return try execute(run, claim)
    } catch {
      claim.release()
      progress.failed(run.label, "\(error)")
      return .unwritable
    }
  }

  /// What came of the run in another process since this one looked; nil where it is to be made.
  private func outcomeElsewhere(_ run: PlannedRun) throws -> Outcome? {
    guard let record = try records.record(run, of: plan) else { return nil }
    if let before = failures[run.id], record.failure != nil, before.finished == record.finished,
      before.seconds == record.seconds
    {
      return nil
    }
    progress.finishedElsewhere(run.label, failure: record.failure)
    return record.failure == nil ? .finished : .failed
  }

  /// Throws where the record cannot be written.
  private func execute(_ run: PlannedRun, _ claim: Claim) throws -> Outcome {
    progress.started(run.id, run.label)
    let start = ContinuousClock.now
    let outputs = RunOutputs()
    var metrics: [Metric] = []
    var failure: String?
    do {
      if needsStage, let stage = run.stage, !stages.isMade(stage) { throw missing(stage) }
      metrics = try prepared.run(context(run, claim, outputs, .whole))
    } catch is CancellationError {
      claim.release()
      progress.stopped(run.id)
      return claim.isLost ? .elsewhere : .interrupted
    } catch let error as FileError where error.isLackOfRoom {
      // No failure of the run, and others would come to the same after as much work.
      progress.stopped(run.id)
      throw error
    } catch {
      failure = "\(error)"
    }
    let seconds = (ContinuousClock.now - start) / .seconds(1)
    let record = RunRecord(
      experiment: plan.experiment, id: run.id, provenance: plan.provenance(of: run.settings),
      settings: plan.columns.map { ($0, shown($0, run.settings)) }, arm: run.settings.arm,
      seed: run.settings.integer("seed"), commit: code.shortCitation, machine: machine,
      seconds: seconds, finished: Date(), checksums: outputs.checksums, metrics: metrics,
      failure: failure)
    do { try claim.check() } catch {
      progress.stopped(run.id)
      return .elsewhere
    }
    do {
      let curves = outputs.curves
      if failure == nil, !curves.isEmpty {
        try AtomicFile.write(CSV.text(StageCurve.joined(curves)), to: place.curve(run.id))
      }
      try records.write(record, of: plan)
    } catch {
      progress.stopped(run.id)
      throw error
    }
    if failure == nil { place.removeWork(run.id) }
    claim.finish()
    progress.finished(run.id, seconds: seconds, failure: failure)
    return failure == nil ? .finished : .failed
  }

  private func context(
    _ run: PlannedRun, _ claim: Claim?, _ outputs: RunOutputs, _ extent: RunContext.Extent
  ) -> RunContext {
    RunContext(
      settings: run.settings, threads: plan.workers, savingInterval: savingInterval,
      workFolder: place.work(run.id), place: place, id: run.id, plan: plan, stages: stages,
      progress: progress, claim: claim, outputs: outputs, extent: extent)
  }

  private func missing(_ stage: String) -> FileError {
    FileError(
      file: "\(place.stages)/\(stage)", expected: "the stage that an earlier job was to make",
      found: stages.failure(of: stage).map { "that it failed: \($0)" }
        ?? "none; status shows the end of its log")
  }

  /// Makes the shared stage with which `run` begins, if that is missing, and returns its id; nil where the run begins
  /// with none. Throws `CancellationError` where it was interrupted.
  func makeStage(_ run: PlannedRun) throws -> String? {
    progress.started(run.id, run.label)
    return try stage(of: run, .firstStage)
  }

  /// The id of the shared stage with which `run` begins; nil where there is none, or the run fails before.
  func firstStage(of run: PlannedRun) -> String? { try? stage(of: run, .beforeFirstStage) }

  /// About how many shared stages are still to be made for `runs`: those of the first one's seed, for each seed.
  func missingStages(of runs: [PlannedRun]) -> Int {
    let seeds = Set(runs.map(\.settings.seed))
    let ids = Set(
      runs.filter { $0.settings.seed == runs[0].settings.seed }.compactMap(firstStage))
    return ids.count * seeds.count - ids.count(where: stages.isMade)
  }

  private func stage(of run: PlannedRun, _ extent: RunContext.Extent) throws -> String? {
    do {
      _ = try prepared.run(context(run, nil, RunOutputs(), extent))
      return nil
    } catch let reached as StageReached {
      return reached.id
    }
  }

  /// A setting as records have it: of a path the last part.
  private func shown(_ name: String, _ settings: RunSettings) -> SettingValue? {
    let value = settings.values[name]
    return plan.files.contains(name) ? value.map { .text($0.fileName) } : value
  }
}

/// Executes runs on threads of this process, `count` in all. Other processes may do the same in the same folder; a
/// cluster's jobs call the experiment with `run ID`.
struct LocalThreads {
  let count: Int

  /// How many of `count` runs are executed at once.
  func jobs(for count: Int) -> Int { max(1, min(self.count, count)) }

  /// Calls `body` for each of `runs`, those that other processes work on again and again until they are finished, and
  /// returns when all have ended. No further runs are begun after one was interrupted, which is returned, or its record
  /// could not be written.
  func execute(
    _ runs: [PlannedRun], _ body: @escaping @Sendable (PlannedRun) -> Execution.Outcome
  ) -> Bool {
    let queue = RunQueue(runs)
    DispatchQueue.concurrentPerform(iterations: jobs(for: runs.count)) { _ in
      while let run = queue.next() { queue.ended(run, body(run)) }
    }
    return queue.isInterrupted
  }
}

/// The runs that are left.
private final class RunQueue: Sendable {
  private struct State {
    var pending: [PlannedRun]
    var elsewhere: [PlannedRun] = []
    var isStopped = false
    var isInterrupted = false
    var saysThatItWaits = false
  }

  private let state: Mutex<State>

  /// The time between two looks at what other processes work on.
  private static let pause = 0.5

  init(_ runs: [PlannedRun]) { state = Mutex(State(pending: runs.reversed())) }

  var isInterrupted: Bool { state.withLock { $0.isInterrupted } }

  /// The next run to try; nil where none is left.
  func next() -> PlannedRun? {
    let (run, isElsewhere) = state.withLock { state -> (PlannedRun?, Bool) in
      if state.isStopped { return (nil, false) }
      if let run = state.pending.popLast() { return (run, false) }
      guard !state.elsewhere.isEmpty else { return (nil, false) }
      if !state.saysThatItWaits {
        state.saysThatItWaits = true
        StandardError.line(
          "waiting for runs that other processes execute: \(state.elsewhere.count)")
      }
      return (state.elsewhere.removeFirst(), true)
    }
    if isElsewhere { Thread.sleep(forTimeInterval: Self.pause) }
    return run
  }

  func ended(_ run: PlannedRun, _ outcome: Execution.Outcome) {
    state.withLock { state in
      switch outcome {
      case .finished, .failed: break
      case .elsewhere: state.elsewhere.append(run)
      case .interrupted: (state.isStopped, state.isInterrupted) = (true, true)
      case .unwritable: state.isStopped = true
      }
    }
  }
}
