import LanguageModel
import Parameters

extension ObjectiveEntry {
  public static let scott = ObjectiveEntry(
    "scott", stage: .first, data: .pairs, parameters: [.lambda, .chainsPerMean],
    help: "correct chains, and incorrect answers after incorrect rationales",
    decoding: { ArmDecoding(before: $0.factual) },
    build: { input in
      let data = input.data
      return .scott(
        chosen: try data.pieces(of: data.pairs.map(\.chosenChain)),
        rejected: try data.pieces(of: data.pairs.map(\.rejectedChain)),
        lambda: input.parameters.float(.lambda))
    })
}

extension Objective {
  /// SCOTT: `[Factual]` question → correct chain, weight 1 - λ; `[Counterfactual]` question and
  /// incorrect rationale → the incorrect answer alone, weight λ; each mean over its tokens.
  ///
  /// Source: Wang et al., 2305.01879, counterfactual training, with the pairs' rejected chains for
  /// its perturbed rationales, as in `LLMSCOTTDataset` of https://github.com/C-W-D/CasCoD, whose means
  /// are over 16 chains (`chains_per_mean`). Precondition: as many rejected chains as chosen ones.
  public static func scott(
    chosen: [ChainPieces], rejected: [ChainPieces], lambda: Float = 0.5
  ) -> Objective {
    precondition(
      chosen.count == rejected.count, "\(chosen.count) chosen, \(rejected.count) rejected chains")
    return Objective(
      examples: zip(chosen, rejected).map { chosen, rejected in
        let cues = chosen.cues
        let end = [cues.endOfSequence]
        return example(
          chosen.id,
          [
            Segment(context: cues.put(cues.factual, before: chosen.prompt)),
            branch([], chosen.chain + end, weight: 1 - lambda, after: 0),
            Segment(
              context: cues.put(cues.counterfactual, before: rejected.prompt)
                + rejected.rationale + cues.conclusion),
            branch([], rejected.answer + end, weight: lambda, after: 2),
          ], parts: [[1], [3]])
      })
  }
}
