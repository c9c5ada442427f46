import CKernels
import LinearAlgebra

/// Causal grouped-query attention over a forest of segments (Ainslie et al., 2305.13245), exact, in
/// blocks of queries.
///
/// Letters: T rows, Q rows that ask (all of them, or the wanted ones), H query heads, G key-value
/// heads, d head dimension. No matrix of T × T exists: a block's scores are made, used and made
/// again in the backward from the log-sum-exp of each row (as in Dao et al., 2205.14135).
struct Attention: Sendable {
  let heads: Int
  let keyValueHeads: Int
  let headDimension: Int

  /// Queries of one block. A block's scores stay in the cache up to a few hundred keys.
  private static let blockRows = 128

  private var scale: Float { 1 / Float(headDimension).squareRoot() }

  /// attended[Q, H d] = softmax(queries keysᵀ / √d) values; logSumExp[Q, H].
  ///
  /// queries[Q, H d] and the keys, the first half of a row of keysValues[T, 2 G d], are already
  /// rotated.
  func forward(
    queries: MatrixView, keysValues: MatrixView, _ asking: AskingRows, into attended: MatrixView,
    logSumExp: MatrixView, _ arena: Arena, _ clock: PassClock
  ) {
    forEachBlock(asking, arena, scoreMatrices: 1) { block, scores in
      for head in 0..<heads {
        let query = columns(of: queries, block.rows, head)
        for span in block.spans {
          clock.multiply(
            query, key(keysValues, span.rows, head).transposed,
            into: scores[0].columns(span.columns))
        }
        ks_softmax(
          scores[0].base, scores[0].stride, scale, block.visible,
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

  /// The same for one row, `query`[1, H d], that sees all of keysValues[N, 2 G d].
  func forward(
    query: MatrixView, keysValues: MatrixView, into attended: MatrixView, _ arena: Arena
  ) {
    let mark = arena.mark
    defer { arena.release(to: mark) }
    let group = heads / keyValueHeads
    let scores = arena.floats(group * keysValues.rows)
    for head in 0..<keyValueHeads {
      ks_attend_one(
        query.base + head * group * headDimension, keysValues.base + head * headDimension,
        keysValues.base + (keyValueHeads + head) * headDimension, keysValues.stride, scale,
        scores, attended.base + head * group * headDimension, group, headDimension,
        keysValues.rows)
    }
  }

  /// dQueries[Q, H d] is written; the gradients of keys and values are added to dKeysValues[T, 2 G
  /// d].
  func backward(
    queries: MatrixView, keysValues: MatrixView, _ asking: AskingRows, attended: MatrixView,
    logSumExp: MatrixView,
    dAttended: MatrixView, into dQueries: MatrixView, addingTo dKeysValues: MatrixView,
    _ arena: Arena, _ clock: PassClock
  ) {
    forEachBlock(asking, arena, scoreMatrices: 2) { block, scores in
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
        ks_softmax_again(
          probabilities.base, probabilities.stride, scale, block.visible,
          logSumExp.row(block.rows.lowerBound) + head, heads, block.rows.count, block.keyCount)
        ks_softmax_backward(
          probabilities.base, dScores.base, dScores.stride, scale, output.base, dOutput.base,
          output.stride,
          headDimension, block.rows.count, block.keyCount)
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
    _ asking: AskingRows, _ arena: Arena, scoreMatrices: Int, _ body: (Block, [MatrixView]) -> Void
  ) {
    for segment in asking.segments {
      var start = segment.asking.lowerBound
      while start < segment.asking.upperBound {
        let rows = start..<min(start + Self.blockRows, segment.asking.upperBound)
        var spans: [(rows: Range<Int>, columns: Range<Int>)] = []
        var keyCount = 0
        func see(_ keys: Range<Int>) {
          spans.append((keys, keyCount..<keyCount + keys.count))
          keyCount += keys.count
        }
        segment.ancestors.forEach(see)
        let inherited = Int32(keyCount)
        let visible = asking.visible[rows].map { $0 + inherited }
        // The last query of a block sees the most.
        let own =
          segment.rows.lowerBound..<segment.rows.lowerBound
          + Int(asking.visible[rows.upperBound - 1])
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

/// The rows of a forest that ask in a layer: all of them, or in the last layer those whose result
/// is wanted.
struct AskingRows {
  /// A segment's rows among T, those that ask among Q, and its ancestors' among T.
  var segments: [(rows: Range<Int>, asking: Range<Int>, ancestors: [Range<Int>])]
  /// Positions, dropout keys and how many rows of its own segment each sees [Q].
  var positions: [Int32]
  var dropoutKeys: [UInt32]
  var visible: [Int32]
  /// The rows' places among T; nil where all ask.
  var selection: [Int32]?

  var count: Int { positions.count }

  static func all(_ forest: PackedForest) -> AskingRows {
    AskingRows(
      segments: forest.segments.map { ($0.rows, $0.rows, $0.ancestors) },
      positions: forest.positions,
      dropoutKeys: forest.dropoutKeys, visible: forest.visible, selection: nil)
  }

  static func wanted(_ forest: PackedForest) -> AskingRows {
    let rows = forest.wantedRows.map(Int.init)
    return AskingRows(
      segments: forest.segments.map { ($0.rows, $0.wanted, $0.ancestors) },
      positions: rows.map { forest.positions[$0] },
      dropoutKeys: rows.map { forest.dropoutKeys[$0] },
      visible: rows.map { forest.visible[$0] }, selection: forest.wantedRows)
  }

  /// One row of each of some sequences, at these positions; what they see lies in caches.
  static func step(positions: [Int32]) -> AskingRows {
    AskingRows(
      segments: [], positions: positions,
      dropoutKeys: Array(repeating: 0, count: positions.count), visible: [], selection: nil)
  }

  /// Copies the asking rows of `x`[T, n] into `y`[Q, n].
  func copy(_ x: MatrixView, into y: MatrixView) {
    guard let selection else { return y.base.update(from: x.base, count: x.rows * x.columns) }
    for (i, row) in selection.enumerated() {
      y.row(i).update(from: x.row(Int(row)), count: x.columns)
    }
  }

  /// The asking rows of `x`[T, n]: itself where all ask, else a copy in `arena`.
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
