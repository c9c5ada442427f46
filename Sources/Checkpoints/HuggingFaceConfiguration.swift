import Files
import Foundation

extension ModelConfiguration {
  /// Reads the Hugging Face `config.json` at `path`, with the checks of `Checkpoint`.
  package init(huggingFacePath path: String) throws {
    try self.init(huggingFace: JSONNode(path: path))
  }

  /// Reads a Hugging Face `config.json`, of Transformers 4 (`rope_theta`, `rope_scaling`) or 5
  /// (`rope_parameters`).
  ///
  /// Absent keys take the defaults of Transformers' configuration classes. A feature that the
  /// decoder lacks is refused.
  init(huggingFace json: JSONNode) throws {
    let type = try json.string("model_type")
    guard let architecture = Architecture(rawValue: type) else {
      throw json.error(
        "model_type", expected: Architecture.allCases.map(\.rawValue).joined(separator: ", "))
    }
    let family = architecture.family
    try ModelConfiguration.refuseMissingFeatures(json, family)

    let hiddenSize = try json.integer("hidden_size")
    let headCount = try json.integer("num_attention_heads")
    guard headCount > 0 else {
      throw json.error("num_attention_heads", expected: "a positive number")
    }
    let rope = try ModelConfiguration.ropeParameters(json)
    self.init(
      architecture: architecture,
      vocabularySize: try json.integer("vocab_size"),
      hiddenSize: hiddenSize,
      intermediateSize: try json.integer("intermediate_size"),
      layerCount: try json.integer("num_hidden_layers"),
      headCount: headCount,
      keyValueHeadCount: try json.integer(
        "num_key_value_heads",
        absent: family.defaults.mayOmitKeyValueHeads || json.hasMember("num_key_value_heads")
          ? headCount : nil),
      headDimension: try json.integer(
        "head_dim", absent: family.defaults.headDimension ?? hiddenSize / headCount),
      rmsNormEpsilon: Float(
        try json.number("rms_norm_eps", absent: family.defaults.rmsNormEpsilon)),
      ropeTheta: try (rope?["rope_theta"] == nil ? json : rope ?? json).number(
        "rope_theta", absent: family.defaults.ropeTheta),
      ropeScaling: try rope.flatMap { try RopeScaling(huggingFace: $0, of: json) },
      maximumPositions: try json.integer("max_position_embeddings"),
      slidingWindow: try family.slidingWindow.value(json),
      tiesEmbeddings: try json.bool("tie_word_embeddings", absent: family.defaults.tiesEmbeddings),
      biasedProjections: try ProjectionName.allCases.filter(
        family.biasedProjections(json).contains),
      beginningOfSequence: try json.integers("bos_token_id").first,
      endsOfSequence: try json.integers("eos_token_id"))
    try check(file: json.file)
    if json["layer_types"] != nil {
      slidingLayers = try ModelConfiguration.slidingLayers(json, layerCount)
    }
    try family.readOwn(json, &self)
    try check(file: json.file)
  }

  /// The object that describes the rotary embedding: `rope_scaling` where it is there and not empty,
  /// else `rope_parameters`, and of one for each type of layer that of full attention.
  ///
  /// Source: `RotaryEmbeddingConfigMixin.convert_rope_params_to_dict` in transformers 5.
  private static func ropeParameters(_ json: JSONNode) throws -> JSONNode? {
    if let scaling = try json.object("rope_scaling"), !scaling.keys.isEmpty { return scaling }
    let parameters = try json.object("rope_parameters")
    return try parameters?.object("full_attention") ?? parameters
  }

  /// The layers that `layer_types` gives sliding-window attention.
  private static func slidingLayers(_ json: JSONNode, _ layerCount: Int) throws -> [Int] {
    let types = try json.strings("layer_types")
    guard types.count == layerCount else {
      throw json.error(
        "layer_types", expected: "\(layerCount) strings", found: "\(types.count)")
    }
    return types.indices.filter { types[$0] == "sliding_attention" }
  }

  /// `layer_types` of Transformers.
  var layerTypes: JSONValue {
    .array(
      (0..<layerCount).map {
        .string(slidingLayers.contains($0) ? "sliding_attention" : "full_attention")
      })
  }

  private static func refuseMissingFeatures(_ json: JSONNode, _ family: ModelFamily) throws {
    let (key, activation) = family.activation
    guard try json.string(key, absent: activation.rawValue) == activation.rawValue else {
      throw json.error(key, expected: activation.rawValue)
    }
    for (key, isAlwaysBiased) in [
      ("attention_bias", family.layer.biased.contains(.query)),
      ("mlp_bias", family.layer.biased.contains(.gate)),
    ] where family.biasKeys[key] == nil {
      guard try json.bool(key, absent: isAlwaysBiased) == isAlwaysBiased else {
        throw json.error(key, expected: "\(isAlwaysBiased) in \(family.architecture.rawValue)")
      }
    }
    for key in ["num_experts", "num_local_experts"] {
      guard try json.integer(key, absent: 0) <= 1 else {
        throw json.error(key, expected: "a model without experts")
      }
    }
    for node in [json, try ropeParameters(json)].compactMap({ $0 }) {
      guard try node.number("partial_rotary_factor", absent: 1) == 1 else {
        throw node.error("partial_rotary_factor", expected: "1")
      }
    }
    guard json["quantization_config"] == nil else {
      throw json.error("quantization_config", expected: "weights in F32, F16 or BF16")
    }
    if case .array(let types)? = json["layer_types"]?.value {
      let known: [JSONValue] = [.string("full_attention"), .string("sliding_attention")]
      guard types.allSatisfy(known.contains) else {
        throw json.error("layer_types", expected: "full_attention or sliding_attention")
      }
    }
  }

  /// The `config.json` that Transformers reads as this configuration, of a model whose tensors are in `type`: F32, F16
  /// or BF16.
  func huggingFace(_ type: ElementType) -> JSONValue {
    let dtype = type == .bf16 ? "bfloat16" : type == .f16 ? "float16" : "float32"
    let json: [String: JSONValue] = [
      "architectures": .array([.string(architecture.family.transformersClass)]),
      "model_type": .string(architecture.rawValue),
      "vocab_size": .integer(vocabularySize),
      "hidden_size": .integer(hiddenSize),
      "intermediate_size": .integer(intermediateSize),
      "num_hidden_layers": .integer(layerCount),
      "num_attention_heads": .integer(headCount),
      "num_key_value_heads": .integer(keyValueHeadCount),
      "head_dim": .integer(headDimension),
      architecture.family.activation.key: .string(activation.rawValue),
      "rms_norm_eps": .shortest(rmsNormEpsilon),
      "rope_theta": .number(ropeTheta),
      "rope_scaling": ropeScaling?.huggingFace ?? .null,
      "max_position_embeddings": .integer(maximumPositions),
      "tie_word_embeddings": .bool(tiesEmbeddings),
      "bos_token_id": beginningOfSequence.map(JSONValue.integer) ?? .null,
      "eos_token_id": endsOfSequence.count > 1
        ? .array(endsOfSequence.map(JSONValue.integer))
        : endOfSequence.map(JSONValue.integer) ?? .null,
      // Both names of the key: older versions of Transformers read `torch_dtype`.
      "torch_dtype": .string(dtype), "dtype": .string(dtype),
    ]
    let family = architecture.family
    return .object(
      json.merging(family.ownKeys(self)) { $1 }.merging(family.biasSettings(self)) { $1 })
  }
}

extension JSONValue {
  /// `value` through its shortest text, so that 1e-5 is written as that and not as the nearest Float's
  /// many digits.
  static func shortest(_ value: Float) -> JSONValue { .number(Double("\(value)") ?? Double(value)) }
}

extension ModelFamily {
  /// The projections that have a bias in the model that `json` describes.
  func biasedProjections(_ json: JSONNode) throws -> Set<ProjectionName> {
    var biased = Set(layer.biased)
    for (key, projections) in biasKeys where try json.bool(key, absent: false) {
      biased.formUnion(projections)
    }
    return biased
  }
}

extension ModelFamily.SlidingWindowKeys {
  /// The window that `json` states; nil where there is none.
  func value(_ json: JSONNode) throws -> Int? {
    switch self {
    case .none: return nil
    case .switched where try !json.bool("use_sliding_window", absent: false): return nil
    case .always(let absent), .switched(let absent):
      if json.hasMember("sliding_window") && json["sliding_window"] == nil { return nil }
      return try json.optionalInteger("sliding_window") ?? absent
    }
  }
}

extension RopeScaling {
  /// The scaling that `rope_scaling` or `rope_parameters` of the configuration `json` states; nil
  /// when it is none.
  init?(huggingFace rope: JSONNode, of json: JSONNode) throws {
    let key = rope["rope_type"] == nil ? "type" : "rope_type"
    switch try rope.string(key, absent: "default") {
    case "default": return nil
    case "linear": self = .linear(factor: try rope.number("factor"))
    case "llama3":
      self = .llama3(
        factor: try rope.number("factor"),
        lowFrequencyFactor: try rope.number("low_freq_factor"),
        highFrequencyFactor: try rope.number("high_freq_factor"),
        originalMaximumPositions: try rope.integer(
          "original_max_position_embeddings", absent: try json.integer("max_position_embeddings")))
    case "dynamic": self = .dynamic(factor: try rope.number("factor"))
    case "yarn": self = try RopeScaling(yarn: rope, of: json)
    default: throw rope.error(key, expected: "default, linear, llama3, yarn or dynamic")
    }
  }

  private init(yarn rope: JSONNode, of json: JSONNode) throws {
    let positions = try json.integer("max_position_embeddings")
    let original = try rope.integer("original_max_position_embeddings", absent: positions)
    let factor = try rope.number(
      "factor", absent: original > 0 ? Double(positions) / Double(original) : nil)
    func amplitude(_ scale: Double) -> Double {
      factor <= 1 ? 1 : 0.1 * scale * log(factor) + 1
    }
    let (part, whole) = (
      try rope.number("mscale", absent: 0), try rope.number("mscale_all_dim", absent: 0)
    )
    self = .yarn(
      factor: factor,
      attentionFactor: try rope.number(
        "attention_factor",
        absent: part != 0 && whole != 0 ? amplitude(part) / amplitude(whole) : amplitude(1)),
      fastTurns: try rope.number("beta_fast", absent: 32),
      slowTurns: try rope.number("beta_slow", absent: 1), originalMaximumPositions: original,
      truncates: try rope.bool("truncate", absent: true))
  }

  var huggingFace: JSONValue {
    switch self {
    case .linear(let factor):
      // Both names of the key: older versions of Transformers read `type`.
      .object([
        "rope_type": .string("linear"), "type": .string("linear"), "factor": .number(factor),
      ])
    case .llama3(let factor, let low, let high, let positions):
      .object([
        "rope_type": .string("llama3"), "factor": .number(factor), "low_freq_factor": .number(low),
        "high_freq_factor": .number(high), "original_max_position_embeddings": .integer(positions),
      ])
    case .yarn(let factor, let attentionFactor, let fast, let slow, let positions, let truncates):
      .object([
        "rope_type": .string("yarn"), "factor": .number(factor),
        "attention_factor": .number(attentionFactor), "beta_fast": .number(fast),
        "beta_slow": .number(slow), "original_max_position_embeddings": .integer(positions),
        "truncate": .bool(truncates),
      ])
    case .dynamic(let factor):
      .object(["rope_type": .string("dynamic"), "factor": .number(factor)])
    }
  }
}
