import LanguageModel
import Parameters

extension Parameter {
  /// α of REDI.
  public static let rediAlpha = Parameter(
    "redi_alpha", .number(0...100), default: .number(0.8), help: "weight of rejected responses")
}

extension ObjectiveEntry {
  public static let reinforcement = ObjectiveEntry(
    "redi", stage: .second, data: .pairs, parameters: [.rediAlpha] + .guards,
    help: "REDI: likelihood of chosen responses less that of rejected ones"
  ) { input in
    .reinforcement(
      input.data.pairs, alpha: input.parameters.float(.rediAlpha),
      negatives: .guarded(input.parameters))
  }
}

extension Objective {
  /// REDI: L = -log π(y+)/|y+| + α log π(y-)/|y-|, likelihoods of whole responses.
  ///
  /// Source: Xu et al., 2505.24850, the REDI objective; α = 0.8 is theirs. It bounds nothing by
  /// itself, and so takes a form for its negatives.
  public static func reinforcement(
    _ pairs: [TokenizedPair], alpha: Float = 0.8, negatives: NegativeForm = .plain
  ) -> Objective {
    Objective(
      examples: pairs.map {
        example($0, chosen: $0.chosen.map { _ in 1 }, rejected: $0.rejected.map { _ in -alpha })
      }, negatives: negatives)
  }
}
