import Checkpoints
import Files
import Foundation
import Testing

private func bits(_ values: [Float]) -> [UInt32] { values.map(\.bitPattern) }

struct ReadingCheckpoints {
  @Test(
    "A GGUF with every tensor type holds the values, names and row order of its Hugging Face folder, bit for bit"
  )
  func quantizedValues() throws {
    let gguf = try Checkpoint(path: fixtures + "/llama.gguf")
    let folder = try Checkpoint(path: fixtures + "/llama")
    #expect(Set(gguf.tensors.map(\.elementType)) == Set(ElementType.allCases))
    #expect(gguf.tensors.map(\.name) == folder.tensors.map(\.name))
    for (tensor, reference) in zip(gguf.tensors, folder.tensors) {
      #expect(tensor.shape == reference.shape)
      let expected = try folder.read(reference.name)
      #expect(expected.contains { $0 != 0 })
      #expect(
        try bits(gguf.read(tensor.name)) == bits(expected),
        "\(tensor.name), \(tensor.elementType.rawValue)")
    }
  }

  @Test(
    "A GGUF and its Hugging Face folder declare the same decoder, Llama 3's rotary scaling included"
  )
  func configurations() throws {
    let gguf = try Checkpoint(path: fixtures + "/llama.gguf").configuration
    var expected = ModelConfiguration(
      vocabularySize: 6, hiddenSize: 256, intermediateSize: 8, layerCount: 2, headCount: 2,
      keyValueHeadCount: 1,
      headDimension: 8, ropeTheta: 500000,
      ropeScaling: .llama3(
        factor: 8, lowFrequencyFactor: 1, highFrequencyFactor: 4, originalMaximumPositions: 8192),
      maximumPositions: 131072, tiesEmbeddings: false, beginningOfSequence: 1, endsOfSequence: [2])
    #expect(gguf == expected)
    expected.endsOfSequence = [2, 3]  // GGUF keeps one of them
    #expect(try Checkpoint(path: fixtures + "/llama").configuration == expected)
  }

  @Test(
    "A Qwen2 GGUF holds the names, values, biases and row order of its Hugging Face folder, and the same decoder"
  )
  func qwen2GGUF() throws {
    let gguf = try Checkpoint(path: fixtures + "/qwen2.gguf")
    let folder = try Checkpoint(path: fixtures + "/../decoder/qwen2")
    #expect(gguf.configuration == folder.configuration)
    #expect(
      gguf.configuration.biasedProjections == [.query, .key, .value]
        && !gguf.configuration.tiesEmbeddings)
    #expect(gguf.tensors.map(\.name) == folder.tensors.map(\.name))
    for (tensor, reference) in zip(gguf.tensors, folder.tensors) {
      #expect(tensor.shape == reference.shape)
      let expected = try folder.read(reference.name)
      #expect(Set(expected).count > 1, "\(reference.name)")
      #expect(try bits(gguf.read(tensor.name)) == bits(expected), "\(tensor.name)")
    }
  }

  /// What a GGUF of llama.cpp's converter does not say of the decoder, and is therefore taken as
  /// llama.cpp takes it: which layers have a window or no rotation, and Gemma's scale of scores.
  private static let unsaid: [String: @Sendable (inout ModelConfiguration) -> Void] = [
    "smollm3": { $0.layersWithoutRope = [] },
    "gemma2": { $0.attentionMultiplier = 1 / Float(10).squareRoot() },
    "gemma3": {
      $0.attentionMultiplier = 1 / Float(10).squareRoot()
      $0.slidingLayers = [0, 1, 2]
    },
  ]

  @Test(
    "The GGUF that llama.cpp's converter makes holds the decoder and the values of the Hugging Face folder",
    arguments: [
      "biased", "gemma2", "gemma3", "granite", "olmo2", "phi3", "qwen3", "smollm3", "yarn",
    ])
  func convertedGGUF(name: String) throws {
    let gguf = try Checkpoint(path: "\(fixtures)/families/\(name).gguf")
    let folder = try Checkpoint(path: "\(fixtures)/../decoder/\(name)")
    var expected = folder.configuration
    Self.unsaid[name]?(&expected)
    #expect(gguf.configuration == expected)
    #expect(gguf.tensors.map(\.name) == folder.tensors.map(\.name))
    for tensor in gguf.tensors {
      let (found, values) = (try gguf.read(tensor.name), try folder.read(tensor.name))
      #expect(found.count == values.count, "\(tensor.name)")
      // Gemma's norms are stored with the one that they add, in single precision.
      let isShifted = name.hasPrefix("gemma") && tensor.name.hasSuffix("norm.weight")
      #expect(
        isShifted
          ? zip(found, values).allSatisfy { abs($0 - $1) <= 0x1p-23 } : bits(found) == bits(values),
        "\(tensor.name)")
    }
  }

  /// The converted GGUF of a family, read after `change` to the key that states its window: a name, a type in four bytes,
  /// and the number in four.
  private func windowed(_ family: String, _ change: (inout [UInt8], _ end: Int) -> Void) throws
    -> ModelConfiguration
  {
    try withFolder { folder in
      var file = try bytes(of: "\(fixtures)/families/\(family).gguf")
      let key = Array("\(family).attention.sliding_window".utf8)
      let start = try #require(file.indices.first { file[$0...].starts(with: key) })
      change(&file, start + key.count)
      try write(file, folder + "/x.gguf")
      return try Checkpoint(path: folder + "/x.gguf").configuration
    }
  }

  @Test("A GGUF whose window is 0 has none", arguments: ["gemma2", "gemma3", "phi3"])
  func windowOfZero(family: String) throws {
    let configuration = try windowed(family) { file, end in
      file.replaceSubrange(end + 4..<end + 8, with: [0, 0, 0, 0])
    }
    #expect(configuration.slidingWindow == nil && configuration.slidingLayers == [])
    #expect(try windowed(family) { _, _ in }.slidingWindow != nil)
  }

  @Test(
    "A Gemma 2 GGUF that states no window has 4096 tokens in every other layer, as in llama.cpp")
  func windowOfGemma2() throws {
    let configuration = try windowed("gemma2") { file, end in file[end - 1] = UInt8(ascii: "x") }
    let stated = try Checkpoint(path: fixtures + "/families/gemma2.gguf").configuration
    #expect(configuration.slidingWindow == 4096)
    #expect(configuration.slidingLayers == stated.slidingLayers && !stated.slidingLayers.isEmpty)
  }

  @Test("Version 2 of GGUF reads as version 3 does")
  func version2() throws {
    try withFolder { folder in
      var file = try bytes(of: fixtures + "/llama.gguf")
      file[4] = 2
      try write(file, folder + "/v2.gguf")
      let (old, new) = (
        try Checkpoint(path: folder + "/v2.gguf"), try Checkpoint(path: fixtures + "/llama.gguf")
      )
      #expect(old.configuration == new.configuration)
      #expect(try old.read("lm_head.weight") == new.read("lm_head.weight"))
    }
  }

  @Test(
    "GGUF metadata comes out with its types",
    arguments: [
      ("tokenizer.ggml.tokens", GGUFValue.strings(["<unk>", "<s>", "</s>", "a", "é", "Ġb"])),
      ("tokenizer.ggml.token_type", .integers([2, 3, 3, 1, 1, 1])),
      ("tokenizer.ggml.scores", .numbers([0, 0, 0, -1, -2, -0.5])),
      ("tokenizer.ggml.model", .string("gpt2")), ("tokenizer.ggml.add_bos_token", .bool(false)),
      ("tokenizer.ggml.bos_token_id", .integer(1)), ("test.flags", .bools([true, false])),
      ("test.int64", .integer(-(1 << 40))), ("test.float64", .number(0.1)),
    ])
  func metadata(key: String, value: GGUFValue) throws {
    #expect(try GGUFFile(path: fixtures + "/llama.gguf").metadata[key] == value)
  }

  @Test(
    "Folders that Transformers saved in half precision open, by folder or by file",
    arguments: [("qwen2", Architecture.qwen2, ElementType.bf16), ("mistral", .mistral, .f16)])
  func halfPrecision(name: String, architecture: Architecture, type: ElementType) throws {
    for path in ["\(fixtures)/\(name)", "\(fixtures)/\(name)/model.safetensors"] {
      let checkpoint = try Checkpoint(path: path)
      #expect(checkpoint.configuration.architecture == architecture)
      #expect(checkpoint.configuration.biasedProjections.isEmpty == (architecture != .qwen2))
      #expect(checkpoint.configuration.slidingWindow == (architecture == .mistral ? 16 : nil))
      #expect(checkpoint.tensors.allSatisfy { $0.elementType == type })
      #expect(try checkpoint.read("model.norm.weight") == [Float](repeating: 1, count: 8))
    }
  }

  @Test(
    "Every one of the 65,536 half-precision patterns is widened exactly",
    arguments: ["F16", "BF16"])
  func halves(type: String) throws {
    let patterns = (0...UInt16.max).map { $0 }
    let values = try withFolder { folder in
      let header = #"{"x":{"dtype":"\#(type)","shape":[65536],"data_offsets":[0,131072]}}"#
      try write(
        safetensors(header, data: patterns.flatMap(littleEndian)), folder + "/x.safetensors")
      return try #require(SafetensorsFile(path: folder + "/x.safetensors").tensors.first).values
    }
    for (pattern, value) in zip(patterns, values) {
      let expected = type == "F16" ? wide(pattern) : Float(bitPattern: UInt32(pattern) << 16)
      guard value.bitPattern == expected.bitPattern || (value.isNaN && expected.isNaN) else {
        Issue.record("\(type) \(pattern): \(value), not \(expected)")
        return
      }
    }
  }

  /// A half-precision number by its definition.
  private func wide(_ pattern: UInt16) -> Float {
    let sign: Float = pattern >> 15 == 0 ? 1 : -1
    let exponent = Int(pattern >> 10 & 31)
    let fraction = Float(pattern & 1023) / 1024
    switch exponent {
    case 0: return sign * fraction * 0x1p-14
    case 31: return fraction == 0 ? sign * .infinity : .nan
    default: return sign * Float(sign: .plus, exponent: exponent - 15, significand: 1 + fraction)
    }
  }

  @Test("Tensors read from several threads at once are those read one by one")
  func concurrentReads() async throws {
    let checkpoint = try Checkpoint(path: fixtures + "/llama.gguf")
    let together = try await withThrowingTaskGroup(of: (String, [Float]).self) { group in
      for tensor in checkpoint.tensors {
        group.addTask { (tensor.name, try checkpoint.read(tensor.name)) }
      }
      return try await group.reduce(into: [:]) { $0[$1.0] = $1.1 }
    }
    for tensor in checkpoint.tensors {
      #expect(try together[tensor.name] == checkpoint.read(tensor.name))
    }
  }
}

struct ReadingConfigurations {
  /// The `llama/config.json` fixture with `changes`; a nil takes its key away.
  private func configuration(_ changes: [String: String?]) throws -> ModelConfiguration {
    let data = try Data(contentsOf: URL(fileURLWithPath: fixtures + "/llama/config.json"))
    var json = try #require(try JSONSerialization.jsonObject(with: data) as? [String: Any])
    for (key, text) in changes {
      json[key] = try text.map {
        try JSONSerialization.jsonObject(with: Data($0.utf8), options: .fragmentsAllowed)
      }
    }
    return try withFolder { folder in
      try write([UInt8](try JSONSerialization.data(withJSONObject: json)), folder + "/config.json")
      return try ModelConfiguration(huggingFacePath: folder + "/config.json")
    }
  }

  @Test("The keys of Transformers 4 say what those of Transformers 5 say")
  func oldKeys() throws {
    let old = try configuration([
      "rope_parameters": nil, "rope_theta": "500000.0",
      "rope_scaling":
        #"{"type":"llama3","factor":8,"low_freq_factor":1,"high_freq_factor":4,"original_max_position_embeddings":8192}"#,
    ])
    #expect(try old == configuration([:]))
    let linear = try configuration([
      "rope_parameters": nil, "rope_scaling": #"{"type":"linear","factor":2.0}"#,
    ])
    #expect(linear.ropeScaling == .linear(factor: 2))
    #expect(linear.ropeTheta == 10000)
  }

  @Test(
    "Qwen2's window counts only when it is in use; Mistral's default is 4096 and null means none")
  func slidingWindows() throws {
    let qwen2: [String: String?] = [
      "model_type": #""qwen2""#, "sliding_window": "64", "attention_bias": nil,
    ]
    #expect(try configuration(qwen2).slidingWindow == nil)
    #expect(
      try configuration(qwen2.merging(["use_sliding_window": "true"]) { $1 }).slidingWindow == 64)
    #expect(try configuration(["model_type": #""mistral""#]).slidingWindow == 4096)
    #expect(
      try configuration(["model_type": #""mistral""#, "sliding_window": "null"]).slidingWindow
        == nil)
  }

  @Test(
    "Of rope_scaling beside rope_parameters the first counts, as in Transformers 5, unless empty")
  func bothRopeKeys() throws {
    let linear = #"{"type":"linear","factor":4.0}"#
    let both = try configuration(["rope_scaling": linear])
    #expect(both.ropeScaling == .linear(factor: 4))
    // The rotary base of the object that is not read is not read either.
    #expect(both.ropeTheta == 10000)
    #expect(
      try configuration(["rope_scaling": linear, "rope_theta": "250000.0"]).ropeTheta == 250000)
    for nothing in ["{}", "null"] {
      #expect(try configuration(["rope_scaling": nothing]) == configuration([:]))
    }
  }

  @Test("Biases are those that the family's keys state; keys of another family are refused")
  func biases() throws {
    #expect(try configuration([:]).biasedProjections == [])
    #expect(
      try configuration(["attention_bias": "true"]).biasedProjections
        == [.query, .key, .value, .output])
    #expect(try configuration(["mlp_bias": "true"]).biasedProjections == [.gate, .up, .down])
    let qwen2: [String: String?] = ["model_type": #""qwen2""#, "attention_bias": nil]
    #expect(try configuration(qwen2).biasedProjections == [.query, .key, .value])
    for (type, key) in [
      ("mistral", "attention_bias"), ("mistral", "mlp_bias"), ("qwen2", "mlp_bias"),
      ("qwen3", "mlp_bias"),
    ] {
      let error = #expect(throws: FileError.self) {
        let base: [String: String?] = ["model_type": "\"\(type)\"", "attention_bias": nil]
        return try configuration(base.merging([key: "true"]) { $1 })
      }
      #expect(error?.location == key)
    }
  }

  @Test(
    "What the decoder cannot compute is refused by its key",
    arguments: [
      ("model_type", #""gpt2""#), ("hidden_act", #""gelu""#),
      ("num_local_experts", "8"), ("partial_rotary_factor", "0.5"),
      ("quantization_config", #"{"bits":4}"#),
      ("rope_parameters", #"{"rope_type":"longrope","factor":4.0}"#),
      ("layer_types", #"["linear_attention"]"#),
      ("hidden_size", #""wide""#), ("num_attention_heads", "0"), ("vocab_size", "null"),
      ("eos_token_id", #"["a"]"#),
    ])
  func refusedFeatures(key: String, value: String) {
    let error = #expect(throws: FileError.self) { try configuration([key: value]) }
    #expect(error?.location?.contains(key == "rope_parameters" ? "rope_type" : key) == true)
    #expect(error?.file.hasSuffix("config.json") == true)
  }

  @Test(
    "What a family does not compute is refused by its key",
    arguments: [
      ("gemma2", "hidden_activation", #""gelu""#),
      ("gemma2", "use_bidirectional_attention", "true"),
      ("gemma2", "query_pre_attn_scalar", "0"), ("gemma2", "num_experts", "4"),
      ("gemma3_text", "attn_logit_softcapping", "50.0"),
      ("gemma3_text", "sliding_window_pattern", "0"),
      ("gemma3_text", "layer_types", #"["full_attention"]"#),
      ("phi3", "rope_scaling", #"{"type":"longrope"}"#), ("phi3", "partial_rotary_factor", "0.75"),
      ("smollm3", "no_rope_layers", "[1]"), ("smollm3", "no_rope_layer_interval", "0"),
      ("mistral", "layer_types", #"["full_attention","sliding_attention"]"#),
      ("olmo2", "mlp_bias", "true"), ("granite", "hidden_act", #""gelu""#),
    ])
  func refusedOfFamily(type: String, key: String, value: String) {
    let error = #expect(throws: FileError.self) {
      try configuration([
        "model_type": "\"\(type)\"", "attention_bias": nil, "rope_parameters": nil, key: value,
      ])
    }
    #expect(error?.location?.contains(key) == true, "\(error?.description ?? "")")
  }

  @Test("Layers with a window need its size")
  func windowWithoutSize() throws {
    let types = #"["full_attention","sliding_attention"]"#
    let error = #expect(throws: FileError.self) { try configuration(["layer_types": types]) }
    #expect(error?.location == "sliding window")
    let qwen2: [String: String?] = [
      "model_type": #""qwen2""#, "attention_bias": nil, "layer_types": types,
      "sliding_window": "64",
    ]
    #expect(throws: FileError.self) { try configuration(qwen2) }
    let windowed = try configuration(qwen2.merging(["use_sliding_window": "true"]) { $1 })
    #expect(windowed.slidingLayers == [1] && windowed.slidingWindow == 64)
    let first = try configuration([
      "model_type": #""qwen2""#, "attention_bias": nil, "use_sliding_window": "true",
      "max_window_layers": "1",
    ])
    #expect(first.slidingLayers == [1] && first.slidingWindow == 4096)
  }

  @Test("YaRN's attention factor follows from the keys that are there, as in Transformers")
  func yarnAttentionFactor() throws {
    func attentionFactor(_ keys: String) throws -> Double? {
      let rope =
        #"{"rope_type":"yarn","factor":4.0,"original_max_position_embeddings":16"# + keys + "}"
      guard
        case .yarn(_, let factor, _, _, _, _) = try configuration(["rope_parameters": rope])
          .ropeScaling
      else { return nil }
      return factor
    }
    let plain = try #require(try attentionFactor(""))
    #expect(abs(plain - 1.1386294361119891) < 1e-12)
    #expect(try attentionFactor(#","attention_factor":0.7"#) == 0.7)
    let both = try #require(try attentionFactor(#","mscale":0.5,"mscale_all_dim":1.0"#))
    #expect(abs(both - 0.939124428143471) < 1e-12)
    #expect(try attentionFactor(#","mscale":0.5"#) == plain)
  }

  @Test(
    "Sizes that make no sense are refused",
    arguments: [
      ("num_hidden_layers", "-1"), ("head_dim", "7"), ("num_attention_heads", "3"),
      ("hidden_size", "9e18"),
      ("num_key_value_heads", "0"), ("rms_norm_eps", "-1"), ("bos_token_id", "6"),
      ("intermediate_size", "4294967296"),
    ])
  func refusedSizes(key: String, value: String) {
    let changes =
      key == "num_attention_heads" ? [key: value, "num_key_value_heads": "2"] : [key: value]
    #expect(throws: FileError.self) { try configuration(changes) }
  }
}

struct WritingCheckpoints {
  @Test(
    "A folder written from a checkpoint reads back as it was",
    arguments: ["llama", "qwen2", "mistral"]
      + [
        "yarn", "dynamic", "qwen2-window", "qwen3", "smollm3", "olmo2", "granite", "phi3", "gemma2",
        "gemma3",
      ].map { "../decoder/" + $0 })
  func roundTrip(name: String) throws {
    let source = try Checkpoint(path: "\(fixtures)/\(name)")
    try withFolder { folder in
      let tensors = try source.tensors.map {
        TensorSource(name: $0.name, shape: $0.shape, values: try source.read($0.name))
      }
      for _ in 0..<2 {  // the second time over the first
        try Checkpoint.writeHuggingFace(
          source.configuration, tensors: tensors.reversed(), to: folder + "/a/b")
      }
      let copy = try Checkpoint(path: folder + "/a/b")
      #expect(copy.configuration == source.configuration)
      for tensor in source.tensors {
        #expect(try bits(copy.read(tensor.name)) == bits(source.read(tensor.name)))
      }
      let files = try FileManager.default.contentsOfDirectory(atPath: folder + "/a/b").sorted()
      #expect(files == ["config.json", "model.safetensors"])
    }
  }

  @Test("A write that fails leaves the files of before and nothing else")
  func interruptedWrite() throws {
    struct Interruption: Error {}
    let source = try Checkpoint(path: fixtures + "/qwen2")
    try withFolder { folder in
      var tensors = try source.tensors.map {
        TensorSource(name: $0.name, shape: $0.shape, values: try source.read($0.name))
      }
      try Checkpoint.writeHuggingFace(source.configuration, tensors: tensors, to: folder)
      let before = try bytes(of: folder + "/model.safetensors")
      let last = try #require(tensors.last)
      tensors.removeLast()
      tensors.append(TensorSource(name: last.name, shape: last.shape) { _ in throw Interruption() })
      #expect(throws: Interruption.self) {
        try Checkpoint.writeHuggingFace(source.configuration, tensors: tensors, to: folder)
      }
      #expect(try bytes(of: folder + "/model.safetensors") == before)
      #expect(
        try FileManager.default.contentsOfDirectory(atPath: folder).sorted() == [
          "config.json", "model.safetensors",
        ])
      tensors.removeLast()
      let error = #expect(throws: FileError.self) {
        try Checkpoint.writeHuggingFace(source.configuration, tensors: tensors, to: folder)
      }
      #expect(error?.location == "tensor \(last.name)")
    }
  }

  @Test("An adapter that PEFT wrote reads, and reads back from what is written here")
  func adapter() throws {
    let adapter = try PEFTAdapter(folder: fixtures + "/adapter")
    #expect((adapter.rank, adapter.alpha, adapter.dropout) == (2, 4, 0.05))
    #expect(adapter.targetModules == ["q_proj", "v_proj"])
    #expect(
      adapter.factors.map(\.module) == [
        "model.layers.0.self_attn.q_proj", "model.layers.0.self_attn.v_proj",
      ])
    #expect(
      adapter.factors.map { [$0.inputSize, $0.outputSize, $0.a.count, $0.b.count] } == [
        [8, 8, 16, 16], [8, 4, 16, 8],
      ])
    try withFolder { folder in
      try adapter.write(to: folder)
      #expect(try PEFTAdapter(folder: folder) == adapter)
      // The tensors stand in other places of the file; each one's bytes are PEFT's own.
      let written = try SafetensorsFile(path: folder + "/adapter_model.safetensors").tensors
      for theirs in try SafetensorsFile(path: fixtures + "/adapter/adapter_model.safetensors")
        .tensors
      {
        let ours = try #require(written.first { $0.description.name == theirs.description.name })
        #expect(ours.description.shape == theirs.description.shape)
        #expect(bits(ours.values) == bits(theirs.values))
      }
    }
  }
}
