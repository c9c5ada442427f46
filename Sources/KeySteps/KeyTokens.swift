/// The key tokens of a dual pair of responses: where its chosen and its rejected chain of thought differ.
///
/// A token of either side is a *key token* when the minimum edit script (Levenshtein, unit costs)
/// from its own side to the other deletes or replaces it. Of several minimum scripts the
/// back-trace, from the end to the start, prefers a deletion, then an insertion, then the diagonal
/// (match or replacement).
///
///     chosen    4 + 3 = 0 ; ans 0        key tokens  + 0 0
///     rejected  4 * 3 = 5 ; ans 5        key tokens  * 5 5
///
/// Where a side is empty, every token of the other is a key token; equal sides have none.
///
/// Source: Dai, Li, Zhou, Hu, arXiv 2405.19737, section 3.3; ties as in `edit_dis_precal.py` of
/// https://github.com/C-W-D/CasCoD at 3468d15, which aligns padded sequences (`AlignmentScope`).
public struct KeyTokens: Hashable, Sendable {
  /// Which scripts the two sides' key tokens come from.
  public enum Scripts: Hashable, Sendable {
    /// Each side's from the script from itself to the other, as in `edit_dis_precal.py`. With several
    /// minimum scripts the two need not be each other's reverse.
    case eachSide
    /// Both from the script from the chosen side to the rejected one: what it deletes or replaces on
    /// the right, what it inserts or puts there on the wrong.
    case shared
  }

  /// Indices of the chosen side's key tokens, rising.
  public private(set) var chosen: [Int]
  /// Indices of the rejected side's key tokens, rising.
  public private(set) var rejected: [Int]
  /// How many tokens the chosen side has.
  public let chosenCount: Int
  /// How many tokens the rejected side has.
  public let rejectedCount: Int
  /// The Levenshtein distance of the two sides: the edits of a minimum script.
  public let distance: Int

  /// Finds the key tokens of the responses `right` and `wrong`, token ids with their
  /// end-of-sequence tokens.
  ///
  /// Time grows with the product of the two lengths over 64; one table serves both sides.
  public init(chosen: [Int], rejected: [Int], scripts: Scripts = .eachSide) {
    let table = EditTable(from: chosen, to: rejected)
    let fromChosen = table.script(chosen, rejected, preferring: .deleting)
    self.chosen = fromChosen.deleted
    switch scripts {
    case .eachSide:
      self.rejected = table.script(chosen, rejected, preferring: .inserting).inserted
    case .shared:
      self.rejected = fromChosen.inserted
    }
    chosenCount = chosen.count
    rejectedCount = rejected.count
    distance = table.distance
  }

  init(chosen: [Int], rejected: [Int], chosenCount: Int, rejectedCount: Int, distance: Int) {
    self.chosen = chosen
    self.rejected = rejected
    self.chosenCount = chosenCount
    self.rejectedCount = rejectedCount
    self.distance = distance
  }

  /// For each token of the chosen side, whether it is a key token.
  public var chosenMask: [Bool] { Self.mask(chosen, count: chosenCount) }

  /// For each token of the rejected side, whether it is a key token.
  public var rejectedMask: [Bool] { Self.mask(rejected, count: rejectedCount) }

  /// The fraction of key tokens: key tokens of both sides over tokens of both sides; 0 for two empty sides.
  public var fraction: Double {
    Double(chosen.count + rejected.count) / Double(max(chosenCount + rejectedCount, 1))
  }

  /// These key tokens with the rejected side's kept only in their first unbroken run.
  ///
  /// What follows from a mistake is often right given its prefix; this leaves the mistake itself.
  public func keepingFirstRunOfRejected() -> KeyTokens {
    var kept = self
    kept.rejected = Self.firstRun(of: rejected)
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
