/// The key tokens of a dual pair of responses: where its right and its wrong chain of thought part.
///
/// A token of either side is a *key token* when the minimum edit script (Levenshtein, unit costs)
/// from its own side to the other deletes or replaces it. Of several minimum scripts the
/// back-trace, from the end to the start, prefers a deletion, then an insertion, then the diagonal
/// (match or replacement).
///
///     right  4 + 3 = 0 ; ans 0        right key  + 0 0
///     wrong  4 * 3 = 5 ; ans 5        wrong key  * 5 5
///
/// Where a side is empty, every token of the other is a key token; equal sides have none.
///
/// Source: Dai, Li, Zhou, Hu, arXiv 2405.19737, section 3.3; ties as in `edit_dis_precal.py` of the
/// authors' code (https://github.com/C-W-D/CasCoD).
public struct KeyTokens: Hashable, Sendable {
  /// Which scripts the two sides' key tokens come from.
  public enum Scripts: Hashable, Sendable {
    /// Each side's from the script from itself to the other, as in the authors' code. With several
    /// minimum scripts the two need not be each other's reverse.
    case eachSide
    /// Both from the script from the right side to the wrong one: what it deletes or replaces on
    /// the right, what it inserts or puts there on the wrong.
    case shared
  }

  /// Indices of the right side's key tokens, rising.
  public private(set) var right: [Int]
  /// Indices of the wrong side's key tokens, rising.
  public private(set) var wrong: [Int]
  /// How many tokens the right side has.
  public let rightCount: Int
  /// How many tokens the wrong side has.
  public let wrongCount: Int
  /// The Levenshtein distance of the two sides: the edits of a minimum script.
  public let distance: Int

  /// Finds the key tokens of the responses `right` and `wrong`, token ids with their
  /// end-of-sequence tokens.
  ///
  /// Time grows with the product of the two lengths over 64; one table serves both sides.
  public init(right: [Int], wrong: [Int], scripts: Scripts = .eachSide) {
    let table = EditTable(from: right, to: wrong)
    let fromRight = table.script(right, wrong, preferring: .deleting)
    self.right = fromRight.deleted
    switch scripts {
    case .eachSide:
      self.wrong = table.script(right, wrong, preferring: .inserting).inserted
    case .shared:
      self.wrong = fromRight.inserted
    }
    rightCount = right.count
    wrongCount = wrong.count
    distance = table.distance
  }

  init(right: [Int], wrong: [Int], rightCount: Int, wrongCount: Int, distance: Int) {
    self.right = right
    self.wrong = wrong
    self.rightCount = rightCount
    self.wrongCount = wrongCount
    self.distance = distance
  }

  /// For each token of the right side, whether it is a key token.
  public var rightMask: [Bool] { Self.mask(right, count: rightCount) }

  /// For each token of the wrong side, whether it is a key token.
  public var wrongMask: [Bool] { Self.mask(wrong, count: wrongCount) }

  /// The key share: key tokens of both sides over tokens of both sides; 0 for two empty sides.
  public var share: Double {
    Double(right.count + wrong.count) / Double(max(rightCount + wrongCount, 1))
  }

  /// These key tokens with the wrong side's kept only in their first unbroken run.
  ///
  /// What follows from a mistake is often right given its prefix; this leaves the mistake itself.
  public func keepingFirstRunOfWrong() -> KeyTokens {
    var kept = self
    kept.wrong = Self.firstRun(of: wrong)
    return kept
  }

  /// These key tokens with the right side's kept only in their first unbroken run.
  public func keepingFirstRunOfRight() -> KeyTokens {
    var kept = self
    kept.right = Self.firstRun(of: right)
    return kept
  }

  private static func firstRun(of indices: [Int]) -> [Int] {
    guard let first = indices.first else { return [] }
    return indices.enumerated().prefix { offset, index in index == first + offset }.map(\.element)
  }

  private static func mask(_ indices: [Int], count: Int) -> [Bool] {
    var mask = Array(repeating: false, count: count)
    for index in indices { mask[index] = true }
    return mask
  }
}
