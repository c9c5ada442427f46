import Files
import Foundation

/// How far the runs of a plan are, from records and claims, and where there is a queue from that too.
package struct SweepStatus {
  private enum State {
    case done
    case failed(String)
    /// By whom, in words.
    case running(String)
    /// In the scheduler's queue, and why it waits there.
    case queued(String)
    /// It was begun, and its process ended without a record.
    case ended
    case waiting
  }

  package let text: String

  /// The last lines of a log that are shown, and how many runs of a kind are listed.
  private static let tailLines = 4
  private static let mostListed = 20

  /// That of the plan of `experiment` in `root`.
  package init(_ experiment: String, root: String, searchPath: String) throws {
    let place = Place(root: root, experiment: experiment)
    try self.init(
      Plan(path: place.plan), place, SlurmCommands(ExternalCommand(searchPath: searchPath)))
  }

  init(_ plan: Plan, _ place: Place, _ slurm: SlurmCommands) throws {
    var queue: SlurmQueue?
    var queueError: String?
    do { queue = try SlurmQueue(place, slurm) } catch { queueError = "\(error)" }
    let logs = Logs(place)
    let claims = place.claimFolder
    let working = claims.working()

    var seconds: [Double] = []
    var states: [(run: PlannedRun, state: State)] = []
    for run in plan.runs {
      let record = try place.records.record(run, of: plan)
      let state: State =
        if let record, record.failure == nil {
          .done
        } else if let worker = working[run.id] {
          .running(worker)
        } else if let task = queue?.runs[run.id] {
          task.isRunning ? .running("job \(task.job)_\(task.index ?? 0)") : .queued(task.reason)
        } else if let failure = record?.failure {
          .failed(failure)
        } else if claims.hasFiles(of: run.id) || FileContents.exists(place.work(run.id))
          || (logs.hasLog(run.id) && queueError == nil)
        {
          .ended
        } else {
          .waiting
        }
      if case .done = state, let record { seconds.append(record.seconds) }
      states.append((run, state))
    }

    func count(_ isIt: (State) -> Bool) -> Int { states.count { isIt($0.state) } }
    let done = count { if case .done = $0 { true } else { false } }
    let running = count { if case .running = $0 { true } else { false } }
    let queued = count { if case .queued = $0 { true } else { false } }
    let failed = count { if case .failed = $0 { true } else { false } }
    let ended = count { if case .ended = $0 { true } else { false } }
    let waiting = states.count - done - running - queued - failed - ended
    var head =
      "\(plan.experiment): \(states.count) runs: \(done) done, \(running) running, "
      + "\(queued + waiting) waiting, \(failed) failed"
    if ended > 0 { head += ", \(ended) ended without a record" }
    var lines = [head]
    if let queueError { lines.append("  the queue is not known: \(queueError)") }
    if queued > 0 {
      let reasons = states.compactMap {
        if case .queued(let reason) = $0.state { reason } else { nil }
      }
      let counts = Dictionary(grouping: reasons) { $0 }.mapValues(\.count)
      lines.append(
        "  in the queue: "
          + counts.sorted { ($1.value, $0.key) < ($0.value, $1.key) }
          .map { "\($0.value) (\($0.key))" }.joined(separator: ", ")
          + (waiting > 0 ? "; not in the queue: \(waiting)" : ""))
    }
    lines += Self.stages(plan, place, queue, logs)
    lines.append(
      "  " + Self.timeLeft(seconds, left: states.count - done, running: running, plan, place))

    let runningRows = states.compactMap { row -> (PlannedRun, String)? in
      if case .running(let worker) = row.state { (row.run, worker) } else { nil }
    }
    if !runningRows.isEmpty { lines.append("\nRunning") }
    for (run, worker) in runningRows.prefix(Self.mostListed) {
      lines.append("  \(run.id)  \(run.label), \(worker)")
      lines += logs.tail(run.id, 1).map { "    | \($0)" }
    }
    lines += Self.more(runningRows.count)

    // Many runs fail for one reason.
    let failedRows = states.compactMap { row -> (run: PlannedRun, reason: String)? in
      switch row.state {
      case .failed(let reason): (row.run, reason)
      case .ended: (row.run, "ended without a record")
      default: nil
      }
    }
    var reasons: [String] = []
    for row in failedRows where !reasons.contains(row.reason) { reasons.append(row.reason) }
    if !reasons.isEmpty { lines.append("\nFailed; the same call executes them again") }
    for reason in reasons.prefix(Self.mostListed) {
      let runs = failedRows.filter { $0.reason == reason }.map(\.run)
      lines.append("  \(reason)")
      for run in runs.prefix(Self.mostListed) { lines.append("    \(run.id)  \(run.label)") }
      lines += Self.more(runs.count).map { "  " + $0 }
      lines += logs.tail(runs[0].id, Self.tailLines).map { "      | \($0)" }
    }
    lines += Self.more(reasons.count)
    text = TerminalText.shown(lines.joined(separator: "\n"))
  }

  private static func more(_ count: Int) -> [String] {
    count > mostListed ? ["  and \(count - mostListed) more"] : []
  }

  /// Of a plan that was submitted, the stages that its runs share.
  private static func stages(_ plan: Plan, _ place: Place, _ queue: SlurmQueue?, _ logs: Logs)
    -> [String]
  {
    var ids: [String] = []
    for run in plan.runs {
      if let stage = run.stage, !ids.contains(stage) { ids.append(stage) }
    }
    guard !ids.isEmpty else { return [] }
    let store = StageStore(folder: place.stages)
    let making = store.claims.working()
    let open = ids.filter { !store.isMade($0) }
    let running = open.filter { making[$0] != nil || queue?.stages[$0]?.isRunning == true }
    let queued = open.filter { queue?.stages[$0] != nil && !running.contains($0) }
    var lines = [
      "  shared stages: \(ids.count - open.count) of \(ids.count) made, \(running.count) running, "
        + "\(queued.count) waiting"
    ]
    for stage in open where making[stage] == nil && queue?.stages[stage] == nil {
      if let failure = store.failure(of: stage) {
        lines.append("    stage \(stage) failed: \(failure)")
        lines += logs.tail(stage, tailLines).map { "      | \($0)" }
      }
    }
    for stage in running.prefix(mostListed) {
      lines.append("    stage \(stage): \(making[stage] ?? "running")")
      lines += logs.tail(stage, 1).map { "      | \($0)" }
    }
    return lines
  }

  /// The time that the runs left take at the mean of those that are done.
  private static func timeLeft(
    _ seconds: [Double], left: Int, running: Int, _ plan: Plan, _ place: Place
  ) -> String {
    if left == 0 { return "all are done; CSV: \(plan.output)" }
    var estimate = RemainingTime(jobs: max(1, running))
    for seconds in seconds { estimate.add(seconds) }
    guard let time = estimate.seconds(left: left, running: running) else {
      return "time left: unknown until a run is done"
    }
    let clock = ProgressDisplay.clock(time)
    return running > 0
      ? "time left: about \(clock) with \(running) at once"
      : "time left: about \(clock) of computing; nothing is running"
  }
}

/// The logs of an experiment's submissions.
private struct Logs {
  /// The last log of each run and stage, by id.
  private var paths: [String: String] = [:]

  init(_ place: Place) {
    for folder in SubmissionFolder.all(place) {
      let there = Set((try? FileContents.names(inFolder: folder.path + "/log")) ?? [])
      for (list, tasks) in folder.tasks() {
        for (index, task) in tasks.enumerated() {
          let name = "\(list)-\(index).txt"
          if there.contains(name) { paths[task.stage ?? task.run] = "\(folder.path)/log/\(name)" }
        }
      }
    }
  }

  func hasLog(_ id: String) -> Bool { paths[id] != nil }

  /// The last `count` lines of a log with something in them.
  func tail(_ id: String, _ count: Int) -> [String] {
    guard count > 0, let path = paths[id], let file = FileHandle(forReadingAtPath: path) else {
      return []
    }
    defer { try? file.close() }
    let size = (try? file.seekToEnd()) ?? 0
    try? file.seek(toOffset: size - min(size, 4096))
    let text = String(decoding: (try? file.readToEnd()) ?? Data(), as: UTF8.self)
    let lines = text.split(whereSeparator: \.isNewline).filter { line in
      line.contains { !$0.isWhitespace }
    }
    return lines.suffix(count).map { String($0.prefix(300)) }
  }
}
