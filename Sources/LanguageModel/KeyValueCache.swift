import Checkpoints
import LinearAlgebra

/// The keys and values of one sequence so far, of every layer, in memory that doubles as they grow.
///
/// Letters: N rows (tokens) so far, G key-value heads, d head dimension.
package final class KeyValueCache {
  private let layers: Int
  /// 2 G d: the rotated keys of a row, then its values.
  private let width: Int
  private let context: Int
  private var capacity = 0
  /// [layers, capacity, 2 G d].
  private var buffer = FloatBuffer(count: 0)
  /// N.
  package private(set) var count = 0

  /// Empty; it never holds more than `context` rows.
  package init(_ configuration: ModelConfiguration, context: Int) {
    layers = configuration.layerCount
    width = 2 * configuration.keyValueHeadCount * configuration.headDimension
    self.context = context
  }

  /// Reserves memory for `rows` more. Precondition: they lie in the context.
  func reserve(_ rows: Int) {
    let needed = count + rows
    precondition(needed <= context, "\(needed) tokens are beyond the context of \(context)")
    guard needed > capacity else { return }
    var grown = max(capacity, 32)
    while grown < needed { grown *= 2 }
    grown = min(grown, context)
    let larger = FloatBuffer(count: layers * grown * width)
    for layer in 0..<layers {
      (larger.base + layer * grown * width).update(
        from: buffer.base + layer * capacity * width, count: count * width)
    }
    (buffer, capacity) = (larger, grown)
  }

  /// Writes `rows`[n, 2 G d] behind the N of this layer. `advance` follows once all layers have
  /// theirs.
  func write(_ rows: MatrixView, layer: Int) {
    precondition(count + rows.rows <= capacity && rows.columns == width && rows.stride == width)
    (buffer.base + (layer * capacity + count) * width).update(
      from: rows.base, count: rows.rows * width)
  }

  func advance(by rows: Int) {
    precondition(count + rows <= capacity)
    count += rows
  }

  /// The layer's keys and values [N + written, 2 G d], `written` rows among them that no `advance`
  /// has counted yet.
  func keysValues(layer: Int, adding written: Int) -> MatrixView {
    buffer.matrix(rows: count + written, columns: width, at: layer * capacity * width)
  }
}
