import KeySteps
import LanguageModel
import Parameters
import Randomness

extension ObjectiveEntry {
  public static let randomPositions = ObjectiveEntry(
    "random-positions", stage: .second, data: .pairs,
    parameters: .keyStepWeights + .guards + .keyTokens,
    help: "control: KRSL's weights at random places"
  ) { input in
    var generator = SeededGenerator(seed: input.seed, stream: "random positions")
    return .randomPositions(
      input.data.pairs, weights: KeyStepWeights(input.parameters),
      negatives: .guarded(input.parameters),
      choice: KeyTokenChoice(input.parameters), using: &generator)
  }
}

extension Objective {
  /// The control of KRSL: as many weighted tokens on each side, at places drawn evenly from all of
  /// the response's.
  public static func randomPositions(
    _ pairs: [TokenizedPair], weights: KeyStepWeights = KeyStepWeights(),
    negatives: NegativeForm = .guarded(above: 20),
    choice: KeyTokenChoice = KeyTokenChoice(), using generator: inout SeededGenerator
  ) -> Objective {
    let examples = pairs.map { pair in
      let keys = pair.keyTokens(choice)
      return example(
        pair, chosen: weights.chosen(keys).shuffled(using: &generator),
        rejected: weights.rejected(keys).shuffled(using: &generator))
    }
    return Objective(examples: examples, negatives: negatives)
  }
}
