import COpenBLAS

extension Matrix {
  /// A = U diag(σ) Vᵀ with the min(rows, columns) largest, and only, singular values in falling
  /// order.
  ///
  /// U is rows × r, Vᵀ is r × columns. Source: LAPACK `gesdd` (divide and conquer). Throws
  /// `LAPACKError` where it does not converge or an element is not finite.
  public func singularValueDecomposition() throws -> (
    u: Matrix, singularValues: [Scalar], vTransposed: Matrix
  ) {
    let r = min(rows, columns)
    var u = Matrix(rows: rows, columns: r)
    var vTransposed = Matrix(rows: r, columns: columns)
    var singularValues = [Scalar](repeating: 0, count: r)
    guard r > 0 else { return (u, singularValues, vTransposed) }
    try LAPACKError.requireFinite("gesdd", argument: 5, elements)
    var a = elements
    try LAPACKError.check(
      "gesdd",
      Scalar.gesdd(
        Int32(rows), Int32(columns), &a, &singularValues, &u.elements, &vTransposed.elements))
    return (u, singularValues, vTransposed)
  }

  /// A = Q R, Q rows × r with orthonormal columns, R r × columns upper triangular, r = min(rows,
  /// columns).
  ///
  /// Source: LAPACK `geqrf` and `orgqr`. The signs are those of LAPACK; R's diagonal may be
  /// negative. Throws `LAPACKError` where an element is not finite.
  public func qrDecomposition() throws -> (q: Matrix, r: Matrix) {
    let k = min(rows, columns)
    var triangle = Matrix(rows: k, columns: columns)
    guard k > 0 else { return (Matrix(rows: rows, columns: 0), triangle) }
    try LAPACKError.requireFinite("geqrf", argument: 4, elements)
    var a = elements
    var tau = [Scalar](repeating: 0, count: k)
    try LAPACKError.check("geqrf", Scalar.geqrf(Int32(rows), Int32(columns), &a, &tau))
    for i in 0..<k { for j in i..<columns { triangle[i, j] = a[i * columns + j] } }
    var q = Matrix(rows: rows, columns: k)
    for i in 0..<rows { for j in 0..<k { q[i, j] = a[i * columns + j] } }
    try LAPACKError.check("orgqr", Scalar.orgqr(Int32(rows), Int32(k), Int32(k), &q.elements, tau))
    return (q, triangle)
  }

  /// The eigenvalues of a symmetric matrix in rising order, and its eigenvectors as columns.
  ///
  /// Only the upper triangle is read. Source: LAPACK `syevd`. Throws `LAPACKError` where it does not
  /// converge or an element read is not finite. Precondition: the matrix is square.
  public func symmetricEigendecomposition() throws -> (eigenvalues: [Scalar], eigenvectors: Matrix)
  {
    precondition(rows == columns, "a matrix of \(rows) × \(columns) is not symmetric")
    var vectors = self
    var values = [Scalar](repeating: 0, count: rows)
    guard rows > 0 else { return (values, vectors) }
    for i in 0..<rows {
      try LAPACKError.requireFinite(
        "syevd", argument: 5, elements[i * columns + i..<(i + 1) * columns])
    }
    try LAPACKError.check("syevd", Scalar.syevd(Int32(rows), &vectors.elements, &values))
    return (values, vectors)
  }

  /// The X of least Euclidean norm among those that make ‖A X - B‖ least, column by column, and A's
  /// rank.
  ///
  /// Singular values below max(rows, columns) times the machine's precision times the largest count
  /// as zero, as in numpy's `lstsq`: the precision alone is less than the rounding in A itself.
  /// Source: LAPACK `gelsd`. Throws `LAPACKError` where it does not converge or an element is not
  /// finite. Precondition: A and B have as many rows.
  public func leastSquares(_ b: Matrix) throws -> (solution: Matrix, rank: Int) {
    precondition(rows == b.rows, "\(rows) equations but \(b.rows) right-hand sides")
    var solution = Matrix(rows: columns, columns: b.columns)
    guard rows > 0, columns > 0, b.columns > 0 else { return (solution, 0) }
    try LAPACKError.requireFinite("gelsd", argument: 5, elements)
    try LAPACKError.requireFinite("gelsd", argument: 7, b.elements)
    var a = elements
    // The routine writes the solution over B, which must hold the larger of the two.
    var x = b.elements + [Scalar](repeating: 0, count: max(0, columns - rows) * b.columns)
    var singularValues = [Scalar](repeating: 0, count: min(rows, columns))
    var rank: Int32 = 0
    try LAPACKError.check(
      "gelsd",
      Scalar.gelsd(
        Int32(rows), Int32(columns), Int32(b.columns), &a, &x, &singularValues,
        Scalar(max(rows, columns)) * .ulpOfOne, &rank))
    solution.elements = Array(x[..<(columns * b.columns)])
    return (solution, Int(rank))
  }
}

extension Float: LAPACKScalar {
  public static func gemm(
    _ ta: Bool, _ tb: Bool, _ m: Int32, _ n: Int32, _ k: Int32, _ a: [Float], _ lda: Int32,
    _ b: [Float], _ ldb: Int32,
    _ c: inout [Float]
  ) {
    BLAS.prepare()
    cblas_sgemm(
      CblasRowMajor, ta ? CblasTrans : CblasNoTrans, tb ? CblasTrans : CblasNoTrans, m, n, k, 1, a,
      lda, b, ldb, 0, &c,
      n)
  }
  public static func gesdd(
    _ m: Int32, _ n: Int32, _ a: inout [Float], _ s: inout [Float], _ u: inout [Float],
    _ vt: inout [Float]
  ) -> Int32 {
    BLAS.prepare()
    return LAPACKE_sgesdd(
      LAPACK_ROW_MAJOR, Int8(UInt8(ascii: "S")), m, n, &a, n, &s, &u, min(m, n), &vt, n)
  }
  public static func geqrf(_ m: Int32, _ n: Int32, _ a: inout [Float], _ tau: inout [Float])
    -> Int32
  {
    BLAS.prepare()
    return LAPACKE_sgeqrf(LAPACK_ROW_MAJOR, m, n, &a, n, &tau)
  }
  public static func orgqr(_ m: Int32, _ n: Int32, _ k: Int32, _ a: inout [Float], _ tau: [Float])
    -> Int32
  {
    BLAS.prepare()
    return LAPACKE_sorgqr(LAPACK_ROW_MAJOR, m, n, k, &a, n, tau)
  }
  public static func syevd(_ n: Int32, _ a: inout [Float], _ w: inout [Float]) -> Int32 {
    BLAS.prepare()
    return LAPACKE_ssyevd(
      LAPACK_ROW_MAJOR, Int8(UInt8(ascii: "V")), Int8(UInt8(ascii: "U")), n, &a, n, &w)
  }
  public static func gelsd(
    _ m: Int32, _ n: Int32, _ nrhs: Int32, _ a: inout [Float], _ b: inout [Float],
    _ s: inout [Float], _ rcond: Float, _ rank: inout Int32
  ) -> Int32 {
    BLAS.prepare()
    return LAPACKE_sgelsd(LAPACK_ROW_MAJOR, m, n, nrhs, &a, n, &b, nrhs, &s, rcond, &rank)
  }
}

extension Double: LAPACKScalar {
  public static func gemm(
    _ ta: Bool, _ tb: Bool, _ m: Int32, _ n: Int32, _ k: Int32, _ a: [Double], _ lda: Int32,
    _ b: [Double],
    _ ldb: Int32, _ c: inout [Double]
  ) {
    BLAS.prepare()
    cblas_dgemm(
      CblasRowMajor, ta ? CblasTrans : CblasNoTrans, tb ? CblasTrans : CblasNoTrans, m, n, k, 1, a,
      lda, b, ldb, 0, &c,
      n)
  }
  public static func gesdd(
    _ m: Int32, _ n: Int32, _ a: inout [Double], _ s: inout [Double], _ u: inout [Double],
    _ vt: inout [Double]
  ) -> Int32 {
    BLAS.prepare()
    return LAPACKE_dgesdd(
      LAPACK_ROW_MAJOR, Int8(UInt8(ascii: "S")), m, n, &a, n, &s, &u, min(m, n), &vt, n)
  }
  public static func geqrf(_ m: Int32, _ n: Int32, _ a: inout [Double], _ tau: inout [Double])
    -> Int32
  {
    BLAS.prepare()
    return LAPACKE_dgeqrf(LAPACK_ROW_MAJOR, m, n, &a, n, &tau)
  }
  public static func orgqr(_ m: Int32, _ n: Int32, _ k: Int32, _ a: inout [Double], _ tau: [Double])
    -> Int32
  {
    BLAS.prepare()
    return LAPACKE_dorgqr(LAPACK_ROW_MAJOR, m, n, k, &a, n, tau)
  }
  public static func syevd(_ n: Int32, _ a: inout [Double], _ w: inout [Double]) -> Int32 {
    BLAS.prepare()
    return LAPACKE_dsyevd(
      LAPACK_ROW_MAJOR, Int8(UInt8(ascii: "V")), Int8(UInt8(ascii: "U")), n, &a, n, &w)
  }
  public static func gelsd(
    _ m: Int32, _ n: Int32, _ nrhs: Int32, _ a: inout [Double], _ b: inout [Double],
    _ s: inout [Double], _ rcond: Double, _ rank: inout Int32
  ) -> Int32 {
    BLAS.prepare()
    return LAPACKE_dgelsd(LAPACK_ROW_MAJOR, m, n, nrhs, &a, n, &b, nrhs, &s, rcond, &rank)
  }
}
