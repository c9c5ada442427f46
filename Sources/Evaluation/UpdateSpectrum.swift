import Foundation
import LinearAlgebra

/// What training changed in a weight, ΔW [out, in], by its singular value decomposition U diag(σ) Vᵀ.
public struct UpdateSpectrum: Sendable {
  /// σ, falling: min(out, in) of them, or as many as the factors of ΔW have room for.
  public let singularValues: [Double]
  /// U [out, k], and Vᵀ [k, in].
  private let outputs: Matrix<Double>
  private let inputs: Matrix<Double>

  /// Throws a `LAPACKError` where an element is not finite.
  public init(_ update: Matrix<Double>) throws {
    (outputs, singularValues, inputs) = try update.singularValueDecomposition()
  }

  /// Of ΔW = L R, L [out, k] and R [k, in], which is not formed: with L = Q₁ R₁ and Rᵀ = Q₂ R₂ it is
  /// Q₁ (R₁ R₂ᵀ) Q₂ᵀ, and only the k × k matrix in the middle is decomposed.
  ///
  /// Throws a `LAPACKError` where an element is not finite.
  public init(left: Matrix<Double>, right: Matrix<Double>) throws {
    let (q1, r1) = try left.qrDecomposition()
    let (q2, r2) = try right.transposed.qrDecomposition()
    let middle = try UpdateSpectrum(.product(r1, r2, transposingRight: true))
    singularValues = middle.singularValues
    outputs = q1 * middle.outputs
    inputs = .product(middle.inputs, q2, transposingRight: true)
  }

  /// The Frobenius norm, √Σ σ².
  public var norm: Double { singularValues.reduce(0) { $0 + $1 * $1 }.squareRoot() }

  /// exp(-Σ p log p) with p = σ / Σ σ: 1 where all lies in one direction, n where it lies evenly in n;
  /// 0 of no change.
  ///
  /// Source: Roy and Vetterli, "The effective rank: a measure of effective dimensionality", EUSIPCO
  /// 2007.
  public var effectiveRank: Double {
    let sum = singularValues.reduce(0, +)
    guard sum > 0 else { return 0 }
    let shares = singularValues.map { $0 / sum }.filter { $0 > 0 }
    return exp(-shares.reduce(0) { $0 + $1 * log($1) })
  }

  /// ‖ΔW‖²_F / σ₁²; 0 of no change.
  ///
  /// Source: Rudelson and Vershynin, "Sampling from large matrices", JACM 54(4), 2007.
  public var stableRank: Double {
    guard let largest = singularValues.first, largest > 0 else { return 0 }
    return singularValues.reduce(0) { $0 + ($1 / largest) * ($1 / largest) }
  }

  /// How much of the space of the first n directions of both is common, among outputs and among inputs:
  /// ‖U_nᵀ U'_n‖²_F / n, from 0 to 1; n / out (or n / in) in the mean where directions are random.
  ///
  /// n is `directions`, or less where one of the two has fewer singular values above its rounding; 0
  /// of no change. Source: Hu et al., 2106.09685, section 7.2, with i = j. Precondition: both are of
  /// weights of one shape.
  public func overlap(with other: UpdateSpectrum, directions: Int) -> (
    outputs: Double, inputs: Double
  ) {
    let n = min(directions, rank, other.rank)
    guard n > 0 else { return (0, 0) }
    func share(_ cosines: Matrix<Double>) -> Double {
      var sum = 0.0
      for i in 0..<n { for j in 0..<n { sum += cosines[i, j] * cosines[i, j] } }
      // Not above 1 by rounding.
      return min(1, sum / Double(n))
    }
    return (
      share(.product(outputs, transposingLeft: true, other.outputs)),
      share(.product(inputs, other.inputs, transposingRight: true))
    )
  }

  /// How many singular values are more than rounding, as numpy's `matrix_rank` counts them.
  private var rank: Int {
    let size = Double(max(outputs.rows, inputs.columns))
    let tolerance = size * .ulpOfOne * (singularValues.first ?? 0)
    return singularValues.count { $0 > tolerance }
  }
}
