/// A reader of RFC 8259 JSON by recursive descent. Errors give the byte offset.
struct JSONReader {
  let bytes: [UInt8]
  let file: String
  /// Where the text stands in the file; nil where it is the whole file.
  let location: String?
  private var position = 0
  private let deepest = JSONValue.maximumDepth

  init(bytes: [UInt8], file: String, location: String? = nil) {
    self.bytes = bytes
    self.file = file
    self.location = location
  }

  private func place(_ offset: Int) -> String {
    "\(location.map { "\($0), " } ?? "")byte \(offset)"
  }

  mutating func wholeText() throws(FileError) -> JSONValue {
    let value = try self.value(depth: 0)
    skipWhitespace()
    guard position == bytes.count else { throw error(expected: "the end of the JSON text") }
    return value
  }

  private func error(expected: String) -> FileError {
    let found =
      position >= bytes.count
      ? "the end of the text"
      : "\"\(String(decoding: bytes[position..<min(position + 12, bytes.count)], as: UTF8.self))\""
    return FileError(file: file, location: place(position), expected: expected, found: found)
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

  private mutating func value(depth: Int) throws(FileError) -> JSONValue {
    guard depth < deepest else { throw error(expected: "at most \(deepest) levels of nesting") }
    skipWhitespace()
    switch next {
    case UInt8(ascii: "{"): return try object(depth: depth)
    case UInt8(ascii: "["): return try array(depth: depth)
    case UInt8(ascii: "\""): return .string(try string())
    case UInt8(ascii: "t"): return try literal("true", .bool(true))
    case UInt8(ascii: "f"): return try literal("false", .bool(false))
    case UInt8(ascii: "n"): return try literal("null", .null)
    default: return try number()
    }
  }

  private mutating func object(depth: Int) throws(FileError) -> JSONValue {
    position += 1
    var members: [JSONMember] = []
    skipWhitespace()
    if take(UInt8(ascii: "}")) { return .object(members) }
    while true {
      skipWhitespace()
      guard next == UInt8(ascii: "\"") else { throw error(expected: "a member's name") }
      let key = try string()
      skipWhitespace()
      guard take(UInt8(ascii: ":")) else { throw error(expected: "':'") }
      members.append(JSONMember(key: key, value: try value(depth: depth + 1)))
      skipWhitespace()
      if take(UInt8(ascii: "}")) { return .object(members) }
      guard take(UInt8(ascii: ",")) else { throw error(expected: "',' or '}'") }
    }
  }

  private mutating func array(depth: Int) throws(FileError) -> JSONValue {
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

  private mutating func literal(_ text: StaticString, _ value: JSONValue) throws(FileError)
    -> JSONValue
  {
    let length = text.utf8CodeUnitCount
    guard bytes.count - position >= length,
      (0..<length).allSatisfy({ bytes[position + $0] == text.utf8Start[$0] })
    else { throw error(expected: "a JSON value") }
    position += length
    return value
  }

  private mutating func number() throws(FileError) -> JSONValue {
    let start = position
    let isNegative = take(UInt8(ascii: "-"))
    let firstDigit = next
    let isWhole = digits() > 0
    let hasLeadingZero =
      firstDigit == UInt8(ascii: "0") && position - start > (isNegative ? 2 : 1)
    var isValid = isWhole && !hasLeadingZero
    if take(UInt8(ascii: ".")) { isValid = digits() > 0 && isValid }
    if take(UInt8(ascii: "e")) || take(UInt8(ascii: "E")) {
      if !take(UInt8(ascii: "+")) { _ = take(UInt8(ascii: "-")) }
      isValid = digits() > 0 && isValid
    }
    let text = String(decoding: bytes[start..<position], as: UTF8.self)
    if isValid, let integer = Int(text) { return .integer(integer) }
    if isValid, let number = Double(text), number.isFinite { return .number(number) }
    position = start
    throw error(expected: "a JSON value")
  }

  /// Passes the digits that come next, and returns how many there are.
  private mutating func digits() -> Int {
    let start = position
    while let byte = next, (0x30...0x39).contains(byte) { position += 1 }
    return position - start
  }

  private mutating func string() throws(FileError) -> String {
    position += 1
    let start = position
    while let byte = next, byte != UInt8(ascii: "\""), byte != UInt8(ascii: "\\") {
      try check(byte)
      position += 1
    }
    guard next == UInt8(ascii: "\\") else { return try text(bytes[start..<position], from: start) }
    var unescaped = Array(bytes[start..<position])
    while let byte = next, byte != UInt8(ascii: "\"") {
      try check(byte)
      position += 1
      if byte == UInt8(ascii: "\\") {
        unescaped.append(contentsOf: String(try escape()).utf8)
      } else {
        unescaped.append(byte)
      }
    }
    return try text(unescaped[...], from: start)
  }

  /// Throws for a control character, which a string must escape.
  private func check(_ byte: UInt8) throws(FileError) {
    if byte < 0x20 {
      throw error(expected: "an escape such as \\n in place of a control character")
    }
  }

  /// The string `content`, which began at byte `start`; the closing quote is taken.
  private mutating func text(_ content: ArraySlice<UInt8>, from start: Int) throws(FileError)
    -> String
  {
    guard take(UInt8(ascii: "\"")) else {
      throw error(expected: "'\"' to close the string begun at byte \(start)")
    }
    guard let text = String(validating: content, as: UTF8.self) else {
      throw FileError(
        file: file, location: place(start), expected: "a string in UTF-8", found: "other bytes")
    }
    return text
  }

  private mutating func escape() throws(FileError) -> Unicode.Scalar {
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

  private mutating func codeUnit() throws(FileError) -> UInt16 {
    guard bytes.count - position >= 4,
      let unit = UInt16(String(decoding: bytes[position..<position + 4], as: UTF8.self), radix: 16)
    else { throw error(expected: "four hexadecimal digits") }
    position += 4
    return unit
  }
}
