import KeySteps
import LanguageModel
import Parameters

extension ObjectiveEntry {
  public static let allTokens = ObjectiveEntry(
    "all-tokens", stage: .second, data: .pairs,
    parameters: [.alpha, .beta] + .guards, help: "control: KRSL's weights on all tokens"
  ) { input in
    .allTokens(
      input.data.pairs, weights: KeyStepWeights(input.parameters),
      negatives: .guarded(input.parameters))
  }
}

extension Objective {
  /// The control of KRSL without alignment: α on all tokens of the chosen response, β on all of
  /// the rejected one.
  public static func allTokens(
    _ pairs: [TokenizedPair], weights: KeyStepWeights = KeyStepWeights(),
    negatives: NegativeForm = .guarded(above: 20)
  ) -> Objective {
    Objective(
      examples: pairs.map { pair in
        example(
          pair, chosen: pair.chosen.map { _ in weights.alpha },
          rejected: pair.rejected.map { _ in weights.beta })
      }, negatives: negatives)
  }
}
