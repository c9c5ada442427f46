import Foundation
import LanguageModel

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
