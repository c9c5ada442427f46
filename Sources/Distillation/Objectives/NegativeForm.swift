import Foundation
import LanguageModel

/// What becomes of a token with a negative weight, which is to be made unlikelier: -log p, whose
/// gradient does not fade as p does, and three bounds to it. x is -log p in nats, w < 0.
public enum NegativeForm: Sendable, Hashable, Codable {
  /// w x, as it is.
  case plain
  /// w x while the tested -log p is at most the threshold, weight 0 above it. What is tested is the
  /// forward pass's own value, taken without a gradient.
  case guarded(above: Float, testing: GuardToken = .predicted)
  /// w min(x, floor): the loss stops falling there.
  case clipped(at: Float)
  /// Unlikelihood, -w (-log(1 - p)) (Welleck et al., 1908.04319, section 5), whose gradient fades
  /// with p.
  case unlikelihood

  /// Which -log p a guard tests before it drops the weight of token t.
  public enum GuardToken: String, Sendable, Hashable, Codable, CaseIterable {
    /// That of token t, -log p(x_t | x_<t).
    case predicted
    /// That of token t once more right after itself, -log p(x_t | x_≤t): what the released code of
    /// EDIT tests, because it does not shift labels against logits (lines 151 to 157 of
    /// `src/utils/method_utils.py`, https://github.com/C-W-D/CasCoD at 3468d15).
    case repeated
  }

  /// Whether tokens with negative weights are also predicted once more right after themselves.
  public var needsRepeats: Bool {
    if case .guarded(_, .repeated) = self { true } else { false }
  }

  /// What a negatively weighted token adds to the loss; others keep w x. `repeated` is the token's
  /// -log p once more right after itself, where `needsRepeats`.
  public func share(
    weight: Float, negativeLogLikelihood x: Float, repeated: Float? = nil
  ) -> WeightedLoss {
    let plain = WeightedLoss(value: weight * x, gradientWeight: weight)
    guard weight < 0 else { return plain }
    switch self {
    case .plain: return plain
    case .guarded(let threshold, let token):
      guard let tested = token == .predicted ? x : repeated else {
        preconditionFailure("a guard on a token's repetition without its -log p")
      }
      return tested > threshold ? WeightedLoss(value: 0, gradientWeight: 0) : plain
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

  /// The rule that gives each token its part of the loss.
  public var rule: LossRule {
    if self == .plain { return .weighted }
    guard needsRepeats else {
      return .token { prediction, loss in
        share(weight: prediction.weight, negativeLogLikelihood: loss.negativeLogLikelihood)
      }
    }
    return .example { tokens in
      tokens.indices.map { index in
        let (prediction, loss) = tokens[index]
        if prediction.isRepeat { return WeightedLoss(value: 0, gradientWeight: 0) }
        let next = index + 1 < tokens.count ? tokens[index + 1] : nil
        return share(
          weight: prediction.weight, negativeLogLikelihood: loss.negativeLogLikelihood,
          repeated: next.flatMap { $0.0.isRepeat ? $0.1.negativeLogLikelihood : nil })
      }
    }
  }
}

extension Objective {
  /// Examples whose negative weights have the form of `negatives`.
  public init(examples: [TrainingExample], negatives: NegativeForm) {
    var examples = examples
    if negatives.needsRepeats {
      for example in examples.indices {
        for segment in examples[example].tree.segments.indices {
          examples[example].tree.segments[segment].measuresRepeats = true
        }
      }
    }
    self.init(examples: examples, rule: negatives.rule)
  }
}
