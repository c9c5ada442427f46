import Files
import Foundation
import Synchronization

#if canImport(Darwin)
  import Darwin
#else
  import Glibc
#endif

/// Whether the process was asked to end: by an interrupt (SIGINT), a request (SIGTERM), a scheduler's warning (SIGUSR1),
/// or the end of its terminal (SIGHUP).
///
/// The first signal is noted, and whoever works finishes what is under way; a second one ends the
/// process at once. A signal that the process was started to ignore, as by `nohup`, stays ignored.
package enum Interruption {
  private struct State {
    var isRequested = false
    /// What the signals that are watched did before.
    var before: [Int32: sigaction] = [:]
    var onRequest: (@Sendable () -> Void)?
    var last: ContinuousClock.Instant?
  }

  private static let state = Mutex(State())
  private static let signals = [SIGINT, SIGTERM, SIGUSR1, SIGHUP]

  package static var isRequested: Bool { state.withLock { $0.isRequested } }

  /// From now on signals are noted, and the first one calls `onRequest`.
  package static func watch(_ onRequest: (@Sendable () -> Void)? = nil) {
    let calls = state.withLock { state in
      state.onRequest = onRequest
      guard state.before.isEmpty, SignalPipe.open(received) else { return state.isRequested }
      for number in signals {
        var old = sigaction()
        guard sigaction(number, nil, &old) == 0, !old.isIgnoring else { continue }
        // A handler, unlike SIG_IGN, does not pass on to the programs that this one starts.
        var new = sigaction()
        new.setHandler { SignalPipe.write($0) }
        new.sa_flags = Int32(SA_RESTART)
        if sigaction(number, &new, nil) == 0 { state.before[number] = old }
      }
      return state.isRequested
    }
    if calls { onRequest?() }
  }

  /// Signals end the process again.
  package static func stopWatching() {
    state.withLock { state in
      for (number, old) in state.before {
        var old = old
        sigaction(number, &old, nil)
      }
      state.before = [:]
      state.onRequest = nil
    }
  }

  /// Runs `body`; the first signal cancels its task.
  package static func cancelling<Value: Sendable>(
    _ body: @escaping @Sendable () async -> Value
  ) async -> Value {
    let task = Task { await body() }
    watch { task.cancel() }
    let value = await task.value
    stopWatching()
    return value
  }

  private static func received(_ number: Int32) {
    let now = ContinuousClock.now
    let (isFirst, onRequest) = state.withLock { state in
      // Some senders signal the process and then its group, which is one request.
      let isRepeated = state.last.map { now - $0 < .seconds(1) } ?? false
      if state.isRequested, !isRepeated { _exit(128 + number) }
      defer { state.isRequested = true }
      if !state.isRequested { state.last = now }
      return (!state.isRequested, state.onRequest)
    }
    guard isFirst else { return }
    StandardError.line(
      "interrupted; waiting for what is under way, a second interrupt ends at once")
    onRequest?()
  }
}

/// Carries the numbers of signals from their handler, which may do next to nothing, to a thread.
private enum SignalPipe {
  /// Read by the handler; set before there is one, and once.
  nonisolated(unsafe) private static var writeEnd: Int32 = -1

  /// Makes the pipe and the thread, which calls `receive` for each signal, unless they are there; returns whether they
  /// are.
  static func open(_ receive: @escaping @Sendable (Int32) -> Void) -> Bool {
    if writeEnd >= 0 { return true }
    var ends: [Int32] = [-1, -1]
    guard pipe(&ends) == 0 else { return false }
    for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
    let readEnd = ends[0]
    writeEnd = ends[1]
    Thread.detachNewThread {
      var byte: UInt8 = 0
      while true {
        let count = read(readEnd, &byte, 1)
        if count == 1 { receive(Int32(byte)) } else if count == 0 || errno != EINTR { return }
      }
    }
    return true
  }

  /// Called by a signal's handler: makes no allocation and leaves `errno` as it was.
  static func write(_ number: Int32) {
    let before = errno
    var byte = UInt8(truncatingIfNeeded: number)
    #if canImport(Darwin)
      _ = Darwin.write(writeEnd, &byte, 1)
    #else
      _ = Glibc.write(writeEnd, &byte, 1)
    #endif
    errno = before
  }
}

extension sigaction {
  fileprivate var isIgnoring: Bool {
    #if canImport(Darwin)
      let handler = __sigaction_u.__sa_handler
    #else
      let handler = __sigaction_handler.sa_handler
    #endif
    return unsafeBitCast(handler, to: Int.self) == unsafeBitCast(SIG_IGN, to: Int.self)
  }

  fileprivate mutating func setHandler(_ handler: @escaping @convention(c) (Int32) -> Void) {
    #if canImport(Darwin)
      __sigaction_u.__sa_handler = handler
    #else
      __sigaction_handler.sa_handler = handler
    #endif
  }
}
