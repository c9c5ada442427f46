/// How the answer of a response is found and held against the gold one.
///
/// | | strict | flexible |
/// | --- | --- | --- |
/// | where | after the rule's cue | after the last of the known cues, or in the whole text |
/// | equal when | the texts are, but for the space about them and one full stop at the end | the values are: the same option, truth value, number, brackets or words |
///
/// Strict rules are those with which the published accuracies were made, and reproduce them
/// exactly.
public struct AnswerRule: Hashable, Sendable {
  /// What stands before the answer.
  public var cue: String
  /// Which of several cues counts.
  public var occurrence: Occurrence
  /// Whether a response without the cue is its own answer, as a whole.
  public var takesWholeTextWithoutCue: Bool
  /// Whether the commas in numbers are left out before texts are compared (`1,000` and `1000`).
  public var ignoresDigitGrouping: Bool
  public var matching: Matching

  public enum Occurrence: Hashable, Sendable { case first, last }
  public enum Matching: String, CaseIterable, Hashable, Sendable { case strict, flexible }

  public init(
    cue: String, occurrence: Occurrence, takesWholeTextWithoutCue: Bool = false,
    ignoresDigitGrouping: Bool = false,
    matching: Matching = .strict
  ) {
    self.cue = cue
    self.occurrence = occurrence
    self.takesWholeTextWithoutCue = takesWholeTextWithoutCue
    self.ignoresDigitGrouping = ignoresDigitGrouping
    self.matching = matching
  }

  /// BIG-Bench Hard's: what follows the first "the answer is", the whole text where there is none.
  public static let bigBenchHard = AnswerRule(
    cue: "the answer is", occurrence: .first, takesWholeTextWithoutCue: true)

  /// That of GSM8K's model solutions: what follows the last "A: ".
  public static let gsm8k = AnswerRule(cue: "A: ", occurrence: .last, ignoresDigitGrouping: true)

  /// That of the procedural tasks: what follows the last "ans ".
  public static let procedural = AnswerRule(cue: "ans ", occurrence: .last)

  /// The rule that chains for the questions of `task` are read by: those of the procedural tasks
  /// and of `"gsm8k"` theirs, all others BIG-Bench Hard's.
  public static func usual(forTask task: String) -> AnswerRule {
    if ProceduralTask(rawValue: task) != nil { return .procedural }
    return task == "gsm8k" ? .gsm8k : .bigBenchHard
  }

  /// The same cue with the other way of matching.
  public func matching(_ matching: Matching) -> AnswerRule {
    var rule = self
    rule.matching = matching
    return rule
  }

  /// A response's answer as a rule found it.
  public struct Reading: Hashable, Sendable {
    /// The answer; nil where there is none.
    public var answer: String?
    /// Whether the answer was told apart from the rest: by its cue, or as a value of the gold
    /// answer's kind.
    public var isParsed: Bool
    /// Whether it is the gold answer.
    public var isCorrect: Bool
  }

  /// Finds the answer in `response` and compares it with `gold`.
  ///
  /// - Parameter options: those of a multiple-choice question; flexible matching then takes an
  ///   option's text for its label.
  public func read(_ response: String, gold: String, options: [Question.Option] = []) -> Reading {
    switch matching {
    case .strict:
      let found = text(after: cue, in: response)
      guard let answer = found ?? (takesWholeTextWithoutCue ? response : nil) else {
        return Reading(answer: nil, isParsed: false, isCorrect: false)
      }
      let plain = plain(answer)
      return Reading(answer: plain, isParsed: found != nil, isCorrect: plain == self.plain(gold))
    case .flexible:
      let gold = AnswerValue(gold: gold, options: options)
      let cues = [cue] + ["the answer is", "answer is", "answer:", "####"].filter { $0 != cue }
      // The answer that is stated last counts, whichever cue it follows.
      let tail = cues.compactMap { Self.lastRange(of: $0, in: response) }.max()
      let value = gold.sameKind(
        in: tail.map { String(response[$0...]) } ?? response, afterCue: tail != nil, options)
      return Reading(answer: value?.description, isParsed: value != nil, isCorrect: value == gold)
    }
  }

  /// The answer in `response`, as strict matching finds it; nil where the cue is missing and the
  /// rule wants it.
  public func answer(in response: String) -> String? {
    (text(after: cue, in: response) ?? (takesWholeTextWithoutCue ? response : nil)).map(plain)
  }

  /// Without the space about it, one full stop at the end and, if told so, commas.
  private func plain(_ answer: String) -> String {
    var answer = answer.trimmingSpace()
    if answer.hasSuffix(".") { answer.removeLast() }
    return ignoresDigitGrouping ? answer.filter { $0 != "," } : answer
  }

  private func text(after cue: String, in response: String) -> String? {
    let range = occurrence == .first ? response.firstRange(of: cue) : response.ranges(of: cue).last
    return range.map { String(response[$0.upperBound...]) }
  }

  /// Where the text after the last `cue` begins, in any case of letters.
  private static func lastRange(of cue: String, in response: String) -> String.Index? {
    let (text, cue) = (response.map { $0.lowercased() }, cue.map { $0.lowercased() })
    for start in stride(from: text.count - cue.count, through: 0, by: -1)
    where text[start...].starts(with: cue) {
      return response.index(response.startIndex, offsetBy: start + cue.count)
    }
    return nil
  }
}

extension StringProtocol {
  /// The text without the white space at its start and end.
  package func trimmingSpace() -> String {
    guard let first = firstIndex(where: { !$0.isWhitespace }),
      let last = lastIndex(where: { !$0.isWhitespace })
    else {
      return ""
    }
    return String(self[first...last])
  }
}
