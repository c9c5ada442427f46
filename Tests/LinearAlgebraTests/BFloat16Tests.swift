import LinearAlgebra
import Randomness
import Testing

@Suite struct BFloat16Tests {
  @Test(
    "rounding takes the nearest bfloat16, of two equally near ones the even",
    arguments: [
      (1, 0x3F80), (-2, 0xC000), (0, 0), (-0.0, 0x8000),
      // 1 + 2^-8 lies between 1 and 1 + 2^-7; 1 + 3 · 2^-8 between 1 + 2^-7 and 1 + 2^-6.
      (1.00390625, 0x3F80), (1.01171875, 0x3F82), (1.0039065, 0x3F81), (0.99609375, 0x3F7F),
      (.greatestFiniteMagnitude, 0x7F80), (.infinity, 0x7F80), (-.infinity, 0xFF80),
      (.leastNonzeroMagnitude, 0), (0x1p-133, 1),
    ] as [(Float, UInt16)])
  func rounding(value: Float, bits: UInt16) {
    #expect(rounded(value) == bits)
  }

  @Test("a not-a-number stays one")
  func notANumber() {
    for bits: UInt32 in [0x7F80_0001, 0x7FFF_FFFF, 0xFF80_0001] {
      let result = UInt32(rounded(Float(bitPattern: bits))) << 16
      #expect(Float(bitPattern: result).isNaN)
    }
  }

  private func rounded(_ value: Float) -> UInt16 {
    let buffer = FloatBuffer(count: 1)
    buffer.floats[0] = value
    let matrix = BFloat16Matrix(rounding: buffer.matrix(rows: 1, columns: 1))
    return withExtendedLifetime((buffer, matrix)) { matrix.view.base[0] }
  }

  struct Shape: CustomTestStringConvertible {
    var m, n, k: Int
    var testDescription: String { "\(m) × \(k) by \(k) × \(n)" }
  }

  /// Every backend against sums in double precision of the rounded operands.
  ///
  /// A sum of k products in single precision is off by at most k 2^-24 Σ |a b|, and adding to C by one
  /// more rounding.
  @Test(
    "a product equals the sum of the products of rounded operands, of every backend that is there",
    arguments: BFloat16Backend.allCases.filter(\.isAvailable),
    [
      Shape(m: 1, n: 1, k: 1), Shape(m: 5, n: 7, k: 3), Shape(m: 33, n: 65, k: 70),
      Shape(m: 3, n: 130, k: 129),
    ])
  func products(backend: BFloat16Backend, shape: Shape) {
    var random = SeededGenerator(seed: 5, stream: "products")
    let (m, n, k) = (shape.m, shape.n, shape.k)
    let products = BFloat16Products(backend)
    for (aIsTransposed, bIsTransposed) in [
      (false, false), (false, true), (true, false), (true, true),
    ] {
      for isAdding in [false, true] {
        // Rows lie further apart than they are long.
        func matrix(_ rows: Int, _ columns: Int) -> (FloatBuffer, MatrixView) {
          let buffer = FloatBuffer(count: rows * (columns + 3))
          for i in buffer.floats.indices { buffer.floats[i] = Float(random.normal()) }
          return (
            buffer, MatrixView(buffer.base, rows: rows, columns: columns, stride: columns + 3)
          )
        }
        let a = aIsTransposed ? matrix(k, m) : matrix(m, k)
        let b = bIsTransposed ? matrix(n, k) : matrix(k, n)
        let (left, right) = (
          aIsTransposed ? a.1.transposed : a.1, bIsTransposed ? b.1.transposed : b.1
        )
        let (leftRounded, rightRounded) = (
          BFloat16Matrix(rounding: left), BFloat16Matrix(rounding: right)
        )
        let packed = PackedBFloat16(rightRounded, for: backend)
        let start = matrix(m, n)
        for isPacked in [false, true] {
          let c = matrix(m, n)
          for i in 0..<m { c.1.row(i).update(from: start.1.row(i), count: n) }
          if isPacked {
            products.multiply(leftRounded.view, packed, into: c.1, adding: isAdding)
          } else {
            products.multiply(leftRounded.view, rightRounded.view, into: c.1, adding: isAdding)
          }
          for i in 0..<m {
            for j in 0..<n {
              var (sum, size) = (0.0, 0.0)
              for l in 0..<k {
                let term = Double(nearest(left[i, l])) * Double(nearest(right[l, j]))
                sum += term
                size += abs(term)
              }
              if isAdding { sum += Double(start.1[i, j]) }
              let bound = Double(k) * 0x1p-24 * size + 0x1p-23 * (abs(sum) + size)
              #expect(abs(Double(c.1[i, j]) - sum) <= bound)
            }
          }
          withExtendedLifetime(c.0) {}
        }
        withExtendedLifetime((a.0, b.0, start.0, leftRounded, rightRounded)) {}
      }
    }
  }

  /// The nearest bfloat16, of two equally near ones the even; the plain version.
  private func nearest(_ x: Float) -> Float {
    let below = x.bitPattern & 0xFFFF_0000
    let rest = x.bitPattern & 0xFFFF
    let isOdd = below & 0x1_0000 != 0
    return Float(bitPattern: rest > 0x8000 || rest == 0x8000 && isOdd ? below + 0x1_0000 : below)
  }

  @Test("an empty inner dimension gives zero, or with adding what was there")
  func empty() {
    for backend in BFloat16Backend.allCases where backend.isAvailable {
      let (c, none) = (FloatBuffer(count: 6), FloatBuffer(count: 0))
      c.base.update(repeating: 3, count: 6)
      let a = BFloat16Matrix(rounding: none.matrix(rows: 2, columns: 0))
      let b = BFloat16Matrix(rounding: none.matrix(rows: 0, columns: 3))
      withExtendedLifetime((a, b, c, none)) {
        let view = c.matrix(rows: 2, columns: 3)
        BFloat16Products(backend).multiply(a.view, b.view, into: view, adding: true)
        #expect(c.floats.allSatisfy { $0 == 3 })
        BFloat16Products(backend).multiply(a.view, b.view, into: view)
        #expect(c.floats.allSatisfy { $0 == 0 })
      }
    }
  }
}
