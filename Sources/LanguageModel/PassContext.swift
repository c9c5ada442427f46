import CKernels
import LinearAlgebra

/// What the layers of one pass share.
struct PassContext {
  /// Where gradients are added, laid out as `Decoder.trainable`.
  let gradients: ParameterStore?
  /// One more than the last position of the pass.
  let positions: Int
  /// The workspace of what the backward needs.
  let kept: Arena
  /// The workspace of what a layer needs while it runs.
  let scratch: Arena
  let clock: PassClock
  /// Computes products of bfloat16; nil where products are in single precision.
  let products: BFloat16Products?
  /// The probability of dropout in the adapter's input; 0 outside training.
  let dropout: Float
  /// Whether this is a step of decoding: one row of each sequence meets all the weights.
  var isStep = false

  /// Whether the gradients of the group's trained tensors need its input.
  func needsInput(_ group: ProjectionGroup) -> Bool { gradients != nil && group.isTrained }

  /// x as an operand of products: in bf16, rounded in the scratch workspace, where it stays until
  /// the workspace is released. `scale` multiplies it first.
  func operand(_ x: MatrixView, scale: Float = 1) -> Operand {
    guard products != nil else { return Operand(values: x, scale: scale, rounded: nil) }
    let memory = scratch.bfloat16(BFloat16View.count(x))
    return clock.measureRounding {
      Operand(
        values: x, scale: scale, rounded: BFloat16View(rounding: x, scale: scale, into: memory))
    }
  }

  /// C ← A B, or C ← C + A B with `adding`, in the pass's precision.
  func multiply(_ a: Operand, _ b: Operand, into c: MatrixView, adding: Bool = false) {
    guard let products, let left = a.rounded, let right = b.rounded else {
      return clock.multiply(
        a.values, b.values, into: c, scale: a.scale * b.scale, adding: adding)
    }
    clock.measureProduct(left.rows, left.columns, right.columns) {
      products.multiply(left, right, into: c, adding: adding)
    }
  }

  /// Calls `body` with dropout(x), the same mask for the same salt and keys at every call.
  func withDropped(_ x: MatrixView, _ salt: UInt32, _ keys: [UInt32], _ body: (MatrixView) -> Void)
  {
    let mark = scratch.mark
    defer { scratch.release(to: mark) }
    let dropped = scratch.matrix(x.rows, x.columns)
    ks_dropout(x.base, dropped.base, keys, salt, dropout, x.rows, x.columns)
    body(dropped)
  }

  /// Calls `body` with dropout(x) as an operand; `x` itself where there is no dropout.
  func withDropped(_ x: Operand, _ salt: UInt32, _ keys: [UInt32], _ body: (Operand) -> Void) {
    guard dropout > 0 else { return body(x) }
    withDropped(x.values, salt, keys) { body(operand($0)) }
  }
}

/// A matrix that products read: its values, and in bf16 the same rounded.
struct Operand {
  let values: MatrixView
  /// Multiplies the values; `rounded` contains it.
  let scale: Float
  let rounded: BFloat16View?

  var rows: Int { values.rows }

  var transposed: Operand {
    Operand(values: values.transposed, scale: scale, rounded: rounded?.transposed)
  }

  func columns(_ range: Range<Int>) -> Operand {
    Operand(
      values: values.columns(range), scale: scale, rounded: rounded?.columns(range))
  }
}
