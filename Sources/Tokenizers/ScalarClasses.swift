/// What the published splitting patterns ask of a Unicode scalar.
enum ScalarClass {
  /// `\p{L}`
  case letter
  /// `\p{N}`
  case number
  /// `[\r\n]`
  case newline
  /// `\s` other than a newline
  case space
  /// `[^\s\p{L}\p{N}]`
  case other

  var isWhitespace: Bool { self == .space || self == .newline }
}

extension Unicode.Scalar {
  /// Whether Rust's `char::is_numeric` holds: general category Nd, Nl or No.
  var isNumeric: Bool {
    if isASCII { return ("0"..."9").contains(self) }
    switch properties.generalCategory {
    case .decimalNumber, .letterNumber, .otherNumber: return true
    default: return false
    }
  }

  /// Whether `\w` matches, as Unicode Technical Standard 18, annex C, defines it.
  var isWord: Bool {
    switch properties.generalCategory {
    case .decimalNumber, .connectorPunctuation, .nonspacingMark, .spacingMark, .enclosingMark:
      return true
    default: return properties.isAlphabetic || properties.isJoinControl
    }
  }

  var scalarClass: ScalarClass {
    switch value {
    case 0x41...0x5A, 0x61...0x7A: return .letter
    case 0x30...0x39: return .number
    case 0x0A, 0x0D: return .newline
    case 0x09, 0x0B, 0x0C, 0x20: return .space
    case 0..<0x80: return .other
    default: break
    }
    switch properties.generalCategory {
    case .uppercaseLetter, .lowercaseLetter, .titlecaseLetter, .modifierLetter, .otherLetter:
      return .letter
    case .decimalNumber, .letterNumber, .otherNumber: return .number
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

  /// The end of the run of scalars from `index` on whose class satisfies `condition`.
  @inline(__always)
  func endOfRun(from index: Int, where condition: (ScalarClass) -> Bool) -> Int {
    var end = index
    while let next = scalarClass(at: end), condition(next.class) { end = next.end }
    return end
  }

  func starts(with prefix: some Collection<UInt8>, at index: Int) -> Bool {
    count - index >= prefix.count && self[index...].starts(with: prefix)
  }
}
