import Checkpoints
import LinearAlgebra
import Randomness

/// What a low-rank adapter is made of (LoRA; Hu et al., 2106.09685).
public struct LowRankConfiguration: Sendable, Hashable, Codable {
  /// r, the columns of B and the rows of A.
  public var rank: Int
  /// The update is (alpha / rank) B A.
  public var alpha: Float
  /// The probability, below 1, with which an element of the adapter's input is dropped while it is
  /// trained.
  public var dropout: Float
  public var targets: [ProjectionName]

  /// The values of EDIT: rank 64, alpha 32, dropout 0.05, on the query and value projections.
  public init(
    rank: Int = 64, alpha: Float = 32, dropout: Float = 0.05,
    targets: [ProjectionName] = [.query, .value]
  ) {
    precondition(0 <= dropout && dropout < 1, "a dropout of \(dropout)")
    self.rank = rank
    self.alpha = alpha
    self.dropout = dropout
    self.targets = targets
  }

  public var scale: Float { alpha / Float(rank) }

  /// Throws an `AdapterError` where a target is not among the projections of a model of this shape.
  func checkTargets(for model: ModelConfiguration) throws(AdapterError) {
    let known = model.projections
    for target in targets where !known.contains(target) {
      throw .unknownTarget(target, known: known)
    }
  }
}

/// Trainable low-rank updates of a decoder's projections: y = W x + (alpha / r) B A dropout(x).
///
/// One that was read from a file may leave layers out, and its projections may differ in rank and
/// scale.
///
/// Tensors have PEFT's names without its prefix: `model.layers.0.self_attn.q_proj.lora_A.weight`
/// [r, in] and `….lora_B.weight` [out, r]. Not `Sendable`: training changes them in place.
public final class LowRankAdapter {
  public let configuration: LowRankConfiguration
  public let parameters: ParameterStore
  /// The alpha of the modules where it is not the configuration's.
  let alphas: [String: Float]
  /// The shape of the model that it is for.
  let model: ModelConfiguration
  /// The factors it started from where their product was not zero and was subtracted from the model's
  /// own weights; nil for an adapter that started as zero.
  let start: ParameterStore?

  /// A starts as Kaiming-uniform noise of bound 1/√in, as PEFT starts it, and B as zero, so that
  /// the adapted model is at first the plain one.
  ///
  /// Throws an `AdapterError` where the model does not have one of the targets.
  public init(
    _ configuration: LowRankConfiguration, for model: ModelConfiguration,
    using generator: inout SeededGenerator
  ) throws(AdapterError) {
    try configuration.checkTargets(for: model)
    self.configuration = configuration
    self.model = model
    parameters = Self.emptyStore(configuration, model)
    alphas = [:]
    start = nil
    for slot in parameters.slots where slot.name.hasSuffix("lora_A.weight") {
      let bound = 1 / Double(slot.columns).squareRoot()
      let values = parameters[slot.name]
      for i in values.indices { values[i] = Float((2 * generator.uniform() - 1) * bound) }
    }
  }

  /// All zeros, to be filled from a file.
  package init(empty configuration: LowRankConfiguration, for model: ModelConfiguration) {
    self.configuration = configuration
    self.model = model
    parameters = Self.emptyStore(configuration, model)
    alphas = [:]
    start = nil
  }

  /// An adapter that begins with `parameters`, which are kept as its start.
  convenience init(
    _ configuration: LowRankConfiguration, startingFrom parameters: ParameterStore,
    for model: ModelConfiguration
  ) {
    self.init(configuration, model, parameters, start: parameters.copy())
  }

  init(
    _ configuration: LowRankConfiguration, _ model: ModelConfiguration,
    _ parameters: ParameterStore, alphas: [String: Float] = [:], start: ParameterStore? = nil
  ) {
    self.configuration = configuration
    self.model = model
    self.parameters = parameters
    self.alphas = alphas
    self.start = start
  }

  /// The same adapter in memory of its own.
  func copy() -> LowRankAdapter {
    LowRankAdapter(configuration, model, parameters.copy(), alphas: alphas, start: start)
  }

  /// r of the projection's update; nil where it has none.
  func rank(of target: ProjectionName, layer: Int) -> Int? {
    parameters.slot(Self.name(target, layer, "A", model))?.rows
  }

  /// alpha / r of the projection's update, which has rank `rank`.
  func scale(of target: ProjectionName, layer: Int, rank: Int) -> Float {
    let module = model.architecture.family.module(target, layer: layer)
    return (alphas[module] ?? configuration.alpha) / Float(rank)
  }

  /// Zeros for the configuration's projections. `ranks`: for these modules alone, with these ranks.
  static func emptyStore(
    _ configuration: LowRankConfiguration, _ model: ModelConfiguration, ranks: [String: Int]? = nil
  ) -> ParameterStore {
    var tensors: [(name: String, shape: [Int])] = []
    for layer in 0..<model.layerCount {
      for target in model.projections where configuration.targets.contains(target) {
        let module = model.architecture.family.module(target, layer: layer)
        let ofModule = ranks.map { $0[module] } ?? configuration.rank
        guard let rank = ofModule else { continue }
        let (outputs, inputs) = target.shape(model)
        tensors.append((name(target, layer, "A", model), [rank, inputs]))
        tensors.append((name(target, layer, "B", model), [outputs, rank]))
      }
    }
    return ParameterStore(tensors)
  }

  static func name(
    _ target: ProjectionName, _ layer: Int, _ side: String, _ model: ModelConfiguration
  ) -> String {
    "\(model.architecture.family.module(target, layer: layer)).lora_\(side).weight"
  }
}
