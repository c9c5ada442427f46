import Files
import Foundation
import Synchronization

/// Whether the process was asked to end: by an interrupt (SIGINT), a request (SIGTERM), a scheduler's warning (SIGUSR1),
/// or the end of its terminal (SIGHUP).
///
/// The first signal is noted, and whoever works finishes what is under way; a second one ends the
/// process at once.
package enum Interruption {
  private struct State {
    var isRequested = false
    var sources: [any DispatchSourceSignal] = []
    var onRequest: (@Sendable () -> Void)?
    var last: ContinuousClock.Instant?
  }

  private static let state = Mutex(State())
  private static let signals = [SIGINT, SIGTERM, SIGUSR1, SIGHUP]
  private static let queue = DispatchQueue(label: "interruption", qos: .userInteractive)

  package static var isRequested: Bool { state.withLock { $0.isRequested } }

  /// From now on signals are noted, and the first one calls `onRequest`.
  package static func watch(_ onRequest: (@Sendable () -> Void)? = nil) {
    let calls = state.withLock { state in
      state.onRequest = onRequest
      guard state.sources.isEmpty else { return state.isRequested }
      state.sources = signals.map { number in
        signal(number, SIG_IGN)
        let source = DispatchSource.makeSignalSource(signal: number, queue: queue)
        source.setEventHandler { received(number) }
        source.resume()
        return source
      }
      return state.isRequested
    }
    if calls { onRequest?() }
  }

  /// Signals end the process again.
  package static func stopWatching() {
    state.withLock { state in
      for source in state.sources { source.cancel() }
      state.sources = []
      state.onRequest = nil
    }
    for number in signals { signal(number, SIG_DFL) }
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
