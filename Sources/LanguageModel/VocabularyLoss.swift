import CKernels
import LinearAlgebra

/// The vocabulary projection with the cross-entropy behind it, forward and backward, some rows at a
/// time.
///
/// Only rows from which a weighted token is predicted come here, and never all of their logits at
/// once: P × V does not exist. Under a rule that looks at one token at a time, a chunk's logits
/// turn into their own gradient in place; under one that looks at a whole example, they are
/// computed twice.
///
/// Letters: P predictions, p predictions of one chunk, W output rows, D hidden size, V vocabulary.
struct VocabularyLoss {
  let batch: PackedBatch
  /// The final hidden states [W, D], after the norm.
  let hidden: MatrixView
  let decoder: Decoder
  let pass: PassContext

  /// The vocabulary projection [V, D].
  private var output: StoredWeight { decoder.output }

  /// Logits held at once: 25 MB.
  static let chunkFloats = 128 * 49152

  /// The loss of each tree. With `dHidden`[W, D] the gradients of the sum of the losses are added to
  /// it and to those of the pass.
  func losses(_ rule: LossRule, addingTo dHidden: MatrixView? = nil) -> [ExampleLoss] {
    let outcomes: [ks_token_loss]
    let contributions: [WeightedLoss]
    switch rule {
    case .weighted, .token:
      (outcomes, contributions) = forEachChunk(needs: rule.needs) {
        range, logits, chunk, losses in
        let contributions = range.map { contribution(rule, $0, losses[$0 - range.lowerBound]) }
        if let dHidden {
          backward(range, logits, chunk, losses, contributions, addingTo: dHidden)
        }
        return contributions
      }
    case .example(let needs, let contribution):
      (outcomes, _) = forEachChunk(needs: needs) { _, _, _, _ in [] }
      contributions = batch.treePredictions.flatMap { range in
        let contributions = contribution(
          range.map { (batch.predictions[$0], TokenLoss(outcomes[$0])) })
        precondition(
          contributions.count == range.count,
          "\(contributions.count) contributions for \(range.count) tokens")
        return contributions
      }
      if let dHidden {
        _ = forEachChunk(needs: []) { range, logits, chunk, losses in
          backward(range, logits, chunk, losses, Array(contributions[range]), addingTo: dHidden)
          return []
        }
      }
    }
    return batch.treePredictions.map { range in
      ExampleLoss(
        loss: contributions[range].reduce(0) { $0 + Double($1.value) },
        tokens: range.map { (batch.predictions[$0], TokenLoss(outcomes[$0]), contributions[$0]) })
    }
  }

  /// What the model says of each predicted token, tree by tree, with the `count` likeliest tokens in its place.
  func predictions(likeliest count: Int) -> [[(place: Prediction, token: TokenPrediction)]] {
    var predictions: [TokenPrediction] = []
    predictions.reserveCapacity(batch.predictions.count)
    _ = forEachChunk(needs: []) { range, logits, _, losses in
      for (row, index) in range.enumerated() {
        predictions.append(
          TokenPrediction(
            token: Int(batch.targets[index]),
            logits: UnsafeBufferPointer(start: logits.row(row), count: logits.columns),
            loss: losses[row], likeliest: count))
      }
      return []
    }
    return batch.treePredictions.map { range in
      range.map { (batch.predictions[$0], predictions[$0]) }
    }
  }

  private func contribution(_ rule: LossRule, _ index: Int, _ loss: ks_token_loss) -> WeightedLoss {
    let prediction = batch.predictions[index]
    if case .token(_, let contribution) = rule { return contribution(prediction, TokenLoss(loss)) }
    return WeightedLoss(
      value: prediction.weight * loss.negative_log_likelihood, gradientWeight: prediction.weight)
  }

  /// Calls `body` with each chunk of predictions, its logits [p, V], its hidden states [p, D] and
  /// its token losses.
  private func forEachChunk(
    needs: TokenStatistics,
    _ body: (Range<Int>, MatrixView, MatrixView, [ks_token_loss]) -> [WeightedLoss]
  ) -> ([ks_token_loss], [WeightedLoss]) {
    let vocabulary = output.outputs
    let count = batch.predictions.count
    let chunkRows = min(count, max(16, Self.chunkFloats / vocabulary))
    let scratch = pass.scratch
    let mark = scratch.mark
    defer { scratch.release(to: mark) }
    let hiddenWorkspace = scratch.matrix(chunkRows, hidden.columns)
    let logitsWorkspace = scratch.matrix(chunkRows, vocabulary)
    var outcomes: [ks_token_loss] = []
    var contributions: [WeightedLoss] = []
    outcomes.reserveCapacity(count)
    for start in stride(from: 0, to: count, by: chunkRows) {
      let range = start..<min(start + chunkRows, count)
      let chunk = hiddenWorkspace.rows(0..<range.count)
      for (i, prediction) in range.enumerated() {
        chunk.row(i).update(
          from: hidden.row(Int(batch.predictionRows[prediction])), count: hidden.columns)
      }
      let logits = logitsWorkspace.rows(0..<range.count)
      decoder.logits(chunk, into: logits, pass)
      var losses = [ks_token_loss](repeating: ks_token_loss(), count: range.count)
      batch.targets[range].withUnsafeBufferPointer {
        ks_cross_entropy(
          logits.base, $0.baseAddress, &losses, needs.rawValue, range.count, vocabulary)
      }
      outcomes += losses
      contributions += body(range, logits, chunk, losses)
    }
    return (outcomes, contributions)
  }

  /// Adds a chunk's gradients: dHidden += dLogits · output, dOutput += dLogitsᵀ · hidden. The
  /// logits are overwritten.
  private func backward(
    _ range: Range<Int>, _ logits: MatrixView, _ chunk: MatrixView, _ losses: [ks_token_loss],
    _ contributions: [WeightedLoss], addingTo dHidden: MatrixView
  ) {
    let c = decoder.configuration
    let weights = contributions.map { $0.gradientWeight / c.logitsScaling }
    batch.targets[range].withUnsafeBufferPointer {
      ks_cross_entropy_backward(
        logits.base, $0.baseAddress, losses, weights, c.logitSoftcap.map { 1 / $0 } ?? 0,
        range.count, logits.columns)
    }
    let mark = pass.scratch.mark
    let dLogits = pass.operand(logits)
    if let gradients = pass.gradients, output.isTrained {
      output.backwardWeight(dLogits, pass.operand(chunk), addingTo: gradients, pass)
    }
    // The chunk's hidden states are used no more: their gradient overwrites them.
    output.backwardInput(dLogits, into: chunk, pass)
    pass.scratch.release(to: mark)
    for (i, prediction) in range.enumerated() {
      ks_add(chunk.row(i), dHidden.row(Int(batch.predictionRows[prediction])), hidden.columns)
    }
  }
}

extension Decoder {
  /// The logits [R, V] of final hidden states [R, D].
  func logits(_ hidden: MatrixView, into logits: MatrixView, _ pass: PassContext) {
    let mark = pass.scratch.mark
    defer { pass.scratch.release(to: mark) }
    output.forward(pass.operand(hidden), into: logits, pass)
    let c = configuration
    if let cap = c.logitSoftcap {
      ks_softcap(
        logits.base, logits.base, logits.stride, 1 / c.logitsScaling, cap, logits.rows,
        logits.columns)
    } else if c.logitsScaling != 1 {
      ks_scale(
        logits.base, 1 / c.logitsScaling, logits.base, logits.rows * logits.columns)
    }
  }
}

extension TokenLoss {
  fileprivate init(_ loss: ks_token_loss) {
    self.init(
      negativeLogLikelihood: loss.negative_log_likelihood, entropy: loss.entropy,
      support: loss.support, top: Int(loss.top))
  }
}
