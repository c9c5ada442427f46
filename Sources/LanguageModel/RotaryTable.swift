import CKernels
import Checkpoints
import LinearAlgebra
import Synchronization

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// The cosines and sines of the rotary position embedding (Su et al., 2104.09864), by position and
/// frequency, computed up to the longest sequence that has been asked for.
///
/// Frequencies and angles are taken in single precision, as Transformers takes them.
final class RotaryTable: Sendable {
  /// The angles of the first positions: tables of [positions, d / 2] for a head of d dimensions
  /// whose two halves are the coordinates that turn.
  ///
  /// `Sendable` because nothing writes to the tables after `init`.
  final class Angles: Sendable {
    let positions: Int
    let headDimension: Int
    nonisolated(unsafe) private let cosines: FloatBuffer
    nonisolated(unsafe) private let sines: FloatBuffer

    /// Those of `positions` positions, of which the first are taken from `known`.
    fileprivate init(_ frequencies: [Float], positions: Int, known: Angles?) {
      let half = frequencies.count
      (cosines, sines) = (
        FloatBuffer(count: positions * half), FloatBuffer(count: positions * half)
      )
      self.positions = positions
      headDimension = 2 * half
      let first = known?.positions ?? 0
      if let known {
        cosines.base.update(from: known.cosines.base, count: first * half)
        sines.base.update(from: known.sines.base, count: first * half)
      }
      for position in first..<positions {
        for (j, frequency) in frequencies.enumerated() {
          let angle = Float(position) * frequency
          cosines.base[position * half + j] = cosf(angle)
          sines.base[position * half + j] = sinf(angle)
        }
      }
    }

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

  private let frequencies: [Float]
  private let maximumPositions: Int
  private let angles: Mutex<Angles>

  init(_ configuration: ModelConfiguration) {
    frequencies = Self.frequencies(configuration)
    maximumPositions = configuration.maximumPositions
    angles = Mutex(Angles(frequencies, positions: 0, known: nil))
  }

  /// The angles of the positions below `count`, and maybe of more.
  ///
  /// Precondition: `count` is at most the model's maximum.
  func angles(positions count: Int) -> Angles {
    precondition(count <= maximumPositions, "\(count) of \(maximumPositions) positions")
    return angles.withLock { angles in
      if angles.positions < count {
        var grown = max(angles.positions, 256)
        while grown < count { grown *= 2 }
        angles = Angles(frequencies, positions: min(grown, maximumPositions), known: angles)
      }
      return angles
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
