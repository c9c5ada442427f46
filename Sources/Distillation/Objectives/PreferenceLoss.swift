import Foundation
import LanguageModel

/// Preferences between the chosen and the rejected response of a dual pair.
///
/// Letters: y+ and y- the two responses, π the student, π_ref the reference model (the student as it
/// is when the objective is made), whose -log p are computed once. Dropout is off, as in TRL: with it
/// the student would not equal π_ref at the start.
extension Objective {
  /// Whole responses with weight 1, their shared start with `shared`.
  static func sides(_ pair: TokenizedPair, shared: Float) -> TrainingExample {
    tree(
      pair, shared: (0..<pair.commonStart).map { _ in shared }, chosen: pair.chosen.map { _ in 1 },
      rejected: pair.rejected.map { _ in 1 })
  }

  /// -log σ(β m) with the margin m = r+ - r- - λ max(0, -r+), where a side's r is the sum over its
  /// tokens of weight × (log π - log π_ref); tokens of the shared segment count on both sides. Its
  /// gradient over a token's -log p is β σ(-β m) times what m loses by it.
  static func preference(beta: Double, penalty: Double = 0) -> LossRule {
    .example { tokens in
      var (chosen, rejected) = (0.0, 0.0)
      for (prediction, loss) in tokens {
        let ratio =
          Double(prediction.weight) * Double(prediction.reference - loss.negativeLogLikelihood)
        if prediction.segment != rejectedSegment { chosen += ratio }
        if prediction.segment != chosenSegment { rejected += ratio }
      }
      let slip = chosen < 0 ? penalty : 0
      let margin = beta * (chosen - rejected + slip * chosen)
      // log(1 + e^-m), whatever the sign of m.
      let loss = max(-margin, 0) + log1p(exp(-abs(margin)))
      let slope = beta / (1 + exp(margin))
      return tokens.map { prediction, _ in
        let side: Double =
          switch prediction.segment {
          case chosenSegment: 1 + slip
          case rejectedSegment: -1
          default: slip
          }
        return WeightedLoss(
          value: Float(loss / Double(tokens.count)),
          gradientWeight: Float(slope * side * Double(prediction.weight)))
      }
    }
  }
}
