import Foundation

/// What one run has to work with.
public struct RunContext: Sendable {
  public let settings: RunSettings
  /// The threads it may use.
  public let threads: Int
  let stages: StageStore
  let code: CodeVersion
  let progress: ProgressBoard
  let identity: String

  /// The folder of a stage that runs share, made by `make` where no run of this code, of whatever
  /// experiment, made it before.
  ///
  /// `key` holds everything else that the stage depends on; `make` is given an empty folder.
  public func stage(
    _ name: String, _ key: RunSettings, checksums: [String: String],
    make: (String) throws -> Void
  ) throws -> String {
    let sums = checksums.sorted { $0.key < $1.key }.map { "sha256 \($0.key)=\($0.value)\n" }
    let start = ContinuousClock.now
    defer { progress.shared(identity, seconds: (ContinuousClock.now - start) / .seconds(1)) }
    return try stages.stage(
      "\(name)\ncommit=\(code.key)\n\(key.canonicalText)\(sums.joined())", make: make)
  }

  /// Says how far the run's present part has come, and throws `CancellationError` where the
  /// experiment was interrupted. Cheap; to be called at every step.
  public func report(_ part: String, _ fraction: Double) throws {
    if Interruption.isRequested { throw CancellationError() }
    progress.report(identity, part, fraction)
  }
}

/// Whether an interrupt (SIGINT) or a request to end (SIGTERM) came.
enum Interruption {
  nonisolated(unsafe) private static var flag: sig_atomic_t = 0

  static var isRequested: Bool { flag != 0 }

  /// From now on a first signal is noted; a second one ends the program at once.
  static func watch() {
    for number in [SIGINT, SIGTERM] {
      signal(number) { number in
        if Interruption.flag != 0 { _exit(128 + number) }
        Interruption.flag = 1
      }
    }
  }
}

/// Progress of all runs on standard error: one line that is written over in a terminal, elsewhere a
/// line every few seconds.
final class ProgressBoard: @unchecked Sendable {
  private let lock = NSLock()
  private let total: Int
  private let jobs: Int
  private var done = 0
  private var ownSeconds: [Double] = []
  private var sharedSeconds: [Double] = []
  private let seeds: Int
  private var running: [String: (name: String, part: String, fraction: Double, shared: Double)] =
    [:]
  private let start = ContinuousClock.now
  private var lastLine = ContinuousClock.now - .seconds(60)
  private let isTerminal = isatty(STDERR_FILENO) == 1

  init(total: Int, jobs: Int, seeds: Int) {
    self.total = total
    self.jobs = jobs
    self.seeds = seeds
  }

  func started(_ identity: String, _ name: String) {
    locked { running[identity] = (name, "", 0, 0) }
  }

  func report(_ identity: String, _ part: String, _ fraction: Double) {
    locked {
      running[identity]?.part = part
      running[identity]?.fraction = fraction
      show(force: false)
    }
  }

  /// Notes the time that a run spent making, or waiting for, a shared stage.
  func shared(_ identity: String, seconds: Double) {
    locked {
      running[identity]?.shared += seconds
      // A stage that was there already takes no time worth counting.
      if seconds > 0.05 { sharedSeconds.append(seconds) }
    }
  }

  func finished(_ identity: String, seconds: Double, failure: String?) {
    locked {
      guard let run = running.removeValue(forKey: identity) else { return }
      done += 1
      ownSeconds.append(seconds - run.shared)
      if let failure {
        line("\(run.name) FAILED: \(failure)", final: true)
      }
      show(force: true)
    }
  }

  func close() {
    locked { if isTerminal { FileHandle.standardError.write(Data("\n".utf8)) } }
  }

  private func locked(_ body: () -> Void) {
    lock.lock()
    defer { lock.unlock() }
    body()
  }

  private func show(force: Bool) {
    let now = ContinuousClock.now
    let pause: Duration = isTerminal ? .milliseconds(200) : .seconds(10)
    guard now - lastLine >= pause || (force && isTerminal) || done == total else { return }
    lastLine = now
    let parts = running.values.map { run in
      run.part.isEmpty
        ? run.name : "\(run.name): \(run.part) \(Int((100 * run.fraction).rounded())) %"
    }.sorted()
    line("\(done) of \(total) runs, \(remaining)  \(parts.joined(separator: " | "))", final: false)
  }

  /// The time left: what is left of runs and of shared stages at the mean time that one took so
  /// far. A shared stage is expected for each seed; where there were more, as many for each run as
  /// so far.
  private var remaining: String {
    guard !ownSeconds.isEmpty else { return "the time left is not known yet" }
    let own = ownSeconds.reduce(0, +) / Double(ownSeconds.count)
    let shared =
      sharedSeconds.isEmpty ? 0 : sharedSeconds.reduce(0, +) / Double(sharedSeconds.count)
    let made = sharedSeconds.count
    let stagesLeft =
      made <= seeds
      ? Double(seeds - made) : Double(total - done) * Double(made) / Double(done + running.count)
    let left = (Double(total - done) * own + stagesLeft * shared) / Double(jobs)
    return "about \(Self.clock(left)) left"
  }

  static func clock(_ seconds: Double) -> String {
    let whole = Int(seconds.rounded(.up))
    if whole < 60 { return "\(whole) s" }
    if whole < 3600 { return "\(whole / 60) min \(whole % 60) s" }
    return "\(whole / 3600) h \(whole % 3600 / 60) min"
  }

  private func line(_ text: String, final: Bool) {
    let text = isTerminal ? "\r\u{1B}[K\(text)\(final ? "\n" : "")" : text + "\n"
    FileHandle.standardError.write(Data(text.utf8))
  }
}
