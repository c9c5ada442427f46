/// The published patterns that cut text into the pieces inside which byte-level BPE merges.
///
/// Each is a hand-written scanner that finds the match which the regular expression finds by
/// backtracking; since every pattern matches at every position, a text is cut by matching again and
/// again where the last match ended.
enum SplitPattern: String, CaseIterable, Sendable {
  /// GPT-2, and after its digits SmolLM2.
  case gpt2 = #"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"#
  /// Llama 3: contractions in any case, numbers by up to three digits, newlines apart.
  case llama3 =
    #"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"#
  /// Qwen2: as Llama 3, but numbers digit by digit.
  case qwen2 =
    #"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"#

  /// Where the match that begins at `start` ends. Precondition: `start < text.count`.
  func matchEnd(in text: UTF8Text, from start: Int) -> Int {
    switch self {
    case .gpt2: Self.gpt2End(in: text, from: start)
    case .llama3: Self.llama3End(in: text, from: start, digits: 3)
    case .qwen2: Self.llama3End(in: text, from: start, digits: 1)
    }
  }

  private static func gpt2End(in text: UTF8Text, from start: Int) -> Int {
    if let end = contractionEnd(in: text, from: start, ignoringCase: false) { return end }
    let wordStart = text[start] == UInt8(ascii: " ") ? start + 1 : start
    switch text.scalarClass(at: wordStart)?.class {
    case .letter: return text.endOfRun(from: wordStart) { $0 == .letter }
    case .number: return text.endOfRun(from: wordStart) { $0 == .number }
    case .other: return text.endOfRun(from: wordStart) { $0 == .other }
    case .space, .newline, nil: return whitespaceEnd(in: text, from: start)
    }
  }

  private static func llama3End(in text: UTF8Text, from start: Int, digits: Int) -> Int {
    if let end = contractionEnd(in: text, from: start, ignoringCase: true) { return end }
    guard let first = text.scalarClass(at: start) else { return start }
    // [^\r\n\p{L}\p{N}]?\p{L}+
    if first.class == .letter { return text.endOfRun(from: first.end) { $0 == .letter } }
    if first.class == .space || first.class == .other,
      text.scalarClass(at: first.end)?.class == .letter
    {
      return text.endOfRun(from: first.end) { $0 == .letter }
    }
    // \p{N}{1,digits}
    if first.class == .number {
      var (end, left) = (first.end, digits - 1)
      while left > 0, let next = text.scalarClass(at: end), next.class == .number {
        (end, left) = (next.end, left - 1)
      }
      return end
    }
    //  ?[^\s\p{L}\p{N}]+[\r\n]*
    let symbolStart = text[start] == UInt8(ascii: " ") ? start + 1 : start
    let symbolEnd = text.endOfRun(from: symbolStart) { $0 == .other }
    if symbolEnd > symbolStart { return text.endOfRun(from: symbolEnd) { $0 == .newline } }
    // \s*[\r\n]+ takes a run of white space up to its last newline.
    var (end, lastNewline) = (start, start)
    while let next = text.scalarClass(at: end), next.class.isWhitespace {
      end = next.end
      if next.class == .newline { lastNewline = end }
    }
    return lastNewline > start ? lastNewline : whitespaceEnd(in: text, from: start)
  }

  /// `\s+(?!\S)|\s+`: a run of white space without its last scalar, which goes with what follows;
  /// all of it at the end of the text or where it is a single one.
  private static func whitespaceEnd(in text: UTF8Text, from start: Int) -> Int {
    let end = text.endOfRun(from: start) { $0.isWhitespace }
    guard end < text.count else { return end }
    let lastStart = text.scalar(endingAt: end).start
    return lastStart > start ? lastStart : end
  }

  /// `'s|'t|'re|'ve|'m|'ll|'d`, or nil. Regardless of case, "ſ" (U+017F) is an "s" too.
  private static func contractionEnd(in text: UTF8Text, from start: Int, ignoringCase: Bool) -> Int?
  {
    guard text[start] == UInt8(ascii: "'"), start + 1 < text.count else { return nil }
    func letter(at index: Int) -> UInt8 {
      guard index < text.count else { return 0 }
      let byte = text[index]
      return ignoringCase && (0x41...0x5A).contains(byte) ? byte | 0x20 : byte
    }
    switch (letter(at: start + 1), letter(at: start + 2)) {
    case (UInt8(ascii: "s"), _), (UInt8(ascii: "t"), _), (UInt8(ascii: "m"), _),
      (UInt8(ascii: "d"), _):
      return start + 2
    case (UInt8(ascii: "r"), UInt8(ascii: "e")), (UInt8(ascii: "v"), UInt8(ascii: "e")),
      (UInt8(ascii: "l"), UInt8(ascii: "l")):
      return start + 3
    case (0xC5, 0xBF) where ignoringCase:
      return start + 3
    default:
      return nil
    }
  }
}
