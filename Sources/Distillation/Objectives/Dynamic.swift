import Foundation
import LanguageModel

extension ObjectiveEntry {
  public static let dynamic = ObjectiveEntry(
    "dft", stage: .first, data: .chains, help: "-log p times p"
  ) { .dynamic($0.data.chains) }
}

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
}
