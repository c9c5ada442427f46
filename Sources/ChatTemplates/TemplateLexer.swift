import Files

/// Splits a template into tokens, with `trim_blocks` and `lstrip_blocks` on: the newline after a block or comment is
/// dropped, and so is white space before it on its line.
///
/// Source: `Lexer` of Jinja2 3.1 (https://github.com/pallets/jinja/blob/3.1.6/src/jinja2/lexer.py).
struct TemplateLexer {
  private let bytes: [UInt8]
  private let file: String
  private var position = 0
  private var line = 1
  private var tokens: [TemplateToken] = []
  /// Whether what was read last ends in a newline, or nothing was read.
  private var isAtLineStart = true

  /// The tokens of `source`, the last of which is `.end`.
  static func tokens(of source: String, file: String) throws(FileError) -> [TemplateToken] {
    var lexer = TemplateLexer(source: source, file: file)
    try lexer.readTemplate()
    return lexer.tokens
  }

  /// Every kind of line end becomes "\n"; one at the end of the template is dropped.
  private init(source: String, file: String) {
    self.file = file
    var bytes = PythonText.normalizingNewlines(Array(source.utf8))
    if bytes.last == UInt8(ascii: "\n") { bytes.removeLast() }
    self.bytes = bytes
  }

  private func error(expected: String, found: String) -> FileError {
    FileError(file: file, location: "line \(line)", expected: expected, found: found)
  }

  // MARK: Position

  private mutating func advance(to end: Int) {
    for byte in bytes[position..<end] where byte == UInt8(ascii: "\n") { line += 1 }
    if end > position { isAtLineStart = bytes[end - 1] == UInt8(ascii: "\n") }
    position = end
  }

  private func hasPrefix(_ text: StaticString, at index: Int) -> Bool {
    let count = text.utf8CodeUnitCount
    guard index + count <= bytes.count else { return false }
    for offset in 0..<count where bytes[index + offset] != text.utf8Start[offset] { return false }
    return true
  }

  /// Where the white space that begins at `index` ends.
  private func endOfSpace(from index: Int) -> Int {
    var index = index
    while index < bytes.count {
      let count = PythonText.spaceLength(bytes, at: index)
      if count == 0 { break }
      index += count
    }
    return index
  }

  // MARK: Text

  private enum Tag { case variable, block, comment, raw }

  private mutating func readTemplate() throws(FileError) {
    while let (start, tag) = nextTag(from: position) {
      let signAt = start + 2
      let sign =
        signAt < bytes.count
          && (bytes[signAt] == UInt8(ascii: "-") || bytes[signAt] == UInt8(ascii: "+"))
        ? bytes[signAt] : nil
      appendText(upTo: start, sign: sign, strips: tag != .variable)
      switch tag {
      case .raw: try readRaw(from: start)
      case .comment:
        advance(to: signAt + (sign == nil ? 0 : 1))
        try skipComment()
      case .variable, .block:
        tokens.append(
          TemplateToken(kind: tag == .variable ? .variableBegin : .blockBegin, line: line))
        advance(to: signAt + (sign == nil ? 0 : 1))
        try readTag(isVariable: tag == .variable)
      }
    }
    if position < bytes.count {
      tokens.append(TemplateToken(kind: .data(Array(bytes[position...])), line: line))
      advance(to: bytes.count)
    }
    tokens.append(TemplateToken(kind: .end, line: line))
  }

  private func nextTag(from start: Int) -> (Int, Tag)? {
    var index = start
    while index + 1 < bytes.count {
      if bytes[index] == UInt8(ascii: "{") {
        switch bytes[index + 1] {
        case UInt8(ascii: "{"): return (index, .variable)
        case UInt8(ascii: "#"): return (index, .comment)
        case UInt8(ascii: "%"): return (index, endOfRawBegin(from: index) == nil ? .block : .raw)
        default: break
        }
      }
      index += 1
    }
    return nil
  }

  /// The text before a tag at `end`, of which `sign` follows the brace, without the white space that it drops.
  private mutating func appendText(upTo end: Int, sign: UInt8?, strips: Bool) {
    var stop = end
    if sign == UInt8(ascii: "-") {
      stop = position + PythonText.strippedRight(bytes[position..<end]).count
    } else if sign == nil, strips {
      let lineStart =
        bytes[position..<end].lastIndex(of: UInt8(ascii: "\n")).map { $0 + 1 } ?? position
      if lineStart > position || isAtLineStart, endOfSpace(from: lineStart) >= end {
        stop = lineStart
      }
    }
    if stop > position {
      tokens.append(TemplateToken(kind: .data(Array(bytes[position..<stop])), line: line))
    }
    advance(to: end)
  }

  private mutating func skipComment() throws(FileError) {
    var index = position
    while index < bytes.count {
      if let end = endOfClosing("#}", at: index, trimsNewline: true) { return advance(to: end) }
      index += 1
    }
    throw error(expected: "the end of the comment, \"#}\"", found: "the end of the template")
  }

  /// Where a closing `mark` at `index`, with a sign before it, ends with the white space that it drops; nil where there is
  /// none.
  private func endOfClosing(_ mark: StaticString, at index: Int, trimsNewline: Bool) -> Int? {
    let count = mark.utf8CodeUnitCount
    if hasPrefix(mark, at: index) {
      let end = index + count
      return trimsNewline && hasPrefix("\n", at: end) ? end + 1 : end
    }
    guard index < bytes.count, hasPrefix(mark, at: index + 1) else { return nil }
    switch bytes[index] {
    case UInt8(ascii: "-"): return endOfSpace(from: index + 1 + count)
    case UInt8(ascii: "+"): return trimsNewline ? index + 1 + count : nil
    default: return nil
    }
  }

  // MARK: Raw text

  /// Where the `{% raw %}` at `start` ends; nil where there is none.
  private func endOfRawBegin(from start: Int) -> Int? {
    guard let end = endOfKeyword("raw", from: start) else { return nil }
    if hasPrefix("%}", at: end) { return end + 2 }
    return hasPrefix("-%}", at: end) ? endOfSpace(from: end + 3) : nil
  }

  /// Where white space after `{%`, a sign and `keyword` ends; nil where they do not begin at `start`.
  private func endOfKeyword(_ keyword: StaticString, from start: Int) -> Int? {
    guard hasPrefix("{%", at: start) else { return nil }
    var index = start + 2
    if hasPrefix("-", at: index) || hasPrefix("+", at: index) { index += 1 }
    index = endOfSpace(from: index)
    guard hasPrefix(keyword, at: index) else { return nil }
    return endOfSpace(from: index + keyword.utf8CodeUnitCount)
  }

  private mutating func readRaw(from start: Int) throws(FileError) {
    guard let contentStart = endOfRawBegin(from: start) else { return }
    advance(to: contentStart)
    var index = position
    while index < bytes.count {
      if let keywordEnd = endOfKeyword("endraw", from: index),
        let end = endOfClosing("%}", at: keywordEnd, trimsNewline: true)
      {
        let signed = bytes[index + 2]
        let sign = signed == UInt8(ascii: "-") || signed == UInt8(ascii: "+") ? signed : nil
        appendText(upTo: index, sign: sign, strips: true)
        return advance(to: end)
      }
      index += 1
    }
    throw error(expected: "{% endraw %}", found: "the end of the template")
  }

  // MARK: Tags

  private mutating func readTag(isVariable: Bool) throws(FileError) {
    var closers: [TemplateToken.Mark] = []
    while true {
      if closers.isEmpty {
        let end =
          isVariable
          ? endOfClosing("}}", at: position, trimsNewline: false)
          : endOfClosing("%}", at: position, trimsNewline: true)
        if let end {
          tokens.append(TemplateToken(kind: isVariable ? .variableEnd : .blockEnd, line: line))
          return advance(to: end)
        }
      }
      guard position < bytes.count else {
        throw error(expected: isVariable ? "\"}}\"" : "\"%}\"", found: "the end of the template")
      }
      let space = endOfSpace(from: position)
      if space > position {
        advance(to: space)
        continue
      }
      switch bytes[position] {
      case UInt8(ascii: "0")...UInt8(ascii: "9"): try readNumber()
      case UInt8(ascii: "'"), UInt8(ascii: "\""): try readString()
      default: if !(try readName()) { try readMark(&closers) }
      }
    }
  }

  private mutating func append(_ kind: TemplateToken.Kind, endingAt end: Int) {
    tokens.append(TemplateToken(kind: kind, line: line))
    advance(to: end)
  }

  private mutating func readName() throws(FileError) -> Bool {
    var end = position
    while end < bytes.count {
      let (scalar, count) = PythonText.scalar(bytes, at: end)
      let properties = scalar.properties
      let isPart =
        scalar == "_" || (end == position ? properties.isXIDStart : properties.isXIDContinue)
      if !isPart { break }
      end += count
    }
    if end == position { return false }
    append(.name(String(decoding: bytes[position..<end], as: UTF8.self)), endingAt: end)
    return true
  }

  private mutating func readMark(_ closers: inout [TemplateToken.Mark]) throws(FileError) {
    func mark(_ count: Int) -> TemplateToken.Mark? {
      guard position + count <= bytes.count else { return nil }
      return TemplateToken.Mark(
        rawValue: String(decoding: bytes[position..<position + count], as: UTF8.self))
    }
    guard let found = mark(2) ?? mark(1) else {
      let scalar = PythonText.scalar(bytes, at: position).scalar
      throw error(expected: "an expression", found: "the character \"\(scalar)\"")
    }
    switch found {
    case .openBrace: closers.append(.closeBrace)
    case .openParenthesis: closers.append(.closeParenthesis)
    case .openBracket: closers.append(.closeBracket)
    case .closeBrace, .closeParenthesis, .closeBracket:
      guard let expected = closers.popLast() else {
        throw error(expected: "an expression", found: "\"\(found.rawValue)\"")
      }
      guard expected == found else {
        throw error(expected: "\"\(expected.rawValue)\"", found: "\"\(found.rawValue)\"")
      }
    default: break
    }
    append(.mark(found), endingAt: position + found.rawValue.utf8.count)
  }

  // MARK: Literals

  /// Digits of `radix`, of which each may have one "_" before it unless it is the first.
  private func endOfDigits(from start: Int, radix: Int = 10, allowsUnderscoreFirst: Bool = false)
    -> Int
  {
    var end = start
    while end < bytes.count {
      let hasUnderscore =
        bytes[end] == UInt8(ascii: "_") && (end > start || allowsUnderscoreFirst)
      let digit = hasUnderscore ? end + 1 : end
      guard digit < bytes.count, let value = Character(UnicodeScalar(bytes[digit])).hexDigitValue,
        value < radix
      else { break }
      end = digit + 1
    }
    return end
  }

  private mutating func readNumber() throws(FileError) {
    let start = position
    func text(_ end: Int, from: Int = 0) -> String {
      String(decoding: bytes[start + from..<end].filter { $0 != UInt8(ascii: "_") }, as: UTF8.self)
    }
    // A number with a fraction or an exponent, unless it is the second half of "a.0.5".
    var end = endOfDigits(from: start)
    var isFloat = false
    if start == 0 || bytes[start - 1] != UInt8(ascii: ".") {
      if hasPrefix(".", at: end), endOfDigits(from: end + 1) > end + 1 {
        (end, isFloat) = (endOfDigits(from: end + 1), true)
      }
      if hasPrefix("e", at: end) || hasPrefix("E", at: end) {
        var exponent = end + 1
        if hasPrefix("+", at: exponent) || hasPrefix("-", at: exponent) { exponent += 1 }
        if endOfDigits(from: exponent) > exponent {
          (end, isFloat) = (endOfDigits(from: exponent), true)
        }
      }
    }
    if isFloat {
      guard let value = Double(text(end)) else {
        throw error(expected: "a number", found: text(end))
      }
      return append(.float(value), endingAt: end)
    }
    var (radix, skipped) = (10, 0)
    if bytes[start] == UInt8(ascii: "0"), start + 1 < bytes.count {
      switch bytes[start + 1] | 0x20 {
      case UInt8(ascii: "x"): radix = 16
      case UInt8(ascii: "o"): radix = 8
      case UInt8(ascii: "b"): radix = 2
      default: break
      }
      if radix != 10 {
        let prefixed = endOfDigits(from: start + 2, radix: radix, allowsUnderscoreFirst: true)
        if prefixed > start + 2 { (end, skipped) = (prefixed, 2) } else { radix = 10 }
      }
    }
    guard let value = Int(text(end, from: skipped), radix: radix) else {
      throw error(expected: "a whole number of 64 bits", found: text(end))
    }
    append(.integer(value), endingAt: end)
  }

  private mutating func readString() throws(FileError) {
    let quote = bytes[position]
    var end = position + 1
    while end < bytes.count, bytes[end] != quote { end += bytes[end] == UInt8(ascii: "\\") ? 2 : 1 }
    guard end < bytes.count else {
      throw error(expected: "the end of the string", found: "the end of the template")
    }
    append(.string(try unescaped(bytes[position + 1..<end])), endingAt: end + 1)
  }

  /// A string literal's value, with Python's escapes.
  private func unescaped(_ text: ArraySlice<UInt8>) throws(FileError) -> [UInt8] {
    guard text.contains(UInt8(ascii: "\\")) else { return Array(text) }
    var output: [UInt8] = []
    var index = text.startIndex
    func digits(_ count: Int, radix: Int, from start: Int) -> Int {
      var end = start
      while end < min(start + count, text.endIndex),
        let value = Character(UnicodeScalar(text[end])).hexDigitValue, value < radix
      { end += 1 }
      return end
    }
    func appendScalar(_ range: Range<Int>, radix: Int) throws(FileError) {
      let number = String(decoding: text[range], as: UTF8.self)
      guard let value = UInt32(number, radix: radix), let scalar = UnicodeScalar(value) else {
        throw error(expected: "an escape of a Unicode character", found: "the number \(number)")
      }
      output += Array(String(scalar).utf8)
    }
    while index < text.endIndex {
      let byte = text[index]
      guard byte == UInt8(ascii: "\\"), index + 1 < text.endIndex else {
        output.append(byte)
        index += 1
        continue
      }
      let escape = text[index + 1]
      index += 2
      switch escape {
      case UInt8(ascii: "\n"): break
      case UInt8(ascii: "\\"), UInt8(ascii: "'"), UInt8(ascii: "\""): output.append(escape)
      case UInt8(ascii: "a"): output.append(7)
      case UInt8(ascii: "b"): output.append(8)
      case UInt8(ascii: "t"): output.append(9)
      case UInt8(ascii: "n"): output.append(10)
      case UInt8(ascii: "v"): output.append(11)
      case UInt8(ascii: "f"): output.append(12)
      case UInt8(ascii: "r"): output.append(13)
      case UInt8(ascii: "0")...UInt8(ascii: "7"):
        let end = digits(3, radix: 8, from: index - 1)
        try appendScalar(index - 1..<end, radix: 8)
        index = end
      case UInt8(ascii: "x"), UInt8(ascii: "u"), UInt8(ascii: "U"):
        let count = escape == UInt8(ascii: "x") ? 2 : escape == UInt8(ascii: "u") ? 4 : 8
        let end = digits(count, radix: 16, from: index)
        guard end == index + count else {
          throw error(
            expected: "\(count) hexadecimal digits after \"\\\(UnicodeScalar(escape))\"",
            found: "\(end - index)")
        }
        try appendScalar(index..<end, radix: 16)
        index = end
      case UInt8(ascii: "N"):
        throw error(expected: "an escape by number", found: "\"\\N\", an escape by name")
      case 0x80...:
        // Jinja writes such a character as an escape before it reads escapes, so the two backslashes are one.
        let (scalar, count) = PythonText.scalar(bytes, at: index - 1)
        let digits = String(scalar.value, radix: 16)
        let (letter, width) =
          scalar.value < 0x100 ? ("x", 2) : scalar.value < 0x10000 ? ("u", 4) : ("U", 8)
        output += Array(
          "\\\(letter)\(String(repeating: "0", count: width - digits.count))\(digits)".utf8)
        index += count - 1
      default: output += [UInt8(ascii: "\\"), escape]
      }
    }
    return output
  }
}
