/// A chain of thought taken apart at the cue before its answer; the three parts together are its
/// text.
///
///     " 3 * 2 = 6. Therefore, the answer is 6."  →  " 3 * 2 = 6.", " Therefore, the answer is", " 6."
public struct ChainParts: Hashable, Sendable {
  /// The reasoning, with the space it begins with.
  public var rationale: String
  /// What leads over to the answer, with the space before it.
  public var cue: String
  /// The answer with the space before it and what ends its sentence.
  public var answer: String

  public init(rationale: String, cue: String, answer: String) {
    self.rationale = rationale
    self.cue = cue
    self.answer = answer
  }
}

extension AnswerRule {
  /// Words that belong to a cue where they stand before it.
  private static let leadIns = ["therefore", "so", "thus", "hence", "finally"]

  /// The parts of a chain; nil where it has no cue, or nothing before or after it.
  ///
  /// A cue that is not there as written is looked for in any case of letters, as sentences may begin
  /// with it ("The answer is"). The authors of EDIT split at "Therefore, the answer is"
  /// (https://github.com/C-W-D/CasCoD, `src/datasets/bbh_dataset.py`).
  public func parts(of text: String) -> ChainParts? {
    guard let range = cueRange(in: text, ignoringCase: true) else { return nil }
    let characters = Array(text)
    let words = characters.map { $0.lowercased() }
    var start = text.distance(from: text.startIndex, to: range.lowerBound)
    // The space after the cue goes with the answer.
    let end = start + cue.count - cue.reversed().prefix(while: \.isWhitespace).count
    func skipSpace() { while start > 0, characters[start - 1].isWhitespace { start -= 1 } }
    skipSpace()
    for leadIn in Self.leadIns {
      let last = start > 0 && words[start - 1] == "," ? start - 1 : start
      let first = last - leadIn.count
      guard first >= 0, words[first..<last].elementsEqual(leadIn.map { String($0) }),
        first == 0 || characters[first - 1].isWhitespace
      else { continue }
      start = first
      skipSpace()
      break
    }
    let parts = ChainParts(
      rationale: String(characters[..<start]), cue: String(characters[start..<end]),
      answer: String(characters[end...]))
    return parts.rationale.allSatisfy(\.isWhitespace) || parts.answer.allSatisfy(\.isWhitespace)
      ? nil : parts
  }
}
