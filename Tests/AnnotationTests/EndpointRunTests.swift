import Annotation
import Foundation
import Reasoning
import Synchronization
import Teachers
import TestSupport
import Testing

/// Whole runs of the pipeline against an endpoint.
@Suite("A run against an endpoint")
struct EndpointRunTests {
  private static let quick = EndpointTeacher.Patience(
    timeout: .seconds(20), tries: 2, firstWait: .milliseconds(1), longestWait: .milliseconds(2))

  /// A run's result, and how far it said it was.
  private func run(
    _ ids: [String], concurrency: Int = 1, store: AnnotationStore? = nil,
    _ reply: @escaping @Sendable (String, Int) -> StubEndpoint.Reply
  ) async throws -> (result: AnnotationPipeline.Result, progress: [Int]) {
    let endpoint = try StubEndpoint { request, number in
      let messages = request.fields["messages"] as? [[String: Any]]
      let text = messages?.first?["content"] as? String ?? ""
      return reply(
        text.components(separatedBy: "Q: ").last?.components(separatedBy: "?").first ?? "", number)
    }
    let teacher = try EndpointTeacher(
      baseURL: endpoint.baseURL, model: "toy", patience: Self.quick)
    let asked: any Teacher = store.map { StoredTeacher(Named(teacher), store: $0) } ?? teacher
    let pipeline = AnnotationPipeline(
      asked, prompts: try PromptTemplates(), settings: .init(tries: 1, concurrency: concurrency))
    let progress = Mutex<[Int]>([])
    let result = await pipeline.run(
      ids.map {
        AnnotationRequest(
          .annotate, Question(id: $0, task: "puzzle", text: "\($0)?", answer: "yes"))
      }
    ) { count in progress.withLock { $0.append(count) } }
    return (result, progress.withLock { $0 })
  }

  /// The same teacher on any port, so that runs share a store.
  private struct Named: Teacher {
    let identity = "endpoint"
    let teacher: EndpointTeacher
    init(_ teacher: EndpointTeacher) { self.teacher = teacher }
    func answer(_ prompt: TeacherPrompt, _ sampling: TeacherSampling) async throws -> TeacherAnswer
    {
      try await teacher.answer(prompt, sampling)
    }
  }

  private static let yes = StubEndpoint.Reply.answer(
    200,
    #"{"choices": [{"message": {"content": "So. The answer is yes."}, "finish_reason": "stop"}]}"#)

  @Test(
    "drops one bad question for its reason, wherever it stands, and goes on",
    arguments: [
      (.answer(200, #"{"choices": [{"message": {"content": null}}]}"#), .empty),
      (
        .answer(
          200, #"{"choices": [{"message": {"content": "1"}, "finish_reason": "length"}]}"#),
        .truncated
      ),
      (.answer(400, #"{"message": "maximum context length is 2048 tokens"}"#), .promptOverLength),
      (.answer(400, #"{"error": {"code": "content_filter"}}"#), .filtered),
      (.answer(400, #"{"error": "this prompt is bad"}"#), .rejected),
      (.answer(500, "worker died"), .unanswered), (.cut(), .unanswered),
      (.answer(200, "<html>"), .unanswered),
    ] as [(StubEndpoint.Reply, DropReason)], [0, 2, 5])
  func oneBad(_ bad: (reply: StubEndpoint.Reply, reason: DropReason), _ place: Int) async throws {
    let ids = (0..<6).map { $0 == place ? "bad" : "\($0)" }
    for concurrency in [1, 3] {
      let (result, progress) = try await run(ids, concurrency: concurrency) { id, _ in
        id == "bad" ? bad.reply : Self.yes
      }
      #expect(result.failure == nil && progress.last == 6)
      for (index, outcome) in result.outcomes.enumerated() {
        if index == place {
          #expect(outcome == .dropped(bad.reason))
        } else {
          #expect(outcome?.chain?.text == " So. The answer is yes.")
        }
      }
      // What the endpoint said is there to be shown, where it was an error.
      let isError = ![.empty, .truncated].contains(bad.reason)
      #expect(Set(result.causes.keys) == (isError ? [bad.reason] : []))
      #expect(result.causeLines.count == result.causes.count)
    }
  }

  @Test("ends with the error of its first request, which nothing was finished before")
  func firstFails() async throws {
    let (result, progress) = try await run(["1", "2", "3"], concurrency: 2) { _, _ in
      .answer(401, #"{"error": "Incorrect API key"}"#)
    }
    let error = try #require(result.failure as? EndpointError)
    #expect(error.status == 401 && error.found.contains("Incorrect API key"))
    #expect(result.outcomes.allSatisfy { $0 == nil } && progress.isEmpty)
  }

  @Test(
    "ends with the endpoint's error where no question is answered, and has dropped none",
    arguments: [
      .answer(400, #"{"error": "the request is wrong"}"#), .answer(500, "down"), .cut(),
      .answer(200, "<html>Log in</html>"), .answer(204, ""), .answer(503, "down"),
    ] as [StubEndpoint.Reply], [1, 4, 20])
  func noneAnswered(_ reply: StubEndpoint.Reply, _ count: Int) async throws {
    let requests = Mutex(0)
    let (result, _) = try await run((0..<count).map(String.init)) { _, _ in
      requests.withLock { $0 += 1 }
      return reply
    }
    #expect(result.failure is EndpointError)
    #expect(result.outcomes.allSatisfy { $0 == nil } && result.causes.isEmpty)
    #expect(requests.withLock { $0 } <= 4 * Self.quick.tries)
  }

  @Test("keeps what was answered before the endpoint went down")
  func goesDown() async throws {
    let (result, _) = try await run((0..<20).map(String.init)) { _, number in
      number < 10 ? Self.yes : .answer(500, "down")
    }
    #expect((result.failure as? EndpointError)?.status == 500)
    #expect(result.outcomes.prefix(10).allSatisfy { $0?.chain != nil })
    #expect(result.outcomes.dropFirst(10).allSatisfy { $0 == nil } && result.causes.isEmpty)
  }

  @Test("keeps all answers where many questions are rejected")
  func manyRejected() async throws {
    let (result, _) = try await run((0..<20).map(String.init)) { id, _ in
      id == "0" || id == "19" ? Self.yes : .answer(400, #"{"error": "not this one"}"#)
    }
    #expect(result.failure == nil && result.outcomes.count { $0?.chain != nil } == 2)
    #expect(result.outcomes.count { $0 == .dropped(.rejected) } == 18)
  }

  @Test("records a dropped answer and its reason, and asks again after an error alone")
  func stored() async throws {
    let folder = try Folder()
    let store = try AnnotationStore(path: folder["store"])
    let ids = ["cut", "long", "yes"]
    let asked = Mutex<[String]>([])
    var outcomes: [[AnnotationOutcome?]] = []
    for _ in 0..<2 {
      let (result, _) = try await run(ids, store: store) { id, _ in
        asked.withLock { $0.append(id) }
        switch id {
        case "cut":
          return .answer(
            200,
            #"{"choices": [{"message": {"content": "The answer is y"}, "finish_reason": "length"}]}"#
          )
        case "long": return .answer(400, #"{"error": "prompt is too long"}"#)
        default: return Self.yes
        }
      }
      #expect(result.failure == nil)
      outcomes.append(result.outcomes)
    }
    #expect(outcomes[0] == outcomes[1])
    #expect(outcomes[0].prefix(2) == [.dropped(.truncated), .dropped(.promptOverLength)])
    #expect(asked.withLock { $0 } == ids + ["long"])
  }

  @Test("estimates what is to come from any number of tokens that a store holds")
  func estimate() async throws {
    let folder = try Folder()
    let store = try AnnotationStore(path: folder["store"])
    let huge = Counted()
    let stored = StoredTeacher(huge, store: store)
    let requests = ["1", "2", "3"].map {
      AnnotationRequest(.annotate, Question(id: $0, task: "puzzle", text: "\($0)?", answer: "yes"))
    }
    let pipeline = AnnotationPipeline(stored, prompts: try PromptTemplates())
    _ = await pipeline.run(Array(requests.prefix(2)))
    let work = try await pipeline.remaining(requests, second: false, stored: stored.stored)
    #expect(work.calls == 1 && work.isMeasured && work.promptTokens > 0)
  }

  private struct Counted: Teacher {
    let identity = "counted"
    func answer(_ prompt: TeacherPrompt, _ sampling: TeacherSampling) -> TeacherAnswer {
      TeacherAnswer(
        texts: ["The answer is yes"], promptTokens: .max / 4, completionTokens: .max / 4,
        ending: .complete)
    }
  }
}
