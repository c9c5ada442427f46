import LanguageModel
import Parameters

extension ObjectiveEntry {
  public static let stepPreference = ObjectiveEntry(
    "step-dpo", stage: .second, data: .pairs,
    parameters: [.preferenceBeta.with(default: .number(0.4))],
    help: "Step-DPO: DPO on the first step that differs"
  ) { input in
    let models = try input.models()
    return .stepPreference(
      input.data.pairs, beta: input.parameters.number(.preferenceBeta), reference: models.student,
      workers: models.workers)
  }
}

extension Objective {
  /// Step-DPO: DPO on the first step in which the two responses differ, after all that they share;
  /// what follows it is left out.
  ///
  /// Source: Lai et al., 2406.18629, section 3.1; β = 0.4 is theirs.
  public static func stepPreference(
    _ pairs: [TokenizedPair], beta: Double = 0.4, reference: Decoder, workers: Workers
  ) -> Objective {
    Objective(
      examples: pairs.map { pair in
        let (common, units) = (pair.commonStart, pair.units(.step))
        func step(_ tokens: [Int], _ units: [Int]) -> [Float] {
          let end = units.first { $0 > common } ?? tokens.count
          return tokens.indices.map { $0 < end ? 1 : 0 }
        }
        return tree(
          pair, shared: (0..<common).map { _ in 0 }, chosen: step(pair.chosen, units.chosen),
          rejected: step(pair.rejected, units.rejected))
      }, rule: preference(beta: beta)
    ).withoutDropout.compared(with: reference, workers)
  }
}
