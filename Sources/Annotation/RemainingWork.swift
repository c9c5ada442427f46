import Reasoning
import Synchronization
import Teachers

/// What a run still has to ask its teacher, as far as can be known before: a response without its
/// cue asks for more.
public struct RemainingWork: Hashable, Sendable, CustomStringConvertible {
  /// Requests that are answered in the store.
  public var stored = 0
  public var calls = 0
  /// Tokens to be read and written, estimated.
  public var promptTokens = 0
  public var completionTokens = 0
  /// Whether the estimate rests on the token counts of stored answers; on four bytes a token and
  /// the exemplars' responses otherwise.
  public var isMeasured = false

  public var description: String {
    let basis =
      isMeasured ? "as in the stored answers" : "at 4 bytes a token, responses like the exemplars'"
    return
      "\(calls) calls to come, about \(promptTokens) tokens to read and \(completionTokens) to "
      + "write (\(basis)); \(stored) requests are answered in the store"
  }
}

extension AnnotationPipeline {
  /// What asking for the first answers to `questions` and then, with `second`, for the rectified
  /// and corrupted ones still takes.
  ///
  /// - Parameter stored: what the store holds (`StoredTeacher.stored`).
  public func remaining(
    _ requests: [AnnotationRequest], second: Bool,
    stored: @escaping @Sendable (TeacherPrompt, TeacherSampling) throws -> TeacherAnswer?
  ) async throws -> RemainingWork {
    let shelf = StoredAnswers(teacher, stored)
    var dry = self
    dry.teacher = shelf
    var work = RemainingWork()
    var bytes = 0
    func look(at request: AnnotationRequest) async throws -> AnnotationOutcome? {
      do {
        let outcome = try await dry.outcome(of: request)
        let isAsked = ![.dropped(.noGoldAnswer), .dropped(.promptOverLength)].contains(outcome)
        if isAsked { work.stored += 1 }
        return outcome
      } catch is StoredAnswers.NotStored {
        work.calls += 1
        bytes +=
          prompts.prompt(
            request.step, for: request.question, rightResponse: request.correct?.text
          ).text.utf8.count
        return nil
      }
    }
    for request in requests {
      let outcome = try await look(at: request)
      guard second else { continue }
      if let first = outcome?.chain {
        _ = try await look(at: AnnotationRequest(after: first, to: request.question))
      } else if outcome == nil {
        // Which of the two requests follows is not known; either has about this prompt.
        work.calls += 1
        bytes += prompts.prompt(.rectify, for: request.question).text.utf8.count
      }
    }
    let seen = shelf.seen.withLock { $0 }
    if seen.answers > 0, seen.promptBytes > 0 {
      work.isMeasured = true
      func estimate(_ tokens: Double) -> Int { Int(min(tokens, 1e15)) }
      work.promptTokens = estimate(Double(bytes) * seen.promptTokens / Double(seen.promptBytes))
      work.completionTokens = estimate(
        Double(work.calls) * seen.completionTokens / Double(seen.answers))
    } else {
      work.promptTokens = bytes / 4
      let lengths = prompts.responseBytes(for: requests.first?.question)
      work.completionTokens = work.calls * lengths / 4
    }
    return work
  }
}

/// A teacher that has what is in the store and throws where it would have to ask.
private final class StoredAnswers: Teacher {
  struct NotStored: Error {}

  private let teacher: any Teacher
  private let stored: @Sendable (TeacherPrompt, TeacherSampling) throws -> TeacherAnswer?
  /// Of the answers that came with token counts; in floating point, since an endpoint may state any
  /// number.
  let seen = Mutex((answers: 0, promptBytes: 0, promptTokens: 0.0, completionTokens: 0.0))

  init(
    _ teacher: any Teacher,
    _ stored: @escaping @Sendable (TeacherPrompt, TeacherSampling) throws -> TeacherAnswer?
  ) {
    self.teacher = teacher
    self.stored = stored
  }

  var identity: String { teacher.identity }

  func fits(_ prompt: TeacherPrompt) -> Bool { teacher.fits(prompt) }

  func answer(_ prompt: TeacherPrompt, _ sampling: TeacherSampling) throws -> TeacherAnswer {
    guard let answer = try stored(prompt, sampling) else { throw NotStored() }
    if let read = answer.promptTokens, let written = answer.completionTokens {
      seen.withLock {
        $0.answers += 1
        $0.promptBytes += prompt.text.utf8.count
        $0.promptTokens += Double(max(read, 0))
        $0.completionTokens += Double(max(written, 0))
      }
    }
    return answer
  }
}
