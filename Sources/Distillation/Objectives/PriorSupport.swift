import Foundation
import LanguageModel
import Parameters

extension Parameter {
  /// The threshold of PriFT-mass.
  public static let priorThreshold = Parameter(
    "prift_threshold", .number(0...1), default: .number(0.5),
    help: "the mass of no likelier tokens from which on a token counts")
}

extension ObjectiveEntry {
  public static let priorProbability = ObjectiveEntry(
    "prift-prob", stage: .first, data: .chains,
    help: "PriFT-prob: -log p times p before training"
  ) { input in
    let models = try input.models()
    return .priorSupport(input.data.chains, prior: models.student, workers: models.workers) {
      exp(-$0.negativeLogLikelihood)
    }
  }

  public static let priorMass = ObjectiveEntry(
    "prift-mass", stage: .first, data: .chains, parameters: [.priorThreshold],
    help: "PriFT-mass: the tokens that the student ranks high enough before training"
  ) { input in
    let models = try input.models()
    let threshold = input.parameters.float(.priorThreshold)
    return .priorSupport(
      input.data.chains, prior: models.student, workers: models.workers, needs: .support
    ) { $0.support >= threshold ? 1 : 0 }
  }
}

extension Objective {
  /// PriFT: each token's -log p times a weight that follows from what `prior`, the student before this training, says of
  /// the token: its probability (PriFT-prob), or 1 where the tokens that are no likelier have a mass of at least a
  /// threshold together, else 0 (PriFT-mass). The sum is divided by the number of all the response's tokens.
  ///
  /// Source: Wang et al., 2606.09396, and the released `prift_weights.py`; the threshold 0.5 is theirs.
  public static func priorSupport(
    _ chains: [TokenizedChain], prior: Decoder, workers: Workers, needs: TokenStatistics = [],
    weight: (TokenLoss) -> Float
  ) -> Objective {
    var objective = chainsOfThought(chains)
    let weights = ReferenceLosses(
      of: objective.examples, on: prior, workers: workers, needs: needs, value: weight
    ).values
    for (index, weights) in weights.enumerated() {
      for (segment, weights) in weights.enumerated() {
        objective.examples[index].tree.segments[segment].weights = zip(
          objective.examples[index].tree.segments[segment].weights, weights
        ).map(*)
      }
    }
    return objective
  }
}
