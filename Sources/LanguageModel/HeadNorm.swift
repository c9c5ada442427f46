import CKernels
import Checkpoints
import LinearAlgebra

/// RMSNorm of each query or key head by itself, with one weight [d] for all heads.
///
/// Letters: T rows, H heads, d head dimension.
struct HeadNorm {
  /// What the backward needs of the forward.
  struct Kept {
    /// The heads before the norm [T, H d].
    let input: MatrixView
    /// [T, H].
    let inverseRMS: MatrixView
  }

  private let weight: StoredVector
  private let epsilon: Float
  private let dimension: Int

  init(_ weight: StoredVector, _ c: ModelConfiguration) {
    self.weight = weight
    epsilon = c.rmsNormEpsilon
    dimension = c.headDimension
  }

  /// Norms the first `heads` heads of each row of x[T, …] in place.
  func forward(_ x: MatrixView, heads: Int, _ pass: PassContext) -> Kept {
    let input = pass.kept.matrix(x.rows, heads * dimension)
    let inverseRMS = pass.kept.matrix(x.rows, heads)
    for row in 0..<x.rows {
      input.row(row).update(from: x.row(row), count: input.columns)
      ks_rms_norm(
        input.row(row), weight.base, epsilon, x.row(row), inverseRMS.row(row), heads, dimension)
    }
    return Kept(input: input, inverseRMS: inverseRMS)
  }

  /// Turns the gradient of the normed heads in the rows of dx into that of the heads before the norm;
  /// the weight's own is added to the pass's gradients.
  func backward(_ dx: MatrixView, _ kept: Kept, _ pass: PassContext) {
    let mark = pass.scratch.mark
    defer { pass.scratch.release(to: mark) }
    let dy = pass.scratch.matrix(1, kept.input.columns)
    let dWeight = weight.gradient(pass.gradients)
    for row in 0..<dx.rows {
      dy.base.update(from: dx.row(row), count: dy.columns)
      dx.row(row).update(repeating: 0, count: dy.columns)
      ks_rms_norm_backward(
        kept.input.row(row), weight.base, kept.inverseRMS.row(row), dy.base, dx.row(row), dWeight,
        kept.inverseRMS.columns, dimension)
    }
  }
}
