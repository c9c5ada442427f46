/// What the published splitting patterns ask of a Unicode scalar: each scalar is in one of the
/// classes named first, and a set of several is their union.
struct ScalarClass: OptionSet, Sendable {
  let rawValue: UInt16

  /// `\p{Lu}` and `\p{Lt}`
  static let uppercase = ScalarClass(rawValue: 1 << 0)
  /// `\p{Ll}`
  static let lowercase = ScalarClass(rawValue: 1 << 1)
  /// `\p{Lm}` and `\p{Lo}`: letters without case
  static let uncased = ScalarClass(rawValue: 1 << 2)
  /// `\p{M}`
  static let mark = ScalarClass(rawValue: 1 << 3)
  /// `\p{N}`
  static let number = ScalarClass(rawValue: 1 << 4)
  /// `[\r\n]`
  static let newline = ScalarClass(rawValue: 1 << 5)
  /// `\s` other than a newline
  static let space = ScalarClass(rawValue: 1 << 6)
  /// `\p{P}`
  static let punctuation = ScalarClass(rawValue: 1 << 7)
  /// `\p{S}`
  static let symbol = ScalarClass(rawValue: 1 << 8)
  /// What is in none of these: controls, format characters, private use, unassigned.
  static let other = ScalarClass(rawValue: 1 << 9)

  /// `\p{L}`
  static let letter: ScalarClass = [.uppercase, .lowercase, .uncased]
  /// `\s`
  static let whitespace: ScalarClass = [.newline, .space]
  /// `[^\s\p{L}\p{N}]`
  static let sign: ScalarClass = [.mark, .punctuation, .symbol, .other]
}

/// The scalars of some classes, and others one by one.
struct ScalarSet: Sendable {
  private let classes: ScalarClass
  /// In ascending order, none within another.
  private let ranges: [ClosedRange<UInt32>]
  /// A bit for each ASCII character, below 64 and from there on.
  private let ascii: (low: UInt64, high: UInt64)

  /// `classes` and what a regular expression's bracket holds: single scalars and ranges "a-z". A
  /// "-" at the end stands for itself.
  init(_ classes: ScalarClass = [], bracket: String = "") {
    let scalars = Array(bracket.unicodeScalars)
    var ranges: [ClosedRange<UInt32>] = []
    var index = 0
    while index < scalars.count {
      let first = scalars[index].value
      let isRange = index + 2 < scalars.count && scalars[index + 1] == "-"
      let last = isRange ? scalars[index + 2].value : first
      precondition(first <= last, "the range from U+\(String(first, radix: 16)) is empty")
      ranges.append(first...last)
      index += isRange ? 3 : 1
    }
    ranges.sort { $0.lowerBound < $1.lowerBound }
    (self.classes, self.ranges) = (classes, ranges)
    func bits(_ bytes: ClosedRange<UInt8>) -> UInt64 {
      bytes.reduce(0) { bits, byte in
        let scalar = Unicode.Scalar(byte)
        let isMember =
          classes.contains(scalar.scalarClass) || ranges.contains { $0.contains(scalar.value) }
        return isMember ? bits | 1 << UInt64(byte & 63) : bits
      }
    }
    ascii = (bits(0...63), bits(64...127))
  }

  @inline(__always)
  func contains(_ scalar: Unicode.Scalar) -> Bool {
    let value = scalar.value
    if value < 128 { return (value < 64 ? ascii.low : ascii.high) >> UInt64(value & 63) & 1 == 1 }
    return !classes.isEmpty && classes.contains(scalar.scalarClass)
      || !ranges.isEmpty && rangesContain(value)
  }

  private func rangesContain(_ value: UInt32) -> Bool {
    // The first range that ends at or above the value.
    var (low, high) = (0, ranges.count)
    while low < high {
      let middle = (low + high) / 2
      if ranges[middle].upperBound < value { low = middle + 1 } else { high = middle }
    }
    return low < ranges.count && ranges[low].lowerBound <= value
  }
}

extension Unicode.Scalar {
  /// Whether `\w` matches, as Unicode Technical Standard 18, annex C, defines it.
  var isWord: Bool {
    switch value {
    case 0x61...0x7A, 0x41...0x5A, 0x30...0x39, 0x5F: return true
    case 0..<0x80: return false
    default: break
    }
    switch properties.generalCategory {
    case .decimalNumber, .connectorPunctuation, .nonspacingMark, .spacingMark, .enclosingMark:
      return true
    default: return properties.isAlphabetic || properties.isJoinControl
    }
  }

  var isWhitespace: Bool { ScalarClass.whitespace.contains(scalarClass) }

  @inline(__always)
  var scalarClass: ScalarClass {
    switch value {
    case 0x61...0x7A: return .lowercase
    case 0x41...0x5A: return .uppercase
    case 0x30...0x39: return .number
    case 0x0A, 0x0D: return .newline
    case 0x09, 0x0B, 0x0C, 0x20: return .space
    case 0x24, 0x2B, 0x3C...0x3E, 0x5E, 0x60, 0x7C, 0x7E: return .symbol
    case 0x21...0x7D: return .punctuation
    case 0..<0x80: return .other
    default: return classBeyondASCII
    }
  }

  @inline(never)
  private var classBeyondASCII: ScalarClass {
    switch properties.generalCategory {
    case .uppercaseLetter, .titlecaseLetter: return .uppercase
    case .lowercaseLetter: return .lowercase
    case .modifierLetter, .otherLetter: return .uncased
    case .nonspacingMark, .spacingMark, .enclosingMark: return .mark
    case .decimalNumber, .letterNumber, .otherNumber: return .number
    case .connectorPunctuation, .dashPunctuation, .openPunctuation, .closePunctuation,
      .initialPunctuation, .finalPunctuation, .otherPunctuation:
      return .punctuation
    case .mathSymbol, .currencySymbol, .modifierSymbol, .otherSymbol: return .symbol
    default: return properties.isWhitespace ? .space : .other
    }
  }
}

/// A run of UTF-8, known to be valid, that is never empty where a scalar is asked of it.
typealias UTF8Text = UnsafeBufferPointer<UInt8>

extension UTF8Text {
  /// The part of this text in `range`.
  func part(_ range: Range<Int>) -> UTF8Text {
    UTF8Text(rebasing: self[range])
  }

  /// The scalar that begins at `index`, and the index after it.
  func scalar(at index: Int) -> (scalar: Unicode.Scalar, end: Int) {
    let first = UInt32(self[index])
    if first < 0x80 { return (Unicode.Scalar(UInt8(first)), index + 1) }
    let length = first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4
    var value = first & (0x7F >> UInt32(length))
    for byte in self[index + 1..<index + length] { value = value << 6 | UInt32(byte & 0x3F) }
    return (Unicode.Scalar(value) ?? "\u{FFFD}", index + length)
  }

  /// The scalar that ends at `index`, and the index where it begins.
  func scalar(endingAt index: Int) -> (scalar: Unicode.Scalar, start: Int) {
    var start = index - 1
    while self[start] & 0xC0 == 0x80 { start -= 1 }
    return (scalar(at: start).scalar, start)
  }

  /// The class of the scalar at `index` and the index after it; nil at the end of the text.
  @inline(__always)
  func scalarClass(at index: Int) -> (class: ScalarClass, end: Int)? {
    guard index < count else { return nil }
    let (scalar, end) = scalar(at: index)
    return (scalar.scalarClass, end)
  }

  /// Whether a scalar of `classes` begins at `index`.
  @inline(__always)
  func has(_ classes: ScalarClass, at index: Int) -> Bool {
    guard let next = scalarClass(at: index) else { return false }
    return classes.contains(next.class)
  }

  /// The end of the run of scalars of `classes` from `index` on.
  @inline(__always)
  func endOfRun(of classes: ScalarClass, from index: Int) -> Int {
    var end = index
    while let next = scalarClass(at: end), classes.contains(next.class) { end = next.end }
    return end
  }

  func starts(with prefix: some Collection<UInt8>, at index: Int) -> Bool {
    count - index >= prefix.count && self[index...].starts(with: prefix)
  }
}
