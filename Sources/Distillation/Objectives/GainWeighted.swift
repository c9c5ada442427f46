import Foundation
import LanguageModel
import Parameters

extension Parameter {
  /// α and β of GLOW.
  public static let gainScale = Parameter(
    "glow_alpha", .number(0...100), default: .number(1),
    help: "GLOW's α: the weight of an example whose loss rises steeply")
  public static let gainSharpness = Parameter(
    "glow_beta", .number(0...10_000), default: .number(20),
    help: "GLOW's β: how sharply the weight falls with the loss's gain over the epoch before")
}

extension ObjectiveEntry {
  public static let gainWeighted = ObjectiveEntry(
    "glow", stage: .first, data: .chains, parameters: [.gainScale, .gainSharpness],
    help: "GLOW: chains weighted by how little their loss fell since the epoch before"
  ) {
    .gainWeighted(
      $0.data.chains, alpha: $0.parameters.number(.gainScale),
      beta: $0.parameters.number(.gainSharpness))
  }
}

extension Objective {
  /// The bounds of GLOW's weights.
  private static let gainWeights = 0.5...5.0

  /// GLOW: each chain's loss times α (1 - σ(β Δ)), bounded to 0.5 … 5 and taken as a constant, where Δ is the loss that it
  /// had in the epoch before less that of now; 1 in the first epoch.
  ///
  /// Source: Tian et al., 2601.04992; the bounds are those of the released trainer, α = 1 and β = 20 what most of the
  /// released configurations have. The paper trains on right and wrong chains alike, this on what it is given.
  public static func gainWeighted(
    _ chains: [TokenizedChain], alpha: Double = 1, beta: Double = 20
  ) -> Objective {
    var objective = chainsOfThought(chains)
    objective.comparesWithEpochBefore = true
    objective.rule = .example { tokens in
      let loss = tokens.reduce(0) {
        $0 + Double($1.0.weight) * Double($1.1.negativeLogLikelihood)
      }
      let before = tokens.first.map { Double($0.0.reference) } ?? -1
      let gain = alpha / (1 + exp(beta * (before - loss)))
      let weight =
        before < 0 ? 1 : min(max(gain, gainWeights.lowerBound), gainWeights.upperBound)
      return tokens.map { prediction, token in
        let weight = Float(weight) * prediction.weight
        return WeightedLoss(
          value: weight * token.negativeLogLikelihood, gradientWeight: weight)
      }
    }
    return objective
  }
}
