import LanguageModel
import Parameters

extension ObjectiveEntry {
  public static let errorInjected = ObjectiveEntry(
    "rise", stage: .second, data: .pairs,
    parameters: [.preferenceBeta.with(default: .number(0.4))],
    help: "RISE: DPO on whole responses, and on the first step that differs"
  ) { input in
    let models = try input.models()
    return .errorInjected(
      input.data.pairs, beta: input.parameters.number(.preferenceBeta), reference: models.student,
      workers: models.workers)
  }
}

extension Objective {
  /// RISE: DPO on each pair of whole responses, and beside it on the pair of the step that was edited and the same step
  /// before, after all that they share.
  ///
  /// Source: Xu et al., 2410.06638, as the released code trains it: pairs of whole solutions and of edited steps in one
  /// data set, plain DPO with β = 0.4. The edits are those that the pairs come with, as `keystep corrupt` makes them. The
  /// paper's further term of -log p of chosen responses is not in the released code, and is not here.
  public static func errorInjected(
    _ pairs: [TokenizedPair], beta: Double = 0.4, reference: Decoder, workers: Workers
  ) -> Objective {
    var objective = directPreference(pairs, beta: beta, reference: reference, workers: workers)
    objective.examples +=
      stepPreference(
        pairs, beta: beta, reference: reference, workers: workers
      ).examples
    return objective
  }
}
