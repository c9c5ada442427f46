import Foundation
import LanguageModel
import LinearAlgebra
import Parameters

extension ObjectiveEntry {
  public static let criticalTokens = ObjectiveEntry(
    "cdpo", stage: .second, data: .pairs, references: [.positive, .negative],
    parameters: [.preferenceBeta],
    help: "cDPO: DPO weighted by models of correct and of incorrect chains"
  ) { input in
    let (models, pairs) = (try input.models(), input.data.pairs)
    let scores = Objective.criticalTokenScores(
      pairs, positive: models.model(.positive), negative: models.model(.negative),
      workers: models.workers)
    return .criticalTokenPreference(
      pairs, scores: scores, beta: input.parameters.number(.preferenceBeta),
      reference: models.student, workers: models.workers)
  }
}

extension Objective {
  /// cDPO: DPO in which a rejected token's log ratio counts 1 - s_t, so that critical tokens, which a
  /// model of incorrect chains finds likelier than one of correct chains, count most; with
  /// `weighsChosen`, a chosen token's counts s_t.
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
    ).withoutDropout.compared(with: reference, workers)
  }

  /// cDPO's contrastive estimate of each response token: s_t is the token's probability under
  /// softmax((1 + β) z+ - β z-), z+ and z- the logits of a model fine-tuned on correct chains and of
  /// one fine-tuned on incorrect ones. A critical token has a low s_t.
  ///
  /// One pass over each response by each model, of which only the scores are kept. Source: 2411.19943,
  /// section 4 (contrastive estimation); β = 1 as in `src/pipeline.py` of that
  /// repository.
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
}
