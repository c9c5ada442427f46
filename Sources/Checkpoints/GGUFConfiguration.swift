import Files
import Foundation

/// What a GGUF says of its decoder: its metadata, and its tensors without their values.
struct GGUFDescription {
  let path: String
  let metadata: [String: GGUFValue]
  let tensors: [TensorDescription]
  /// What `rope_freqs.weight` divides the rotary frequencies by; nil where there is no such tensor.
  let ropeDivisors: [Float]?
}

extension GGUFFile {
  /// The decoder that the metadata and the tensors describe.
  func configuration() throws -> ModelConfiguration {
    try GGUFDescription(
      path: path, metadata: metadata, tensors: tensors.map(\.description),
      ropeDivisors: tensors.first { $0.description.name == "rope_freqs.weight" }?.values
    ).configuration()
  }

  /// The tensors under their Hugging Face names, with the rows that llama.cpp interleaves marked.
  func huggingFaceTensors(_ configuration: ModelConfiguration) throws -> [StoredTensor] {
    let family = configuration.architecture.family
    let norms = family.normWeights(configuration)
    return try tensors.filter { $0.description.name != "rope_freqs.weight" }.map { stored in
      let name = stored.description.name
      guard let mapped = family.huggingFaceName(gguf: name) else {
        throw FileError(
          file: path, location: "tensor \(name)",
          expected: "a tensor of a dense \(family.architecture.rawValue) decoder",
          found: "another name")
      }
      var tensor = stored
      tensor.description = stored.description.renamed(mapped)
      tensor.interleavedHeads = family.interleavedHeads(gguf: name, configuration)
      if norms.contains(mapped) { tensor.shift = -family.normOffset }
      if tensor.interleavedHeads != nil, tensor.description.shape.count == 1,
        tensor.description.elementType.blockSize != 1
      {
        throw FileError(
          file: path, location: "tensor \(name)", expected: "a bias in F32, F16 or BF16",
          found: tensor.description.elementType.rawValue)
      }
      return tensor
    }
  }
}

extension GGUFDescription {
  /// The decoder that this describes.
  ///
  /// A LLaMA file may hold a Mistral model, which GGUF does not tell apart, nor does it store
  /// Mistral's window there.
  func configuration() throws -> ModelConfiguration {
    let general = GGUFKeys(path: path, metadata: metadata, prefix: "")
    let name = try general.string("general.architecture")
    let families = Architecture.allCases.map(\.family)
    guard let family = families.first(where: { $0.ggufArchitecture == name }) else {
      let known = Set(families.map(\.ggufArchitecture)).sorted().joined(separator: " or ")
      throw general.error("general.architecture", expected: known)
    }
    let keys = GGUFKeys(path: path, metadata: metadata, prefix: name + ".")
    try refuseMissingFeatures(general, keys, family)
    let embeddingName = family.embedding.gguf + ".weight"
    guard let embedding = shape(of: embeddingName), embedding.count == 2 else {
      throw FileError(
        file: path, location: "tensor \(embeddingName)",
        expected: "a matrix of vocabulary × hidden size",
        found: shape(of: embeddingName).map { "\($0)" } ?? "no such tensor")
    }
    let hiddenSize = try keys.integer("embedding_length")
    let headCount = try keys.integer("attention.head_count")
    guard headCount > 0 else {
      throw keys.error("attention.head_count", expected: "a positive number")
    }
    let headDimension = try keys.integer("attention.key_length", absent: hiddenSize / headCount)
    for key in ["rope.dimension_count", "attention.value_length"] {
      guard try keys.integer(key, absent: headDimension) == headDimension else {
        throw keys.error(key, expected: "the head dimension, \(headDimension)")
      }
    }
    // llama.cpp takes a window of 0 as none. Source: `src/models/gemma3.cpp`, `phi3.cpp` and `olmo2.cpp` there.
    let window = try keys.optionalInteger("attention.sliding_window")
    var configuration = ModelConfiguration(
      architecture: family.architecture,
      vocabularySize: embedding[0],
      hiddenSize: hiddenSize,
      intermediateSize: try keys.integer("feed_forward_length"),
      layerCount: try keys.integer("block_count"),
      headCount: headCount,
      keyValueHeadCount: try keys.integer("attention.head_count_kv", absent: headCount),
      headDimension: headDimension,
      rmsNormEpsilon: Float(try keys.number("attention.layer_norm_rms_epsilon")),
      ropeTheta: try keys.number("rope.freq_base", absent: 10000),
      maximumPositions: try keys.integer("context_length"),
      slidingWindow: window == 0 ? nil : window,
      tiesEmbeddings: shape(of: family.output.gguf + ".weight") == nil,
      biasedProjections: family.projections.filter { projection in
        tensors.contains {
          family.huggingFaceName(gguf: $0.name) == family.bias(projection, layer: 0)
        }
      },
      beginningOfSequence: try general.optionalInteger("tokenizer.ggml.bos_token_id"),
      endsOfSequence: [try general.optionalInteger("tokenizer.ggml.eos_token_id")].compactMap { $0 }
    )
    try configuration.check(file: path)
    configuration.ropeScaling = try ropeScaling(keys, configuration)
    try family.readOwnGGUF(keys, &configuration)
    try configuration.check(file: path)
    return configuration
  }

  private func refuseMissingFeatures(_ general: GGUFKeys, _ keys: GGUFKeys, _ family: ModelFamily)
    throws
  {
    guard try keys.integer("expert_count", absent: 0) == 0 else {
      throw keys.error("expert_count", expected: "a model without experts")
    }
    guard try general.integer("split.count", absent: 1) <= 1 else {
      throw general.error(
        "split.count", expected: "a model in one file (llama-gguf-split --merge joins several)")
    }
    for key in ["attention.scale", "logit_scale", "embedding_scale", "residual_scale"]
    where !family.hasMultipliers && keys[key] != nil {
      throw keys.error(
        key, expected: "no such key: a \(family.architecture.rawValue) has no such scale")
    }
    if let factors = tensors.first(where: { $0.name.hasPrefix("rope_factors_") }) {
      throw FileError(
        file: path, location: "tensor \(factors.name)",
        expected: "plain rotary embeddings", found: "longrope")
    }
  }

  /// Linear scaling and YaRN stand in the metadata; Llama 3's was turned into one divisor for each
  /// frequency.
  private func ropeScaling(_ keys: GGUFKeys, _ configuration: ModelConfiguration) throws
    -> RopeScaling?
  {
    switch try keys.string("rope.scaling.type", absent: "none") {
    case "none": break
    case "linear": return .linear(factor: try keys.number("rope.scaling.factor"))
    case "yarn":
      // The numbers are llama.cpp's where the file has none (`common.h`, `llama-context.cpp`).
      let factor = try keys.number("rope.scaling.factor")
      return .yarn(
        factor: factor,
        attentionFactor: (1 + 0.1 * log(factor))
          * (try keys.number("rope.scaling.attn_factor", absent: 1)),
        fastTurns: try keys.number("rope.scaling.yarn_beta_fast", absent: 32),
        slowTurns: try keys.number("rope.scaling.yarn_beta_slow", absent: 1),
        originalMaximumPositions: try keys.integer(
          "rope.scaling.original_context_length", absent: configuration.maximumPositions),
        truncates: true)
    default: throw keys.error("rope.scaling.type", expected: "none, linear or yarn")
    }
    if keys["rope.scale_linear"] != nil {
      return .linear(factor: try keys.number("rope.scale_linear"))
    }
    guard let divisors = ropeDivisors else { return nil }
    guard shape(of: "rope_freqs.weight") == [configuration.headDimension / 2] else {
      throw FileError(
        file: path, location: "tensor rope_freqs.weight",
        expected: "shape \([configuration.headDimension / 2])",
        found: shape(of: "rope_freqs.weight").map { "\($0)" } ?? "no such tensor")
    }
    if divisors.allSatisfy({ $0 == 1 }) { return nil }
    // The factors that all of Llama 3.1 to 3.3 share; the divisors confirm them.
    let (low, high, positions) = (1.0, 4.0, 8192)
    let factor = Double(divisors.max() ?? 1)
    for (index, divisor) in divisors.enumerated() {
      let frequency = pow(
        configuration.ropeTheta, -2 * Double(index) / Double(configuration.headDimension))
      let turns = Double(positions) * frequency / (2 * .pi)
      let kept = min(max((turns - low) / (high - low), 0), 1)
      let expected = 1 / ((1 - kept) / factor + kept)
      guard abs(Double(divisor) - expected) <= 1e-3 * expected else {
        throw FileError(
          file: path, location: "tensor rope_freqs.weight, element \(index)",
          expected: "\(expected), as Llama 3's scaling by \(factor) has it", found: "\(divisor)")
      }
    }
    return .llama3(
      factor: factor, lowFrequencyFactor: low, highFrequencyFactor: high,
      originalMaximumPositions: positions)
  }

  private func shape(of name: String) -> [Int]? {
    tensors.first { $0.name == name }?.shape
  }
}

/// The metadata of a GGUF, by keys that stand for themselves or, in `model`, behind the name of the
/// architecture.
struct GGUFKeys {
  let path: String
  let metadata: [String: GGUFValue]
  /// What every key begins with: the architecture and a dot, or nothing.
  let prefix: String

  func error(_ key: String, expected: String) -> FileError {
    FileError(
      file: path, location: "key \(prefix)\(key)", expected: expected,
      found: self[key].map { "\($0)" } ?? "no such key")
  }

  subscript(key: String) -> GGUFValue? { metadata[prefix + key] }

  func optionalInteger(_ key: String) throws -> Int? {
    switch self[key] {
    case nil: return nil
    case .integer(let value): return value
    default: throw error(key, expected: "a whole number")
    }
  }

  func integer(_ key: String, absent: Int? = nil) throws -> Int {
    guard let value = try optionalInteger(key) ?? absent else {
      throw error(key, expected: "a whole number")
    }
    return value
  }

  func optionalNumber(_ key: String) throws -> Double? {
    switch self[key] {
    case .number(let value): return value
    case nil: return nil
    default: throw error(key, expected: "a number")
    }
  }

  func number(_ key: String, absent: Double? = nil) throws -> Double {
    guard let value = try optionalNumber(key) ?? absent else {
      throw error(key, expected: "a number")
    }
    return value
  }

  /// An array of truth values, which some writers store as numbers; nil where there is no array.
  func optionalBools(_ key: String) throws -> [Bool]? {
    switch self[key] {
    case .bools(let values): return values
    case .integers(let values): return values.map { $0 != 0 }
    default: return nil
    }
  }

  func string(_ key: String, absent: String? = nil) throws -> String {
    switch self[key] {
    case .string(let value): return value
    case nil: if let absent { return absent }
    default: break
    }
    throw error(key, expected: "a string")
  }
}
