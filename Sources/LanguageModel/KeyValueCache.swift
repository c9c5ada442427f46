import CKernels
import Checkpoints
import LinearAlgebra

/// The keys and values of one sequence so far, of every layer, in memory that doubles as they grow: in
/// single precision, or in bfloat16, as autocast keeps them, where products are in bf16.
///
/// Letters: N rows (tokens) so far, G key-value heads, d head dimension.
package final class KeyValueCache {
  private let layers: Int
  /// 2 G d: the rotated keys of a row, then its values.
  private let width: Int
  private let context: Int
  private let precision: Precision
  private var capacity = 0
  /// [layers, capacity, 2 G d] of single precision, or of bfloat16, two to a float.
  private var buffer = FloatBuffer(count: 0)
  /// N.
  package private(set) var count = 0

  /// Rows of the cache, 2 G d wide.
  enum Rows {
    case float32(MatrixView)
    case bfloat16(BFloat16View)
  }

  /// Empty; it never holds more than `context` rows.
  package init(_ configuration: ModelConfiguration, context: Int, precision: Precision = .fp32) {
    layers = configuration.layerCount
    width = 2 * configuration.keyValueHeadCount * configuration.headDimension
    self.context = context
    self.precision = precision
  }

  private func floats(_ rows: Int) -> Int {
    let elements = layers * rows * width
    return precision == .bf16 ? (elements + 1) / 2 : elements
  }

  /// The elements from row `row` of a layer on, in a buffer of that capacity.
  private func bfloat16(_ buffer: FloatBuffer, _ capacity: Int, _ layer: Int, _ row: Int)
    -> UnsafeMutablePointer<UInt16>
  {
    UnsafeMutableRawPointer(buffer.base).assumingMemoryBound(to: UInt16.self)
      + (layer * capacity + row) * width
  }

  private func float32(_ buffer: FloatBuffer, _ capacity: Int, _ layer: Int, _ row: Int)
    -> UnsafeMutablePointer<Float>
  {
    buffer.base + (layer * capacity + row) * width
  }

  /// Reserves memory for `rows` more. Precondition: they lie in the context.
  func reserve(_ rows: Int) {
    let needed = count + rows
    precondition(needed <= context, "\(needed) tokens are beyond the context of \(context)")
    guard needed > capacity else { return }
    var grown = max(capacity, 32)
    while grown < needed { grown *= 2 }
    grown = min(grown, context)
    let larger = FloatBuffer(count: floats(grown))
    for layer in 0..<layers {
      switch precision {
      case .fp32:
        float32(larger, grown, layer, 0).update(
          from: float32(buffer, capacity, layer, 0), count: count * width)
      case .bf16:
        bfloat16(larger, grown, layer, 0).update(
          from: bfloat16(buffer, capacity, layer, 0), count: count * width)
      }
    }
    (buffer, capacity) = (larger, grown)
  }

  /// Writes `rows`[n, 2 G d] behind the N of this layer. `advance` follows once all layers have
  /// theirs.
  func write(_ rows: MatrixView, layer: Int) {
    precondition(count + rows.rows <= capacity && rows.columns == width && rows.stride == width)
    switch precision {
    case .fp32:
      float32(buffer, capacity, layer, count).update(from: rows.base, count: rows.rows * width)
    case .bf16:
      ks_round_to_bfloat16(
        rows.base, width, bfloat16(buffer, capacity, layer, count), 1, rows.rows, width)
    }
  }

  func advance(by rows: Int) {
    precondition(count + rows <= capacity)
    count += rows
  }

  /// The last `window` of the layer's keys and values [N + written, 2 G d], `written` rows among them
  /// that no `advance` has counted yet.
  func keysValues(layer: Int, adding written: Int, window: Int) -> Rows {
    let all = count + written
    let first = max(0, all - window)
    return switch precision {
    case .fp32:
      .float32(
        MatrixView(
          float32(buffer, capacity, layer, first), rows: all - first, columns: width))
    case .bf16:
      .bfloat16(
        BFloat16View(bfloat16(buffer, capacity, layer, first), rows: all - first, columns: width))
    }
  }
}
