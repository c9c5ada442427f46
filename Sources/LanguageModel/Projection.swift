import CKernels
import LinearAlgebra

/// Linear projections that read the same input and whose weights lie one after the other, so that
/// one product serves all: query; key and value; output; gate and up; down. The members of a group
/// are equally wide.
///
/// Letters: R rows, I inputs, O outputs of all members together, r rank.
struct ProjectionGroup: Sendable {
  /// A low-rank update of one member.
  struct LowRank: Sendable {
    /// The columns of y that it adds to.
    var outputs: Range<Int>
    /// The names of its factors A [r, I] and B [out, r].
    var a: String
    var b: String
    /// Tells its dropout masks from those of other projections.
    var dropoutSalt: UInt32
  }

  let inputs: Int
  let outputs: Int
  /// Floats before the fused weight [O, I] and, where there is one, the fused bias [O] in the
  /// model's buffer.
  let weightOffset: Int
  let biasOffset: Int?
  let lowRank: [LowRank]

  init(
    _ members: [ProjectionName], layer: Int, of parameters: ParameterStore,
    _ adapter: LowRankAdapter?
  ) {
    let weights = members.compactMap { parameters.slot($0.weightName(layer: layer)) }
    let biases = members.compactMap { parameters.slot($0.biasName(layer: layer)) }
    precondition(
      weights.count == members.count && (biases.isEmpty || biases.count == members.count))
    for group in [weights, biases] {
      for (slot, next) in zip(group, group.dropFirst()) {
        precondition(slot.offset + slot.count == next.offset)
      }
    }
    let width = weights[0].rows
    inputs = weights[0].columns
    outputs = width * members.count
    weightOffset = weights[0].offset
    biasOffset = biases.first?.offset
    lowRank = members.enumerated().compactMap { index, member in
      guard let adapter, adapter.configuration.targets.contains(member) else { return nil }
      return LowRank(
        outputs: index * width..<(index + 1) * width,
        a: LowRankAdapter.name(member, layer, "A"), b: LowRankAdapter.name(member, layer, "B"),
        dropoutSalt: mixed(
          UInt32(layer) &* 16 &+ UInt32(ProjectionName.allCases.firstIndex(of: member) ?? 0) &+ 1))
    }
  }

  func weight(in store: ParameterStore) -> MatrixView {
    store.buffer.matrix(rows: outputs, columns: inputs, at: weightOffset)
  }

  /// y[R,O] = x Wᵀ + bias, or y += it with `adding`; the low-rank updates come on top.
  ///
  /// Returns what each low-rank update projected down to [R,r], for `backwardParameters`.
  func forward(
    _ x: MatrixView, into y: MatrixView, adding: Bool = false, _ pass: PassContext, keys: [UInt32]
  )
    -> [MatrixView]
  {
    pass.project(x, weight(in: pass.parameters), into: y, adding: adding)
    if let biasOffset {
      ks_add_bias(y.base, y.stride, pass.parameters.buffer.base + biasOffset, y.rows, outputs)
    }
    guard let adapter = pass.adapter else { return [] }
    return lowRank.map { update in
      let a = adapter.parameters.matrix(update.a)
      let down = pass.kept.matrix(x.rows, a.rows)
      pass.withDropped(x, update.dropoutSalt, keys) {
        pass.clock.multiply($0, a.transposed, into: down)
      }
      pass.clock.multiply(
        down, adapter.parameters.matrix(update.b).transposed, into: y.columns(update.outputs),
        scale: adapter.configuration.scale, adding: true)
      return down
    }
  }

  /// dx[R,I] = dy W, or dx += it with `adding`; the gradient through the low-rank updates comes on
  /// top. `dDown` is what `backwardParameters` made.
  func backwardInput(
    _ dy: MatrixView, dDown: [MatrixView], into dx: MatrixView, adding: Bool = false,
    _ pass: PassContext, keys: [UInt32]
  ) {
    pass.clock.multiply(dy, weight(in: pass.parameters), into: dx, adding: adding)
    guard let adapter = pass.adapter else { return }
    for (update, dDown) in zip(lowRank, dDown) {
      let a = adapter.parameters.matrix(update.a)
      if pass.dropout == 0 {
        pass.clock.multiply(dDown, a, into: dx, adding: true)
      } else {
        let mark = pass.scratch.mark
        defer { pass.scratch.release(to: mark) }
        let dDropped = pass.scratch.matrix(dy.rows, inputs)
        pass.clock.multiply(dDown, a, into: dDropped)
        pass.withDropped(dDropped, update.dropoutSalt, keys) {
          ks_add($0.base, dx.base, dy.rows * inputs)
        }
      }
    }
  }

  /// Adds the gradients of the trained tensors to `pass.gradients`: those of the low-rank factors
  /// where there is an adapter, else those of weight and bias.
  ///
  /// `x` is the forward's input, `down` what the forward returned; it is overwritten with its
  /// gradient, for `backwardInput`.
  func backwardParameters(
    _ dy: MatrixView, input x: MatrixView, down: [MatrixView], _ pass: PassContext, keys: [UInt32]
  ) {
    guard let gradients = pass.gradients else { return }
    guard let adapter = pass.adapter else {
      pass.clock.multiply(dy.transposed, x, into: weight(in: gradients), adding: true)
      if let biasOffset {
        ks_bias_backward(dy.base, dy.stride, gradients.buffer.base + biasOffset, dy.rows, outputs)
      }
      return
    }
    for (update, down) in zip(lowRank, down) {
      let dyMember = dy.columns(update.outputs)
      let scale = adapter.configuration.scale
      pass.clock.multiply(
        dyMember.transposed, down, into: gradients.matrix(update.b), scale: scale, adding: true)
      pass.clock.multiply(dyMember, adapter.parameters.matrix(update.b), into: down, scale: scale)
      pass.withDropped(x, update.dropoutSalt, keys) {
        pass.clock.multiply(down.transposed, $0, into: gradients.matrix(update.a), adding: true)
      }
    }
  }
}

/// What the layers of one pass share.
struct PassContext {
  let parameters: ParameterStore
  let adapter: LowRankAdapter?
  /// Where gradients are added: laid out as the adapter's parameters where there is an adapter,
  /// else as the model's.
  let gradients: ParameterStore?
  /// Room for what the backward needs.
  let kept: Arena
  /// Room for what a layer needs while it runs.
  let scratch: Arena
  let clock: PassClock
  /// The probability of dropout in the adapter's input; 0 outside training.
  let dropout: Float
  /// Whether this is a step of decoding: one row of each sequence meets all the weights.
  var isStep = false

  /// Whether the gradients of the group's trained tensors need its input.
  func needsInput(_ group: ProjectionGroup) -> Bool {
    gradients != nil && (adapter == nil || !group.lowRank.isEmpty)
  }

  /// y[R,O] = x[R,I] weight[O,I]ᵀ, or y += it with `adding`.
  func project(_ x: MatrixView, _ weight: MatrixView, into y: MatrixView, adding: Bool = false) {
    guard isStep else { return clock.multiply(x, weight.transposed, into: y, adding: adding) }
    // A step is bound by reading the weights, which a general product first copies.
    precondition(
      x.columns == weight.columns && x.rows == y.rows && weight.rows == y.columns
        && weight.stride == weight.columns)
    let mark = scratch.mark
    defer { scratch.release(to: mark) }
    clock.profile.operations += 2 * Double(x.rows) * Double(x.columns) * Double(y.columns)
    ks_project_few(
      x.base, x.stride, weight.base, y.base, y.stride, scratch.floats(32 * x.columns), x.rows,
      x.columns, weight.rows, adding ? 1 : 0)
  }

  /// Calls `body` with dropout(x), the same mask for the same salt and keys at every call.
  func withDropped(_ x: MatrixView, _ salt: UInt32, _ keys: [UInt32], _ body: (MatrixView) -> Void)
  {
    guard dropout > 0 else { return body(x) }
    let mark = scratch.mark
    defer { scratch.release(to: mark) }
    let dropped = scratch.matrix(x.rows, x.columns)
    ks_dropout(x.base, dropped.base, keys, salt, dropout, x.rows, x.columns)
    body(dropped)
  }
}
