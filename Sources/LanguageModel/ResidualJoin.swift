import CKernels
import Checkpoints
import LinearAlgebra

/// How a sublayer's result s joins the residual stream: x + s, or x + c · norm(s) with a norm, a constant
/// or both.
///
/// Letters: Q rows, D hidden size.
struct ResidualJoin {
  /// What the backward needs of the forward; nil where s is added as it is.
  struct Kept {
    /// s [Q, D].
    let result: MatrixView
    let inverseRMS: MatrixView?
  }

  private let norm: RMSNorm?
  private let multiplier: Float

  init(_ norm: RMSNorm?, _ c: ModelConfiguration) {
    self.norm = norm
    multiplier = c.residualMultiplier
  }

  private var isSum: Bool { norm == nil && multiplier == 1 }

  /// Adds the result of `project` to `x`[Q, D]. `project` writes it to its argument, or adds it there
  /// where its second one is true.
  func forward(addingTo x: MatrixView, _ pass: PassContext, _ project: (MatrixView, Bool) -> Void)
    -> Kept?
  {
    if isSum {
      project(x, true)
      return nil
    }
    let result = pass.kept.matrix(x.rows, x.columns)
    project(result, false)
    let mark = pass.scratch.mark
    defer { pass.scratch.release(to: mark) }
    var joined = result
    var inverseRMS: MatrixView?
    if let norm {
      joined = pass.scratch.matrix(x.rows, x.columns)
      inverseRMS = norm.forward(result, into: joined, pass)
    }
    pass.clock.measure(.elementwise) {
      ks_add_scaled(joined.base, multiplier, x.base, x.rows * x.columns)
    }
    return Kept(result: result, inverseRMS: inverseRMS)
  }

  /// Calls `body` with the gradient of s, given that of the sum; it may be `dy` itself, which is not
  /// written.
  func backward(_ dy: MatrixView, _ kept: Kept?, _ pass: PassContext, _ body: (MatrixView) -> Void)
  {
    guard let kept else { return body(dy) }
    let mark = pass.scratch.mark
    defer { pass.scratch.release(to: mark) }
    let dJoined = pass.scratch.matrix(dy.rows, dy.columns)
    pass.clock.measure(.elementwise) {
      ks_scale(dy.base, multiplier, dJoined.base, dy.rows * dy.columns)
    }
    guard let norm, let inverseRMS = kept.inverseRMS else { return body(dJoined) }
    let dResult = pass.scratch.matrix(dy.rows, dy.columns)
    dResult.setZero()
    norm.backward(kept.result, inverseRMS, dy: dJoined, addingTo: dResult, pass)
    body(dResult)
  }
}
