import LanguageModel
import Parameters

extension ObjectiveEntry {
  public static let directPreference = ObjectiveEntry(
    "dpo", stage: .second, data: .pairs, parameters: [.preferenceBeta],
    help: "DPO: the chosen response preferred to the rejected one"
  ) { input in
    let models = try input.models()
    return .directPreference(
      input.data.pairs, beta: input.parameters.number(.preferenceBeta), reference: models.student,
      workers: models.workers)
  }
}

extension Objective {
  /// DPO: L = -log σ(β (log π(y+)/π_ref(y+) - log π(y-)/π_ref(y-))).
  ///
  /// The start that both responses share cancels out, and is not predicted at all. Source: Rafailov
  /// et al., 2305.18290, equation 7.
  public static func directPreference(
    _ pairs: [TokenizedPair], beta: Double = 0.1, reference: Decoder, workers: Workers
  ) -> Objective {
    Objective(
      examples: pairs.map { sides($0, shared: 0) }, rule: preference(beta: beta)
    ).withoutDropout.compared(with: reference, workers)
  }
}
