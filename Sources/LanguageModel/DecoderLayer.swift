import Checkpoints
import LinearAlgebra

/// One decoder layer: attention, then the feed-forward block.
///
/// Letters: T rows, Q query rows (T, or in the last layer the output rows), D hidden size.
struct DecoderLayer {
  private let index: Int
  private let attention: AttentionBlock
  private let feedForward: FeedForwardBlock

  init(
    _ index: Int, _ c: ModelConfiguration, _ weights: WeightStorage, _ adapter: LowRankAdapter?,
    _ rotary: RotaryTable?
  ) {
    self.index = index
    attention = AttentionBlock(index, c, weights, adapter, rotary)
    feedForward = FeedForwardBlock(index, c, weights, adapter)
  }

  /// What the backward needs of the forward.
  struct Activations {
    let attention: AttentionBlock.Activations
    let feedForward: FeedForwardBlock.Activations

    /// Rotated keys, then values [T, 2 G d] of G heads of d dimensions.
    var keysValues: MatrixView { attention.keysValues }
  }

  /// Writes the layer's result for `input`[T, D] into `y`[Q, D], which may be `input` itself where
  /// all rows are query rows.
  func forward(
    _ input: MatrixView, into y: MatrixView, all: QueryRows, queryRows: QueryRows,
    _ pass: PassContext
  ) -> Activations {
    let middle = pass.kept.matrix(queryRows.count, input.columns)
    return Activations(
      attention: attention.forward(input, into: middle, all: all, queryRows: queryRows, pass),
      feedForward: feedForward.forward(middle, into: y, queryRows, pass))
  }

  /// The layer's result for one more row of each of S sequences, `x`[S, D], in place; the rows'
  /// keys and values go into the sequences' caches.
  func step(_ x: MatrixView, _ rows: QueryRows, _ caches: [KeyValueCache], _ pass: PassContext) {
    let mark = pass.kept.mark
    defer { pass.kept.release(to: mark) }
    let middle = pass.kept.matrix(x.rows, x.columns)
    attention.step(x, into: middle, rows, layer: index, caches, pass)
    _ = feedForward.forward(middle, into: x, rows, pass)
  }

  /// Given dy[Q, D], writes dx[T, D] and adds the parameters' gradients to `pass.gradients`.
  ///
  /// dy is overwritten, and so are some of the activations; dx may be dy where all rows are query rows.
  /// Where `dx` is nil nothing below needs a gradient, and only the layer's own trained tensors get
  /// theirs.
  func backward(
    _ a: Activations, dy: MatrixView, into dx: MatrixView?, all: QueryRows, queryRows: QueryRows,
    _ pass: PassContext
  ) {
    feedForward.backward(a.feedForward, dy, queryRows, pass)
    attention.backward(a.attention, dh: dy, into: dx, all: all, queryRows: queryRows, pass)
  }
}
