import CKernels
import LinearAlgebra

/// One worker's passes over a decoder: the loss of segment trees, and its gradients, in memory that
/// is used again.
///
/// A pass runs on one thread; several may run over one decoder at once, each with its own
/// `DecoderPass`.
///
/// Letters: T rows, W wanted rows, P predictions, D hidden size, V vocabulary.
package final class DecoderPass {
  package init() {}

  private let kept = Arena()
  private let scratch = Arena()
  private let clock = PassClock()

  /// Where the time went since the last call of `takeProfile`.
  func takeProfile() -> PassProfile {
    defer { clock.profile = PassProfile() }
    return clock.profile
  }

  /// The loss of each tree under `rule`. Where there is room for `gradients`, those of the sum of
  /// the losses are added to it; it is laid out as `decoder.trainable`.
  func losses(
    of trees: [PrefixTree], on decoder: Decoder, rule: LossRule, gradients: ParameterStore?,
    dropout: Float = 0
  ) -> [ExampleLoss] {
    busy { passLosses(of: trees, on: decoder, rule: rule, gradients: gradients, dropout: dropout) }
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
    let forest = PackedForest(trees, decoder.configuration)
    guard forest.wantedCount > 0 else { return trees.map { _ in ExampleLoss(loss: 0, tokens: []) } }
    let forward = forward(forest, on: decoder, gradients: gradients, dropout: dropout)
    let vocabulary = VocabularyLoss(
      forest: forest, hidden: forward.hidden, decoder: decoder, scratch: scratch, clock: clock)
    guard let gradients else { return clock.measure(.vocabulary) { vocabulary.losses(rule) } }
    let dHidden = kept.matrix(forest.wantedCount, decoder.configuration.hiddenSize)
    dHidden.setZero()
    let losses = clock.measure(.vocabulary) {
      vocabulary.losses(rule, addingTo: dHidden, gradients)
    }
    backward(forest, on: decoder, forward, dHidden: dHidden, gradients)
    return losses
  }

  /// The logits [count, V] after each of `tokens`, a sequence of its own.
  func logits(of tokens: [Int], on decoder: Decoder) -> Matrix<Float> {
    // A token more, so that every given one has something to predict.
    let tree = PrefixTree([
      Segment(tokens: tokens + [0], weights: [0] + Array(repeating: 1, count: tokens.count))
    ])
    let forest = PackedForest([tree], decoder.configuration)
    let hidden = forward(forest, on: decoder, gradients: nil, dropout: 0).hidden
    var logits = Matrix<Float>(rows: tokens.count, columns: decoder.output.rows)
    logits.elements.withUnsafeMutableBufferPointer { elements in
      guard let base = elements.baseAddress else { return }
      multiply(
        hidden, decoder.output.transposed,
        into: MatrixView(base, rows: tokens.count, columns: decoder.output.rows))
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
    let forest = PackedForest(trees, decoder.configuration)
    var ends = [0]
    for prompt in prompts { ends.append(ends[ends.count - 1] + prompt.count) }
    for (prompt, cache) in zip(prompts, caches) { cache.makeRoom(for: prompt.count) }
    let forward = forward(forest, on: decoder, gradients: nil, dropout: 0) { layer, activations in
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
    let pass = stepContext(decoder)
    let rows = AskingRows.step(positions: caches.map { Int32($0.count) })
    for cache in caches { cache.makeRoom(for: 1) }
    let x = kept.matrix(tokens.count, decoder.configuration.hiddenSize)
    decoder.embed(tokens, into: x)
    for (index, layer) in decoder.layers.enumerated() {
      layer.step(x, rows, layer: index, caches, decoder.rotary, pass)
    }
    for cache in caches { cache.advance(by: 1) }
    return finalNorm(x, of: decoder).hidden
  }

  /// The logits [S, V] of final hidden states [S, D], in memory of the pass.
  package func logits(_ hidden: MatrixView, of decoder: Decoder) -> MatrixView {
    let logits = kept.matrix(hidden.rows, decoder.output.rows)
    clock.measure(.vocabulary) {
      stepContext(decoder).project(hidden, decoder.output, into: logits)
    }
    return logits
  }

  private func stepContext(_ decoder: Decoder) -> PassContext {
    PassContext(
      parameters: decoder.parameters, adapter: decoder.adapter, gradients: nil, kept: kept,
      scratch: scratch, clock: clock, dropout: 0, isStep: true)
  }

  private func finalNorm(_ x: MatrixView, of decoder: Decoder)
    -> (hidden: MatrixView, inverseRMS: MatrixView)
  {
    let hidden = kept.matrix(x.rows, x.columns)
    let inverseRMS = kept.matrix(1, x.rows)
    ks_rms_norm(
      x.base, decoder.finalNorm.base, decoder.configuration.rmsNormEpsilon, hidden.base,
      inverseRMS.base, x.rows, x.columns)
    return (hidden, inverseRMS)
  }

  /// What a forward leaves.
  private struct Forward {
    var pass: PassContext
    var all: AskingRows
    var wanted: AskingRows
    /// Of each layer where gradients are wanted, else empty.
    var activations: [DecoderLayer.Activations]
    /// The last layer's result [W, D], and what the final norm makes of it.
    var last: MatrixView
    var inverseRMS: MatrixView
    var hidden: MatrixView
  }

  /// Without gradients, `visit` is called after each layer with its index and what it computed.
  private func forward(
    _ forest: PackedForest, on decoder: Decoder, gradients: ParameterStore?, dropout: Float,
    visit: (Int, DecoderLayer.Activations) -> Void = { _, _ in }
  )
    -> Forward
  {
    let c = decoder.configuration
    kept.reset()
    scratch.reset()
    let pass = PassContext(
      parameters: decoder.parameters, adapter: decoder.adapter, gradients: gradients, kept: kept,
      scratch: scratch, clock: clock, dropout: dropout)
    let all = AskingRows.all(forest)
    let wanted = AskingRows.wanted(forest)
    var x = kept.matrix(forest.rowCount, c.hiddenSize)
    decoder.embed(forest.tokens, into: x)
    var activations: [DecoderLayer.Activations] = []
    for (index, layer) in decoder.layers.enumerated() {
      let isLast = index == decoder.layers.count - 1
      let asking = isLast ? wanted : all
      if gradients != nil {
        // Each layer writes the next one's input.
        let y = kept.matrix(asking.count, c.hiddenSize)
        activations.append(
          layer.forward(x, into: y, all: all, asking: asking, decoder.rotary, pass))
        x = y
      } else {
        // Without a backward, layers use the same room one after the other.
        let y = isLast ? kept.matrix(asking.count, c.hiddenSize) : x
        let mark = kept.mark
        visit(index, layer.forward(x, into: y, all: all, asking: asking, decoder.rotary, pass))
        kept.release(to: mark)
        x = y
      }
    }
    let (hidden, inverseRMS) = finalNorm(x, of: decoder)
    return Forward(
      pass: pass, all: all, wanted: wanted, activations: activations, last: x,
      inverseRMS: inverseRMS, hidden: hidden)
  }

  private func backward(
    _ forest: PackedForest, on decoder: Decoder, _ forward: Forward, dHidden: MatrixView,
    _ gradients: ParameterStore
  ) {
    let c = decoder.configuration
    let dLast = kept.matrix(forest.wantedCount, c.hiddenSize)
    dLast.setZero()
    decoder.finalNorm.backward(
      forward.last, forward.inverseRMS, dy: dHidden, addingTo: dLast, forward.pass)
    // From the last layer's input down, one buffer is turned from dy into dx in place.
    let dx = kept.matrix(forest.rowCount, c.hiddenSize)
    // Below the first layer stands the embedding alone, which an adapter leaves frozen.
    let trainsEmbedding = decoder.adapter == nil
    for (index, layer) in decoder.layers.enumerated().reversed() {
      let isLast = index == decoder.layers.count - 1
      layer.backward(
        forward.activations[index], dy: isLast ? dLast : dx,
        into: index > 0 || trainsEmbedding ? dx : nil,
        all: forward.all, asking: isLast ? forward.wanted : forward.all, decoder.rotary,
        forward.pass)
    }
    guard trainsEmbedding else { return }
    let dEmbedding = gradients.matrix("model.embed_tokens.weight")
    for (row, token) in forest.tokens.enumerated() {
      ks_add(dx.row(row), dEmbedding.row(Int(token)), c.hiddenSize)
    }
  }
}
