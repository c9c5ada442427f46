import LinearAlgebra
import Randomness
import TestSupport
import Testing

/// Products of views and of matrices, against sums in Double.
///
/// A sum of k products of floats, in any order, is off by at most (k + 1) u Σ |terms|, u = 2⁻²⁴;
/// scaling it and adding it to what was there are two roundings more.
@Suite struct ProductTests {
  static let shapes: [[Int]] = [
    [1, 1, 1], [1, 17, 5], [16, 1, 16], [17, 33, 9], [3, 576, 2], [97, 15, 64], [40, 40, 40],
  ]

  @Test(
    "A product of blocks is the sum of products, in all transposes, scaled and added",
    arguments: shapes, [(false, false), (false, true), (true, false), (true, true)])
  func blocks(shape: [Int], transposes: (left: Bool, right: Bool)) {
    let (m, k, n) = (shape[0], shape[1], shape[2])
    var generator = SeededGenerator(seed: UInt64(m + k + n))
    let a = Block(transposes.left ? (k, m) : (m, k), &generator)
    let b = Block(transposes.right ? (n, k) : (k, n), &generator)
    defer { withExtendedLifetime((a, b)) {} }
    let left = transposes.left ? a.view.transposed : a.view
    let right = transposes.right ? b.view.transposed : b.view
    for (scale, adding) in [(1, false), (1, true), (-0.5, false), (-0.5, true)] as [(Float, Bool)] {
      let c = Block((m, n), &generator)
      defer { withExtendedLifetime(c) {} }
      let before = c.floats
      // What a product overwrites may be anything, were it not a number.
      if !adding { for i in 0..<m { for j in 0..<n { c.view[i, j] = .nan } } }
      multiply(left, right, into: c.view, scale: scale, adding: adding)
      var worst = 0.0
      for i in 0..<m {
        for j in 0..<n {
          let terms = (0..<k).map { Double(left[i, $0]) * Double(right[$0, j]) * Double(scale) }
          let start = adding ? Double(before[c.index(i, j)]) : 0
          let magnitude = terms.reduce(abs(start)) { $0 + abs($1) }
          let expected = terms.reduce(start, +)
          worst.meet(abs(Double(c.view[i, j]) - expected) / (Double(k + 3) * 0x1p-24 * magnitude))
        }
      }
      #expect(worst <= 1)
      #expect(c.isUntouchedOutside(comparedWith: before))
    }
  }

  @Test("An empty inner dimension gives zero, or leaves what it is added to")
  func emptyInner() {
    var generator = SeededGenerator(seed: 1)
    let (a, b, c) = (
      Block((3, 0), &generator), Block((0, 5), &generator), Block((3, 5), &generator)
    )
    defer { withExtendedLifetime((a, b, c)) {} }
    let before = c.floats
    multiply(a.view, b.view, into: c.view, adding: true)
    #expect(c.floats == before)
    multiply(a.view, b.view, into: c.view)
    for i in 0..<3 { for j in 0..<5 { #expect(c.view[i, j] == 0) } }
    #expect(c.isUntouchedOutside(comparedWith: before))
  }

  @Test("A product without rows or columns does nothing")
  func emptyOuter() {
    var generator = SeededGenerator(seed: 1)
    for (m, n) in [(0, 4), (4, 0), (0, 0)] {
      let blocks = [(m, 3), (3, n), (m, n)].map { Block($0, &generator) }
      let before = blocks[2].floats
      multiply(blocks[0].view, blocks[1].view, into: blocks[2].view)
      #expect(blocks[2].floats == before)
      withExtendedLifetime(blocks) {}
    }
  }

  @Test("Views see their buffer: rows, columns, blocks and transposes")
  func views() {
    let buffer = FloatBuffer(count: 24)
    let copy = FloatBuffer(count: 24)
    defer { withExtendedLifetime((buffer, copy)) {} }
    #expect(buffer.floats.allSatisfy { $0 == 0 })
    for i in 0..<24 { buffer.base[i] = Float(i) }
    let matrix = buffer.matrix(rows: 4, columns: 5, at: 4)
    #expect(matrix[2, 3] == 17 && matrix.transposed[3, 2] == 17)
    #expect(matrix.rows(1..<3)[1, 0] == 14 && matrix.columns(2..<4)[1, 1] == 12)
    let block = matrix.block(rows: 1..<4, columns: 1..<3)
    #expect(block.row(2)[1] == 21)
    #expect(block.transposed.transposed.row(0)[0] == 10)
    block.setZero()
    #expect(buffer.floats.count { $0 == 0 } == 7)
    copy.copy(from: buffer)
    #expect(Array(copy.floats) == Array(buffer.floats))
    copy.setZero()
    #expect(copy.floats.allSatisfy { $0 == 0 })
  }

  @Test("Matrix products in all transposes, Float", arguments: shapes)
  func matrices(shape: [Int]) { expectProducts(shape, Float.self) }

  @Test("Matrix products in all transposes, Double", arguments: shapes)
  func doubleMatrices(shape: [Int]) { expectProducts(shape, Double.self) }

  private func expectProducts<Scalar: LAPACKScalar>(_ shape: [Int], _: Scalar.Type) {
    let (m, k, n) = (shape[0], shape[1], shape[2])
    var generator = SeededGenerator(seed: UInt64(m * k * n))
    let a: Matrix<Scalar> = .random(m, k, &generator)
    let b: Matrix<Scalar> = .random(k, n, &generator)
    let unit = Double(Scalar.ulpOfOne) / 2
    for product in [
      a * b, .product(a.transposed, transposingLeft: true, b),
      .product(a, b.transposed, transposingRight: true),
      .product(a.transposed, transposingLeft: true, b.transposed, transposingRight: true),
    ] {
      #expect(product.rows == m && product.columns == n)
      var worst = 0.0
      for i in 0..<m {
        for j in 0..<n {
          let terms = (0..<k).map { Double(a[i, $0]) * Double(b[$0, j]) }
          let magnitude = terms.reduce(0) { $0 + abs($1) }
          // The reference's own sum is in Double too.
          let error = abs(Double(product[i, j]) - terms.reduce(0, +))
          worst.meet(error / (Double(2 * k + 2) * unit * magnitude))
        }
      }
      #expect(worst <= 1)
    }
  }

  @Test("Matrix products of empty shapes are zeros")
  func emptyMatrices() {
    let product = Matrix<Float>(rows: 2, columns: 0) * Matrix<Float>(rows: 0, columns: 3)
    #expect(product == Matrix(rows: 2, columns: 3))
    #expect(Matrix<Double>(rows: 0, columns: 4).transposed == Matrix(rows: 4, columns: 0))
    #expect(Matrix<Float>.identity(3) * .identity(3) == .identity(3))
  }
}

/// A block in the middle of a larger random matrix; it outlives what is done with its view.
private struct Block {
  let buffer: FloatBuffer
  let view: MatrixView
  private let stride: Int

  init(_ shape: (rows: Int, columns: Int), _ generator: inout SeededGenerator) {
    stride = shape.columns + 5
    buffer = FloatBuffer(count: (shape.rows + 3) * stride)
    for i in 0..<buffer.count { buffer.base[i] = Float(generator.normal()) }
    view = buffer.matrix(rows: shape.rows + 3, columns: stride)
      .block(rows: 2..<2 + shape.rows, columns: 3..<3 + shape.columns)
  }

  var floats: [Float] { (0..<buffer.count).map { buffer.base[$0] } }

  func index(_ i: Int, _ j: Int) -> Int { (i + 2) * stride + j + 3 }

  func isUntouchedOutside(comparedWith before: [Float]) -> Bool {
    let floats = floats
    let inside = Set((0..<view.rows).flatMap { i in (0..<view.columns).map { index(i, $0) } })
    return before.indices.allSatisfy { inside.contains($0) || floats[$0] == before[$0] }
  }
}

extension Matrix {
  /// Normal numbers.
  static func random(_ rows: Int, _ columns: Int, _ generator: inout SeededGenerator) -> Matrix {
    Matrix(
      rows: rows, columns: columns,
      elements: (0..<rows * columns).map { _ in Scalar(generator.normal()) })
  }
}

extension Double {
  /// Rises to `error`, and to infinity where that is not a number.
  fileprivate mutating func meet(_ error: Double) {
    self = error.isNaN ? .infinity : max(self, error)
  }
}
