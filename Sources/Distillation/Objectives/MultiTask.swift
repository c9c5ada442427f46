import LanguageModel
import Parameters

extension ObjectiveEntry {
  public static let multiTaskRationale = multiTask(
    "mt-re", .rationale, help: "rationale and answer, each by its cue (Distilling step-by-step)"
  ) { ArmDecoding(after: $0.answer, lead: $0.conclusion) }

  public static let multiTaskChain = multiTask(
    "mt-cot", .chain, help: "chain with answer, and answer, each by its cue"
  ) { ArmDecoding(after: $0.prediction, lead: $0.conclusion) }

  public static let multiTaskAnswerFirst = multiTask(
    "mt-ra", .answerFirst, help: "answer and then its reasons, and answer, each by its cue"
  ) { ArmDecoding(after: $0.prediction, lead: $0.conclusion) }

  private static func multiTask(
    _ name: String, _ explanation: Objective.Explanation, help: String,
    decoding: @escaping @Sendable (TokenizedCues) -> ArmDecoding
  ) -> ObjectiveEntry {
    ObjectiveEntry(
      name, stage: .first, data: .chains, parameters: [.lambda, .chainsPerMean], help: help,
      decoding: decoding
    ) { .multiTask(try $0.data.pieces, explanation, lambda: $0.parameters.float(.lambda)) }
  }
}

extension Objective {
  /// What the first of a multi-task arm's two responses is.
  public enum Explanation: String, Sendable, CaseIterable {
    /// MT-Re, Distilling step-by-step (2305.02301, section 3.2): the rationale.
    case rationale
    /// MT-CoT (2210.06726): the chain with its answer.
    case chain
    /// MT-Ra (2210.06726, its "reasoning after answer" form): the answer, then why.
    case answerFirst
  }

  /// The multi-task arms: one prompt with two cues,
  ///
  ///     L = (1 - λ) mean of the explanation's -log p + λ mean of the answer's -log p
  ///
  /// each mean over its response's tokens, end-of-sequence included. λ is 0.5, the default of
  /// https://github.com/google-research/distilling-step-by-step (`--alpha`) and of
  /// `src/configs/training.py` in https://github.com/C-W-D/CasCoD, whose script
  /// `shell/run_distilled_cot.sh` sets 0.1 and whose means are over 16 chains (`chains_per_mean`).
  public static func multiTask(
    _ chains: [ChainPieces], _ explanation: Explanation, lambda: Float = 0.5
  ) -> Objective {
    Objective(
      examples: chains.map { chain in
        let cues = chain.cues
        let (first, second) =
          explanation == .rationale
          ? (cues.rationale, cues.answer) : (cues.explanation, cues.prediction)
        let end = [cues.endOfSequence]
        let explained =
          switch explanation {
          case .rationale: chain.rationale
          case .chain: chain.chain
          case .answerFirst: cues.answerFirst + chain.answer + cues.because + chain.rationale
          }
        return example(
          chain.id,
          [
            Segment(context: chain.prompt),
            branch(first, explained + end, weight: 1 - lambda, after: 0),
            branch(second, chain.answer + end, weight: lambda, after: 0),
          ], parts: [[1], [2]])
      })
  }
}
