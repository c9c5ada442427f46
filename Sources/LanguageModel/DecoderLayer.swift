import CKernels
import Checkpoints
import LinearAlgebra

/// One decoder layer, forward and backward side by side.
///
///     h = x + o_proj(attention(rotate(q_proj), rotate(k_proj), v_proj)), the three of norm(x)
///         (with head norms: rotate(norm(q_proj)), rotate(norm(k_proj)), of each head)
///     y = h + down_proj(silu(gate_proj) · up_proj), the two of norm(h)
///
/// Letters: T rows, Q query rows (T, or in the last layer the output rows), D hidden size, H
/// query heads, G key-value heads, d head dimension, F feed-forward width, r rank.
struct DecoderLayer {
  let configuration: ModelConfiguration
  let inputNorm: StoredVector
  let query: ProjectionGroup
  let keyValue: ProjectionGroup
  let queryNorm: HeadNorm?
  let keyNorm: HeadNorm?
  let attention: Attention
  let attentionOutput: ProjectionGroup
  let middleNorm: StoredVector
  let gateUp: ProjectionGroup
  let down: ProjectionGroup

  init(
    _ index: Int, _ c: ModelConfiguration, _ weights: WeightStorage, _ adapter: LowRankAdapter?
  ) {
    func group(_ members: [ProjectionName]) -> ProjectionGroup {
      ProjectionGroup(members, layer: index, of: c, weights, adapter)
    }
    let family = c.architecture.family
    configuration = c
    inputNorm = weights.vector(family.attentionNormWeight(layer: index))
    query = group([.query])
    keyValue = group([.key, .value])
    queryNorm = family.queryNormWeight(layer: index).map { HeadNorm(weights.vector($0), c) }
    keyNorm = family.keyNormWeight(layer: index).map { HeadNorm(weights.vector($0), c) }
    attention = Attention(
      heads: c.headCount, keyValueHeads: c.keyValueHeadCount, headDimension: c.headDimension)
    attentionOutput = group([.output])
    middleNorm = weights.vector(family.feedForwardNormWeight(layer: index))
    gateUp = group([.gate, .up])
    down = group([.down])
  }

  /// What the backward needs of the forward.
  struct Activations {
    let input: MatrixView  // x [T, D]
    let inputInverseRMS: MatrixView  // [1, T]
    let queries: MatrixView  // rotated [Q, H d]
    let keysValues: MatrixView  // rotated keys, then values [T, 2 G d]
    let logSumExp: MatrixView  // [Q, H]
    let attended: MatrixView  // [Q, H d]
    let middle: MatrixView  // h [Q, D]
    let middleInverseRMS: MatrixView  // [1, Q]
    let gateUpValues: MatrixView  // before the nonlinearity [Q, 2 F]
    // What the norms of heads kept; nil without them.
    var queryNorm: HeadNorm.Kept?
    var keyNorm: HeadNorm.Kept?
    // What the low-rank updates of a group projected down to [T or Q, r].
    var queryDown: [MatrixView] = []
    var keyValueDown: [MatrixView] = []
    var attentionOutputDown: [MatrixView] = []
    var gateUpDown: [MatrixView] = []
    var downDown: [MatrixView] = []

    init(_ c: ModelConfiguration, input: MatrixView, queryRows: Int, _ arena: Arena) {
      self.input = input
      inputInverseRMS = arena.matrix(1, input.rows)
      queries = arena.matrix(queryRows, c.headCount * c.headDimension)
      keysValues = arena.matrix(input.rows, 2 * c.keyValueHeadCount * c.headDimension)
      logSumExp = arena.matrix(queryRows, c.headCount)
      attended = arena.matrix(queryRows, c.headCount * c.headDimension)
      middle = arena.matrix(queryRows, c.hiddenSize)
      middleInverseRMS = arena.matrix(1, queryRows)
      gateUpValues = arena.matrix(queryRows, 2 * c.intermediateSize)
    }
  }

  /// Writes the layer's result for `input`[T, D] into `y`[Q, D], which may be `input` itself where
  /// all rows are query rows.
  func forward(
    _ input: MatrixView, into y: MatrixView, all: QueryRows, queryRows: QueryRows,
    _ pass: PassContext
  ) -> Activations {
    forward(input, into: y, all: all, queryRows: queryRows, pass) { a in
      attention.forward(
        queries: a.queries, keysValues: a.keysValues, queryRows, into: a.attended,
        logSumExp: a.logSumExp, pass.scratch, pass.clock)
    }
  }

  /// The layer's result for one more row of each of S sequences, `x`[S, D], in place; the rows'
  /// keys and values go into the sequences' caches.
  func step(
    _ x: MatrixView, _ rows: QueryRows, layer index: Int, _ caches: [KeyValueCache],
    _ pass: PassContext
  ) {
    let mark = pass.kept.mark
    defer { pass.kept.release(to: mark) }
    _ = forward(x, into: x, all: rows, queryRows: rows, pass) { a in
      for (row, cache) in caches.enumerated() {
        let range = row..<row + 1
        cache.write(a.keysValues.rows(range), layer: index)
        attention.forward(
          query: a.queries.rows(range), keysValues: cache.keysValues(layer: index, adding: 1),
          into: a.attended.rows(range), pass.scratch)
      }
    }
  }

  /// `attend` writes the attended values from queries, keys and values.
  private func forward(
    _ input: MatrixView, into y: MatrixView, all: QueryRows, queryRows: QueryRows,
    _ pass: PassContext, attend: (Activations) -> Void
  ) -> Activations {
    let c = configuration
    let scratch = pass.scratch
    let mark = scratch.mark
    defer { scratch.release(to: mark) }
    let clock = pass.clock
    var a = Activations(c, input: input, queryRows: queryRows.count, pass.kept)

    let normed = scratch.matrix(all.count, c.hiddenSize)
    clock.measure(.normalisation) {
      ks_rms_norm(
        input.base, inputNorm.base, c.rmsNormEpsilon, normed.base, a.inputInverseRMS.base,
        all.count,
        c.hiddenSize)
    }
    clock.measure(.projections) {
      a.queryDown = query.forward(
        queryRows.gather(normed, scratch), into: a.queries, pass, keys: queryRows.dropoutKeys)
      a.keyValueDown = keyValue.forward(normed, into: a.keysValues, pass, keys: all.dropoutKeys)
    }
    clock.measure(.normalisation) {
      a.queryNorm = queryNorm?.forward(a.queries, heads: c.headCount, pass)
      a.keyNorm = keyNorm?.forward(a.keysValues, heads: c.keyValueHeadCount, pass)
    }
    clock.measure(.elementwise) {
      pass.rotary.rotate(a.queries, heads: c.headCount, queryRows.positions)
      pass.rotary.rotate(a.keysValues, heads: c.keyValueHeadCount, all.positions)
    }
    clock.measure(.attention) { attend(a) }
    clock.measure(.elementwise) { queryRows.copy(input, into: a.middle) }
    clock.measure(.projections) {
      a.attentionOutputDown = attentionOutput.forward(
        a.attended, into: a.middle, adding: true, pass, keys: queryRows.dropoutKeys)
    }

    let middleNormed = scratch.matrix(queryRows.count, c.hiddenSize)
    clock.measure(.normalisation) {
      ks_rms_norm(
        a.middle.base, middleNorm.base, c.rmsNormEpsilon, middleNormed.base,
        a.middleInverseRMS.base,
        queryRows.count,
        c.hiddenSize)
    }
    clock.measure(.projections) {
      a.gateUpDown = gateUp.forward(
        middleNormed, into: a.gateUpValues, pass, keys: queryRows.dropoutKeys)
    }
    let activated = scratch.matrix(queryRows.count, c.intermediateSize)
    clock.measure(.elementwise) {
      ks_swiglu(a.gateUpValues.base, activated.base, queryRows.count, c.intermediateSize)
      y.base.update(from: a.middle.base, count: queryRows.count * c.hiddenSize)
    }
    clock.measure(.projections) {
      a.downDown = down.forward(activated, into: y, adding: true, pass, keys: queryRows.dropoutKeys)
    }
    return a
  }

  /// Given dy[Q, D], writes dx[T, D] and adds the parameters' gradients to `pass.gradients`.
  ///
  /// dy is overwritten, and so are the gate and up values and what the low-rank updates projected
  /// down, kept by the forward; dx may be dy where all rows are query rows. Where `dx` is nil nothing below
  /// needs a gradient, and only the layer's own trained tensors get theirs.
  func backward(
    _ a: Activations, dy: MatrixView, into dx: MatrixView?, all: QueryRows, queryRows: QueryRows,
    _ pass: PassContext
  ) {
    let c = configuration
    let scratch = pass.scratch
    let mark = scratch.mark
    defer { scratch.release(to: mark) }

    // Feed-forward: dy reaches h directly and through the norm. From here on `dMiddle` is dy.
    let clock = pass.clock
    let dMiddle = dy
    let wide = scratch.matrix(queryRows.count, c.intermediateSize)
    let narrow = scratch.matrix(queryRows.count, c.hiddenSize)
    if pass.needsInput(down) {
      clock.measure(.elementwise) {
        ks_swiglu(a.gateUpValues.base, wide.base, queryRows.count, c.intermediateSize)
      }
      clock.measure(.projections) {
        down.backwardParameters(
          dy, input: wide, down: a.downDown, pass, keys: queryRows.dropoutKeys)
      }
    }
    clock.measure(.projections) {
      down.backwardInput(dy, dDown: a.downDown, into: wide, pass, keys: queryRows.dropoutKeys)
    }
    clock.measure(.elementwise) {
      ks_swiglu_backward(a.gateUpValues.base, wide.base, queryRows.count, c.intermediateSize)
    }
    if pass.needsInput(gateUp) {
      clock.measure(.normalisation) {
        middleNorm.recompute(a.middle, a.middleInverseRMS, into: narrow)
      }
      clock.measure(.projections) {
        gateUp.backwardParameters(
          a.gateUpValues, input: narrow, down: a.gateUpDown, pass, keys: queryRows.dropoutKeys)
      }
    }
    clock.measure(.projections) {
      gateUp.backwardInput(
        a.gateUpValues, dDown: a.gateUpDown, into: narrow, pass, keys: queryRows.dropoutKeys)
    }
    clock.measure(.normalisation) {
      middleNorm.backward(a.middle, a.middleInverseRMS, dy: narrow, addingTo: dMiddle, pass)
    }

    // Attention.
    let dAttended = scratch.matrix(queryRows.count, c.headCount * c.headDimension)
    clock.measure(.projections) {
      if pass.needsInput(attentionOutput) {
        attentionOutput.backwardParameters(
          dMiddle, input: a.attended, down: a.attentionOutputDown, pass, keys: queryRows.dropoutKeys
        )
      }
      attentionOutput.backwardInput(
        dMiddle, dDown: a.attentionOutputDown, into: dAttended, pass, keys: queryRows.dropoutKeys)
    }
    let dQueries = scratch.matrix(queryRows.count, c.headCount * c.headDimension)
    let dKeysValues = scratch.matrix(all.count, 2 * c.keyValueHeadCount * c.headDimension)
    clock.measure(.attention) {
      dKeysValues.setZero()
      attention.backward(
        queries: a.queries, keysValues: a.keysValues, queryRows, attended: a.attended,
        logSumExp: a.logSumExp,
        dAttended: dAttended, into: dQueries, addingTo: dKeysValues, scratch, pass.clock)
    }
    clock.measure(.elementwise) {
      pass.rotary.rotateBack(dQueries, heads: c.headCount, queryRows.positions)
      pass.rotary.rotateBack(dKeysValues, heads: c.keyValueHeadCount, all.positions)
    }
    clock.measure(.normalisation) {
      if let kept = a.queryNorm { queryNorm?.backward(dQueries, kept, pass) }
      if let kept = a.keyNorm { keyNorm?.backward(dKeysValues, kept, pass) }
    }
    let normed = scratch.matrix(all.count, c.hiddenSize)
    if pass.needsInput(query) || pass.needsInput(keyValue) {
      clock.measure(.normalisation) {
        inputNorm.recompute(a.input, a.inputInverseRMS, into: normed)
      }
      clock.measure(.projections) {
        query.backwardParameters(
          dQueries, input: queryRows.gather(normed, scratch), down: a.queryDown, pass,
          keys: queryRows.dropoutKeys)
        keyValue.backwardParameters(
          dKeysValues, input: normed, down: a.keyValueDown, pass, keys: all.dropoutKeys)
      }
    }
    guard let dx else { return }
    let dNormed = normed
    clock.measure(.projections) {
      keyValue.backwardInput(
        dKeysValues, dDown: a.keyValueDown, into: dNormed, pass, keys: all.dropoutKeys)
    }
    clock.measure(.projections) {
      if queryRows.selection == nil {
        query.backwardInput(
          dQueries, dDown: a.queryDown, into: dNormed, adding: true, pass,
          keys: queryRows.dropoutKeys)
        if dx.base != dMiddle.base {
          dx.base.update(from: dMiddle.base, count: all.count * c.hiddenSize)
        }
      } else {
        let dAsking = scratch.matrix(queryRows.count, c.hiddenSize)
        query.backwardInput(
          dQueries, dDown: a.queryDown, into: dAsking, pass, keys: queryRows.dropoutKeys)
        queryRows.scatter(dAsking, addingTo: dNormed)
        dx.setZero()
        queryRows.scatter(dMiddle, addingTo: dx)
      }
    }
    clock.measure(.normalisation) {
      inputNorm.backward(a.input, a.inputInverseRMS, dy: dNormed, addingTo: dx, pass)
    }
  }
}

extension StoredVector {
  /// Recomputes the norm's result from what the forward kept: y = x · inverseRMS · weight.
  func recompute(_ x: MatrixView, _ inverseRMS: MatrixView, into y: MatrixView) {
    ks_rms_norm_recompute(x.base, base, inverseRMS.base, y.base, x.rows, x.columns)
  }

  /// Adds the gradient through the norm to `dx`, and the weight's own to the pass's gradients.
  func backward(
    _ x: MatrixView, _ inverseRMS: MatrixView, dy: MatrixView, addingTo dx: MatrixView,
    _ pass: PassContext
  ) {
    ks_rms_norm_backward(
      x.base, base, inverseRMS.base, dy.base, dx.base, gradient(pass.gradients), x.rows, x.columns)
  }
}
