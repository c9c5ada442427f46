/// A JSON value whose strings keep the scalars of the file as they are.
///
/// Foundation's reader puts objects into dictionaries keyed by `String`, whose equality is
/// canonical equivalence: a vocabulary with both "é" (one scalar) and "é" (two) would lose one of
/// them. Here an object is a list of members in the order of the file.
enum JSONValue: Sendable {
  case null
  case boolean(Bool)
  case integer(Int)
  case number(Double)
  case string(String)
  case array([JSONValue])
  case object([(key: String, value: JSONValue)])

  /// Reads `bytes`, a whole JSON text in UTF-8. `file` is named in errors.
  init(_ bytes: [UInt8], file: String) throws(TokenizerError) {
    var reader = JSONReader(bytes: bytes, file: file)
    self = try reader.wholeText()
  }

  /// The value in a few words, for errors.
  var summary: String {
    switch self {
    case .null: "null"
    case .boolean(let value): "\(value)"
    case .integer(let value): "\(value)"
    case .number(let value): "\(value)"
    case .string(let value): "\"\(value)\""
    case .array(let values): "an array of \(values.count)"
    case .object(let members): "an object of \(members.count)"
    }
  }
}

/// A reader of RFC 8259 JSON by recursive descent. Errors give the byte offset.
private struct JSONReader {
  let bytes: [UInt8]
  let file: String
  private var position = 0
  private let deepest = 64

  init(bytes: [UInt8], file: String) {
    self.bytes = bytes
    self.file = file
  }

  mutating func wholeText() throws(TokenizerError) -> JSONValue {
    let value = try self.value(depth: 0)
    skipWhitespace()
    guard position == bytes.count else { throw error(expected: "the end of the file") }
    return value
  }

  private func error(expected: String) -> TokenizerError {
    let found =
      position >= bytes.count
      ? "the end of the file"
      : "\"\(String(decoding: bytes[position..<min(position + 12, bytes.count)], as: UTF8.self))\""
    return TokenizerError(file: file, place: "byte \(position)", expected: expected, found: found)
  }

  private var next: UInt8? { position < bytes.count ? bytes[position] : nil }

  private mutating func skipWhitespace() {
    while let byte = next, byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09 {
      position += 1
    }
  }

  private mutating func take(_ byte: UInt8) -> Bool {
    guard next == byte else { return false }
    position += 1
    return true
  }

  private mutating func value(depth: Int) throws(TokenizerError) -> JSONValue {
    guard depth < deepest else { throw error(expected: "at most \(deepest) levels of nesting") }
    skipWhitespace()
    switch next {
    case UInt8(ascii: "{"): return try object(depth: depth)
    case UInt8(ascii: "["): return try array(depth: depth)
    case UInt8(ascii: "\""): return .string(try string())
    case UInt8(ascii: "t"): return try literal("true", .boolean(true))
    case UInt8(ascii: "f"): return try literal("false", .boolean(false))
    case UInt8(ascii: "n"): return try literal("null", .null)
    default: return try number()
    }
  }

  private mutating func object(depth: Int) throws(TokenizerError) -> JSONValue {
    position += 1
    var members: [(key: String, value: JSONValue)] = []
    skipWhitespace()
    if take(UInt8(ascii: "}")) { return .object(members) }
    while true {
      skipWhitespace()
      guard next == UInt8(ascii: "\"") else { throw error(expected: "a member's name") }
      let key = try string()
      skipWhitespace()
      guard take(UInt8(ascii: ":")) else { throw error(expected: "':'") }
      members.append((key, try value(depth: depth + 1)))
      skipWhitespace()
      if take(UInt8(ascii: "}")) { return .object(members) }
      guard take(UInt8(ascii: ",")) else { throw error(expected: "',' or '}'") }
    }
  }

  private mutating func array(depth: Int) throws(TokenizerError) -> JSONValue {
    position += 1
    var values: [JSONValue] = []
    skipWhitespace()
    if take(UInt8(ascii: "]")) { return .array(values) }
    while true {
      values.append(try value(depth: depth + 1))
      skipWhitespace()
      if take(UInt8(ascii: "]")) { return .array(values) }
      guard take(UInt8(ascii: ",")) else { throw error(expected: "',' or ']'") }
    }
  }

  private mutating func literal(_ text: StaticString, _ value: JSONValue) throws(TokenizerError)
    -> JSONValue
  {
    let length = text.utf8CodeUnitCount
    guard bytes.count - position >= length,
      (0..<length).allSatisfy({ bytes[position + $0] == text.utf8Start[$0] })
    else { throw error(expected: "a JSON value") }
    position += length
    return value
  }

  private mutating func number() throws(TokenizerError) -> JSONValue {
    let start = position
    while let byte = next, (0x30...0x39).contains(byte) || "+-.eE".utf8.contains(byte) {
      position += 1
    }
    let text = String(decoding: bytes[start..<position], as: UTF8.self)
    if let integer = Int(text) { return .integer(integer) }
    if let number = Double(text) { return .number(number) }
    position = start
    throw error(expected: "a JSON value")
  }

  private mutating func string() throws(TokenizerError) -> String {
    position += 1
    let start = position
    while let byte = next, byte != UInt8(ascii: "\""), byte != UInt8(ascii: "\\") { position += 1 }
    guard next == UInt8(ascii: "\\") else { return try text(bytes[start..<position], from: start) }
    var unescaped = Array(bytes[start..<position])
    while let byte = next, byte != UInt8(ascii: "\"") {
      position += 1
      if byte == UInt8(ascii: "\\") {
        unescaped.append(contentsOf: String(try escape()).utf8)
      } else {
        unescaped.append(byte)
      }
    }
    return try text(unescaped[...], from: start)
  }

  /// The string `content`, which began at byte `start`; the closing quote is taken.
  private mutating func text(_ content: ArraySlice<UInt8>, from start: Int) throws(TokenizerError)
    -> String
  {
    guard take(UInt8(ascii: "\"")) else {
      throw error(expected: "'\"' to close the string begun at byte \(start)")
    }
    guard let text = String(validating: content, as: UTF8.self) else {
      throw TokenizerError(
        file: file, place: "byte \(start)", expected: "a string in UTF-8", found: "other bytes")
    }
    return text
  }

  private mutating func escape() throws(TokenizerError) -> Unicode.Scalar {
    guard let byte = next else { throw error(expected: "an escape") }
    position += 1
    switch byte {
    case UInt8(ascii: "\""): return "\""
    case UInt8(ascii: "\\"): return "\\"
    case UInt8(ascii: "/"): return "/"
    case UInt8(ascii: "b"): return "\u{8}"
    case UInt8(ascii: "f"): return "\u{C}"
    case UInt8(ascii: "n"): return "\n"
    case UInt8(ascii: "r"): return "\r"
    case UInt8(ascii: "t"): return "\t"
    case UInt8(ascii: "u"):
      let unit = try codeUnit()
      if let scalar = Unicode.Scalar(unit) { return scalar }
      if unit < 0xDC00, take(UInt8(ascii: "\\")), take(UInt8(ascii: "u")) {
        let low = try codeUnit()
        if (0xDC00...0xDFFF).contains(low),
          let scalar = Unicode.Scalar(
            0x1_0000 + (UInt32(unit) - 0xD800) << 10 + (UInt32(low) - 0xDC00))
        {
          return scalar
        }
      }
      throw error(expected: "the second half of a surrogate pair before it")
    default:
      position -= 1
      throw error(expected: "an escape")
    }
  }

  private mutating func codeUnit() throws(TokenizerError) -> UInt16 {
    guard bytes.count - position >= 4,
      let unit = UInt16(String(decoding: bytes[position..<position + 4], as: UTF8.self), radix: 16)
    else { throw error(expected: "four hexadecimal digits") }
    position += 4
    return unit
  }
}

/// A value of a JSON file together with the place where it stands, so that errors can say so.
struct JSONNode {
  let value: JSONValue
  let file: String
  let path: String

  init(_ value: JSONValue, file: String, path: String = "$") {
    (self.value, self.file, self.path) = (value, file, path)
  }

  func error(expected: String) -> TokenizerError {
    TokenizerError(file: file, place: path, expected: expected, found: value.summary)
  }

  /// The member `key` (null where it is missing, and of a null). A repeated key counts as its last.
  func member(_ key: String) throws(TokenizerError) -> JSONNode {
    JSONNode(
      isNull ? .null : try members().last { $0.key == key }?.value ?? .null, file: file,
      path: "\(path).\(key)")
  }

  func members() throws(TokenizerError) -> [(key: String, value: JSONValue)] {
    guard case .object(let members) = value else { throw error(expected: "an object") }
    return members
  }

  func elements() throws(TokenizerError) -> [JSONNode] {
    guard case .array(let values) = value else { throw error(expected: "an array") }
    return values.enumerated().map { JSONNode($1, file: file, path: "\(path)[\($0)]") }
  }

  func string() throws(TokenizerError) -> String {
    guard case .string(let string) = value else { throw error(expected: "a string") }
    return string
  }

  func integer() throws(TokenizerError) -> Int {
    guard case .integer(let integer) = value else { throw error(expected: "an integer") }
    return integer
  }

  /// The truth value, `standard` where it is missing or null.
  func boolean(default standard: Bool) throws(TokenizerError) -> Bool {
    switch value {
    case .boolean(let boolean): return boolean
    case .null: return standard
    default: throw error(expected: "true or false")
    }
  }

  var isNull: Bool {
    if case .null = value { true } else { false }
  }
}
