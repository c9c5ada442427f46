import KeySteps
import Parameters

extension ObjectiveEntry {
  public static let unlikelihood = ObjectiveEntry(
    "unlikelihood", stage: .second, data: .pairs,
    parameters: .keyStepWeights + .keyTokens,
    help: "KRSL with -log(1 - p) on the rejected side's key tokens"
  ) { input in
    .keySteps(
      input.data.pairs, weights: KeyStepWeights(input.parameters), negatives: .unlikelihood,
      choice: KeyTokenChoice(input.parameters))
  }
}
