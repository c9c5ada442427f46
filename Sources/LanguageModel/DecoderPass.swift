import CKernels
import LinearAlgebra

/// One worker's passes over a decoder: the loss of segment trees, and its gradients, in memory that is used again.
///
/// A pass runs on one thread; several may run over one decoder at once, each with its own `DecoderPass`.
///
/// Letters: T rows, W wanted rows, P predictions, D hidden size, V vocabulary.
final class DecoderPass {
  private let kept = Arena()
  private let scratch = Arena()

  /// The loss of each tree under `rule`. Where there is room for `gradients`, those of the sum of the losses are added
  /// to it; it is laid out as `decoder.trainable`.
  func run(
    _ trees: [SegmentTree], on decoder: Decoder, rule: LossRule, gradients: ParameterStore?,
    dropout: Float = 0
  ) -> [ExampleLoss] {
    let c = decoder.configuration
    let forest = PackedForest(
      trees, vocabularySize: c.vocabularySize, maximumPositions: c.maximumPositions)
    guard forest.rowCount > 0, forest.wantedCount > 0 else {
      return trees.map { _ in ExampleLoss(loss: 0, tokens: []) }
    }
    kept.reset()
    scratch.reset()
    let pass = PassContext(
      parameters: decoder.parameters, adapter: decoder.adapter, gradients: gradients, kept: kept,
      scratch: scratch,
      dropout: dropout)
    let all = AskingRows.all(forest)
    let wanted = AskingRows.wanted(forest)

    // Forward. Each layer writes the next one's input; without a backward all share one.
    var x = kept.matrix(forest.rowCount, c.hiddenSize)
    embed(forest.tokens, decoder, into: x)
    var activations: [DecoderLayer.Activations] = []
    for (index, layer) in decoder.layers.enumerated() {
      let isLast = index == decoder.layers.count - 1
      let mark = kept.mark
      let y =
        gradients == nil && !isLast
        ? x : kept.matrix(isLast ? forest.wantedCount : forest.rowCount, c.hiddenSize)
      let a = layer.forward(
        x, into: y, all: all, asking: isLast ? wanted : all, decoder.rotary, pass)
      if gradients != nil { activations.append(a) } else if !isLast { kept.release(to: mark) }
      x = y
    }
    let hidden = kept.matrix(forest.wantedCount, c.hiddenSize)
    let inverseRMS = kept.matrix(1, forest.wantedCount)
    ks_rms_norm(
      x.base, decoder.finalNorm.base, c.rmsNormEpsilon, hidden.base, inverseRMS.base, x.rows,
      c.hiddenSize)

    let vocabulary = VocabularyLoss(
      forest: forest, hidden: hidden, decoder: decoder, scratch: scratch)
    guard let gradients else { return vocabulary.losses(rule) }
    let dHidden = kept.matrix(forest.wantedCount, c.hiddenSize)
    dHidden.setZero()
    let losses = vocabulary.losses(rule, addingTo: dHidden, gradients)

    // Backward.
    var dx = kept.matrix(forest.wantedCount, c.hiddenSize)
    dx.setZero()
    decoder.finalNorm.backward(x, inverseRMS, dy: dHidden, addingTo: dx, pass)
    let dxAll = kept.matrix(forest.rowCount, c.hiddenSize)
    for (index, layer) in decoder.layers.enumerated().reversed() {
      let isLast = index == decoder.layers.count - 1
      // Below the first layer only the embedding could be trained.
      let needsInput = index > 0 || decoder.adapter == nil
      layer.backward(
        activations[index], dy: dx, into: needsInput ? dxAll : nil, all: all,
        asking: isLast ? wanted : all, decoder.rotary, pass)
      dx = dxAll
    }
    if decoder.adapter == nil {
      let dEmbedding = gradients.matrix("model.embed_tokens.weight")
      for (row, token) in forest.tokens.enumerated() {
        ks_add(dx.row(row), dEmbedding.row(Int(token)), c.hiddenSize)
      }
    }
    return losses
  }

  /// x[T, D]: the embeddings of `tokens`.
  private func embed(_ tokens: [Int32], _ decoder: Decoder, into x: MatrixView) {
    for (row, token) in tokens.enumerated() {
      x.row(row).update(from: decoder.embedding.row(Int(token)), count: x.columns)
    }
  }
}
