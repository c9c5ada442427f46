/// Labels of options and truth values: answers chosen among a few.
extension AnswerText {
  /// A label such as `B`, `(B)`, `[b]`, `(2)`.
  struct Label {
    /// In upper case.
    var name: String
    var start: Int
    var end: Int
    /// Whether it stands in brackets.
    var isEnclosed: Bool
    /// Whether it is a small letter without brackets.
    var isSmall: Bool
  }

  /// The label at `index`; nil where none is, or where a word begins.
  func label(at index: Int, before end: Int) -> Label? {
    guard index < end else { return nil }
    let character = characters[index]
    let isOpening = character == "(" || character == "["
    var start = isOpening ? index + 1 : index
    if isOpening {
      while start < end, " *_\"'".contains(characters[start]) { start += 1 }
      if let word = word(at: start, before: end),
        ["option", "choice", "answer"].contains(word.text)
      {
        start = skippingSpace(from: word.end, before: end)
      }
    }
    var last = start
    while last < end, isLabelCharacter(last), last - start < 4 { last += 1 }
    guard last > start, last - start < 4 else { return nil }
    let name = String(characters[start..<last])
    if isOpening {
      var close = last
      while close < end, " *_\"'".contains(characters[close]) { close += 1 }
      guard self.character(close) == ")" || self.character(close) == "]" else { return nil }
      return Label(
        name: name.uppercased(), start: index, end: close + 1, isEnclosed: true, isSmall: false)
    }
    let before = index > 0 ? characters[index - 1] : " "
    guard !(before.isLetter && before.isASCII), !before.isNumber, before != "-", before != "'"
    else { return nil }
    let next = self.character(last)
    if next == "'" || next == "-" && self.character(last + 1).isLetter || next == "_" { return nil }
    if "^=+/".contains(next), self.character(last + 1).isNumber { return nil }
    return Label(
      name: name.uppercased(), start: index, end: last, isEnclosed: false,
      isSmall: characters[start].isLowercase)
  }
}

extension AnswerText {
  private func isLabelCharacter(_ index: Int) -> Bool {
    characters[index] < "\u{2E80}" && (characters[index].isLetter || characters[index].isNumber)
  }
}

extension AnswerReader {
  /// Whether a name is a label of the question, or one of the gold label's kind.
  private func isAllowed(_ name: String, like gold: [String]) -> Bool {
    guard options.isEmpty else { return options.contains { $0.label.uppercased() == name } }
    guard name.count == 1, let character = name.first else { return false }
    let isDigit = gold.first?.first?.isNumber == true
    return isDigit ? ("1"..."9").contains(character) : ("A"..."Z").contains(character)
  }

  /// Labels that are stated together: "(A) or (B)".
  private struct Group {
    var names: [String]
    var start: Int
    var end: Int
    var isEnclosed: Bool
  }

  /// The group of labels that starts at `index`.
  private func group(at index: Int, before end: Int, like gold: [String], isDirect: Bool) -> Group?
  {
    guard let first = text.label(at: index, before: end) else { return nil }
    if isDirect, gold.count > 1, !first.isEnclosed, !first.isSmall, first.name.count > 1,
      first.name.allSatisfy({ isAllowed(String($0), like: gold) }),
      text.characters[first.start..<first.end].allSatisfy(\.isUppercase)
    {
      return Group(
        names: first.name.map { String($0) }, start: index, end: first.end, isEnclosed: false)
    }
    guard isAllowed(first.name, like: gold) else { return nil }
    if !first.isEnclosed, !canStandAlone(first, before: end, isDirect: isDirect) { return nil }
    var group = Group(
      names: [first.name], start: index, end: first.end, isEnclosed: first.isEnclosed)
    while true {
      var next = group.end
      var joiner = ""
      while next < end, " *_\"\t".contains(text.characters[next]) { next += 1 }
      if next < end, ",/&+".contains(text.characters[next]) {
        joiner = String(text.characters[next])
        next = text.skippingSpace(from: next + 1, before: end)
      }
      if let word = text.word(at: next, before: end), ["and", "or"].contains(word.text) {
        joiner = word.text
        next = text.skippingSpace(from: word.end, before: end)
        if let option = text.word(at: next, before: end), option.text == "option" {
          next = text.skippingSpace(from: option.end, before: end)
        }
      }
      guard let label = text.label(at: next, before: end), isAllowed(label.name, like: gold),
        !label.isSmall
      else {
        break
      }
      if joiner.isEmpty, !(label.isEnclosed && group.isEnclosed) { break }
      if label.isEnclosed != group.isEnclosed, joiner != "or" { break }
      // "(C), and (A) is its opposite" states one and speaks of another.
      let following = text.skippingSpace(from: label.end, before: end)
      if let verb = text.word(at: following, before: end), Self.singularVerbs.contains(verb.text) {
        break
      }
      if !label.isEnclosed, joiner == ",",
        isFollowedByWord(label.end, before: end, except: ["and", "or", "are"])
      {
        // "B, A dog is an animal": an article.
        break
      }
      if !label.isEnclosed, label.name == "I", options.isEmpty { break }
      group.names.append(label.name)
      group.end = label.end
    }
    return group
  }

  /// Whether a letter without brackets is a label and not a word or a part of the text.
  private func canStandAlone(_ label: AnswerText.Label, before end: Int, isDirect: Bool) -> Bool {
    let next = text.character(label.end)
    if label.isSmall {
      guard isDirect,
        label.end == end || ").:,*\n\(AnswerText.Mark.boxEnd)".contains(next)
          || next == " " && !isFollowedByWord(label.end, before: end, except: [])
      else {
        return false
      }
      return true
    }
    if label.name == "I", options.isEmpty || isFollowedByWord(label.end, before: end, except: []) {
      return isDirect
        && !isFollowedByWord(label.end, before: end, except: ["is", "because", "since"])
    }
    if label.name == "A", !isDirect || isAtLineStart(label.start) {
      return !isFollowedByWord(label.end, before: end, except: Self.verbs)
    }
    return true
  }

  private func isAtLineStart(_ index: Int) -> Bool {
    var index = index
    while index > 0, " *_\t".contains(text.characters[index - 1]) { index -= 1 }
    return index == 0 || text.characters[index - 1].isNewline
  }

  private func isFollowedByWord(_ index: Int, before end: Int, except words: Set<String>) -> Bool {
    guard text.character(index) == " " else { return false }
    let next = text.skippingSpace(from: index, before: end)
    guard next < end, text.characters[next].isLowercase, let word = text.word(at: next, before: end)
    else {
      return false
    }
    return !words.contains(word.text)
  }

  private static let verbs: Set = [
    "is", "was", "are", "and", "or", "because", "since", "as", "can", "cannot", "can't", "isn't",
    "contradicts", "fails", "violates", "would", "could", "has", "does", "doesn't", "says", "by",
  ]

  private static let singularVerbs: Set = verbs.union(["fails"]).subtracting([
    "are", "and", "or", "because", "since", "as", "by",
  ])

  func label(in range: Range<Int>, like gold: [String]) -> Finding {
    let end = range.upperBound
    var start = text.skippingFillers(from: range.lowerBound, before: end, AnswerText.fillers)
    if start.isNegated {
      guard let position = text.afterBut(from: start.position, before: end) else {
        return .declined
      }
      start = text.skippingFillers(from: position, before: end, AnswerText.fillers)
    }
    if let group = group(at: start.position, before: end, like: gold, isDirect: true) {
      return .value(.labels(Set(group.names).sorted()), isDirect: true)
    }
    if let option = option(in: start.position..<end) { return .value(option, isDirect: true) }
    // "a mammal: C", "vitamin C, so (D)".
    let groups = groups(in: start.position..<end, like: gold)
    if let group = groups.first(where: { $0.isEnclosed && isStated($0, after: range.lowerBound) })
      ?? groups.first(where: { isStated($0, after: range.lowerBound) })
    {
      return .value(.labels(Set(group.names).sorted()), isDirect: false)
    }
    return .none
  }

  private func groups(in range: Range<Int>, like gold: [String]) -> [Group] {
    var groups: [Group] = []
    var index = range.lowerBound
    while index < range.upperBound {
      let character = text.characters[index]
      if character == "(" || character == "[" || character.isLetter || character.isNumber,
        let group = group(at: index, before: range.upperBound, like: gold, isDirect: false)
      {
        groups.append(group)
        index = max(group.end, index + 1)
      } else if character.isLetter, character.isASCII {
        while index < range.upperBound, text.characters[index].isLetter { index += 1 }
      } else {
        index += 1
      }
    }
    return groups
  }

  /// Whether a group is stated rather than denied or part of a name ("vitamin C", "equation (2)").
  private func isStated(_ group: Group, after start: Int) -> Bool {
    if text.isNegated(group.start, after: start) || isDenied(group) { return false }
    guard let word = text.word(before: group.start, after: start) else { return true }
    if group.isEnclosed { return !Self.references.contains(word.text) }
    // No name: a full stop, comma or colon is between.
    let gap = text.characters[(word.start + word.text.count)..<group.start]
    if gap.contains(where: { ",.;:".contains($0) }) { return true }
    return Self.introductions.contains(word.text) || word.text.first?.isASCII == false
  }

  private static let references: Set = [
    "equation", "eq", "equations", "step", "figure", "section", "clue", "rule", "line", "reference",
    "premise", "statement", "table", "case", "note",
  ]
  private static let introductions: Set = [
    "is", "be", "option", "choice", "letter", "answer", "so", "thus", "therefore", "hence", "then",
    "are", "either", "only", "pick", "choose", "select", "say", "as", "with", "it's", "that",
    "choosing",
    "chose", "was", "mark", "go", "leaves", "leaving", "both",
  ]

  /// Whether what follows a group says that it is wrong.
  private func isDenied(_ group: Group) -> Bool {
    predicate(after: group).map { !$0 } ?? false
  }

  /// Whether what follows calls the group right (true) or wrong (false); nil where neither.
  private func predicate(after group: Group) -> Bool? {
    let end = text.characters.count
    var position = text.skippingSpace(from: group.end, before: end)
    if text.hasPhrase(Array("选项"), at: position) { position += 2 }
    if text.hasPhrase(Array("不"), at: position) || text.hasPhrase(Array("错"), at: position) {
      return false
    }
    if text.hasPhrase(Array("是对"), at: position) || text.hasPhrase(Array("正确"), at: position)
      || text.hasPhrase(Array("是正确"), at: position)
    {
      return true
    }
    guard let verb = text.word(at: position, before: end) else { return nil }
    if Self.denials.contains(verb.text) { return false }
    guard ["is", "are", "was", "looks", "seems", "must", "being"].contains(verb.text) else {
      return nil
    }
    var next = text.skippingSpace(from: verb.end, before: end)
    for _ in 0..<3 {
      guard let word = text.word(at: next, before: end) else { return nil }
      if Self.denied.contains(word.text) { return false }
      if Self.affirmed.contains(word.text) { return true }
      guard ["be", "the", "clearly", "also", "therefore", "thus", "a", "most"].contains(word.text)
      else { return nil }
      next = text.skippingSpace(from: word.end, before: end)
    }
    return nil
  }

  private static let denials: Set = [
    "isn't", "aren't", "wasn't", "can't", "cannot", "contradicts", "contradict", "fails", "fail",
    "violates", "doesn't", "don't", "won't", "ignores", "lacks", "misses",
  ]
  private static let denied: Set = [
    "not", "wrong", "incorrect", "out", "false", "impossible", "excluded", "eliminated", "ruled",
    "invalid", "too", "unlikely", "irrelevant", "inconsistent", "contradicted", "neither", "never",
  ]
  private static let affirmed: Set = [
    "correct", "right", "true", "best", "answer", "valid", "likely", "only",
  ]

  /// The option whose text is what `range` says, begins with or, of all options, contains alone.
  private func option(in range: Range<Int>) -> AnswerValue? {
    guard !options.isEmpty else { return nil }
    let sentences = text.sentences(in: range)
    guard let sentence = sentences.first else { return nil }
    let words = AnswerValue.withoutArticle(text.words(in: sentence).map(\.text))
    let texts = options.map {
      (
        label: $0.label.uppercased(),
        words: AnswerValue.withoutArticle(AnswerText($0.text).plainWords)
      )
    }.filter { !$0.words.isEmpty }
    func only(_ matching: [(label: String, words: [String])]) -> AnswerValue? {
      let longest = matching.max { $0.words.count < $1.words.count }
      guard let longest, matching.count(where: { $0.words.count == longest.words.count }) == 1
      else { return nil }
      return .labels([longest.label])
    }
    if let option = texts.first(where: { $0.words == words }) { return .labels([option.label]) }
    if let option = only(texts.filter { words.starts(with: $0.words) }) { return option }
    let contained = texts.filter { !words.ranges(of: $0.words).isEmpty }
    // An option that is a part of another one is named by it too.
    let outer = contained.filter { option in
      !contained.contains { $0.label != option.label && !$0.words.ranges(of: option.words).isEmpty }
    }
    return outer.count == 1 ? .labels([outer[0].label]) : nil
  }

  /// The label that a text without a cue comes to: one that it calls right or concludes with; else
  /// the one it begins with; else the last one that it does not deny.
  func lastLabel(in range: Range<Int>, like gold: [String]) -> AnswerValue? {
    let groups = groups(in: range, like: gold).filter { isStated($0, after: range.lowerBound) }
    func value(_ group: Group) -> AnswerValue { .labels(Set(group.names).sorted()) }
    if let group = groups.last(where: {
      predicate(after: $0) == true || isConclusion($0, after: range.lowerBound)
    }) {
      return value(group)
    }
    let start = text.skippingFillers(
      from: range.lowerBound, before: range.upperBound, AnswerText.fillers)
    if !start.isNegated,
      let first = self.group(
        at: start.position, before: range.upperBound, like: gold, isDirect: true),
      !isDenied(first), !isDiscussed(first, before: range.upperBound)
    {
      return value(first)
    }
    if let group = groups.last(where: \.isEnclosed) ?? groups.last { return value(group) }
    for sentence in text.sentences(in: range).reversed() {
      if let option = option(in: sentence) { return option }
    }
    return nil
  }

  /// Whether a group at the start of a text is the subject of its first sentence rather than the
  /// answer: "(A) has no strings".
  private func isDiscussed(_ group: Group, before end: Int) -> Bool {
    if !group.isEnclosed {
      return isFollowedByWord(group.end, before: end, except: ["because", "since", "as"])
    }
    let next = text.skippingSpace(from: group.end, before: end)
    guard let word = text.word(at: next, before: end) else { return false }
    return Self.singularVerbs.contains(word.text)
      || ["are", "have", "do", "must", "will"].contains(word.text)
  }

  /// Whether "so", "choose" and the like lead to the group.
  private func isConclusion(_ group: Group, after start: Int) -> Bool {
    var index = group.start
    for _ in 0..<3 {
      guard let word = text.word(before: index, after: start) else { return false }
      if Self.conclusions.contains(word.text) { return true }
      guard
        ["is", "the", "it", "it's", "must", "be", "option", "choice", "would", "answer", "with"]
          .contains(word.text)
      else { return false }
      index = word.start
      if index > start, text.characters[index - 1] == "," { index -= 1 }
    }
    return false
  }

  private static let conclusions: Set = [
    "so", "therefore", "thus", "hence", "choose", "select", "pick", "wait", "actually", "rather",
    "instead", "choosing", "chose", "go",
  ]
}

// MARK: - Truth values

extension AnswerReader {
  /// A truth value in a text.
  private struct Truth {
    var isPositive: Bool
    var start: Int
    var end: Int
    /// Whether it is a word of the gold answer's pair.
    var isOwn: Bool
  }

  private static let positive: Set = [
    "yes", "true", "valid", "correct", "right", "plausible", "yeah", "yep",
  ]
  private static let negative: Set = [
    "no", "false", "invalid", "incorrect", "wrong", "implausible", "untrue", "nope",
  ]
  private static let unknown: Set = [
    "unknown", "uncertain", "undetermined", "unclear", "indeterminate", "undecidable", "neither",
    "maybe", "unsure",
  ]

  /// The truth value of the word at `index`, turned round by a negation before it.
  private func truthWord(
    _ word: (text: String, end: Int), at index: Int, after start: Int, like gold: String
  )
    -> Truth?
  {
    let isPositive = Self.positive.contains(word.text)
    guard isPositive || Self.negative.contains(word.text) else { return nil }
    if word.text == "no" || word.text == "right", isDeterminer(word.end) { return nil }
    let isOwn = word.text == gold || word.text == AnswerValue.opposites[gold]
    return Truth(
      isPositive: isPositive != isTurned(index, after: start), start: index, end: word.end,
      isOwn: isOwn)
  }

  /// Whether a noun follows, so that "no" or "right" belongs to it: "no statement".
  private func isDeterminer(_ index: Int) -> Bool {
    guard text.character(index) == " " else { return text.character(index) == "-" }
    let next = text.skippingSpace(from: index, before: text.characters.count)
    guard let word = text.word(at: next, before: text.characters.count) else { return false }
    return !Self.clauseStarts.contains(word.text)
  }

  private static let clauseStarts: Set = [
    "since", "because", "as", "it", "he", "she", "they", "the", "i", "there", "we", "this", "that",
    "you", "but", "although", "so", "if", "for", "and", "or", "given", "when", "is", "based", "due",
    "in",
    "according", "not", "these", "those", "his", "her", "its", "their", "to", "at", "would", "here",
  ]

  /// Whether a negation up to three words before turns the word at `index` round.
  private func isTurned(_ index: Int, after start: Int) -> Bool {
    var index = index
    for _ in 0..<3 {
      guard let word = text.word(before: index, after: start) else { return false }
      let gap = text.characters[(word.start + word.text.count)..<index]
      if gap.contains(where: { ",.;:!?".contains($0) }) { return false }
      if word.text == "not" || word.text.hasSuffix("n't")
        || ["never", "cannot", "hardly", "nor"].contains(word.text)
      {
        return true
      }
      if ["only", "yes", "and", "or"].contains(word.text) { return false }
      index = word.start
    }
    return false
  }

  /// The truth values of `range`.
  private func truths(in range: Range<Int>, like gold: String) -> [Truth] {
    var truths: [Truth] = []
    var index = range.lowerBound
    while index < range.upperBound {
      guard let word = text.word(at: index, before: range.upperBound) else {
        index += 1
        continue
      }
      if let truth = truthWord(word, at: index, after: range.lowerBound, like: gold) {
        truths.append(truth)
      }
      index = word.end
    }
    return truths
  }

  private func value(of truth: Truth, like gold: String) -> AnswerValue {
    let isGoldPositive = Self.positive.contains(gold)
    return .truth(truth.isPositive == isGoldPositive ? gold : AnswerValue.opposites[gold] ?? gold)
  }

  func truth(in range: Range<Int>, like gold: String) -> Finding {
    // "True and False = False": what the expression comes to.
    var range = range
    if let equals = text.characters[range].lastIndex(of: "="), equals > range.lowerBound {
      range = (equals + 1)..<range.upperBound
    }
    let start = text.skippingFillers(
      from: range.lowerBound, before: range.upperBound, Self.truthFillers)
    if let word = text.word(at: start.position, before: range.upperBound) {
      if Self.unknown.contains(word.text) { return .value(.other(word.text), isDirect: true) }
      if word.text.count == 1, ["y", "n", "t", "f"].contains(word.text),
        !isInPhrase(word.end)
      {
        let isPositive = word.text == "y" || word.text == "t"
        return .value(
          value(
            of: Truth(isPositive: isPositive != start.isNegated, start: 0, end: 0, isOwn: true),
            like: gold),
          isDirect: true)
      }
      if start.isNegated,
        ["possible", "determined", "known", "clear", "certain", "enough", "be"].contains(word.text)
      {
        return .value(.other("unknown"), isDirect: true)
      }
      if let truth = truthWord(word, at: start.position, after: range.lowerBound, like: gold) {
        if isHedge(truth, before: range.upperBound, like: gold) {
          return .value(.other(text.string(range)), isDirect: true)
        }
        return .value(value(of: truth, like: gold), isDirect: true)
      }
    }
    let truths = truths(in: range, like: gold)
    guard let truth = truths.first(where: \.isOwn) ?? truths.first else { return .none }
    if isHedge(truth, before: range.upperBound, like: gold) {
      return .value(.other(text.string(range)), isDirect: false)
    }
    return .value(value(of: truth, like: gold), isDirect: false)
  }

  private static let truthFillers = AnswerText.fillers.union([
    "deductively", "the", "a", "an", "argument", "statement", "sentence", "logically", "this",
    "not", "necessarily", "definitely", "certainly", "a", "conclusion", "claim",
  ])

  private func isInPhrase(_ index: Int) -> Bool {
    let next = text.character(index)
    return next == " " && text.character(index + 1).isLetter || next == "'"
  }

  /// Whether the opposite is joined to a truth value: "yes or no".
  private func isHedge(_ truth: Truth, before end: Int, like gold: String) -> Bool {
    var next = truth.end
    while next < end, " ,/*_\"'".contains(text.characters[next]) { next += 1 }
    let isSlash = text.characters[truth.end..<next].contains("/")
    if !isSlash {
      guard let word = text.word(at: next, before: end), word.text == "or" || word.text == "and"
      else {
        return false
      }
      next = text.skippingFillers(from: word.end, before: end, []).position
    }
    guard let word = text.word(at: next, before: end) else { return false }
    let isOther =
      truth.isPositive ? Self.negative.contains(word.text) : Self.positive.contains(word.text)
    return isOther && !(word.text == "no" && isDeterminer(word.end))
  }

  /// The truth value that a text without a cue comes to: what its last sentence concludes ("So yes."),
  /// else the word that it begins with, else the last one.
  func lastTruth(in range: Range<Int>, like gold: String) -> AnswerValue? {
    let sentences = text.sentences(in: range)
    guard let first = sentences.first, let last = sentences.last else { return nil }
    func stated(in sentence: Range<Int>) -> AnswerValue? {
      let finding = truth(in: sentence, like: gold)
      return finding.value
    }
    if sentences.count > 1, let word = text.word(at: last.lowerBound, before: last.upperBound),
      Self.conclusionStarts.contains(word.text), let value = stated(in: last)
    {
      return value
    }
    let start = text.skippingFillers(from: first.lowerBound, before: first.upperBound, [])
    if let word = text.word(at: start.position, before: first.upperBound),
      let truth = truthWord(word, at: start.position, after: first.lowerBound, like: gold),
      !start.isNegated,
      truth.isOwn, !isFollowedByOperator(truth.end, before: first.upperBound)
    {
      return isHedge(truth, before: first.upperBound, like: gold)
        ? .other(text.string(first)) : value(of: truth, like: gold)
    }
    for sentence in sentences.reversed() {
      var range = sentence
      if let equals = text.characters[range].lastIndex(of: "="), equals > range.lowerBound {
        range = (equals + 1)..<range.upperBound
      }
      let truths = truths(in: range, like: gold)
      if let truth = truths.last(where: \.isOwn) ?? truths.last {
        if truths.contains(where: { isHedge($0, before: range.upperBound, like: gold) }) {
          return .other(text.string(sentence))
        }
        return value(of: truth, like: gold)
      }
    }
    return nil
  }

  private static let conclusionStarts: Set = [
    "so", "therefore", "thus", "hence", "wait", "actually", "yes", "no", "overall", "finally",
    "consequently", "true", "false", "valid", "invalid",
  ]

  private func isFollowedByOperator(_ index: Int, before end: Int) -> Bool {
    let next = text.skippingSpace(from: index, before: end)
    if text.character(next) == "=" { return true }
    guard let word = text.word(at: next, before: end) else { return false }
    return ["and", "or", "is"].contains(word.text) && !isHedgeWord(after: word.end, before: end)
  }

  private func isHedgeWord(after index: Int, before end: Int) -> Bool {
    let next = text.skippingSpace(from: index, before: end)
    guard let word = text.word(at: next, before: end) else { return false }
    return word.text == "no" || word.text == "yes"
  }
}
