import Foundation
import LanguageModel
import LinearAlgebra
import Parameters

extension Experiment {
  /// The whole of an experiment's executable: reads the flags, runs what is missing of the plan,
  /// writes the CSV, prints a summary, and ends the process with status 0, 1 where a run failed, or
  /// 2 where the call made no sense.
  public func main(_ arguments: [String] = Array(CommandLine.arguments.dropFirst())) -> Never {
    BLAS.useWidestKernels()
    exit(run(arguments))
  }

  /// `main` up to the end of the process: returns its exit status. Records go to `<folder>/<name>`, and
  /// to `<folder>/stages` what runs share, those of other experiments too.
  package func run(_ arguments: [String], folder: String = "runs") -> Int32 {
    BLAS.threadCount = 1
    do {
      let cores = ProcessInfo.processInfo.activeProcessorCount
      let options = try ExperimentOptions(arguments, for: self, cores: cores)
      if options.asksForHelp {
        print(ExperimentOptions.help(self))
        return 0
      }
      return try run(options, folder: folder) ? 0 : 1
    } catch let error as UsageError {
      Self.complain("\(error)\n")
      return 2
    } catch {
      Self.complain("\(name): \(error)\n")
      return 1
    }
  }

  private static func complain(_ text: String) {
    FileHandle.standardError.write(Data(text.utf8))
  }

  /// The settings of every run, in the order in which they are best made: runs with different seeds
  /// first, so that runs side by side do not wait for one shared stage.
  package func plan(_ options: ExperimentOptions) -> [RunSettings] {
    var grid: [RunSettings] = []
    for arm in options.arms {
      var points: [[String: SettingValue]] = [["arm": .text(arm.name)]]
      for setting in settings where !arm.without.contains(setting.name) {
        let values = options.values[setting.name] ?? []
        guard !values.isEmpty else { continue }
        points = points.flatMap { point in
          values.map { value in point.merging([setting.name: value]) { own, _ in own } }
        }
      }
      grid += points.map(RunSettings.init)
    }
    return grid.flatMap { point in
      options.seeds.map { seed in
        RunSettings(point.values.merging(["seed": .integer(seed)]) { own, _ in own })
      }
    }
  }

  /// Runs what is missing; returns whether all runs are finished.
  private func run(_ options: ExperimentOptions, folder root: String) throws -> Bool {
    let folder = "\(root)/\(name)"
    let records = RecordStore(folder: folder)
    let fixed = options.values.compactMapValues { $0.count == 1 ? $0[0] : nil }
    let prepared = try prepare(
      PreparationContext(settings: RunSettings(fixed), folder: folder + "/data"))
    let plan = plan(options)
    let files = Set(settings.filter(\.isFile).map(\.name))
    let identities = plan.map { run in
      let known = RunSettings(run.values.filter { !files.contains($0.key) })
      return RecordStore.identity(name, known, prepared.checksums)
    }
    let missing = plan.indices.filter { records.finished(identities[$0]) == nil }

    print("\(name): \(question)")
    for note in prepared.notes { print("  " + note) }
    print(
      "  \(plan.count) runs (\(options.arms.count) arms, seeds "
        + "\(options.seeds.map(String.init).joined(separator: ","))), "
        + "\(plan.count - missing.count) finished before, \(options.jobs) side by side")
    if options.isDryRun {
      for index in plan.indices {
        let state = missing.contains(index) ? "to run  " : "finished"
        print("  \(state) \(identities[index])  \(label(plan[index], options))")
      }
      return true
    }

    try runMissing(
      missing.map { ($0, identities[$0], plan[$0]) }, prepared, records,
      StageStore(folder: root + "/stages"), options)
    let found = identities.compactMap(records.finished)
    if found.isEmpty { return false }
    let table = ResultTable(self, options, found)
    try table.write(to: options.output)
    print("\n" + table.summary)
    if found.count < plan.count {
      print(
        "\n\(plan.count - found.count) of \(plan.count) runs are missing; the same call makes them")
    }
    print("\nCSV: \(options.output) (\(found.count) runs); records: \(folder)")
    return found.count == plan.count
  }

  private func runMissing(
    _ missing: [(index: Int, identity: String, settings: RunSettings)], _ prepared: Prepared,
    _ records: RecordStore, _ stages: StageStore, _ options: ExperimentOptions
  ) throws {
    guard !missing.isEmpty else { return }
    Interruption.watch()
    // A run that is alone may use all cores; else each has its own.
    let jobs = min(options.jobs, missing.count)
    let threads = max(1, options.jobs / jobs)
    let board = ProgressBoard(total: missing.count, jobs: jobs, seeds: options.seeds.count)
    let code = CodeVersion()
    let machine = Machine.description()
    let queue = RunQueue(count: missing.count)
    concurrently(jobs) { _ in
      while !Interruption.isRequested, let next = queue.next() {
        let (_, identity, settings) = missing[next]
        board.started(identity, label(settings, options))
        let start = ContinuousClock.now
        var metrics: [Metric] = []
        var failure: String?
        do {
          metrics = try prepared.run(
            RunContext(
              settings: settings, threads: threads, stages: stages, code: code,
              progress: board, identity: identity))
        } catch is CancellationError {
          return
        } catch {
          failure = "\(error)"
        }
        let seconds = (ContinuousClock.now - start) / .seconds(1)
        let record = RunRecord(
          experiment: name, identity: identity, settings: settings.values,
          checksums: prepared.checksums, commit: code.commit, isModified: code.isModified,
          machine: machine, seconds: seconds, finished: Date(), metrics: metrics, failure: failure)
        do {
          try records.write(record)
        } catch {
          failure = "its record cannot be written: \(error)"
        }
        board.finished(identity, seconds: seconds, failure: failure)
      }
    }
    board.close()
  }

  /// The arm, the values of the axes, and the seed.
  func label(_ run: RunSettings, _ options: ExperimentOptions) -> String {
    let axes = settings.filter { (options.values[$0.name]?.count ?? 0) > 1 }.compactMap { setting in
      run.values[setting.name].map { "\(setting.name)=\($0)" }
    }
    return ([run.arm] + axes + ["seed \(run.seed)"]).joined(separator: " ")
  }
}

/// Hands out the indices of the runs.
private final class RunQueue: @unchecked Sendable {
  private let lock = NSLock()
  private var index = 0
  private let count: Int

  init(count: Int) { self.count = count }

  func next() -> Int? {
    lock.lock()
    defer { lock.unlock() }
    guard index < count else { return nil }
    index += 1
    return index - 1
  }
}
