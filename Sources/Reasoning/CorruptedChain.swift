extension ChainOfThought {
  /// This right chain with a mistake made by program: one value of its reasoning is replaced by another of its kind, and
  /// the answer by a wrong one. nil where the answer, or every value, is of a kind that has no replacement.
  ///
  /// | Answer | Wrong answer | Value that is replaced |
  /// | --- | --- | --- |
  /// | a whole number | another, up to 3 away | a whole number, by one as far away |
  /// | yes, true, valid, or its opposite | the opposite | "true", "lies" or the like, by its opposite; without any, a whole number |
  /// | an option's label | another option's | a whole number; without any, "true" or the like |
  ///
  /// What stands between the two stays, but for results ("= 7") that are the answer: right and wrong chain share their
  /// path. RISE (2410.06638) edits single steps likewise, by a model.
  ///
  /// - Parameter question: the question that the chain is for, with its gold answer.
  public func corrupted(
    for question: Question, using generator: inout some RandomNumberGenerator
  ) -> ChainOfThought? {
    let rule = AnswerRule.usual(forTask: task)
    guard isCorrect == true, let gold = question.answer,
      let kind = AnswerValue(gold: gold, options: question.options),
      let cue = rule.cueRange(in: text, ignoringCase: true), let stated = rule.answer(in: text),
      let answer = text[cue.upperBound...].firstRange(of: stated)
    else { return nil }
    let distance = Int.random(in: 1...3, using: &generator)
    let change = Bool.random(using: &generator) ? distance : -distance
    guard
      let wrong = Self.wrongAnswer(stated, kind, question.options, change, using: &generator),
      let mistake = Self.values(like: kind, in: text[..<cue.lowerBound], change)
        .randomElement(using: &generator)
    else { return nil }

    let between = text[mistake.range.upperBound..<answer.lowerBound]
      .replacing(/= (\d+)/) { $0.1 == stated ? "= \(wrong)" : String($0.0) }
    let before = text[..<mistake.range.lowerBound]
    var chain = self
    chain.text = before + mistake.replacement + between + wrong + text[answer.upperBound...]
    let start = before.utf8.count
    chain.mistake = Mistake(
      kind: .unknown, range: start..<start + mistake.replacement.utf8.count)
    let reading = AnswerRule.judging(task: task)
      .read(chain.text, gold: gold, options: question.options)
    guard reading.isParsed, !reading.isCorrect else { return nil }
    (chain.answer, chain.isCorrect, chain.origin) = (reading.answer, false, .corrupted)
    return chain
  }

  /// An answer of the kind of `stated`, which is right, that is wrong.
  private static func wrongAnswer(
    _ stated: String, _ kind: AnswerValue, _ options: [Question.Option], _ change: Int,
    using generator: inout some RandomNumberGenerator
  ) -> String? {
    switch kind {
    case .number: return changed(stated, by: change)
    case .truth: return opposite(of: stated)
    case .labels(let labels):
      let others = options.map(\.label).filter { !labels.contains($0.uppercased()) }
      guard labels.count == 1, let label = stated.firstRange(of: labels[0]),
        let other = others.randomElement(using: &generator)
      else { return nil }
      return stated[..<label.lowerBound] + other + stated[label.upperBound...]
    default: return nil
    }
  }

  private typealias Value = (range: Range<String.Index>, replacement: String)

  /// The values in `reasoning` that are replaced where the answer is of `kind`.
  private static func values(like kind: AnswerValue, in reasoning: Substring, _ change: Int)
    -> [Value]
  {
    let numbers = reasoning.matches(of: /\d+/).compactMap { match -> Value? in
      guard isWholeNumber(match.range, in: reasoning) else { return nil }
      return changed(String(match.0), by: change).map { (match.range, $0) }
    }
    if case .number = kind { return numbers }
    let truths = reasoning.matches(
      of: /\b(?:true|false|valid|invalid|lies|tells the truth)\b/.ignoresCase()
    )
    .compactMap { match in opposite(of: String(match.0)).map { (match.range, $0) } }
    return if case .truth = kind { truths.isEmpty ? numbers : truths } else {
      numbers.isEmpty ? truths : numbers
    }
  }

  /// Whether the digits at `range` are a number by themselves: no part of a name or of a decimal number, and no number
  /// of a step or a reference to it, `(2)` at the start of a line or after "from".
  private static func isWholeNumber(_ range: Range<String.Index>, in text: Substring) -> Bool {
    let (before, after) = (text[..<range.lowerBound], text[range.upperBound...])
    if let last = before.last, last.isLetter || ".,_".contains(last) { return false }
    if let next = after.first, ".,".contains(next), after.dropFirst().first?.isNumber == true {
      return false
    }
    guard before.last == "(", after.first == ")" else { return true }
    let line = before.dropLast().reversed().prefix { !$0.isNewline }
    let words = String(line.reversed()).trimmingSpace()
    return !words.isEmpty && !words.hasSuffix("from")
  }

  private static func changed(_ number: String, by change: Int) -> String? {
    Int(number).flatMap { number in
      let (sum, overflow) = number.addingReportingOverflow(change)
      return overflow || sum < 0 ? nil : String(sum)
    }
  }

  /// The word that excludes `text`, with as many capitals.
  private static func opposite(of text: String) -> String? {
    let word = text.lowercased()
    let others = ["lies": "tells the truth", "tells the truth": "lies"]
    guard let other = AnswerValue.opposites[word] ?? others[word] else { return nil }
    if text == text.uppercased() { return other.uppercased() }
    return text.first?.isUppercase == true
      ? other.prefix(1).uppercased() + other.dropFirst() : other
  }
}
