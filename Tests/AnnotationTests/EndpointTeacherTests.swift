import Annotation
import Files
import Foundation
import Reasoning
import Synchronization
import Teachers
import TestSupport
import Testing

@Suite("An endpoint's teacher")
struct EndpointTeacherTests {
  private let sampling = TeacherSampling(temperature: 0.5, maximumTokens: 9)
  private static let quick = EndpointTeacher.Patience(
    timeout: .seconds(20), tries: 4, firstWait: .milliseconds(2), longestWait: .milliseconds(8),
    longestRetryAfter: .seconds(2))
  private static let secret = "sk-Test-ZyXwVuTsRqPoNmLkJihg/+=zz9"

  /// A chat completion that says `text`.
  private static func said(_ text: String) -> StubEndpoint.Reply {
    .answer(
      200,
      """
      {"choices": [{"index": 0, "message": {"role": "assistant", "content": "\(text)"}}],
       "usage": {"prompt_tokens": 11, "completion_tokens": 4, "total_tokens": 15}}
      """)
  }

  /// The id in the prompt `Q: {id}?` of a chat request.
  private static func id(_ request: StubEndpoint.Request) -> String {
    let messages = request.fields["messages"] as? [[String: Any]]
    return String((messages?.first?["content"] as? String ?? "").dropFirst(3).dropLast())
  }

  private func teacher(
    _ endpoint: StubEndpoint, patience: EndpointTeacher.Patience = quick, key: APIKey? = nil,
    onRetry: @escaping @Sendable (EndpointTeacher.Retry) -> Void = { _ in }
  ) throws -> EndpointTeacher {
    try EndpointTeacher(
      baseURL: endpoint.baseURL, model: "toy", key: key, patience: patience, onRetry: onRetry)
  }

  @Test("A chat request carries the prompt and all settings, and its answer is read")
  func chat() async throws {
    let endpoint = try StubEndpoint { _, _ in Self.said(#"1 + 1 = 2.\n\u00e9"#) }
    let teacher = try teacher(endpoint, key: APIKey(Self.secret))
    let answer = try await teacher.answer(
      prompt("1"),
      TeacherSampling(
        temperature: 0.5, topP: 0.9, maximumTokens: 64, stop: ["\nQ:"], seed: 1 << 40 + 7))
    #expect(
      answer
        == TeacherAnswer(texts: ["1 + 1 = 2.\né"], promptTokens: 11, completionTokens: 4))
    let request = try #require(endpoint.requests.first)
    #expect(request.path == "/v1/chat/completions")
    #expect(request.headers["authorization"] == "Bearer \(Self.secret)")
    #expect(
      String(decoding: request.body, as: UTF8.self)
        == #"{"max_tokens":64,"messages":[{"content":"Q: 1?","role":"user"}],"model":"toy","#
        + #""seed":7,"stop":["\nQ:"],"temperature":0.5,"top_p":0.9}"#)
  }

  @Test("A completion request carries the prompt as it is")
  func completion() async throws {
    let endpoint = try StubEndpoint { _, _ in
      .answer(200, #"{"choices": [{"text": " two"}, {"text": " 2"}]}"#)
    }
    let teacher = try EndpointTeacher(
      baseURL: endpoint.baseURL + "/", model: "toy", kind: .completion,
      tokenLimit: .maxCompletionTokens)
    let answer = try await teacher.answer(prompt("1"), sampling)
    #expect(answer == TeacherAnswer(texts: [" two", " 2"]))
    let request = try #require(endpoint.requests.first)
    #expect(request.path == "/v1/completions")
    #expect(request.headers["authorization"] == nil)
    #expect(
      String(decoding: request.body, as: UTF8.self)
        == #"{"max_completion_tokens":9,"model":"toy","prompt":"Q: 1?","seed":0,"temperature":0.5}"#
    )
  }

  @Test("A further attempt draws with another seed")
  func seeds() async throws {
    let endpoint = try StubEndpoint { _, _ in Self.said("2") }
    let teacher = try teacher(endpoint)
    for (seed, attempt) in [(5, 0), (5, 1), (5, 2), (6, 0), (5, 1)] as [(UInt64, Int)] {
      _ = try await teacher.answer(
        prompt("1"),
        TeacherSampling(temperature: 0, maximumTokens: 1, seed: seed, attempt: attempt))
    }
    let seeds = endpoint.requests.map { $0.fields["seed"] as? Int ?? -1 }
    #expect(seeds[0] == 5 && seeds[3] == 6 && seeds[1] == seeds[4])
    #expect(Set(seeds).count == 4 && seeds.allSatisfy { $0 >= 0 && $0 < 1 << 31 })
  }

  @Test(
    "What may pass is tried again",
    arguments: [
      .answer(429, headers: ["Retry-After": "0"], "slow down"), .answer(500, ""),
      .answer(503, headers: ["Retry-After": "Wed, 21 Oct 2015 07:28:00 GMT"], "later"),
      .cut(), .cut("HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n{\"choices\": [{"),
      .answer(200, #"{"choices": [{"mess"#), .answer(200, #"{"choices": [{}]}"#),
      .answer(200, #"{"error": "overloaded"}"#), .answer(200, #"{"choices": []}"#),
      .answer(200, "[]"), .answer(200, ""),
    ] as [StubEndpoint.Reply])
  func passing(_ failure: StubEndpoint.Reply) async throws {
    let retries = Mutex(0)
    let endpoint = try StubEndpoint { _, number in number < 2 ? failure : Self.said("2") }
    let answer = try await teacher(endpoint, onRetry: { _ in retries.withLock { $0 += 1 } })
      .answer(prompt("1"), sampling)
    #expect(answer.texts == ["2"])
    #expect(endpoint.requests.count == 3 && retries.withLock { $0 } == 2)
    #expect(Set(endpoint.requests.map(\.body)).count == 1)
  }

  @Test("An answer that is later than the timeout is asked for again")
  func timeout() async throws {
    let endpoint = try StubEndpoint { _, number in
      if number == 0 { Thread.sleep(forTimeInterval: 3) }
      return Self.said("\(number)")
    }
    var patience = Self.quick
    patience.timeout = .seconds(1)
    let answer = try await teacher(endpoint, patience: patience).answer(prompt("1"), sampling)
    #expect(answer.texts != ["0"] && endpoint.requests.count > 1)
  }

  @Test("An endpoint that never answers fails after so many tries, and says what came")
  func givesUp() async throws {
    let endpoint = try StubEndpoint { _, number in
      number < 3 ? .cut() : .answer(200, #"{"choices": [{"message": {}}]}"#)
    }
    let teacher = try teacher(endpoint)
    let error = await #expect(throws: EndpointError.self) {
      try await teacher.answer(prompt("1"), sampling)
    }
    #expect(
      error
        == EndpointError(
          url: endpoint.baseURL + "/chat/completions", tries: 4, status: 200,
          expected: "the field choices[0].message.content",
          found: #"{"choices": [{"message": {}}]}"#, scope: .unclear(.unanswered)))
    #expect(endpoint.requests.count == 4)
  }

  @Test("Nobody listening is an error that names the address")
  func refused() async throws {
    let port = SilentPort()
    let url = "http://127.0.0.1:\(port.number)/v1"
    let teacher = try EndpointTeacher(baseURL: url, model: "toy", patience: Self.quick)
    let error = await #expect(throws: EndpointError.self) {
      try await teacher.answer(prompt("1"), sampling)
    }
    #expect(error?.url == url + "/chat/completions" && error?.tries == 4)
  }

  @Test("Other refusals are not tried again", arguments: [400, 401, 404, 302])
  func refusals(_ status: Int) async throws {
    let endpoint = try StubEndpoint { _, _ in
      .answer(status, headers: ["Location": "/elsewhere"], #"{"error": "no such model"}"#)
    }
    let teacher = try teacher(endpoint)
    let error = await #expect(throws: EndpointError.self) {
      try await teacher.answer(prompt("1"), sampling)
    }
    #expect(
      error?.description
        == "\(endpoint.baseURL)/chat/completions: expected status 200, found status \(status): "
        + #"{"error": "no such model"}"#)
    #expect(endpoint.requests.count == 1)
  }

  @Test("Retry-After is waited for, up to a limit")
  func retryAfter() async throws {
    let endpoint = try StubEndpoint { _, number in
      number == 0 ? .answer(429, headers: ["retry-after": "1"], "") : Self.said("2")
    }
    let waits = Mutex<[Duration]>([])
    let patient = try teacher(
      endpoint, onRetry: { retry in waits.withLock { $0.append(retry.wait) } })
    let took = try await ContinuousClock().measure {
      _ = try await patient.answer(prompt("1"), sampling)
    }
    #expect(took >= .seconds(1))
    #expect(waits.withLock { $0.count == 1 && $0[0] >= .seconds(1) && $0[0] < .seconds(1.1) })

    let far = try StubEndpoint { _, _ in .answer(429, headers: ["Retry-After": "3600"], "") }
    let teacher = try teacher(far)
    let error = await #expect(throws: EndpointError.self) {
      try await teacher.answer(prompt("1"), sampling)
    }
    #expect(error?.tries == 1 && error?.found == "status 429, Retry-After: 3600")
  }

  @Test("Retry-After is read in seconds and in the three forms of a date")
  func retryAfterForms() {
    let now = Date(timeIntervalSince1970: 784_111_777 - 90)
    let forms = [
      "90", " 90 ", "90.0", "Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT",
      "Sun Nov  6 08:49:37 1994",
    ]
    for form in forms { #expect(retryDelay(form, now: now) == .seconds(90), "\(form)") }
    #expect(retryDelay("Sat, 06 Nov 1993 08:49:37 GMT", now: now) == .zero)
    #expect(retryDelay("-5", now: now) == .zero)
    for form in ["", "soon", "nan", "inf"] { #expect(retryDelay(form, now: now) == nil) }
  }

  @Test("Waits double up to the longest, half of each at random, the same for the same seed")
  func waits() async throws {
    func waits(seed: UInt64) async throws -> [Duration] {
      let endpoint = try StubEndpoint { _, _ in .answer(500, "") }
      let waits = Mutex<[Duration]>([])
      let teacher = try EndpointTeacher(
        baseURL: endpoint.baseURL, model: "toy", patience: Self.quick, seed: seed,
        onRetry: { retry in waits.withLock { $0.append(retry.wait) } })
      await #expect(throws: EndpointError.self) {
        try await teacher.answer(prompt("1"), sampling)
      }
      return waits.withLock { $0 }
    }
    let first = try await waits(seed: 1)
    try #require(first.count == 3)
    for (wait, most) in zip(first, [2, 4, 8]) {
      #expect(wait >= .milliseconds(most) / 2 && wait <= .milliseconds(most))
    }
    #expect(try await waits(seed: 1) == first)
    #expect(try await waits(seed: 2) != first)
  }

  @Test("An answer without end is an error at once")
  func giant() async throws {
    let endpoint = try StubEndpoint { _, _ in
      .answer(200, String(repeating: " ", count: EndpointTeacher.mostBytes + 1))
    }
    let teacher = try teacher(endpoint)
    let error = await #expect(throws: EndpointError.self) {
      try await teacher.answer(prompt("1"), sampling)
    }
    #expect(error?.expected == "an answer of at most 16777216 bytes")
    #expect(endpoint.requests.count == 1)
  }

  @Test("Tries count against the budget, and the one too many is not sent")
  func budget() async throws {
    let folder = try Folder()
    let endpoint = try StubEndpoint { _, number in
      number % 2 == 0 ? .answer(500, "") : Self.said("2")
    }
    let stored = StoredTeacher(
      try teacher(endpoint), store: try AnnotationStore(path: folder["store"]),
      budget: Budget(requests: 5))
    for id in ["1", "2"] {
      #expect(try await stored.answer(prompt(id), sampling).texts == ["2"])
    }
    await #expect(throws: BudgetSpent(budget: Budget(requests: 5), requests: 5, tokens: 30)) {
      try await stored.answer(prompt("3"), sampling)
    }
    #expect(endpoint.requests.count == 5)
  }

  @Test("A request that was sent is heard out though the task is cancelled, and its answer kept")
  func cancelled() async throws {
    let folder = try Folder()
    let (asked, free) = (DispatchSemaphore(value: 0), DispatchSemaphore(value: 0))
    let endpoint = try StubEndpoint { _, _ in
      asked.signal()
      free.wait()
      return Self.said("2")
    }
    let stored = StoredTeacher(
      try teacher(endpoint), store: try AnnotationStore(path: folder["store"]))
    let task = Task { try await stored.answer(prompt("1"), sampling) }
    await Task.detached { Self.wait(for: asked) }.value
    task.cancel()
    free.signal()
    #expect(try await task.value.texts == ["2"])
    #expect(try stored.stored(prompt("1"), sampling)?.texts == ["2"])
  }

  private static func wait(for semaphore: DispatchSemaphore) { semaphore.wait() }

  @Test("An endpoint that does everything rejected loses nothing, and no answer is asked for twice")
  func everything() async throws {
    let folder = try Folder()
    let ids = (0..<64).map { "q\($0)" }
    // How often each question was asked, and answered.
    let counts = Mutex<[String: (asked: Int, answered: Int)]>([:])
    let endpoint = try StubEndpoint { request, _ in
      let id = Self.id(request)
      let asked = counts.withLock { counts in
        counts[id, default: (0, 0)].asked += 1
        return counts[id]!.asked
      }
      let failures: [StubEndpoint.Reply] = [
        .answer(429, headers: ["Retry-After": "0"], "later"), .answer(500, "oh"), .cut(),
        .answer(200, "{\"choices\": "), .cut("HTTP/1.1 200 OK\r\nContent-Le"),
      ]
      // None, one or two failures before each answer.
      let number = Int(id.dropFirst()) ?? 0
      if asked <= number % 3 { return failures[(number + asked) % failures.count] }
      counts.withLock { $0[id]!.answered += 1 }
      return Self.said("answer to \(id)")
    }
    func run(_ ids: [String]) async throws {
      let stored = StoredTeacher(
        try teacher(endpoint), store: try AnnotationStore(path: folder["store"]))
      try await withThrowingTaskGroup(of: Void.self) { group in
        for id in ids {
          group.addTask {
            let answer = try await stored.answer(prompt(id), sampling)
            #expect(answer.texts == ["answer to \(id)"])
          }
        }
        try await group.waitForAll()
      }
    }
    // Half a run, all of it, and once more.
    try await run(Array(ids.prefix(32)))
    try await run(ids)
    let sent = endpoint.requests.count
    try await run(ids)
    #expect(endpoint.requests.count == sent)
    #expect(counts.withLock { counts in ids.allSatisfy { counts[$0]?.answered == 1 } })
  }

  /// In a query's form, every character but letters and digits escaped.
  private static func escaped(_ text: String) -> String {
    text.addingPercentEncoding(withAllowedCharacters: .alphanumerics) ?? ""
  }

  @Test("The key is in the request alone: not in an error, an identity or a record")
  func key() async throws {
    let folder = try Folder()
    let (key, code) = (Self.secret, "other-SeCrEt-QwErTyUiOp")
    let slashed = key.replacingOccurrences(of: "/", with: "\\/")
    let encoded = [
      Self.escaped(key), Self.escaped(Self.escaped(key)), Data(key.utf8).base64EncodedString(),
      Data("user:\(key)".utf8).base64EncodedString(),
      Self.escaped(Data(key.utf8).base64EncodedString()),
    ]
    var replies: [StubEndpoint.Reply] = [
      .answer(
        401, #"{"error": "\#(key) is not a key, nor is \#(slashed) or \#(key.dropLast(5))"}"#),
      .answer(401, String(repeating: "x", count: 290) + key),
      .answer(200, #"{"choices": "\#(key)"}"#),
      .cut("HTTP/1.1 2\(key) OK\r\n\r\n"),
      .answer(200, #"{"choices": [{"text": "a", "finish_reason": "\#(key)"}]}"#),
      .answer(403, "no such path: /v1/chat/completions?code=\(code)"),
      Self.said("the key \(key) of yours"),
    ]
    replies += encoded.map { .answer(403, "Authorization: Basic \($0) is wrong") }
    replies += encoded.map { Self.said("the key \($0) of yours") }
    // Every run of six characters of the key, and of eight of it in Base64.
    func runs(_ text: String, _ length: Int) -> [String] {
      text.indices.dropLast(length - 1).map { String(text[$0...].prefix(length)) }
    }
    let secret =
      [key, code].flatMap { runs($0, 6) } + runs(encoded[2].filter { $0 != "=" }, 8)
      + runs(String(encoded[3].dropFirst(8).filter { $0 != "=" }), 8)
    func expectNoKey(_ text: String) {
      let once = text.removingPercentEncoding ?? text
      for text in [text, once, once.removingPercentEncoding ?? once] {
        for run in secret { #expect(!text.contains(run), "\(run) in \(text)") }
      }
    }
    for (number, reply) in replies.enumerated() {
      let endpoint = try StubEndpoint { _, _ in reply }
      let printed = Mutex("")
      let query = "?token=\(key)&code=\(code)"
      let teacher = try EndpointTeacher(
        baseURL: endpoint.baseURL + query, model: "toy", key: APIKey(key), patience: Self.quick,
        onRetry: { retry in printed.withLock { $0 += "\(retry) \(retry.failure)" } })
      let stored = StoredTeacher(teacher, store: try AnnotationStore(path: folder["store"]))
      do {
        let text = try #require(await stored.answer(prompt("\(number)"), sampling).texts.first)
        #expect(text.hasPrefix("the key ") && text.hasSuffix(" of yours"))
        #expect(text.contains("[redacted]"))
        expectNoKey(text)
      } catch let error as EndpointError {
        printed.withLock { $0 += "\(error) \(String(reflecting: error))" }
        if number < 3 { #expect(error.found.contains(number == 1 ? "xx" : "[redacted]")) }
      }
      let request = try #require(endpoint.requests.first)
      #expect(request.headers["authorization"] == "Bearer \(key)")
      #expect(request.path == "/v1/chat/completions" + query)
      expectNoKey(printed.withLock { $0 })
      expectNoKey(teacher.identity)
      expectNoKey(stored.identity)
      #expect(teacher.identity == "\(endpoint.baseURL) chat toy")
    }
    let bytes = try folder.bytes()
    #expect(bytes.range(of: Data("of yours".utf8)) != nil)
    for run in secret { #expect(bytes.range(of: Data(run.utf8)) == nil) }
  }

  @Test("A base URL gets /v1 where it has no path, and keeps the one it has")
  func baseURLs() throws {
    func identity(_ url: String) throws -> String {
      try EndpointTeacher(baseURL: url, model: "m", kind: .completion).identity
    }
    #expect(try identity("http://localhost:8000") == "http://localhost:8000/v1 completion m")
    #expect(try identity("http://localhost:8000/v1/") == "http://localhost:8000/v1 completion m")
    #expect(
      try identity("https://host/openai/v3?version=2") == "https://host/openai/v3 completion m")
    for url in ["", "localhost:8000", "ftp://host/v1", "https://", "https://me:pass@host/v1"] {
      let error = #expect(throws: FileError.self) { try identity(url) }
      #expect(error.map { !"\($0)".contains("pass@") } == true)
    }
  }
}

@Suite("API keys")
struct APIKeyTests {
  @Test("A key comes from the environment without the space around it, or not at all")
  func environment() throws {
    #expect(try APIKey.fromEnvironment(in: [:]) == nil)
    #expect(try APIKey.fromEnvironment(in: ["OPENAI_API_KEY": " \n"]) == nil)
    let key = try APIKey.fromEnvironment("OTHER", in: ["OTHER": " abc\n"])
    #expect(key?.authorization == "Bearer abc")
    let error = #expect(throws: FileError.self) {
      try APIKey.fromEnvironment("OTHER", in: ["OTHER": "abc\ndef"])
    }
    #expect(error.map { "\($0)".contains("OTHER") && !"\($0)".contains("def") } == true)
  }

  @Test("A key shows itself to nobody")
  func shown() {
    let key = APIKey("sk-0123456789")
    var dumped = ""
    dump(["key": key], to: &dumped)
    for text in ["\(key)", String(reflecting: key), "\(["key": Optional(key)])", dumped] {
      #expect(!text.contains("0123"), "\(text)")
    }
  }

  @Test("Runs of six characters of a key or more are cut out, and all of a shorter key")
  func redaction() {
    let key = APIKey("sk-0123456789")
    #expect(
      key.redacted(from: "é sk-0123456789: 3456789, 45678") == "é [redacted]: [redacted], 45678")
    #expect(key.redacted(from: "") == "")
    #expect(APIKey("abc").redacted(from: "ab abc") == "ab [redacted]")
  }

  @Test(
    "A key that is escaped or in Base64 is cut out too",
    arguments: [
      ("sk/01-23+4=", "%73%6b/01%2d23%2B4%3D"), ("sk/01-23+4=", "sk%2F01-23%2b4%3d"),
      ("sk/01-23+4=", "sk%252F01-23%252B4%253D"), ("sk/01-23+4=", #"sk\/01-23\u002b4="#),
      ("sk/01-23+4=", "sk&#x2F;01-23&#43;4="), ("sk<01&23>4", "sk&lt;01&amp;23&gt;4"),
    ])
  func escapes(key: String, message: String) {
    #expect(APIKey(key).redacted(from: "<\(message)> é") == "<[redacted]> é")
  }

  @Test("A key in Base64 is cut out wherever in a group of three bytes it begins", arguments: 0..<7)
  func base64(before: Int) {
    let key = "sk-ZyXwVuTsRqPoNmLk?~?~0123"
    let encoded = Data((String(repeating: ":", count: before) + key + "!").utf8)
      .base64EncodedString()
    let safe = encoded.replacing("+", with: "-").replacing("/", with: "_").replacing("=", with: "")
    for text in [encoded, safe, safe.replacing("-", with: "%2D"), "x" + encoded] {
      let redacted = APIKey(key).redacted(from: "Basic \(text).")
      #expect(redacted.hasPrefix("Basic ") && redacted.contains("[redacted]"), "\(redacted)")
      // What is left decodes to no more than what stood around the key.
      let rest = redacted.dropFirst(6).replacing("[redacted]", with: "").filter { $0 != "=" }
      #expect(rest.utf8.count <= 4 * (before + 1) / 3 + 6, "\(redacted)")
    }
  }

  @Test("Texts in which no key is stay as they are")
  func untouched() {
    let key = APIKey("sk-0123456789abcdefghij")
    for text in [
      "100 % of 5 & 6 &amp; \\ \\u00e9 é &#x2F; %2F %zz &#; &",
      Data(repeating: 7, count: 300).base64EncodedString(), "%", "\\", "&", "\\u12", "0123",
    ] {
      #expect(key.redacted(from: text) == text)
      #expect(key.redacted(fromText: text) == text)
    }
  }
}

/// A port of this machine that is taken, so that no server of another test gets it, and on which nobody listens.
private final class SilentPort {
  let number: UInt16
  private let descriptor: Int32

  init() {
    #if canImport(Darwin)
      let descriptor = socket(AF_INET, SOCK_STREAM, 0)
    #else
      let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    #endif
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
    var length = socklen_t(MemoryLayout<sockaddr_in>.size)
    withUnsafeMutablePointer(to: &address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
        let isBound = bind(descriptor, address, length) == 0
        precondition(isBound && getsockname(descriptor, address, &length) == 0)
      }
    }
    self.descriptor = descriptor
    number = UInt16(bigEndian: address.sin_port)
  }

  deinit { close(descriptor) }
}
