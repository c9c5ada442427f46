/// What an answer says, whatever its spelling: two answers with the same value are the same answer.
enum AnswerValue: Hashable, CustomStringConvertible {
  /// The letters or digits of options, sorted: mostly one, several where all of them are (or are
  /// said to be) right.
  case labels([String])
  /// One of two words that exclude each other: yes and no, true and false, valid and invalid.
  case truth(String)
  /// A number's digits, with a sign if negative, and no zeros or point that change nothing: `-3.5`,
  /// `1000`.
  case number(String)
  /// Brackets in their order.
  case brackets(String)
  /// Words, lower-case, without punctuation.
  case words([String])

  /// The pairs of `truth`.
  private static let opposites = [
    "yes": "no", "no": "yes", "true": "false", "false": "true", "valid": "invalid",
    "invalid": "valid",
  ]

  var description: String {
    switch self {
    case .labels(let labels): labels.map { "(\($0))" }.joined(separator: " ")
    case .truth(let text), .number(let text), .brackets(let text): text
    case .words(let words): words.joined(separator: " ")
    }
  }

  /// The value of a gold answer, whose spelling tells its kind.
  init(gold: String, options: [Question.Option]) {
    let text = gold.trimmingSpace()
    let words = Self.words(of: text)
    if let labels = Self.bareLabels(text, among: options) {
      self = .labels(labels)
    } else if let option = options.first(where: { Self.words(of: $0.text) == words }) {
      self = .labels([option.label.uppercased()])
    } else if words.count == 1, Self.opposites[words[0]] != nil {
      self = .truth(words[0])
    } else if !text.isEmpty, text.allSatisfy({ $0.isWhitespace || "()[]{}<>".contains($0) }) {
      self = .brackets(text.filter { !$0.isWhitespace })
    } else if case let numbers = Self.numbers(in: text), numbers.count == 1, words.count <= 2 {
      self = .number(numbers[0])
    } else {
      self = .words(words)
    }
  }

  /// The value of this one's kind that `text` states; nil where it states none.
  ///
  /// - Parameter afterCue: whether `text` is what follows a cue, so that the answer is at its
  ///   start; else it is a whole response, with its answer at the end.
  func sameKind(in text: String, afterCue: Bool, _ options: [Question.Option]) -> AnswerValue? {
    switch self {
    case .labels:
      if let labels = Self.labels(in: text, afterCue: afterCue, among: options) {
        return .labels(labels)
      }
      let line = Self.words(of: Self.sentence(text))
      return options.first { Self.words(of: $0.text) == line }.map {
        .labels([$0.label.uppercased()])
      }
    case .truth(let gold):
      let pair = [gold, Self.opposites[gold] ?? gold]
      let words = Self.words(of: text)
      let indices = words.indices.filter { pair.contains(words[$0]) }
      guard let index = afterCue ? indices.first : indices.last else { return nil }
      let negated = index > 0 && words[index - 1] == "not"
      return .truth(negated ? Self.opposites[words[index]] ?? words[index] : words[index])
    case .number:
      // "12 * 4 = 48": what a calculation comes to, not what it begins with.
      let line = afterCue ? String(text.prefix { $0 != "\n" }) : text
      let result =
        line.split(separator: "=", omittingEmptySubsequences: false).last.map(String.init) ?? line
      let numbers = Self.numbers(in: result)
      return (afterCue ? numbers.first : numbers.last).map { .number($0) }
    case .brackets:
      let line = afterCue ? String(text.prefix { $0 != "\n" }) : text
      let brackets = line.filter { "()[]{}<>".contains($0) }
      return brackets.isEmpty ? nil : .brackets(brackets)
    case .words:
      let words = Self.words(of: Self.sentence(text))
      return words.isEmpty ? nil : .words(words)
    }
  }

  /// The labels that `text` is and nothing else: `B`, `(B)`, `B)`, `(2)`, `(A) (C)`.
  private static func bareLabels(_ text: String, among options: [Question.Option]) -> [String]? {
    let parts = text.split { $0.isWhitespace || $0 == "," }
    let labels = parts.map { part in part.filter { !"().".contains($0) }.uppercased() }
    let areLabels = zip(parts, labels).allSatisfy { part, label in
      guard options.isEmpty else { return options.contains { $0.label.uppercased() == label } }
      // A digit without parentheses or options is a number, a small letter a word.
      return label.count == 1 && (part.first == "(" || ("A"..."Z").contains(part.prefix(1)))
        && letters.contains(label)
    }
    return areLabels && !labels.isEmpty ? Set(labels).sorted() : nil
  }

  /// What options go by where they are not known.
  private static let letters = Set("ABCDEFGHIJKLMNOPQRSTUVWXYZ123456789".map(String.init))

  /// The labels that `text` states: those in parentheses if there are any, else those that stand by
  /// themselves (but for "I", where options are not known); the first after a cue, the last in a
  /// whole response, together with those that "or", "and" or a comma joins to it (so that "(A) or
  /// (B)" is no way to be right).
  private static func labels(in text: String, afterCue: Bool, among options: [Question.Option])
    -> [String]?
  {
    let allowed = options.isEmpty ? letters : Set(options.map { $0.label.uppercased() })
    let characters = Array(text)
    var inParentheses: [(label: String, start: Int, end: Int)] = []
    var alone = inParentheses
    for (i, character) in characters.enumerated() where allowed.contains(character.uppercased()) {
      let before = i > 0 ? characters[i - 1] : " "
      let after = i + 1 < characters.count ? characters[i + 1] : " "
      if before == "(", after == ")" {
        inParentheses.append((character.uppercased(), i - 1, i + 2))
      } else if !character.isLowercase, character != "I" || !options.isEmpty, !isInWord(before),
        !isInWord(after)
      {
        alone.append((character.uppercased(), i, i + 1))
      }
    }
    var found = (inParentheses.isEmpty ? alone : inParentheses)[...]
    guard var last = afterCue ? found.popFirst() : found.popLast() else { return nil }
    var labels: Set = [last.label]
    while let next = afterCue ? found.popFirst() : found.popLast() {
      let gap = afterCue ? characters[last.end..<next.start] : characters[next.end..<last.start]
      guard
        ["or", "and", ",", "/", "&", ", or", ", and", ""].contains(
          String(gap).trimmingSpace().lowercased())
      else {
        break
      }
      labels.insert(next.label)
      last = next
    }
    return labels.sorted()
  }

  private static func isInWord(_ character: Character) -> Bool {
    character.isLetter || character.isNumber || character == "'" || character == "’"
  }

  /// The numbers written in `text`, in canonical digits: signs, commas between digits, decimals;
  /// currencies, units and percent signs about them are left out.
  static func numbers(in text: String) -> [String] {
    let characters = Array(text)
    func isDigit(_ i: Int) -> Bool {
      characters.indices.contains(i) && ("0"..."9").contains(characters[i])
    }
    var numbers: [String] = []
    var i = 0
    while i < characters.count {
      guard isDigit(i) || characters[i] == "." && isDigit(i + 1) && !isDigit(i - 1) else {
        i += 1
        continue
      }
      var before = i - 1
      while characters.indices.contains(before), "$€£¥ ".contains(characters[before]) {
        before -= 1
      }
      // A minus that follows a digit, a letter or a closing bracket is a subtraction or a hyphen.
      let operand =
        before > 0
        && (characters[before - 1].isLetter || characters[before - 1].isNumber
          || characters[before - 1] == ")")
      let negative = before >= 0 && "-−–".contains(characters[before]) && !operand
      var (whole, fraction) = ("", "")
      while isDigit(i) || characters.indices.contains(i) && characters[i] == "," && isDigit(i + 1) {
        if isDigit(i) { whole.append(characters[i]) }
        i += 1
      }
      if characters.indices.contains(i), characters[i] == ".", isDigit(i + 1) {
        i += 1
        while isDigit(i) {
          fraction.append(characters[i])
          i += 1
        }
      }
      whole = String(whole.drop { $0 == "0" })
      while fraction.last == "0" { fraction.removeLast() }
      let digits = (whole.isEmpty ? "0" : whole) + (fraction.isEmpty ? "" : ".\(fraction)")
      numbers.append(negative && digits != "0" ? "-\(digits)" : digits)
    }
    return numbers
  }

  /// Runs of letters and digits (with what joins them: `-`, `'`, `&`), lower-case, without the
  /// asterisks of bold letters about them.
  private static func words(of text: String) -> [String] {
    text.lowercased().split { !($0.isLetter || $0.isNumber || "-'’&+*/=^√".contains($0)) }.map {
      word in
      let rest = word.drop { $0 == "*" }
      return rest.lastIndex { $0 != "*" }.map { String(rest[...$0]) } ?? String(word)
    }
  }

  /// The first line of `text`, to where a sentence ends in it.
  private static func sentence(_ text: String) -> String {
    let line = text.trimmingSpace().prefix { $0 != "\n" }
    return String(line.firstRange(of: ". ").map { line[..<$0.lowerBound] } ?? line)
  }
}
