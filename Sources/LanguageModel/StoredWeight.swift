import CKernels
import Checkpoints
import LinearAlgebra

/// A decoder's own weights by tensor name, in the form they are stored in.
///
/// `WeightStorage`, `StoredWeight` and `StoredVector` are all that knows the element type of a
/// weight. Today that is single precision in a `ParameterStore`. A further type is a further case of
/// `StoredWeight.Form`, whose rows are expanded in the pass's workspace next to each product, and is
/// never trained.
struct WeightStorage {
  private let store: ParameterStore
  /// The same matrices in bfloat16, made when a pass in bf16 first needs them.
  private let rounded: RoundedWeights
  /// Whether training changes these weights. Where it does not, they have no gradients, and so no
  /// optimiser state.
  let isTrained: Bool

  /// Weights that a pass with gradients trains.
  init(trained store: ParameterStore) {
    self.init(store, RoundedWeights(), isTrained: true)
  }

  private init(_ store: ParameterStore, _ rounded: RoundedWeights, isTrained: Bool) {
    self.store = store
    self.rounded = rounded
    self.isTrained = isTrained
  }

  /// The same weights, shared, as constants.
  var frozen: WeightStorage { WeightStorage(store, rounded, isTrained: false) }

  /// The tensors `names`, stored one after the other and equally wide, as one matrix.
  func matrix(_ names: [String]) -> StoredWeight {
    let (offset, rows) = block(names)
    let columns = store.existingSlot(names[0]).columns
    return StoredWeight(
      float32: store.buffer.matrix(rows: rows, columns: columns, at: offset),
      rounded: rounded.weight(at: offset, of: store),
      gradientOffset: isTrained ? offset : nil)
  }

  /// The vectors `names`, stored one after the other, as one; nil where none of them is stored.
  func vector(_ names: [String]) -> StoredVector? {
    guard names.contains(where: { store.slot($0) != nil }) else { return nil }
    let (offset, _) = block(names)
    return StoredVector(
      base: store.buffer.base + offset, gradientOffset: isTrained ? offset : nil)
  }

  func vector(_ name: String) -> StoredVector {
    guard let vector = vector([name]) else { preconditionFailure("no tensor is called \(name)") }
    return vector
  }

  /// Where `names` begin, and their rows together.
  private func block(_ names: [String]) -> (offset: Int, rows: Int) {
    let slots = names.map(store.existingSlot)
    for (slot, next) in zip(slots, slots.dropFirst()) {
      precondition(
        slot.offset + slot.count == next.offset && slot.columns == next.columns
          || slot.shape.count == 1,
        "\(slot.name) and \(next.name) do not lie one after the other")
    }
    return (slots[0].offset, slots.reduce(0) { $0 + $1.rows })
  }

  /// All weights in single precision. Precondition: that is how they are stored.
  var parameters: ParameterStore { store }

  /// All weights in single precision, in memory of their own.
  func copy() -> ParameterStore { store.copy() }

  /// The numbers of the tensor called `name`, row-major. Precondition: there is one.
  func values(_ name: String) -> [Float] { Array(store[name]) }

  /// The tensors for a writer.
  var sources: [TensorSource] { store.sources() }
}

/// A matrix of weights W [O, I] in the form it is stored in, with the three products that a pass
/// needs of it. Its `WeightStorage` must outlive it.
///
/// Letters: R rows, I inputs, O outputs.
struct StoredWeight {
  private enum Form {
    case float32(MatrixView)
  }

  private let form: Form
  let outputs: Int
  let inputs: Int
  /// Floats before its gradient among the gradients of the trained weights; nil where it is frozen.
  private let gradientOffset: Int?

  /// The same in bfloat16.
  private let rounded: RoundedWeight

  init(float32 weight: MatrixView, rounded: RoundedWeight, gradientOffset: Int?) {
    form = .float32(weight)
    self.rounded = rounded
    outputs = weight.rows
    inputs = weight.columns
    self.gradientOffset = gradientOffset
  }

  var isTrained: Bool { gradientOffset != nil }

  /// y[R,O] = x[R,I] Wᵀ, or y += it with `adding`.
  func forward(_ x: Operand, into y: MatrixView, adding: Bool = false, _ pass: PassContext) {
    switch form {
    case .float32(let weight):
      if let products = pass.products, let x = x.rounded {
        pass.clock.count(x.rows, inputs, outputs)
        return rounded.multiply(
          x, weight, .forward, isTrained: isTrained && pass.gradients != nil, into: y,
          adding: adding, products)
      }
      let x = x.values
      guard pass.isStep else {
        return pass.clock.multiply(x, weight.transposed, into: y, adding: adding)
      }
      // A step is bound by reading the weights, which a general product first copies.
      precondition(
        x.columns == weight.columns && x.rows == y.rows && weight.rows == y.columns
          && weight.stride == weight.columns)
      let mark = pass.scratch.mark
      defer { pass.scratch.release(to: mark) }
      pass.clock.count(x.rows, x.columns, y.columns)
      ks_project_few(
        x.base, x.stride, weight.base, y.base, y.stride, pass.scratch.floats(32 * x.columns),
        x.rows, x.columns, weight.rows, adding ? 1 : 0)
    }
  }

  /// dx[R,I] = dy[R,O] W, or dx += it with `adding`.
  func backwardInput(
    _ dy: Operand, into dx: MatrixView, adding: Bool = false, _ pass: PassContext
  ) {
    switch form {
    case .float32(let weight):
      if let products = pass.products, let dy = dy.rounded {
        pass.clock.count(dy.rows, outputs, inputs)
        return rounded.multiply(
          dy, weight, .backward, isTrained: isTrained, into: dx, adding: adding, products)
      }
      pass.clock.multiply(dy.values, weight, into: dx, adding: adding)
    }
  }

  /// dW += dy[R,O]ᵀ x[R,I] in `gradients`; nothing where the weight is frozen.
  func backwardWeight(
    _ dy: Operand, _ x: Operand, addingTo gradients: ParameterStore, _ pass: PassContext
  ) {
    guard let dWeight = gradient(gradients) else { return }
    pass.multiply(dy.transposed, x, into: dWeight, adding: true)
  }

  /// x[T,I]: the rows of W at `indices`.
  func gather(_ indices: [Int32], into x: MatrixView) {
    switch form {
    case .float32(let weight):
      for (row, index) in indices.enumerated() {
        x.row(row).update(from: weight.row(Int(index)), count: inputs)
      }
    }
  }

  /// Adds the rows of dx[T,I] to those of dW at `indices`; nothing where the weight is frozen.
  func scatter(_ dx: MatrixView, _ indices: [Int32], addingTo gradients: ParameterStore) {
    guard let dWeight = gradient(gradients) else { return }
    for (row, index) in indices.enumerated() {
      ks_add(dx.row(row), dWeight.row(Int(index)), inputs)
    }
  }

  private func gradient(_ gradients: ParameterStore) -> MatrixView? {
    gradientOffset.map { gradients.buffer.matrix(rows: outputs, columns: inputs, at: $0) }
  }
}

/// A norm's weight or a bias, always in single precision. Its `WeightStorage` must outlive it.
struct StoredVector {
  let base: UnsafeMutablePointer<Float>
  fileprivate let gradientOffset: Int?

  /// Its gradient among `gradients`; nil where it is frozen.
  func gradient(_ gradients: ParameterStore?) -> UnsafeMutablePointer<Float>? {
    guard let gradients, let gradientOffset else { return nil }
    return gradients.buffer.base + gradientOffset
  }
}
