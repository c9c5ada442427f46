import CKernels
import Checkpoints
import LinearAlgebra

/// Causal grouped-query attention over packed prefix trees (Ainslie et al., 2305.13245), exact, in
/// blocks of queries.
///
/// Letters: T rows, Q query rows (all of them, or the output rows), H query heads, G key-value
/// heads, d head dimension. No matrix of T × T exists: a block's scores are computed, used, and
/// recomputed in the backward from the log-sum-exp of each row (as in Dao et al., 2205.14135).
struct Attention {
  private let heads: Int
  private let keyValueHeads: Int
  private let headDimension: Int
  private let scale: Float
  /// Zero: the scores are not capped.
  private let cap: Float
  /// The last keys that a query sees, its own among them.
  private let window: Int32

  /// Queries of one block. A block's scores stay in the cache up to a few hundred keys.
  private static let blockRows = 128

  /// That of layer `index` of a model of this shape.
  init(layer index: Int, _ c: ModelConfiguration) {
    heads = c.headCount
    keyValueHeads = c.keyValueHeadCount
    headDimension = c.headDimension
    scale = c.attentionMultiplier ?? 1 / Float(c.headDimension).squareRoot()
    cap = c.attentionSoftcap ?? 0
    window = c.slidingLayers.contains(index) ? Int32(c.slidingWindow ?? Int(Int32.max)) : .max
  }

  /// attended[Q, H d] = softmax(cap(scale · queries keysᵀ)) values; logSumExp[Q, H].
  ///
  /// queries[Q, H d] and the keys, the first half of a row of keysValues[T, 2 G d], are already
  /// rotated.
  func forward(
    queries: MatrixView, keysValues: MatrixView, _ queryRows: QueryRows, into attended: MatrixView,
    logSumExp: MatrixView, _ arena: Arena, _ clock: PassClock
  ) {
    forEachBlock(queryRows, arena, scoreMatrices: 1) { block, scores in
      for head in 0..<heads {
        let query = columns(of: queries, block.rows, head)
        for span in block.spans {
          clock.multiply(
            query, key(keysValues, span.rows, head).transposed,
            into: scores[0].columns(span.columns))
        }
        capScores(scores[0])
        ks_softmax(
          scores[0].base, scores[0].stride, softmaxScale, block.visible, window,
          logSumExp.row(block.rows.lowerBound) + head, heads,
          block.rows.count, block.keyCount)
        let output = columns(of: attended, block.rows, head)
        for (index, span) in block.spans.enumerated() {
          clock.multiply(
            scores[0].columns(span.columns), value(keysValues, span.rows, head), into: output,
            adding: index > 0)
        }
      }
    }
  }

  /// The scores of a block with their cap, and so with their scale; as they are where there is none.
  private func capScores(_ scores: MatrixView) {
    guard cap > 0 else { return }
    ks_softcap(
      scores.base, scores.base, scores.stride, scale, cap, scores.rows, scores.columns)
  }

  /// What the softmax multiplies scores by.
  private var softmaxScale: Float { cap > 0 ? 1 : scale }

  /// The same for one row, `query`[1, H d], whose own key and value are the last that `layer` of `cache`
  /// holds.
  func forward(
    query: MatrixView, _ cache: KeyValueCache, layer: Int, into attended: MatrixView, _ arena: Arena
  ) {
    let mark = arena.mark
    defer { arena.release(to: mark) }
    switch cache.keysValues(layer: layer, adding: 1, window: Int(window)) {
    case .float32(let keys, let values):
      ks_attend_one(
        query.base, keys.base, values.base, keys.stride, scale, cap,
        arena.floats(heads * keys.rows), attended.base, heads, keyValueHeads, headDimension,
        keys.rows)
    case .bfloat16(let keys, let values):
      ks_attend_one_bfloat16(
        query.base, keys.base, values.base, keys.stride, scale, cap,
        arena.floats(heads * keys.rows), attended.base, heads, keyValueHeads, headDimension,
        keys.rows)
    }
  }

  /// dQueries[Q, H d] is written; the gradients of keys and values are added to dKeysValues[T, 2 G
  /// d].
  func backward(
    queries: MatrixView, keysValues: MatrixView, _ queryRows: QueryRows, attended: MatrixView,
    logSumExp: MatrixView,
    dAttended: MatrixView, into dQueries: MatrixView, addingTo dKeysValues: MatrixView,
    _ arena: Arena, _ clock: PassClock
  ) {
    forEachBlock(queryRows, arena, scoreMatrices: cap > 0 ? 3 : 2) { block, scores in
      let (probabilities, dScores) = (scores[0], scores[1])
      for head in 0..<heads {
        let query = columns(of: queries, block.rows, head)
        let output = columns(of: attended, block.rows, head)
        let dOutput = columns(of: dAttended, block.rows, head)
        for span in block.spans {
          clock.multiply(
            query, key(keysValues, span.rows, head).transposed,
            into: probabilities.columns(span.columns))
          clock.multiply(
            dOutput, value(keysValues, span.rows, head).transposed,
            into: dScores.columns(span.columns))
        }
        capScores(probabilities)
        if cap > 0 {
          scores[2].base.update(
            from: probabilities.base, count: probabilities.rows * probabilities.columns)
        }
        ks_softmax_recompute(
          probabilities.base, probabilities.stride, softmaxScale, block.visible, window,
          logSumExp.row(block.rows.lowerBound) + head, heads, block.rows.count, block.keyCount)
        ks_softmax_backward(
          probabilities.base, dScores.base, dScores.stride, softmaxScale, output.base,
          dOutput.base, output.stride, headDimension, block.rows.count, block.keyCount)
        if cap > 0 {
          ks_softcap_backward(
            scores[2].base, dScores.base, dScores.stride, scale, cap, dScores.rows, dScores.columns)
        }
        let dQuery = columns(of: dQueries, block.rows, head)
        for (index, span) in block.spans.enumerated() {
          let dScore = dScores.columns(span.columns)
          clock.multiply(dScore, key(keysValues, span.rows, head), into: dQuery, adding: index > 0)
          clock.multiply(
            dScore.transposed, query, into: key(dKeysValues, span.rows, head), adding: true)
          clock.multiply(
            probabilities.columns(span.columns).transposed, dOutput,
            into: value(dKeysValues, span.rows, head),
            adding: true)
        }
      }
    }
  }

  /// Queries of one segment that are handled together, and the keys that any of them sees.
  private struct Block {
    /// Among Q.
    var rows: Range<Int>
    /// Keys of the ancestors and of the segment itself: rows among T, and their columns in the
    /// scores.
    var spans: [(rows: Range<Int>, columns: Range<Int>)]
    /// How many of the score columns each query sees.
    var visible: [Int32]
    var keyCount: Int
  }

  private func forEachBlock(
    _ queryRows: QueryRows, _ arena: Arena, scoreMatrices: Int,
    _ body: (Block, [MatrixView]) -> Void
  ) {
    for segment in queryRows.segments {
      var start = segment.queries.lowerBound
      while start < segment.queries.upperBound {
        let rows = start..<min(start + Self.blockRows, segment.queries.upperBound)
        var spans: [(rows: Range<Int>, columns: Range<Int>)] = []
        var keyCount = 0
        let inherited = Int32(segment.ancestors.reduce(0) { $0 + $1.count })
        // The first query of a block sees the most of what lies before: no key of its path that it does
        // not see is seen by any other.
        let unseen = max(0, queryRows.visible[rows.lowerBound] + inherited - window)
        var skipped = Int(unseen)
        func see(_ keys: Range<Int>) {
          let skip = min(skipped, keys.count)
          skipped -= skip
          guard skip < keys.count else { return }
          let keys = keys.dropFirst(skip)
          spans.append((keys, keyCount..<keyCount + keys.count))
          keyCount += keys.count
        }
        segment.ancestors.forEach(see)
        let visible = queryRows.visible[rows].map { $0 + inherited - unseen }
        // The last query of a block sees the most of its own segment.
        let own =
          segment.rows.lowerBound..<segment.rows.lowerBound
          + Int(queryRows.visible[rows.upperBound - 1])
        if let last = spans.last, last.rows.upperBound == own.lowerBound {
          // The parent's rows lie right before: one product serves both.
          spans[spans.count - 1] = (
            last.rows.lowerBound..<own.upperBound,
            last.columns.lowerBound..<last.columns.upperBound + own.count
          )
          keyCount += own.count
        } else {
          see(own)
        }
        let mark = arena.mark
        let scores = (0..<scoreMatrices).map { _ in arena.matrix(rows.count, keyCount) }
        body(Block(rows: rows, spans: spans, visible: visible, keyCount: keyCount), scores)
        arena.release(to: mark)
        start = rows.upperBound
      }
    }
  }

  private func columns(of matrix: MatrixView, _ rows: Range<Int>, _ head: Int) -> MatrixView {
    matrix.block(rows: rows, columns: head * headDimension..<(head + 1) * headDimension)
  }

  private func key(_ keysValues: MatrixView, _ rows: Range<Int>, _ head: Int) -> MatrixView {
    columns(of: keysValues, rows, head / (heads / keyValueHeads))
  }

  private func value(_ keysValues: MatrixView, _ rows: Range<Int>, _ head: Int) -> MatrixView {
    columns(of: keysValues, rows, keyValueHeads + head / (heads / keyValueHeads))
  }
}

/// The rows of a batch whose queries a layer computes: all of them, or in the last layer those from
/// which something is predicted.
struct QueryRows {
  /// A segment's rows among T, its query rows among Q, and its ancestors' rows among T.
  var segments: [(rows: Range<Int>, queries: Range<Int>, ancestors: [Range<Int>])]
  /// Positions, dropout keys and how many rows of its own segment each sees [Q].
  var positions: [Int32]
  var dropoutKeys: [UInt32]
  var visible: [Int32]
  /// The rows' places among T; nil where all are query rows.
  var selection: [Int32]?

  var count: Int { positions.count }

  static func all(_ batch: PackedBatch) -> QueryRows {
    QueryRows(
      segments: batch.segments.map { ($0.rows, $0.rows, $0.ancestors) },
      positions: batch.positions,
      dropoutKeys: batch.dropoutKeys, visible: batch.visible, selection: nil)
  }

  static func outputs(_ batch: PackedBatch) -> QueryRows {
    let rows = batch.outputRows.map(Int.init)
    return QueryRows(
      segments: batch.segments.map { ($0.rows, $0.outputs, $0.ancestors) },
      positions: rows.map { batch.positions[$0] },
      dropoutKeys: rows.map { batch.dropoutKeys[$0] },
      visible: rows.map { batch.visible[$0] }, selection: batch.outputRows)
  }

  /// One row of each of some sequences, at these positions; what they see lies in caches.
  static func step(positions: [Int32]) -> QueryRows {
    QueryRows(
      segments: [], positions: positions,
      dropoutKeys: Array(repeating: 0, count: positions.count), visible: [], selection: nil)
  }

  /// Copies the query rows of `x`[T, n] into `y`[Q, n].
  func copy(_ x: MatrixView, into y: MatrixView) {
    guard let selection else { return y.base.update(from: x.base, count: x.rows * x.columns) }
    for (i, row) in selection.enumerated() {
      y.row(i).update(from: x.row(Int(row)), count: x.columns)
    }
  }

  /// The query rows of `x`[T, n]: itself where all are query rows, else a copy in `arena`.
  func gather(_ x: MatrixView, _ arena: Arena) -> MatrixView {
    guard let selection else { return x }
    let result = arena.matrix(selection.count, x.columns)
    copy(x, into: result)
    return result
  }

  /// Adds the rows of `y`[Q, n] to their places in `x`[T, n].
  func scatter(_ y: MatrixView, addingTo x: MatrixView) {
    guard let selection else { return ks_add(y.base, x.base, x.rows * x.columns) }
    for (i, row) in selection.enumerated() { ks_add(y.row(i), x.row(Int(row)), x.columns) }
  }
}
