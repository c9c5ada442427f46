import Files
import Foundation

extension GGUFFile {
  /// The decoder that the metadata and the tensors describe.
  ///
  /// A LLaMA file may hold a Mistral model, which GGUF does not tell apart, nor does it store
  /// Mistral's window there.
  func configuration() throws -> ModelConfiguration {
    let name = try string("general.architecture")
    let families = Architecture.allCases.map(\.family)
    guard let family = families.first(where: { $0.ggufArchitecture == name }) else {
      let known = Set(families.map(\.ggufArchitecture)).sorted().joined(separator: " or ")
      throw failure("general.architecture", expected: known)
    }
    try refuseMissingFeatures(name)
    let embeddingName = family.embedding.gguf + ".weight"
    guard let embedding = shape(of: embeddingName), embedding.count == 2 else {
      throw FileError(
        file: path, location: "tensor \(embeddingName)",
        expected: "a matrix of vocabulary × hidden size",
        found: shape(of: embeddingName).map { "\($0)" } ?? "no such tensor")
    }
    let hiddenSize = try integer("\(name).embedding_length")
    let headCount = try integer("\(name).attention.head_count")
    guard headCount > 0 else {
      throw failure("\(name).attention.head_count", expected: "a positive number")
    }
    let headDimension = try integer("\(name).attention.key_length", absent: hiddenSize / headCount)
    for key in ["\(name).rope.dimension_count", "\(name).attention.value_length"] {
      guard try integer(key, absent: headDimension) == headDimension else {
        throw failure(key, expected: "the head dimension, \(headDimension)")
      }
    }
    var configuration = ModelConfiguration(
      architecture: family.architecture,
      vocabularySize: embedding[0],
      hiddenSize: hiddenSize,
      intermediateSize: try integer("\(name).feed_forward_length"),
      layerCount: try integer("\(name).block_count"),
      headCount: headCount,
      keyValueHeadCount: try integer("\(name).attention.head_count_kv", absent: headCount),
      headDimension: headDimension,
      rmsNormEpsilon: Float(try number("\(name).attention.layer_norm_rms_epsilon")),
      ropeTheta: try number("\(name).rope.freq_base", absent: 10000),
      maximumPositions: try integer("\(name).context_length"),
      slidingWindow: try optionalInteger("\(name).attention.sliding_window"),
      tiesEmbeddings: shape(of: family.output.gguf + ".weight") == nil,
      biasedProjections: ProjectionName.allCases.filter { projection in
        tensors.contains {
          family.huggingFaceName(gguf: $0.description.name) == family.bias(projection, layer: 0)
        }
      },
      beginningOfSequence: try optionalInteger("tokenizer.ggml.bos_token_id"),
      endsOfSequence: [try optionalInteger("tokenizer.ggml.eos_token_id")].compactMap { $0 })
    try configuration.check(file: path)
    configuration.ropeScaling = try ropeScaling(configuration)
    try configuration.check(file: path)
    return configuration
  }

  /// The tensors under their Hugging Face names, with the rows that llama.cpp interleaves marked.
  func huggingFaceTensors(_ configuration: ModelConfiguration) throws -> [StoredTensor] {
    let family = configuration.architecture.family
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

  private func refuseMissingFeatures(_ name: String) throws {
    guard try integer("\(name).expert_count", absent: 0) == 0 else {
      throw failure("\(name).expert_count", expected: "a model without experts")
    }
    guard try integer("split.count", absent: 1) <= 1 else {
      throw failure(
        "split.count", expected: "a model in one file (llama-gguf-split --merge joins several)")
    }
    for key in ["attention.scale", "logit_scale", "embedding_scale", "residual_scale"] {
      guard metadata["\(name).\(key)"] == nil else {
        throw failure("\(name).\(key)", expected: "no such key: the decoder has no such scale")
      }
    }
  }

  /// Linear scaling stands in the metadata; Llama 3's was turned into one divisor for each
  /// frequency.
  private func ropeScaling(_ configuration: ModelConfiguration) throws -> RopeScaling? {
    let prefix = configuration.architecture.family.ggufArchitecture
    switch try string("\(prefix).rope.scaling.type", absent: "none") {
    case "none": break
    case "linear": return .linear(factor: try number("\(prefix).rope.scaling.factor"))
    default: throw failure("\(prefix).rope.scaling.type", expected: "none or linear")
    }
    if metadata["\(prefix).rope.scale_linear"] != nil {
      return .linear(factor: try number("\(prefix).rope.scale_linear"))
    }
    guard let tensor = tensors.first(where: { $0.description.name == "rope_freqs.weight" }) else {
      return nil
    }
    guard tensor.description.shape == [configuration.headDimension / 2] else {
      throw FileError(
        file: path, location: "tensor rope_freqs.weight",
        expected: "shape \([configuration.headDimension / 2])",
        found: "\(tensor.description.shape)")
    }
    var divisors = [Float](repeating: 0, count: configuration.headDimension / 2)
    divisors.withUnsafeMutableBufferPointer { tensor.read(into: $0) }
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
    tensors.first { $0.description.name == name }?.description.shape
  }

  private func failure(_ key: String, expected: String) -> FileError {
    FileError(
      file: path, location: "key \(key)", expected: expected,
      found: metadata[key].map { "\($0)" } ?? "no such key")
  }

  private func optionalInteger(_ key: String) throws -> Int? {
    switch metadata[key] {
    case nil: return nil
    case .integer(let value): return value
    default: throw failure(key, expected: "a whole number")
    }
  }

  private func integer(_ key: String, absent: Int? = nil) throws -> Int {
    guard let value = try optionalInteger(key) ?? absent else {
      throw failure(key, expected: "a whole number")
    }
    return value
  }

  private func number(_ key: String, absent: Double? = nil) throws -> Double {
    switch metadata[key] {
    case .number(let value): return value
    case nil: if let absent { return absent }
    default: break
    }
    throw failure(key, expected: "a number")
  }

  private func string(_ key: String, absent: String? = nil) throws -> String {
    switch metadata[key] {
    case .string(let value): return value
    case nil: if let absent { return absent }
    default: break
    }
    throw failure(key, expected: "a string")
  }
}
