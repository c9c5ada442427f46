/// What is aligned to find the key tokens of a dual pair, and how much of a chain one of them marks.
public enum AlignmentUnit: String, CaseIterable, Hashable, Sendable, Codable {
  /// The edit script runs over tokens, as in the paper.
  case token
  /// The script runs over words; all tokens of a word it edits are key tokens.
  case word
  /// The script runs over sentences.
  case sentence
  /// The script runs over tokens; a key token marks the whole sentence it stands in.
  case step
}

extension KeyTokens {
  /// Finds the key tokens by the edit script over units: runs of tokens such as words, equal where
  /// their tokens are. Every token of a unit that the script deletes or replaces is a key token.
  ///
  /// `chosenUnits` and `rejectedUnits` are the indices where a unit begins, rising from 0; `distance`
  /// counts edits of units. Precondition: each side's units begin with its first token.
  public init(
    chosen: [Int], rejected: [Int], chosenUnits: [Int], rejectedUnits: [Int],
    scripts: Scripts = .eachSide
  ) {
    let (rightRanges, wrongRanges) = (
      Self.ranges(chosenUnits, count: chosen.count),
      Self.ranges(rejectedUnits, count: rejected.count)
    )
    var kinds: [ArraySlice<Int>: Int] = [:]
    func kind(_ unit: ArraySlice<Int>) -> Int {
      let kind = kinds[unit] ?? kinds.count
      kinds[unit] = kind
      return kind
    }
    let units = KeyTokens(
      chosen: rightRanges.map { kind(chosen[$0]) },
      rejected: wrongRanges.map { kind(rejected[$0]) },
      scripts: scripts)
    self.init(
      chosen: units.chosen.flatMap { rightRanges[$0] },
      rejected: units.rejected.flatMap { wrongRanges[$0] },
      chosenCount: chosen.count, rejectedCount: rejected.count, distance: units.distance)
  }

  /// These key tokens with every other token of the units they stand in; units as above.
  public func widened(toChosenUnits chosenUnits: [Int], rejectedUnits: [Int]) -> KeyTokens {
    func widened(_ keys: [Int], _ units: [Range<Int>]) -> [Int] {
      let keys = Set(keys)
      return units.filter { $0.contains(where: keys.contains) }.flatMap { $0 }
    }
    return KeyTokens(
      chosen: widened(chosen, Self.ranges(chosenUnits, count: chosenCount)),
      rejected: widened(rejected, Self.ranges(rejectedUnits, count: rejectedCount)),
      chosenCount: chosenCount, rejectedCount: rejectedCount, distance: distance)
  }

  private static func ranges(_ starts: [Int], count: Int) -> [Range<Int>] {
    precondition(
      starts.first ?? count == 0 && starts.last ?? 0 <= count,
      "units that begin at \(starts.prefix(4)) do not cover \(count) tokens")
    return zip(starts, starts.dropFirst() + [count]).map { $0..<$1 }
  }
}
