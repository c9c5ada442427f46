import Annotation
import Foundation
import Reasoning
import Synchronization
import Teachers
import TestSupport
import Testing

@Suite("An endpoint's reply")
struct EndpointReplyTests {
  private let sampling = TeacherSampling(
    temperature: 0.5, topP: 0.9, maximumTokens: 64, stop: ["\nQ: "], seed: 7)
  private static let quick = EndpointTeacher.Patience(
    timeout: .seconds(20), tries: 3, firstWait: .milliseconds(1), longestWait: .milliseconds(2),
    longestRetryAfter: .seconds(2))

  private func teacher(
    _ endpoint: StubEndpoint, onNotice: @escaping @Sendable (String) -> Void = { _ in }
  ) throws -> EndpointTeacher {
    try EndpointTeacher(
      baseURL: endpoint.baseURL, model: "toy", patience: Self.quick, onNotice: onNotice)
  }

  /// The answer to one request that gets `reply`.
  private func answer(_ reply: StubEndpoint.Reply) async throws -> TeacherAnswer {
    let endpoint = try StubEndpoint { _, _ in reply }
    let answer = try await teacher(endpoint).answer(prompt("1"), sampling)
    #expect(endpoint.requests.count == 1)
    return answer
  }

  /// A completion whose message has these members.
  private static func message(
    _ members: String, finish: String? = "stop", rest: String = ""
  ) -> String {
    let finish = finish.map { #""\#($0)""# } ?? "null"
    return #"{"choices": [{"message": {\#(members)}, "finish_reason": \#(finish)}]\#(rest)}"#
  }

  private static let plain = message(#""content": "So 6.""#)

  @Test(
    "is read in all the forms that servers and proxies give it",
    arguments: [
      message(#""content": [{"type": "text", "text": "So "}, {"type": "text", "text": "6."}]"#),
      message(
        #""content": [{"type": "reasoning", "text": "9?"}, {"type": "output_text", "text": "So 6."}]"#
      ),
      message(#""content": ["So ", "6."]"#), message(#""content": "So 6.", "refusal": """#),
      message(#""content": "So 6.", "refusal": null, "tool_calls": [], "function_call": null"#),
      message(#""content": "So 6.", "reasoning_content": "Is it 9?""#),
      message(#""content": "So 6.""#, rest: #", "error": null, "usage": null"#),
      message(#""content": "So 6.""#, finish: "eos"), message(#""content": "So 6.""#, finish: nil),
      #"{"choices": [{"text": "So 6.", "finish_reason": "stop"}]}"#,
      ": PROCESSING\n\n: PROCESSING\r\n\n" + plain, "\n\n\n" + plain,
      String(repeating: " ", count: 3000) + plain, "\u{feff}" + plain,
      message(#""content": "So 6.""#, rest: #", "usage": {"cost": NaN, "time": -Infinity}"#),
      """
      : comment

      data: {"choices": [{"index": 0, "delta": {"role": "assistant"}, "finish_reason": null}]}

      data: {"choices": [{"index": 0, "delta": {"content": "So "}}]}

      event: message
      data: {"choices": [{"index": 1, "delta": {"content": "So 9."}},
      data:  {"index": 0, "delta": {"content": "6."}}]}

      data: {"choices": [], "usage": {"completion_tokens": 3}}

      data: [DONE]

      """,
      "data: {\"choices\": [{\"delta\": {\"content\": \"So 6.\"}, \"finish_reason\": \"stop\"}]}\r\n\r\n",
      "data: \(plain)",
    ])
  func readable(_ body: String) async throws {
    #expect(try await answer(.answer(200, body)).texts.first == "So 6.")
  }

  @Test("is read when it comes compressed")
  func compressed() async throws {
    // gzip of a completion that says "So 6.".
    let body = try #require(
      Data(
        base64Encoded:
          "H4sIAAAAAAACA6tWSs7Iz0xOLVayUoiuVspNLS5OTE8FcqqVkvPzSlLzSoBspeB8BTM9pdra2FoAmwdmkTAAAAA="
      ))
    let answer = try await answer(
      .bytes(200, headers: ["Content-Encoding": "gzip"], Array(body)))
    #expect(answer.texts == ["So 6."])
  }

  @Test(
    "counts its tokens, however they are written",
    arguments: [
      ("50", "20", 50, 20), ("50.0", "20.4", 50, 20), (#""50""#, #""20""#, 50, 20),
      ("50", "null", 50, nil), ("-1", "1e300", nil, nil), ("true", "[1]", nil, nil),
      ("9223372036854775807", "{}", nil, nil),
    ] as [(String, String, Int?, Int?)])
  func usage(_ prompt: String, _ completion: String, _ read: Int?, _ written: Int?) async throws {
    let answer = try await answer(
      .answer(
        200,
        Self.message(
          #""content": "So 6.""#,
          rest: #", "usage": {"prompt_tokens": \#(prompt), "completion_tokens": \#(completion)}"#)))
    #expect(
      answer
        == TeacherAnswer(
          texts: ["So 6."], promptTokens: read, completionTokens: written, ending: .complete))
  }

  @Test(
    "says how its text ended",
    arguments: [
      (message(#""content": "So""#, finish: "length"), ["So"], .truncated),
      (message(#""content": "So""#, finish: "MAX_TOKENS"), ["So"], .truncated),
      (message(#""content": null, "reasoning": "9?""#, finish: "length"), [""], .truncated),
      (message(#""content": "So""#, finish: "content_filter"), ["So"], .filtered),
      (message(#""content": null, "refusal": "No.""#), [], .refused),
      (
        message(#""content": [{"type": "refusal", "refusal": "No."}]"#), [], .refused
      ),
      (
        message(
          #""content": null, "tool_calls": [{"function": {"name": "add"}}]"#, finish: "tool_calls"),
        [""], .toolCall
      ),
      (message(#""content": "So", "function_call": {"name": "add"}"#), ["So"], .toolCall),
      (message(#""content": "So""#), ["So"], .complete),
      (message(#""content": null"#), [""], .complete),
      (message(#""content": "So""#, finish: nil), ["So"], nil),
      (
        #"data: {"choices": [{"delta": {"content": "So"}, "finish_reason": "length"}]}"#, ["So"],
        .truncated
      ),
    ] as [(String, [String], TextEnding?)])
  func endings(_ body: String, _ texts: [String], _ ending: TextEnding?) async throws {
    #expect(
      try await answer(.answer(200, body)) == TeacherAnswer(texts: texts, ending: ending))
  }

  /// What the pipeline makes of a question whose first reply is `body` and whose others say 6.
  private func outcome(_ reply: StubEndpoint.Reply) async throws -> (AnnotationOutcome?, Int) {
    let endpoint = try StubEndpoint { _, _ in reply }
    let pipeline = AnnotationPipeline(
      try teacher(endpoint), prompts: try PromptTemplates(),
      settings: .init(tries: 2, concurrency: 1))
    let question = Question(id: "q", task: "puzzle", text: "What is 3 * 2?", answer: "6")
    let result = await pipeline.run([AnnotationRequest(.annotate, question)])
    #expect(result.failure == nil)
    return (result.outcomes[0], endpoint.requests.count)
  }

  @Test(
    "that holds no whole response is dropped for its reason, after another try where that may help",
    arguments: [
      (message(#""content": "The answer is 1""#, finish: "length"), .truncated, 2),
      (message(#""content": "<think>The answer is 6""#), .truncated, 2),
      (
        message(
          #""content": "The answer is 1""#, finish: nil,
          rest: #", "usage": {"completion_tokens": 512}"#), .truncated, 2
      ),
      (message(#""content": "The answer is 6""#, finish: "content_filter"), .filtered, 1),
      (message(#""content": null, "refusal": "No.""#), .refused, 1),
      (message(#""content": "The answer is 6", "tool_calls": [1]"#), .toolCall, 2),
      (message(#""content": null, "reasoning_content": "The answer is 6""#), .empty, 2),
      (message(#""content": "\ud83d pens. The answer is 6""#), .garbled, 2),
      (message(#""content": "a\u0000b. The answer is 6""#), .garbled, 2),
      (message(#""content": "<think>The answer is 6</think>It is six.""#), .noCue, 2),
    ] as [(String, DropReason, Int)])
  func dropped(_ body: String, _ reason: DropReason, _ tries: Int) async throws {
    let (outcome, requests) = try await outcome(.answer(200, body))
    #expect(outcome == .dropped(reason) && requests == tries)
  }

  @Test("with a text beyond all limits is dropped as over length")
  func giant() async throws {
    let body = Self.message(#""content": "\#(String(repeating: "<think>", count: 200_000))""#)
    #expect(try await outcome(.answer(200, body)).0 == .dropped(.overLength))
  }

  @Test("with bytes that are not UTF-8 in its text is dropped as garbled")
  func badText() async throws {
    let body = Self.message(#""content": "3 # pens. The answer is 6""#)
    let bytes = Array(body.utf8).flatMap { $0 == UInt8(ascii: "#") ? [0xe2, 0x82] : [$0] }
    #expect(try await outcome(.bytes(200, bytes)).0 == .dropped(.garbled))
  }

  @Test(
    "is kept without reasoning, special tokens, and questions that follow",
    arguments: [
      #"<think>\nThe answer is 9?\n</think>\n\n3 * 2 = 6. The answer is 6"#,
      #"3 * 2 = 6. The answer is 6<|im_end|>\n<|im_start|>user"#,
      #"3 * 2 = 6. The answer is 6\n\nQ: What is 1 + 1?\nA: The answer is 2"#,
      #"3 * 2 = 6. The answer is 6\n\nQuestion: What is 1 + 1?\nThe answer is 2"#,
    ])
  func kept(_ content: String) async throws {
    for finish in ["stop", "length"] where finish == "stop" || !content.contains("Question") {
      if finish == "length", content.hasPrefix("<think>") { continue }
      let body = Self.message(#""content": "\#(content)""#, finish: finish)
      let (outcome, requests) = try await outcome(.answer(200, body))
      #expect(outcome?.chain?.text == " 3 * 2 = 6. The answer is 6" && requests == 1)
      #expect(outcome?.chain?.isCorrect == true)
    }
  }

  @Test(
    "that rejects a setting by name is followed by a request without it, and all later ones do without",
    arguments: [
      (
        "seed", 422,
        #"{"detail": [{"loc": ["body", "seed"], "msg": "extra fields not permitted"}]}"#
      ),
      ("seed", 400, #"{"error": {"message": "Unsupported parameter: 'seed'", "param": "seed"}}"#),
      ("seed", 400, #"{"object": "error", "message": "seed: Extra inputs are not permitted"}"#),
      ("top_p", 400, #"{"error": {"message": "Unrecognized request argument supplied: top_p"}}"#),
      ("stop", 400, #"{"error": "argument stop is not supported"}"#),
      (
        "temperature", 400,
        #"{"error": {"message": "'temperature' does not support 0.5 with this model. Only the default (1) value is supported.", "param": "temperature"}}"#
      ),
    ])
  func settings(_ name: String, _ status: Int, _ body: String) async throws {
    let folder = try Folder()
    let notices = Mutex<[String]>([])
    let endpoint = try StubEndpoint { request, _ in
      request.fields[name] == nil ? .answer(200, Self.plain) : .answer(status, body)
    }
    let teacher = try teacher(endpoint) { notice in notices.withLock { $0.append(notice) } }
    let stored = StoredTeacher(teacher, store: try AnnotationStore(path: folder["store"]))
    for id in ["1", "2"] {
      #expect(try await stored.answer(prompt(id), sampling).omitted == [name])
    }
    #expect(try stored.stored(prompt("2"), sampling)?.omitted == [name])
    #expect(endpoint.requests.count == 3 && stored.spending.total.requests == 3)
    let sent: Set = ["seed", "top_p", "stop", "temperature", "max_tokens"]
    let kept = Set(endpoint.requests[2].fields.keys).intersection(sent)
    #expect(kept == sent.subtracting([name]))
    #expect(
      notices.withLock { $0 } == [
        "\(endpoint.baseURL)/chat/completions does not take \(name); asking without"
      ])
  }

  @Test("that names all settings one after the other ends in a request without any")
  func allSettings() async throws {
    let endpoint = try StubEndpoint { request, _ in
      let names = ["seed", "stop", "temperature", "top_p"].filter { request.fields[$0] != nil }
      guard let name = names.first else { return .answer(200, Self.plain) }
      return .answer(400, #"{"error": {"message": "Unknown parameter: '\#(name)'"}}"#)
    }
    let answer = try await teacher(endpoint).answer(prompt("1"), sampling)
    #expect(answer.omitted == ["seed", "stop", "temperature", "top_p"])
    #expect(endpoint.requests.count == 5)
  }

  @Test("from another model than the one asked for is told once")
  func otherModel() async throws {
    let notices = Mutex<[String]>([])
    let names = ["toy", "owner/Toy-7b", "other", "third"]
    let endpoint = try StubEndpoint { _, number in
      .answer(200, Self.message(#""content": "6""#, rest: #", "model": "\#(names[number])""#))
    }
    let teacher = try teacher(endpoint) { notice in notices.withLock { $0.append(notice) } }
    for id in names { _ = try await teacher.answer(prompt(id), sampling) }
    #expect(notices.withLock { $0.count == 1 && $0[0].hasSuffix("model toy and names other") })
  }

  @Test(
    "that is an error concerns the question or the endpoint, and is tried again where that may help",
    arguments: [
      (
        400, #"{"message": "This model's maximum context length is 2048 tokens.", "code": 400}"#,
        .question(.promptOverLength), 1
      ),
      (
        400, #"{"error": {"code": "context_length_exceeded", "message": "", "param": "messages"}}"#,
        .question(.promptOverLength), 1
      ),
      (
        500, #"{"error": {"message": "the request exceeds the available context size"}}"#,
        .question(.promptOverLength), 1
      ),
      (422, "`inputs` tokens + `max_new_tokens` must be <= 2048", .question(.promptOverLength), 1),
      (413, "", .question(.promptOverLength), 1),
      (
        400, #"{"error": {"code": "content_filter", "message": "The response was filtered"}}"#,
        .question(.filtered), 1
      ),
      (403, #"{"error": {"message": "Your input was flagged"}}"#, .question(.filtered), 1),
      (400, #"{"error": {"message": "Something about this prompt"}}"#, .unclear(.rejected), 1),
      (400, #"{"error": {"message": "Please stop, this is not allowed"}}"#, .unclear(.rejected), 1),
      (401, #"{"error": {"message": "Incorrect API key provided"}}"#, .endpoint, 1),
      (400, #"[{"error": {"message": "API key not valid"}}]"#, .endpoint, 1),
      (402, #"{"error": {"message": "Insufficient credits"}}"#, .endpoint, 1),
      (403, "", .endpoint, 1), (404, #"{"error": "Not found"}"#, .endpoint, 1),
      (400, #"{"error": {"message": "The model `toy` does not exist"}}"#, .endpoint, 1),
      (400, #"{"error": {"message": "Unsupported parameter: 'max_tokens'"}}"#, .endpoint, 1),
      (429, #"{"error": {"code": "insufficient_quota", "message": ""}}"#, .endpoint, 1),
      (307, "", .endpoint, 1), (429, "", .endpoint, 3), (502, "<html>Bad Gateway", .endpoint, 3),
      (529, "", .endpoint, 3), (500, "", .unclear(.unanswered), 3),
      (200, "<!DOCTYPE html><html>", .unclear(.unanswered), 3), (204, "", .unclear(.unanswered), 3),
      (202, #"{"status": "queued"}"#, .unclear(.unanswered), 3),
      (200, #"{"choices": null}"#, .unclear(.unanswered), 3),
      (200, message(#""content": "The answer is 6""#, finish: "error"), .unclear(.unanswered), 3),
      (
        200, #"{"choices": [{"message": {"content": ""}, "error": {"code": 502}}]}"#,
        .unclear(.unanswered), 3
      ),
      (200, #"{"error": {"message": "No auth credentials found", "code": 401}}"#, .endpoint, 1),
      (200, #"{"error": {"message": "Rate limit exceeded", "code": 429}}"#, .endpoint, 3),
      (
        200, "data: {\"choices\": [{\"delta\": {\"content\": \"The answer is 6\"}}]}\n\n",
        .unclear(.unanswered), 3
      ),
    ] as [(Int, String, EndpointError.Scope, Int)])
  func errors(
    _ status: Int, _ body: String, _ scope: EndpointError.Scope, _ requests: Int
  ) async throws {
    let endpoint = try StubEndpoint { _, _ in .answer(status, body) }
    let error = await #expect(throws: EndpointError.self) {
      try await teacher(endpoint).answer(prompt("1"), sampling)
    }
    #expect(error?.scope == scope && error?.tries == requests && error?.status == status)
    #expect(endpoint.requests.count == requests)
    #expect(error?.found.contains(body.isEmpty ? "status \(status)" : body) == true)
  }

  @Test("states a wait in milliseconds too")
  func milliseconds() async throws {
    let endpoint = try StubEndpoint { _, number in
      number == 0
        ? .answer(429, headers: ["Retry-After": "1", "retry-after-ms": "20"], "")
        : .answer(200, Self.plain)
    }
    let waits = Mutex<[Duration]>([])
    let teacher = try EndpointTeacher(
      baseURL: endpoint.baseURL, model: "toy", patience: Self.quick,
      onRetry: { retry in waits.withLock { $0.append(retry.wait) } })
    _ = try await teacher.answer(prompt("1"), sampling)
    #expect(waits.withLock { $0.count == 1 && $0[0] >= .milliseconds(20) && $0[0] < .seconds(1) })
  }
}
