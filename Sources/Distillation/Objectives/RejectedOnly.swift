import KeySteps
import Parameters

extension ObjectiveEntry {
  public static let rejectedOnly = ObjectiveEntry(
    "wrong-only", stage: .second, data: .pairs,
    parameters: [.beta] + .guards + .keyTokens, help: "KRSL without its chosen side"
  ) { input in
    .keySteps(
      input.data.pairs, weights: KeyStepWeights(input.parameters),
      negatives: .guarded(input.parameters), choice: KeyTokenChoice(input.parameters))
  }
}
