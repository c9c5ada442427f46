import LanguageModel

extension ObjectiveEntry {
  public static let chains = ObjectiveEntry(
    "sft", stage: .first, data: .chains, parameters: [.chainsPerMean], takesWeights: true,
    help: "supervised fine-tuning on correct chains"
  ) { .chainsOfThought($0.data.chains) }
}

extension Objective {
  /// Supervised fine-tuning on chains of thought, EDIT's first stage: weight 1 on every token that the
  /// assistant writes, the mean over a response's tokens, then over responses.
  ///
  /// With the teacher's originally correct chains alone this is Std-CoT; with the rectified ones too,
  /// EDIT's stage 1.
  public static func chainsOfThought(_ chains: [TokenizedChain]) -> Objective {
    Objective(
      examples: chains.map { chain in
        let weight = 1 / Float(chain.writtenCount)
        return TrainingExample(
          id: chain.id,
          tree: PrefixTree(
            prompt: chain.prompt, response: chain.response,
            weights: chain.weights(weight)),
          usefulTokens: chain.tokenCount, parts: [[1]])
      })
  }
}
