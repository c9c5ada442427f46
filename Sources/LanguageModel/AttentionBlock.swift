import CKernels
import Checkpoints
import LinearAlgebra

/// The attention half of a decoder layer, forward and backward side by side.
///
///     h = x + join(o_proj(attention(rotate(q_proj), rotate(k_proj), v_proj))), the three of norm(x)
///         (with head norms: rotate(norm(q_proj)), rotate(norm(k_proj)))
///
/// Letters: T rows, Q query rows (T, or in the last layer the output rows), D hidden size, H query
/// heads, G key-value heads, d head dimension, r rank.
struct AttentionBlock {
  private let configuration: ModelConfiguration
  /// Nil where the input goes in as it is.
  private let norm: RMSNorm?
  private let query: ProjectionGroup
  private let keyValue: ProjectionGroup
  private let queryNorm: HeadNorm?
  private let keyNorm: HeadNorm?
  /// Nil where nothing is rotated.
  private let rotary: RotaryTable?
  private let attention: Attention
  private let output: ProjectionGroup
  private let join: ResidualJoin

  init(
    _ index: Int, _ c: ModelConfiguration, _ weights: WeightStorage, _ adapter: LowRankAdapter?,
    _ rotary: RotaryTable?
  ) {
    func group(_ members: [ProjectionName]) -> ProjectionGroup {
      ProjectionGroup(members, layer: index, of: c, weights, adapter)
    }
    configuration = c
    norm = RMSNorm(.attention, layer: index, weights, c)
    query = group([.query])
    keyValue = group([.key, .value])
    queryNorm = RMSNorm(.query, layer: index, weights, c).map {
      HeadNorm($0, heads: c.headCount, c)
    }
    keyNorm = RMSNorm(.key, layer: index, weights, c).map {
      HeadNorm($0, heads: c.keyValueHeadCount, c)
    }
    self.rotary = rotary
    attention = Attention(layer: index, c)
    output = group([.output])
    join = ResidualJoin(RMSNorm(.postAttention, layer: index, weights, c), c)
  }

  /// What the backward needs of the forward.
  struct Activations {
    let input: MatrixView  // x [T, D]
    var inverseRMS: MatrixView?  // [1, T]
    let queries: MatrixView  // rotated [Q, H d]
    let keysValues: MatrixView  // rotated keys, then values [T, 2 G d]
    let logSumExp: MatrixView  // [Q, H]
    let attended: MatrixView  // [Q, H d]
    // What the norms of heads and the join kept; nil without them.
    var queryNorm: HeadNorm.Kept?
    var keyNorm: HeadNorm.Kept?
    var join: ResidualJoin.Kept?
    // What the low-rank updates of a group projected down to [T or Q, r].
    var queryDown: [MatrixView] = []
    var keyValueDown: [MatrixView] = []
    var outputDown: [MatrixView] = []

    init(_ c: ModelConfiguration, input: MatrixView, queryRows: Int, _ arena: Arena) {
      self.input = input
      queries = arena.matrix(queryRows, c.headCount * c.headDimension)
      keysValues = arena.matrix(input.rows, 2 * c.keyValueHeadCount * c.headDimension)
      logSumExp = arena.matrix(queryRows, c.headCount)
      attended = arena.matrix(queryRows, c.headCount * c.headDimension)
    }
  }

  /// Writes the result for `input`[T, D] into `h`[Q, D].
  func forward(
    _ input: MatrixView, into h: MatrixView, all: QueryRows, queryRows: QueryRows,
    _ pass: PassContext
  ) -> Activations {
    forward(input, into: h, all: all, queryRows: queryRows, pass) { a in
      attention.forward(
        queries: a.queries, keysValues: a.keysValues, queryRows, into: a.attended,
        logSumExp: a.logSumExp, pass.scratch, pass.clock)
    }
  }

  /// The result for one more row of each of S sequences, `x`[S, D]; the rows' keys and values go into
  /// the sequences' caches.
  func step(
    _ x: MatrixView, into h: MatrixView, _ rows: QueryRows, layer index: Int,
    _ caches: [KeyValueCache], _ pass: PassContext
  ) {
    _ = forward(x, into: h, all: rows, queryRows: rows, pass) { a in
      for (row, cache) in caches.enumerated() {
        let range = row..<row + 1
        cache.write(a.keysValues.rows(range), layer: index)
        attention.forward(
          query: a.queries.rows(range), cache, layer: index, into: a.attended.rows(range),
          pass.scratch)
      }
    }
  }

  /// `attend` writes the attended values from queries, keys and values.
  private func forward(
    _ input: MatrixView, into h: MatrixView, all: QueryRows, queryRows: QueryRows,
    _ pass: PassContext, attend: (Activations) -> Void
  ) -> Activations {
    let c = configuration
    let scratch = pass.scratch
    let mark = scratch.mark
    defer { scratch.release(to: mark) }
    let clock = pass.clock
    var a = Activations(c, input: input, queryRows: queryRows.count, pass.kept)

    var normed = input
    if let norm {
      normed = scratch.matrix(all.count, c.hiddenSize)
      a.inverseRMS = norm.forward(input, into: normed, pass)
    }
    clock.measure(.projections) {
      a.queryDown = query.forward(
        queryRows.gather(normed, scratch), into: a.queries, pass, keys: queryRows.dropoutKeys)
      a.keyValueDown = keyValue.forward(normed, into: a.keysValues, pass, keys: all.dropoutKeys)
    }
    a.queryNorm = queryNorm?.forward(a.queries, pass)
    a.keyNorm = keyNorm?.forward(a.keysValues, pass)
    clock.measure(.elementwise) {
      if let angles = rotary?.angles(positions: pass.positions) {
        angles.rotate(a.queries, heads: c.headCount, queryRows.positions)
        angles.rotate(a.keysValues, heads: c.keyValueHeadCount, all.positions)
      }
    }
    clock.measure(.attention) { attend(a) }
    clock.measure(.elementwise) { queryRows.copy(input, into: h) }
    a.join = join.forward(addingTo: h, pass) { result, adding in
      clock.measure(.projections) {
        a.outputDown = output.forward(
          a.attended, into: result, adding: adding, pass, keys: queryRows.dropoutKeys)
      }
    }
    return a
  }

  /// Given dh[Q, D], writes dx[T, D] and adds the parameters' gradients to `pass.gradients`.
  ///
  /// What the low-rank updates projected down is overwritten; dx may be dh where all rows are query
  /// rows. Where `dx` is nil nothing below needs a gradient, and only the block's own trained tensors
  /// get theirs.
  func backward(
    _ a: Activations, dh: MatrixView, into dx: MatrixView?, all: QueryRows, queryRows: QueryRows,
    _ pass: PassContext
  ) {
    let c = configuration
    let scratch = pass.scratch
    let mark = scratch.mark
    defer { scratch.release(to: mark) }
    let clock = pass.clock
    let dAttended = scratch.matrix(queryRows.count, c.headCount * c.headDimension)
    join.backward(dh, a.join, pass) { dResult in
      clock.measure(.projections) {
        output.backward(
          dResult, input: a.attended, down: a.outputDown, into: dAttended, pass,
          keys: queryRows.dropoutKeys)
      }
    }
    let dQueries = scratch.matrix(queryRows.count, c.headCount * c.headDimension)
    let dKeysValues = scratch.matrix(all.count, 2 * c.keyValueHeadCount * c.headDimension)
    clock.measure(.attention) {
      dKeysValues.setZero()
      attention.backward(
        queries: a.queries, keysValues: a.keysValues, queryRows, attended: a.attended,
        logSumExp: a.logSumExp, dAttended: dAttended, into: dQueries, addingTo: dKeysValues,
        scratch, pass.clock)
    }
    clock.measure(.elementwise) {
      if let angles = rotary?.angles(positions: pass.positions) {
        angles.rotateBack(dQueries, heads: c.headCount, queryRows.positions)
        angles.rotateBack(dKeysValues, heads: c.keyValueHeadCount, all.positions)
      }
    }
    if let kept = a.queryNorm { queryNorm?.backward(dQueries, kept, pass) }
    if let kept = a.keyNorm { keyNorm?.backward(dKeysValues, kept, pass) }

    var normed = a.input
    if let norm, let inverseRMS = a.inverseRMS,
      pass.needsInput(query) || pass.needsInput(keyValue)
    {
      normed = scratch.matrix(all.count, c.hiddenSize)
      norm.recompute(a.input, inverseRMS, into: normed, pass)
    }
    let dNormed = dx.map { _ in scratch.matrix(all.count, c.hiddenSize) }
    clock.measure(.projections) {
      keyValue.backward(
        dKeysValues, input: normed, down: a.keyValueDown, into: dNormed, pass,
        keys: all.dropoutKeys)
      if queryRows.selection == nil {
        query.backward(
          dQueries, input: normed, down: a.queryDown, into: dNormed, adding: true, pass,
          keys: queryRows.dropoutKeys)
      } else {
        let dAsking = dx.map { _ in scratch.matrix(queryRows.count, c.hiddenSize) }
        query.backward(
          dQueries, input: pass.needsInput(query) ? queryRows.gather(normed, scratch) : nil,
          down: a.queryDown, into: dAsking, pass, keys: queryRows.dropoutKeys)
        if let dAsking, let dNormed { queryRows.scatter(dAsking, addingTo: dNormed) }
      }
    }
    guard let dx, let dNormed else { return }
    if queryRows.selection != nil {
      dx.setZero()
      queryRows.scatter(dh, addingTo: dx)
    } else if dx.base != dh.base {
      dx.base.update(from: dh.base, count: all.count * c.hiddenSize)
    }
    if let norm, let inverseRMS = a.inverseRMS {
      norm.backward(a.input, inverseRMS, dy: dNormed, addingTo: dx, pass)
    } else {
      ks_add(dNormed.base, dx.base, all.count * c.hiddenSize)
    }
  }
}
