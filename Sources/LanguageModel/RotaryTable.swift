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
    fileprivate init(_ rotation: Rotation, positions: Int, known: Angles?) {
      let frequencies = rotation.frequencies
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
          cosines.base[position * half + j] = rotation.amplitude * cosf(angle)
          sines.base[position * half + j] = rotation.amplitude * sinf(angle)
        }
      }
    }

    /// Turns the first `heads` heads of each row of `x` by the angle of the row's position, and
    /// multiplies them by the amplitude.
    func rotate(_ x: MatrixView, heads: Int, _ positions: [Int32]) {
      turn(x, heads: heads, positions, sign: 1)
    }

    /// The backward of `rotate`: turns them back, times the amplitude.
    func rotateBack(_ x: MatrixView, heads: Int, _ positions: [Int32]) {
      turn(x, heads: heads, positions, sign: -1)
    }

    private func turn(_ x: MatrixView, heads: Int, _ positions: [Int32], sign: Float) {
      precondition(positions.count == x.rows)
      ks_rotate(
        x.base, x.stride, positions, cosines.base, sines.base, sign, x.rows, heads, headDimension)
    }
  }

  /// What the coordinates of a pair turn by.
  struct Rotation {
    /// Radians a position, by pair.
    var frequencies: [Float]
    /// Multiplies cosines and sines.
    var amplitude: Float = 1
  }

  private let rotation: Rotation
  private let maximumPositions: Int
  private let angles: Mutex<Angles>

  init(_ rotation: Rotation, maximumPositions: Int) {
    self.rotation = rotation
    self.maximumPositions = maximumPositions
    angles = Mutex(Angles(rotation, positions: 0, known: nil))
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
        angles = Angles(rotation, positions: min(grown, maximumPositions), known: angles)
      }
      return angles
    }
  }

}

/// The rotary tables of a decoder's layers.
struct RotaryTables: Sendable {
  private let global: RotaryTable
  /// Of layers with sliding-window attention, where they have another base.
  private let local: RotaryTable?
  private let configuration: ModelConfiguration

  init(_ c: ModelConfiguration) {
    configuration = c
    global = RotaryTable(.init(c), maximumPositions: c.maximumPositions)
    local = c.localRopeTheta.map {
      RotaryTable(
        .init(frequencies: RotaryTable.Rotation.frequencies($0, c.headDimension)),
        maximumPositions: c.maximumPositions)
    }
  }

  /// That of layer `index`; nil where nothing is rotated.
  func table(layer index: Int) -> RotaryTable? {
    if configuration.layersWithoutRope.contains(index) { return nil }
    return configuration.slidingLayers.contains(index) ? local ?? global : global
  }
}

extension RotaryTable.Rotation {
  /// θ^(-2j/d) for each pair j.
  static func frequencies(_ theta: Double, _ d: Int) -> [Float] {
    (0..<d / 2).map { j in 1 / powf(Float(theta), Float(2 * j) / Float(d)) }
  }

  /// That of the configuration's base, scaled as it says.
  init(_ configuration: ModelConfiguration) {
    let plain = Self.frequencies(configuration.ropeTheta, configuration.headDimension)
    frequencies = Self.scaled(plain, configuration)
    if case .yarn(_, let amplitude, _, _, _, _) = configuration.ropeScaling {
      self.amplitude = Float(amplitude)
    }
  }

  private static func scaled(_ plain: [Float], _ configuration: ModelConfiguration) -> [Float] {
    switch configuration.ropeScaling {
    case nil, .dynamic: return plain
    case .linear(let factor): return plain.map { $0 / Float(factor) }
    case .yarn(let factor, _, let fast, let slow, let positions, let truncates):
      // The pair, as a real number, that makes so many turns in the original positions.
      let d = Double(configuration.headDimension)
      func pair(_ turns: Double) -> Double {
        d * log(Double(positions) / (turns * 2 * .pi)) / (2 * log(configuration.ropeTheta))
      }
      var (low, high) = (pair(fast), pair(slow))
      if truncates { (low, high) = (low.rounded(.down), high.rounded(.up)) }
      (low, high) = (max(low, 0), min(high, d - 1))
      if low == high { high += 0.001 }
      return plain.enumerated().map { j, frequency in
        let divided = Float(min(max((Double(j) - low) / (high - low), 0), 1))
        return frequency / Float(factor) * divided + frequency * (1 - divided)
      }
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
