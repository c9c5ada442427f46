import LanguageModel
import Parameters

extension ObjectiveEntry {
  public static let cascade = ObjectiveEntry(
    "cascod", stage: .first, data: .chains, parameters: [.lambda, .chainsPerMean],
    help: "CasCoD: rationale, then answer given the rationale",
    decoding: { ArmDecoding(after: $0.cascade, continuation: $0.conclusion) },
    build: { .cascade(try $0.data.pieces, lambda: $0.parameters.float(.lambda)) })
}

extension Objective {
  /// CasCoD: question → rationale, weight 1 - λ; question, rationale and conclusion cue → answer,
  /// weight λ; each mean over its tokens. The rationale is computed once.
  ///
  /// Source: Dai et al., 2405.19842 (CasCoD), section 3; segments and cues as in `LLMCMTDataset`
  /// (`src/datasets/bbh_dataset.py`) of https://github.com/C-W-D/CasCoD, whose script sets λ = 0.1 and
  /// whose means are over 16 chains (`chains_per_mean`).
  public static func cascade(
    _ chains: [ChainPieces], lambda: Float = 0.5
  ) -> Objective {
    Objective(
      examples: chains.map { chain in
        let cues = chain.cues
        let end = [cues.endOfSequence]
        let weight = (1 - lambda) / Float(chain.rationale.count + 1)
        return example(
          chain.id,
          [
            Segment(context: chain.prompt + cues.cascade),
            Segment(
              tokens: chain.rationale, parent: 0, weights: chain.rationale.map { _ in weight }),
            Segment(tokens: end, parent: 1, weights: [weight]),
            branch(cues.conclusion, chain.answer + end, weight: lambda, after: 1),
          ], parts: [[1, 2], [3]])
      })
  }
}
