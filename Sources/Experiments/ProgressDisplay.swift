import Files
import Foundation
import Synchronization

/// How far a number of pieces of work is, on standard error: one line that is overwritten in a
/// terminal, elsewhere a line at intervals.
///
///     3 of 8 runs, about 12 s left  edit seed 0: stage 2 40 %
///
/// What takes less than `quiet` shows nothing.
package final class ProgressDisplay: Sendable {
  private struct State {
    var done = 0
    var estimate: RemainingTime
    var running: [String: (name: String, part: String, shared: Double)] = [:]
    var lastLine: ContinuousClock.Instant?
  }

  private let total: Int
  private let noun: String
  private let interval: Duration
  private let quiet: Duration
  private let isTerminal: Bool
  private let now: @Sendable () -> ContinuousClock.Instant
  private let write: @Sendable (String) -> Void
  private let start: ContinuousClock.Instant
  private let state: Mutex<State>

  /// - Parameters:
  ///   - noun: what is counted: `runs`.
  ///   - jobs: how many pieces are worked on at once.
  ///   - interval: the time between two lines if standard error is no terminal.
  package init(
    _ noun: String, total: Int, jobs: Int = 1,
    interval: Duration = .seconds(10), quiet: Duration = .zero,
    isTerminal: Bool = isatty(STDERR_FILENO) == 1,
    now: @escaping @Sendable () -> ContinuousClock.Instant = { .now },
    write: @escaping @Sendable (String) -> Void = StandardError.write
  ) {
    self.noun = noun
    self.total = total
    self.interval = interval
    self.quiet = quiet
    self.isTerminal = isTerminal
    self.now = now
    self.write = write
    start = now()
    state = Mutex(State(estimate: RemainingTime(jobs: jobs)))
  }

  /// Notes how many shared parts are expected before all pieces are done.
  package func expectShared(_ count: Int) {
    state.withLock { $0.estimate.sharedCount = count }
  }

  /// Notes that the piece `id`, shown as `name`, was begun.
  package func started(_ id: String, _ name: String) {
    state.withLock { $0.running[id] = (name, "", 0) }
  }

  /// Shows which part of the piece is worked on.
  package func update(_ id: String, _ part: String) {
    state.withLock { state in
      state.running[id]?.part = part
      show(&state)
    }
  }

  /// Notes the time that a piece spent making, or waiting for, a part that pieces share.
  package func shared(_ id: String, seconds: Double) {
    state.withLock { state in
      state.running[id]?.shared += seconds
      state.estimate.addShared(seconds)
    }
  }

  /// Notes the end of a piece, and shows why it failed if it did.
  package func finished(_ id: String, seconds: Double, failure: String? = nil) {
    state.withLock { state in
      guard let piece = state.running.removeValue(forKey: id) else { return }
      state.done += 1
      state.estimate.add(seconds - piece.shared)
      if let failure { line("\(piece.name) FAILED: \(failure)", isFinal: true) }
      show(&state)
    }
  }

  /// Notes that work on a piece ended before it was done.
  package func stopped(_ id: String) {
    state.withLock { _ = $0.running.removeValue(forKey: id) }
  }

  /// Notes that another process did a piece, shown as `name`, or failed at it.
  package func finishedElsewhere(_ name: String, failure: String? = nil) {
    state.withLock { state in
      state.done += 1
      if let failure { line("\(name) FAILED in another process: \(failure)", isFinal: true) }
      show(&state)
    }
  }

  /// Shows why a piece, shown as `name`, could not be done.
  package func failed(_ name: String, _ failure: String) {
    state.withLock { _ in line("\(name) FAILED: \(failure)", isFinal: true) }
  }

  /// Notes that so many pieces are done in all, those that failed included.
  package func finished(count: Int) {
    state.withLock { state in
      guard count > state.done else { return show(&state) }
      state.estimate.replace(by: (now() - start) / .seconds(1) / Double(count))
      state.done = count
      show(&state)
    }
  }

  /// Ends the display: the overwritten line stays if all is done and goes if not.
  package func close() {
    state.withLock { state in
      guard isTerminal, state.lastLine != nil else { return }
      write(state.done == total ? "\n" : "\r\u{1B}[K")
    }
  }

  private func show(_ state: inout State) {
    let now = now()
    let pause = isTerminal ? .milliseconds(200) : interval
    guard now - start >= quiet else { return }
    let isDue = state.lastLine.map { now - $0 >= pause } ?? true
    guard isDue || state.done == total else { return }
    state.lastLine = now
    let parts = state.running.values.map { piece in
      piece.part.isEmpty ? piece.name : "\(piece.name): \(piece.part)"
    }.sorted()
    let left = state.estimate.seconds(left: total - state.done, running: state.running.count)
    let time = left.map { "about \(Self.clock($0)) left" } ?? "time left unknown"
    line(
      "\(state.done) of \(total) \(noun), \(time)"
        + (parts.isEmpty ? "" : "  " + parts.joined(separator: " | ")), isFinal: false)
  }

  private func line(_ text: String, isFinal: Bool) {
    write(isTerminal ? "\r\u{1B}[K\(text)\(isFinal ? "\n" : "")" : text + "\n")
  }

  static func clock(_ seconds: Double) -> String {
    let whole = seconds < 1e9 ? Int(seconds.rounded(.up)) : 1_000_000_000
    if whole < 60 { return "\(whole) s" }
    if whole < 3600 { return "\(whole / 60) min \(whole % 60) s" }
    return "\(whole / 3600) h \(whole % 3600 / 60) min"
  }
}

/// The time that the pieces left will take, at the mean time that one took so far.
///
/// Parts that pieces share are counted apart: `sharedCount` of them are expected; if there were more,
/// as many for each piece as so far.
struct RemainingTime {
  let jobs: Int
  var sharedCount = 0
  private var pieces = (count: 0, seconds: 0.0)
  private var shared = (count: 0, seconds: 0.0)

  init(jobs: Int) { self.jobs = jobs }

  mutating func add(_ seconds: Double) {
    pieces = (pieces.count + 1, pieces.seconds + seconds)
  }

  /// Sets the mean time of a piece.
  mutating func replace(by mean: Double) { pieces = (1, mean) }

  /// A part that was there already takes no time worth counting.
  mutating func addShared(_ seconds: Double) {
    if seconds > 0.05 { shared = (shared.count + 1, shared.seconds + seconds) }
  }

  /// The time for `left` pieces, of which `running` are begun; nil before the first has ended.
  func seconds(left: Int, running: Int) -> Double? {
    guard pieces.count > 0 else { return nil }
    let own = pieces.seconds / Double(pieces.count)
    let part = shared.count == 0 ? 0 : shared.seconds / Double(shared.count)
    let partsLeft =
      shared.count <= sharedCount
      ? Double(sharedCount - shared.count)
      : Double(left) * Double(shared.count) / Double(pieces.count + running)
    return (Double(left) * own + partsLeft * part) / Double(max(1, jobs))
  }
}
