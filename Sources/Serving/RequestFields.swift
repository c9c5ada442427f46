import Files
import LanguageModel
import Randomness

/// The fields of a request's body.
struct RequestFields {
  private let node: JSONNode

  /// Reads a body, which must be a JSON object with no other fields than `known`, those that change nothing, and those
  /// whose value asks for what the server does anyway.
  init(_ body: some Collection<UInt8>, known: Set<String>) throws(APIError) {
    do throws(FileError) {
      node = JSONNode(try JSONValue(body, file: "request body"), file: "request body")
      guard node.isObject else { throw node.error(expected: "an object") }
    } catch {
      throw APIError(error)
    }
    for (key, value) in members where value != .null && !known.contains(key) {
      if Self.ignored.contains(key) { continue }
      guard let neutral = Self.neutral[key] else {
        throw APIError(
          "Unknown field \"\(key)\". Known here: \(known.sorted().joined(separator: ", ")).",
          param: key, code: "unknown_parameter")
      }
      guard neutral.contains(value) else {
        let allowed = neutral.map { $0.text() }.joined(separator: " or ")
        throw APIError(
          "\"\(key)\" is not supported: expected no such field or \(allowed), found \(value).",
          param: key, code: "unsupported_parameter")
      }
    }
  }

  private var members: [(String, JSONValue)] {
    if case .object(let members) = node.value { members.map { ($0.key, $0.value) } } else { [] }
  }

  /// What names or accounts for a request and does not change its result.
  private static let ignored: Set<String> = [
    "user", "metadata", "store", "service_tier", "safety_identifier", "prompt_cache_key",
    "prompt_cache_retention", "parallel_tool_calls",
  ]

  /// Fields that are not supported, with the values that ask for nothing.
  private static let neutral: [String: [JSONValue]] = [
    "presence_penalty": [.integer(0), .number(0)],
    "frequency_penalty": [.integer(0), .number(0)],
    "repetition_penalty": [.integer(1), .number(1)],
    "logit_bias": [.object([JSONMember]())],
    "best_of": [.integer(1)],
    "suffix": [.string("")],
    "min_p": [.integer(0), .number(0)],
    "min_tokens": [.integer(0)],
    "ignore_eos": [.bool(false)],
    "skip_special_tokens": [.bool(true)],
    "tools": [.array([])],
    "functions": [.array([])],
    "tool_choice": [.string("none"), .string("auto")],
    "function_call": [.string("none"), .string("auto")],
    "response_format": [.object([JSONMember(key: "type", value: .string("text"))])],
    "modalities": [.array([.string("text")])],
    "reasoning_effort": [.string("none")],
  ]

  subscript(key: String) -> JSONNode? { node[key] }

  /// What `read` reads of the body, its error as one of the API.
  func read<Value>(_ read: (JSONNode) throws(FileError) -> Value) throws(APIError) -> Value {
    do throws(FileError) { return try read(node) } catch { throw APIError(error) }
  }

  /// The whole number at `key`, which must lie in `range`.
  func integer(_ key: String, in range: ClosedRange<Int>) throws(APIError) -> Int? {
    let value = try read { node throws(FileError) in try node.optionalInteger(key) }
    guard let value else { return nil }
    guard range.contains(value) else {
      throw refused(
        key,
        range.upperBound == .max
          ? "a whole number of at least \(range.lowerBound)"
          : "a whole number from \(range.lowerBound) to \(range.upperBound)")
    }
    return value
  }

  func bool(_ key: String) throws(APIError) -> Bool {
    try read { node throws(FileError) in try node.bool(key, absent: false) }
  }

  /// An error that says what `key` should be.
  func refused(_ key: String, _ expected: String) -> APIError {
    APIError("\(key): expected \(expected), found \(node.child(key).value)", param: key)
  }
}

/// How a request's responses are sampled, and how they are sent.
struct ResponseSettings: Sendable {
  /// Responses for each prompt.
  var count: Int
  /// Without the most new tokens.
  var sampling: SamplingSettings
  var stops: [String]
  var seed: UInt64
  var isStreamed: Bool
  /// Whether a stream ends with the numbers of tokens.
  var streamsUsage: Bool

  static let fields: Set<String> = [
    "model", "temperature", "top_p", "top_k", "n", "stop", "seed", "stream", "stream_options",
  ]

  /// A temperature below it is 0: greedy decoding.
  private static let leastTemperature = 1e-5

  init(_ fields: RequestFields, ends: Set<Int>) throws(APIError) {
    count = try fields.integer("n", in: 1...128) ?? 1
    let temperature = try fields.read { node throws(FileError) in
      try node.number("temperature", absent: 1)
    }
    guard temperature >= 0, temperature <= 100 else {
      throw fields.refused("temperature", "a number from 0 to 100")
    }
    let topP = try fields.read { node throws(FileError) in try node.number("top_p", absent: 1) }
    guard topP > 0, topP <= 1 else {
      throw fields.refused("top_p", "a number above 0 and at most 1")
    }
    let topK = try fields.integer("top_k", in: -1...Int.max) ?? 0
    sampling = SamplingSettings(
      temperature: temperature < Self.leastTemperature ? 0 : Float(temperature),
      topK: topK > 0 ? topK : nil, topP: topP < 1 ? topP : nil, maximumNewTokens: 0, stop: ends)
    stops = try fields.read { node throws(FileError) in
      guard let stop = node["stop"] else { return [] }
      return stop.isArray ? try node.strings("stop") : [try stop.string()]
    }
    guard stops.count <= 64, stops.allSatisfy({ !$0.isEmpty && $0.utf8.count <= 4096 }) else {
      throw APIError(
        "stop: expected at most 64 strings of 1 to 4096 bytes, found \(stops.count) strings of "
          + stops.map { "\($0.utf8.count)" }.joined(separator: ", ") + " bytes",
        param: "stop")
    }
    let seed = try fields.integer("seed", in: Int.min...Int.max)
    self.seed = seed.map { UInt64(bitPattern: Int64($0)) } ?? UInt64.random(in: 0...UInt64.max)
    isStreamed = try fields.bool("stream")
    streamsUsage = try fields.read { node throws(FileError) in
      guard let options = try node.object("stream_options") else { return false }
      for key in options.keys where key != "include_usage" && key != "include_obfuscation" {
        throw options.error(key, expected: "no such field")
      }
      return try options.bool("include_usage", absent: false)
    }
  }
}
