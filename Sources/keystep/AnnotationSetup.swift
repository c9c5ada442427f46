import Annotation
import Foundation
import Reasoning
import Synchronization
import Teachers

/// A teacher that is ready to be asked, and the questions to ask.
struct AnnotationSetup {
  var questions: [Question]
  /// What the procedural teacher's questions were made of.
  var problems: ProceduralData.Problems?
  var stored: StoredTeacher?
  var pipeline: AnnotationPipeline

  /// Asks for all of `requests`, and shows how far it is. An interrupt ends the asking.
  func run(_ requests: [AnnotationRequest], _ name: String) async -> AnnotationPipeline.Result {
    let (pipeline, progress) = (pipeline, AnnotationProgress(name, of: requests.count))
    let result = await cancelledByInterrupt {
      await pipeline.run(requests) { progress.report($0) }
    }
    progress.end()
    return result
  }

  func remaining(_ requests: [AnnotationRequest], second: Bool) async throws -> RemainingWork {
    let stored = stored
    return try await pipeline.remaining(requests, second: second) {
      try stored?.stored($0, $1)
    }
  }

  /// Throws where `failure` ended the asking, with a message that says how to go on.
  func check(_ failure: (any Error)?) throws {
    guard let failure else { return }
    throw Stopped(
      reason: failure is CancellationError ? "interrupted" : "\(failure)",
      store: stored?.store.path)
  }

  /// That not everything was asked for.
  private struct Stopped: Error, CustomStringConvertible {
    let reason: String
    let store: String?

    var description: String {
      "\(reason)\nWhat was finished is written. The same command again goes on from there"
        + (store.map { ": \($0) holds the answers so far." } ?? ".")
    }
  }
}

/// How far the asking is, on standard error: one line that is written over in a terminal, elsewhere
/// a line every half minute; nothing of what takes less than two seconds.
final class AnnotationProgress: Sendable {
  private let name: String
  private let total: Int
  private let start = ContinuousClock.now
  private let isTerminal = isatty(STDERR_FILENO) == 1
  private let lastLine = Mutex<ContinuousClock.Instant?>(nil)

  init(_ name: String, of total: Int) {
    self.name = name
    self.total = total
  }

  func report(_ finished: Int) {
    let now = ContinuousClock.now
    lastLine.withLock { last in
      let pause = isTerminal ? Duration.milliseconds(200) : .seconds(30)
      guard finished < total, now - start > .seconds(2), last.map({ now - $0 > pause }) ?? true
      else { return }
      last = now
      let left = (now - start) / Double(finished) * Double(total - finished)
      let line = "\(name): \(finished) of \(total), \(left.seconds) s left"
      if isTerminal {
        FileHandle.standardError.write(Data("\r\u{1b}[K\(line)".utf8))
      } else {
        standardError(line)
      }
    }
  }

  /// Takes the line away.
  func end() {
    if isTerminal, lastLine.withLock({ $0 != nil }) {
      FileHandle.standardError.write(Data("\r\u{1b}[K".utf8))
    }
  }
}

func standardError(_ line: String) {
  FileHandle.standardError.write(Data("\(line)\n".utf8))
}

extension Duration {
  /// Whole seconds, rounded up.
  var seconds: Int { Int((self / .seconds(1)).rounded(.up)) }
}

/// Runs `body`. A first interrupt or request to end cancels its task; a second one ends the
/// program.
func cancelledByInterrupt<Value: Sendable>(_ body: @escaping @Sendable () async -> Value) async
  -> Value
{
  let task = Task { await body() }
  let sources = [SIGINT, SIGTERM].map { number in
    signal(number, SIG_IGN)
    let source = DispatchSource.makeSignalSource(signal: number, queue: .global())
    source.setEventHandler {
      // Some senders signal the process and then its group, which is one request.
      DispatchQueue.global().asyncAfter(deadline: .now() + 1) { signal(number, SIG_DFL) }
      standardError("what is under way is waited for; a second interrupt ends at once")
      task.cancel()
    }
    source.resume()
    return source
  }
  let value = await task.value
  for source in sources { source.cancel() }
  for number in [SIGINT, SIGTERM] { signal(number, SIG_DFL) }
  return value
}
