import LanguageModel
import Parameters

extension ObjectiveEntry {
  public static let excessLoss = ObjectiveEntry(
    "rho-1", stage: .first, data: .chains, references: [.positive],
    parameters: [.keptFraction.with(default: .number(0.6))],
    help: "the tokens of highest excess loss over a reference model"
  ) { input in
    let models = try input.models()
    return .excessLoss(
      input.data.chains, keeping: input.parameters.float(.keptFraction),
      reference: models.model(.positive), workers: models.workers)
  }
}

extension Objective {
  /// RHO-1, selective language modelling: of each response the `fraction` of tokens whose -log p
  /// exceeds that under `reference` most, the mean over those.
  ///
  /// Source: Lin et al., 2404.07965, section 2.2, which selects over a batch; 0.6 is theirs.
  public static func excessLoss(
    _ chains: [TokenizedChain], keeping fraction: Float = 0.6, reference: Decoder, workers: Workers
  ) -> Objective {
    var objective = chainsOfThought(chains)
    objective.rule = selecting(fraction) { $1.negativeLogLikelihood - $0.reference }
    return objective.compared(with: reference, workers)
  }
}
