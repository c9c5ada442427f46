import Files

/// The decoder families that share the LLaMA shape, by their `model_type` in `config.json`.
public enum Architecture: String, Codable, CaseIterable, Hashable, Sendable {
  case llama
  case mistral
  case qwen2
  case qwen3

  /// Everything that is particular to the family.
  public var family: ModelFamily {
    switch self {
    case .llama: .llama
    case .mistral: .mistral
    case .qwen2: .qwen2
    case .qwen3: .qwen3
    }
  }
}

/// The name of a tensor or module in the two file formats.
public struct TensorName: Hashable, Sendable {
  public let huggingFace: String
  public let gguf: String

  public init(_ huggingFace: String, gguf: String) {
    self.huggingFace = huggingFace
    self.gguf = gguf
  }
}

/// The linear projections of a layer, by the names that PEFT calls target modules.
public enum ProjectionName: String, CaseIterable, Sendable, Codable {
  case query = "q_proj"
  case key = "k_proj"
  case value = "v_proj"
  case output = "o_proj"
  case gate = "gate_proj"
  case up = "up_proj"
  case down = "down_proj"

  /// [out, in] in a model of this shape.
  public func shape(_ c: ModelConfiguration) -> (outputs: Int, inputs: Int) {
    switch self {
    case .query: (c.headCount * c.headDimension, c.hiddenSize)
    case .key, .value: (c.keyValueHeadCount * c.headDimension, c.hiddenSize)
    case .output: (c.hiddenSize, c.headCount * c.headDimension)
    case .gate, .up: (c.intermediateSize, c.hiddenSize)
    case .down: (c.hiddenSize, c.intermediateSize)
    }
  }
}

/// The modules of one layer, named from the layer's prefix on.
///
///     h = x + output(attention(rotate(query), rotate(key), value)), the three of attentionNorm(x)
///         (with queryNorm and keyNorm: of each head before it is rotated)
///     y = h + down(silu(gate) · up), the two of feedForwardNorm(h)
public struct LayerPlan: Sendable {
  /// What a layer's names begin with, with `#` for its index: `model.layers.#.`, `blk.#.`.
  let prefix: TensorName
  let attentionNorm: TensorName
  let query: TensorName
  let key: TensorName
  let value: TensorName
  /// RMSNorms [head dimension] of each query and key head; nil where there are none.
  let queryNorm: TensorName?
  let keyNorm: TensorName?
  let output: TensorName
  let feedForwardNorm: TensorName
  let gate: TensorName
  let up: TensorName
  let down: TensorName
  /// The projections that have a bias in every model of the family.
  let biased: [ProjectionName]

  func module(_ projection: ProjectionName) -> TensorName {
    switch projection {
    case .query: query
    case .key: key
    case .value: value
    case .output: output
    case .gate: gate
    case .up: up
    case .down: down
    }
  }

  var modules: [TensorName] {
    [attentionNorm, feedForwardNorm] + [queryNorm, keyNorm].compactMap(\.self)
      + ProjectionName.allCases.map(module)
  }
}

/// A model family as a value: its names in Transformers and GGUF, the plan of a layer, and its
/// configuration keys. A family is added in a file of its own.
public struct ModelFamily: Sendable {
  /// Where `config.json` states a sliding window.
  enum SlidingWindowKeys: Sendable {
    case none
    /// `sliding_window`, with this value where it is absent; null means no window.
    case always(absent: Int)
    /// The same, but only where `use_sliding_window` is true.
    case switched(absent: Int)
  }

  /// Its raw value is `model_type` in `config.json`.
  let architecture: Architecture
  /// The class that `architectures` in `config.json` names.
  let transformersClass: String
  /// `general.architecture` of a GGUF. Where two families have the same, the first of
  /// `Architecture.allCases` is read.
  let ggufArchitecture: String
  /// Whether llama.cpp's converter interleaves the two halves of each query and key head.
  let interleavesHeads: Bool

  let embedding: TensorName
  let finalNorm: TensorName
  let output: TensorName
  let layer: LayerPlan

  /// Whether `num_key_value_heads` may be absent from `config.json`, which then means as many as
  /// query heads. Elsewhere Transformers' default is a number, which no real checkpoint relies on.
  let mayOmitKeyValueHeads: Bool
  /// `head_dim` where `config.json` has none; nil for hidden size / heads.
  var defaultHeadDimension: Int? = nil
  let slidingWindow: SlidingWindowKeys
  /// The keys of `config.json` that give further projections a bias.
  var biasKeys: [String: [ProjectionName]] = [:]
  /// Keys of `config.json` beside those that all families have.
  let ownKeys: @Sendable (ModelConfiguration) -> [String: JSONValue]

  /// Whether `config.json` can state that these projections, and no others, have biases.
  func canState(biased: [ProjectionName]) -> Bool {
    var rest = Set(biased)
    guard rest.isSuperset(of: layer.biased) else { return false }
    rest.subtract(layer.biased)
    for projections in biasKeys.values where rest.isSuperset(of: projections) {
      rest.subtract(projections)
    }
    return rest.isEmpty
  }

  /// The keys of `config.json` that state the biases of a model.
  func biasSettings(_ c: ModelConfiguration) -> [String: JSONValue] {
    biasKeys.mapValues { .bool($0.allSatisfy(c.biasedProjections.contains)) }
  }
}

// MARK: Tensors

extension ModelFamily {
  public var embeddingWeight: String { embedding.huggingFace + ".weight" }
  public var finalNormWeight: String { finalNorm.huggingFace + ".weight" }
  public var outputWeight: String { output.huggingFace + ".weight" }

  private func name(_ module: TensorName, layer index: Int) -> String {
    layer.prefix.huggingFace.replacing("#", with: "\(index)") + module.huggingFace
  }

  /// The module's name in Hugging Face's form, such as `model.layers.0.self_attn.q_proj`.
  public func module(_ projection: ProjectionName, layer index: Int) -> String {
    name(layer.module(projection), layer: index)
  }

  public func weight(_ projection: ProjectionName, layer index: Int) -> String {
    module(projection, layer: index) + ".weight"
  }

  public func bias(_ projection: ProjectionName, layer index: Int) -> String {
    module(projection, layer: index) + ".bias"
  }

  public func attentionNormWeight(layer index: Int) -> String {
    name(layer.attentionNorm, layer: index) + ".weight"
  }

  /// Nil where the family's heads have no norm.
  public func queryNormWeight(layer index: Int) -> String? {
    layer.queryNorm.map { name($0, layer: index) + ".weight" }
  }

  /// Nil where the family's heads have no norm.
  public func keyNormWeight(layer index: Int) -> String? {
    layer.keyNorm.map { name($0, layer: index) + ".weight" }
  }

  public func feedForwardNormWeight(layer index: Int) -> String {
    name(layer.feedForwardNorm, layer: index) + ".weight"
  }

  /// The decoder's tensors by their Hugging Face names, with their row-major shapes. Those that one
  /// product computes together (key and value, gate and up) are neighbours.
  func tensorShapes(_ c: ModelConfiguration) -> [(name: String, shape: [Int])] {
    var shapes = [(embeddingWeight, [c.vocabularySize, c.hiddenSize])]
    for index in 0..<c.layerCount {
      func weights(_ projections: [ProjectionName]) -> [(String, [Int])] {
        projections.map { projection in
          let (outputs, inputs) = projection.shape(c)
          return (weight(projection, layer: index), [outputs, inputs])
        }
      }
      shapes.append((attentionNormWeight(layer: index), [c.hiddenSize]))
      shapes += weights([.query, .key, .value, .output])
      for norm in [queryNormWeight(layer: index), keyNormWeight(layer: index)] {
        if let norm { shapes.append((norm, [c.headDimension])) }
      }
      shapes.append((feedForwardNormWeight(layer: index), [c.hiddenSize]))
      shapes += weights([.gate, .up, .down])
      for projection in c.biasedProjections {
        shapes.append((bias(projection, layer: index), [projection.shape(c).outputs]))
      }
    }
    shapes.append((finalNormWeight, [c.hiddenSize]))
    if !c.tiesEmbeddings { shapes.append((outputWeight, [c.vocabularySize, c.hiddenSize])) }
    return shapes
  }

  /// Hugging Face's name of the tensor that GGUF calls `name`; nil when the family has no such
  /// tensor.
  func huggingFaceName(gguf name: String) -> String? {
    for module in [embedding, finalNorm, output] where name == module.gguf + ".weight" {
      return module.huggingFace + ".weight"
    }
    let parts = layer.prefix.gguf.split(separator: "#", omittingEmptySubsequences: false)
    guard parts.count == 2, name.hasPrefix(parts[0]) else { return nil }
    let rest = name.dropFirst(parts[0].count)
    let digits = rest.prefix { $0.isASCII && $0.isNumber }
    guard let index = Int(digits), rest.dropFirst(digits.count).hasPrefix(parts[1]) else {
      return nil
    }
    let tail = rest.dropFirst(digits.count + parts[1].count)
    for module in layer.modules where tail.hasPrefix(module.gguf + ".") {
      return self.name(module, layer: index) + tail.dropFirst(module.gguf.count)
    }
    return nil
  }

  /// The heads whose rows llama.cpp interleaved in the tensor that GGUF calls `name`; nil where
  /// they are in Hugging Face's order.
  func interleavedHeads(gguf name: String, _ c: ModelConfiguration) -> Int? {
    guard interleavesHeads else { return nil }
    if name.contains(".\(layer.query.gguf).") { return c.headCount }
    if name.contains(".\(layer.key.gguf).") { return c.keyValueHeadCount }
    return nil
  }
}
