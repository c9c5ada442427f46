extension ObjectiveEntry {
  /// Every objective, in the order of `--help` and `docs/objectives.md`.
  public static let all: [ObjectiveEntry] = [
    .chains,
    .answers,
    .multiTaskRationale,
    .multiTaskChain,
    .multiTaskAnswerFirst,
    .scott,
    .cascade,
    .keySteps,
    .randomPositions,
    .allTokens,
    .chosenOnly,
    .rejectedOnly,
    .unlikelihood,
    .clipped,
    .dynamic,
    .informationAware,
    .priorProbability,
    .priorMass,
    .gainWeighted,
    .entropy,
    .excessLoss,
    .answerTokens,
    .promptWeighted,
    .directPreference,
    .positivePreference,
    .stepPreference,
    .errorInjected,
    .criticalTokens,
    .reinforcement,
  ]

  /// The objective called `name`; nil where there is none.
  public init?(named name: String) {
    guard let entry = Self.all.first(where: { $0.name == name }) else { return nil }
    self = entry
  }
}
