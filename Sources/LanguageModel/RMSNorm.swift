import CKernels
import Checkpoints
import LinearAlgebra

/// y = x / √(mean(x²) + ε) · (offset + w), of each row (Zhang and Sennrich, 1910.07467).
///
/// Letters: R rows, N columns.
struct RMSNorm {
  fileprivate let weight: StoredVector
  fileprivate let epsilon: Float
  /// 1 in Gemma, whose weights are stored without it; else 0.
  fileprivate let offset: Float

  init(_ name: String, _ weights: WeightStorage, _ c: ModelConfiguration) {
    weight = weights.vector(name)
    epsilon = c.rmsNormEpsilon
    offset = c.architecture.family.normOffset
  }

  /// That of layer `index`; nil where the family has no such norm.
  init?(_ name: NormName, layer index: Int, _ weights: WeightStorage, _ c: ModelConfiguration) {
    guard let weight = c.architecture.family.weight(name, layer: index) else { return nil }
    self.init(weight, weights, c)
  }

  /// Writes y[R, N], which may be x; returns 1 / √(mean(x²) + ε) [1, R] for the backward.
  func forward(_ x: MatrixView, into y: MatrixView, _ pass: PassContext) -> MatrixView {
    let inverseRMS = pass.kept.matrix(1, x.rows)
    pass.clock.measure(.normalisation) {
      ks_rms_norm(
        x.base, weight.base, offset, epsilon, y.base, inverseRMS.base, x.rows, x.columns)
    }
    return inverseRMS
  }

  /// Recomputes y from what the forward kept.
  func recompute(
    _ x: MatrixView, _ inverseRMS: MatrixView, into y: MatrixView, _ pass: PassContext
  ) {
    pass.clock.measure(.normalisation) {
      ks_rms_norm_recompute(
        x.base, weight.base, offset, inverseRMS.base, y.base, x.rows, x.columns)
    }
  }

  /// Adds the gradient through the norm to `dx`, and the weight's own to the pass's gradients.
  func backward(
    _ x: MatrixView, _ inverseRMS: MatrixView, dy: MatrixView, addingTo dx: MatrixView,
    _ pass: PassContext
  ) {
    pass.clock.measure(.normalisation) {
      ks_rms_norm_backward(
        x.base, weight.base, offset, inverseRMS.base, dy.base, dx.base,
        weight.gradient(pass.gradients), x.rows, x.columns)
    }
  }
}

/// RMSNorm of queries or keys before they are rotated: of each head by itself, with one weight [d] for
/// all, or of all heads of a row together.
///
/// Letters: T rows, H heads, d head dimension, G groups of columns that are normed together (heads, or
/// one), n columns of a group.
struct HeadNorm {
  /// What the backward needs of the forward.
  struct Kept {
    /// The heads before the norm [T, H d].
    let input: MatrixView
    /// [T, G].
    let inverseRMS: MatrixView
  }

  private let norm: RMSNorm
  private let groups: Int
  /// n.
  private let width: Int

  init(_ norm: RMSNorm, heads: Int, _ c: ModelConfiguration) {
    self.norm = norm
    groups = c.architecture.family.layer.normsAllHeads ? 1 : heads
    width = heads * c.headDimension / groups
  }

  /// Norms the first H heads of each row of x[T, …] in place.
  func forward(_ x: MatrixView, _ pass: PassContext) -> Kept {
    let input = pass.kept.matrix(x.rows, groups * width)
    let inverseRMS = pass.kept.matrix(x.rows, groups)
    pass.clock.measure(.normalisation) {
      for row in 0..<x.rows {
        input.row(row).update(from: x.row(row), count: input.columns)
        ks_rms_norm(
          input.row(row), norm.weight.base, norm.offset, norm.epsilon, x.row(row),
          inverseRMS.row(row), groups, width)
      }
    }
    return Kept(input: input, inverseRMS: inverseRMS)
  }

  /// Turns the gradient of the normed heads in the rows of dx into that of the heads before the norm;
  /// the weight's own is added to the pass's gradients.
  func backward(_ dx: MatrixView, _ kept: Kept, _ pass: PassContext) {
    let mark = pass.scratch.mark
    defer { pass.scratch.release(to: mark) }
    let dy = pass.scratch.matrix(1, kept.input.columns)
    let dWeight = norm.weight.gradient(pass.gradients)
    pass.clock.measure(.normalisation) {
      for row in 0..<dx.rows {
        dy.base.update(from: dx.row(row), count: dy.columns)
        dx.row(row).update(repeating: 0, count: dy.columns)
        ks_rms_norm_backward(
          kept.input.row(row), norm.weight.base, norm.offset, kept.inverseRMS.row(row), dy.base,
          dx.row(row), dWeight, groups, width)
      }
    }
  }
}
