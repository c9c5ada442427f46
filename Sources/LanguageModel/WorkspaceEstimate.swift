import Checkpoints
import LinearAlgebra

/// The memory that passes with gradients take beside parameters and gradients, computed from shapes alone: what the
/// layers keep for the backward, and the scratch space of the layer, or the part of the vocabulary projection, that
/// needs most.
///
/// Letters: T rows, W output rows, p predictions of one chunk, D hidden size, F feed-forward width, H query heads, G
/// key-value heads, d head dimension, r rank, V vocabulary.
extension Workers {
  /// The bytes that the workspaces of all workers hold at the most in a step on `trees`.
  public func workspaceBytes(for trees: [PrefixTree], on decoder: Decoder, dropout: Float) -> Int {
    let passes = split(trees).map { groups in
      groups.map { PassSize(PackedBatch($0.map { trees[$0] }, decoder.configuration)) }
    }
    return zip(self.passes, passes).reduce(0) { sum, worker in
      let (pass, sizes) = worker
      let floats = sizes.map { pass.floats($0, decoder, dropout: dropout) }
      // A workspace grows to what its largest pass needs.
      let (kept, scratch) = (floats.map(\.kept).max() ?? 0, floats.map(\.scratch).max() ?? 0)
      return sum + (kept + scratch) * MemoryLayout<Float>.stride
    }
  }

  /// The bytes that the workspaces of all workers have held at the most.
  package var peakWorkspaceBytes: Int {
    passes.reduce(0) { $0 + $1.peakFloats.kept + $1.peakFloats.scratch }
      * MemoryLayout<Float>.stride
  }
}

/// What the memory of a pass depends on.
private struct PassSize {
  var rows: Int
  var outputs: Int
  var predictions: Int
  /// The most keys that a query sees.
  var positions: Int

  init(_ batch: PackedBatch) {
    (rows, outputs, predictions) = (batch.rowCount, batch.outputCount, batch.predictions.count)
    positions = Int(batch.positions.max() ?? -1) + 1
  }
}

extension DecoderPass {
  fileprivate func floats(_ size: PassSize, _ decoder: Decoder, dropout: Float)
    -> (kept: Int, scratch: Int)
  {
    let c = decoder.configuration
    let (t, w) = (size.rows, size.outputs)
    guard w > 0 else { return (0, 0) }
    let (d, f) = (c.hiddenSize, c.intermediateSize)
    let (query, keyValue) = (c.headCount * c.headDimension, c.keyValueHeadCount * c.headDimension)
    let layers = 0..<c.layerCount

    /// What layer `index` keeps of its forward, beside its result.
    func activations(_ index: Int) -> Int {
      let q = index == c.layerCount - 1 ? w : t
      let family = c.architecture.family
      var floats = q * (d + 2 * query + c.headCount + 2 * f) + t * 2 * keyValue
      if family.weight(.query, layer: index) != nil { floats += q * query + t * keyValue }
      if family.weight(.postAttention, layer: index) != nil || c.residualMultiplier != 1 {
        floats += 2 * q * d
      }
      for module in decoder.adapter?.configuration.targets ?? [] {
        let isOfKeys = module == .key || module == .value
        floats +=
          (isOfKeys ? t : q) * (decoder.adapter?.rank(of: module, layer: index) ?? 0)
      }
      return floats
    }
    let results = layers.reduce(0) { $0 + ($1 == c.layerCount - 1 ? w : t) * d }
    let kept =
      t * d + results
      + (recomputesActivations
        ? layers.map(activations).max() ?? 0 : layers.reduce(0) { $0 + activations($1) })
      // Final hidden states and their gradient, the last layer's, and that of all other layers.
      + 3 * w * d + t * d

    let isAdapted = decoder.adapter != nil
    // Operands in bf16 are copies of half the size.
    func operands(_ floats: Int) -> Int { precision == .bf16 ? floats / 2 : 0 }
    let dropped = isAdapted && dropout > 0 ? t : 0
    let feedForward =
      t * (f + d) + operands(t * (2 * f + d)) + dropped * max(d, f) + operands(dropped * max(d, f))
    let attention =
      t * (2 * query + 2 * keyValue + 2 * d) + 2 * 128 * size.positions
      + operands(t * (query + 2 * keyValue + d)) + dropped * d + operands(dropped * d)
    let chunk = min(size.predictions, max(16, VocabularyLoss.chunkFloats / c.vocabularySize))
    let vocabulary =
      chunk * (d + c.vocabularySize) + operands(chunk * (d + c.vocabularySize))
    let expanded = decoder.isMapped ? StoredWeight.chunkFloats : 0
    let recomputed = recomputesActivations ? t * d : 0
    return (kept, max(feedForward + recomputed, attention, vocabulary) + expanded)
  }
}

extension Decoder {
  /// The model's own parameters and those of its adapter.
  public var parameterCount: Int {
    configuration.tensorShapes.reduce(adapter?.parameters.count ?? 0) {
      $0 + $1.shape.reduce(1, *)
    }
  }

  /// The bytes of the model's own weights and those of its adapter, as they lie in memory; in bf16 with the rounded
  /// copies of matrices that forward and backward read.
  public func weightBytes(_ precision: Precision) -> Int {
    let floats = weights.byteCount + 4 * (adapter?.parameters.count ?? 0)
    guard precision == .bf16, !isMapped else { return floats }
    let matrices = configuration.tensorShapes.filter { $0.shape.count == 2 }
      .reduce(0) { $0 + $1.shape.reduce(1, *) }
    // A constant matrix is packed once for each direction, one that is trained has one copy for both.
    return floats + 2 * matrices * (adapter == nil ? 1 : 2)
  }

  /// Whether the matrices are in their checkpoint's types.
  var isMapped: Bool { weights.isMapped }
}
