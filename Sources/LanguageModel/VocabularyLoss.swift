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
/// Letters: P predictions, p predictions of one chunk, W wanted rows, D hidden size, V vocabulary.
struct VocabularyLoss {
  let forest: PackedForest
  /// The final hidden states [W, D], after the norm.
  let hidden: MatrixView
  let decoder: Decoder
  let scratch: Arena
  let clock: PassClock

  /// Logits held at once: 25 MB.
  private static let chunkFloats = 128 * 49152

  /// The loss of each tree. With `dHidden`[W, D] and `gradients` the gradients of the sum of the
  /// losses are added to them.
  func losses(
    _ rule: LossRule, addingTo dHidden: MatrixView? = nil, _ gradients: ParameterStore? = nil
  )
    -> [ExampleLoss]
  {
    let outcomes: [ks_token_loss]
    let shares: [WeightedLoss]
    switch rule {
    case .weighted, .token:
      (outcomes, shares) = forEachChunk(needsEntropy: rule.needsEntropy) {
        range, logits, chunk, losses in
        let shares = range.map { share(rule, $0, losses[$0 - range.lowerBound]) }
        if let dHidden {
          backward(range, logits, chunk, losses, shares, addingTo: dHidden, gradients)
        }
        return shares
      }
    case .example(let needsEntropy, let share):
      (outcomes, _) = forEachChunk(needsEntropy: needsEntropy) { _, _, _, _ in [] }
      shares = forest.treePredictions.flatMap { range in
        let shares = share(range.map { (forest.predictions[$0], TokenLoss(outcomes[$0])) })
        precondition(
          shares.count == range.count, "\(shares.count) shares for \(range.count) tokens")
        return shares
      }
      if let dHidden {
        _ = forEachChunk(needsEntropy: false) { range, logits, chunk, losses in
          backward(range, logits, chunk, losses, Array(shares[range]), addingTo: dHidden, gradients)
          return []
        }
      }
    }
    return forest.treePredictions.map { range in
      ExampleLoss(
        loss: shares[range].reduce(0) { $0 + Double($1.value) },
        tokens: range.map { (forest.predictions[$0], TokenLoss(outcomes[$0]), shares[$0]) })
    }
  }

  private func share(_ rule: LossRule, _ index: Int, _ loss: ks_token_loss) -> WeightedLoss {
    let prediction = forest.predictions[index]
    if case .token(_, let share) = rule { return share(prediction, TokenLoss(loss)) }
    return WeightedLoss(
      value: prediction.weight * loss.negative_log_likelihood, gradientWeight: prediction.weight)
  }

  /// Calls `body` with each chunk of predictions, its logits [p, V], its hidden states [p, D] and
  /// its token losses.
  private func forEachChunk(
    needsEntropy: Bool,
    _ body: (Range<Int>, MatrixView, MatrixView, [ks_token_loss]) -> [WeightedLoss]
  ) -> ([ks_token_loss], [WeightedLoss]) {
    let vocabulary = decoder.output.rows
    let count = forest.predictions.count
    let chunkRows = min(count, max(16, Self.chunkFloats / vocabulary))
    let mark = scratch.mark
    defer { scratch.release(to: mark) }
    let hiddenRoom = scratch.matrix(chunkRows, hidden.columns)
    let logitsRoom = scratch.matrix(chunkRows, vocabulary)
    var outcomes: [ks_token_loss] = []
    var shares: [WeightedLoss] = []
    outcomes.reserveCapacity(count)
    for start in stride(from: 0, to: count, by: chunkRows) {
      let range = start..<min(start + chunkRows, count)
      let chunk = hiddenRoom.rows(0..<range.count)
      for (i, prediction) in range.enumerated() {
        chunk.row(i).update(
          from: hidden.row(Int(forest.predictionRows[prediction])), count: hidden.columns)
      }
      let logits = logitsRoom.rows(0..<range.count)
      clock.multiply(chunk, decoder.output.transposed, into: logits)
      var losses = [ks_token_loss](repeating: ks_token_loss(), count: range.count)
      forest.targets[range].withUnsafeBufferPointer {
        ks_cross_entropy(
          logits.base, $0.baseAddress, &losses, needsEntropy ? 1 : 0, range.count, vocabulary)
      }
      outcomes += losses
      shares += body(range, logits, chunk, losses)
    }
    return (outcomes, shares)
  }

  /// Adds a chunk's gradients: dHidden += dLogits · output, dOutput += dLogitsᵀ · hidden. The
  /// logits are overwritten.
  private func backward(
    _ range: Range<Int>, _ logits: MatrixView, _ chunk: MatrixView, _ losses: [ks_token_loss],
    _ shares: [WeightedLoss],
    addingTo dHidden: MatrixView, _ gradients: ParameterStore?
  ) {
    let weights = shares.map(\.gradientWeight)
    forest.targets[range].withUnsafeBufferPointer {
      ks_cross_entropy_backward(
        logits.base, $0.baseAddress, losses, weights, range.count, logits.columns)
    }
    if decoder.adapter == nil, let gradients {
      clock.multiply(
        logits.transposed, chunk, into: gradients.matrix(decoder.outputName), adding: true)
    }
    // The chunk's hidden states are used up: their room takes their gradient.
    clock.multiply(logits, decoder.output, into: chunk)
    for (i, prediction) in range.enumerated() {
      ks_add(chunk.row(i), dHidden.row(Int(forest.predictionRows[prediction])), hidden.columns)
    }
  }
}

extension TokenLoss {
  fileprivate init(_ loss: ks_token_loss) {
    self.init(
      negativeLogLikelihood: loss.negative_log_likelihood, entropy: loss.entropy, top: Int(loss.top)
    )
  }
}
