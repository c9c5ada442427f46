/// How the answer of a response is found and compared with the gold answer.
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
  /// Whether a cue that is not there as written counts in another case of letters ("The answer
  /// is"), unless it is the end of a longer word ("Emma: 5" has no "A: ").
  public var ignoresCueCase: Bool
  /// Whether a response without the cue is its own answer, as a whole.
  public var takesWholeTextWithoutCue: Bool
  /// Whether the commas in numbers are left out before texts are compared (`1,000` and `1000`).
  public var ignoresDigitGrouping: Bool
  public var matching: Matching

  public enum Occurrence: Hashable, Sendable { case first, last }
  public enum Matching: String, CaseIterable, Hashable, Sendable { case strict, flexible }

  public init(
    cue: String, occurrence: Occurrence, ignoresCueCase: Bool = false,
    takesWholeTextWithoutCue: Bool = false, ignoresDigitGrouping: Bool = false,
    matching: Matching = .strict
  ) {
    self.cue = cue
    self.occurrence = occurrence
    self.ignoresCueCase = ignoresCueCase
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

  /// The rule that chains for the questions of `task` are read by, a teacher's and a student's: the
  /// one above of the procedural tasks and of `"gsm8k"`, BIG-Bench Hard's for all others, with the
  /// cue in any case of letters.
  public static func usual(forTask task: String) -> AnswerRule {
    var rule: AnswerRule = task == "gsm8k" ? .gsm8k : .bigBenchHard
    if ProceduralTask(rawValue: task) != nil { rule = .procedural }
    rule.ignoresCueCase = true
    return rule
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
    let isBlank = gold.allSatisfy(\.isWhitespace)
    switch matching {
    case .strict:
      let found = textAfterCue(in: response)
      guard let answer = found ?? (takesWholeTextWithoutCue ? response : nil) else {
        return Reading(answer: nil, isParsed: false, isCorrect: false)
      }
      let plain = plain(answer)
      return Reading(
        answer: plain, isParsed: found != nil,
        isCorrect: !isBlank && !plain.isEmpty && plain == self.plain(gold))
    case .flexible:
      // Without a gold answer there is no kind to look for; the text of the answer is then read.
      guard let gold = AnswerValue(gold: gold, options: options) else {
        let answer = textAfterCue(in: response).map(plain)
        return Reading(answer: answer, isParsed: answer?.isEmpty == false, isCorrect: false)
      }
      let value = StatedAnswer.value(in: response, like: gold, cue: cue, options: options)
      return Reading(
        answer: value?.description, isParsed: value != nil,
        isCorrect: value?.matches(gold) ?? false)
    }
  }

  /// The answer in `response`, as strict matching finds it; nil if the cue is missing and the
  /// rule requires it.
  public func answer(in response: String) -> String? {
    (textAfterCue(in: response) ?? (takesWholeTextWithoutCue ? response : nil)).map(plain)
  }

  /// Without the space about it, one full stop at the end and, if told so, commas.
  private func plain(_ answer: String) -> String {
    var answer = answer.trimmingSpace()
    if answer.hasSuffix(".") { answer.removeLast() }
    return ignoresDigitGrouping ? answer.filter { $0 != "," } : answer
  }

  private func textAfterCue(in response: String) -> String? {
    cueRange(in: response, ignoringCase: ignoresCueCase).map { String(response[$0.upperBound...]) }
  }

  /// Where the cue stands in `text`, of several the one that counts: as written or, where it is not
  /// there so and case is ignored, in another case of letters.
  func cueRange(in text: String, ignoringCase: Bool) -> Range<String.Index>? {
    let written = text.ranges(of: cue)
    guard written.isEmpty, ignoringCase else {
      return occurrence == .first ? written.first : written.last
    }
    return rangeInAnyCase(in: text)
  }

  /// Where the cue stands in `text` in any case of letters and not as the end of a longer word, of
  /// several places the one that counts.
  private func rangeInAnyCase(in text: String) -> Range<String.Index>? {
    let characters = Array(text)
    let (letters, wanted) = (characters.map { $0.lowercased() }, cue.map { $0.lowercased() })
    let beginsAsWord = cue.first?.isLetter == true
    func isCue(_ start: Int) -> Bool {
      letters[start...].starts(with: wanted)
        && !(beginsAsWord && start > 0 && characters[start - 1].isLetter)
    }
    let found =
      occurrence == .first
      ? letters.indices.first(where: isCue) : letters.indices.last(where: isCue)
    return found.map { start in
      let lower = text.index(text.startIndex, offsetBy: start)
      return lower..<text.index(lower, offsetBy: wanted.count)
    }
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
