import CKernels
import LinearAlgebra

/// One worker's passes over a decoder: the loss of prefix trees, and its gradients, in a workspace
/// that is reused.
///
/// A pass runs on one thread; several may run over one decoder at once, each with its own
/// `DecoderPass`.
///
/// Letters: T rows, W output rows, P predictions, D hidden size, V vocabulary.
package final class DecoderPass {
  /// - Parameters:
  ///   - precision: that of the products' operands.
  ///   - recomputesActivations: whether a backward computes each layer's forward again, so that only
  ///     the layers' inputs are kept meanwhile. The results are the same bits.
  package init(precision: Precision = .fp32, recomputesActivations: Bool = false) {
    self.precision = precision
    products = precision == .bf16 ? BFloat16Products() : nil
    self.recomputesActivations = recomputesActivations
  }

  let precision: Precision
  private let kept = Arena()
  private let scratch = Arena()
  private let clock = PassClock()
  private let products: BFloat16Products?
  let recomputesActivations: Bool

  /// The most floats that its workspaces held at once.
  var peakFloats: (kept: Int, scratch: Int) { (kept.peak, scratch.peak) }

  /// Where the time went since the last call of `takeProfile`.
  func takeProfile() -> PassProfile {
    defer { clock.profile = PassProfile() }
    return clock.profile
  }

  /// The loss of each tree under `rule`. With `gradients`, laid out as `decoder.trainable`, those of
  /// the sum of the losses are added to it.
  func losses(
    of trees: [PrefixTree], on decoder: Decoder, rule: LossRule, gradients: ParameterStore?,
    dropout: Float = 0
  ) -> [ExampleLoss] {
    busy {
      passLosses(
        of: trees, on: decoder, rule: rule, gradients: decoder.isFrozen ? nil : gradients,
        dropout: dropout)
    }
  }

  /// Runs `body` and counts its time as spent in passes.
  func busy<Result>(_ body: () throws -> Result) rethrows -> Result {
    let start = PassClock.now
    defer { clock.profile.busySeconds += PassClock.now - start }
    return try body()
  }

  private func passLosses(
    of trees: [PrefixTree], on decoder: Decoder, rule: LossRule, gradients: ParameterStore?,
    dropout: Float
  ) -> [ExampleLoss] {
    let batch = PackedBatch(trees, decoder.configuration)
    guard batch.outputCount > 0 else { return trees.map { _ in ExampleLoss(loss: 0, tokens: []) } }
    let forward = forward(batch, on: decoder, gradients: gradients, dropout: dropout)
    let vocabulary = VocabularyLoss(
      batch: batch, hidden: forward.hidden, decoder: decoder, pass: forward.pass)
    guard gradients != nil else { return clock.measure(.vocabulary) { vocabulary.losses(rule) } }
    let dHidden = kept.matrix(batch.outputCount, decoder.configuration.hiddenSize)
    dHidden.setZero()
    let losses = clock.measure(.vocabulary) {
      vocabulary.losses(rule, addingTo: dHidden)
    }
    backward(batch, on: decoder, forward, dHidden: dHidden)
    return losses
  }

  /// What the model says of each token of `trees` that has a weight, tree by tree in the order of their segments, with
  /// the `count` likeliest tokens in its place.
  package func predictions(of trees: [PrefixTree], on decoder: Decoder, likeliest count: Int)
    -> [[(place: Prediction, token: TokenPrediction)]]
  {
    busy {
      let batch = PackedBatch(trees, decoder.configuration)
      guard batch.outputCount > 0 else { return trees.map { _ in [] } }
      let forward = forward(batch, on: decoder, gradients: nil, dropout: 0)
      let vocabulary = VocabularyLoss(
        batch: batch, hidden: forward.hidden, decoder: decoder, pass: forward.pass)
      return clock.measure(.vocabulary) { vocabulary.predictions(likeliest: count) }
    }
  }

  /// The logits [count, V] after each of `tokens`, a sequence of its own.
  func logits(of tokens: [Int], on decoder: Decoder) -> Matrix<Float> {
    // A token more, so that every given one has something to predict.
    let tree = PrefixTree([
      Segment(tokens: tokens + [0], weights: [0] + Array(repeating: 1, count: tokens.count))
    ])
    let batch = PackedBatch([tree], decoder.configuration)
    let forward = forward(batch, on: decoder, gradients: nil, dropout: 0)
    var logits = Matrix<Float>(rows: tokens.count, columns: decoder.output.outputs)
    logits.elements.withUnsafeMutableBufferPointer { elements in
      guard let base = elements.baseAddress else { return }
      decoder.logits(
        forward.hidden,
        into: MatrixView(base, rows: tokens.count, columns: decoder.output.outputs), forward.pass)
    }
    return logits
  }

  /// The final hidden states [S, D] after the last token of each of `prompts`, none empty, whose
  /// keys and values go into the caches, empty so far.
  package func prefill(_ prompts: [[Int]], on decoder: Decoder, _ caches: [KeyValueCache])
    -> MatrixView
  {
    let trees = prompts.map { prompt in
      // A token more, for the last one to predict.
      PrefixTree(prompt: prompt, response: [0], weights: [1])
    }
    let batch = PackedBatch(trees, decoder.configuration)
    var ends = [0]
    for prompt in prompts { ends.append(ends[ends.count - 1] + prompt.count) }
    for (prompt, cache) in zip(prompts, caches) { cache.reserve(prompt.count) }
    let forward = forward(batch, on: decoder, gradients: nil, dropout: 0) { layer, activations in
      for (index, cache) in caches.enumerated() {
        cache.write(activations.keysValues.rows(ends[index]..<ends[index + 1]), layer: layer)
      }
    }
    for (prompt, cache) in zip(prompts, caches) { cache.advance(by: prompt.count) }
    return forward.hidden
  }

  /// The final hidden states [S, D] after one more token of each sequence, whose keys and values go
  /// into its cache.
  package func step(_ tokens: [Int32], on decoder: Decoder, _ caches: [KeyValueCache]) -> MatrixView
  {
    kept.reset()
    scratch.reset()
    let rows = QueryRows.step(positions: caches.map { Int32($0.count) })
    let pass = stepContext(decoder, positions: (caches.map(\.count).max() ?? 0) + 1)
    for cache in caches { cache.reserve(1) }
    let x = kept.matrix(tokens.count, decoder.configuration.hiddenSize)
    embed(tokens, of: decoder, into: x)
    for layer in decoder.layers { layer.step(x, rows, caches, pass) }
    for cache in caches { cache.advance(by: 1) }
    return finalNorm(x, of: decoder, pass).hidden
  }

  /// The logits [S, V] of final hidden states [S, D], in memory of the pass.
  package func logits(_ hidden: MatrixView, of decoder: Decoder) -> MatrixView {
    let logits = kept.matrix(hidden.rows, decoder.output.outputs)
    clock.measure(.vocabulary) {
      decoder.logits(hidden, into: logits, stepContext(decoder, positions: 0))
    }
    return logits
  }

  private func stepContext(_ decoder: Decoder, positions: Int) -> PassContext {
    PassContext(
      gradients: nil, positions: positions, kept: kept, scratch: scratch, clock: clock,
      products: products, dropout: 0, isStep: true)
  }

  /// x[T, D]: the embeddings of `tokens`.
  private func embed(_ tokens: [Int32], of decoder: Decoder, into x: MatrixView) {
    decoder.embedding.gather(tokens, into: x)
    let multiplier = decoder.configuration.embeddingMultiplier
    if multiplier != 1 { ks_scale(x.base, multiplier, x.base, x.rows * x.columns) }
  }

  private func finalNorm(_ x: MatrixView, of decoder: Decoder, _ pass: PassContext)
    -> (hidden: MatrixView, inverseRMS: MatrixView)
  {
    let hidden = kept.matrix(x.rows, x.columns)
    return (hidden, decoder.finalNorm.forward(x, into: hidden, pass))
  }

  /// What a forward leaves.
  private struct Forward {
    var pass: PassContext
    var all: QueryRows
    var outputs: QueryRows
    /// Of each layer where there are gradients and activations are kept, else empty.
    var activations: [DecoderLayer.Activations]
    /// The input of each layer [T, D] where there are gradients, else empty.
    var inputs: [MatrixView]
    /// The last layer's result [W, D], and what the final norm makes of it.
    var last: MatrixView
    var inverseRMS: MatrixView
    var hidden: MatrixView
  }

  /// Without gradients, `visit` is called after each layer with its index and what it computed.
  private func forward(
    _ batch: PackedBatch, on decoder: Decoder, gradients: ParameterStore?, dropout: Float,
    visit: (Int, DecoderLayer.Activations) -> Void = { _, _ in }
  )
    -> Forward
  {
    let c = decoder.configuration
    kept.reset()
    scratch.reset()
    let pass = PassContext(
      gradients: gradients, positions: Int(batch.positions.max() ?? -1) + 1, kept: kept,
      scratch: scratch, clock: clock, products: products, dropout: dropout)
    let all = QueryRows.all(batch)
    let outputs = QueryRows.outputs(batch)
    var x = kept.matrix(batch.rowCount, c.hiddenSize)
    embed(batch.tokens, of: decoder, into: x)
    var activations: [DecoderLayer.Activations] = []
    var inputs: [MatrixView] = []
    for (index, layer) in decoder.layers.enumerated() {
      let isLast = index == decoder.layers.count - 1
      let queryRows = isLast ? outputs : all
      if gradients != nil {
        // Each layer writes the next one's input.
        let y = kept.matrix(queryRows.count, c.hiddenSize)
        inputs.append(x)
        let mark = kept.mark
        let made = layer.forward(x, into: y, all: all, queryRows: queryRows, pass)
        if recomputesActivations { kept.release(to: mark) } else { activations.append(made) }
        x = y
      } else {
        // Without a backward, layers use the same workspace one after the other.
        let y = isLast ? kept.matrix(queryRows.count, c.hiddenSize) : x
        let mark = kept.mark
        visit(index, layer.forward(x, into: y, all: all, queryRows: queryRows, pass))
        kept.release(to: mark)
        x = y
      }
    }
    let (hidden, inverseRMS) = finalNorm(x, of: decoder, pass)
    return Forward(
      pass: pass, all: all, outputs: outputs, activations: activations, inputs: inputs, last: x,
      inverseRMS: inverseRMS, hidden: hidden)
  }

  private func recomputed(
    _ layer: DecoderLayer, _ input: MatrixView, _ forward: Forward, _ queryRows: QueryRows
  ) -> DecoderLayer.Activations {
    let mark = scratch.mark
    defer { scratch.release(to: mark) }
    let y = scratch.matrix(queryRows.count, input.columns)
    return layer.forward(
      input, into: y, all: forward.all, queryRows: queryRows, forward.pass)
  }

  private func backward(
    _ batch: PackedBatch, on decoder: Decoder, _ forward: Forward, dHidden: MatrixView
  ) {
    let c = decoder.configuration
    let dLast = kept.matrix(batch.outputCount, c.hiddenSize)
    dLast.setZero()
    decoder.finalNorm.backward(
      forward.last, forward.inverseRMS, dy: dHidden, addingTo: dLast, forward.pass)
    // Below the last layer, dx overwrites dy in one buffer.
    let dx = kept.matrix(batch.rowCount, c.hiddenSize)
    // Below the first layer is the embedding alone, which may be frozen.
    let trainsEmbedding = decoder.embedding.isTrained
    for (index, layer) in decoder.layers.enumerated().reversed() {
      let isLast = index == decoder.layers.count - 1
      let queryRows = isLast ? forward.outputs : forward.all
      let mark = kept.mark
      layer.backward(
        recomputesActivations
          ? recomputed(layer, forward.inputs[index], forward, queryRows)
          : forward.activations[index],
        dy: isLast ? dLast : dx, into: index > 0 || trainsEmbedding ? dx : nil,
        all: forward.all, queryRows: queryRows, forward.pass)
      kept.release(to: mark)
    }
    if trainsEmbedding, let gradients = forward.pass.gradients {
      if c.embeddingMultiplier != 1 {
        ks_scale(dx.base, c.embeddingMultiplier, dx.base, dx.rows * dx.columns)
      }
      decoder.embedding.scatter(dx, batch.tokens, addingTo: gradients)
    }
  }
}
