import AsyncHTTPClient
import Files
import Foundation
import Randomness
import Reasoning
import Synchronization
import Teachers

/// A language model behind an OpenAI-compatible endpoint (OpenAI, vLLM, llama.cpp, Ollama).
///
/// Sends one request for each question and tries again where that may help: after status 408, 409, 425,
/// 429 or 5xx, a broken connection, a timeout, and a reply that can't be read. A sampling setting that
/// the endpoint rejects by name is left out from then on, and the answers say so. TLS certificates are
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
    /// The longest wait that an endpoint may ask for (`Retry-After`); a longer one is a failure.
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
  /// The key, and what may be one in the query of the base URL.
  private let secrets: [APIKey]
  private let tokenLimit: TokenLimit
  private let patience: Patience
  private let jitter: Mutex<SeededGenerator>
  private let onRetry: @Sendable (Retry) -> Void
  private let onNotice: @Sendable (String) -> Void
  /// What was learnt of the endpoint.
  private let learnt = Mutex(Learnt())
  private let client: HTTPClient

  private struct Learnt {
    /// The settings that it does not take.
    var omitted: Set<Setting> = []
    /// Whether it named a model that is not the one asked for.
    var hasOtherModel = false
  }

  /// The settings that a request can do without, by their names in it.
  private enum Setting: String, CaseIterable {
    case seed, stop, temperature
    case topP = "top_p"
  }

  /// The most bytes of a reply's body, decompressed.
  package static let mostBytes = 16 << 20

  /// - Parameters:
  ///   - baseURL: What stands before `/chat/completions`, as OpenAI's own clients take it; `/v1` is
  ///     filled in where it has no path. A query goes along with each request.
  ///   - key: Sent as a bearer token, and nowhere else; nil for an endpoint that needs none.
  ///   - seed: Of the random part of the waits.
  ///   - onRetry: Called before each wait.
  ///   - onNotice: Called with what a user must know: a setting that is left out, another model.
  ///
  /// Throws a `FileError` where `baseURL` is none. Precondition: at least one try.
  public init(
    baseURL: String, model: String, kind: Kind = .chat, key: APIKey? = nil,
    tokenLimit: TokenLimit = .maxTokens, patience: Patience = Patience(), seed: UInt64 = 0,
    onRetry: @escaping @Sendable (Retry) -> Void = { _ in },
    onNotice: @escaping @Sendable (String) -> Void = { _ in }
  ) throws {
    precondition(patience.tries >= 1, "\(patience.tries) tries")
    address = try Address(baseURL: baseURL, kind: kind)
    identity = "\(address.base) \(kind.rawValue) \(model)"
    self.model = model
    self.kind = kind
    self.key = key
    secrets = [key].compactMap(\.self) + address.keys
    self.tokenLimit = tokenLimit
    self.patience = patience
    self.onRetry = onRetry
    self.onNotice = onNotice
    jitter = Mutex(SeededGenerator(seed: seed, stream: "jitter"))
    var configuration = HTTPClient.Configuration(redirectConfiguration: .disallow)
    // Tries are counted here, and as many connections are opened as questions are asked.
    configuration.connectionPool.retryConnectionEstablishment = false
    configuration.connectionPool.concurrentHTTP1ConnectionsPerHostSoftLimit = 1024
    configuration.decompression = .enabled(limit: .size(Self.mostBytes))
    client = HTTPClient(configuration: configuration)
  }

  deinit {
    // Lives on until its connections are closed.
    client.shutdown { _ in }
  }

  /// Throws an `EndpointError` where the endpoint rejects the request or no try brought an answer, and
  /// `BudgetSpent` where a further try is not in the budget.
  ///
  /// A request that was sent is heard out, since it is paid for, even where the task is cancelled;
  /// the wait for another try is not.
  public func answer(_ prompt: TeacherPrompt, _ sampling: TeacherSampling) async throws
    -> TeacherAnswer
  {
    var (requests, failures) = (0, 0)
    while true {
      let sent = settings(sampling)
      let body = try body(prompt, sampling, sending: sent)
      requests += 1
      do {
        var answer = try await Task { try await self.exchange(body, sent) }.value
        answer.omitted = settings(sampling, omitting: []).subtracting(sent).map(\.rawValue).sorted()
        return answer
      } catch let failure as Failure {
        if case .setting(let names) = failure.kind {
          omit(names)
          try Spending.current?.drawRequest()
          continue
        }
        failures += 1
        let (again, scope) = scope(of: failure)
        let error = EndpointError(
          url: address.shown, tries: requests, status: failure.status,
          expected: redacted(failure.expected), found: redacted(failure.found), scope: scope)
        guard again, failures < patience.tries else { throw error }
        let wait = wait(after: failures, atLeast: failure.retryAfter)
        guard failure.retryAfter ?? .zero <= patience.longestRetryAfter else { throw error }
        try Spending.current?.drawRequest()
        onRetry(Retry(failure: error, wait: wait))
        try await Task.sleep(for: wait)
      }
    }
  }

  /// Whether another try may help, and whom the failure concerns if it does not.
  private func scope(of failure: Failure) -> (again: Bool, EndpointError.Scope) {
    switch failure.kind {
    // Proxies in front of a server that is down or overloaded.
    case .passing where [502, 503, 529].contains(failure.status): (true, .endpoint)
    case .passing: (true, .unclear(.unanswered))
    case .limited, .unreachable: (true, .endpoint)
    case .tooLong: (false, .unclear(.unanswered))
    case .question(let reason): (false, .question(reason))
    case .rejected: (false, .unclear(.rejected))
    case .final, .setting: (false, .endpoint)
    }
  }

  /// The settings that a request for `sampling` states.
  private func settings(_ sampling: TeacherSampling) -> Set<Setting> {
    settings(sampling, omitting: learnt.withLock { $0.omitted })
  }

  private func settings(_ sampling: TeacherSampling, omitting omitted: Set<Setting>)
    -> Set<Setting>
  {
    var settings: Set<Setting> = [.seed, .temperature]
    if sampling.topP != nil { settings.insert(.topP) }
    if !sampling.stop.isEmpty { settings.insert(.stop) }
    return settings.subtracting(omitted)
  }

  /// Leaves `settings` out of all further requests.
  private func omit(_ settings: Set<Setting>) {
    let new = learnt.withLock { learnt in
      let new = settings.subtracting(learnt.omitted)
      learnt.omitted.formUnion(settings)
      return new
    }
    if !new.isEmpty {
      let names = new.map(\.rawValue).sorted().joined(separator: ", ")
      onNotice("\(address.shown) does not take \(names); asking without")
    }
  }

  /// How long to wait after `tries` of them failed.
  private func wait(after tries: Int, atLeast retryAfter: Duration?) -> Duration {
    let longest = min(
      patience.firstWait * (1 << min(tries - 1, 20)), patience.longestWait)
    let fraction = jitter.withLock { 0.5 + $0.uniform() / 2 }
    // Whoever was sent away until the same moment comes back at different ones.
    guard let retryAfter else { return longest * fraction }
    return retryAfter + patience.firstWait * (fraction - 0.5)
  }

  /// A try without an answer.
  private struct Failure: Error {
    enum Kind {
      /// Another try may help.
      case passing
      /// Too many requests were sent; another try may help.
      case limited
      /// There is no connection; another try may help.
      case unreachable
      /// The reply has no end, or is longer than any answer.
      case tooLong
      /// The prompt is at fault.
      case question(DropReason)
      /// The request is at fault, for a reason that the endpoint states in its own words.
      case rejected
      /// These settings are at fault, without which the request can be made.
      case setting(Set<Setting>)
      /// Every request would fail.
      case final
    }

    var kind: Kind
    var status: Int?
    /// As it came, with words of the endpoint: the key may be in it.
    var expected: String
    /// The same.
    var found: String
    var retryAfter: Duration?
  }

  /// One request, which states the settings in `sent`, and its answer.
  private func exchange(_ body: Data, _ sent: Set<Setting>) async throws -> TeacherAnswer {
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
      // The endpoint that cuts a connection took the request, unlike one that can't be reached.
      let isCut = (error as? HTTPClientError) == .remoteConnectionClosed
      throw Failure(
        kind: isCertificate ? .final : isCut ? .passing : .unreachable,
        expected: isCertificate ? "a TLS certificate that can be verified" : "an answer",
        found: found)
    }
    guard (200..<300).contains(reply.status) else {
      let fault = EndpointFault(body: reply.body)
      throw Failure(
        kind: kind(of: fault, status: reply.status, sent), status: reply.status,
        expected: "status 200", found: reply.description, retryAfter: reply.delay)
    }
    do {
      let read = try EndpointReply(reply.body)
      compare(read.model)
      var answer = read.answer
      answer.texts = answer.texts.map { text in
        secrets.reduce(text) { $1.redacted(fromText: $0) }
      }
      return answer
    } catch {
      switch error {
      case .unreadable(let expected):
        throw Failure(
          kind: .passing, status: reply.status, expected: expected,
          found: reply.status == 200 && !reply.body.isEmpty ? reply.text : reply.description)
      case .failed(let fault):
        throw Failure(
          kind: kind(of: fault, status: fault.status ?? 500, sent), status: reply.status,
          expected: "an answer", found: reply.text, retryAfter: reply.delay)
      }
    }
  }

  private func kind(of fault: EndpointFault, status: Int, _ sent: Set<Setting>) -> Failure.Kind {
    if [401, 402].contains(status) || fault.isFinal { return .final }
    if fault.isContextLength { return .question(.promptOverLength) }
    if [400, 403, 422, 451].contains(status), fault.isContentFilter { return .question(.filtered) }
    switch status {
    case 429: return .limited
    case 408, 409, 425, 500...: return .passing
    case 413: return .question(.promptOverLength)
    case 400, 422:
      let rejected = fault.rejected(of: sent.map(\.rawValue))
      if !rejected.isEmpty { return .setting(Set(rejected.compactMap(Setting.init))) }
      return fault.rejected(of: ["model", "messages", "prompt", tokenLimit.rawValue]).isEmpty
        ? .rejected : .final
    default: return .final
    }
  }

  /// Tells, once, where the endpoint says that another model answered than the one asked for.
  private func compare(_ answering: String?) {
    guard let answering = answering?.prefix(200), !answering.isEmpty else { return }
    let (one, other) = (model.lowercased(), answering.lowercased())
    // Endpoints add a version or an owner.
    if one.contains(other) || other.contains(one) { return }
    let isNew = learnt.withLock { learnt in
      defer { learnt.hasOtherModel = true }
      return !learnt.hasOtherModel
    }
    if isNew {
      onNotice(
        redacted("\(address.shown) was asked for the model \(model) and names \(answering)"))
    }
  }

  private struct Reply {
    var status: Int
    var retryAfter: String?
    var retryAfterMilliseconds: String?
    var body: Data
    var text: String { String(decoding: body.prefix(16_000), as: UTF8.self) }
    var description: String {
      "status \(status)" + (retryAfter.map { ", Retry-After: \($0)" } ?? "")
        + (body.isEmpty ? "" : ": \(text)")
    }
    /// How long the endpoint asks to wait; OpenAI's says it in milliseconds too.
    var delay: Duration? {
      if let text = retryAfterMilliseconds, let milliseconds = Double(text),
        (0...1e12).contains(milliseconds)
      {
        return .milliseconds(milliseconds)
      }
      return retryAfter.flatMap { retryDelay($0, now: Date()) }
    }
  }

  private func send(_ request: HTTPClientRequest) async throws -> Reply {
    try await withThrowingTaskGroup(of: Reply.self) { [client, patience] group in
      group.addTask {
        let response = try await client.execute(request, deadline: .distantFuture)
        var body = Data()
        do {
          for try await chunk in response.body {
            body.append(contentsOf: chunk.readableBytesView)
            guard body.count <= Self.mostBytes else {
              throw Failure(
                kind: .tooLong, status: Int(response.status.code),
                expected: "an answer of at most \(Self.mostBytes) bytes", found: "more")
            }
          }
        } catch let failure as Failure {
          throw failure
        } catch {
          throw Failure(
            kind: .passing, status: Int(response.status.code), expected: "a whole answer",
            found: "\(error)")
        }
        return Reply(
          status: Int(response.status.code),
          retryAfter: response.headers.first(name: "Retry-After"),
          retryAfterMilliseconds: response.headers.first(name: "retry-after-ms"), body: body)
      }
      group.addTask {
        try await Task.sleep(for: patience.timeout)
        throw Failure(
          kind: .passing, expected: "an answer within \(patience.timeout)", found: "none")
      }
      defer { group.cancelAll() }
      guard let first = try await group.next() else { throw CancellationError() }
      return first
    }
  }

  /// What is sent, in JSON.
  private func body(
    _ prompt: TeacherPrompt, _ sampling: TeacherSampling, sending settings: Set<Setting>
  ) throws -> Data {
    struct Message: Encodable {
      var role = "user"
      var content: String
    }
    struct Body: Encodable {
      var model: String
      var messages: [Message]?
      var prompt: String?
      var temperature: Double?
      var topP: Double?
      var maxTokens: Int?
      var maxCompletionTokens: Int?
      var stop: [String]?
      var seed: UInt64?
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
        temperature: settings.contains(.temperature) ? sampling.temperature : nil,
        topP: settings.contains(.topP) ? sampling.topP : nil,
        maxTokens: tokenLimit == .maxTokens ? sampling.maximumTokens : nil,
        maxCompletionTokens: tokenLimit == .maxCompletionTokens ? sampling.maximumTokens : nil,
        stop: settings.contains(.stop) ? sampling.stop : nil,
        seed: settings.contains(.seed) ? seed & 0x7fff_ffff : nil))
  }

  /// `found` without the key, and short.
  private func redacted(_ found: String) -> String {
    // Cut twice: looking for the key in a long text takes long, and a cut through the key must not
    // hide it.
    let start = String(found.prefix(4000))
    let shown = secrets.reduce(start) { $1.redacted(from: $0) }
    return shown.count > 300 ? "\(shown.prefix(300))…" : shown
  }
}

/// That an endpoint gave no answer.
public struct EndpointError: Error, Hashable, CustomStringConvertible {
  /// Whom a failure concerns.
  public enum Scope: Hashable, Sendable {
    /// Every question: the key, the model, the connection.
    case endpoint
    /// The question that was asked, for this reason.
    case question(DropReason)
    /// The question if others are answered, else the endpoint.
    case unclear(DropReason)
  }

  /// Where the request went, without a query.
  public var url: String
  /// How many requests were sent.
  public var tries: Int
  /// The status of the last reply; nil where there was none.
  public var status: Int?
  public var expected: String
  /// Without the key, and cut to a few hundred characters.
  public var found: String
  public var scope: Scope

  public init(
    url: String, tries: Int, status: Int? = nil, expected: String, found: String,
    scope: Scope = .endpoint
  ) {
    self.url = url
    self.tries = tries
    self.status = status
    self.expected = expected
    self.found = found
    self.scope = scope
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
  /// What in the query may be a key.
  var keys: [APIKey]

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
    keys = APIKey.keys(inQuery: parts.queryItems ?? [])
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
