/// Where a response states its answer: after a cue such as "the answer is", in `\boxed{…}`, or
/// without either.
///
/// A response is read up to where it goes on with another question (`Q:`), as base models do. Of
/// several statements the last counts.
struct StatedAnswer {
  /// A place where an answer is stated.
  struct Candidate {
    /// What may hold the answer.
    var range: Range<Int>
    /// Whether it is marked as the answer and nothing else: `\boxed{…}`, `<answer>…</answer>`.
    var isMarked: Bool
  }

  /// What a place was found to say.
  enum Finding {
    case none
    /// That the answer is not something.
    case declined
    case value(AnswerValue, isDirect: Bool)

    var value: AnswerValue? { if case .value(let value, _) = self { value } else { nil } }
  }

  /// The answer that `response` states, read as one of the kind of `gold`; nil where it states none.
  ///
  /// - Parameter cue: the task's own cue.
  static func value(
    in response: String, like gold: AnswerValue, cue: String, options: [Question.Option]
  ) -> AnswerValue? {
    var response = response[...]
    // Reasoning models state the answer after their thoughts.
    if let thoughts = response.ranges(of: "</think>").last,
      response[thoughts.upperBound...].contains(where: { !$0.isWhitespace })
    {
      response = response[thoughts.upperBound...]
    }
    if case .brackets = gold {
      // Markup is made of brackets too.
      return brackets(in: String(response), cue: cue)
    }
    let text = AnswerText(String(response))
    let reader = AnswerReader(text: text, gold: gold, options: options)
    let ownCue = Array(cue.trimmingSpace().lowercased())
    for part in text.questionParts() {
      if let value = answer(in: part, of: text, by: reader, cue: ownCue) { return value }
    }
    return nil
  }

  private static func answer(
    in part: Range<Int>, of text: AnswerText, by reader: AnswerReader, cue: [Character]
  ) -> AnswerValue? {
    let candidates = text.candidates(in: part, ownCue: cue)
    guard !candidates.isEmpty else { return reader.lastValue(in: part) }
    var loose: AnswerValue?
    for candidate in candidates.reversed() where loose == nil || candidate.isMarked {
      switch reader.value(after: candidate) {
      case .value(let value, let isDirect):
        if isDirect { return value }
        loose = loose ?? value
      case .none, .declined: continue
      }
    }
    return loose
  }

  /// The brackets after the last cue, or the last ones.
  private static func brackets(in response: String, cue: String) -> AnswerValue? {
    var characters = Array(response)
    let lower = characters.map(AnswerText.lowercase)
    for cue in [cue.trimmingSpace().lowercased(), "answer is", "answer:", "####"].map(Array.init) {
      // From the end, the last occurrence.
      let last = lower.indices.last { index in
        lower[index] == cue[0] && index + cue.count <= lower.count
          && lower[index..<(index + cue.count)].elementsEqual(cue)
      }
      if let last, last + cue.count < characters.count {
        characters = Array(characters[(last + cue.count)...])
        break
      }
    }
    let isCued = characters.count < lower.count
    var runs: [String] = []
    var run = ""
    for (index, character) in (characters + ["."]).enumerated() {
      let opensText =
        "([".contains(character) && index + 1 < characters.count && characters[index + 1].isLetter
      if "()[]{}<>".contains(character), !opensText {
        run.append(character)
      } else if !" ,`\\$\"".contains(character) {
        if !run.isEmpty { runs.append(run) }
        run = ""
        if isCued, !runs.isEmpty { break }
      }
    }
    return (isCued ? runs.first : runs.last).map { .brackets($0) }
  }
}

extension AnswerText {
  /// The parts between lines such as "Q: …" with which a model goes on to the next question.
  fileprivate func questionParts() -> [Range<Int>] {
    var parts: [Range<Int>] = []
    var start = 0
    var canStart = true
    func add(upTo end: Int) {
      if characters[start..<end].contains(where: { !$0.isWhitespace }) { parts.append(start..<end) }
      start = end
    }
    for (index, code) in codes.enumerated() {
      if canStart, Self.questionStarts.contains(code), startsQuestion(at: index) {
        add(upTo: index)
      }
      if Self.questionLeads.contains(code) {
        canStart = true
      } else if code == ASCIICode.other {
        // White space that is not ASCII has been replaced.
        canStart = characters[index] == Mark.boxEnd
      } else if !ASCIICode.blanks.contains(code) {
        canStart = false
      }
      if code == UInt8(ascii: "<"), Self.endMarks.contains(where: { hasPhrase($0, at: index) }) {
        add(upTo: index)
      }
    }
    add(upTo: characters.count)
    return parts
  }

  private static let endMarks = ["<|", "</s>", "<eos>", "<end_of_turn>"].map(Array.init)
  private static let questionWords = ["q", "question", "problem", "user", "human", "instruction"]
    .map(Array.init)
  private static let questionStarts = ASCIICode.Characters("qpuhi")
  /// What may stand before a question.
  private static let questionLeads = ASCIICode.Characters("\n.!?)]$*\"#")

  /// Whether "Q:", "Question 2:", "User:" and the like is at `index`.
  private func startsQuestion(at index: Int) -> Bool {
    guard
      let word = Self.questionWords.first(where: {
        hasPhrase($0, at: index) && !character(index + $0.count).isLetter
      }), case var position = index + word.count,
      characters[index].isUppercase || index == 0 || character(index - 1).isNewline
    else { return false }
    position = skippingSpace(from: position, before: characters.count)
    while character(position).isNumber || "*".contains(character(position)) { position += 1 }
    return character(position) == ":"
  }

  /// Where answers are stated in `range`, each up to the next.
  fileprivate func candidates(in range: Range<Int>, ownCue: [Character]) -> [StatedAnswer.Candidate]
  {
    var found: [(end: Int, start: Int, isMarked: Bool)] = []
    var index = range.lowerBound
    let ownStart = ownCue.first.map(ASCIICode.of)
    while index < range.upperBound {
      let code = codes[index]
      if code == ASCIICode.other, characters[index] == Mark.boxStart {
        found.append((index + 1, index, true))
        index += 1
      } else if code != ASCIICode.other, code != ownStart, !Self.cueStarts.contains(code) {
        index += 1
      } else if ASCIICode.letters.contains(code), index > 0,
        ASCIICode.letters.contains(codes[index - 1])
      {
        // No cue starts in a word.
        index += 1
      } else if let end = cueEnd(at: index, before: range.upperBound, ownCue: ownCue) {
        if !isHypothetical(index, after: range.lowerBound) { found.append((end, index, false)) }
        index = max(end, index + 1)
      } else {
        index += 1
      }
    }
    return found.indices.map { number in
      let next = number + 1 < found.count ? found[number + 1].start : range.upperBound
      let start = min(found[number].end, next)
      var end = next
      if found[number].isMarked {
        end = characters[start..<next].firstIndex(of: Mark.boxEnd) ?? next
      }
      return StatedAnswer.Candidate(range: start..<end, isMarked: found[number].isMarked)
    }
  }

  /// Whether the cue at `index` only supposes an answer: "if the answer is 5".
  private func isHypothetical(_ index: Int, after start: Int) -> Bool {
    var index = index
    for _ in 0..<3 {
      guard let word = word(before: index, after: start) else { return false }
      if ["if", "whether", "suppose", "assuming", "assume", "unless", "what"].contains(word.text) {
        return true
      }
      index = word.start
    }
    return false
  }

  /// The end of the cue that starts at `index`; nil where none does.
  private func cueEnd(at index: Int, before end: Int, ownCue: [Character]) -> Int? {
    let first = lower[index]
    let isInWord = index > 0 && characters[index - 1].isLetter && characters[index - 1].isASCII
    if first == ownCue.first, hasPhrase(ownCue, at: index), !(isInWord && first.isLetter) {
      let last = index + ownCue.count
      // "ans" must end as a word; "the answer is" may go on with "n't".
      if !(character(last).isLetter && ownCue.last?.isLetter == true) { return min(last, end) }
    }
    switch first {
    case "#":
      guard hasPhrase(Array("####"), at: index) else { return nil }
      return min(index + 4, end)
    case "a":
      guard !isInWord, hasPhrase(Self.answer, at: index) else { break }
      return endOfAnswerCue(at: index, before: end)
    case "o", "c":
      guard !isInWord, let word = word(at: index, before: end),
        ["option", "choice"].contains(word.text)
      else { break }
      // "the correct option is", "the best choice: ".
      guard let before = self.word(before: index),
        ["correct", "right", "best", "the", "my", "final", "answer"].contains(before.text)
      else { return nil }
      return endOfConnector(from: word.end, before: end)
    default: break
    }
    guard !first.isASCII || !isInWord else { return nil }
    for cue in Self.otherCues[first] ?? [] where hasPhrase(cue, at: index) {
      let last = index + cue.count
      if cue.last == ":" || cue.last.map({ !$0.isLetter || !$0.isASCII }) == true {
        return min(last, end)
      }
      if !character(last).isLetter {
        return endOfConnector(from: last, before: end) ?? min(last, end)
      }
    }
    return nil
  }

  private static let answer = Array("answer")
  /// What the cues below and "answer", "option", "choice" and "####" start with, of ASCII.
  private static let cueStarts = ASCIICode.Characters("#aoclrjf")

  /// Cues of other languages, and those without the word "answer", by their first character, the
  /// longest first.
  private static let otherCues = Dictionary(
    grouping: [
      "答案是", "答案为", "答案為", "答案:", "答案应为", "答案选", "选项", "應選", "应选", "故选", "选择", "答え:", "答えは",
      "정답:", "정답은", "답:", "답은", "antwort:", "antwort ist", "lösung:", "réponse:", "réponse :",
      "réponse est", "respuesta:", "respuesta es", "respuesta correcta es", "resposta:",
      "resposta é",
      "risposta:", "risposta è", "ответ:", "উত্তর:", "జవాబు:", "సమాధానం:", "คำตอบ:", "คำตอบคือ", "jibu:",
      "jibu ni", "antwoord:",
      "final result:", "final result is", "final value:",
    ].map(Array.init).sorted { $0.count > $1.count }
  ) { $0[0] }

  /// After the word "answer": "(in dollars)", "to the question", and then "is", "would be", ":" and
  /// the like; or the end of a heading.
  private func endOfAnswerCue(at index: Int, before end: Int) -> Int? {
    var position = index + Self.answer.count
    if character(position) == "s" { position += 1 }
    guard !character(position).isLetter else { return nil }
    if let last = endOfConnector(from: position, before: end) { return last }
    // "answer to the question is", "answer choice is": up to eight words in one sentence.
    var next = position
    for count in 0..<8 {
      next = skippingParenthesis(from: next, before: end)
      guard let word = word(at: next, before: end) else { break }
      if count == 0,
        ![
          "to", "for", "choice", "option", "key", "here", "of", "in", "letter", "therefore", "thus",
          "then",
        ].contains(word.text)
      {
        break
      }
      next = word.end
      if let last = endOfConnector(from: next, before: end) { return last }
    }
    return endOfHeading(at: index, from: position, before: end)
  }

  /// Steps over spaces, markup and one parenthesis of at most 60 characters.
  private func skippingParenthesis(from index: Int, before end: Int) -> Int {
    func skippingMarkup(_ index: Int) -> Int {
      var index = index
      while index < end, " \t*_\"'".contains(characters[index]) { index += 1 }
      return index
    }
    let position = skippingMarkup(index)
    guard position < end, characters[position] == "(" else { return position }
    for close in position..<min(end, position + 60) where characters[close] == ")" {
      return skippingMarkup(close + 1)
    }
    return position
  }

  /// Words between a subject and its answer.
  private func endOfConnector(from index: Int, before end: Int) -> Int? {
    let position = skippingParenthesis(from: index, before: end)
    guard position < end else { return nil }
    let character = characters[position]
    if character == ":" || character == "=" || character == "→" || "是为為は".contains(character) {
      return position + 1
    }
    if character == "-", self.character(position + 1) == ">" { return position + 2 }
    guard let word = word(at: position, before: end) else { return nil }
    switch word.text {
    case "is", "are", "was", "equals", "becomes", "remains": return word.end
    // The reader sees the negation.
    case "isn't", "wasn't", "aren't", "cannot", "can't": return position
    case "would", "will", "should", "must", "could", "has", "can", "may", "might":
      let next = skippingSpace(from: word.end, before: end)
      guard let verb = self.word(at: next, before: end) else { return nil }
      if verb.text == "be" { return verb.end }
      if verb.text == "not" { return next }
      return nil
    case "comes", "works", "turns":
      for phrase in ["comes to", "comes out to", "comes out as", "works out to", "turns out to be"]
        .map(Array.init)
      where hasPhrase(phrase, at: position) {
        return position + phrase.count
      }
      return nil
    default: return nil
    }
  }

  /// "Final Answer" alone on its line, or at its start with the answer right after it.
  private func endOfHeading(at index: Int, from position: Int, before end: Int) -> Int? {
    var start = index
    if let word = word(before: start), ["final", "correct", "the", "my"].contains(word.text) {
      start = word.start
      if let word = self.word(before: start), ["the", "my"].contains(word.text) {
        start = word.start
      }
    }
    while start > 0, " *_#\t".contains(characters[start - 1]) { start -= 1 }
    guard start == 0 || characters[start - 1].isNewline else { return nil }
    let next = skippingParenthesis(from: position, before: end)
    guard next < end else { return nil }
    if characters[next].isNewline { return next }
    return characters[next].isNumber || "-$(\(Mark.boxStart)".contains(characters[next])
      ? next : nil
  }
}
