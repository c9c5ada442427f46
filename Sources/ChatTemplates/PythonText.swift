/// Operations of Python's `str` on UTF-8. Bytes rather than `String`, whose characters, equality and prefixes follow
/// grapheme clusters and canonical equivalence, where Python counts and compares code points.
enum PythonText {
  // MARK: Code points

  /// The scalar at `index` and how many bytes it has. Bytes must be valid UTF-8.
  static func scalar(_ bytes: [UInt8], at index: Int) -> (scalar: UnicodeScalar, count: Int) {
    let first = bytes[index]
    if first < 0x80 { return (UnicodeScalar(first), 1) }
    let count = first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4
    guard index + count <= bytes.count else { return ("\u{FFFD}", bytes.count - index) }
    var value = UInt32(first & (count == 2 ? 0x1F : count == 3 ? 0x0F : 0x07))
    for offset in 1..<count { value = value << 6 | UInt32(bytes[index + offset] & 0x3F) }
    return (UnicodeScalar(value) ?? "\u{FFFD}", count)
  }

  static func isContinuation(_ byte: UInt8) -> Bool { byte & 0xC0 == 0x80 }

  /// `len(text)`.
  static func count(_ text: [UInt8]) -> Int {
    var count = 0
    for byte in text where !isContinuation(byte) { count += 1 }
    return count
  }

  /// The code points, each as UTF-8.
  static func characters(_ text: [UInt8]) -> [[UInt8]] {
    var characters: [[UInt8]] = []
    characters.reserveCapacity(text.count)
    var index = 0
    while index < text.count {
      let count = scalar(text, at: index).count
      characters.append(Array(text[index..<index + count]))
      index += count
    }
    return characters
  }

  static func string(_ text: [UInt8]) -> String { String(decoding: text, as: UTF8.self) }

  private static func map(_ text: [UInt8], _ change: (UnicodeScalar) -> String) -> [UInt8] {
    var output = ""
    for scalar in string(text).unicodeScalars { output += change(scalar) }
    return Array(output.utf8)
  }

  // MARK: White space and lines

  /// How many bytes the white space (`str.isspace`) at `index` has; 0 where there is none.
  static func spaceLength(_ bytes: [UInt8], at index: Int) -> Int {
    switch bytes[index] {
    case 0x09...0x0D, 0x1C...0x20: return 1
    case 0xC2, 0xE1, 0xE2, 0xE3:
      let (scalar, count) = scalar(bytes, at: index)
      switch scalar.value {
      case 0x85, 0xA0, 0x1680, 0x2000...0x200A, 0x2028, 0x2029, 0x202F, 0x205F, 0x3000: return count
      default: return 0
      }
    default: return 0
    }
  }

  private static func isSpace(_ scalar: UnicodeScalar) -> Bool {
    let bytes = Array(String(scalar).utf8)
    return spaceLength(bytes, at: 0) > 0
  }

  static func strippedRight(_ text: ArraySlice<UInt8>) -> ArraySlice<UInt8> {
    var end = text.endIndex
    while end > text.startIndex {
      var start = end - 1
      while start > text.startIndex, isContinuation(text[start]) { start -= 1 }
      guard spaceLength(Array(text[start..<end]), at: 0) > 0 else { break }
      end = start
    }
    return text[..<end]
  }

  enum Side { case left, right, both }

  /// `strip`, `lstrip` and `rstrip`: without white space, or the code points of `characters`.
  static func stripped(_ text: [UInt8], _ side: Side = .both, of characters: [UInt8]? = nil)
    -> [UInt8]
  {
    let set = characters.map { Set(self.characters($0)) }
    func drops(_ part: ArraySlice<UInt8>) -> Bool {
      if let set { return set.contains(Array(part)) }
      if part.count == 1 {
        return (0x09...0x0D).contains(part[part.startIndex])
          || (0x1C...0x20).contains(part[part.startIndex])
      }
      return spaceLength(Array(part), at: 0) > 0
    }
    var (start, end) = (0, text.count)
    if side != .right {
      while start < end {
        let count = scalar(text, at: start).count
        guard drops(text[start..<start + count]) else { break }
        start += count
      }
    }
    if side != .left {
      while end > start {
        var first = end - 1
        while first > start, isContinuation(text[first]) { first -= 1 }
        guard drops(text[first..<end]) else { break }
        end = first
      }
    }
    return start == 0 && end == text.count ? text : Array(text[start..<end])
  }

  static func normalizingNewlines(_ text: [UInt8]) -> [UInt8] {
    guard text.contains(13) else { return text }
    var output: [UInt8] = []
    output.reserveCapacity(text.count)
    for (index, byte) in text.enumerated() {
      if byte == 13 {
        output.append(10)
      } else if byte != 10 || index == 0 || text[index - 1] != 13 {
        output.append(byte)
      }
    }
    return output
  }

  /// `str.splitlines`.
  static func lines(_ text: [UInt8], keepsEnds: Bool = false) -> [[UInt8]] {
    var lines: [[UInt8]] = []
    var (start, index) = (0, 0)
    while index < text.count {
      let (scalar, count) = scalar(text, at: index)
      var end = index + count
      switch scalar.value {
      case 0x0A, 0x0B, 0x0C, 0x0D, 0x1C, 0x1D, 0x1E, 0x85, 0x2028, 0x2029:
        if scalar == "\r", end < text.count, text[end] == 10 { end += 1 }
        lines.append(Array(text[start..<(keepsEnds ? end : index)]))
        start = end
      default: break
      }
      index = end
    }
    if start < text.count { lines.append(Array(text[start...])) }
    return lines
  }

  // MARK: Search

  /// Where `part` begins in `text` at or after `start`.
  static func firstIndex(of part: [UInt8], in text: [UInt8], from start: Int = 0) -> Int? {
    guard let first = part.first else { return start <= text.count ? start : nil }
    guard part.count <= text.count else { return nil }
    var index = start
    while index <= text.count - part.count {
      if text[index] == first, text[index..<index + part.count].elementsEqual(part) { return index }
      index += 1
    }
    return nil
  }

  static func lastIndex(of part: [UInt8], in text: [UInt8], before end: Int) -> Int? {
    var index = end - part.count
    while index >= 0 {
      if text[index..<index + part.count].elementsEqual(part) { return index }
      index -= 1
    }
    return nil
  }

  /// `text.replace(old, new, limit)`; a negative limit is none.
  static func replacing(_ old: [UInt8], with new: [UInt8], in text: [UInt8], limit: Int = -1)
    -> [UInt8]
  {
    var output: [UInt8] = []
    var left = limit < 0 ? Int.max : limit
    if old.isEmpty {
      for character in characters(text) {
        if left > 0 {
          output += new
          left -= 1
        }
        output += character
      }
      return left > 0 ? output + new : output
    }
    var start = 0
    while left > 0, let found = firstIndex(of: old, in: text, from: start) {
      output += text[start..<found]
      output += new
      start = found + old.count
      left -= 1
    }
    return start == 0 ? text : output + text[start...]
  }

  /// `text.split(separator, limit)`, and `rsplit` from the right. `separator` must not be empty.
  static func split(_ text: [UInt8], by separator: [UInt8], limit: Int, fromRight: Bool)
    -> [[UInt8]]
  {
    var parts: [[UInt8]] = []
    var left = limit < 0 ? Int.max : limit
    if fromRight {
      var end = text.count
      while left > 0, let found = lastIndex(of: separator, in: text, before: end) {
        parts.append(Array(text[found + separator.count..<end]))
        end = found
        left -= 1
      }
      return [Array(text[..<end])] + parts.reversed()
    }
    var start = 0
    while left > 0, let found = firstIndex(of: separator, in: text, from: start) {
      parts.append(Array(text[start..<found]))
      start = found + separator.count
      left -= 1
    }
    return parts + [Array(text[start...])]
  }

  /// `text.split(None, limit)`: the words between runs of white space. Of `rsplit`, likewise from the right.
  static func words(_ text: [UInt8], limit: Int, fromRight: Bool) -> [[UInt8]] {
    var ranges: [Range<Int>] = []
    var start: Int?
    var index = 0
    while index < text.count {
      let space = spaceLength(text, at: index)
      if space > 0 {
        if let begun = start { ranges.append(begun..<index) }
        start = nil
        index += space
      } else {
        start = start ?? index
        index += scalar(text, at: index).count
      }
    }
    if let begun = start { ranges.append(begun..<text.count) }
    guard limit >= 0, ranges.count > limit else { return ranges.map { Array(text[$0]) } }
    if fromRight {
      let kept = ranges.suffix(limit)
      let rest = stripped(Array(text[..<(kept.first?.lowerBound ?? text.count)]), .right)
      return [rest] + kept.map { Array(text[$0]) }
    }
    let rest = stripped(Array(text[(ranges.prefix(limit).last?.upperBound ?? 0)...]), .left)
    return ranges.prefix(limit).map { Array(text[$0]) } + [rest]
  }

  // MARK: Case

  static func uppercased(_ text: [UInt8]) -> [UInt8] {
    isASCII(text)
      ? text.map { (0x61...0x7A).contains($0) ? $0 - 32 : $0 }
      : map(text) { $0.properties.uppercaseMapping }
  }

  static func lowercased(_ text: [UInt8]) -> [UInt8] {
    if isASCII(text) { return text.map { (0x41...0x5A).contains($0) ? $0 + 32 : $0 } }
    let scalars = Array(string(text).unicodeScalars)
    var output = ""
    for index in scalars.indices { output += lowercase(index, of: scalars) }
    return Array(output.utf8)
  }

  /// The lower case of a scalar, where a sigma that ends a word is "ς".
  private static func lowercase(_ index: Int, of scalars: [UnicodeScalar]) -> String {
    guard scalars[index] == "Σ" else { return scalars[index].properties.lowercaseMapping }
    let before = scalars[..<index].last { !$0.properties.isCaseIgnorable }
    let after = scalars[(index + 1)...].first { !$0.properties.isCaseIgnorable }
    return before?.properties.isCased == true && after?.properties.isCased != true ? "ς" : "σ"
  }

  /// `str.capitalize`.
  static func capitalized(_ text: [UInt8]) -> [UInt8] {
    let scalars = Array(string(text).unicodeScalars)
    var output = scalars.first?.properties.titlecaseMapping ?? ""
    for index in scalars.indices.dropFirst() { output += lowercase(index, of: scalars) }
    return Array(output.utf8)
  }

  /// `str.title`: each run of cased letters begins in title case.
  static func titlecased(_ text: [UInt8]) -> [UInt8] {
    let scalars = Array(string(text).unicodeScalars)
    var output = ""
    var isInWord = false
    for index in scalars.indices {
      output +=
        isInWord ? lowercase(index, of: scalars) : scalars[index].properties.titlecaseMapping
      isInWord = scalars[index].properties.isCased
    }
    return Array(output.utf8)
  }

  /// Jinja's `title` filter: upper case after white space, "-", "(", "[", "{" and "<" alone, so "it's" is "It's".
  static func titleFilter(_ text: [UInt8]) -> [UInt8] {
    let scalars = Array(string(text).unicodeScalars)
    var output = ""
    var isStart = true
    for index in scalars.indices {
      output += isStart ? scalars[index].properties.uppercaseMapping : lowercase(index, of: scalars)
      isStart = "-({[<".unicodeScalars.contains(scalars[index]) || isSpace(scalars[index])
    }
    return Array(output.utf8)
  }

  static func isASCII(_ text: [UInt8]) -> Bool { text.allSatisfy { $0 < 0x80 } }

  // MARK: Classes of characters

  static func all(_ text: [UInt8], _ holds: (UnicodeScalar) -> Bool) -> Bool {
    !text.isEmpty && string(text).unicodeScalars.allSatisfy(holds)
  }

  static func isAlphabetic(_ scalar: UnicodeScalar) -> Bool {
    switch scalar.properties.generalCategory {
    case .uppercaseLetter, .lowercaseLetter, .titlecaseLetter, .modifierLetter, .otherLetter: true
    default: false
    }
  }

  static func isDecimal(_ scalar: UnicodeScalar) -> Bool {
    scalar.properties.generalCategory == .decimalNumber
  }

  static func isDigit(_ scalar: UnicodeScalar) -> Bool {
    scalar.properties.numericType == .decimal || scalar.properties.numericType == .digit
  }

  static func isAllSpace(_ text: [UInt8]) -> Bool { all(text, isSpace) }

  /// `str.isupper` and `str.islower`: at least one cased character, and none of the other case.
  static func isAll(upper: Bool, _ text: [UInt8]) -> Bool {
    var hasCased = false
    for scalar in string(text).unicodeScalars {
      let properties = scalar.properties
      if upper ? properties.isLowercase : properties.isUppercase { return false }
      if properties.generalCategory == .titlecaseLetter { return false }
      if upper ? properties.isUppercase : properties.isLowercase { hasCased = true }
    }
    return hasCased
  }

  // MARK: Representation

  /// `repr(text)`.
  static func representation(_ text: [UInt8]) -> [UInt8] {
    let quote: UInt8 =
      text.contains(UInt8(ascii: "'")) && !text.contains(UInt8(ascii: "\""))
      ? UInt8(ascii: "\"") : UInt8(ascii: "'")
    var output = [quote]
    for scalar in string(text).unicodeScalars {
      switch scalar {
      case "\\": output += Array("\\\\".utf8)
      case "\n": output += Array("\\n".utf8)
      case "\r": output += Array("\\r".utf8)
      case "\t": output += Array("\\t".utf8)
      case UnicodeScalar(quote): output += [UInt8(ascii: "\\"), quote]
      default:
        if isPrintable(scalar) {
          output += Array(String(scalar).utf8)
        } else {
          let digits = String(scalar.value, radix: 16)
          let (letter, width) =
            scalar.value < 0x100 ? ("x", 2) : scalar.value < 0x10000 ? ("u", 4) : ("U", 8)
          output += Array(
            "\\\(letter)\(String(repeating: "0", count: width - digits.count))\(digits)".utf8)
        }
      }
    }
    return output + [quote]
  }

  private static func isPrintable(_ scalar: UnicodeScalar) -> Bool {
    if scalar == " " { return true }
    switch scalar.properties.generalCategory {
    case .control, .format, .surrogate, .privateUse, .unassigned, .lineSeparator,
      .paragraphSeparator,
      .spaceSeparator:
      return false
    default: return true
    }
  }

  /// `repr(value)` of a float: the shortest digits that give it back, with an exponent below 1e-4 and from 1e16 on.
  static func representation(_ value: Double) -> String {
    if value.isNaN { return "nan" }
    if value.isInfinite { return value < 0 ? "-inf" : "inf" }
    let text = "\(value.magnitude)"
    let parts = text.split(separator: "e")
    let mantissa = parts[0].split(separator: ".")
    let fraction = mantissa.count > 1 && mantissa[1] != "0" ? String(mantissa[1]) : ""
    // digits × 10^(exponent - digits + 1), with the first digit not zero.
    var digits = String(mantissa[0]) + fraction
    var exponent = (parts.count > 1 ? Int(parts[1]) ?? 0 : 0) + mantissa[0].count - 1
    while digits.count > 1, digits.hasPrefix("0") {
      digits.removeFirst()
      exponent -= 1
    }
    while digits.count > 1, digits.hasSuffix("0") { digits.removeLast() }
    if digits == "0" { exponent = 0 }
    let sign = value.sign == .minus ? "-" : ""
    func zeros(_ count: Int) -> String { String(repeating: "0", count: max(0, count)) }
    guard (-4..<16).contains(exponent) else {
      let rest = digits.dropFirst()
      let power = "\(abs(exponent))"
      return sign + digits.prefix(1) + (rest.isEmpty ? "" : ".\(rest)") + "e"
        + (exponent < 0 ? "-" : "+")
        + zeros(2 - power.count) + power
    }
    if exponent < 0 { return sign + "0." + zeros(-exponent - 1) + digits }
    let whole = digits.prefix(exponent + 1)
    let rest = digits.dropFirst(exponent + 1)
    return sign + whole + zeros(exponent + 1 - whole.count) + "." + (rest.isEmpty ? "0" : rest)
  }
}
