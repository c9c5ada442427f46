import KeySteps
import LanguageModel
import Randomness

/// One example as an objective wants it trained: which tokens carry which weight.
public struct TrainingExample: Sendable {
  /// Names it in messages.
  public var id: String
  /// Its segments; weights already divided by the example's own divisor.
  public var tree: SegmentTree
  /// Tokens of its sequences, each counted whole, however little of them is computed.
  public var usefulTokens: Int

  public init(id: String, tree: SegmentTree, usefulTokens: Int) {
    self.id = id
    self.tree = tree
    self.usefulTokens = usefulTokens
  }
}

/// What is trained: examples, and how the losses of their tokens make the loss.
///
/// A distillation method is a function that returns one of these; the training loop is the same for
/// all.
public struct Objective: Sendable {
  public var examples: [TrainingExample]
  public var rule: LossRule

  public init(examples: [TrainingExample], rule: LossRule = .weighted) {
    self.examples = examples
    self.rule = rule
  }
}

// MARK: - Chains

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
          tree: SegmentTree(
            prompt: chain.prompt, response: chain.response,
            weights: chain.response.map { _ in weight }),
          usefulTokens: chain.tokenCount)
      })
  }
}

// MARK: - Dual pairs

/// Which of a pair's tokens the wrong side's weight goes to, and which script says so.
public struct KeyTokenChoice: Sendable, Hashable, Codable {
  /// Whether both sides' key tokens come from one script instead of one for each side.
  public var sharesScript: Bool
  /// Whether the wrong side's key tokens are only those of the first divergent run: what follows
  /// from a mistake is often right given its prefix.
  public var onlyFirstWrongRun: Bool

  public init(sharesScript: Bool = false, onlyFirstWrongRun: Bool = false) {
    self.sharesScript = sharesScript
    self.onlyFirstWrongRun = onlyFirstWrongRun
  }

  public func keyTokens(of pair: TokenizedPair) -> KeyTokens {
    let keys = KeyTokens(
      right: pair.right, wrong: pair.wrong, scripts: sharesScript ? .shared : .eachSide)
    return onlyFirstWrongRun ? keys.keepingFirstRunOfWrong() : keys
  }
}

extension Objective {
  /// Key reasoning steps learning (KRSL), EDIT's second stage, on dual pairs:
  ///
  ///     L = mean over pairs of  1/|r+| Σ w+_t (-log p_t)  +  1/|r-| Σ w-_t (-log p_t)
  ///
  /// with the weights of `KeyStepWeights`. A wrong-side token whose -log p is already above
  /// `guardThreshold` (nats) gets weight 0, from the forward pass's own value and without a
  /// gradient.
  ///
  /// Source: arXiv 2405.19737, section 3.3; the guard is that of the authors' code
  /// (https://github.com/C-W-D/CasCoD).
  public static func keySteps(
    _ pairs: [TokenizedPair], weights: KeyStepWeights = KeyStepWeights(),
    guardThreshold: Float = 20,
    choice: KeyTokenChoice = KeyTokenChoice()
  ) -> Objective {
    let examples = pairs.map { pair in
      let keys = choice.keyTokens(of: pair)
      return example(pair, right: weights.right(keys), wrong: weights.wrong(keys))
    }
    return Objective(examples: examples, rule: guarded(above: guardThreshold))
  }

  /// The control of KRSL: as many weighted tokens on each side, at places drawn evenly from all of
  /// the response's.
  public static func randomPositions(
    _ pairs: [TokenizedPair], weights: KeyStepWeights = KeyStepWeights(),
    guardThreshold: Float = 20,
    choice: KeyTokenChoice = KeyTokenChoice(), using generator: inout SeededGenerator
  ) -> Objective {
    let examples = pairs.map { pair in
      let keys = choice.keyTokens(of: pair)
      return example(
        pair, right: weights.right(keys).shuffled(using: &generator),
        wrong: weights.wrong(keys).shuffled(using: &generator))
    }
    return Objective(examples: examples, rule: guarded(above: guardThreshold))
  }

  /// Weight 0 for a token that is to be made unlikelier (negative weight) and already is unlikely.
  private static func guarded(above threshold: Float) -> LossRule {
    .token { prediction, loss in
      let isDone = prediction.weight < 0 && loss.negativeLogLikelihood > threshold
      let weight = isDone ? 0 : prediction.weight
      return WeightedLoss(value: weight * loss.negativeLogLikelihood, gradientWeight: weight)
    }
  }

  /// The segment of a dual pair's tree that holds the rest of its wrong response.
  public static let wrongSegment = 2

  /// A dual pair as one tree: the prompt with the start that both responses share, then the rest of
  /// each. `right` and `wrong` are weights of whole responses, not yet divided by their lengths.
  ///
  /// A token of the shared start carries the weights of both sides.
  public static func example(_ pair: TokenizedPair, right: [Float], wrong: [Float])
    -> TrainingExample
  {
    let rightWeights = right.map { $0 / Float(pair.right.count) }
    let wrongWeights = wrong.map { $0 / Float(pair.wrong.count) }
    let common = zip(pair.right, pair.wrong).prefix { $0 == $1 }.count
    let shared = (0..<common).map { rightWeights[$0] + wrongWeights[$0] }
    let root = Segment(
      tokens: pair.prompt + pair.right[..<common], weights: pair.prompt.map { _ in 0 } + shared)
    return TrainingExample(
      id: pair.id,
      tree: SegmentTree([
        root,
        Segment(
          tokens: Array(pair.right[common...]), parent: 0, weights: Array(rightWeights[common...])),
        Segment(
          tokens: Array(pair.wrong[common...]), parent: 0, weights: Array(wrongWeights[common...])),
      ]), usefulTokens: pair.tokenCount)
  }
}
