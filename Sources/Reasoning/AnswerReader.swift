/// Reads values of the gold answer's kind from places in a text.
struct AnswerReader {
  let text: AnswerText
  let gold: AnswerValue
  let options: [Question.Option]

  typealias Finding = StatedAnswer.Finding

  /// The value after a cue or in a box: in its first sentence, else in the next line, else the last
  /// one up to the next cue.
  func value(after candidate: StatedAnswer.Candidate) -> Finding {
    guard !candidate.isMarked else {
      return direct(in: candidate.range, isMarked: true)
    }
    let sentences = text.sentences(in: candidate.range)
    for (number, sentence) in sentences.prefix(2).enumerated() {
      let isNewLine = text.characters[candidate.range.lowerBound..<sentence.lowerBound]
        .contains { $0.isNewline }
      // The second is the answer where the first only leads to it: "as follows:".
      if number == 1, text.characters[sentences[0].upperBound - 1] != ":", isNewLine == false {
        break
      }
      // "20? No, it is 19" takes back what it asks.
      if number == 0, text.characters[sentence.upperBound - 1] == "?",
        let value = lastValue(in: sentence.upperBound..<candidate.range.upperBound)
      {
        return .value(value, isDirect: false)
      }
      let range = isNewLine ? skippingBullet(sentence) : sentence
      let finding = direct(
        in: extended(range, before: candidate.range.upperBound), isMarked: false)
      switch finding {
      case .none: continue
      default: return finding
      }
    }
    guard let first = sentences.first, first.upperBound < candidate.range.upperBound,
      let value = lastValue(in: first.upperBound..<candidate.range.upperBound)
    else { return .none }
    return .value(value, isDirect: false)
  }

  private func skippingBullet(_ range: Range<Int>) -> Range<Int> {
    let start = range.lowerBound
    guard range.count > 2, "-*×>".contains(text.characters[start]),
      text.characters[start + 1] == " "
    else { return range }
    return (start + 2)..<range.upperBound
  }

  /// Lists of words go on over several lines.
  private func extended(_ range: Range<Int>, before end: Int) -> Range<Int> {
    guard case .words(let words) = gold, words.count > 1 else { return range }
    let found = text.words(in: range).count
    guard found < words.count else { return range }
    return range.lowerBound..<end
  }

  private func direct(in range: Range<Int>, isMarked: Bool) -> Finding {
    if let moment = text.moment(in: range, isWhole: false) {
      switch gold {
      case .time, .date: return .value(moment.value, isDirect: true)
      default: break
      }
    }
    switch gold {
    case .labels(let labels): return label(in: range, like: labels)
    case .truth(let word): return truth(in: range, like: word)
    case .number: return number(in: range)
    case .time, .date:
      let start = text.skippingFillers(
        from: range.lowerBound, before: range.upperBound, AnswerText.fillers)
      if let moment = text.moment(in: start.position..<range.upperBound, isWhole: false),
        !start.isNegated
      {
        return .value(moment.value, isDirect: true)
      }
      return .value(.other(text.string(range)), isDirect: false)
    case .formula(let tokens): return formula(in: range, like: tokens)
    case .words(let words): return self.words(in: range, like: words)
    case .brackets, .other: return .none
    }
  }

  /// The value that a text without a cue comes to.
  func lastValue(in range: Range<Int>) -> AnswerValue? {
    switch gold {
    case .labels(let labels): return lastLabel(in: range, like: labels)
    case .truth(let word): return lastTruth(in: range, like: word)
    case .number:
      for sentence in text.sentences(in: range).reversed() {
        if text.hasPhrase(Array("confidence"), at: sentence.lowerBound) { continue }
        if let value = sentenceNumber(in: sentence) { return value }
      }
      return nil
    case .time, .date:
      for sentence in text.sentences(in: range).reversed() {
        var last: AnswerValue?
        var index = sentence.lowerBound
        while index < sentence.upperBound {
          let startsWord = index == sentence.lowerBound || !isInWord(text.characters[index - 1])
          if startsWord, isInWord(text.characters[index]),
            let moment = text.moment(in: index..<sentence.upperBound, isWhole: false)
          {
            last = moment.value
            index = moment.end
          } else {
            index += 1
          }
        }
        if let last { return last }
      }
      return nil
    case .formula(let tokens):
      let sentences = text.sentences(in: range)
      guard let last = sentences.last else { return nil }
      return formula(in: last, like: tokens).value
    case .words(let words):
      let sentences = text.sentences(in: range)
      guard let first = sentences.first, let last = sentences.last else { return nil }
      let whole = self.words(in: extended(first, before: range.upperBound), like: words).value
      if whole?.matches(gold) == true { return whole }
      let end = self.words(in: last, like: words).value
      return end?.matches(gold) == true ? end : whole
    case .brackets, .other: return nil
    }
  }

  private func isInWord(_ character: Character) -> Bool { character.isLetter || character.isNumber }
}

// MARK: - Numbers

extension AnswerReader {
  private func number(in range: Range<Int>) -> Finding {
    let end = range.upperBound
    var start = text.skippingFillers(from: range.lowerBound, before: end, AnswerText.numberFillers)
    if start.isNegated {
      guard let position = text.afterBut(from: start.position, before: end) else {
        return .declined
      }
      start = text.skippingFillers(from: position, before: end, AnswerText.numberFillers)
    }
    var position = start.position
    // "B) 12", "(B) 12".
    if let label = text.label(at: position, before: end),
      label.isEnclosed || ").:".contains(text.character(label.end)),
      text.characters[position].isLetter || text.character(position + 1).isLetter
    {
      var next = label.end
      while next < end, "). :".contains(text.characters[next]) { next += 1 }
      position = text.skippingFillers(from: next, before: end, AnswerText.numberFillers).position
    }
    guard position < end else { return .none }
    if text.characters[position] == "-" || text.canStartNumber(at: position, before: end)
      || text.characters[position].isLetter
    {
      if let reading = text.number(at: position, before: end, readsWords: true) {
        return .value(value(of: result(of: reading, before: end), from: position), isDirect: true)
      }
    }
    if "([<>≥≤±".contains(text.characters[position]), text.character(position + 1) != "\n" {
      // A tuple, an interval or an inequality.
      let isStructure = text.characters[position...].prefix(3).contains { $0.isNumber }
      if isStructure { return .value(.other(text.string(position..<end)), isDirect: true) }
    }
    // "x + 3": an expression that is not a number.
    if text.characters[position].isLetter, !text.character(position + 1).isLetter {
      let next = text.skippingSpace(from: position + 1, before: end)
      if "^+*/<>≤≥".contains(text.character(next)) {
        return .value(.other(text.string(position..<end)), isDirect: true)
      }
    }
    guard let value = sentenceNumber(in: position..<end) else { return .none }
    return .value(value, isDirect: false)
  }

  private func value(of reading: NumberReading, from start: Int) -> AnswerValue {
    if let number = reading.number { return .number(number) }
    return .other(text.string(start..<max(start, reading.end)))
  }

  /// What a calculation comes to: `12 * 4 = 48` and the equations that go on from it. A number that
  /// is stated before its calculation stays.
  private func result(of first: NumberReading, before end: Int) -> NumberReading {
    var reading = first
    var isCalculation = !first.isLiteral
    while true {
      if let next = text.afterEquals(from: reading.end, before: end),
        let right = text.number(at: next, before: end, readsWords: false),
        isCalculation || right.isLiteral
      {
        if right.number == nil { return reading }
        reading = right
        isCalculation = true
        continue
      }
      guard isCalculation, !first.isLiteral else { return reading }
      // "12 * 4 = 48 and 48 - 1 = 47".
      var next = text.skippingWords(from: reading.end, before: end, most: 2)
      while next < end, ",; ".contains(text.characters[next]) { next += 1 }
      while let word = text.word(at: next, before: end), ["and", "so", "then"].contains(word.text) {
        next = text.skippingSpace(from: word.end, before: end)
      }
      guard next > reading.end,
        let following = text.number(at: next, before: end, readsWords: false),
        !following.isLiteral, text.afterEquals(from: following.end, before: end) != nil
      else { return reading }
      reading = following
    }
  }

  /// The number that a sentence is about: the last one of its main clause that does not belong to an
  /// adjunct ("after 3 days", "to last 30 days").
  private func sentenceNumber(in range: Range<Int>) -> AnswerValue? {
    var items: [(start: Int, reading: NumberReading)] = []
    var clauseEnd: Int?
    var index = range.lowerBound
    while index < range.upperBound {
      let code = text.codes[index]
      guard code == ASCIICode.other || Self.sentenceStarts.contains(code) else {
        index += 1
        continue
      }
      if code == UInt8(ascii: "s") || code == UInt8(ascii: "b"), !items.isEmpty,
        clauseEnd == nil, !isInWord(text.character(index - 1)),
        let word = text.word(at: index, before: range.upperBound),
        word.text == "since" || word.text == "because"
      {
        clauseEnd = items.count
      }
      if text.canStartNumber(at: index, before: range.upperBound),
        let reading = text.number(at: index, before: range.upperBound, readsWords: false)
      {
        let result = result(of: reading, before: range.upperBound)
        items.append((index, result))
        index = max(result.end, index + 1)
      } else {
        index += 1
      }
    }
    if let clauseEnd { items = Array(items.prefix(clauseEnd)) }
    let numbers = items.filter {
      $0.reading.number != nil && !text.isNegated($0.start, after: range.lowerBound)
    }
    if let item = numbers.last(where: { !text.isAdjunct($0.start, after: range.lowerBound) })
      ?? numbers.last
    {
      return value(of: item.reading, from: item.start)
    }
    if let item = items.last, !text.isNegated(item.start, after: range.lowerBound) {
      return value(of: item.reading, from: item.start)
    }
    guard items.isEmpty else { return nil }
    return wordNumber(in: range)
  }

  /// What numbers, "since" and "because" start with, of ASCII.
  private static let sentenceStarts = ASCIICode.Characters("0123456789.-+(sb")

  /// The last number in words, where a sentence has none in digits: "She has seven."
  private func wordNumber(in range: Range<Int>) -> AnswerValue? {
    var last: AnswerValue?
    var index = range.lowerBound
    while index < range.upperBound {
      let code = text.codes[index]
      guard code == ASCIICode.other || ASCIICode.letters.contains(code),
        text.characters[index].isLetter, !isInWord(text.character(index - 1))
      else {
        index += 1
        continue
      }
      if let reading = text.number(at: index, before: range.upperBound, readsWords: true),
        let number = reading.number
      {
        let isNegated = text.isNegated(index, after: range.lowerBound)
        let isPronoun = reading.isLiteral && number.values == [1]
        if !isNegated, !isPronoun, !(text.isAdjunct(index, after: range.lowerBound) && last != nil)
        {
          last = .number(number)
        }
        index = max(reading.end, index + 1)
      } else {
        index = text.word(at: index, before: range.upperBound)?.end ?? index + 1
      }
    }
    return last
  }
}

extension AnswerText {
  /// Words that may stand between a cue and its answer.
  static let fillers: Set = [
    "that", "approximately", "about", "around", "roughly", "exactly", "only", "just", "simply",
    "therefore", "thus", "then", "so", "equal", "equals", "to", "is", "be", "indeed", "actually",
    "probably", "likely", "option", "choice", "letter", "clearly", "definitely", "still", "now",
    "hence", "obviously", "most", "either", "both", "given", "by", "as", "follows", "nearly",
    "almost", "it", "it's", "answer", "final", "text", "option:", "been", "found",
  ]
  static let numberFillers = fillers.union([
    "a", "an", "the", "total", "of", "usd", "us", "rs", "eur", "inr", "gbp", "he", "she", "they",
    "there", "are",
    "pays", "has", "have", "gets", "makes", "earns", "sum", "all", "value", "result", "x",
  ]).subtracting(["by"])

  /// Steps over spaces, markup and fillers.
  func skippingFillers(from start: Int, before end: Int, _ fillers: Set<String>)
    -> (position: Int, isNegated: Bool)
  {
    var position = start
    var isNegated = false
    while position < end {
      let character = characters[position]
      if character.isWhitespace || "*_\"'`:=~≈#|$€£¥₹,".contains(character)
        || character == Mark.boxStart
        || character == "→"
      {
        if "$€£¥₹".contains(character), "-0123456789.".contains(self.character(position + 1)) {
          break
        }
        position += 1
        continue
      }
      guard let word = word(at: position, before: end) else { break }
      let next = skippingSpace(from: word.end, before: end)
      if word.text == "not" || word.text.hasSuffix("n't") || word.text == "cannot"
        || word.text == "neither"
      {
        isNegated = true
        position = word.end
      } else if word.text.count == 1, self.character(next) == "=", self.character(next + 1) != "=" {
        position = next + 1
      } else if isQuantity(word.text, at: position) {
        break
      } else if fillers.contains(word.text), word.text != "x" {
        position = word.end
        if self.character(position) == ".", word.text == "rs" { position += 1 }
      } else {
        break
      }
    }
    return (position, isNegated)
  }

  /// "a hundred" begins a number although "a" is a filler.
  private func isQuantity(_ word: String, at position: Int) -> Bool {
    guard word == "a" || word == "an",
      let reading = number(at: position, before: characters.count, readsWords: true)
    else { return false }
    return reading.number != nil
  }

  /// What follows "but" or "rather" in a sentence that begins with a negation.
  func afterBut(from start: Int, before end: Int) -> Int? {
    var index = start
    while index < end {
      if let word = word(at: index, before: end) {
        if ["but", "rather", "instead"].contains(word.text) { return word.end }
        index = word.end
      } else {
        index += 1
      }
    }
    return nil
  }

  func skippingWords(from start: Int, before end: Int, most: Int) -> Int {
    var position = start
    for _ in 0..<most {
      let next = skippingSpace(from: position, before: end)
      guard let word = word(at: next, before: end) else { break }
      position = word.end
    }
    return position
  }

  /// What follows an equals sign after a number and its unit; nil where there is none.
  func afterEquals(from start: Int, before end: Int) -> Int? {
    var position = start
    for count in 0..<5 {
      while position < end, " \t$€£*_\(Mark.boxEnd))".contains(characters[position]) {
        position += 1
      }
      if position < end, characters[position] == "=" || characters[position] == "≈" {
        return skippingEqualsFillers(from: position + 1, before: end)
      }
      guard position < end, let word = word(at: position, before: end) else { return nil }
      if ["equals", "gives", "makes"].contains(word.text) {
        return skippingEqualsFillers(from: word.end, before: end)
      }
      if count == 4
        || ["and", "or", "so", "then", "since", "because", "not", "that"].contains(word.text)
      {
        return nil
      }
      position = word.end
    }
    return nil
  }

  private func skippingEqualsFillers(from start: Int, before end: Int) -> Int {
    var position = start
    while position < end, " \t*_\"".contains(characters[position]) { position += 1 }
    if "$€£¥".contains(character(position)) { position += 1 }
    return skippingSpace(from: position, before: end)
  }

  /// Whether "not" stands before `index`, with at most one word between.
  func isNegated(_ index: Int, after start: Int) -> Bool {
    var index = index
    for _ in 0..<2 {
      guard let word = word(before: index, after: start) else { return false }
      if word.text == "not" || word.text.hasSuffix("n't") || word.text == "never"
        || word.text == "cannot"
      {
        return true
      }
      index = word.start
    }
    return false
  }

  /// Whether the number at `index` belongs to an adjunct rather than to the statement.
  func isAdjunct(_ index: Int, after start: Int) -> Bool {
    guard let word = word(before: index, after: start) else { return false }
    if "$€£¥".contains(character(index - 1)) { return false }
    if word.text == "to" {
      guard let verb = self.word(before: word.start, after: start) else { return true }
      return !Self.verbsOfResult.contains(verb.text)
    }
    if Self.prepositions.contains(word.text) { return true }
    // "to last 30 days".
    return self.word(before: word.start, after: start)?.text == "to"
      && !["be", "get", "equal", "make", "have", "pay", "earn", "spend", "total"].contains(
        word.text)
  }

  private static let prepositions: Set = [
    "after", "in", "for", "per", "from", "of", "with", "by", "at", "every", "within", "during",
    "over",
    "than", "before", "under", "on", "into", "until", "between", "among", "each", "across", "next",
    "last", "first", "past", "step", "question", "day", "week", "page", "line",
  ]
  private static let verbsOfResult: Set = [
    "comes", "come", "came", "up", "amounts", "amount", "equal", "equals", "rises", "rose",
    "increases",
    "increased", "grows", "grew", "down", "back", "reduced", "drops", "dropped", "leads", "sums",
    "adds", "goes", "went", "gets", "got", "simplifies", "reduces", "out", "rounds", "rounded",
    "corresponds", "evaluates", "according",
  ]
}

// MARK: - Expressions and words

extension AnswerReader {
  private func formula(in range: Range<Int>, like gold: [String]) -> Finding {
    let tokens = text.formula(in: range)
    let gold = Self.withoutUnknown(gold)
    var starts = [0]
    // After fillers, and after each "=", ":" or "is".
    let filled = text.skippingFillers(
      from: range.lowerBound, before: range.upperBound, AnswerText.fillers)
    if let first = tokens.firstIndex(where: { $0.range.lowerBound >= filled.position }) {
      starts.append(first)
    }
    for (index, token) in tokens.enumerated()
    where ["=", ":", "is", "∈", "are"].contains(token.text) {
      starts.append(index + 1)
    }
    if !filled.isNegated {
      for start in starts where start + gold.count <= tokens.count {
        guard tokens[start..<(start + gold.count)].map(\.text) == gold else { continue }
        let end = start + gold.count
        if end == tokens.count || endsFormula(tokens[end].text, at: tokens[end].range.lowerBound) {
          return .value(self.gold, isDirect: true)
        }
      }
    }
    guard !tokens.isEmpty else { return .none }
    return .value(.other(text.string(range)), isDirect: true)
  }

  private static func withoutUnknown(_ tokens: [String]) -> [String] {
    tokens.count > 2 && tokens[0].count == 1 && tokens[1] == "="
      ? Array(tokens.dropFirst(2)) : tokens
  }

  /// Whether `token` after an expression does not continue it.
  private func endsFormula(_ token: String, at index: Int) -> Bool {
    if token.count > 1, token.first?.isLetter == true { return true }
    if token == "." || token == ";" || token == ")" || token == "]" { return true }
    return token == "," && text.character(index + 1) == " "
      && text.character(index + 2).isLetter
  }

  private func words(in range: Range<Int>, like gold: [String]) -> Finding {
    var found = text.words(in: withoutListMarkers(range))
    found = found.filter { !isListMarker($0) }
    let start = text.skippingFillers(
      from: range.lowerBound, before: range.upperBound, AnswerText.fillers)
    var words = found.map(\.text)
    guard !words.isEmpty else { return .none }
    func isGold(_ words: ArraySlice<String>) -> Bool {
      let words = AnswerValue.withoutArticle(Array(words))
      return words == gold || !gold.contains("and") && words.filter { $0 != "and" } == gold
    }
    var whole = words[...]
    let skipped = found.prefix { $0.range.lowerBound < start.position }.count
    if isGold(whole) { return .value(self.gold, isDirect: true) }
    whole = words[skipped...]
    if !start.isNegated {
      if isGold(whole) { return .value(self.gold, isDirect: true) }
      // "Alice has the red ball": what follows the answer explains it.
      for count in [gold.count, gold.count + 1, gold.count + 2] where count < whole.count {
        let end = found[skipped + count - 1].range.upperBound
        if isGold(whole.prefix(count)), isExplanation(after: end, next: whole[skipped + count]) {
          return .value(self.gold, isDirect: true)
        }
      }
      // "The person is Alice".
      if let verb = words.lastIndex(where: { ["is", "are", "was"].contains($0) }),
        verb + 1 < words.count, isGold(words[(verb + 1)...])
      {
        return .value(self.gold, isDirect: true)
      }
    }
    if start.isNegated { return .declined }
    words = Array(whole.isEmpty ? words[...] : whole)
    return .value(.words(words), isDirect: true)
  }

  private func withoutListMarkers(_ range: Range<Int>) -> Range<Int> { range }

  /// The number of a list item: "1." at the start of a line.
  private func isListMarker(_ word: (text: String, range: Range<Int>)) -> Bool {
    guard word.text.count <= 2, word.text.allSatisfy(\.isNumber),
      ".)".contains(text.character(word.range.upperBound))
    else { return false }
    let next = text.character(word.range.upperBound + 1)
    var before = word.range.lowerBound
    while before > 0, text.characters[before - 1] == " " { before -= 1 }
    return next == " " && (before == 0 || ":\n".contains(text.characters[before - 1]))
  }

  private func isExplanation(after index: Int, next word: String) -> Bool {
    let position = text.skippingSpace(from: index, before: text.characters.count)
    if ".;:(!-\"\n".contains(text.character(position)) { return true }
    return Self.explanations.contains(word)
  }

  private static let explanations: Set = [
    "is", "was", "has", "had", "because", "since", "as", "who", "which", "that", "with", "for",
    "so",
    "therefore", "will", "would", "can", "gets", "holds", "does", "did", "are", "were", "have",
    "by",
    "in", "at", "on", "from", "due", "based", "ends", "wins",
  ]
}
