import CKernels

/// A row-major matrix of bfloat16 in memory that somebody else owns; see `MatrixView`.
public struct BFloat16View {
  public let base: UnsafeMutablePointer<UInt16>
  public let rows: Int
  public let columns: Int
  /// Elements from one stored row to the next.
  public let stride: Int
  /// Whether the stored matrix is `columns` × `rows`.
  public let isTransposed: Bool
  /// Stored rows that are there in memory: those of the matrix, then rows of zeros.
  let storedRows: Int

  private init(
    base: UnsafeMutablePointer<UInt16>, rows: Int, columns: Int, stride: Int, isTransposed: Bool,
    storedRows: Int
  ) {
    self.base = base
    self.rows = rows
    self.columns = columns
    self.stride = stride
    self.isTransposed = isTransposed
    self.storedRows = storedRows
  }

  public init(_ base: UnsafeMutablePointer<UInt16>, rows: Int, columns: Int) {
    self.init(
      base: base, rows: rows, columns: columns, stride: columns, isTransposed: false,
      storedRows: rows)
  }

  /// Writes scale · x, rounded to the nearest bfloat16 (ties to even), to `memory`, which has room
  /// for `count(x)` elements. A transposed view stays one.
  public init(
    rounding x: MatrixView, scale: Float = 1, into memory: UnsafeMutablePointer<UInt16>
  ) {
    let (rows, columns) = x.isTransposed ? (x.columns, x.rows) : (x.rows, x.columns)
    ks_round_to_bfloat16(x.base, x.stride, memory, scale, rows, columns)
    let storedRows = Self.padded(rows)
    (memory + rows * columns).update(repeating: 0, count: (storedRows - rows) * columns)
    self.init(
      base: memory, rows: x.rows, columns: x.columns, stride: columns,
      isTransposed: x.isTransposed, storedRows: storedRows)
  }

  /// The elements that x takes when it is rounded: its rows are padded with zeros, so that products
  /// over many numbers of rows are of few shapes.
  public static func count(_ x: MatrixView) -> Int {
    x.isTransposed ? padded(x.columns) * x.rows : padded(x.rows) * x.columns
  }

  static func padded(_ rows: Int) -> Int { (rows + 63) / 64 * 64 }

  /// The same memory with rows and columns exchanged.
  public var transposed: BFloat16View {
    BFloat16View(
      base: base, rows: columns, columns: rows, stride: stride, isTransposed: !isTransposed,
      storedRows: storedRows)
  }

  /// The block of the given columns. Precondition: they lie inside, the view is not transposed.
  public func columns(_ range: Range<Int>) -> BFloat16View {
    precondition(
      !isTransposed && 0 <= range.lowerBound && range.upperBound <= columns,
      "columns \(range) do not lie in a matrix of \(rows) × \(columns)")
    return BFloat16View(
      base: base + range.lowerBound, rows: rows, columns: range.count, stride: stride,
      isTransposed: false, storedRows: storedRows)
  }

  /// Writes the elements in single precision to `memory`, in rows of the stored matrix.
  func widened(into memory: UnsafeMutablePointer<Float>) -> MatrixView {
    let (storedRows, storedColumns) = isTransposed ? (columns, rows) : (rows, columns)
    ks_widen_bfloat16(base, stride, memory, storedRows, storedColumns)
    let view = MatrixView(memory, rows: storedRows, columns: storedColumns)
    return isTransposed ? view.transposed : view
  }
}
