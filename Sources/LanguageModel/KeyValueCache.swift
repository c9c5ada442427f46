import CKernels
import Checkpoints
import LinearAlgebra

/// The keys and values of one sequence so far, of every layer, in memory that doubles as they grow: in
/// single precision, or in bfloat16, as autocast keeps them, where products are in bf16.
///
/// A layer's keys lie one after the other, and so do its values, since a step reads all of either.
///
/// Letters: N rows (tokens) so far, G key-value heads, d head dimension.
package final class KeyValueCache {
  private let layers: Int
  /// G d: the rotated keys of a row, or its values.
  private let width: Int
  private let context: Int
  private let precision: Precision
  private var capacity = 0
  /// [layers, 2, capacity, G d] of single precision, or of bfloat16, two to a float.
  private var buffer = FloatBuffer(count: 0)
  /// N.
  package private(set) var count = 0

  private enum Part: Int, CaseIterable { case keys, values }

  /// Rows of the cache, G d wide.
  enum Rows {
    case float32(keys: MatrixView, values: MatrixView)
    case bfloat16(keys: BFloat16View, values: BFloat16View)
  }

  /// Empty; it never holds more than `context` rows.
  package init(_ configuration: ModelConfiguration, context: Int, precision: Precision = .fp32) {
    layers = configuration.layerCount
    width = configuration.keyValueHeadCount * configuration.headDimension
    self.context = context
    self.precision = precision
  }

  private func floats(_ rows: Int) -> Int {
    let elements = layers * Part.allCases.count * rows * width
    return precision == .bf16 ? (elements + 1) / 2 : elements
  }

  private func offset(_ part: Part, _ layer: Int, _ row: Int) -> Int {
    ((layer * Part.allCases.count + part.rawValue) * capacity + row) * width
  }

  /// The elements from row `row` of a layer's keys or values on.
  private func bfloat16(_ part: Part, _ layer: Int, _ row: Int) -> UnsafeMutablePointer<UInt16> {
    UnsafeMutableRawPointer(buffer.base).assumingMemoryBound(to: UInt16.self)
      + offset(part, layer, row)
  }

  private func float32(_ part: Part, _ layer: Int, _ row: Int) -> UnsafeMutablePointer<Float> {
    buffer.base + offset(part, layer, row)
  }

  /// Reserves memory for `rows` more. Precondition: they lie in the context.
  func reserve(_ rows: Int) {
    let needed = count + rows
    precondition(needed <= context, "\(needed) tokens are beyond the context of \(context)")
    guard needed > capacity else { return }
    var grown = max(capacity, 32)
    while grown < needed { grown *= 2 }
    let larger = KeyValueCache(copying: self, capacity: min(grown, context))
    (buffer, capacity) = (larger.buffer, larger.capacity)
  }

  private init(copying other: KeyValueCache, capacity: Int) {
    (layers, width) = (other.layers, other.width)
    (context, precision) = (other.context, other.precision)
    self.capacity = capacity
    buffer = FloatBuffer(count: 0)
    buffer = FloatBuffer(count: floats(capacity))
    for layer in 0..<layers {
      for part in Part.allCases {
        switch precision {
        case .fp32:
          float32(part, layer, 0).update(
            from: other.float32(part, layer, 0), count: other.count * width)
        case .bf16:
          bfloat16(part, layer, 0).update(
            from: other.bfloat16(part, layer, 0), count: other.count * width)
        }
      }
    }
  }

  /// Writes `rows`[n, 2 G d], keys before values, behind the N of this layer. `advance` follows once all
  /// layers have theirs.
  func write(_ rows: MatrixView, layer: Int) {
    precondition(count + rows.rows <= capacity && rows.columns == 2 * width)
    for part in Part.allCases {
      let start = part.rawValue * width
      switch precision {
      case .fp32:
        let target = float32(part, layer, count)
        for row in 0..<rows.rows {
          (target + row * width).update(from: rows.row(row) + start, count: width)
        }
      case .bf16:
        ks_round_to_bfloat16(
          rows.base + start, rows.stride, bfloat16(part, layer, count), 1, rows.rows, width)
      }
    }
  }

  func advance(by rows: Int) {
    precondition(count + rows <= capacity)
    count += rows
  }

  /// The last `window` of the layer's keys and values [N + written, G d], `written` rows among them that
  /// no `advance` has counted yet.
  func keysValues(layer: Int, adding written: Int, window: Int) -> Rows {
    let all = count + written
    let first = max(0, all - window)
    func float32Rows(_ part: Part) -> MatrixView {
      MatrixView(float32(part, layer, first), rows: all - first, columns: width)
    }
    func bfloat16Rows(_ part: Part) -> BFloat16View {
      BFloat16View(bfloat16(part, layer, first), rows: all - first, columns: width)
    }
    return switch precision {
    case .fp32: .float32(keys: float32Rows(.keys), values: float32Rows(.values))
    case .bf16: .bfloat16(keys: bfloat16Rows(.keys), values: bfloat16Rows(.values))
    }
  }
}
