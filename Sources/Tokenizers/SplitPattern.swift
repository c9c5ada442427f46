/// What text is cut at: a string, or one of the published regular expressions.
///
/// A regular expression is a hand-written scanner that finds the matches which it finds by
/// backtracking: the leftmost, one after the other, none empty.
final class SplitPattern: Sendable {
  /// The pattern as a `tokenizer.json` writes it.
  enum Source: Hashable, Sendable {
    case string(String)
    case regex(String)
  }

  private enum Scanner: Sendable {
    case string([UInt8])
    case gpt2
    case words(WordPattern)
    /// One scalar of a set.
    case single(ScalarSet)
    case run(RunPattern)
    /// `\s+$`
    case lineEnd
    /// `\w+|[^\w\s]+`
    case wordRun
  }

  let source: Source
  private let scanner: Scanner

  /// Each occurrence of `string`, which is not empty.
  init(string: String) {
    precondition(!string.isEmpty, "an empty string matches nowhere")
    (source, scanner) = (.string(string), .string(Array(string.utf8)))
  }

  private init(_ regex: String, _ scanner: Scanner) {
    (self.source, self.scanner) = (.regex(regex), scanner)
  }

  /// The published pattern that `regex` writes, if there is one. A newline may be written as itself
  /// or as its escape.
  static func published(_ regex: String) -> SplitPattern? {
    var escaped = String.UnicodeScalarView()
    for scalar in regex.unicodeScalars {
      switch scalar {
      case "\r": escaped.append(contentsOf: #"\r"#.unicodeScalars)
      case "\n": escaped.append(contentsOf: #"\n"#.unicodeScalars)
      default: escaped.append(scalar)
      }
    }
    return byRegex[String(escaped)]
  }

  /// Calls `body` with the matches and with what stands between them, in order; none is empty.
  @inline(__always)
  func forEachPart(of text: UTF8Text, _ body: (Range<Int>, _ isMatch: Bool) -> Void) {
    switch scanner {
    case .gpt2: Self.scan(text, body) { (Self.gpt2End(in: text, from: $0), true) }
    case .words(let words): Self.scan(text, body) { words.match(in: text, from: $0) }
    case .single(let set):
      Self.scan(text, body) { index in
        let (scalar, end) = text.scalar(at: index)
        return (end, set.contains(scalar))
      }
    case .run(let run): Self.scan(text, body) { run.match(in: text, from: $0) }
    case .string(let string):
      string.withUnsafeBufferPointer { string in
        Self.scan(text, body) { index in
          text[index] == string[0] && text.starts(with: string, at: index)
            ? (index + string.count, true) : (index + 1, false)
        }
      }
    case .lineEnd: Self.scan(text, body) { Self.lineEnd(in: text, from: $0) }
    case .wordRun: Self.scan(text, body) { Self.wordRun(in: text, from: $0) }
    }
  }

  /// Where a match ends, or where one may begin next if none begins here.
  fileprivate typealias Match = (end: Int, isMatch: Bool)

  /// Calls `body` as `forEachPart` does, with the matches that `match` finds at an index.
  @inline(__always)
  private static func scan(
    _ text: UTF8Text, _ body: (Range<Int>, _ isMatch: Bool) -> Void, match: (Int) -> Match
  ) {
    var (start, index) = (0, 0)
    while index < text.count {
      let (end, isMatch) = match(index)
      if isMatch {
        if start < index { body(start..<index, false) }
        body(index..<end, true)
        start = end
      }
      index = end
    }
    if start < text.count { body(start..<text.count, false) }
  }
}

// MARK: Published patterns

extension SplitPattern {
  /// GPT-2, and after its digits SmolLM2, StarCoder, Granite 3 and Command R.
  static let gpt2 = SplitPattern(
    #"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"#, .gpt2)

  /// Llama 3, SmolLM3, OLMo 2, Phi-4: contractions in any case, numbers by up to three digits,
  /// newlines apart.
  static let llama3 = SplitPattern(
    #"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"#,
    .words(WordPattern(contractions: .apart, digits: 3)))

  /// Qwen2 and Qwen3: as Llama 3, but numbers digit by digit.
  static let qwen2 = SplitPattern(
    #"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"#,
    .words(WordPattern(contractions: .apart, digits: 1)))

  /// Qwen3.5: as Qwen2, but marks belong to words.
  static let qwen35 = SplitPattern(
    #"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"#,
    .words(
      WordPattern(
        contractions: .apart, word: .run([.letter, .mark]), digits: 1,
        signs: [.punctuation, .symbol, .other])))

  /// Mistral's Tekken: a word ends before a capital after small letters.
  static let tekken = SplitPattern(
    #"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"#,
    .words(WordPattern(contractions: .never, word: .cased, digits: 1, slashFollowsSigns: true)))

  /// GPT-4o and Phi-4-mini: as Tekken, with contractions at the end of words and numbers by up to
  /// three digits.
  static let gpt4o = SplitPattern(
    #"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"#,
    .words(
      WordPattern(contractions: .inWord, word: .cased, digits: 3, slashFollowsSigns: true)))

  /// DeepSeek V3, after its numbers and ideographs. It matches neither numbers nor controls by
  /// themselves.
  static let deepSeek3 = SplitPattern(
    ##"[!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"##,
    .words(
      WordPattern(
        contractions: .never, signJoinsASCIIWord: true, notBeforeWord: [.punctuation, .symbol],
        word: .run([.letter, .mark]), digits: 0, signs: [.punctuation, .symbol])))

  static let newline = SplitPattern(
    #"[\r\n]"#, .single(ScalarSet(.newline)))
  static let number = SplitPattern(
    #"\p{N}"#, .single(ScalarSet(.number)))
  static let numbers = SplitPattern(#"\p{N}+"#, .run(RunPattern(ScalarSet(.number))))
  static let numbersByThree = SplitPattern(
    #"\p{N}{1,3}"#, .run(RunPattern(ScalarSet(.number), atMost: 3)))
  /// Falcon's, after the others.
  static let threeDigits = SplitPattern(
    "[0-9][0-9][0-9]", .run(RunPattern(ScalarSet(bracket: "0-9"), atLeast: 3, atMost: 3)))
  static let whitespace = SplitPattern(
    #"\s"#, .single(ScalarSet(.whitespace)))
  static let words = SplitPattern(#"\w+|[^\w\s]+"#, .wordRun)
  static let trailingSpace = SplitPattern(#"\s+$"#, .lineEnd)
  /// What the pre-tokenizer "Punctuation" takes for it.
  static let punctuation = SplitPattern(
    #"[\p{P}$+<=>^`|~]"#, .single(ScalarSet(.punctuation, bracket: "$+<=>^`|~")))
  static let falconPunctuation = SplitPattern(
    #"[\p{P}\$\+<=>\^~\|`]+"#, .run(RunPattern(ScalarSet(.punctuation, bracket: "$+<=>^`|~"))))
  /// DeepSeek Coder's.
  static let spacedLetters = SplitPattern(
    #"\s?\p{L}+"#, .run(RunPattern(ScalarSet(.letter), followsSpace: true)))
  static let spacedPunctuation = SplitPattern(
    #"\s?\p{P}+"#, .run(RunPattern(ScalarSet(.punctuation), followsSpace: true)))

  /// DeepSeek LLM's letters with case, its signs and its letters without case; DeepSeek V3's
  /// ideographs and kana.
  static let deepSeekLetters = run(
    #"A-Za-zµÀ-ÖØ-öø-ƺƼ-ƿǄ-ʓʕ-ʯͰ-ͳͶͷͻ-ͽͿΆΈ-ΊΌΎ-ΡΣ-ϵϷ-ҁҊ-ԯԱ-ՖႠ-ჅᎠ-Ᏽᏸ-ᏽᲐ-ᲺᲽ-Ჿᴀ-ᴫᵫ-ᵷᵹ-ᶚḀ-ἕἘ-Ἕἠ-ὅὈ-Ὅὐ-ὗὙὛὝὟ-ώᾀ-ᾴᾶ-ᾼιῂ-ῄῆ-ῌῐ-ΐῖ-Ίῠ-Ῥῲ-ῴῶ-ῼℂℇℊ-ℓℕℙ-ℝℤΩℨK-ℭℯ-ℴℹℼ-ℿⅅ-ⅉⅎↃↄⰀ-ⱻⱾ-ⳤⳫ-ⳮⳲⳳꙀ-ꙭꚀ-ꚛꜢ-ꝯꝱ-ꞇꞋ-ꞎꭰ-ꮿﬀ-ﬆﬓ-ﬗＡ-Ｚａ-ｚ𐐀-𐑏𐒰-𐓓𐓘-𐓻𐲀-𐲲𐳀-𐳲𑢠-𑣟𞤀-𞥃"#,
    followsSpace: true)
  static let deepSeekSigns = run("!-/:-~！-／：-～‘-‟　-。", followsSpace: true)
  static let deepSeekUncased = run("一-龥ࠀ-一가-퟿", followsSpace: false)
  static let deepSeekIdeographs = run("一-龥぀-ゟ゠-ヿ", followsSpace: false)

  private static func run(_ bracket: String, followsSpace: Bool) -> SplitPattern {
    SplitPattern(
      (followsSpace ? #"\s?"# : "") + "[\(bracket)]+",
      .run(RunPattern(ScalarSet(bracket: bracket), followsSpace: followsSpace)))
  }

  private static let byRegex: [String: SplitPattern] = {
    let published = [
      gpt2, llama3, qwen2, qwen35, tekken, gpt4o, deepSeek3, newline, number, numbers,
      numbersByThree, threeDigits, whitespace, words, trailingSpace, punctuation,
      falconPunctuation, spacedLetters, spacedPunctuation, deepSeekLetters, deepSeekSigns,
      deepSeekUncased, deepSeekIdeographs,
    ]
    var byRegex: [String: SplitPattern] = [:]
    for pattern in published {
      if case .regex(let regex) = pattern.source { byRegex[regex] = pattern }
    }
    return byRegex
  }()
}

// MARK: Scanners

extension SplitPattern {
  private static func gpt2End(in text: UTF8Text, from start: Int) -> Int {
    if let end = text.contractionEnd(from: start, ignoringCase: false) { return end }
    let wordStart = text[start] == UInt8(ascii: " ") ? start + 1 : start
    guard let first = text.scalarClass(at: wordStart) else {
      return text.whitespaceEnd(from: start)
    }
    if ScalarClass.letter.contains(first.class) {
      return text.endOfRun(of: .letter, from: first.end)
    }
    if first.class == .number { return text.endOfRun(of: .number, from: first.end) }
    if ScalarClass.sign.contains(first.class) { return text.endOfRun(of: .sign, from: first.end) }
    return text.whitespaceEnd(from: start)
  }

  /// `\s+$`. "$" stands at the end of each line, as in the engine of `tokenizers`.
  private static func lineEnd(in text: UTF8Text, from start: Int) -> Match {
    var (index, end) = (start, Int?.none)
    while let next = text.scalarClass(at: index), ScalarClass.whitespace.contains(next.class) {
      index = next.end
      if index == text.count || text[index] == UInt8(ascii: "\n") { end = index }
    }
    if let end { return (end, true) }
    return (index > start ? index : text.scalar(at: start).end, false)
  }

  private static func wordRun(in text: UTF8Text, from start: Int) -> Match {
    let (first, firstEnd) = text.scalar(at: start)
    let isWord = first.isWord
    if !isWord, first.isWhitespace { return (firstEnd, false) }
    var end = firstEnd
    while end < text.count {
      let (scalar, next) = text.scalar(at: end)
      guard scalar.isWord == isWord, isWord || !scalar.isWhitespace else { break }
      end = next
    }
    return (end, true)
  }
}

/// A run of scalars of one set: `[set]{atLeast,atMost}`, or with `followsSpace` `\s?[set]+`.
private struct RunPattern: Sendable {
  let set: ScalarSet
  let atLeast: Int
  let atMost: Int
  let followsSpace: Bool

  init(_ set: ScalarSet, atLeast: Int = 1, atMost: Int = .max, followsSpace: Bool = false) {
    (self.set, self.atLeast, self.atMost) = (set, atLeast, atMost)
    self.followsSpace = followsSpace
  }

  func match(in text: UTF8Text, from start: Int) -> SplitPattern.Match {
    let (first, firstEnd) = text.scalar(at: start)
    if followsSpace, first.isWhitespace, let end = runEnd(in: text, from: firstEnd) {
      return (end, true)
    }
    if let end = runEnd(in: text, from: start) { return (end, true) }
    return (firstEnd, false)
  }

  private func runEnd(in text: UTF8Text, from start: Int) -> Int? {
    var (end, count) = (start, 0)
    while count < atMost, end < text.count {
      let (scalar, next) = text.scalar(at: end)
      guard set.contains(scalar) else { break }
      (end, count) = (next, count + 1)
    }
    return count >= atLeast ? end : nil
  }
}

/// The patterns after Llama 3's: words with one scalar of another kind before them, numbers by so
/// many digits, signs with the newlines after them, white space up to its last newline.
private struct WordPattern: Sendable {
  enum Contractions: Sendable {
    case never
    /// `(?i:'s|…)|` comes first.
    case apart
    /// `(?i:'s|…)?` ends a word.
    case inWord
  }

  enum Word: Sendable {
    /// `[classes]+`
    case run(ScalarClass)
    /// `[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+` or, if that fails,
    /// `[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*`
    case cased
  }

  let contractions: Contractions
  /// Whether `[!-/:-@\[-`{-~][A-Za-z]+|` comes first.
  var signJoinsASCIIWord = false
  /// What does not stand before a word as its part, beside letters and newlines.
  var notBeforeWord: ScalarClass = .number
  var word = Word.run(.letter)
  /// `\p{N}{1,digits}`; 0: numbers do not match.
  let digits: Int
  /// The classes of ` ?[signs]+[\r\n]*`
  var signs = ScalarClass.sign
  /// Whether it is ` ?[signs]+[\r\n/]*`
  var slashFollowsSigns = false

  func match(in text: UTF8Text, from start: Int) -> SplitPattern.Match {
    let (scalar, firstEnd) = text.scalar(at: start)
    let first = scalar.scalarClass
    if case .run(let classes) = word, classes.contains(first) {
      return (text.endOfRun(of: classes, from: firstEnd), true)
    }
    if contractions == .apart, let end = text.contractionEnd(from: start, ignoringCase: true) {
      return (end, true)
    }
    if signJoinsASCIIWord, let end = text.endOfSignAndASCIIWord(from: start) { return (end, true) }
    if let end = wordEnd(in: text, from: start, first, firstEnd) {
      guard contractions == .inWord else { return (end, true) }
      return (text.contractionEnd(from: end, ignoringCase: true) ?? end, true)
    }
    if first == .number, digits > 0 {
      var (end, left) = (firstEnd, digits - 1)
      while left > 0, let next = text.scalarClass(at: end), next.class == .number {
        (end, left) = (next.end, left - 1)
      }
      return (end, true)
    }
    let signStart = text[start] == UInt8(ascii: " ") ? start + 1 : start
    let signEnd = text.endOfRun(of: signs, from: signStart)
    if signEnd > signStart {
      var end = signEnd
      while end < text.count, isSignEnd(text[end]) { end += 1 }
      return (end, true)
    }
    guard ScalarClass.whitespace.contains(first) else { return (firstEnd, false) }
    // \s*[\r\n]+ takes a run of white space up to its last newline.
    var (end, lastNewline) = (start, start)
    while let next = text.scalarClass(at: end), ScalarClass.whitespace.contains(next.class) {
      end = next.end
      if next.class == .newline { lastNewline = end }
    }
    return (lastNewline > start ? lastNewline : text.whitespaceEnd(from: start), true)
  }

  /// Whether `byte` stands after signs, in their match.
  private func isSignEnd(_ byte: UInt8) -> Bool {
    byte == UInt8(ascii: "\n") || byte == UInt8(ascii: "\r")
      || slashFollowsSigns && byte == UInt8(ascii: "/")
  }

  /// Where a word ends, with one scalar before it or none; nil where there is none. `first`: the
  /// class of the scalar at `start`, which ends at `firstEnd`.
  @inline(__always)
  private func wordEnd(
    in text: UTF8Text, from start: Int, _ first: ScalarClass, _ firstEnd: Int
  ) -> Int? {
    let canPrecede = notBeforeWord.union([.letter, .newline]).isDisjoint(with: first)
    switch word {
    case .run(let classes):
      guard classes.contains(first) || canPrecede && text.has(classes, at: firstEnd) else {
        return nil
      }
      return text.endOfRun(of: classes, from: firstEnd)
    case .cased:
      // A mark may be the scalar before a word or belong to it: the first way that matches counts.
      return (canPrecede ? text.endOfLowercased(from: firstEnd) : nil)
        ?? text.endOfLowercased(from: start)
        ?? (canPrecede ? text.endOfCapitals(from: firstEnd) : nil)
        ?? text.endOfCapitals(from: start)
    }
  }
}

extension ScalarClass {
  fileprivate static let capitals: ScalarClass = [.uppercase, .uncased, .mark]
  fileprivate static let smalls: ScalarClass = [.lowercase, .uncased, .mark]
}

extension UTF8Text {
  /// `[capitals]*[smalls]+`: the capitals as far as they go, less what the small letters need.
  fileprivate func endOfLowercased(from start: Int) -> Int? {
    var (index, lastShared) = (start, Int?.none)
    while let next = scalarClass(at: index), ScalarClass.capitals.contains(next.class) {
      index = next.end
      if ScalarClass.smalls.contains(next.class) { lastShared = index }
    }
    return has(.lowercase, at: index) ? endOfRun(of: .smalls, from: index) : lastShared
  }

  /// `[capitals]+`, where no small letter follows.
  fileprivate func endOfCapitals(from start: Int) -> Int? {
    let end = endOfRun(of: .capitals, from: start)
    return end > start ? end : nil
  }

  /// ``[!-/:-@\[-`{-~][A-Za-z]+``
  fileprivate func endOfSignAndASCIIWord(from start: Int) -> Int? {
    func isLetter(at index: Int) -> Bool {
      index < count && (0x41...0x5A).contains(self[index] & ~0x20)
    }
    guard (0x21...0x7E).contains(self[start]), !isLetter(at: start),
      !(0x30...0x39).contains(self[start]), isLetter(at: start + 1)
    else { return nil }
    var end = start + 2
    while isLetter(at: end) { end += 1 }
    return end
  }

  /// `\s+(?!\S)|\s+`: a run of white space without its last scalar, which goes with what follows;
  /// all of it at the end of the text or where it is a single one.
  fileprivate func whitespaceEnd(from start: Int) -> Int {
    let end = endOfRun(of: .whitespace, from: start)
    guard end < count else { return end }
    let lastStart = scalar(endingAt: end).start
    return lastStart > start ? lastStart : end
  }

  /// `'s|'t|'re|'ve|'m|'ll|'d`, or nil. Regardless of case, "ſ" (U+017F) is an "s" too.
  fileprivate func contractionEnd(from start: Int, ignoringCase: Bool) -> Int? {
    guard start + 1 < count, self[start] == UInt8(ascii: "'") else { return nil }
    func letter(at index: Int) -> UInt8 {
      guard index < count else { return 0 }
      let byte = self[index]
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
