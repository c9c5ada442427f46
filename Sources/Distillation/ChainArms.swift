import LanguageModel
import Reasoning

/// The arms that train on right chains alone, or on a right and a wrong one as SCOTT does.
extension Objective {
  /// Supervised fine-tuning on chains of thought, EDIT's first stage: weight 1 on every response
  /// token, the mean over a response's tokens, then over responses.
  ///
  /// With the teacher's originally right chains alone this is Std-CoT; with the rectified ones too,
  /// EDIT's stage 1.
  public static func chainsOfThought(_ chains: [TokenizedChain]) -> Objective {
    Objective(
      examples: chains.map { chain in
        let weight = 1 / Float(chain.response.count)
        return TrainingExample(
          id: chain.id,
          tree: PrefixTree(
            prompt: chain.prompt, response: chain.response,
            weights: chain.response.map { _ in weight }),
          usefulTokens: chain.tokenCount)
      })
  }

  /// Answer SFT: the question, then its answer alone, as the end of its chain states it.
  public static func answers(_ chains: [ChainPieces]) -> Objective {
    chainsOfThought(
      chains.map {
        TokenizedChain(
          id: $0.id, prompt: $0.prompt, response: $0.answer + [$0.cues.endOfSequence])
      })
  }

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
  /// each mean over its response's tokens, end-of-sequence included. λ is 0.5, the default of both
  /// https://github.com/google-research/distilling-step-by-step (`--alpha`) and the authors' code.
  public static func multiTask(
    _ chains: [ChainPieces], _ explanation: Explanation, lambda: Float = 0.5
  ) -> Objective {
    Objective(
      examples: chains.map { chain in
        let (cues, end) = (chain.cues, [chain.cues.endOfSequence])
        let (first, second) =
          explanation == .rationale
          ? (cues.rationale, cues.answer) : (cues.explanation, cues.prediction)
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
          ])
      })
  }

  /// SCOTT: `[Factual]` question → right chain, weight 1 - λ; `[Counterfactual]` question and wrong
  /// rationale → the wrong answer alone, weight λ; each mean over its tokens.
  ///
  /// Source: Wang et al., 2305.01879, counterfactual training, with the pairs' wrong chains for its perturbed rationales, as
  /// in the authors' code. Precondition: as many wrong chains as right ones.
  public static func scott(
    chosen: [ChainPieces], rejected: [ChainPieces], lambda: Float = 0.5
  ) -> Objective {
    precondition(
      chosen.count == rejected.count, "\(chosen.count) right, \(rejected.count) wrong chains")
    return Objective(
      examples: zip(chosen, rejected).map { chosen, rejected in
        let (cues, end) = (chosen.cues, [chosen.cues.endOfSequence])
        return example(
          chosen.id,
          [
            Segment(context: cues.factual + chosen.prompt),
            branch([], chosen.chain + end, weight: 1 - lambda, after: 0),
            Segment(
              context: cues.counterfactual + rejected.prompt + rejected.rationale + cues.conclusion),
            branch([], rejected.answer + end, weight: lambda, after: 2),
          ])
      })
  }

  /// CasCoD: question → rationale, weight 1 - λ; question, rationale and conclusion cue → answer,
  /// weight λ; each mean over its tokens. The rationale is computed once.
  ///
  /// Source: Dai et al., 2405.19842 (CasCoD), section 3; `LLMCMTDataset` of the authors' code.
  public static func cascade(
    _ chains: [ChainPieces], lambda: Float = 0.5
  ) -> Objective {
    Objective(
      examples: chains.map { chain in
        let (cues, end) = (chain.cues, [chain.cues.endOfSequence])
        let weight = (1 - lambda) / Float(chain.rationale.count + 1)
        return example(
          chain.id,
          [
            Segment(context: chain.prompt + cues.cascade),
            Segment(
              tokens: chain.rationale, parent: 0, weights: chain.rationale.map { _ in weight }),
            Segment(tokens: end, parent: 1, weights: [weight]),
            branch(cues.conclusion, chain.answer + end, weight: lambda, after: 1),
          ])
      })
  }

  /// Tokens that are predicted after some that are only read, `weight` shared out among them.
  private static func branch(
    _ context: [Int], _ predicted: [Int], weight: Float, after parent: Int
  ) -> Segment {
    let each = weight / Float(predicted.count)
    return Segment(
      tokens: context + predicted, parent: parent,
      weights: context.map { _ in 0 } + predicted.map { _ in each })
  }

  /// An example whose sequences are the paths to those segments that none continues.
  private static func example(_ id: String, _ segments: [Segment]) -> TrainingExample {
    var lengths: [Int] = []
    for segment in segments {
      lengths.append(segment.tokens.count + (segment.parent.map { lengths[$0] } ?? 0))
    }
    let continued = Set(segments.compactMap(\.parent))
    return TrainingExample(
      id: id, tree: PrefixTree(segments),
      usefulTokens: lengths.indices.reduce(0) { continued.contains($1) ? $0 : $0 + lengths[$1] })
  }
}

/// How a student that an arm trained is asked for its answer.
public struct ArmDecoding: Sendable, Hashable {
  /// Token ids before and after the prompt.
  public var before: [Int] = []
  public var after: [Int] = []
  /// What is put after a first response, its end left out, for the answer; nil where one response
  /// is all.
  public var continuation: [Int]?
  /// What stands before the response when it is read: the conclusion cue, where an answer alone is
  /// asked for.
  public var lead: [Int] = []

  /// The prompt as it is, and a chain with its answer.
  public static let plain = ArmDecoding()
}
