import LinearAlgebra
import Synchronization

/// The matrices of a model in bfloat16, beside their values in single precision.
///
/// Letters: I inputs, O outputs.
final class RoundedWeights: Sendable {
  private let weights = Mutex<[Int: RoundedWeight]>([:])

  /// The one that starts `offset` floats into `store`: the same object for all who share the weights.
  func weight(at offset: Int, of store: ParameterStore) -> RoundedWeight {
    weights.withLock { weights in
      if let known = weights[offset] { return known }
      let weight = RoundedWeight(store.revision)
      weights[offset] = weight
      return weight
    }
  }
}

/// One weight matrix W [O, I] in bfloat16, rounded when a product first needs it and again when the
/// values have changed since.
///
/// A constant one is packed, once for each direction. One that is trained changes at every step and
/// stays in rows, which serve both directions.
final class RoundedWeight: Sendable {
  /// Whether W is multiplied as Wᵀ (forward) or as W (backward).
  enum Direction: Int { case forward, backward }

  private struct State {
    /// Of the values that were rounded.
    var revision = -1
    var rows: BFloat16Matrix?
    /// By direction.
    var packed: [PackedBFloat16?] = [nil, nil]
  }

  private let state = Mutex(State())
  private let current: ParameterStore.Revision

  init(_ current: ParameterStore.Revision) { self.current = current }

  /// W as the right operand of a product: Wᵀ, or with `.backward` W.
  enum RightOperand {
    case rows(BFloat16Matrix, Direction)
    case packed(PackedBFloat16)

    /// y = x times it; y += it with `adding`.
    func multiply(
      _ x: BFloat16View, into y: MatrixView, adding: Bool, _ products: BFloat16Products
    ) {
      switch self {
      case .packed(let weight): products.multiply(x, weight, into: y, adding: adding)
      case .rows(let weight, let direction):
        let view = direction == .forward ? weight.view.transposed : weight.view
        products.multiply(x, view, into: y, adding: adding)
      }
    }
  }

  func operand(_ weight: MatrixView, _ direction: Direction, isTrained: Bool) -> RightOperand {
    isTrained ? .rows(rows(weight), direction) : .packed(packed(weight, direction))
  }

  private func rows(_ weight: MatrixView) -> BFloat16Matrix {
    withCurrent { state in
      if let known = state.rows { return known }
      let rows = BFloat16Matrix(rounding: weight)
      state.rows = rows
      return rows
    }
  }

  private func packed(_ weight: MatrixView, _ direction: Direction) -> PackedBFloat16 {
    withCurrent { state in
      if let known = state.packed[direction.rawValue] { return known }
      let packed = PackedBFloat16(rounding: direction == .forward ? weight.transposed : weight)
      state.packed[direction.rawValue] = packed
      return packed
    }
  }

  /// Threads that need the weight at once wait for the one that rounds it.
  private func withCurrent<Result>(_ body: (inout State) -> sending Result) -> sending Result {
    let revision = current.value
    return state.withLock { state in
      if state.revision != revision { state = State(revision: revision) }
      return body(&state)
    }
  }
}
