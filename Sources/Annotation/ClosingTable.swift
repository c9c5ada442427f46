import Files

/// Why a question, a response or a pair was left out.
public enum DropReason: String, CaseIterable, Codable, Sendable {
  /// An earlier question asks the same.
  case repeatedQuestion = "repeated question"
  /// The question has no gold answer to judge by.
  case noGoldAnswer = "no gold answer"
  /// The prompt is longer than the teacher reads.
  case promptOverLength = "prompt over length"
  /// The endpoint rejects the request for this question alone (status 400 or 422).
  case rejected
  /// No try brought an answer that can be read, while other questions are answered.
  case unanswered
  /// A content filter withheld the response or rejected the prompt.
  case filtered = "content filter"
  /// The teacher refused to answer.
  case refused
  /// The teacher called a tool instead of answering.
  case toolCall = "tool call"
  /// The teacher had no text.
  case noText = "no text"
  /// The text holds white space alone.
  case empty
  /// The response was cut off at the most tokens allowed, or its reasoning block is not closed.
  case truncated
  /// The text holds replacement or control characters.
  case garbled
  /// The text states no answer after its cue.
  case noCue = "no cue"
  /// The corruption repeats the right response, or a pair's two sides are the same.
  case identical
  /// A rectified chain ends in another answer than the gold one, or a corrupted one in it.
  case wrongSide = "wrong side"
  /// The chain has more tokens than are allowed.
  case overLength = "over length"
  /// The sides of a pair have more bigrams in common than are allowed.
  case alike = "ROUGE-2 filter"
  /// A chain has no other side.
  case unpaired = "no other side"
}

/// What became of the items of one step: a column of the closing table.
public struct StepTally: Hashable, Sendable {
  public var name: String
  /// Chains (or pairs) that were kept, by the number of tries they took.
  public var kept: [Int: Int] = [:]
  /// Of those, the chains that end in the gold answer; nil for pairs.
  public var correct: Int?
  public var dropped: [DropReason: Int] = [:]
  /// Items that were not finished when the run ended.
  public var unfinished = 0

  public init(_ name: String, correct: Int? = nil) {
    self.name = name
    self.correct = correct
  }

  public var keptCount: Int { kept.values.reduce(0, +) }
  public var count: Int { keptCount + dropped.values.reduce(0, +) + unfinished }

  /// Counts what became of an item; nil: it was not finished.
  mutating func add(_ outcome: AnnotationOutcome?) {
    switch outcome {
    case .kept(let chain):
      kept[chain.tries ?? 1, default: 0] += 1
      correct = correct.map { $0 + (chain.isCorrect == true ? 1 : 0) }
    case .dropped(let reason): dropped[reason, default: 0] += 1
    case nil: unfinished += 1
    }
  }
}

/// The closing table: what was kept and dropped, and why, a column for each step.
///
///                           annotate  corrupt
///     asked for                   12        7
///     kept                        10        7
///       right                      7        0
///       on try 3                   1        0
///     dropped: no cue              2        0
///
/// Rows of zeros alone are left out.
public struct ClosingTable: CustomStringConvertible {
  public var steps: [StepTally]

  public init(_ steps: [StepTally]) { self.steps = steps }

  public var description: String {
    var rows: [(String, [Int?])] = [
      ("asked for", steps.map(\.count)), ("kept", steps.map(\.keptCount)),
      ("  right", steps.map(\.correct)),
    ]
    let tries = Set(steps.flatMap(\.kept.keys)).filter { $0 > 1 }.sorted()
    rows += tries.map { tries in ("  on try \(tries)", steps.map { $0.kept[tries] ?? 0 }) }
    rows += DropReason.allCases.map { reason in
      ("dropped: \(reason.rawValue)", steps.map { $0.dropped[reason] ?? 0 })
    }
    rows.append(("not finished", steps.map(\.unfinished)))
    rows = rows.prefix(2) + rows.dropFirst(2).filter { $0.1.contains { $0 ?? 0 > 0 } }
    let cells = rows.map { [$0.0] + $0.1.map { $0.map(String.init) ?? "" } }
    return TextTable(
      [[""] + steps.map(\.name)] + cells, alignments: [.left] + steps.map { _ in .right }
    ).text
  }
}
