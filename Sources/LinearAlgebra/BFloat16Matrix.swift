import COneDNN

/// A constant bfloat16 matrix in memory of its own.
///
/// `@unchecked Sendable`: nothing changes after `init`.
public final class BFloat16Matrix: @unchecked Sendable {
  /// Its elements in rows.
  public let view: BFloat16View

  /// x, rounded to the nearest bfloat16. A transposed view stays one.
  public init(rounding x: MatrixView) {
    let count = BFloat16View.count(x)
    let memory = UnsafeMutableRawPointer.allocate(byteCount: max(2 * count, 1), alignment: 64)
    view = BFloat16View(
      rounding: x, into: memory.bindMemory(to: UInt16.self, capacity: max(count, 1)))
  }

  deinit { view.base.deallocate() }
}

/// A constant bfloat16 matrix B [k, n] in the order in which products read it fastest.
///
/// `@unchecked Sendable`: nothing changes after `init`.
public final class PackedBFloat16: @unchecked Sendable {
  enum Form {
    /// oneDNN's own order.
    case layout(OpaquePointer, UnsafeMutableRawPointer)
    case rows(BFloat16View)
  }

  public let rows: Int
  public let columns: Int
  let form: Form
  /// The owner of the memory of `.rows`.
  private let matrix: BFloat16Matrix?

  public convenience init(rounding x: MatrixView) { self.init(BFloat16Matrix(rounding: x)) }

  /// `matrix` in the order of `backend`, which must be that of the products.
  public init(_ matrix: BFloat16Matrix, for backend: BFloat16Backend = .selected) {
    let b = matrix.view
    rows = b.rows
    columns = b.columns
    guard backend == .oneDNN, rows > 0, columns > 0,
      let layout = ks_onednn_layout_create(rows, columns)
    else {
      form = .rows(b)
      self.matrix = matrix
      return
    }
    let memory = UnsafeMutableRawPointer.allocate(
      byteCount: ks_onednn_layout_bytes(layout), alignment: 64)
    let failed = ks_onednn_pack(layout, b.base, b.isTransposed ? 1 : 0, b.stride, memory)
    precondition(failed == 0, "oneDNN did not reorder a matrix of \(rows) × \(columns)")
    form = .layout(layout, memory)
    self.matrix = nil
  }

  deinit {
    guard case .layout(let layout, let memory) = form else { return }
    ks_onednn_layout_free(layout)
    memory.deallocate()
  }
}
