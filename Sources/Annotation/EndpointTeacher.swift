import AsyncHTTPClient
import Files
import Foundation
import Randomness
import Reasoning
import Synchronization
import Teachers

/// A language model behind an OpenAI-compatible endpoint (OpenAI, vLLM, llama.cpp, Ollama).
///
/// Sends one request for each question and tries again where that may help: after status 408, 429 or
/// 5xx, a broken connection, a timeout, and an answer that can't be read. TLS certificates are
/// verified and redirects not followed. How many questions are asked at the same time is for the
/// caller to bound.
///
/// Source: https://platform.openai.com/docs/api-reference (chat completions, completions).
public final class EndpointTeacher: Teacher {
  /// Which of the two ways to ask an endpoint offers.
  public enum Kind: String, CaseIterable, Sendable {
    /// `/chat/completions`: the prompt is the one message of a user.
    case chat
    /// `/completions`: the prompt is text to be continued.
    case completion
  }

  /// The name under which the endpoint takes the most tokens of an answer.
  public enum TokenLimit: String, CaseIterable, Sendable {
    case maxTokens = "max_tokens"
    /// What OpenAI's reasoning models ask for.
    case maxCompletionTokens = "max_completion_tokens"
  }

  /// How long an answer is waited for, and how often it is asked for.
  public struct Patience: Sendable {
    /// How long a request may take, from its sending to the end of its answer.
    public var timeout: Duration
    /// The most requests for one answer, the first included.
    public var tries: Int
    /// The wait before the second try. It doubles with each further one up to `longestWait`; half
    /// to all of it, drawn at random, is waited.
    public var firstWait: Duration
    public var longestWait: Duration
    /// The longest wait that an endpoint may ask for (`Retry-After`); it fails where it wants more.
    public var longestRetryAfter: Duration

    public init(
      timeout: Duration = .seconds(180), tries: Int = 6, firstWait: Duration = .seconds(1),
      longestWait: Duration = .seconds(60), longestRetryAfter: Duration = .seconds(600)
    ) {
      self.timeout = timeout
      self.tries = tries
      self.firstWait = firstWait
      self.longestWait = longestWait
      self.longestRetryAfter = longestRetryAfter
    }
  }

  /// A try that failed and is followed by another.
  public struct Retry: Sendable {
    public var failure: EndpointError
    /// How long is waited before the next one.
    public var wait: Duration
  }

  /// Base URL without its query, kind and model.
  public let identity: String

  private let address: Address
  private let model: String
  private let kind: Kind
  private let key: APIKey?
  private let tokenLimit: TokenLimit
  private let patience: Patience
  private let jitter: Mutex<SeededGenerator>
  private let onRetry: @Sendable (Retry) -> Void
  private let client: HTTPClient

  /// The most bytes of an answer's body.
  package static let mostBytes = 16 << 20

  /// - Parameters:
  ///   - baseURL: What stands before `/chat/completions`, as OpenAI's own clients take it; `/v1` is
  ///     filled in where it has no path. A query goes along with each request.
  ///   - key: Sent as a bearer token, and nowhere else; nil for an endpoint that wants none.
  ///   - seed: Of the random part of the waits.
  ///   - onRetry: Called before each wait.
  ///
  /// Throws a `FileError` where `baseURL` is none. Precondition: at least one try.
  public init(
    baseURL: String, model: String, kind: Kind = .chat, key: APIKey? = nil,
    tokenLimit: TokenLimit = .maxTokens, patience: Patience = Patience(), seed: UInt64 = 0,
    onRetry: @escaping @Sendable (Retry) -> Void = { _ in }
  ) throws {
    precondition(patience.tries >= 1, "\(patience.tries) tries")
    address = try Address(baseURL: baseURL, kind: kind)
    identity = "\(address.base) \(kind.rawValue) \(model)"
    self.model = model
    self.kind = kind
    self.key = key
    self.tokenLimit = tokenLimit
    self.patience = patience
    self.onRetry = onRetry
    jitter = Mutex(SeededGenerator(seed: seed, stream: "jitter"))
    var configuration = HTTPClient.Configuration(redirectConfiguration: .disallow)
    // Tries are counted here, and as many connections are opened as questions are asked.
    configuration.connectionPool.retryConnectionEstablishment = false
    configuration.connectionPool.concurrentHTTP1ConnectionsPerHostSoftLimit = 1024
    client = HTTPClient(configuration: configuration)
  }

  deinit {
    // Lives on until its connections are closed.
    client.shutdown { _ in }
  }

  /// Throws an `EndpointError` where the endpoint refuses or no try brought an answer, and
  /// `BudgetSpent` where a further try is not in the budget.
  ///
  /// A request that was sent is heard out, since it is paid for, even where the task is cancelled;
  /// the wait for another try is not.
  public func answer(_ prompt: TeacherPrompt, _ sampling: TeacherSampling) async throws
    -> TeacherAnswer
  {
    let body = try body(prompt, sampling)
    var tries = 1
    while true {
      do {
        return try await Task { try await self.exchange(body) }.value
      } catch let failure as Failure {
        let error = EndpointError(
          url: address.shown, tries: tries, expected: failure.expected,
          found: redacted(failure.found))
        guard failure.isPassing, tries < patience.tries else { throw error }
        let wait = wait(after: tries, atLeast: failure.retryAfter)
        guard failure.retryAfter ?? .zero <= patience.longestRetryAfter else { throw error }
        try Spending.current?.drawRequest()
        onRetry(Retry(failure: error, wait: wait))
        try await Task.sleep(for: wait)
        tries += 1
      }
    }
  }

  /// How long to wait after `tries` of them failed.
  private func wait(after tries: Int, atLeast retryAfter: Duration?) -> Duration {
    let longest = min(
      patience.firstWait * (1 << min(tries - 1, 20)), patience.longestWait)
    let share = jitter.withLock { 0.5 + $0.uniform() / 2 }
    // Whoever was sent away until the same moment comes back at different ones.
    guard let retryAfter else { return longest * share }
    return retryAfter + patience.firstWait * (share - 0.5)
  }

  /// A try without an answer.
  private struct Failure: Error {
    /// Whether another try may help.
    var isPassing: Bool
    var expected: String
    /// As it came: the key may be in it.
    var found: String
    var retryAfter: Duration?
  }

  /// One request and its answer.
  private func exchange(_ body: Data) async throws -> TeacherAnswer {
    var request = HTTPClientRequest(url: address.request)
    request.method = .POST
    request.headers.add(name: "Content-Type", value: "application/json")
    request.headers.add(name: "Accept", value: "application/json")
    request.headers.add(name: "User-Agent", value: "keystep")
    if let key { request.headers.add(name: "Authorization", value: key.authorization) }
    request.body = .bytes(body)
    let reply: Reply
    do {
      reply = try await send(request)
    } catch let failure as Failure {
      throw failure
    } catch {
      // What a certificate lacks it lacks the next time too.
      let found = "\(error)"
      let isCertificate = found.lowercased().contains("certificate")
      throw Failure(
        isPassing: !isCertificate,
        expected: isCertificate ? "a TLS certificate that can be verified" : "an answer",
        found: found)
    }
    guard (200..<300).contains(reply.status) else {
      throw Failure(
        isPassing: [408, 429].contains(reply.status) || reply.status >= 500,
        expected: "status 200", found: reply.description,
        retryAfter: reply.retryAfter.flatMap { retryDelay($0, now: Date()) })
    }
    do {
      let completion = try JSONDecoder().decode(Completion.self, from: reply.body)
      return TeacherAnswer(
        texts: completion.texts.map { key?.redacted(fromText: $0) ?? $0 },
        promptTokens: completion.usage?.promptTokens,
        completionTokens: completion.usage?.completionTokens)
    } catch let error as DecodingError {
      throw Failure(isPassing: true, expected: error.expected, found: reply.text)
    }
  }

  private struct Reply {
    var status: Int
    var retryAfter: String?
    var body: Data
    var text: String { String(decoding: body, as: UTF8.self) }
    var description: String {
      "status \(status)" + (retryAfter.map { ", Retry-After: \($0)" } ?? "")
        + (body.isEmpty ? "" : ": \(text)")
    }
  }

  private func send(_ request: HTTPClientRequest) async throws -> Reply {
    try await withThrowingTaskGroup(of: Reply.self) { [client, patience] group in
      group.addTask {
        let response = try await client.execute(request, deadline: .distantFuture)
        var body = Data()
        for try await chunk in response.body {
          body.append(contentsOf: chunk.readableBytesView)
          guard body.count <= Self.mostBytes else {
            throw Failure(
              isPassing: false, expected: "an answer of at most \(Self.mostBytes) bytes",
              found: "more")
          }
        }
        return Reply(
          status: Int(response.status.code),
          retryAfter: response.headers.first(name: "Retry-After"), body: body)
      }
      group.addTask {
        try await Task.sleep(for: patience.timeout)
        throw Failure(
          isPassing: true, expected: "an answer within \(patience.timeout)", found: "none")
      }
      defer { group.cancelAll() }
      return try await group.next()!
    }
  }

  /// What is sent, in JSON.
  private func body(_ prompt: TeacherPrompt, _ sampling: TeacherSampling) throws -> Data {
    struct Message: Encodable {
      var role = "user"
      var content: String
    }
    struct Body: Encodable {
      var model: String
      var messages: [Message]?
      var prompt: String?
      var temperature: Double
      var topP: Double?
      var maxTokens: Int?
      var maxCompletionTokens: Int?
      var stop: [String]?
      var seed: UInt64
    }
    // A further try draws anew; 31 bits are what every server takes.
    var random = SeededGenerator(seed: sampling.seed, stream: "attempt \(sampling.attempt)")
    let seed = sampling.attempt == 0 ? sampling.seed : random.next()
    let encoder = JSONEncoder()
    encoder.keyEncodingStrategy = .convertToSnakeCase
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    return try encoder.encode(
      Body(
        model: model,
        messages: kind == .chat ? [Message(content: prompt.text)] : nil,
        prompt: kind == .completion ? prompt.text : nil,
        temperature: sampling.temperature, topP: sampling.topP,
        maxTokens: tokenLimit == .maxTokens ? sampling.maximumTokens : nil,
        maxCompletionTokens: tokenLimit == .maxCompletionTokens ? sampling.maximumTokens : nil,
        stop: sampling.stop.isEmpty ? nil : sampling.stop, seed: seed & 0x7fff_ffff))
  }

  /// `found` without the key, and short.
  private func redacted(_ found: String) -> String {
    // Cut twice: looking for the key in a long text takes long, and a cut through the key must not
    // hide it.
    let start = String(found.prefix(4000))
    let shown = key?.redacted(from: start) ?? start
    return shown.count > 300 ? "\(shown.prefix(300))…" : shown
  }
}

/// That an endpoint gave no answer.
public struct EndpointError: Error, Hashable, CustomStringConvertible {
  /// Where the request went, without a query.
  public var url: String
  /// How many requests were sent.
  public var tries: Int
  public var expected: String
  /// Without the key, and cut to a few hundred characters.
  public var found: String

  public init(url: String, tries: Int, expected: String, found: String) {
    self.url = url
    self.tries = tries
    self.expected = expected
    self.found = found
  }

  public var description: String {
    "\(url)\(tries > 1 ? ", try \(tries)" : ""): expected \(expected), found \(found)"
  }
}

/// The addresses of an endpoint.
private struct Address {
  /// Where requests go.
  var request: String
  /// The same without a query, which may hold a key.
  var shown: String
  /// The base URL without a query.
  var base: String

  init(baseURL: String, kind: EndpointTeacher.Kind) throws {
    guard var parts = URLComponents(string: baseURL),
      ["http", "https"].contains(parts.scheme?.lowercased()), parts.host?.isEmpty == false,
      parts.user == nil, parts.password == nil, parts.fragment == nil
    else {
      // Not shown: it may hold a password.
      throw FileError(
        file: "the base URL", location: nil,
        expected: "one such as https://host/v1, without a user or password in it",
        found: "another form")
    }
    var path = parts.percentEncodedPath
    while path.hasSuffix("/") { path.removeLast() }
    if path.isEmpty { path = "/v1" }
    let query = parts.percentEncodedQuery
    func url(_ path: String, query: String? = nil) -> String {
      parts.percentEncodedPath = path
      parts.percentEncodedQuery = query
      return parts.string ?? baseURL
    }
    let full = path + (kind == .chat ? "/chat/completions" : "/completions")
    base = url(path)
    shown = url(full)
    request = url(full, query: query)
  }
}

/// The part of an endpoint's answer that is read.
private struct Completion: Decodable {
  var texts: [String]
  var usage: Usage?

  struct Usage: Decodable {
    var promptTokens: Int?
    var completionTokens: Int?

    enum CodingKeys: String, CodingKey {
      case promptTokens = "prompt_tokens"
      case completionTokens = "completion_tokens"
    }
  }

  private struct Choice: Decodable {
    /// nil where the model refused.
    var text: String?

    enum CodingKeys: CodingKey { case message, text }
    enum MessageKeys: CodingKey { case content, refusal }

    init(from decoder: any Decoder) throws {
      let choice = try decoder.container(keyedBy: CodingKeys.self)
      guard choice.contains(.message) else {
        text = try choice.decode(String.self, forKey: .text)
        return
      }
      let message = try choice.nestedContainer(keyedBy: MessageKeys.self, forKey: .message)
      let refusal = try message.decodeIfPresent(String.self, forKey: .refusal)
      text = try refusal == nil ? message.decode(String.self, forKey: .content) : nil
    }
  }

  enum CodingKeys: CodingKey { case choices, usage }

  init(from decoder: any Decoder) throws {
    let object = try decoder.container(keyedBy: CodingKeys.self)
    let choices = try object.decode([Choice].self, forKey: .choices)
    guard !choices.isEmpty else {
      throw DecodingError.dataCorruptedError(forKey: .choices, in: object, debugDescription: "none")
    }
    texts = choices.compactMap(\.text)
    usage = try object.decodeIfPresent(Usage.self, forKey: .usage)
  }
}

extension DecodingError {
  /// What was expected, and where.
  fileprivate var expected: String {
    func place(_ path: [any CodingKey]) -> String {
      path.map { $0.intValue.map { "[\($0)]" } ?? ".\($0.stringValue)" }.joined().drop {
        $0 == "."
      }.description
    }
    switch self {
    case .keyNotFound(let key, let context): return "the field \(place(context.codingPath + [key]))"
    case .valueNotFound(_, let context): return "a value at \(place(context.codingPath))"
    case .typeMismatch(let type, let context):
      return "\(type) at \(context.codingPath.isEmpty ? "the top" : place(context.codingPath))"
    case .dataCorrupted(let context) where !context.codingPath.isEmpty:
      return "something in \(place(context.codingPath))"
    default: return "JSON"
    }
  }
}

/// The delay that a `Retry-After` header asks for: a number of seconds or a date; nil for another
/// form.
///
/// Source: RFC 9110, sections 10.2.3 and 5.6.7.
package func retryDelay(_ header: String, now: Date) -> Duration? {
  let text = header.trimmingCharacters(in: .whitespaces)
  if let seconds = Double(text) {
    return seconds.isFinite ? .seconds(min(max(seconds, 0), 1e9)) : nil
  }
  let formatter = DateFormatter()
  formatter.locale = Locale(identifier: "en_US_POSIX")
  formatter.timeZone = TimeZone(secondsFromGMT: 0)
  for format in [
    "EEE, dd MMM yyyy HH:mm:ss 'GMT'", "EEEE, dd-MMM-yy HH:mm:ss 'GMT'",
    "EEE MMM d HH:mm:ss yyyy",
  ] {
    formatter.dateFormat = format
    if let date = formatter.date(from: text) {
      return .seconds(max(date.timeIntervalSince(now), 0))
    }
  }
  return nil
}
