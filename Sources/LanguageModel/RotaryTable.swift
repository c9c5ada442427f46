import CKernels
import Checkpoints
import LinearAlgebra

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// The cosines and sines of the rotary position embedding (Su et al., 2104.09864), by position and
/// frequency.
///
/// Both tables are [positions, d / 2] for a head of d dimensions whose two halves are the
/// coordinates that turn. Frequencies and angles are taken in single precision, as Transformers
/// takes them.
struct RotaryTable: Sendable {
  let cosines: FloatBuffer
  let sines: FloatBuffer
  let headDimension: Int

  init(_ configuration: ModelConfiguration, positions: Int) {
    let frequencies = Self.frequencies(configuration)
    headDimension = configuration.headDimension
    cosines = FloatBuffer(count: positions * frequencies.count)
    sines = FloatBuffer(count: positions * frequencies.count)
    for position in 0..<positions {
      for (j, frequency) in frequencies.enumerated() {
        let angle = Float(position) * frequency
        cosines.base[position * frequencies.count + j] = cosf(angle)
        sines.base[position * frequencies.count + j] = sinf(angle)
      }
    }
  }

  /// Radians a position for each pair of coordinates: θ^(-2j/d), scaled as the configuration says.
  static func frequencies(_ configuration: ModelConfiguration) -> [Float] {
    let d = configuration.headDimension
    let plain = (0..<d / 2).map { j in
      1 / powf(Float(configuration.ropeTheta), Float(2 * j) / Float(d))
    }
    switch configuration.ropeScaling {
    case nil: return plain
    case .linear(let factor): return plain.map { $0 / Float(factor) }
    case .llama3(let factor, let low, let high, let original):
      // Long waves are stretched by the factor, short ones kept, those between blended (Llama 3.1's
      // reference code).
      return plain.map { frequency in
        let wavelength = 2 * Float.pi / frequency
        if wavelength < Float(original) / Float(high) { return frequency }
        if wavelength > Float(original) / Float(low) { return frequency / Float(factor) }
        let smooth = (Float(original) / wavelength - Float(low)) / (Float(high) - Float(low))
        return (1 - smooth) * frequency / Float(factor) + smooth * frequency
      }
    }
  }
}

extension RotaryTable {
  /// Turns the first `heads` heads of each row of `x` by the angle of the row's position.
  func rotate(_ x: MatrixView, heads: Int, _ positions: [Int32]) {
    turn(x, heads: heads, positions, sign: 1)
  }

  /// The backward of `rotate`: turns them back.
  func rotateBack(_ x: MatrixView, heads: Int, _ positions: [Int32]) {
    turn(x, heads: heads, positions, sign: -1)
  }

  private func turn(_ x: MatrixView, heads: Int, _ positions: [Int32], sign: Float) {
    precondition(positions.count == x.rows)
    ks_rotate(
      x.base, x.stride, positions, cosines.base, sines.base, sign, x.rows, heads, headDimension)
  }
}
