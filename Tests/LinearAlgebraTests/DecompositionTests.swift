import LinearAlgebra
import Randomness
import TestSupport
import Testing

/// What each decomposition must give back, in Float and in Double.
///
/// LAPACK's are backward stable: their residuals are a small multiple of max(rows, columns) times
/// the machine's precision times the matrix's norm; here that multiple is 10.
@Suite struct DecompositionTests {
  @Test(
    "Float decompositions of tall, wide, square and rank-deficient matrices", arguments: Case.all)
  func float(_ shape: Case) throws { try expectDecompositions(shape, Float.self) }

  @Test(
    "Double decompositions of tall, wide, square and rank-deficient matrices", arguments: Case.all)
  func double(_ shape: Case) throws { try expectDecompositions(shape, Double.self) }

  struct Case: CustomTestStringConvertible {
    var rows, columns, rank: Int
    var testDescription: String { "\(rows) × \(columns) of rank \(rank)" }

    static let all = [
      (1, 1, 1), (1, 1, 0), (7, 1, 1), (1, 7, 1), (5, 5, 5), (5, 5, 2), (30, 8, 8), (30, 8, 3),
      (8, 30, 8), (8, 30, 3), (64, 64, 20), (100, 60, 59),
    ].map { Case(rows: $0.0, columns: $0.1, rank: $0.2) }
  }

  private func expectDecompositions<Scalar: LAPACKScalar>(_ c: Case, _: Scalar.Type) throws {
    var generator = SeededGenerator(seed: UInt64(c.rows * 1000 + c.columns * 10 + c.rank))
    let a: Matrix<Scalar> =
      c.rank == min(c.rows, c.columns)
      ? .random(c.rows, c.columns, &generator)
      : .random(c.rows, c.rank, &generator) * .random(c.rank, c.columns, &generator)
    let r = min(c.rows, c.columns)
    let relative = 10 * Double(max(c.rows, c.columns)) * Double(Scalar.ulpOfOne)
    let tolerance = relative * a.norm

    let (u, values, vTransposed) = try a.singularValueDecomposition()
    #expect(u.rows == c.rows && u.columns == r && values.count == r)
    #expect(vTransposed.rows == r && vTransposed.columns == c.columns)
    #expect(
      zip(values, values.dropFirst()).allSatisfy { $0 >= $1 } && values.allSatisfy { $0 >= 0 })
    #expect(values.count { Double($0) > tolerance } == c.rank)
    expectOrthonormalColumns(u, relative)
    expectOrthonormalColumns(vTransposed.transposed, relative)
    var scaled = u
    for i in 0..<c.rows { for j in 0..<r { scaled[i, j] *= values[j] } }
    expectEqual(scaled * vTransposed, a, tolerance)

    let (q, triangle) = try a.qrDecomposition()
    #expect(q.rows == c.rows && q.columns == r)
    #expect(triangle.rows == r && triangle.columns == c.columns)
    expectOrthonormalColumns(q, relative)
    for i in 0..<r { for j in 0..<min(i, c.columns) { #expect(triangle[i, j] == 0) } }
    expectEqual(q * triangle, a, tolerance)

    // A Aᵀ has the squares of A's singular values.
    let symmetric: Matrix<Scalar> = .product(a, a, transposingRight: true)
    let (eigenvalues, vectors) = try symmetric.symmetricEigendecomposition()
    let symmetricTolerance = relative * symmetric.norm
    #expect(zip(eigenvalues, eigenvalues.dropFirst()).allSatisfy { $0 <= $1 })
    for (eigenvalue, value) in zip(eigenvalues.reversed(), values) {
      #expect(abs(Double(eigenvalue) - Double(value) * Double(value)) <= symmetricTolerance)
    }
    expectOrthonormalColumns(vectors, relative)
    var turned = vectors
    for i in 0..<c.rows { for j in 0..<c.rows { turned[i, j] *= eigenvalues[j] } }
    expectEqual(symmetric * vectors, turned, symmetricTolerance)

    try expectLeastSquares(a, c, relative, &generator)
  }

  /// The residual is orthogonal to A's columns, and the solution to A's null space.
  private func expectLeastSquares<Scalar: LAPACKScalar>(
    _ a: Matrix<Scalar>, _ c: Case, _ relative: Double, _ generator: inout SeededGenerator
  ) throws {
    let b: Matrix<Scalar> = .random(c.rows, 3, &generator)
    let (x, rank) = try a.leastSquares(b)
    #expect(rank == c.rank)
    #expect(x.rows == c.columns && x.columns == 3)
    let product = a * x
    var residual = b
    for i in residual.elements.indices { residual.elements[i] -= product.elements[i] }
    let normal: Matrix<Scalar> = .product(a, transposingLeft: true, residual)
    #expect(normal.norm <= relative * a.norm * (b.norm + a.norm * x.norm))
    // The right singular vectors of the rank span the row space: x is its own projection on it.
    let rows = try a.singularValueDecomposition().vTransposed
    let space = Matrix(
      rows: rank, columns: c.columns, elements: Array(rows.elements[..<(rank * c.columns)]))
    let projected: Matrix<Scalar> = .product(space, transposingLeft: true, space * x)
    expectEqual(projected, x, 100 * relative * max(x.norm, 1e-30))
  }

  @Test("A solvable system gets its solution")
  func solvable() throws {
    let a = Matrix<Double>(rows: 3, columns: 2, elements: [1, 0, 0, 2, 1, 1])
    let b = Matrix<Double>(rows: 3, columns: 1, elements: [3, 8, 7])
    let (x, rank) = try a.leastSquares(b)
    #expect(rank == 2)
    expectEqual(x, Matrix(rows: 2, columns: 1, elements: [3, 4]), 1e-14)
  }

  @Test("Empty matrices have empty decompositions")
  func empty() throws {
    for (rows, columns) in [(0, 0), (0, 3), (3, 0)] {
      let a = Matrix<Float>(rows: rows, columns: columns)
      #expect(try a.singularValueDecomposition().singularValues == [])
      #expect(try a.qrDecomposition().q == Matrix(rows: rows, columns: 0))
      #expect(try a.leastSquares(Matrix(rows: rows, columns: 2)).rank == 0)
    }
    #expect(try Matrix<Float>(rows: 0, columns: 0).symmetricEigendecomposition().eigenvalues == [])
  }

  @Test(
    "A value that is not finite is an error that names the routine",
    arguments: [Double.nan, .infinity, -.infinity])
  func notFinite(value: Double) throws {
    try expectErrors(value, Float.self)
    try expectErrors(value, Double.self)
  }

  private func expectErrors<Scalar: LAPACKScalar>(_ value: Double, _: Scalar.Type) throws {
    var generator = SeededGenerator(seed: 5)
    var broken: Matrix<Scalar> = .random(6, 6, &generator)
    let sound: Matrix<Scalar> = .random(6, 6, &generator)
    broken[1, 4] = Scalar(value)
    func error(_ body: () throws -> Void) -> LAPACKError? {
      #expect(throws: LAPACKError.self) { try body() }
    }
    #expect(error { _ = try broken.singularValueDecomposition() }?.routine == "gesdd")
    #expect(error { _ = try broken.qrDecomposition() }?.routine == "geqrf")
    #expect(error { _ = try broken.symmetricEigendecomposition() }?.routine == "syevd")
    #expect(error { _ = try broken.leastSquares(sound) }?.routine == "gelsd")
    #expect(error { _ = try sound.leastSquares(broken) }?.routine == "gelsd")
    // The lower triangle of a symmetric matrix is not read.
    _ = try broken.transposed.symmetricEigendecomposition()
  }
}

private func expectOrthonormalColumns<Scalar: LAPACKScalar>(
  _ q: Matrix<Scalar>, _ tolerance: Double, sourceLocation: SourceLocation = #_sourceLocation
) {
  expectEqual(
    .product(q, transposingLeft: true, q), .identity(q.columns),
    tolerance * Double(q.columns).squareRoot(), sourceLocation: sourceLocation)
}

/// In the Frobenius norm.
private func expectEqual<Scalar: LAPACKScalar>(
  _ found: Matrix<Scalar>, _ expected: Matrix<Scalar>, _ tolerance: Double,
  sourceLocation: SourceLocation = #_sourceLocation
) {
  #expect(
    found.rows == expected.rows && found.columns == expected.columns, sourceLocation: sourceLocation
  )
  var difference = found
  for i in difference.elements.indices { difference.elements[i] -= expected.elements[i] }
  #expect(difference.norm <= tolerance, sourceLocation: sourceLocation)
}

extension Matrix {
  /// The Frobenius norm.
  fileprivate var norm: Double {
    elements.reduce(0) { $0 + Double($1) * Double($1) }.squareRoot()
  }
}
