/// What an answer says, whatever its spelling.
enum AnswerValue: Hashable, CustomStringConvertible {
  /// The letters or digits of options, sorted: mostly one, several where all of them are (or are
  /// said to be) right.
  case labels([String])
  /// One of two words that exclude each other: yes and no, true and false, valid and invalid.
  case truth(String)
  case number(AnswerNumber)
  /// Brackets in their order.
  case brackets(String)
  /// A time of day in minutes; `half` is nil without "am" or "pm" where it can be either.
  case time(minutes: Int, isComplete: Bool)
  case date(year: Int, month: Int, day: Int)
  /// An expression, tuple, interval or ratio: its numbers, words and signs in their order.
  case formula([String])
  /// Words, lower-case, without punctuation.
  case words([String])
  /// Something stated that is not of the gold answer's kind.
  case other(String)

  var description: String {
    switch self {
    case .labels(let labels): labels.map { "(\($0))" }.joined(separator: " ")
    case .truth(let text), .brackets(let text), .other(let text): text
    case .number(let number): number.description
    case .time(let minutes, _): "\(minutes / 60):\(minutes % 60 < 10 ? "0" : "")\(minutes % 60)"
    case .date(let year, let month, let day): "\(year)-\(month)-\(day)"
    case .formula(let tokens): tokens.joined()
    case .words(let words): words.joined(separator: " ")
    }
  }

  /// Whether this is the same answer as `gold`.
  func matches(_ gold: AnswerValue) -> Bool {
    switch (self, gold) {
    case (.number(let number), .number(let wanted)): number.matches(wanted)
    case (.time(let minutes, let isComplete), .time(let wanted, let isWantedComplete)):
      isComplete && isWantedComplete
        ? minutes == wanted : minutes % (12 * 60) == wanted % (12 * 60)
    default: self == gold
    }
  }

  /// The value of a gold answer, whose spelling tells its kind; nil for a blank one.
  init?(gold: String, options: [Question.Option]) {
    let text = AnswerText(gold)
    let all = text.indices
    let words = text.words(in: all).map(\.text)
    let trimmed = gold.trimmingSpace()
    guard !trimmed.isEmpty else { return nil }
    if let labels = Self.bareLabels(text, among: options) {
      self = .labels(labels)
    } else if let option = options.first(where: { AnswerText($0.text).plainWords == words }),
      !words.isEmpty
    {
      self = .labels([option.label.uppercased()])
    } else if words.count == 1, Self.opposites[words[0]] != nil {
      self = .truth(words[0])
    } else if trimmed.allSatisfy({ $0.isWhitespace || "()[]{}<>".contains($0) }) {
      self = .brackets(trimmed.filter { !$0.isWhitespace })
    } else if let moment = text.moment(in: all, isWhole: true) {
      self = moment.value
    } else if let number = text.wholeNumber {
      self = .number(number)
    } else if words.isEmpty
      || text.characters.contains(where: { $0.isNumber || "=+^√π∞".contains($0) })
        && text.characters.contains(where: {
          "=+-^√π∞(){}[]/:<>,\(AnswerText.Mark.fractionStart)".contains($0)
        })
    {
      let tokens = text.formula(in: all).map(\.text)
      self = tokens.isEmpty ? .words([trimmed.lowercased()]) : .formula(tokens)
    } else {
      self = .words(Self.withoutArticle(words))
    }
  }

  /// The pairs of `truth`.
  static let opposites = [
    "yes": "no", "no": "yes", "true": "false", "false": "true", "valid": "invalid",
    "invalid": "valid",
  ]

  static func withoutArticle(_ words: [String]) -> [String] {
    words.count > 1 && ["the", "a", "an"].contains(words[0]) ? Array(words.dropFirst()) : words
  }

  /// The labels that a gold answer is and nothing else: `B`, `(B)`, `B)`, `(2)`, `(A) (C)`, `AC`.
  private static func bareLabels(_ text: AnswerText, among options: [Question.Option]) -> [String]?
  {
    let parts = text.characters.split { $0.isWhitespace || $0 == "," }.filter {
      String($0).lowercased() != "and"
    }
    var labels: [String] = []
    for part in parts {
      let name = String(part.filter { !"()[].:*".contains($0) })
      let label = name.uppercased()
      if !options.isEmpty {
        guard options.contains(where: { $0.label.uppercased() == label }) else { return nil }
        labels.append(label)
      } else if label.count == 1, isLabel(Character(label)),
        part.first == "(" || part.first == "[" || name == label,
        part.first == "(" || part.first == "[" || !Character(label).isNumber
      {
        // A digit without parentheses or options is a number, a small letter a word.
        labels.append(label)
      } else if parts.count == 1, name.count > 1, name.allSatisfy({ ("A"..."F").contains($0) }),
        zip(name, name.dropFirst()).allSatisfy({ $0 < $1 })
      {
        labels = name.map { String($0) }
      } else {
        return nil
      }
    }
    return labels.isEmpty ? nil : Set(labels).sorted()
  }

  private static func isLabel(_ character: Character) -> Bool {
    ("A"..."Z").contains(character) || ("1"..."9").contains(character)
  }
}

extension AnswerText {
  /// Runs of letters and digits, with what joins them, in lower case.
  func words(in range: Range<Int>) -> [(text: String, range: Range<Int>)] {
    var words: [(text: String, range: Range<Int>)] = []
    var index = range.lowerBound
    while index < range.upperBound {
      var last = index
      while last < range.upperBound, isInPlainWord(last, range) { last += 1 }
      if last > index { words.append((String(lower[index..<last]), index..<last)) }
      index = max(last, index + 1)
    }
    return words
  }

  private func isInPlainWord(_ index: Int, _ range: Range<Int>) -> Bool {
    let character = characters[index]
    if character.isLetter || character.isNumber { return true }
    guard "-'&/.@_".contains(character), index > range.lowerBound, index + 1 < range.upperBound
    else {
      return character == "&"
    }
    let (before, after) = (characters[index - 1], characters[index + 1])
    let joins = (before.isLetter || before.isNumber) && (after.isLetter || after.isNumber)
    return joins && (character != "." || before.isNumber && after.isNumber)
  }

  var plainWords: [String] { words(in: indices).map(\.text) }

  /// The number that the text is as a whole, with at most three words for its unit.
  var wholeNumber: AnswerNumber? {
    let start = skippingFillers(from: 0, before: characters.count, Self.numberFillers).position
    for readsWords in [false, true] {
      guard let reading = number(at: start, before: characters.count, readsWords: readsWords),
        let number = reading.number
      else { continue }
      let rest = reading.end..<characters.count
      let hasMore = characters[rest].contains { "+-=,:([<>".contains($0) }
      let digits = rest.contains { characters[$0].isNumber && character($0 - 1) != "^" }
      let count = words(in: rest).count
      if !hasMore, !digits, count <= (readsWords ? 0 : 3) { return number }
    }
    return nil
  }

  /// The tokens of an expression: numbers, words and signs. Multiplication signs and parentheses
  /// around a single token are left out, as `\frac{\pi}{2}` and `π/2` are the same.
  func formula(in range: Range<Int>) -> [(text: String, range: Range<Int>)] {
    var tokens: [(text: String, range: Range<Int>)] = []
    func add(_ text: String, _ range: Range<Int>) {
      tokens.append((text, range))
      guard text == ")", tokens.count > 2, tokens[tokens.count - 3].text == "(" else { return }
      let inner = tokens[tokens.count - 2]
      let function = tokens.count > 3 ? tokens[tokens.count - 4].text : ""
      guard inner.text.first?.isLetter == true || inner.text.first?.isNumber == true,
        function.first?.isLetter != true
      else { return }
      tokens.removeLast(3)
      tokens.append((inner.text, inner.range.lowerBound..<range.upperBound))
    }
    var index = range.lowerBound
    while index < range.upperBound {
      let character = characters[index]
      let start = index
      if character.isNumber {
        var parser = NumberParser(
          text: self, position: index, end: range.upperBound, readsWords: false)
        var digits = ""
        while index < range.upperBound,
          characters[index].isNumber
            || characters[index] == "." && self.character(index + 1).isNumber
        {
          digits.append(characters[index])
          index += 1
        }
        if let value = parser.literal(), parser.position > index, parser.digits != nil {
          (digits, index) = (parser.digits ?? digits, parser.position)
          _ = value
        }
        if digits.contains(".") {
          while digits.last == "0" { digits.removeLast() }
          if digits.last == "." { digits.removeLast() }
        }
        add(digits, start..<index)
      } else if character.isLetter {
        while index < range.upperBound, characters[index].isLetter { index += 1 }
        add(String(lower[start..<index]), start..<index)
      } else {
        index += 1
        let isIgnored =
          character.isWhitespace || "$*×\"_?!~".contains(character)
          || [Mark.boxStart, Mark.boxEnd, Mark.fractionStart, Mark.fractionEnd].contains(character)
        let isStop = ".;".contains(character)
        if !isIgnored, !(isStop && index == range.upperBound) {
          add(String(character), start..<index)
        }
      }
    }
    return tokens
  }
}
