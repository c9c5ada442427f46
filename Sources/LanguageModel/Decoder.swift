import Checkpoints
import Files
import LinearAlgebra
import Randomness

/// A decoder of one of the families of `Architecture`: RMSNorm, rotary embedding, grouped-query
/// attention, a gated feed-forward layer, tied or untied output.
///
/// Holds the parameters and, where there is one, a low-rank adapter; passes over it are
/// `DecoderPass` (training and scoring) and `Generator`. With an adapter the model's own weights are
/// frozen.
///
/// Not `Sendable`: training changes it in place. Threads share a `FrozenDecoder`.
public final class Decoder {
  public let configuration: ModelConfiguration
  public let adapter: LowRankAdapter?
  /// The model's own weights, with the names of `ModelConfiguration.tensorShapes`.
  let weights: WeightStorage
  /// Whether nothing of it is trained, the adapter included.
  let isFrozen: Bool
  let layers: [DecoderLayer]
  let rotary: RotaryTables
  let embedding: StoredWeight
  let finalNorm: RMSNorm
  /// The vocabulary projection [V, D]: the embedding itself where they are tied.
  let output: StoredWeight

  init(
    _ c: ModelConfiguration, _ weights: WeightStorage, _ adapter: LowRankAdapter?,
    rotary: RotaryTables? = nil, isFrozen: Bool = false
  ) {
    configuration = c
    self.adapter = adapter
    self.isFrozen = isFrozen
    self.weights = weights
    // What lies under an adapter is not trained.
    let weights = adapter == nil ? weights : weights.frozen
    let rotary = rotary ?? RotaryTables(c)
    self.rotary = rotary
    layers = (0..<c.layerCount).map {
      DecoderLayer($0, c, weights, adapter, rotary.table(layer: $0))
    }
    let family = c.architecture.family
    embedding = weights.matrix(family.embeddingWeight)
    finalNorm = RMSNorm(family.finalNormWeight, weights, c)
    output = c.tiesEmbeddings ? embedding : weights.matrix(family.outputWeight)
  }

  /// The model's own weights in single precision, in the order of `ModelConfiguration.tensorShapes`.
  package var parameters: ParameterStore { weights.parameters }

  /// The tensors that training changes: the adapter's where there is one, else all of the model's; of
  /// a reader of a `FrozenDecoder`, or of a model in its checkpoint's types, none.
  public var trainable: ParameterStore {
    isFrozen || weights.isMapped && adapter == nil
      ? ParameterStore([]) : adapter?.parameters ?? weights.parameters
  }

  /// The same model, its weights shared, with `adapter` on its projections; or without one.
  public func adapted(by adapter: LowRankAdapter?) -> Decoder {
    Decoder(configuration, weights, adapter, rotary: rotary)
  }

  /// The same model with what training changes in memory of its own, to be trained separately.
  public func copy() -> Decoder {
    guard let adapter else {
      return Decoder(
        configuration, WeightStorage(trained: weights.copy(configuration)), nil, rotary: rotary)
    }
    return adapted(by: adapter.copy())
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
    let family = configuration.architecture.family
    let projections = Set(
      (0..<configuration.layerCount).flatMap { layer in
        family.projections.map { family.weight($0, layer: layer) }
      })
    for slot in parameters.slots {
      let values = parameters[slot.name]
      if slot.shape.count == 1, slot.name.hasSuffix(".weight") {
        values.update(repeating: 1 - family.normOffset)
      } else if projections.contains(slot.name), initialisation == .orthogonal {
        try fillOrthogonal(values, rows: slot.rows, columns: slot.columns, using: &generator)
      } else if slot.shape.count == 2 {
        for i in values.indices { values[i] = 0.02 * Float(generator.normal()) }
      }
    }
    return Decoder(configuration, parameters: parameters)
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

  /// How a checkpoint's matrices are kept in memory.
  public enum WeightForm: String, Sendable, Codable, CaseIterable {
    /// Expanded to single precision. All of them can be trained.
    case fp32
    /// In their files' types, mapped, and expanded next to each product. They are constant; an adapter on
    /// them can be trained.
    case stored
  }

  /// The model of a checkpoint.
  ///
  /// Throws `FileError` for a tensor that is missing, of another shape, or damaged, and for numbers that are not finite.
  public convenience init(_ checkpoint: Checkpoint, weights form: WeightForm = .fp32) throws {
    let shapes = checkpoint.configuration.tensorShapes
    let names = shapes.map(\.name)
    let isMapped = form == .stored
    let expanded = ParameterStore(isMapped ? shapes.filter { $0.shape.count == 1 } : shapes)
    try parallel(names.count, sharing: expanded) { index, expanded in
      let tensor = try checkpoint.tensor(names[index])
      try tensor.checkFinite()
      if expanded.slot(names[index]) != nil {
        try checkpoint.read(names[index], into: expanded[names[index]])
      }
    }
    guard isMapped else {
      self.init(checkpoint.configuration, parameters: expanded)
      return
    }
    let matrices = try Dictionary(
      uniqueKeysWithValues: shapes.filter { $0.shape.count == 2 }.map {
        ($0.name, try checkpoint.tensor($0.name))
      })
    self.init(checkpoint.configuration, WeightStorage(mapped: matrices, vectors: expanded), nil)
  }

  /// A model of this shape with the given parameters. Precondition: they are laid out as
  /// `tensorShapes` says.
  package convenience init(_ configuration: ModelConfiguration, parameters: ParameterStore) {
    self.init(configuration, WeightStorage(trained: parameters), nil)
  }
}
