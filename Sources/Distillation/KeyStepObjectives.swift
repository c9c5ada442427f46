import Foundation
import KeySteps
import LanguageModel
import Randomness

/// How the key tokens of a dual pair are found.
public struct KeyTokenChoice: Sendable, Hashable, Codable {
  /// Whether both sides' key tokens come from one script instead of one for each side.
  public var sharesScript: Bool
  /// Whether the wrong side's key tokens are only those of the first divergent run: what follows
  /// from a mistake is often right given its prefix.
  public var onlyFirstRejectedRun: Bool
  /// What is aligned. Anything but tokens wants pairs that were tokenized with it.
  public var unit: AlignmentUnit

  public init(
    sharesScript: Bool = false, onlyFirstRejectedRun: Bool = false, unit: AlignmentUnit = .token
  ) {
    self.sharesScript = sharesScript
    self.onlyFirstRejectedRun = onlyFirstRejectedRun
    self.unit = unit
  }

  /// Precondition: the pair was tokenized with this choice's unit, unless that is the token.
  public func keyTokens(of pair: TokenizedPair) -> KeyTokens {
    let scripts: KeyTokens.Scripts = sharesScript ? .shared : .eachSide
    var keys: KeyTokens
    switch unit {
    case .token, .step:
      keys = KeyTokens(chosen: pair.chosen, rejected: pair.rejected, scripts: scripts)
    case .word, .sentence:
      keys = KeyTokens(
        chosen: pair.chosen, rejected: pair.rejected, chosenUnits: pair.chosenUnits,
        rejectedUnits: pair.rejectedUnits, scripts: scripts)
    }
    if onlyFirstRejectedRun { keys = keys.keepingFirstRunOfRejected() }
    return unit == .step
      ? keys.widened(toChosenUnits: pair.chosenUnits, rejectedUnits: pair.rejectedUnits) : keys
  }
}

/// What becomes of a token with a negative weight, which is to be made unlikelier: -log p, whose
/// gradient does not fade as p does, and three bounds to it. x is -log p in nats, w < 0.
public enum NegativeForm: Sendable, Hashable, Codable {
  /// w x, as it is.
  case plain
  /// w x up to the threshold, above it weight 0, from the forward pass's own value and without a
  /// gradient: the guard of the authors' code (https://github.com/C-W-D/CasCoD).
  case guarded(above: Float)
  /// w min(x, floor): the loss stops falling there.
  case clipped(at: Float)
  /// Unlikelihood, -w (-log(1 - p)) (Welleck et al., 1908.04319, section 5), whose gradient fades
  /// with p.
  case unlikelihood

  /// A negatively weighted token's share of the loss; others keep w x.
  public func share(weight: Float, negativeLogLikelihood x: Float) -> WeightedLoss {
    let plain = WeightedLoss(value: weight * x, gradientWeight: weight)
    guard weight < 0 else { return plain }
    switch self {
    case .plain: return plain
    case .guarded(let threshold):
      return x > threshold ? WeightedLoss(value: 0, gradientWeight: 0) : plain
    case .clipped(let floor):
      return x > floor ? WeightedLoss(value: weight * floor, gradientWeight: 0) : plain
    case .unlikelihood:
      let (value, slope) = Self.unlikelihood(x)
      return WeightedLoss(value: -weight * value, gradientWeight: -weight * slope)
    }
  }

  /// -log(1 - p) and its slope over x = -log p, which is -p / (1 - p).
  ///
  /// log(1 - e^-x) is log(-expm1(-x)) up to log 2 and log1p(-e^-x) above (Mächler, "Accurately
  /// computing log(1 - exp(-|a|))", 2012). In single precision p is 1 once x is below its unit
  /// roundoff: there x counts as that, which bounds the value by 16 nats; the slope's size times 1 -
  /// p, the largest gradient of a logit, stays below 1.
  static func unlikelihood(_ x: Float) -> (value: Float, slope: Float) {
    let x = max(x, .ulpOfOne)
    let log1mexp = x <= 0.693_147_2 ? log(-expm1(-x)) : log1p(-exp(-x))
    return (-log1mexp, -1 / expm1(x))
  }

  /// The rule that gives each token its share.
  public var rule: LossRule {
    if self == .plain { return .weighted }
    return .token { prediction, loss in
      share(weight: prediction.weight, negativeLogLikelihood: loss.negativeLogLikelihood)
    }
  }
}

extension Objective {
  /// Key reasoning steps learning (KRSL), EDIT's second stage, on dual pairs:
  ///
  ///     L = mean over pairs of  1/|r+| Σ w+_t (-log p_t)  +  1/|r-| Σ w-_t (-log p_t)
  ///
  /// with the weights of `KeyStepWeights`, and the wrong side's terms in the form of `negatives`.
  ///
  /// Source: arXiv 2405.19737, section 3.3.
  public static func keySteps(
    _ pairs: [TokenizedPair], weights: KeyStepWeights = KeyStepWeights(), negatives: NegativeForm,
    choice: KeyTokenChoice = KeyTokenChoice()
  ) -> Objective {
    let examples = pairs.map { pair in
      let keys = choice.keyTokens(of: pair)
      return example(pair, chosen: weights.chosen(keys), rejected: weights.rejected(keys))
    }
    return Objective(examples: examples, rule: negatives.rule)
  }

  /// KRSL with the guard of the authors' code: a wrong-side token whose -log p is already above
  /// `guardThreshold` (nats) gets weight 0.
  public static func keySteps(
    _ pairs: [TokenizedPair], weights: KeyStepWeights = KeyStepWeights(),
    guardThreshold: Float = 20, choice: KeyTokenChoice = KeyTokenChoice()
  ) -> Objective {
    keySteps(pairs, weights: weights, negatives: .guarded(above: guardThreshold), choice: choice)
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
        pair, chosen: weights.chosen(keys).shuffled(using: &generator),
        rejected: weights.rejected(keys).shuffled(using: &generator))
    }
    return Objective(
      examples: examples, rule: NegativeForm.guarded(above: guardThreshold).rule)
  }

  /// The control of KRSL without alignment: α on all tokens of the right chain, β on all of the
  /// wrong one.
  public static func allTokens(
    _ pairs: [TokenizedPair], weights: KeyStepWeights = KeyStepWeights(),
    guardThreshold: Float = 20
  ) -> Objective {
    Objective(
      examples: pairs.map { pair in
        example(
          pair, chosen: pair.chosen.map { _ in weights.alpha },
          rejected: pair.rejected.map { _ in weights.beta })
      }, rule: NegativeForm.guarded(above: guardThreshold).rule)
  }

  /// The segments of a dual pair's tree: the prompt with the start that both responses share, and
  /// the rest of each response.
  public static let sharedSegment = 0
  public static let chosenSegment = 1
  public static let rejectedSegment = 2

  /// A dual pair as one tree: the prompt with the start that both responses share, then the rest of
  /// each. `right` and `wrong` are weights of whole responses, not yet divided by their lengths.
  ///
  /// A token of the shared start carries the weights of both sides.
  public static func example(_ pair: TokenizedPair, chosen: [Float], rejected: [Float])
    -> TrainingExample
  {
    let chosenWeights = chosen.map { $0 / Float(pair.chosen.count) }
    let rejectedWeights = rejected.map { $0 / Float(pair.rejected.count) }
    let common = pair.commonStart
    let shared = (0..<common).map { chosenWeights[$0] + rejectedWeights[$0] }
    return tree(pair, shared: shared, chosen: chosenWeights, rejected: rejectedWeights)
  }

  /// A dual pair as one tree in which as many tokens are shared as have weights there; of `right`
  /// and `wrong`, weights of whole responses, only the rest counts.
  static func tree(_ pair: TokenizedPair, shared: [Float], chosen: [Float], rejected: [Float])
    -> TrainingExample
  {
    let common = shared.count
    return TrainingExample(
      id: pair.id,
      tree: PrefixTree([
        Segment(
          tokens: pair.prompt + pair.chosen[..<common], weights: pair.prompt.map { _ in 0 } + shared
        ),
        Segment(
          tokens: Array(pair.chosen[common...]), parent: 0, weights: Array(chosen[common...])),
        Segment(
          tokens: Array(pair.rejected[common...]), parent: 0, weights: Array(rejected[common...])),
      ]), usefulTokens: pair.tokenCount)
  }
}
