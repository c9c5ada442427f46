import Annotation
import Experiments
import Foundation
import Reasoning
import Teachers

/// A teacher that is ready to be asked, and the questions to ask.
struct AnnotationSetup {
  var questions: [Question]
  /// What the procedural teacher's questions were made of.
  var problems: ProceduralData.Problems?
  var stored: StoredTeacher?
  var pipeline: AnnotationPipeline

  /// Asks for all of `requests` and shows the progress of what takes longer than two seconds. An
  /// interrupt ends the asking.
  func run(_ requests: [AnnotationRequest], _ name: String) async -> AnnotationPipeline.Result {
    let pipeline = pipeline
    let progress = ProgressDisplay(
      "requests (\(name))", total: requests.count, interval: .seconds(30), quiet: .seconds(2))
    let result = await Interruption.cancelling {
      await pipeline.run(requests) { progress.finished(count: $0) }
    }
    progress.close()
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

extension Duration {
  /// Whole seconds, rounded up.
  var seconds: Int { Int((self / .seconds(1)).rounded(.up)) }
}
