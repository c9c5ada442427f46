import Evaluation
import Foundation
import LinearAlgebra
import Randomness
import Testing

@Suite struct UpdateSpectrumTests {
  private func noise(_ rows: Int, _ columns: Int, seed: UInt64) -> Matrix<Double> {
    var generator = SeededGenerator(seed: seed)
    return Matrix(
      rows: rows, columns: columns, elements: (0..<rows * columns).map { _ in generator.normal() })
  }

  private func diagonal(_ values: [Double], rows: Int, columns: Int) -> Matrix<Double> {
    var matrix = Matrix<Double>(rows: rows, columns: columns)
    for (index, value) in values.enumerated() { matrix[index, index] = value }
    return matrix
  }

  @Test(
    "Ranks count directions as their definitions say",
    arguments: [
      // Singular values, effective rank, stable rank.
      ([1.0], 1.0, 1.0), ([2, 2, 2, 2], 4, 4), ([5, 0, 0], 1, 1), ([0, 0], 0, 0),
      // exp(-(¾ log ¾ + ¼ log ¼)) and 1 + 1/9.
      ([3, 1], 1.754_765_350_603_323_5, 10.0 / 9),
    ])
  func ranks(values: [Double], effective: Double, stable: Double) throws {
    let spectrum = try UpdateSpectrum(diagonal(values, rows: 5, columns: 4))
    #expect(abs(spectrum.effectiveRank - effective) < 1e-12)
    #expect(abs(spectrum.stableRank - stable) < 1e-12)
    #expect(abs(spectrum.norm - values.reduce(0) { $0 + $1 * $1 }.squareRoot()) < 1e-12)
  }

  @Test(
    "Factors have the spectrum of their product, whichever sizes they have",
    arguments: [(7, 3, 5), (3, 5, 4), (4, 6, 9), (6, 6, 6), (9, 1, 2)])
  func factors(outputs: Int, rank: Int, inputs: Int) throws {
    let (left, right) = (noise(outputs, rank, seed: 1), noise(rank, inputs, seed: 2))
    let factored = try UpdateSpectrum(left: left, right: right)
    let dense = try UpdateSpectrum(left * right)
    #expect(factored.singularValues.count == min(outputs, rank, inputs))
    for (found, expected) in zip(factored.singularValues, dense.singularValues) {
      #expect(abs(found - expected) < 1e-12 * dense.singularValues[0])
    }
    #expect(abs(factored.norm - dense.norm) < 1e-12 * dense.norm)
    // The same directions too.
    for directions in [1, 2, 9] {
      let overlap = factored.overlap(with: dense, directions: directions)
      #expect(overlap.outputs > 1 - 1e-10 && overlap.inputs > 1 - 1e-10)
    }
  }

  @Test("Overlap is the squared cosine of the angle between two directions, side by side")
  func angle() throws {
    let (cosine, sine) = (cos(0.7), sin(0.7))
    var turned = Matrix<Double>(rows: 4, columns: 3)
    (turned[0, 0], turned[1, 0]) = (cosine, sine)
    let first = try UpdateSpectrum(diagonal([2], rows: 4, columns: 3))
    let overlap = first.overlap(with: try UpdateSpectrum(turned), directions: 1)
    #expect(abs(overlap.outputs - cosine * cosine) < 1e-12)
    #expect(abs(overlap.inputs - 1) < 1e-12)
    // Neither has a second direction that would mean anything.
    let more = first.overlap(with: try UpdateSpectrum(turned), directions: 3)
    #expect(more.outputs == overlap.outputs && more.inputs == overlap.inputs)
  }

  @Test("Orthogonal updates have no overlap, and no change has none with anything")
  func apart() throws {
    var other = Matrix<Double>(rows: 5, columns: 5)
    (other[2, 3], other[3, 2]) = (1, 3)
    let first = try UpdateSpectrum(diagonal([2, 1], rows: 5, columns: 5))
    let overlap = first.overlap(with: try UpdateSpectrum(other), directions: 2)
    #expect(overlap.outputs < 1e-20 && overlap.inputs < 1e-20)
    let none = try UpdateSpectrum(Matrix(rows: 5, columns: 5))
    let nothing = first.overlap(with: none, directions: 2)
    #expect(nothing.outputs == 0 && nothing.inputs == 0)
  }

  @Test("Of random directions n in size of them are common")
  func chance() throws {
    let (size, directions, draws) = (40, 5, 60)
    var sum = 0.0
    for draw in 0..<draws {
      let first = try UpdateSpectrum(noise(size, size, seed: UInt64(2 * draw)))
      let second = try UpdateSpectrum(noise(size, size, seed: UInt64(2 * draw + 1)))
      sum += first.overlap(with: second, directions: directions).inputs
    }
    #expect(abs(sum / Double(draws) - Double(directions) / Double(size)) < 0.02)
  }

  @Test("A value that is not finite is an error")
  func infinite() {
    let update = Matrix(rows: 1, columns: 2, elements: [1, Double.infinity])
    #expect(throws: LAPACKError.self) { try UpdateSpectrum(update) }
    #expect(throws: LAPACKError.self) {
      try UpdateSpectrum(left: .identity(1), right: update)
    }
  }
}
