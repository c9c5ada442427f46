import KeySteps
import LanguageModel
import Parameters

extension ObjectiveEntry {
  public static let keySteps = ObjectiveEntry(
    "krsl", stage: .second, data: .pairs,
    parameters: .keyStepWeights + .guards + .keyTokens, takesWeights: true,
    help: "key reasoning steps learning, EDIT's second stage: key tokens weighted"
  ) { input in
    .keySteps(
      input.data.pairs, weights: KeyStepWeights(input.parameters),
      negatives: .guarded(input.parameters), choice: KeyTokenChoice(input.parameters))
  }
}

extension Objective {
  /// Key reasoning steps learning (KRSL), EDIT's second stage, on dual pairs:
  ///
  ///     L = mean over pairs of  1/|r+| Σ w+_t (-log p_t)  +  1/|r-| Σ w-_t (-log p_t)
  ///
  /// with the weights of `KeyStepWeights`, and the rejected side's terms in the form of `negatives`.
  ///
  /// Source: arXiv 2405.19737, section 3.3.
  public static func keySteps(
    _ pairs: [TokenizedPair], weights: KeyStepWeights = KeyStepWeights(), negatives: NegativeForm,
    choice: KeyTokenChoice = KeyTokenChoice()
  ) -> Objective {
    let examples = pairs.map { pair in
      let keys = pair.keyTokens(choice)
      return example(pair, chosen: weights.chosen(keys), rejected: weights.rejected(keys))
    }
    return Objective(examples: examples, negatives: negatives)
  }

  /// KRSL with a guard: a rejected token whose -log p is already above `guardThreshold` (nats) gets
  /// weight 0. The released code of EDIT tests another -log p (`NegativeForm.GuardToken`).
  public static func keySteps(
    _ pairs: [TokenizedPair], weights: KeyStepWeights = KeyStepWeights(),
    guardThreshold: Float = 20, choice: KeyTokenChoice = KeyTokenChoice()
  ) -> Objective {
    keySteps(pairs, weights: weights, negatives: .guarded(above: guardThreshold), choice: choice)
  }
}
