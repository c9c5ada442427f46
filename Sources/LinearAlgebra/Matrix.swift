/// A scalar that LAPACK has routines for: `Float` or `Double`.
public protocol LAPACKScalar: BinaryFloatingPoint, Sendable {
  static func gemm(
    _ transposeA: Bool, _ transposeB: Bool, _ m: Int32, _ n: Int32, _ k: Int32, _ a: [Self],
    _ lda: Int32, _ b: [Self],
    _ ldb: Int32, _ c: inout [Self])
  static func gesdd(
    _ m: Int32, _ n: Int32, _ a: inout [Self], _ s: inout [Self], _ u: inout [Self],
    _ vt: inout [Self]
  ) -> Int32
  static func geqrf(_ m: Int32, _ n: Int32, _ a: inout [Self], _ tau: inout [Self]) -> Int32
  static func orgqr(_ m: Int32, _ n: Int32, _ k: Int32, _ a: inout [Self], _ tau: [Self]) -> Int32
  static func syevd(_ n: Int32, _ a: inout [Self], _ w: inout [Self]) -> Int32
  static func gelsd(
    _ m: Int32, _ n: Int32, _ nrhs: Int32, _ a: inout [Self], _ b: inout [Self], _ s: inout [Self],
    _ rcond: Self, _ rank: inout Int32
  ) -> Int32
}

/// A row-major matrix that owns its elements, for the decompositions; the decoder's hot paths work
/// on `MatrixView`s.
public struct Matrix<Scalar: LAPACKScalar>: Equatable, Sendable {
  public let rows: Int
  public let columns: Int
  /// `rows * columns` elements, row after row.
  public var elements: [Scalar]

  /// Precondition: `elements` holds `rows * columns` values.
  public init(rows: Int, columns: Int, elements: [Scalar]) {
    precondition(
      rows >= 0 && columns >= 0 && elements.count == rows * columns,
      "a matrix of \(rows) × \(columns) does not have \(elements.count) elements")
    self.rows = rows
    self.columns = columns
    self.elements = elements
  }

  public init(rows: Int, columns: Int, repeating value: Scalar = 0) {
    self.init(
      rows: rows, columns: columns, elements: Array(repeating: value, count: rows * columns))
  }

  /// Ones on the diagonal, zeros elsewhere.
  public static func identity(_ size: Int) -> Matrix {
    var result = Matrix(rows: size, columns: size)
    for i in 0..<size { result[i, i] = 1 }
    return result
  }

  public subscript(i: Int, j: Int) -> Scalar {
    get {
      precondition(
        0 <= i && i < rows && 0 <= j && j < columns,
        "no element [\(i), \(j)] in \(rows) × \(columns)")
      return elements[i * columns + j]
    }
    set {
      precondition(
        0 <= i && i < rows && 0 <= j && j < columns,
        "no element [\(i), \(j)] in \(rows) × \(columns)")
      elements[i * columns + j] = newValue
    }
  }

  public var transposed: Matrix {
    var result = Matrix(rows: columns, columns: rows)
    for i in 0..<rows { for j in 0..<columns { result[j, i] = self[i, j] } }
    return result
  }

  /// The product A B. Precondition: A has as many columns as B has rows.
  public static func * (a: Matrix, b: Matrix) -> Matrix { product(a, b) }

  /// Aᵀ B with `transposingLeft`, A Bᵀ with `transposingRight`, and so on; nothing is copied to
  /// transpose it.
  public static func product(
    _ a: Matrix, transposingLeft: Bool = false, _ b: Matrix, transposingRight: Bool = false
  ) -> Matrix {
    let (m, k) = transposingLeft ? (a.columns, a.rows) : (a.rows, a.columns)
    let (inner, n) = transposingRight ? (b.columns, b.rows) : (b.rows, b.columns)
    precondition(k == inner, "cannot multiply \(m) × \(k) by \(inner) × \(n)")
    var c = Matrix(rows: m, columns: n)
    guard m > 0, n > 0, k > 0 else { return c }
    Scalar.gemm(
      transposingLeft, transposingRight, Int32(m), Int32(n), Int32(k), a.elements, Int32(a.columns),
      b.elements,
      Int32(b.columns), &c.elements)
    return c
  }
}

/// A LAPACK routine that gave no result.
public struct LAPACKError: Error, CustomStringConvertible {
  public let routine: String
  /// LAPACK's `info`: below zero, the number of the argument that was wrong (or not finite);
  /// above, where it stopped.
  public let info: Int

  public var description: String {
    info < 0
      ? "\(routine): argument \(-info) is wrong or holds a value that is not finite"
      : "\(routine): no convergence (info \(info))"
  }

  static func check(_ routine: String, _ info: Int32) throws {
    if info != 0 { throw LAPACKError(routine: routine, info: Int(info)) }
  }

  /// LAPACKE itself looks for NaNs alone, where it was built to, and an infinity comes back as
  /// numbers that mean nothing.
  static func requireFinite<Scalar: LAPACKScalar>(
    _ routine: String, argument: Int, _ elements: some Sequence<Scalar>
  ) throws {
    if !elements.allSatisfy(\.isFinite) { throw LAPACKError(routine: routine, info: -argument) }
  }
}
