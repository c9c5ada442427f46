import Annotation
import Foundation
import Reasoning
import Synchronization
import Teachers
import Testing

/// Counts what it is asked, and states its cue on the second try.
private final class CountingTeacher: Teacher {
  let identity = "counting"
  let prompts = Mutex<[String]>([])

  func answer(_ prompt: TeacherPrompt, _ sampling: TeacherSampling) async throws -> TeacherAnswer {
    prompts.withLock { $0.append("\(prompt.question.id) \(prompt.step) \(sampling.attempt)") }
    return TeacherAnswer(
      texts: [sampling.attempt == 0 ? "hm" : "The answer: the answer is (A)."], promptTokens: 40,
      completionTokens: 6)
  }
}

@Suite("Annotation with a store")
struct ResumedAnnotationTests {
  @Test("goes on where a budget ended it, asks nothing twice and knows what is to come")
  func resume() async throws {
    let folder = NSTemporaryDirectory() + "resumed-\(UUID().uuidString)"
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(atPath: folder) }
    let store = try AnnotationStore(path: folder + "/annotations.sqlite")
    let teacher = CountingTeacher()
    let requests = (0..<6).map {
      AnnotationRequest(
        .annotate, Question(id: "\($0)", task: "puzzle", text: "Question \($0)?", answer: "(A)"))
    }
    func stored(_ requests: Int? = nil) -> StoredTeacher {
      StoredTeacher(teacher, store: store, budget: Budget(requests: requests))
    }
    func pipeline(_ teacher: StoredTeacher) throws -> AnnotationPipeline {
      AnnotationPipeline(
        teacher, prompts: try PromptTemplates(), settings: .init(concurrency: 1))
    }
    func remaining() async throws -> RemainingWork {
      let teacher = stored()
      return try await pipeline(teacher).remaining(requests, second: true, stored: teacher.stored)
    }

    let before = try await remaining()
    #expect(before.calls == 12 && before.stored == 0 && !before.isMeasured)
    #expect(before.promptTokens > 0 && before.completionTokens > 0)

    let first = try await pipeline(stored(5)).run(requests)
    #expect(first.failure is BudgetSpent)
    #expect(first.outcomes.map { $0?.chain?.tries } == [2, 2, nil, nil, nil, nil])
    let after = try await remaining()
    // Two first answers are there, each of which one more request follows.
    #expect(after.stored == 2 && after.calls == 2 + 4 * 2 && after.isMeasured)
    #expect(after.completionTokens == 10 * 6)

    let second = try await pipeline(stored()).run(requests)
    #expect(second.failure == nil && second.outcomes.allSatisfy { $0?.chain?.tries == 2 })
    let asked = teacher.prompts.withLock { $0 }
    #expect(asked.count == 12 && Set(asked).count == 12)
  }
}
