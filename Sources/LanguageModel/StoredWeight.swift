import CKernels
import Checkpoints
import LinearAlgebra

/// A decoder's own weights by tensor name, in the form they are stored in: all in single precision, or
/// the matrices in their checkpoint's types.
///
/// `WeightStorage`, `StoredWeight` and `StoredVector` are all that knows the element type of a weight.
struct WeightStorage {
  private enum Form {
    /// With the same matrices in bfloat16, made when a pass in bf16 first needs them.
    case float32(RoundedWeights)
    /// Matrices by name, as they lie in their mapped files.
    case mapped([String: StoredTensor])
  }

  private let form: Form
  /// All tensors, or of a mapped model those that are no matrices.
  private let store: ParameterStore
  /// Whether training changes these weights. Where it does not, they have no gradients, and so no
  /// optimiser state.
  let isTrained: Bool

  /// Weights that a pass with gradients trains.
  init(trained store: ParameterStore) {
    self.init(.float32(RoundedWeights()), store, isTrained: true)
  }

  /// Constant weights: matrices stay in their files, `vectors` holds the rest.
  init(mapped matrices: [String: StoredTensor], vectors: ParameterStore) {
    self.init(.mapped(matrices), vectors, isTrained: false)
  }

  private init(_ form: Form, _ store: ParameterStore, isTrained: Bool) {
    self.form = form
    self.store = store
    self.isTrained = isTrained
  }

  /// The same weights, shared, as constants.
  var frozen: WeightStorage { WeightStorage(form, store, isTrained: false) }

  /// Whether the matrices are in their checkpoint's types.
  var isMapped: Bool { if case .mapped = form { true } else { false } }

  /// Some rows of a tensor.
  typealias Part = (name: String, rows: Range<Int>)

  /// The `parts`, equally wide and stored one after the other, as one matrix.
  func matrix(_ parts: [Part]) -> StoredWeight {
    switch form {
    case .float32(let rounded):
      let (offset, rows) = block(parts)
      let columns = store.existingSlot(parts[0].name).columns
      return StoredWeight(
        float32: store.buffer.matrix(rows: rows, columns: columns, at: offset),
        rounded: rounded.weight(at: offset, of: store),
        gradientOffset: isTrained ? offset : nil)
    case .mapped(let tensors):
      return StoredWeight(mapped: parts.map { (existing($0.name, tensors), $0.rows) })
    }
  }

  /// The tensor `name` as a matrix.
  func matrix(_ name: String) -> StoredWeight {
    switch form {
    case .float32: matrix([(name, 0..<store.existingSlot(name).rows)])
    case .mapped(let tensors):
      matrix([(name, 0..<existing(name, tensors).description.shape[0])])
    }
  }

  private func existing(_ name: String, _ tensors: [String: StoredTensor]) -> StoredTensor {
    guard let tensor = tensors[name] else { preconditionFailure("no tensor is called \(name)") }
    return tensor
  }

  /// The parts of vectors, stored one after the other, as one; nil where none of them is stored.
  func vector(_ parts: [Part]) -> StoredVector? {
    guard parts.contains(where: { store.slot($0.name) != nil }) else { return nil }
    let (offset, _) = block(parts)
    return StoredVector(
      base: store.buffer.base + offset, gradientOffset: isTrained ? offset : nil)
  }

  func vector(_ name: String) -> StoredVector {
    let slot = store.existingSlot(name)
    return StoredVector(
      base: store.buffer.base + slot.offset, gradientOffset: isTrained ? slot.offset : nil)
  }

  /// Where `parts` begin, and their rows together. A vector is a column.
  private func block(_ parts: [Part]) -> (offset: Int, rows: Int) {
    let places = parts.map { part in
      let slot = store.existingSlot(part.name)
      let width = slot.count / slot.shape[0]
      return (
        start: slot.offset + part.rows.lowerBound * width,
        end: slot.offset + part.rows.upperBound * width, width: width
      )
    }
    for (place, next) in zip(places, places.dropFirst()) {
      precondition(
        place.end == next.start && place.width == next.width,
        "\(parts.map(\.name)) do not lie one after the other")
    }
    return (places[0].start, parts.reduce(0) { $0 + $1.rows.count })
  }

  /// All weights in single precision. Precondition: that is how they are stored.
  var parameters: ParameterStore {
    precondition(!isMapped, "the matrices are in their checkpoint's types")
    return store
  }

  /// The bytes that the weights take where they lie, in memory or in their files.
  var byteCount: Int {
    let floats = MemoryLayout<Float>.stride * store.count
    guard case .mapped(let tensors) = form else { return floats }
    return tensors.values.reduce(floats) { $0 + $1.description.byteCount }
  }

  /// All weights in single precision, laid out as `configuration` says, in memory of their own.
  func copy(_ configuration: ModelConfiguration) -> ParameterStore {
    guard case .mapped = form else { return store.copy() }
    let copy = ParameterStore(configuration.tensorShapes)
    for slot in copy.slots { _ = copy[slot.name].update(fromContentsOf: values(slot.name)) }
    return copy
  }

  /// The numbers of the tensor called `name`, row-major. Precondition: there is one.
  func values(_ name: String) -> [Float] {
    if case .mapped(let tensors) = form, let tensor = tensors[name] { return tensor.values }
    return Array(store[name])
  }

  /// The tensors for a writer.
  func sources(_ configuration: ModelConfiguration) -> [TensorSource] {
    guard case .mapped = form else { return store.sources() }
    return configuration.tensorShapes.map { name, shape in
      TensorSource(name: name, shape: shape) { body in
        try values(name).withUnsafeBufferPointer(body)
      }
    }
  }
}

/// A matrix of weights W [O, I] in the form it is stored in, with the three products that a pass
/// needs of it. Its `WeightStorage` must outlive it.
///
/// Products with large matrices go through W in chunks of rows, so that a mapped weight needs no
/// more than a chunk of it expanded at once. A weight in single precision is cut at the same rows: its
/// products are those of the same weight mapped, bit for bit.
///
/// Letters: R rows, I inputs, O outputs.
struct StoredWeight {
  private enum Form {
    case float32(MatrixView, RoundedWeight)
    /// Rows of tensors, one below the other.
    case mapped([(tensor: StoredTensor, rows: Range<Int>)])
  }

  private let form: Form
  let outputs: Int
  let inputs: Int
  /// Floats before its gradient among the gradients of the trained weights; nil where it is frozen.
  private let gradientOffset: Int?

  init(float32 weight: MatrixView, rounded: RoundedWeight, gradientOffset: Int?) {
    form = .float32(weight, rounded)
    outputs = weight.rows
    inputs = weight.columns
    self.gradientOffset = gradientOffset
  }

  init(mapped parts: [(tensor: StoredTensor, rows: Range<Int>)]) {
    form = .mapped(parts)
    outputs = parts.reduce(0) { $0 + $1.rows.count }
    inputs = parts[0].tensor.description.shape[1]
    gradientOffset = nil
  }

  var isTrained: Bool { gradientOffset != nil }

  /// Floats of a chunk: 16 MiB.
  static let chunkFloats = 1 << 22

  /// Of whole tiles, 12 or 16 outputs wide, of the kernels behind the products.
  private var chunks: [Range<Int>] {
    let length = max(48, Self.chunkFloats / inputs / 48 * 48)
    return stride(from: 0, to: outputs, by: length).map { $0..<min($0 + length, outputs) }
  }

  /// y[R,O] = x[R,I] Wᵀ, or y += it with `adding`.
  func forward(_ x: Operand, into y: MatrixView, adding: Bool = false, _ pass: PassContext) {
    if let products = pass.products, let x = x.rounded {
      if case .float32(let weight, let rounded) = form {
        let weight = rounded.operand(
          weight, .forward, isTrained: isTrained && pass.gradients != nil)
        return pass.clock.measureProduct(x.rows, inputs, outputs) {
          weight.multiply(x, into: y, adding: adding, products)
        }
      }
      forEachRoundedChunk(pass) { rows, weight in
        pass.clock.measureProduct(x.rows, inputs, rows.count) {
          products.multiply(x, weight.transposed, into: y.columns(rows), adding: adding)
        }
      }
      return
    }
    let x = x.values
    precondition(x.columns == inputs && x.rows == y.rows && outputs == y.columns)
    forEachChunk(pass) { rows, weight in
      let y = y.columns(rows)
      guard pass.isStep else {
        return pass.clock.multiply(x, weight.transposed, into: y, adding: adding)
      }
      // A step is bound by reading the weights, which a general product first copies.
      let mark = pass.scratch.mark
      defer { pass.scratch.release(to: mark) }
      let workspace = pass.scratch.floats(32 * inputs)
      pass.clock.measureProduct(x.rows, inputs, rows.count) {
        ks_project_few(
          x.base, x.stride, weight.base, y.base, y.stride, workspace, x.rows, inputs, rows.count,
          adding ? 1 : 0)
      }
    }
  }

  /// dx[R,I] = dy[R,O] W, or dx += it with `adding`.
  func backwardInput(
    _ dy: Operand, into dx: MatrixView, adding: Bool = false, _ pass: PassContext
  ) {
    if let products = pass.products, let dy = dy.rounded {
      if case .float32(let weight, let rounded) = form {
        let weight = rounded.operand(weight, .backward, isTrained: isTrained)
        return pass.clock.measureProduct(dy.rows, outputs, inputs) {
          weight.multiply(dy, into: dx, adding: adding, products)
        }
      }
      forEachRoundedChunk(pass) { rows, weight in
        pass.clock.measureProduct(dy.rows, rows.count, inputs) {
          products.multiply(
            dy.columns(rows), weight, into: dx, adding: adding || rows.lowerBound > 0)
        }
      }
      return
    }
    forEachChunk(pass) { rows, weight in
      pass.clock.multiply(
        dy.values.columns(rows), weight, into: dx, adding: adding || rows.lowerBound > 0)
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
    for (row, index) in indices.enumerated() {
      switch form {
      case .float32(let weight, _):
        x.row(row).update(from: weight.row(Int(index)), count: inputs)
      case .mapped: read(Int(index)..<Int(index) + 1, into: x.row(row))
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

  /// Calls `body` with each chunk's rows of W in single precision.
  private func forEachChunk(_ pass: PassContext, _ body: (Range<Int>, MatrixView) -> Void) {
    if case .float32(let weight, _) = form {
      for rows in chunks { body(rows, weight.rows(rows)) }
      return
    }
    let mark = pass.scratch.mark
    defer { pass.scratch.release(to: mark) }
    let chunks = chunks
    let expanded = pass.scratch.matrix(chunks[0].count, inputs)
    for rows in chunks {
      pass.clock.measureExpansion { read(rows, into: expanded.base) }
      body(rows, expanded.rows(0..<rows.count))
    }
  }

  /// Calls `body` with the rows of W in bfloat16. Precondition: W is mapped.
  private func forEachRoundedChunk(_ pass: PassContext, _ body: (Range<Int>, BFloat16View) -> Void)
  {
    if case .mapped(let parts) = form, parts.allSatisfy({ $0.tensor.bfloat16 != nil }) {
      // They are as products read them.
      var start = 0
      for part in parts {
        let rows = start..<start + part.rows.count
        start = rows.upperBound
        guard let base = part.tensor.bfloat16 else { continue }
        body(
          rows,
          BFloat16View(
            UnsafeMutablePointer(mutating: base + part.rows.lowerBound * inputs), rows: rows.count,
            columns: inputs))
      }
      return
    }
    let mark = pass.scratch.mark
    defer { pass.scratch.release(to: mark) }
    let chunks = chunks
    let memory = pass.scratch.bfloat16(chunks[0].count * inputs)
    // Expanded and rounded a few rows at a time, while they are in the cache.
    let few = max(1, Self.cachedFloats / inputs)
    let expanded = pass.scratch.matrix(few, inputs)
    for rows in chunks {
      pass.clock.measureExpansion {
        for first in stride(from: rows.lowerBound, to: rows.upperBound, by: few) {
          let some = first..<min(first + few, rows.upperBound)
          read(some, into: expanded.base)
          let to = memory + (first - rows.lowerBound) * inputs
          ks_round_to_bfloat16(expanded.base, inputs, to, 1, some.count, inputs)
        }
      }
      body(rows, BFloat16View(memory, rows: rows.count, columns: inputs))
    }
  }

  /// Floats that stay in a core's cache: 128 KiB.
  private static let cachedFloats = 1 << 15

  /// Expands the given rows of a mapped W.
  private func read(_ rows: Range<Int>, into values: UnsafeMutablePointer<Float>) {
    guard case .mapped(let parts) = form else { preconditionFailure("nothing to expand") }
    var start = 0
    for part in parts {
      let end = start + part.rows.count
      let some = rows.clamped(to: start..<end)
      if !some.isEmpty {
        let first = part.rows.lowerBound + some.lowerBound - start
        part.tensor.readRows(
          first..<first + some.count, into: values + (some.lowerBound - rows.lowerBound) * inputs)
      }
      start = end
    }
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
