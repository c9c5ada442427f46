import LanguageModel

extension Objective {
  /// The rest of each response in a dual pair's tree, after segment 0: the prompt with the start that both
  /// responses share.
  public static let chosenSegment = 1
  public static let rejectedSegment = 2

  /// A dual pair as one tree: the prompt with the start that both responses share, then the rest of
  /// each. `chosen` and `rejected` are weights of whole responses, not yet divided by their lengths.
  ///
  /// A token of the shared start carries the weights of both sides.
  public static func example(_ pair: TokenizedPair, chosen: [Float], rejected: [Float])
    -> TrainingExample
  {
    let chosenWeights = chosen.map { $0 / Float(pair.chosen.count) }
    let rejectedWeights = rejected.map { $0 / Float(pair.rejected.count) }
    let common = pair.commonStart
    let shared = (0..<common).map { chosenWeights[$0] + rejectedWeights[$0] }
    return tree(pair, shared: shared, chosen: chosenWeights, rejected: rejectedWeights)
  }

  /// A dual pair as one tree in which as many tokens are shared as have weights there; of `chosen`
  /// and `rejected`, weights of whole responses, only the rest counts.
  static func tree(_ pair: TokenizedPair, shared: [Float], chosen: [Float], rejected: [Float])
    -> TrainingExample
  {
    let common = shared.count
    var example = TrainingExample(
      id: pair.id,
      tree: PrefixTree([
        Segment(
          tokens: pair.prompt + pair.chosen[..<common], weights: pair.prompt.map { _ in 0 } + shared
        ),
        Segment(
          tokens: Array(pair.chosen[common...]), parent: 0, weights: Array(chosen[common...])),
        Segment(
          tokens: Array(pair.rejected[common...]), parent: 0, weights: Array(rejected[common...])),
      ]), usefulTokens: pair.tokenCount)
    example.rejectedSegments = [rejectedSegment]
    return example
  }
}
