import Foundation
import LanguageModel
import Parameters

extension Parameter {
  /// P of InfoSFT.
  public static let familiarProbability = Parameter(
    "infosft_p", .number(0.51...0.9999), default: .number(0.93),
    help: "InfoSFT's P: the probability from which on a token has no weight")
}

extension ObjectiveEntry {
  public static let informationAware = ObjectiveEntry(
    "infosft", stage: .first, data: .chains, parameters: [.familiarProbability],
    help: "InfoSFT: -log p weighted towards tokens of medium probability"
  ) { .informationAware($0.data.chains, familiar: $0.parameters.float(.familiarProbability)) }
}

extension Objective {
  /// InfoSFT: each token's -log p times q max(0, 1 - logit(q) / logit(P)), where q is its own probability, taken as a
  /// constant, and logit(x) = log(x / (1 - x)).
  ///
  /// Source: Sabbaghi et al., 2605.14967, w ∝ q [C - log(q / (1 - q))] with C = logit(P); the factor 1 / C, the bound at 0
  /// and P = 0.93 are those of the released `infosft_normalized_loss`. Its mean is over the tokens of a batch, this one
  /// over those of each chain.
  public static func informationAware(_ chains: [TokenizedChain], familiar: Float = 0.93)
    -> Objective
  {
    let limit = log(familiar / (1 - familiar))
    var objective = chainsOfThought(chains)
    objective.rule = .token { prediction, loss in
      let probability = exp(-loss.negativeLogLikelihood)
      let logit = -loss.negativeLogLikelihood - log1p(-probability)
      let weight = prediction.weight * probability * max(0, 1 - logit / limit)
      return WeightedLoss(value: weight * loss.negativeLogLikelihood, gradientWeight: weight)
    }
    return objective
  }
}
