import LinearAlgebra
import Synchronization

/// Where one tensor lies in the flat memory of a `ParameterStore`.
public struct ParameterSlot: Sendable, Hashable {
  /// The tensor's name in the checkpoint, such as `model.layers.0.self_attn.q_proj.weight`.
  public let name: String
  /// [out, in] of a projection, [n] of a norm or a bias.
  public let shape: [Int]
  /// Floats before it.
  public let offset: Int

  public var count: Int { shape.reduce(1, *) }
  var rows: Int { shape.count == 1 ? 1 : shape[0] }
  var columns: Int { shape[shape.count - 1] }
}

/// Named tensors one after the other in one buffer: a model's parameters, an adapter's, or the
/// gradients of either.
///
/// The optimiser and the sum over workers run over the buffer as a whole; the decoder reads blocks
/// of it. Not `Sendable`: training changes the floats in place.
public final class ParameterStore {
  public let slots: [ParameterSlot]
  public let buffer: FloatBuffer
  private let indices: [String: Int]
  /// Counts the changes of the floats, for what is computed from them and kept.
  let revision = Revision()

  /// How often the floats have changed.
  final class Revision: Sendable {
    private let count = Atomic(0)
    var value: Int { count.load(ordering: .acquiring) }
    fileprivate func increment() { count.add(1, ordering: .acquiringAndReleasing) }
  }

  /// To be called by whoever writes to the floats after a pass has read them.
  public func didChange() { revision.increment() }

  /// Zeros, laid out in the order given.
  public convenience init(_ tensors: [(name: String, shape: [Int])]) {
    var offset = 0
    let slots = tensors.map { tensor in
      let slot = ParameterSlot(name: tensor.name, shape: tensor.shape, offset: offset)
      offset += slot.count
      return slot
    }
    self.init(slots: slots)
  }

  private init(slots: [ParameterSlot]) {
    self.slots = slots
    buffer = FloatBuffer(count: slots.last.map { $0.offset + $0.count } ?? 0)
    indices = Dictionary(uniqueKeysWithValues: slots.enumerated().map { ($1.name, $0) })
  }

  /// Zeros of the same layout, for gradients or moments.
  public func zeros() -> ParameterStore { ParameterStore(slots: slots) }

  /// The same tensors in memory of their own.
  public func copy() -> ParameterStore {
    let copy = zeros()
    copy.buffer.copy(from: buffer)
    return copy
  }

  public var count: Int { buffer.count }

  public func slot(_ name: String) -> ParameterSlot? { indices[name].map { slots[$0] } }

  /// The floats of the tensor called `name`. Precondition: there is one.
  public subscript(name: String) -> UnsafeMutableBufferPointer<Float> {
    let slot = existingSlot(name)
    return UnsafeMutableBufferPointer(start: buffer.base + slot.offset, count: slot.count)
  }

  /// The tensor as a matrix, [1, n] for a vector. Precondition: there is one of this name.
  public func matrix(_ name: String) -> MatrixView {
    matrix(existingSlot(name))
  }

  /// Precondition: there is a tensor of this name.
  func existingSlot(_ name: String) -> ParameterSlot {
    guard let slot = slot(name) else { preconditionFailure("no tensor is called \(name)") }
    return slot
  }

  func matrix(_ slot: ParameterSlot) -> MatrixView {
    buffer.matrix(rows: slot.rows, columns: slot.columns, at: slot.offset)
  }
}
