import LanguageModel
import Parameters

extension Parameter {
  public static let promptWeight = Parameter(
    "prompt_weight", .number(0...100), default: .number(0.1), help: "weight of prompt tokens")
  public static let responseWeight = Parameter(
    "response_weight", .number(0...100), default: .number(1), help: "weight of response tokens")
}

extension ObjectiveEntry {
  public static let promptWeighted = ObjectiveEntry(
    "prompt-weighted", stage: .first, data: .chains,
    parameters: [.promptWeight, .responseWeight], help: "prompt tokens weighted too"
  ) { input in
    .promptAndResponse(
      input.data.chains, promptWeight: input.parameters.float(.promptWeight),
      responseWeight: input.parameters.float(.responseWeight))
  }
}

extension Objective {
  /// Prompt tokens weighted too: (λ_p Σ of the prompt's -log p + λ_r Σ of the response's) over the
  /// number of tokens that have a weight.
  ///
  /// A prompt's first token has nothing before it and is not predicted. Source: weighted
  /// instruction tuning, 2507.07817, the WIT loss.
  public static func promptAndResponse(
    _ chains: [TokenizedChain], promptWeight: Float = 0.1, responseWeight: Float = 1
  ) -> Objective {
    Objective(
      examples: chains.map { chain in
        let predicted = chain.prompt.count - 1
        let written = chain.writtenCount
        // What stands between the turns of a conversation is prompt too.
        let others = predicted + chain.response.count - written
        let count = (promptWeight == 0 ? 0 : others) + (responseWeight == 0 ? 0 : written)
        let (prompt, response) = (
          promptWeight / Float(max(count, 1)), responseWeight / Float(max(count, 1))
        )
        return TrainingExample(
          id: chain.id,
          tree: PrefixTree([
            Segment(
              tokens: chain.prompt, weights: [0] + (0..<predicted).map { _ in prompt }),
            Segment(
              tokens: chain.response, parent: 0, weights: chain.weights(response, other: prompt)),
          ]), usefulTokens: chain.tokenCount)
      })
  }
}
