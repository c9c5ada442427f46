import Foundation

/// A Unicode normalization form, by its name in `tokenizer.json`.
///
/// Foundation decomposes; marks are ordered and composed here. On Linux Foundation's composition
/// reads a base beyond U+FFFF as its low 16 bits (U+10413 U+0301 becomes U+0403), and its
/// decomposition leaves the marks of U+0F73, U+0F75 and U+0F81 out of order. Its decompositions of
/// single scalars, canonical and for compatibility, are those of Python's `unicodedata` for all that
/// Unicode 14 assigns; the tables of `tokenizers` are older and leave newer scalars as they are.
///
/// Source: Unicode Standard 17, section 3.11, D109 and D117, and section 3.12 for Hangul syllables.
enum UnicodeNormalization: String, Sendable {
  case c = "NFC"
  case d = "NFD"
  case kc = "NFKC"
  case kd = "NFKD"

  /// The lead byte in UTF-8 of the first scalar that the form may change: U+0300, U+00C0, U+00A0.
  private var leastLeadByte: UInt8 {
    switch self {
    case .c: 0xCC
    case .d: 0xC3
    case .kc, .kd: 0xC2
    }
  }

  /// `text`, which is UTF-8, in this form.
  func normalize(_ text: [UInt8]) -> [UInt8] {
    let least = leastLeadByte
    guard text.contains(where: { $0 >= least }) else { return text }
    let string = String(decoding: text, as: UTF8.self)
    if self == .c, string.unicodeScalars.allSatisfy(Self.isInert) { return text }
    let decomposed =
      switch self {
      case .c, .d: string.decomposedStringWithCanonicalMapping
      case .kc, .kd: string.decomposedStringWithCompatibilityMapping
      }
    let ordered = Self.ordered(decomposed.unicodeScalars)
    var view = String.UnicodeScalarView()
    switch self {
    case .c, .kc: view.append(contentsOf: Self.compose(ordered))
    case .d, .kd: view.append(contentsOf: ordered.lazy.map(\.scalar))
    }
    return Array(String(view).utf8)
  }

  private typealias Classed = (scalar: Unicode.Scalar, combiningClass: UInt8)

  /// Decomposed `scalars`, with each run of marks in the order of their combining classes.
  private static func ordered(_ scalars: String.UnicodeScalarView) -> [Classed] {
    var ordered: [Classed] = []
    for scalar in scalars {
      let combiningClass = scalar.properties.canonicalCombiningClass.rawValue
      var index = ordered.count
      if combiningClass > 0 {
        while index > 0, ordered[index - 1].combiningClass > combiningClass { index -= 1 }
      }
      ordered.insert((scalar, combiningClass), at: index)
    }
    return ordered
  }

  /// Whether `scalar` is the same in form C whatever stands around it.
  private static func isInert(_ scalar: Unicode.Scalar) -> Bool {
    // Nothing below U+0300 decomposes to something other than itself in form C, or combines with
    // what stands before it.
    if scalar.value < 0x300 { return true }
    let properties = scalar.properties
    return properties.canonicalCombiningClass == .notReordered
      && !properties.isFullCompositionExclusion && !followers.contains(scalar)
      && !Hangul.vowels.contains(scalar.value) && !Hangul.finals.contains(scalar.value)
  }

  /// Composes `scalars`, which are decomposed and ordered.
  private static func compose(_ scalars: [Classed]) -> [Unicode.Scalar] {
    var composed: [Unicode.Scalar] = []
    // The last starter, and the combining class of the scalar before the one at hand.
    var (starter, lastClass) = (Int?.none, UInt8(0))
    for (scalar, combiningClass) in scalars {
      // A mark is blocked from its starter by one of its own class or above between them.
      if let index = starter, index == composed.count - 1 || lastClass < combiningClass,
        let joined = composite(composed[index], scalar)
      {
        composed[index] = joined
        continue
      }
      if combiningClass == 0 { starter = composed.count }
      lastClass = combiningClass
      composed.append(scalar)
    }
    return composed
  }

  /// The primary composite of `first` and `second`.
  private static func composite(_ first: Unicode.Scalar, _ second: Unicode.Scalar)
    -> Unicode.Scalar?
  {
    let (first, second) = (first.value, second.value)
    if Hangul.leads.contains(first), Hangul.vowels.contains(second) {
      let vowel =
        (first - Hangul.leads.lowerBound) * Hangul.vowelCount + second - Hangul.vowels.lowerBound
      return Unicode.Scalar(Hangul.syllables.lowerBound + vowel * Hangul.finalCount)
    }
    if Hangul.syllables.contains(first), Hangul.finals.contains(second),
      (first - Hangul.syllables.lowerBound).isMultiple(of: Hangul.finalCount)
    {
      return Unicode.Scalar(first + second - Hangul.finals.lowerBound + 1)
    }
    return composites[Pair(first: first, second: second)]
  }

  private enum Hangul {
    static let syllables: Range<UInt32> = 0xAC00..<0xD7A4
    static let leads: Range<UInt32> = 0x1100..<0x1113
    static let vowels: Range<UInt32> = 0x1161..<0x1176
    static let finals: Range<UInt32> = 0x11A8..<0x11C3
    static let vowelCount: UInt32 = 21
    /// The finals, and none.
    static let finalCount: UInt32 = 28
  }

  private struct Pair: Hashable {
    var first: UInt32
    var second: UInt32
  }

  /// The blocks that hold every primary composite beside the Hangul syllables.
  private static let blocks: [Range<UInt32>] = [
    0xC0..<0x2300, 0x3040..<0x3100, 0x1_1000..<0x1_1A00, 0x1_6100..<0x1_6E00,
  ]

  /// The primary composites by their parts: all but the last scalar of the full decomposition,
  /// composed, and the last.
  private static let composites: [Pair: Unicode.Scalar] = {
    var byDecomposition: [[Unicode.Scalar]: Unicode.Scalar] = [:]
    for scalar in blocks.joined().lazy.compactMap(Unicode.Scalar.init)
    where !scalar.properties.isFullCompositionExclusion {
      let parts = Array(String(scalar).decomposedStringWithCanonicalMapping.unicodeScalars)
      if parts.count > 1 { byDecomposition[parts] = scalar }
    }
    var composites: [Pair: Unicode.Scalar] = [:]
    for (parts, scalar) in byDecomposition {
      guard let last = parts.last else { continue }
      let first = parts.count == 2 ? parts[0] : byDecomposition[Array(parts.dropLast())]
      if let first { composites[Pair(first: first.value, second: last.value)] = scalar }
    }
    return composites
  }()

  /// The scalars that combine with one before them.
  private static let followers = Set(composites.keys.compactMap { Unicode.Scalar($0.second) })
}
