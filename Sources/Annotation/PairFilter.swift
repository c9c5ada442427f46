import Files
import Reasoning

/// Makes dual pairs of a teacher's chains, and leaves some out.
public struct PairFilter: Sendable {
  /// Pairs whose ROUGE-2 (F1 of their bigrams) is above it are dropped; 1 is the most there is, so
  /// that 1.01 drops none.
  public var bigramOverlap: Double
  public var limit: ChainLimit?

  public init(bigramOverlap: Double = 1.01, limit: ChainLimit? = nil) {
    self.bigramOverlap = bigramOverlap
    self.limit = limit
  }

  /// Why `pair` is to be left out; nil where it is not.
  public func reason(against pair: DualChainOfThought) -> DropReason? {
    if pair.chosen.text == pair.rejected.text { return .identical }
    if let limit, !limit.holds(pair.chosen) || !limit.holds(pair.rejected) { return .overLength }
    return BigramOverlap.f1(pair.chosen.text, pair.rejected.text) > bigramOverlap ? .alike : nil
  }

  /// Those of `pairs` that stay, and what became of all of them and of the `unpaired` chains beside
  /// them.
  public func kept(of pairs: [DualChainOfThought], unpaired: Int) -> (
    pairs: [DualChainOfThought], tally: StepTally
  ) {
    var tally = StepTally("pair")
    if unpaired > 0 { tally.dropped[.unpaired] = unpaired }
    let kept = pairs.filter { pair in
      guard let reason = reason(against: pair) else { return true }
      tally.dropped[reason, default: 0] += 1
      return false
    }
    if !kept.isEmpty { tally.kept[1] = kept.count }
    return (kept, tally)
  }

  /// The pairs of `chains`: the original right one of a question with its corruption, the
  /// rectified one with the original wrong one, in the order of their first chain.
  ///
  /// Of several such chains of one question the first counts. A chain must know whether it is
  /// correct; recorded ones stand for original ones, or for what these lack. Throws a `FileError`
  /// where chains of one question have different prompts.
  public static func pairs(of chains: [ChainOfThought], file: String) throws -> (
    pairs: [DualChainOfThought], unpaired: Int
  ) {
    var order: [String] = []
    var byQuestion: [String: [ChainOfThought]] = [:]
    for chain in chains {
      if byQuestion[chain.questionID] == nil { order.append(chain.questionID) }
      byQuestion[chain.questionID, default: []].append(chain)
    }
    var unpaired = 0
    let pairs = try order.compactMap { id -> DualChainOfThought? in
      let group = byQuestion[id] ?? []
      if let other = group.first(where: { $0.prompt != group[0].prompt }) {
        throw FileError(
          file: file, location: "question \(id)", expected: "one prompt for all its chains",
          found: "\"\(group[0].prompt.prefix(40))\" and \"\(other.prompt.prefix(40))\"")
      }
      func first(_ isCorrect: Bool, _ origins: ChainOfThought.Origin...) -> ChainOfThought? {
        group.first { $0.isCorrect == isCorrect && origins.contains($0.origin) }
      }
      let sides = [
        (first(true, .original, .recorded), first(false, .corrupted, .recorded)),
        (first(true, .rectified, .recorded), first(false, .original, .recorded)),
      ].lazy.compactMap { chosen, rejected in
        chosen.flatMap { chosen in rejected.map { (chosen, $0) } }
      }
      guard let (chosen, rejected) = sides.first else {
        unpaired += 1
        return nil
      }
      return DualChainOfThought(chosen: chosen, rejected: rejected, goldAnswer: chosen.answer)
    }
    return (pairs, unpaired)
  }
}
