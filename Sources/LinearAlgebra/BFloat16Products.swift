import COneDNN
import COpenBLAS

/// Products of bfloat16 matrices with sums in single precision, each on the calling thread alone.
///
/// Creating a product of a new shape takes oneDNN about 0.3 ms and some 250 KiB, so each is kept, up to
/// a limit. The number of tokens, which is another in each batch, makes few shapes where that time
/// would count: as the rows of A in small products, which take them in blocks of powers of two, and as the
/// inner dimension, which includes rows of zeros. One thread uses an object at a time.
public final class BFloat16Products {
  private struct Shape: Hashable {
    var m, n, k: Int
    var aStride, bStride, cStride: Int
    var aIsTransposed, bIsTransposed, isAdding: Bool
    /// B's layout, which outlives the product.
    var layout: OpaquePointer?
  }

  private let backend: BFloat16Backend
  private var products: [Shape: OpaquePointer] = [:]
  /// Widened operands of the emulation.
  private var workspace = (FloatBuffer(count: 0), FloatBuffer(count: 0))

  /// Products that are kept; past it all are forgotten.
  private static let limit = 256
  /// Elements of B from which on one pass over it costs more than creating a product.
  private static let largeWeight = 1 << 17

  /// Precondition: the backend is available.
  public init(_ backend: BFloat16Backend = .selected) {
    precondition(backend.isAvailable, "\(backend) is not available")
    self.backend = backend
  }

  deinit { forget() }

  private func forget() {
    products.values.forEach(ks_onednn_product_free)
    products = [:]
  }

  /// C ← A B, or C ← C + A B with `adding`.
  ///
  /// A is m × k, B is k × n, C is m × n and overlaps neither; A and B may be transposed views. An
  /// empty inner dimension gives zero.
  public func multiply(
    _ a: BFloat16View, _ b: BFloat16View, into c: MatrixView, adding: Bool = false
  ) {
    guard Self.isNeeded(a, rows: b.rows, columns: b.columns, c, adding) else { return }
    switch backend {
    case .oneDNN: run(a, b.base, b, layout: nil, into: c, adding)
    case .openBLAS: sbgemm(a, b, into: c, adding)
    case .emulated: emulate(a, b, into: c, adding)
    }
  }

  /// The same with B in the order that products read fastest.
  public func multiply(
    _ a: BFloat16View, _ b: PackedBFloat16, into c: MatrixView, adding: Bool = false
  ) {
    switch b.form {
    case .rows(let rows): multiply(a, rows, into: c, adding: adding)
    case .layout(let layout, let memory):
      guard Self.isNeeded(a, rows: b.rows, columns: b.columns, c, adding) else { return }
      run(a, memory, nil, layout: layout, into: c, adding)
    }
  }

  private static func isNeeded(
    _ a: BFloat16View, rows: Int, columns: Int, _ c: MatrixView, _ adding: Bool
  ) -> Bool {
    precondition(
      a.columns == rows && a.rows == c.rows && columns == c.columns && !c.isTransposed,
      "cannot write a product of \(a.rows) × \(a.columns) and \(rows) × \(columns) into \(c.rows) × \(c.columns)"
    )
    guard c.rows > 0, c.columns > 0 else { return false }
    if a.columns == 0, !adding { c.setZero() }
    return a.columns > 0
  }

  private func run(
    _ a: BFloat16View, _ bBase: UnsafeRawPointer, _ b: BFloat16View?, layout: OpaquePointer?,
    into c: MatrixView, _ adding: Bool
  ) {
    var shape = Shape(
      m: c.rows, n: c.columns, k: a.columns, aStride: a.stride, bStride: b?.stride ?? 0,
      cStride: c.stride, aIsTransposed: a.isTransposed, bIsTransposed: b?.isTransposed ?? false,
      isAdding: adding, layout: layout)
    if a.isTransposed {
      if let b, !b.isTransposed { shape.k = max(shape.k, min(a.storedRows, b.storedRows)) }
      return run(shape, a.base, bBase, c.base)
    }
    let isSmall = shape.k * shape.n < Self.largeWeight
    var start = 0
    while start < c.rows {
      shape.m = isSmall ? Self.block(of: c.rows - start) : c.rows
      run(shape, a.base + start * a.stride, bBase, c.base + start * c.stride)
      start += shape.m
    }
  }

  /// The rows to take next of `rows` that are left: the largest power of two from 32 to 1,024, or what is
  /// left below that.
  private static func block(of rows: Int) -> Int {
    rows < 32 ? rows : min(1024, 1 << (Int.bitWidth - 1 - rows.leadingZeroBitCount))
  }

  private func run(
    _ shape: Shape, _ a: UnsafePointer<UInt16>, _ b: UnsafeRawPointer,
    _ c: UnsafeMutablePointer<Float>
  ) {
    let failed = ks_onednn_product_run(product(shape), a, b, c)
    precondition(failed == 0, "oneDNN did not compute a product of \(shape)")
  }

  private func product(_ shape: Shape) -> OpaquePointer {
    if let known = products[shape] { return known }
    var native = ks_onednn_shape(
      m: shape.m, n: shape.n, k: shape.k, a_stride: shape.aStride, b_stride: shape.bStride,
      c_stride: shape.cStride, a_transposed: shape.aIsTransposed ? 1 : 0,
      b_transposed: shape.bIsTransposed ? 1 : 0, adding: shape.isAdding ? 1 : 0)
    guard let product = ks_onednn_product_create(&native, shape.layout) else {
      preconditionFailure("oneDNN has no product of \(shape)")
    }
    if products.count == Self.limit { forget() }
    products[shape] = product
    return product
  }

  private func sbgemm(
    _ a: BFloat16View, _ b: BFloat16View, into c: MatrixView, _ adding: Bool
  ) {
    guard let sbgemm = BFloat16Backend.sbgemm else {
      preconditionFailure("OpenBLAS has no sbgemm")
    }
    func flag(_ isTransposed: Bool) -> Int32 {
      Int32((isTransposed ? CblasTrans : CblasNoTrans).rawValue)
    }
    sbgemm(
      Int32(CblasRowMajor.rawValue), flag(a.isTransposed), flag(b.isTransposed), Int32(c.rows),
      Int32(c.columns), Int32(a.columns), 1, a.base, Int32(max(a.stride, 1)), b.base,
      Int32(max(b.stride, 1)), adding ? 1 : 0, c.base, Int32(c.stride))
  }

  private func emulate(_ a: BFloat16View, _ b: BFloat16View, into c: MatrixView, _ adding: Bool) {
    func reserve(_ buffer: inout FloatBuffer, _ count: Int) {
      if buffer.count < count { buffer = FloatBuffer(count: count) }
    }
    reserve(&workspace.0, a.rows * a.columns)
    reserve(&workspace.1, b.rows * b.columns)
    LinearAlgebra.multiply(
      a.widened(into: workspace.0.base), b.widened(into: workspace.1.base), into: c,
      adding: adding)
  }

  /// The kernel of a product of 512 × 512 × 512.
  static var typicalKernel: String {
    let products = BFloat16Products(.oneDNN)
    let product = products.product(
      Shape(
        m: 512, n: 512, k: 512, aStride: 512, bStride: 512, cStride: 512, aIsTransposed: false,
        bIsTransposed: false, isAdding: false))
    return String(cString: ks_onednn_product_kernel(product))
  }
}
