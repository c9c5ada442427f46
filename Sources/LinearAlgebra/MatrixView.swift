import COpenBLAS

/// A row-major matrix of floats in memory that somebody else owns: a block of a larger one, or a
/// buffer seen in a shape.
///
/// Row `i` starts at `base + i * stride`. `transposed` is the same memory read with rows and
/// columns exchanged; only a product's left and right side may be one. The owner must outlive the
/// view.
public struct MatrixView {
  public let base: UnsafeMutablePointer<Float>
  public let rows: Int
  public let columns: Int
  /// Floats from one stored row to the next; at least the length of a stored row.
  public let stride: Int
  /// Whether the stored matrix is `columns` × `rows`.
  public let isTransposed: Bool

  public init(_ base: UnsafeMutablePointer<Float>, rows: Int, columns: Int, stride: Int? = nil) {
    let stride = stride ?? columns
    precondition(
      rows >= 0 && columns >= 0 && stride >= columns,
      "no matrix is \(rows) × \(columns) with stride \(stride)")
    self.init(base: base, rows: rows, columns: columns, stride: stride, isTransposed: false)
  }

  private init(
    base: UnsafeMutablePointer<Float>, rows: Int, columns: Int, stride: Int, isTransposed: Bool
  ) {
    self.base = base
    self.rows = rows
    self.columns = columns
    self.stride = stride
    self.isTransposed = isTransposed
  }

  /// The same memory with rows and columns exchanged.
  public var transposed: MatrixView {
    MatrixView(
      base: base, rows: columns, columns: rows, stride: stride, isTransposed: !isTransposed)
  }

  /// The block of the given rows and columns. Precondition: the block lies inside, the view is not
  /// transposed.
  public func block(rows rowRange: Range<Int>, columns columnRange: Range<Int>) -> MatrixView {
    precondition(
      !isTransposed && 0 <= rowRange.lowerBound && rowRange.upperBound <= rows
        && 0 <= columnRange.lowerBound
        && columnRange.upperBound <= columns,
      "rows \(rowRange), columns \(columnRange) do not lie in a matrix of \(rows) × \(columns)")
    return MatrixView(
      base + rowRange.lowerBound * stride + columnRange.lowerBound, rows: rowRange.count,
      columns: columnRange.count,
      stride: stride)
  }

  public func rows(_ range: Range<Int>) -> MatrixView { block(rows: range, columns: 0..<columns) }
  public func columns(_ range: Range<Int>) -> MatrixView { block(rows: 0..<rows, columns: range) }

  /// The first float of row `i`. Precondition: the view is not transposed.
  public func row(_ i: Int) -> UnsafeMutablePointer<Float> {
    precondition(!isTransposed && 0 <= i && i < rows, "row \(i) of \(rows) rows")
    return base + i * stride
  }

  public subscript(i: Int, j: Int) -> Float {
    get { base[offset(i, j)] }
    nonmutating set { base[offset(i, j)] = newValue }
  }

  private func offset(_ i: Int, _ j: Int) -> Int {
    precondition(
      0 <= i && i < rows && 0 <= j && j < columns, "no element [\(i), \(j)] in \(rows) × \(columns)"
    )
    return isTransposed ? j * stride + i : i * stride + j
  }

  /// Writes zero everywhere. Precondition: the view is not transposed.
  public func setZero() {
    precondition(!isTransposed)
    for i in 0..<rows { (base + i * stride).update(repeating: 0, count: columns) }
  }
}

/// C ← scale · A B, or C ← C + scale · A B with `adding`.
///
/// A is m × k, B is k × n, C is m × n and overlaps neither; A and B may be transposed views. An
/// empty inner dimension gives zero.
public func multiply(
  _ a: MatrixView, _ b: MatrixView, into c: MatrixView, scale: Float = 1, adding: Bool = false
) {
  precondition(
    a.columns == b.rows && a.rows == c.rows && b.columns == c.columns && !c.isTransposed,
    "cannot write a product of \(a.rows) × \(a.columns) and \(b.rows) × \(b.columns) into \(c.rows) × \(c.columns)"
  )
  BLAS.prepare()
  guard c.rows > 0, c.columns > 0 else { return }
  guard a.columns > 0 else {
    if !adding { c.setZero() }
    return
  }
  cblas_sgemm(
    CblasRowMajor, a.isTransposed ? CblasTrans : CblasNoTrans,
    b.isTransposed ? CblasTrans : CblasNoTrans,
    Int32(c.rows), Int32(c.columns), Int32(a.columns), scale, a.base, Int32(max(a.stride, 1)),
    b.base,
    Int32(max(b.stride, 1)), adding ? 1 : 0, c.base, Int32(c.stride))
}
