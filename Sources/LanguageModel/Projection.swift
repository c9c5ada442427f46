import CKernels
import Checkpoints
import LinearAlgebra

/// Linear projections that read the same input and whose weights lie one after the other, so that
/// one product computes all of them: query; key and value; output; gate and up; down. In models whose
/// tensors are fused, a group is some rows of such a tensor.
///
/// Letters: R rows, I inputs, O outputs of all members together, r rank.
struct ProjectionGroup {
  /// A low-rank update of one member.
  struct LowRank {
    /// The columns of y that it adds to.
    var outputs: Range<Int>
    /// Its factors A [r, I] and B [out, r].
    var a: Factor
    var b: Factor
    /// alpha / r.
    var scale: Float
    /// Distinguishes its dropout masks from those of other projections.
    var dropoutSalt: UInt32
  }

  /// A factor, and where its gradient lies in a store laid out as the adapter's.
  struct Factor {
    let values: MatrixView
    private let offset: Int

    /// `rows` of the factor called `name`; nil for all.
    fileprivate init(_ name: String, rows: Range<Int>? = nil, of adapter: LowRankAdapter) {
      let slot = adapter.parameters.existingSlot(name)
      let whole = adapter.parameters.matrix(slot)
      values = rows.map(whole.rows) ?? whole
      offset = slot.offset + (rows?.lowerBound ?? 0) * slot.columns
    }

    fileprivate func gradient(_ gradients: ParameterStore) -> MatrixView {
      gradients.buffer.matrix(rows: values.rows, columns: values.columns, at: offset)
    }
  }

  /// The fused weight [O, I] and, where there is one, the fused bias [O].
  private let weight: StoredWeight
  private let bias: StoredVector?
  let lowRank: [LowRank]

  init(
    _ members: [ProjectionName], layer: Int, of model: ModelConfiguration, _ weights: WeightStorage,
    _ adapter: LowRankAdapter?
  ) {
    let family = model.architecture.family
    let parts = Self.parts(members, model)
    weight = weights.matrix(
      parts.map { (family.weight($0.module, layer: layer), $0.rows) })
    bias = weights.vector(parts.map { (family.bias($0.module, layer: layer), $0.rows) })
    var end = 0
    lowRank = parts.compactMap { module, rows in
      let outputs = end..<end + rows.count
      end = outputs.upperBound
      guard let adapter, let rank = adapter.rank(of: module, layer: layer) else { return nil }
      return LowRank(
        outputs: outputs,
        a: Factor(LowRankAdapter.name(module, layer, "A", model), of: adapter),
        b: Factor(LowRankAdapter.name(module, layer, "B", model), rows: rows, of: adapter),
        scale: adapter.scale(of: module, layer: layer, rank: rank),
        dropoutSalt: mixed(
          UInt32(layer) &* 16 &+ UInt32(ProjectionName.allCases.firstIndex(of: module) ?? 0) &+ 1))
    }
  }

  /// Where the members lie: modules and rows of them, neighbours in one module joined.
  private static func parts(_ members: [ProjectionName], _ model: ModelConfiguration) -> [(
    module: ProjectionName, rows: Range<Int>
  )] {
    members.reduce(into: []) { parts, member in
      let (module, rows) = model.architecture.family.location(member, model)
      if let last = parts.last, last.module == module, last.rows.upperBound == rows.lowerBound {
        parts[parts.count - 1].rows = last.rows.lowerBound..<rows.upperBound
      } else {
        parts.append((module: module, rows: rows))
      }
    }
  }

  /// Whether something of the group is trained, whose gradient needs the group's input.
  var isTrained: Bool { weight.isTrained || !lowRank.isEmpty }

  /// y[R,O] = x Wᵀ + bias, or y += it with `adding`; the low-rank updates come on top.
  ///
  /// Returns what each low-rank update projected down to [R,r], for `backward`.
  func forward(
    _ x: MatrixView, into y: MatrixView, adding: Bool = false, _ pass: PassContext, keys: [UInt32]
  ) -> [MatrixView] {
    let mark = pass.scratch.mark
    defer { pass.scratch.release(to: mark) }
    let x = pass.operand(x)
    weight.forward(x, into: y, adding: adding, pass)
    if let bias { ks_add_bias(y.base, y.stride, bias.base, y.rows, weight.outputs) }
    return lowRank.map { update in
      let down = pass.kept.matrix(x.rows, update.a.values.rows)
      pass.withDropped(x, update.dropoutSalt, keys) {
        pass.multiply($0, pass.operand(update.a.values).transposed, into: down)
      }
      pass.multiply(
        pass.operand(down, scale: update.scale), pass.operand(update.b.values).transposed,
        into: y.columns(update.outputs), adding: true)
      return down
    }
  }

  /// The backward of `forward`, given dy[R,O]: adds the gradients of the trained tensors to `pass.gradients` (those of
  /// weight and bias, or of the low-rank factors where there is an adapter) and writes dx[R,I], or adds to it with
  /// `adding`.
  ///
  /// `x` is the forward's input, needed where `pass.needsInput` is true; dx may be its memory, as it is used first.
  /// `down` is what the forward returned; it is overwritten. Without `dx` only the trained tensors get their gradients.
  func backward(
    _ dy: MatrixView, input x: MatrixView?, down: [MatrixView], into dx: MatrixView?,
    adding: Bool = false, _ pass: PassContext, keys: [UInt32]
  ) {
    let mark = pass.scratch.mark
    defer { pass.scratch.release(to: mark) }
    let rounded = pass.operand(dy)
    if let x, pass.needsInput(self) {
      backwardParameters(dy, rounded, x, down, pass, keys)
    }
    if let dx { backwardInput(rounded, dDown: down, into: dx, adding: adding, pass, keys) }
  }

  private func backwardInput(
    _ dy: Operand, dDown: [MatrixView], into dx: MatrixView, adding: Bool, _ pass: PassContext,
    _ keys: [UInt32]
  ) {
    weight.backwardInput(dy, into: dx, adding: adding, pass)
    for (update, dDown) in zip(lowRank, dDown) {
      let (dDown, a) = (pass.operand(dDown), pass.operand(update.a.values))
      if pass.dropout == 0 {
        pass.multiply(dDown, a, into: dx, adding: true)
      } else {
        let dDropped = pass.scratch.matrix(dy.rows, weight.inputs)
        pass.multiply(dDown, a, into: dDropped)
        pass.withDropped(dDropped, update.dropoutSalt, keys) {
          ks_add($0.base, dx.base, dy.rows * weight.inputs)
        }
      }
    }
  }

  /// `down` becomes its gradient.
  private func backwardParameters(
    _ dyValues: MatrixView, _ dy: Operand, _ x: MatrixView, _ down: [MatrixView],
    _ pass: PassContext, _ keys: [UInt32]
  ) {
    guard let gradients = pass.gradients else { return }
    let mark = pass.scratch.mark
    defer { pass.scratch.release(to: mark) }
    let x = pass.operand(x)
    weight.backwardWeight(dy, x, addingTo: gradients, pass)
    if let dBias = bias?.gradient(gradients) {
      ks_bias_backward(dyValues.base, dyValues.stride, dBias, dy.rows, weight.outputs)
    }
    for (update, down) in zip(lowRank, down) {
      let dyMember = dy.columns(update.outputs)
      pass.multiply(
        dyMember.transposed, pass.operand(down, scale: update.scale),
        into: update.b.gradient(gradients), adding: true)
      pass.multiply(dyMember, pass.operand(update.b.values, scale: update.scale), into: down)
      pass.withDropped(x, update.dropoutSalt, keys) {
        pass.multiply(
          pass.operand(down).transposed, $0, into: update.a.gradient(gradients), adding: true)
      }
    }
  }
}
