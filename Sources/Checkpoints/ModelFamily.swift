import Files

/// The decoder families, by their `model_type` in `config.json`.
public enum Architecture: String, Codable, CaseIterable, Hashable, Sendable {
  case llama
  case mistral
  case qwen2
  case qwen3
  case smollm3
  case olmo2
  case granite
  case phi3
  case gemma2
  case gemma3 = "gemma3_text"

  /// Everything that is particular to the family.
  public var family: ModelFamily {
    switch self {
    case .llama: .llama
    case .mistral: .mistral
    case .qwen2: .qwen2
    case .qwen3: .qwen3
    case .smollm3: .smollm3
    case .olmo2: .olmo2
    case .granite: .granite
    case .phi3: .phi3
    case .gemma2: .gemma2
    case .gemma3: .gemma3
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

/// The linear projections of a layer, by the names that PEFT calls target modules. A family has some
/// of them: separate ones, or fused ones in their place.
public enum ProjectionName: String, CaseIterable, Sendable, Codable {
  case query = "q_proj"
  case key = "k_proj"
  case value = "v_proj"
  case output = "o_proj"
  case gate = "gate_proj"
  case up = "up_proj"
  case down = "down_proj"
  /// Query, key and value, one below the other.
  case queryKeyValue = "qkv_proj"
  /// Gate and up, one below the other.
  case gateUp = "gate_up_proj"

  /// [out, in] in a model of this shape.
  public func shape(_ c: ModelConfiguration) -> (outputs: Int, inputs: Int) {
    let (queries, keys) = (c.headCount * c.headDimension, c.keyValueHeadCount * c.headDimension)
    return switch self {
    case .query: (queries, c.hiddenSize)
    case .key, .value: (keys, c.hiddenSize)
    case .queryKeyValue: (queries + 2 * keys, c.hiddenSize)
    case .output: (c.hiddenSize, queries)
    case .gate, .up: (c.intermediateSize, c.hiddenSize)
    case .gateUp: (2 * c.intermediateSize, c.hiddenSize)
    case .down: (c.hiddenSize, c.intermediateSize)
    }
  }

  /// The projections that lie in this one, in their order; itself where it is not fused.
  var parts: [ProjectionName] {
    switch self {
    case .queryKeyValue: [.query, .key, .value]
    case .gateUp: [.gate, .up]
    default: [self]
    }
  }
}

/// The RMSNorms that a layer can have.
public enum NormName: CaseIterable, Sendable {
  /// Of the input of attention, and of its result before the residual sum.
  case attention, postAttention
  /// Of the queries and keys before they are rotated.
  case query, key
  /// Of the input of the feed-forward layer, and of its result before the residual sum.
  case feedForward, postFeedForward
}

/// The modules of one layer, named from the layer's prefix on.
///
///     h = x + postAttention(output(attention(rotate(query), rotate(key), value))), the three of attention(x)
///     y = h + postFeedForward(down(activation(gate) · up)), the two of feedForward(h)
///
/// Norms that `norms` does not have are left out.
public struct LayerPlan: Sendable {
  /// What a layer's names begin with, with `#` for its index: `model.layers.#.`, `blk.#.`.
  let prefix: TensorName
  let norms: [NormName: TensorName]
  /// Whether the norms of queries and keys are taken over all heads of a row together; else over each
  /// head, with one weight [head dimension] for all.
  package var normsAllHeads = false
  let projections: [ProjectionName: TensorName]
  /// The projections that have a bias in every model of the family.
  let biased: [ProjectionName]

  var modules: [TensorName] { Array(norms.values) + Array(projections.values) }
}

/// A model family as a value: its names in Transformers and GGUF, the plan of a layer, and its
/// configuration keys. A family is added in a file of its own.
public struct ModelFamily: Sendable {
  /// Where `config.json` states a sliding window.
  enum SlidingWindowKeys: Sendable {
    case none
    /// `sliding_window`, with this value where it is absent; null means no window.
    case always(absent: Int?)
    /// The same, but only where `use_sliding_window` is true.
    case switched(absent: Int?)
  }

  /// What Transformers' configuration class takes for keys that `config.json` leaves out.
  struct Defaults: Sendable {
    var rmsNormEpsilon = 1e-6
    var ropeTheta = 10000.0
    var tiesEmbeddings = false
    /// Nil for hidden size / heads.
    var headDimension: Int? = nil
    /// Whether `num_key_value_heads` may be absent, which then means as many as query heads. Elsewhere
    /// the class's default is a number, which no real checkpoint relies on.
    var mayOmitKeyValueHeads = false
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
  package let layer: LayerPlan

  var defaults = Defaults()
  /// The nonlinearity of the gate, and the key of `config.json` that names it.
  var activation = (key: "hidden_act", function: Activation.silu)
  /// What is added to a norm's stored weight before it multiplies; in a GGUF it is already.
  package var normOffset: Float = 0
  /// Whether a GGUF may have the scales of Granite.
  var hasMultipliers = false
  let slidingWindow: SlidingWindowKeys
  /// Which layers use the window where `config.json` does not say so, by index.
  var slides: @Sendable (_ layer: Int, ModelConfiguration) -> Bool = { _, c in
    c.slidingWindow != nil
  }
  /// The keys of `config.json` that give further projections a bias.
  var biasKeys: [String: [ProjectionName]] = [:]
  /// Reads keys of `config.json` beside those that all families have.
  var readOwn: @Sendable (JSONNode, inout ModelConfiguration) throws -> Void = { _, _ in }
  /// Writes them.
  var ownKeys: @Sendable (ModelConfiguration) -> [String: JSONValue] = { _ in [:] }
  /// Reads keys of a GGUF beside those that all families have.
  var readOwnGGUF: @Sendable (GGUFKeys, inout ModelConfiguration) throws -> Void = { _, _ in }
  /// Writes them. A configuration that they do not state is found by reading them back.
  var ownGGUFKeys: @Sendable (ModelConfiguration) -> [String: GGUFValue] = { _ in [:] }
  /// Whether a GGUF states the sliding window.
  var statesWindowInGGUF = false

  /// The last layer of each `interval`.
  static func everyLayer(_ interval: Int, of c: ModelConfiguration) -> [Int] {
    (0..<c.layerCount).filter { ($0 + 1).isMultiple(of: interval) }
  }

  /// The layers but the last of each `interval`.
  static func layersBetween(_ interval: Int, of c: ModelConfiguration) -> [Int] {
    (0..<c.layerCount).filter { !($0 + 1).isMultiple(of: interval) }
  }

  /// The projections of a layer, in the order of `ProjectionName.allCases`.
  public var projections: [ProjectionName] {
    ProjectionName.allCases.filter { layer.projections[$0] != nil }
  }

  /// Where the rows of `projection`, which may be part of a fused one, lie.
  public func location(_ projection: ProjectionName, _ c: ModelConfiguration) -> (
    module: ProjectionName, rows: Range<Int>
  ) {
    for module in projections {
      var start = 0
      for part in module.parts {
        let end = start + part.shape(c).outputs
        if part == projection { return (module, start..<end) }
        start = end
      }
    }
    preconditionFailure("\(architecture.rawValue) has no \(projection.rawValue)")
  }

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
  ///
  /// Precondition: `projection` is one of `projections`.
  public func module(_ projection: ProjectionName, layer index: Int) -> String {
    guard let module = layer.projections[projection] else {
      preconditionFailure("\(architecture.rawValue) has no \(projection.rawValue)")
    }
    return name(module, layer: index)
  }

  public func weight(_ projection: ProjectionName, layer index: Int) -> String {
    module(projection, layer: index) + ".weight"
  }

  public func bias(_ projection: ProjectionName, layer index: Int) -> String {
    module(projection, layer: index) + ".bias"
  }

  /// Nil where the family has no such norm.
  public func weight(_ norm: NormName, layer index: Int) -> String? {
    layer.norms[norm].map { name($0, layer: index) + ".weight" }
  }

  /// Numbers of a norm's weight.
  func size(_ norm: NormName, _ c: ModelConfiguration) -> Int {
    switch norm {
    case .query: c.headDimension * (layer.normsAllHeads ? c.headCount : 1)
    case .key: c.headDimension * (layer.normsAllHeads ? c.keyValueHeadCount : 1)
    default: c.hiddenSize
    }
  }

  /// The decoder's tensors by their Hugging Face names, with their row-major shapes. Those that one
  /// product computes together (key and value, gate and up) are neighbours.
  func tensorShapes(_ c: ModelConfiguration) -> [(name: String, shape: [Int])] {
    var shapes = [(embeddingWeight, [c.vocabularySize, c.hiddenSize])]
    for index in 0..<c.layerCount {
      func weights(_ names: [ProjectionName]) -> [(String, [Int])] {
        projections.filter(names.contains).map { projection in
          let (outputs, inputs) = projection.shape(c)
          return (weight(projection, layer: index), [outputs, inputs])
        }
      }
      func weights(_ names: [NormName]) -> [(String, [Int])] {
        names.compactMap { norm in weight(norm, layer: index).map { ($0, [size(norm, c)]) } }
      }
      shapes += weights([NormName.attention])
      shapes += weights([.query, .key, .value, .queryKeyValue, .output])
      shapes += weights([.query, .key, .postAttention, .feedForward])
      shapes += weights([.gate, .up, .gateUp, .down])
      shapes += weights([NormName.postFeedForward])
      for projection in c.biasedProjections {
        shapes.append((bias(projection, layer: index), [projection.shape(c).outputs]))
      }
    }
    shapes.append((finalNormWeight, [c.hiddenSize]))
    if !c.tiesEmbeddings { shapes.append((outputWeight, [c.vocabularySize, c.hiddenSize])) }
    return shapes
  }

  /// The names of the weights of norms in a model of this shape.
  func normWeights(_ c: ModelConfiguration) -> Set<String> {
    var names: Set = [finalNormWeight]
    for index in 0..<c.layerCount {
      names.formUnion(NormName.allCases.compactMap { weight($0, layer: index) })
    }
    return names
  }

  /// Hugging Face's name of the tensor that GGUF calls `name`; nil when the family has no such
  /// tensor.
  func huggingFaceName(gguf name: String) -> String? {
    translated(name, from: \.gguf, to: \.huggingFace)
  }

  /// GGUF's name of the tensor that Hugging Face calls `name`; nil when the family has no such tensor.
  func ggufName(huggingFace name: String) -> String? {
    translated(name, from: \.huggingFace, to: \.gguf)
  }

  /// The name in the form `to` of the tensor that is called `name` in the form `from`.
  private func translated(
    _ name: String, from: (TensorName) -> String, to: (TensorName) -> String
  ) -> String? {
    for module in [embedding, finalNorm, output] where name == from(module) + ".weight" {
      return to(module) + ".weight"
    }
    let parts = from(layer.prefix).split(separator: "#", omittingEmptySubsequences: false)
    guard parts.count == 2, name.hasPrefix(parts[0]) else { return nil }
    let rest = name.dropFirst(parts[0].count)
    let digits = rest.prefix { $0.isASCII && $0.isNumber }
    guard let index = Int(digits), rest.dropFirst(digits.count).hasPrefix(parts[1]) else {
      return nil
    }
    let tail = rest.dropFirst(digits.count + parts[1].count)
    for module in layer.modules where tail.hasPrefix(from(module) + ".") {
      return to(layer.prefix).replacing("#", with: "\(index)") + to(module)
        + tail.dropFirst(from(module).count)
    }
    return nil
  }

  /// The heads whose rows llama.cpp interleaved in the tensor that GGUF calls `name`; nil where
  /// they are in Hugging Face's order.
  func interleavedHeads(gguf name: String, _ c: ModelConfiguration) -> Int? {
    guard interleavesHeads else { return nil }
    func isOf(_ projection: ProjectionName) -> Bool {
      layer.projections[projection].map { name.contains(".\($0.gguf).") } ?? false
    }
    return isOf(.query) ? c.headCount : isOf(.key) ? c.keyValueHeadCount : nil
  }
}
