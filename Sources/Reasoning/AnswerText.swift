/// A text with its LaTeX, Markdown and Unicode spellings replaced by plain ones, so that `\dfrac{3}{4}`,
/// `**18**` and `١٨` are read like `3/4`, `18` and `18`.
///
/// Takes one pass; the length of the result is proportional to the input's.
struct AnswerText {
  let characters: [Character]
  /// The same characters in lower case, index by index.
  let lower: [Character]
  /// Their ASCII codes in lower case, and `ASCIICode.other` for all others: a response of a megabyte
  /// is told apart by these, as comparing characters takes many times longer.
  let codes: [UInt8]
  /// For each opening parenthesis that is closed, how many it and those inside it go deep.
  let nesting: [Int: Int]

  /// Private-use characters that stand for markup which the readers need.
  enum Mark {
    /// Around the content of `\boxed{…}` and `<answer>…</answer>`.
    static let boxStart: Character = "\u{E000}"
    static let boxEnd: Character = "\u{E001}"
    /// Around `(a)/(b)` made from `\frac{a}{b}`, so that `2\frac{1}{2}` is a mixed number.
    static let fractionStart: Character = "\u{E002}"
    static let fractionEnd: Character = "\u{E003}"
  }

  init(_ text: String) {
    var cleaner = Cleaner(Array(text))
    characters = cleaner.cleaned()
    lower = characters.map(Self.lowercase)
    codes = lower.map(ASCIICode.of)
    var nesting: [Int: Int] = [:]
    var open: [(index: Int, inner: Int)] = []
    for (index, code) in codes.enumerated() where ASCIICode.parentheses.contains(code) {
      if code == UInt8(ascii: "(") {
        open.append((index, 0))
      } else if let last = open.popLast() {
        nesting[last.index] = last.inner + 1
        if let outer = open.popLast() {
          open.append((outer.index, max(outer.inner, last.inner + 1)))
        }
      }
    }
    self.nesting = nesting
  }

  var indices: Range<Int> { characters.indices }

  /// The character at `index`; a newline outside the text.
  func character(_ index: Int) -> Character {
    characters.indices.contains(index) ? characters[index] : "\n"
  }

  /// A character in lower case; itself where that would be several characters.
  static func lowercase(_ character: Character) -> Character {
    if let ascii = character.asciiValue {
      guard (65...90).contains(ascii) else { return character }
      return Character(Unicode.Scalar(ascii + 32))
    }
    let lower = character.lowercased()
    return lower.count == 1 ? Character(lower) : character
  }

  func string(_ range: Range<Int>) -> String { String(characters[range]).trimmingSpace() }

  /// The lower-case word that starts at `index`, with inner apostrophes; nil where none does.
  func word(at index: Int, before end: Int) -> (text: String, end: Int)? {
    var last = index
    while last < end, isInWord(last) { last += 1 }
    return last > index ? (String(lower[index..<last]), last) : nil
  }

  /// The lower-case word before `index`, with only spaces, markup and opening brackets between.
  func word(before index: Int, after start: Int = 0) -> (text: String, start: Int)? {
    var last = index
    while last > start, " \t*_\"'`$([".contains(characters[last - 1]) { last -= 1 }
    var first = last
    while first > start, last - first < 24, isInWord(first - 1) { first -= 1 }
    return first < last ? (String(lower[first..<last]), first) : nil
  }

  private func isInWord(_ index: Int) -> Bool {
    let code = codes[index]
    if ASCIICode.letters.contains(code) { return true }
    if code != ASCIICode.other, code != UInt8(ascii: "'") { return false }
    let character = characters[index]
    // Chinese and Japanese are written without spaces: none of their letters belongs to a word.
    return character.isLetter && character < "\u{2E80}"
      || character == "'" && index > 0 && characters[index - 1].isLetter
        && self.character(index + 1).isLetter
  }

  func skippingSpace(from index: Int, before end: Int) -> Int {
    var index = index
    while index < end, ASCIICode.blanks.contains(codes[index]) { index += 1 }
    return index
  }

  /// Whether `phrase`, in lower case, starts at `index`.
  func hasPhrase(_ phrase: [Character], at index: Int) -> Bool {
    index + phrase.count <= lower.count
      && lower[index..<(index + phrase.count)].elementsEqual(phrase)
  }

  /// The sentences and lines of `range`, without the space around them. A full stop ends a sentence
  /// before white space, but not after an abbreviation or the number of a list item.
  func sentences(in range: Range<Int>) -> [Range<Int>] {
    var sentences: [Range<Int>] = []
    var start = range.lowerBound
    func add(upTo end: Int) {
      var (first, last) = (start, end)
      while first < last, characters[first].isWhitespace { first += 1 }
      while last > first, characters[last - 1].isWhitespace { last -= 1 }
      if first < last { sentences.append(first..<last) }
      start = end
    }
    for index in range {
      switch codes[index] {
      case UInt8(ascii: "\n"): add(upTo: index)
      case UInt8(ascii: "."), UInt8(ascii: "!"), UInt8(ascii: "?"):
        guard index + 1 == range.upperBound || characters[index + 1].isWhitespace else { continue }
        if codes[index] == UInt8(ascii: "."), isAbbreviation(endingAt: index, from: start) {
          continue
        }
        add(upTo: index + 1)
      default: break
      }
    }
    add(upTo: range.upperBound)
    return sentences
  }

  private static let abbreviations: Set = [
    "e", "g", "eg", "ie", "approx", "rs", "vs", "mr", "mrs", "ms", "dr", "st", "eq", "fig",
  ]

  private func isAbbreviation(endingAt index: Int, from start: Int) -> Bool {
    var first = start
    while first < index, characters[first].isWhitespace { first += 1 }
    if index - first <= 2, index > first, characters[first..<index].allSatisfy(\.isNumber) {
      return index + 2 < characters.count && !characters[index + 1].isNewline
    }
    guard let word = word(before: index, after: start), word.start + word.text.count == index else {
      return false
    }
    if word.text == "e" || word.text == "g" { return character(word.start - 1) == "." }
    return Self.abbreviations.contains(word.text)
  }
}

/// What ASCII characters are told apart by.
enum ASCIICode {
  /// Stands for every character that is not ASCII; in none of the sets.
  static let other: UInt8 = 0x80

  static func of(_ character: Character) -> UInt8 { character.asciiValue ?? other }

  /// A set of ASCII characters.
  struct Characters {
    private let low: UInt64
    private let high: UInt64

    init(_ characters: String) {
      var (low, high): (UInt64, UInt64) = (0, 0)
      for code in characters.utf8 {
        if code < 64 { low |= 1 << UInt64(code) } else { high |= 1 << UInt64(code - 64) }
      }
      (self.low, self.high) = (low, high)
    }

    func contains(_ code: UInt8) -> Bool {
      guard code < ASCIICode.other else { return false }
      return (code < 64 ? low >> UInt64(code) : high >> UInt64(code - 64)) & 1 != 0
    }
  }

  /// In lower case.
  static let letters = Characters("abcdefghijklmnopqrstuvwxyz")
  static let parentheses = Characters("()")
  static let blanks = Characters(" \t")
  static let newlines = Characters("\n\u{B}\u{C}\r")
}

/// Rewrites the spellings of a text in one pass.
private struct Cleaner {
  private let source: [Character]
  private let codes: [UInt8]
  /// For each opening brace that is not escaped, its closing one.
  private var closing: [Int: Int] = [:]
  /// What to write in place of a closing brace.
  private var replacements: [Int: String] = [:]
  /// Opening braces whose content is the denominator of a fraction.
  private var denominators: Set<Int> = []
  private var output: [Character] = []
  private var position = 0

  init(_ source: [Character]) {
    self.source = source
    codes = source.map(ASCIICode.of)
    var open: [Int] = []
    var index = 0
    while index < source.count {
      switch codes[index] {
      case UInt8(ascii: "\\"): index += 1
      case UInt8(ascii: "{"): open.append(index)
      case UInt8(ascii: "}"): if let start = open.popLast() { closing[start] = index }
      default: break
      }
      index += 1
    }
  }

  mutating func cleaned() -> [Character] {
    output.reserveCapacity(source.count)
    while position < source.count {
      let current = source[position]
      let code = codes[position]
      if code != ASCIICode.other, !Self.markup.contains(code) {
        output.append(ASCIICode.newlines.contains(code) ? "\n" : current)
        position += 1
        continue
      }
      switch current {
      case "\\": command()
      case "{":
        if denominators.contains(position) { output.append("(") }
        position += 1
      case "}":
        output += replacements[position] ?? ""
        position += 1
      case "^" where next() == "{" && closing[position + 1] != nil:
        output += "^("
        replacements[closing[position + 1] ?? 0] = ")"
        position += 2
      case "*" where next() == "*":
        let isPower = output.last?.isNumber == true && character(at: position + 2).isNumber
        if isPower { output.append("^") }
        position += 2
      case "<":
        tag()
      case "`": position += 1
      case "_" where next() == "_": position += 2
      default:
        plain(current)
        position += 1
      }
    }
    return output
  }

  /// ASCII characters that are not copied as they are.
  private static let markup = ASCIICode.Characters("\\{}^*<`_")

  private func character(at index: Int) -> Character {
    source.indices.contains(index) ? source[index] : "\n"
  }

  private func next() -> Character { character(at: position + 1) }

  /// `<answer>` and `</answer>`; other tags stay.
  private mutating func tag() {
    for (tag, mark) in Self.tags where source[position...].starts(with: tag) {
      output.append(mark)
      position += tag.count
      return
    }
    output.append("<")
    position += 1
  }

  private static let tags = [
    (Array("<answer>"), AnswerText.Mark.boxStart), (Array("</answer>"), AnswerText.Mark.boxEnd),
    (Array("<ANSWER>"), AnswerText.Mark.boxStart), (Array("</ANSWER>"), AnswerText.Mark.boxEnd),
  ]

  private mutating func command() {
    position += 1
    guard position < source.count else { return }
    let first = source[position]
    guard first.isLetter else {
      position += 1
      switch first {
      case ",", "!", ";", ":", " ": if !isBetweenDigits { output.append(" ") }
      case "(", ")", "[", "]": output.append(" ")
      case "\\": output.append("\n")
      default: output.append(first)
      }
      return
    }
    var name = ""
    while position < source.count, source[position].isLetter, name.count < 24 {
      name.append(source[position])
      position += 1
    }
    switch name {
    case "boxed", "fbox":
      if let close = skipOpeningBrace() {
        output.append(AnswerText.Mark.boxStart)
        replacements[close] = String(AnswerText.Mark.boxEnd)
      }
    case "frac", "dfrac", "tfrac", "cfrac": fraction()
    case "sqrt":
      output.append("√")
      if let close = skipOpeningBrace() {
        output.append("(")
        replacements[close] = ")"
      }
    default:
      if let symbol = Self.symbols[name] {
        output += symbol
      } else if !Self.wrappers.contains(name) {
        output += " \(name) "
      }
    }
  }

  /// `\frac{a}{b}` and `\frac12`.
  private mutating func fraction() {
    while position < source.count, source[position] == " " { position += 1 }
    let end = String(AnswerText.Mark.fractionEnd)
    func denominator(at index: Int) -> Int? {
      var index = index
      while character(at: index) == " " { index += 1 }
      return closing[index].map { _ in index }
    }
    output.append(AnswerText.Mark.fractionStart)
    if let close = closing[position] {
      output.append("(")
      position += 1
      if let open = denominator(at: close + 1), let last = closing[open] {
        replacements[close] = ")/"
        denominators.insert(open)
        replacements[last] = ")" + end
      } else if character(at: close + 1).isNumber {
        replacements[close] = ")/"
      } else {
        replacements[close] = ")" + end
      }
    } else if character(at: position).isNumber {
      output += [source[position], "/"]
      position += 1
      if let last = closing[position] {
        denominators.insert(position)
        replacements[last] = ")" + end
      } else if character(at: position).isNumber {
        output += [source[position], AnswerText.Mark.fractionEnd]
        position += 1
      }
    }
  }

  /// Steps over an opening brace that is closed somewhere; where.
  private mutating func skipOpeningBrace() -> Int? {
    while position < source.count, source[position] == " " { position += 1 }
    guard let close = closing[position] else { return nil }
    position += 1
    return close
  }

  private var isBetweenDigits: Bool {
    output.last?.isNumber == true && character(at: position).isNumber
  }

  private static let wrappers: Set = [
    "text", "mbox", "mathrm", "textbf", "mathbf", "textit", "mathit", "operatorname", "textrm",
    "mathsf", "texttt", "emph", "bf", "rm", "displaystyle", "left", "right", "big", "Big", "bigg",
    "bigl", "bigr", "hbox", "underline", "mathbb", "boldsymbol", "bm",
  ]

  private static let symbols = [
    "times": "×", "cdot": "×", "ast": "×", "div": "/", "pm": "±", "pi": "π", "le": "≤", "leq": "≤",
    "ge": "≥", "geq": "≥", "infty": "∞", "circ": "°", "degree": "°", "approx": "≈", "quad": " ",
    "qquad": " ", "lt": "<", "gt": ">", "ne": "≠", "neq": "≠", "dollar": "$", "percent": "%",
    "therefore": "therefore ", "implies": " so ", "Rightarrow": " so ", "to": "→",
    "rightarrow": "→", "thinspace": " ", "dots": "…", "ldots": "…",
  ]

  private mutating func plain(_ character: Character) {
    if character.isASCII {
      output.append(character)
      return
    }
    guard let scalar = character.unicodeScalars.first else { return }
    switch character {
    case "−", "–", "‐", "‑": output.append("-")
    case "·", "⋅", "∙", "•": output.append("×")
    case "÷", "⁄": output.append("/")
    case "’", "‘": output.append("'")
    case "“", "”", "„", "«", "»", "「", "」": output.append("\"")
    case "。": output += [".", " "]
    case "、": output.append(",")
    case "\u{200B}", "\u{FEFF}", "\u{2060}": break
    default:
      if let digit = Self.superscripts[character] {
        output += ["^", digit]
      } else if scalar.properties.generalCategory == .decimalNumber,
        let digit = character.wholeNumberValue
      {
        output += String(digit)
      } else if (0xFF01...0xFF5E).contains(scalar.value),
        let ascii = Unicode.Scalar(scalar.value - 0xFEE0)
      {
        output.append(Character(ascii))
      } else if let fraction = Self.fractions[character] {
        output += "\(AnswerText.Mark.fractionStart)\(fraction)\(AnswerText.Mark.fractionEnd)"
      } else if character.isNewline {
        output.append("\n")
      } else {
        output.append(character.isWhitespace ? " " : character)
      }
    }
  }

  private static let superscripts: [Character: Character] = [
    "⁰": "0", "¹": "1", "²": "2", "³": "3", "⁴": "4", "⁵": "5", "⁶": "6", "⁷": "7", "⁸": "8",
    "⁹": "9",
  ]
  private static let fractions: [Character: String] = [
    "½": "1/2", "⅓": "1/3", "⅔": "2/3", "¼": "1/4", "¾": "3/4", "⅕": "1/5", "⅖": "2/5", "⅗": "3/5",
    "⅘": "4/5", "⅙": "1/6", "⅚": "5/6", "⅛": "1/8", "⅜": "3/8", "⅝": "5/8", "⅞": "7/8",
  ]
}
