import Checkpoints
import LinearAlgebra
import Randomness

/// The seven linear projections of a decoder layer, by their checkpoint names.
public enum ProjectionName: String, CaseIterable, Sendable, Codable {
  case query = "q_proj"
  case key = "k_proj"
  case value = "v_proj"
  case output = "o_proj"
  case gate = "gate_proj"
  case up = "up_proj"
  case down = "down_proj"

  /// The block of the layer that holds it, as the checkpoint names it.
  var block: String {
    switch self {
    case .query, .key, .value, .output: "self_attn"
    case .gate, .up, .down: "mlp"
    }
  }

  func weightName(layer: Int) -> String { "model.layers.\(layer).\(block).\(rawValue).weight" }
  func biasName(layer: Int) -> String { "model.layers.\(layer).\(block).\(rawValue).bias" }

  /// [out, in] in a model of this shape.
  func shape(_ c: ModelConfiguration) -> (outputs: Int, inputs: Int) {
    switch self {
    case .query: (c.headCount * c.headDimension, c.hiddenSize)
    case .key, .value: (c.keyValueHeadCount * c.headDimension, c.hiddenSize)
    case .output: (c.hiddenSize, c.headCount * c.headDimension)
    case .gate, .up: (c.intermediateSize, c.hiddenSize)
    case .down: (c.hiddenSize, c.intermediateSize)
    }
  }
}

/// What a low-rank adapter is made of (LoRA; Hu et al., 2106.09685).
public struct LowRankConfiguration: Sendable, Hashable, Codable {
  /// r, the columns of B and the rows of A.
  public var rank: Int
  /// The update is (alpha / rank) B A.
  public var alpha: Float
  /// The probability with which an element of the adapter's input is dropped while it is trained.
  public var dropout: Float
  public var targets: [ProjectionName]

  /// The values of EDIT: rank 64, alpha 32, dropout 0.05, on the query and value projections.
  public init(
    rank: Int = 64, alpha: Float = 32, dropout: Float = 0.05,
    targets: [ProjectionName] = [.query, .value]
  ) {
    self.rank = rank
    self.alpha = alpha
    self.dropout = dropout
    self.targets = targets
  }

  public var scale: Float { alpha / Float(rank) }
}

/// Trainable low-rank updates of a decoder's projections: y = W x + (alpha / r) B A dropout(x).
///
/// Tensors have PEFT's names without its prefix: `model.layers.0.self_attn.q_proj.lora_A.weight`
/// [r, in] and `….lora_B.weight` [out, r].
public final class LowRankAdapter: Sendable {
  public let configuration: LowRankConfiguration
  public let parameters: ParameterStore
  /// The factors it began with where those were not nothing, so that they were taken out of the
  /// model's own weights; nil for an adapter that began as zero.
  let start: ParameterStore?

  /// A starts as Kaiming-uniform noise of bound 1/√in, as PEFT starts it, and B as zero, so that
  /// the adapted model is at first the plain one.
  public init(
    _ configuration: LowRankConfiguration, for model: ModelConfiguration,
    using generator: inout SeededGenerator
  ) {
    self.configuration = configuration
    parameters = Self.emptyStore(configuration, model)
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
    parameters = Self.emptyStore(configuration, model)
    start = nil
  }

  /// An adapter that begins with `parameters`, which are kept as its start.
  convenience init(_ configuration: LowRankConfiguration, startingFrom parameters: ParameterStore) {
    self.init(configuration, parameters, start: parameters.copy())
  }

  private init(
    _ configuration: LowRankConfiguration, _ parameters: ParameterStore, start: ParameterStore?
  ) {
    self.configuration = configuration
    self.parameters = parameters
    self.start = start
  }

  /// The same adapter in memory of its own.
  func copy() -> LowRankAdapter {
    LowRankAdapter(configuration, parameters.copy(), start: start)
  }

  static func emptyStore(_ configuration: LowRankConfiguration, _ model: ModelConfiguration)
    -> ParameterStore
  {
    var tensors: [(name: String, shape: [Int])] = []
    for layer in 0..<model.layerCount {
      for target in ProjectionName.allCases where configuration.targets.contains(target) {
        let (outputs, inputs) = target.shape(model)
        tensors.append((name(target, layer, "A"), [configuration.rank, inputs]))
        tensors.append((name(target, layer, "B"), [outputs, configuration.rank]))
      }
    }
    return ParameterStore(tensors)
  }

  static func name(_ target: ProjectionName, _ layer: Int, _ side: String) -> String {
    "model.layers.\(layer).\(target.block).\(target.rawValue).lora_\(side).weight"
  }
}
