import Reasoning

/// Leaves out dual pairs that are too long, or whose two sides are too much alike.
public struct PairFilter: Sendable {
  /// Pairs whose ROUGE-2 (F1 of their bigrams, at most 1) is above it are dropped; 1.01 drops none.
  public var bigramOverlap: Double
  public var limit: ChainLimit?

  public init(bigramOverlap: Double = 1.01, limit: ChainLimit? = nil) {
    self.bigramOverlap = bigramOverlap
    self.limit = limit
  }

  /// Why `pair` is left out; nil if it is kept.
  public func reason(against pair: DualChainOfThought) -> DropReason? {
    if pair.chosen.text == pair.rejected.text { return .identical }
    if let limit, !limit.holds(pair.chosen) || !limit.holds(pair.rejected) { return .overLength }
    return BigramOverlap.f1(pair.chosen.text, pair.rejected.text) > bigramOverlap ? .alike : nil
  }

  /// Those of `pairs` that are kept, and the counts of kept and dropped pairs and of `unpaired`
  /// chains.
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
}
