import KeySteps
import Parameters

extension Parameter {
  /// See `NegativeForm.clipped`.
  public static let clip = Parameter(
    "clip", .number(0...1000), default: .number(5),
    help: "-log p in nats at which a rejected key token stops counting")
}

extension ObjectiveEntry {
  public static let clipped = ObjectiveEntry(
    "clipped", stage: .second, data: .pairs,
    parameters: .keyStepWeights + [.clip] + .keyTokens,
    help: "KRSL with the rejected side's -log p clipped"
  ) { input in
    .keySteps(
      input.data.pairs, weights: KeyStepWeights(input.parameters),
      negatives: .clipped(at: input.parameters.float(.clip)),
      choice: KeyTokenChoice(input.parameters))
  }
}
