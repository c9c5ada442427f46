import Foundation
import LanguageModel
import LinearAlgebra

/// Preferences between the right and the wrong chain of a dual pair.
///
/// Letters: y+ and y- the two responses, π the student, π_ref the reference model (the student as it
/// is when the objective is made), whose -log p are computed once.
extension Objective {
  /// DPO: L = -log σ(β (log π(y+)/π_ref(y+) - log π(y-)/π_ref(y-))).
  ///
  /// The start that both responses share cancels out, and is not predicted at all. Source: Rafailov
  /// et al., 2305.18290, equation 7.
  public static func directPreference(
    _ pairs: [TokenizedPair], beta: Double = 0.1, reference: Decoder, workers: Workers
  ) -> Objective {
    Objective(
      examples: pairs.map { sides($0, shared: 0) }, rule: preference(beta: beta)
    ).compared(with: reference, workers)
  }

  /// DPOP, DPO-Positive: DPO with λ max(0, log π_ref(y+)/π(y+)) taken off inside the σ's β, so that
  /// the right chain does not grow unlikelier.
  ///
  /// Source: Pal et al., 2402.13228, the DPOP loss; λ = 50 is theirs.
  public static func positivePreference(
    _ pairs: [TokenizedPair], beta: Double = 0.1, penalty: Double = 50, reference: Decoder,
    workers: Workers
  ) -> Objective {
    Objective(
      examples: pairs.map { sides($0, shared: 1) },
      rule: preference(beta: beta, penalty: penalty)
    ).compared(with: reference, workers)
  }

  /// Step-DPO: DPO on the first step in which the two responses differ, after all that they share;
  /// what follows it is left out.
  ///
  /// Source: Lai et al., 2406.18629, section 3.1; β = 0.4 is theirs. Precondition: the pairs were
  /// tokenized with sentences or steps as their unit.
  public static func stepPreference(
    _ pairs: [TokenizedPair], beta: Double = 0.4, reference: Decoder, workers: Workers
  ) -> Objective {
    Objective(
      examples: pairs.map { pair in
        let common = pair.commonStart
        func step(_ tokens: [Int], _ units: [Int]) -> [Float] {
          precondition(!units.isEmpty, "\(pair.id) was tokenized without steps")
          let end = units.first { $0 > common } ?? tokens.count
          return tokens.indices.map { $0 < end ? 1 : 0 }
        }
        return tree(
          pair, shared: (0..<common).map { _ in 0 }, chosen: step(pair.chosen, pair.chosenUnits),
          rejected: step(pair.rejected, pair.rejectedUnits))
      }, rule: preference(beta: beta)
    ).compared(with: reference, workers)
  }

  /// cDPO: DPO in which a wrong token's log ratio counts 1 - s_t, so that critical tokens, which a
  /// model of wrong chains finds likelier than one of right chains, count most; with
  /// `weighsChosen`, a right token's counts s_t.
  ///
  /// `scores` are those of `criticalTokenScores`, for each pair. The start that both responses share
  /// weighs differently on the two sides and so is computed for each. Source: Lin et al.,
  /// 2411.19943, section 4, and `src/train/train_cdpo.py` of
  /// https://github.com/chenzhiling9954/Critical-Tokens-Matter, whose `only_neg` is the default here.
  public static func criticalTokenPreference(
    _ pairs: [TokenizedPair], scores: [(chosen: [Float], rejected: [Float])], beta: Double = 0.1,
    weighsChosen: Bool = false, reference: Decoder, workers: Workers
  ) -> Objective {
    precondition(pairs.count == scores.count, "\(scores.count) scores, \(pairs.count) pairs")
    return Objective(
      examples: zip(pairs, scores).map { pair, scores in
        tree(
          pair, shared: [], chosen: weighsChosen ? scores.chosen : pair.chosen.map { _ in 1 },
          rejected: scores.rejected.map { 1 - $0 })
      }, rule: preference(beta: beta)
    ).compared(with: reference, workers)
  }

  /// cDPO's contrastive estimate of each response token: s_t is the token's probability under
  /// softmax((1 + β) z+ - β z-), z+ and z- the logits of a model fine-tuned on right chains and of
  /// one fine-tuned on wrong ones. A critical token has a low s_t.
  ///
  /// One pass over each response by each model, of which only the scores are kept. Source: 2411.19943,
  /// section 4 (contrastive estimation); β = 1 as in the authors' `src/pipeline.py`.
  public static func criticalTokenScores(
    _ pairs: [TokenizedPair], positive: Decoder, negative: Decoder, beta: Float = 1,
    workers: Workers
  ) -> [(chosen: [Float], rejected: [Float])] {
    func scores(_ prompt: [Int], _ response: [Int]) -> [Float] {
      let tokens = prompt + response
      let chosen = workers.logits(of: tokens, on: positive)
      let rejected = workers.logits(of: tokens, on: negative)
      return response.indices.map { index in
        // The row before the token predicts it.
        let row = (prompt.count + index - 1) * chosen.columns
        let logits = (row..<row + chosen.columns).map {
          (1 + beta) * chosen.elements[$0] - beta * rejected.elements[$0]
        }
        let largest = logits.max() ?? 0
        let sum = logits.reduce(0.0) { $0 + exp(Double($1 - largest)) }
        return Float(exp(Double(logits[response[index]] - largest)) / sum)
      }
    }
    return pairs.map { (scores($0.prompt, $0.chosen), scores($0.prompt, $0.rejected)) }
  }

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
      }, rule: negatives.rule)
  }

  /// Whole responses with weight 1, their shared start with `shared`.
  private static func sides(_ pair: TokenizedPair, shared: Float) -> TrainingExample {
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
