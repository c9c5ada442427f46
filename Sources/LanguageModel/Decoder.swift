import Checkpoints
import Files
import LinearAlgebra
import Randomness

/// The LLaMA-family decoder: RMSNorm, rotary embedding, grouped-query attention, SwiGLU, tied or
/// untied output.
///
/// Holds the parameters and, where there is one, a low-rank adapter; passes over it are
/// `DecoderPass` (training and scoring) and `Generator`. With an adapter the model's own parameters
/// are frozen.
public final class Decoder: Sendable {
  public let configuration: ModelConfiguration
  /// The model's own parameters, in the order and with the names of
  /// `ModelConfiguration.tensorShapes`.
  public let parameters: ParameterStore
  public let adapter: LowRankAdapter?
  let layers: [DecoderLayer]
  let rotary: RotaryTable
  let embedding: MatrixView
  let finalNorm: ParameterVector
  /// The vocabulary projection [V, D]: the embedding itself where they are tied.
  let output: MatrixView
  let outputName: String

  private init(
    _ configuration: ModelConfiguration, _ parameters: ParameterStore, _ adapter: LowRankAdapter?,
    rotary: RotaryTable? = nil
  ) {
    self.configuration = configuration
    self.parameters = parameters
    self.adapter = adapter
    layers = (0..<configuration.layerCount).map {
      DecoderLayer($0, configuration, parameters, adapter)
    }
    self.rotary = rotary ?? RotaryTable(configuration, positions: configuration.maximumPositions)
    embedding = parameters.matrix("model.embed_tokens.weight")
    finalNorm = ParameterVector("model.norm.weight", of: parameters)
    outputName = configuration.tiesEmbeddings ? "model.embed_tokens.weight" : "lm_head.weight"
    output = parameters.matrix(outputName)
  }

  /// The tensors that training changes: the adapter's where there is one, else all of the model's.
  public var trainable: ParameterStore { adapter?.parameters ?? parameters }

  /// The same model, its parameters shared, with `adapter` on its projections; or without one.
  public func adapted(by adapter: LowRankAdapter?) -> Decoder {
    Decoder(configuration, parameters, adapter, rotary: rotary)
  }

  /// The same model with what training changes in memory of its own, to be trained apart.
  public func copy() -> Decoder {
    guard let adapter else { return Decoder(configuration, parameters.copy(), nil, rotary: rotary) }
    return adapted(by: adapter.copy())
  }

  /// x[T, D]: the embeddings of `tokens`.
  func embed(_ tokens: [Int32], into x: MatrixView) {
    for (row, token) in tokens.enumerated() {
      x.row(row).update(from: embedding.row(Int(token)), count: x.columns)
    }
  }

  // MARK: Making one

  /// How a from-scratch model's projections start.
  public enum Initialisation: String, Sendable, Codable, CaseIterable {
    /// Normal with standard deviation 0.02, as GPT-2 and LLaMA start.
    case normal
    /// Orthonormal rows or columns from a QR decomposition, times 1/√3, which gives a square
    /// projection the variance of Kaiming-uniform noise of bound 1/√in.
    case orthogonal
  }

  /// A model with random parameters: embeddings normal with standard deviation 0.02, norms one,
  /// biases zero.
  ///
  /// Throws `LAPACKError` where a QR decomposition fails.
  public static func random(
    _ configuration: ModelConfiguration, initialisation: Initialisation = .normal,
    using generator: inout SeededGenerator
  ) throws -> Decoder {
    let parameters = ParameterStore(configuration.tensorShapes)
    for slot in parameters.slots {
      let values = parameters[slot.name]
      if slot.name.hasSuffix("norm.weight") {
        values.update(repeating: 1)
      } else if slot.name.contains("_proj.weight"), initialisation == .orthogonal {
        try fillOrthogonal(values, rows: slot.rows, columns: slot.columns, using: &generator)
      } else if slot.shape.count == 2 {
        for i in values.indices { values[i] = 0.02 * Float(generator.normal()) }
      }
    }
    return Decoder(configuration, parameters, nil)
  }

  private static func fillOrthogonal(
    _ values: UnsafeMutableBufferPointer<Float>, rows: Int, columns: Int,
    using generator: inout SeededGenerator
  ) throws {
    let (long, short) = (max(rows, columns), min(rows, columns))
    let noise = Matrix<Float>(
      rows: long, columns: short,
      elements: (0..<long * short).map { _ in Float(generator.normal()) })
    let (q, r) = try noise.qrDecomposition()
    let gain = Float(1.0 / 3).squareRoot()
    for i in 0..<rows {
      for j in 0..<columns {
        // With R's diagonal made positive, Q is spread evenly over all orthogonal matrices
        // (Mezzadri, math-ph/0609050).
        let (row, column) = rows >= columns ? (i, j) : (j, i)
        values[i * columns + j] = gain * q[row, column] * (r[column, column] < 0 ? -1 : 1)
      }
    }
  }

  /// The model of a checkpoint, widened to single precision.
  ///
  /// Throws `FileError` for a tensor that is missing, of another shape, or damaged.
  public convenience init(_ checkpoint: Checkpoint) throws {
    let parameters = ParameterStore(checkpoint.configuration.tensorShapes)
    try parallel(parameters.slots.count) { index in
      let slot = parameters.slots[index]
      try checkpoint.read(slot.name, into: parameters[slot.name])
    }
    self.init(checkpoint.configuration, parameters, nil)
  }

  /// A model of this shape with the given parameters. Precondition: they are laid out as
  /// `tensorShapes` says.
  package convenience init(_ configuration: ModelConfiguration, parameters: ParameterStore) {
    self.init(configuration, parameters, nil)
  }
}
