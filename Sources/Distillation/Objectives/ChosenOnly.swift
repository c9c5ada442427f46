import KeySteps
import Parameters

extension ObjectiveEntry {
  public static let chosenOnly = ObjectiveEntry(
    "right-only", stage: .second, data: .pairs,
    parameters: [.alpha, .gamma] + .keyTokens, help: "KRSL without its rejected side"
  ) { input in
    .keySteps(
      input.data.pairs, weights: KeyStepWeights(input.parameters), negatives: .plain,
      choice: KeyTokenChoice(input.parameters))
  }
}
