import Foundation
import LanguageModel

/// Fine-tuning on chains in which not every token counts alike.
extension Objective {
  /// DFT: each token's -log p times its own probability, taken as a constant.
  ///
  /// Source: Wu et al., 2508.05629, the DFT loss, token by token.
  public static func dynamic(_ chains: [TokenizedChain]) -> Objective {
    var objective = chainsOfThought(chains)
    objective.rule = .token { prediction, loss in
      let weight = prediction.weight * exp(-loss.negativeLogLikelihood)
      return WeightedLoss(value: weight * loss.negativeLogLikelihood, gradientWeight: weight)
    }
    return objective
  }

  /// Only the tokens at which the student is least sure: of each response the `share` with the
  /// highest entropy, the mean over those.
  ///
  /// Source: Wang et al., 2506.01939, section 5, whose mask on policy gradients is one on
  /// fine-tuning here; 0.2 is theirs.
  public static func highEntropy(_ chains: [TokenizedChain], share: Float = 0.2) -> Objective {
    var objective = chainsOfThought(chains)
    objective.rule = selecting(share, needsEntropy: true) { $1.entropy }
    return objective
  }

  /// RHO-1, selective language modelling: of each response the `share` of tokens whose -log p
  /// exceeds that under `reference` most, the mean over those.
  ///
  /// Source: Lin et al., 2404.07965, section 2.2, which selects over a batch; 0.6 is theirs.
  public static func excessLoss(
    _ chains: [TokenizedChain], share: Float = 0.6, reference: Decoder, workers: Workers
  ) -> Objective {
    var objective = chainsOfThought(chains)
    objective.rule = selecting(share) { $1.negativeLogLikelihood - $0.reference }
    return objective.compared(with: reference, workers)
  }

  /// The answer's tokens alone, after the chain that leads to it, the mean over them.
  ///
  /// Source: SFTKey's second stage, 2512.21017.
  public static func answerTokens(_ chains: [ChainPieces]) -> Objective {
    chainsOfThought(
      chains.map {
        TokenizedChain(
          id: $0.id, prompt: $0.prompt + $0.rationale + $0.cue,
          response: $0.answer + [$0.cues.endOfSequence])
      })
  }

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
        let count =
          (promptWeight == 0 ? 0 : predicted) + (responseWeight == 0 ? 0 : chain.response.count)
        let (prompt, response) = (
          promptWeight / Float(max(count, 1)), responseWeight / Float(max(count, 1))
        )
        return TrainingExample(
          id: chain.id,
          tree: PrefixTree([
            Segment(
              tokens: chain.prompt, weights: [0] + (0..<predicted).map { _ in prompt }),
            Segment(
              tokens: chain.response, parent: 0, weights: chain.response.map { _ in response }),
          ]), usefulTokens: chain.tokenCount)
      })
  }

  /// Keeps the `share` of an example's tokens (at least one) with the highest score, the earlier of
  /// equals, and scales their weights up to the sum of all.
  static func selecting(
    _ share: Float, needsEntropy: Bool = false,
    by score: @escaping @Sendable (Prediction, TokenLoss) -> Float
  ) -> LossRule {
    .example(needsEntropy: needsEntropy) { tokens in
      let scores = tokens.map { score($0, $1) }
      let count = max(1, Int((share * Float(tokens.count)).rounded()))
      let order = tokens.indices.sorted { (scores[$1], $0) < (scores[$0], $1) }
      let total = tokens.reduce(0) { $0 + $1.0.weight }
      let scale = total / order.prefix(count).reduce(0) { $0 + tokens[$1].0.weight }
      let kept = Set(order.prefix(count))
      return tokens.enumerated().map { index, token in
        let weight = kept.contains(index) ? scale * token.0.weight : 0
        return WeightedLoss(
          value: weight == 0 ? 0 : weight * token.1.negativeLogLikelihood, gradientWeight: weight)
      }
    }
  }
}
