import CKernels
import Checkpoints
import LinearAlgebra

/// The feed-forward half of a decoder layer, forward and backward side by side.
///
///     y = h + join(down_proj(activation(gate_proj) · up_proj)), the two of norm(h)
///
/// Letters: Q rows, D hidden size, F feed-forward width, r rank.
struct FeedForwardBlock {
  private let configuration: ModelConfiguration
  /// Nil where the input goes in as it is.
  private let norm: RMSNorm?
  private let gateUp: ProjectionGroup
  private let down: ProjectionGroup
  private let join: ResidualJoin

  init(
    _ index: Int, _ c: ModelConfiguration, _ weights: WeightStorage, _ adapter: LowRankAdapter?
  ) {
    configuration = c
    norm = RMSNorm(.feedForward, layer: index, weights, c)
    gateUp = ProjectionGroup([.gate, .up], layer: index, of: c, weights, adapter)
    down = ProjectionGroup([.down], layer: index, of: c, weights, adapter)
    join = ResidualJoin(RMSNorm(.postFeedForward, layer: index, weights, c), c)
  }

  /// What the backward needs of the forward.
  struct Activations {
    let input: MatrixView  // h [Q, D]
    var inverseRMS: MatrixView?  // [1, Q]
    let gateUpValues: MatrixView  // before the nonlinearity [Q, 2 F]
    /// What the join kept; nil without it.
    var join: ResidualJoin.Kept?
    // What the low-rank updates of a group projected down to [Q, r].
    var gateUpDown: [MatrixView] = []
    var downDown: [MatrixView] = []
  }

  /// Writes the result for `h`[Q, D] into `y`[Q, D].
  func forward(_ h: MatrixView, into y: MatrixView, _ rows: QueryRows, _ pass: PassContext)
    -> Activations
  {
    let c = configuration
    let mark = pass.scratch.mark
    defer { pass.scratch.release(to: mark) }
    let clock = pass.clock
    var a = Activations(
      input: h, gateUpValues: pass.kept.matrix(rows.count, 2 * c.intermediateSize))
    var normed = h
    if let norm {
      normed = pass.scratch.matrix(rows.count, c.hiddenSize)
      a.inverseRMS = norm.forward(h, into: normed, pass)
    }
    clock.measure(.projections) {
      a.gateUpDown = gateUp.forward(normed, into: a.gateUpValues, pass, keys: rows.dropoutKeys)
    }
    let activated = pass.scratch.matrix(rows.count, c.intermediateSize)
    clock.measure(.elementwise) {
      activate(a.gateUpValues, into: activated)
      y.base.update(from: h.base, count: rows.count * c.hiddenSize)
    }
    a.join = join.forward(addingTo: y, pass) { result, adding in
      clock.measure(.projections) {
        a.downDown = down.forward(
          activated, into: result, adding: adding, pass, keys: rows.dropoutKeys)
      }
    }
    return a
  }

  /// Turns dy[Q, D] into dh and adds the parameters' gradients to `pass.gradients`. The gate and up
  /// values and what the low-rank updates projected down are overwritten.
  func backward(_ a: Activations, _ dy: MatrixView, _ rows: QueryRows, _ pass: PassContext) {
    let c = configuration
    let mark = pass.scratch.mark
    defer { pass.scratch.release(to: mark) }
    let clock = pass.clock
    let wide = pass.scratch.matrix(rows.count, c.intermediateSize)
    let narrow = pass.scratch.matrix(rows.count, c.hiddenSize)
    join.backward(dy, a.join, pass) { dResult in
      if pass.needsInput(down) {
        clock.measure(.elementwise) { activate(a.gateUpValues, into: wide) }
      }
      clock.measure(.projections) {
        down.backward(
          dResult, input: wide, down: a.downDown, into: wide, pass, keys: rows.dropoutKeys)
      }
    }
    clock.measure(.elementwise) { activateBackward(a.gateUpValues, wide) }
    var normed = a.input
    if let norm, let inverseRMS = a.inverseRMS, pass.needsInput(gateUp) {
      normed = narrow
      norm.recompute(a.input, inverseRMS, into: normed, pass)
    }
    clock.measure(.projections) {
      gateUp.backward(
        a.gateUpValues, input: normed, down: a.gateUpDown, into: narrow, pass,
        keys: rows.dropoutKeys)
    }
    if let norm, let inverseRMS = a.inverseRMS {
      norm.backward(a.input, inverseRMS, dy: narrow, addingTo: dy, pass)
    } else {
      ks_add(narrow.base, dy.base, rows.count * c.hiddenSize)
    }
  }

  /// y[Q, F] from gate and up [Q, 2 F].
  private func activate(_ gateUp: MatrixView, into y: MatrixView) {
    switch configuration.activation {
    case .silu: ks_swiglu(gateUp.base, y.base, y.rows, y.columns)
    case .geluTanh: ks_geglu(gateUp.base, y.base, y.rows, y.columns)
    }
  }

  /// Turns gate and up into their gradient, given that of y.
  private func activateBackward(_ gateUp: MatrixView, _ dy: MatrixView) {
    switch configuration.activation {
    case .silu: ks_swiglu_backward(gateUp.base, dy.base, dy.rows, dy.columns)
    case .geluTanh: ks_geglu_backward(gateUp.base, dy.base, dy.rows, dy.columns)
    }
  }
}
