import Files
import Teachers

/// What the body of an endpoint's successful reply says.
///
/// Besides plain JSON, streamed replies (server-sent events) are read though none are asked for, and
/// comment lines before JSON, which proxies send to keep a connection open.
///
/// Source: https://platform.openai.com/docs/api-reference/chat/object,
/// https://html.spec.whatwg.org/multipage/server-sent-events.html.
package struct EndpointReply {
  package var answer: TeacherAnswer
  /// The model that answered, as the endpoint names it.
  var model: String?

  package enum Problem: Error {
    /// The body is not a completion: what was expected, and where.
    case unreadable(expected: String)
    /// The body is an error despite its status.
    case failed(EndpointFault)
  }

  package init(_ body: some Collection<UInt8>) throws(Problem) {
    let bytes = Self.withoutComments(Array(body))
    if ["data:", "event:", "id:", "retry:"].contains(where: { bytes.starts(with: $0.utf8) }) {
      try self.init(stream: bytes)
    } else {
      try self.init(JSONNode(Self.json(bytes), file: ""))
    }
  }

  private init(_ node: JSONNode) throws(Problem) {
    if let fault = EndpointFault(in: node) { throw .failed(fault) }
    guard node.isObject else { throw .unreadable(expected: "an object at the top") }
    guard let choices = try? node.elements("choices") else {
      throw .unreadable(expected: "an array at choices")
    }
    guard !choices.isEmpty else { throw .unreadable(expected: "something in choices") }
    var read: [Choice] = []
    for choice in choices { read.append(try Choice(choice)) }
    self.init(read, usage: node["usage"], model: try? node.optionalString("model"))
  }

  private init(_ choices: [Choice], usage: JSONNode?, model: String?) {
    answer = TeacherAnswer(
      texts: choices.compactMap(\.text), promptTokens: usage?["prompt_tokens"]?.tokenCount,
      completionTokens: usage?["completion_tokens"]?.tokenCount,
      ending: (choices.first { $0.text != nil } ?? choices.first)?.ending)
    self.model = model
  }

  /// The choices that the events of a stream add up to.
  private init(stream bytes: [UInt8]) throws(Problem) {
    var choices: [Int: Choice] = [:]
    var (usage, model): (JSONNode?, String?) = (nil, nil)
    var isDone = false
    for data in Self.events(bytes) {
      if data.elementsEqual("[DONE]".utf8) {
        isDone = true
        break
      }
      let node = JSONNode(try Self.json(data), file: "")
      if let fault = EndpointFault(in: node) { throw .failed(fault) }
      usage = node["usage"] ?? usage
      model = (try? node.optionalString("model")) ?? model
      for choice in (try? node.elements("choices")) ?? [] {
        let index = (try? choice.optionalInteger("index")) ?? 0
        choices[index, default: Choice()].append(try Choice(choice))
      }
    }
    let read = choices.sorted { $0.key < $1.key }.map(\.value)
    guard !read.isEmpty else { throw .unreadable(expected: "something in choices") }
    guard isDone || read[0].hasEnd else {
      throw .unreadable(expected: "the end of the stream (\"[DONE]\")")
    }
    self.init(read, usage: usage, model: model)
  }

  /// The data of each event of a stream.
  private static func events(_ bytes: [UInt8]) -> [[UInt8]] {
    var (events, data): ([[UInt8]], [UInt8]?) = ([], nil)
    for var line in bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false) {
      if line.last == UInt8(ascii: "\r") { line.removeLast() }
      if line.isEmpty {
        if let data { events.append(data) }
        data = nil
      } else if line.starts(with: "data:".utf8) {
        line = line.dropFirst(5)
        if line.first == UInt8(ascii: " ") { line.removeFirst() }
        data = (data.map { $0 + [UInt8(ascii: "\n")] } ?? []) + line
      }
    }
    return events + (data.map { [$0] } ?? [])
  }

  /// `bytes` from the first line that is neither blank nor a comment of a stream; the byte order mark
  /// is dropped too.
  private static func withoutComments(_ bytes: [UInt8]) -> [UInt8] {
    var rest = bytes[...]
    if rest.starts(with: [0xef, 0xbb, 0xbf]) { rest = rest.dropFirst(3) }
    while true {
      rest = rest.drop { [0x20, 0x09, 0x0a, 0x0d].contains($0) }
      guard rest.first == UInt8(ascii: ":") else { return Array(rest) }
      rest = rest.drop { $0 != 0x0a }
    }
  }

  /// The JSON value in `bytes`. Python's `NaN` and `Infinity` are read as null; bytes that are not
  /// UTF-8 and halves of surrogate pairs become U+FFFD, so that the text with them can be told from
  /// others.
  private static func json(_ bytes: [UInt8]) throws(Problem) -> JSONValue {
    if let value = try? JSONValue(bytes, file: "") { return value }
    do {
      return try JSONValue(repaired(bytes), file: "")
    } catch {
      throw .unreadable(
        expected: "JSON" + (error.location.map { " (\($0): \(error.expected))" } ?? ""))
    }
  }

  static func repaired(_ bytes: [UInt8]) -> [UInt8] {
    let bytes = Array(String(decoding: bytes, as: UTF8.self).utf8)
    var result: [UInt8] = []
    var (place, isInString) = (0, false)
    func surrogate(at place: Int) -> UInt16? {
      guard place + 6 <= bytes.count, bytes[place] == UInt8(ascii: "\\"),
        bytes[place + 1] == UInt8(ascii: "u")
      else { return nil }
      let digits = String(decoding: bytes[place + 2..<place + 6], as: UTF8.self)
      return UInt16(digits, radix: 16).flatMap { 0xd800...0xdfff ~= $0 ? $0 : nil }
    }
    func take(_ count: Int) {
      let end = min(place + count, bytes.count)
      result += bytes[place..<end]
      place = end
    }
    while place < bytes.count {
      let byte = bytes[place]
      if !isInString {
        if let word = ["NaN", "Infinity", "-Infinity"].first(where: {
          bytes[place...].starts(with: $0.utf8)
        }) {
          result += "null".utf8
          place += word.utf8.count
          continue
        }
      } else if let unit = surrogate(at: place) {
        if unit < 0xdc00, let low = surrogate(at: place + 6), low >= 0xdc00 {
          take(12)
        } else {
          result += "\\ufffd".utf8
          place += 6
        }
        continue
      } else if byte == UInt8(ascii: "\\") {
        take(2)
        continue
      }
      if byte == UInt8(ascii: "\"") { isInString.toggle() }
      take(1)
    }
    return result
  }
}

/// One of the texts that an endpoint offers, or a part of it.
private struct Choice {
  /// nil: there is none, since the model refused.
  var text: String?
  var ending: TextEnding?
  /// Whether the endpoint said that this is all.
  var hasEnd = false

  init() {}

  init(_ node: JSONNode) throws(EndpointReply.Problem) {
    if let fault = EndpointFault(in: node) { throw .failed(fault) }
    let (message, delta) = (node["message"], node["delta"])
    if let part = message ?? delta {
      let hasCall = part["tool_calls"]?.isFilled == true || part["function_call"]?.isFilled == true
      if hasCall { ending = .toolCall }
      switch part.child("content").value {
      case .string(let content): text = content
      case .array:
        let parts = (try? part.child("content").elements()) ?? []
        text = parts.compactMap(Self.text).joined()
        if parts.contains(where: { $0["refusal"]?.isFilled == true }) { ending = .refused }
      case .null:
        let isKnown =
          delta != nil || hasCall || part.hasMember("content")
          || ["refusal", "reasoning", "reasoning_content"].contains(where: part.hasMember)
        guard isKnown else { throw .unreadable(expected: "the field \(part.path).content") }
        text = ""
      default: throw .unreadable(expected: "a text at \(part.path).content")
      }
      if part["refusal"]?.isFilled == true { ending = .refused }
    } else {
      guard let content = try? node.string("text") else {
        throw .unreadable(expected: "the field \(node.path).text")
      }
      text = content
    }
    if let reason = try? node.optionalString("finish_reason"), !reason.isEmpty {
      hasEnd = true
      let named = try Self.ending(reason)
      if ending == nil || named == .truncated || named == .filtered { ending = named }
    }
    if ending == .refused { text = nil }
  }

  /// Adds the next part of a streamed text.
  mutating func append(_ next: Choice) {
    text = next.ending == .refused ? nil : (text ?? "") + (next.text ?? "")
    if ending == nil || (next.ending != nil && next.ending != .complete) { ending = next.ending }
    if ending == .refused { text = nil }
    hasEnd = hasEnd || next.hasEnd
  }

  /// The text of one part of a content that is a list; nil for reasoning, images and the like.
  private static func text(_ part: JSONNode) -> String? {
    if case .string(let text) = part.value { return text }
    let kind = (try? part.optionalString("type")) ?? "text"
    return ["text", "output_text"].contains(kind) ? try? part.string("text") : nil
  }

  /// Throws for a reason that is not known, which may stand for a text that was cut off.
  private static func ending(_ reason: String) throws(EndpointReply.Problem) -> TextEnding {
    switch reason.lowercased() {
    case "stop", "stop_sequence", "eos", "eos_token", "end_turn", "end_of_text", "end", "complete",
      "completed", "finished":
      return .complete
    case "length", "max_tokens", "max_output_tokens", "model_length": return .truncated
    case "content_filter", "safety", "recitation", "blocklist", "prohibited_content", "spii",
      "sensitive":
      return .filtered
    case "refusal": return .refused
    case "tool_calls", "tool_use", "function_call": return .toolCall
    default:
      throw .unreadable(expected: "a whole text (finish_reason \"stop\", not \"\(reason)\")")
    }
  }
}

extension JSONNode {
  /// Whether this is anything but null, false, and an empty text, array or object.
  fileprivate var isFilled: Bool {
    switch value {
    case .null, .bool(false), .string(""), .array([]), .object([]): false
    default: true
    }
  }

  /// A number of tokens, be it written with a fraction or as text; nil where it can't be one.
  fileprivate var tokenCount: Int? {
    let number: Double? =
      switch value {
      case .integer(let value): Double(value)
      case .number(let value): value
      case .string(let text): Double(text)
      default: nil
      }
    return number.flatMap { (0...1e9).contains($0) ? Int($0.rounded()) : nil }
  }
}

/// An error as an endpoint states it, in the forms that OpenAI, vLLM, FastAPI, Ollama, Gemini and
/// OpenRouter use.
package struct EndpointFault {
  /// The status in the body, where there is one.
  var status: Int?
  /// The message, with kind and code, in lower case.
  var text = ""
  /// The parameters that the error is about, as far as it says so outside of its message.
  var parameters: Set<String> = []

  /// The fault in the body of a reply whose status is an error.
  init(body: some Collection<UInt8>) {
    if let value = try? JSONValue(body, file: "") {
      let node = JSONNode(value, file: "")
      self = Self(in: node) ?? Self(describing: (try? node.elements())?.first ?? node)
    } else {
      text = String(decoding: body.prefix(4000), as: UTF8.self).lowercased()
    }
  }

  /// The fault that `node`, a reply or a choice of one, holds at `error`; nil where there is none.
  init?(in node: JSONNode) {
    // Gemini puts the error into an array.
    let node = (try? node.elements())?.first ?? node
    guard let error = node["error"], error.isFilled else { return nil }
    self.init(describing: error)
  }

  private init(describing error: JSONNode) {
    var words: [String] = []
    func add(_ node: JSONNode) {
      if case .string(let text) = node.value { words.append(String(text.prefix(4000))) }
    }
    add(error)
    for key in ["message", "msg", "type", "code", "status", "detail"] { add(error.child(key)) }
    for key in ["code", "status", "status_code"] where status == nil {
      switch error.child(key).value {
      case .integer(let code): status = code
      case .string(let code): status = Int(code)
      default: break
      }
    }
    add(error.child("param"))
    if case .string(let name) = error.child("param").value { parameters.insert(name) }
    // FastAPI: each detail has the path of the field (`loc`) and a message.
    for detail in ((try? error.elements("detail")) ?? []).prefix(20) {
      for key in ["msg", "type"] { add(detail.child(key)) }
      if case .string(let name) = (try? detail.elements("loc"))?.last?.value {
        parameters.insert(name)
      }
    }
    text = words.joined(separator: " ").lowercased()
  }

  // MARK: What it means

  /// Whether the prompt, with the tokens asked for, is longer than the model reads.
  var isContextLength: Bool {
    contains(
      "context_length_exceeded", "exceed_context_size", "maximum context", "context length",
      "context window", "context size", "max_model_len", "max_seq_len", "maximum sequence length",
      "too many tokens", "prompt is too long", "input is too long", "prompt too long",
      "input too long", "input tokens exceed", "reduce the length", "request too large",
      "inputs` tokens", "longer than the model")
  }

  var isContentFilter: Bool {
    contains(
      "content_filter", "content filter", "content management policy", "content_policy",
      "content policy", "responsibleaipolicyviolation", "moderation", "flagged",
      "data_inspection_failed", "inappropriate content", "safety")
  }

  /// Whether nothing is answered to this key any more, or to this model at all.
  var isFinal: Bool {
    contains(
      "insufficient_quota", "exceeded your current quota", "insufficient credits",
      "insufficient balance", "api key", "api_key", "model_not_found", "not a valid model")
      || (contains("model") && contains("does not exist", "not exist"))
  }

  /// Those of `names`, parameters that were sent, which the endpoint does not take.
  func rejected(of names: [String]) -> Set<String> {
    let isRejection = contains(
      "unsupported", "not supported", "not support", "doesn't support", "unrecognized",
      "unrecognised", "unknown", "unexpected", "extra", "not permitted", "not allowed", "forbidden",
      "not available", "not implemented", "only the default")
    guard isRejection else { return [] }
    let words = text.split { !($0.isLetter || $0.isNumber || $0 == "_") }.map(String.init)
    return Set(
      names.filter { name in
        if parameters.contains(name) { return true }
        // "stop" is a word of the language as well.
        let isNamed =
          name != "stop"
          || contains("'stop'", "\"stop\"", "`stop`", "parameter", "argument", "field")
        return words.contains(name) && isNamed
      })
  }

  private func contains(_ phrases: String...) -> Bool { phrases.contains(where: text.contains) }
}
