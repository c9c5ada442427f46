import LanguageModel
import Parameters

extension ObjectiveEntry {
  public static let entropy = ObjectiveEntry(
    "entropy", stage: .first, data: .chains,
    parameters: [.keptFraction.with(default: .number(0.2))], help: "the tokens of highest entropy"
  ) { .highEntropy($0.data.chains, keeping: $0.parameters.float(.keptFraction)) }
}

extension Objective {
  /// Only the tokens at which the student is least sure: of each response the `fraction` with
  /// the highest entropy, the mean over those.
  ///
  /// Source: Wang et al., 2506.01939, section 5, whose mask on policy gradients is one on
  /// fine-tuning here; 0.2 is theirs.
  public static func highEntropy(_ chains: [TokenizedChain], keeping fraction: Float = 0.2)
    -> Objective
  {
    var objective = chainsOfThought(chains)
    objective.rule = selecting(fraction, needs: .entropy) { $1.entropy }
    return objective
  }
}
