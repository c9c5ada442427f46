import LanguageModel
import Parameters

extension Parameter {
  /// λ of DPOP.
  public static let preferencePenalty = Parameter(
    "preference_penalty", .number(0...10_000), default: .number(50),
    help: "penalty on a chosen response that becomes less likely")
}

extension ObjectiveEntry {
  public static let positivePreference = ObjectiveEntry(
    "dpop", stage: .second, data: .pairs, parameters: [.preferenceBeta, .preferencePenalty],
    help: "DPO-Positive: DPO that keeps chosen responses likely"
  ) { input in
    let models = try input.models()
    return .positivePreference(
      input.data.pairs, beta: input.parameters.number(.preferenceBeta),
      penalty: input.parameters.number(.preferencePenalty), reference: models.student,
      workers: models.workers)
  }
}

extension Objective {
  /// DPOP, DPO-Positive: DPO with λ max(0, log π_ref(y+)/π(y+)) taken off inside the σ's β, so that
  /// the chosen response does not become less likely.
  ///
  /// Source: Pal et al., 2402.13228, the DPOP loss; λ = 50 is theirs.
  public static func positivePreference(
    _ pairs: [TokenizedPair], beta: Double = 0.1, penalty: Double = 50, reference: Decoder,
    workers: Workers
  ) -> Objective {
    Objective(
      examples: pairs.map { sides($0, shared: 1) },
      rule: preference(beta: beta, penalty: penalty)
    ).withoutDropout.compared(with: reference, workers)
  }
}
