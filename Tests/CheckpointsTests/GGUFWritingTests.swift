import Checkpoints
import Files
import Foundation
import Testing

@Suite struct WritingGGUFs {
  /// What a GGUF cannot state of the tiny decoders, as the released models have it: llama.cpp takes these as given.
  private static let released: [String: @Sendable (inout ModelConfiguration) -> Void] = [
    "smollm3": { $0.layersWithoutRope = [] },
    "gemma2": { $0.attentionMultiplier = 1 / Float(10).squareRoot() },
    "gemma3": { $0.attentionMultiplier = 1 / Float(10).squareRoot() },
  ]

  private func source(_ name: String) throws -> (ModelConfiguration, [TensorSource]) {
    let checkpoint = try Checkpoint(path: "\(fixtures)/../decoder/\(name)")
    var configuration = checkpoint.configuration
    Self.released[name]?(&configuration)
    let tensors = try checkpoint.tensors.map {
      TensorSource(name: $0.name, shape: $0.shape, values: try checkpoint.read($0.name))
    }
    return (configuration, tensors)
  }

  /// The type's number that follows `key` in the file: the key stands behind its length.
  private func typeCode(of key: String, in file: [UInt8]) throws -> [UInt8] {
    let pattern = littleEndian(UInt64(key.utf8.count)) + Array(key.utf8)
    let start = try #require(
      file.indices.first { file[$0] == pattern[0] && file[$0...].starts(with: pattern) })
    return Array(file[start + pattern.count..<start + pattern.count + 4])
  }

  @Test(
    "Keys, their types, tensors and their bytes are those that llama.cpp's converter writes",
    arguments: [
      "biased", "gemma2", "gemma3", "granite", "olmo2", "phi3", "qwen3", "smollm3", "yarn",
    ])
  func converter(name: String) throws {
    let theirPath = "\(fixtures)/families/\(name).gguf"
    let theirs = try GGUFFile(path: theirPath)
    var (configuration, tensors) = try source(name)
    // The converter leaves out which layers have a window; llama.cpp then takes five of six.
    if name == "gemma3" { configuration.slidingLayers = [0, 1, 2] }
    try withFolder { folder in
      let path = folder + "/x.gguf"
      let export = try Checkpoint.writeGGUF(
        configuration, tensors: tensors.reversed(), type: .f32, to: path)
      #expect(export.notes.isEmpty == (name != "phi3") && export.shift.relative == 0)
      let ours = try GGUFFile(path: path)
      let (ourBytes, theirBytes) = (try bytes(of: path), try bytes(of: theirPath))
      for (key, value) in theirs.metadata
      where !["general.name", "general.size_label"].contains(key) {
        #expect(ours.metadata[key] == value, "\(key)")
        #expect(try typeCode(of: key, in: ourBytes) == typeCode(of: key, in: theirBytes), "\(key)")
      }
      #expect(ours.tensors.count == theirs.tensors.count)
      for theirs in theirs.tensors {
        let description = theirs.description
        let tensor = try #require(
          ours.tensors.first { $0.description.name == description.name }, "\(description.name)")
        #expect(tensor.description.shape == description.shape)
        #expect(tensor.description.elementType == description.elementType)
        let (a, b) = (tensor.values.map(\.bitPattern), theirs.values.map(\.bitPattern))
        #expect(a == b, "\(description.name)")
        #expect(tensor.offset.isMultiple(of: 32))
      }
    }
  }

  @Test(
    "A GGUF in F32 holds the decoder and the values of its folder, bit for bit",
    arguments: [
      "untied", "tied", "yarn", "dynamic", "biased", "mistral", "mistral-window", "qwen2",
      "qwen2-window", "qwen3", "smollm3", "olmo2", "granite", "phi3", "gemma2", "gemma3",
    ])
  func roundTrip(name: String) throws {
    let (configuration, tensors) = try source(name)
    try withFolder { folder in
      let export = try Checkpoint.writeGGUF(
        configuration, tensors: tensors, type: .f32, to: folder + "/deep/x.gguf")
      let copy = try Checkpoint(path: folder + "/deep/x.gguf")
      var expected = configuration
      if name.hasPrefix("mistral") { expected.architecture = .llama }
      if name == "dynamic" { expected.ropeScaling = nil }
      if name.hasSuffix("-window") || name == "mistral" {
        (expected.slidingWindow, expected.slidingLayers) = (nil, [])
      }
      #expect(copy.configuration == expected)
      #expect(
        export.notes.isEmpty != (name.hasSuffix("-window") || name == "phi3"), "\(export.notes)")
      for tensor in tensors {
        var values: [Float] = []
        try tensor.withValues { values = Array($0) }
        let found = try copy.read(tensor.name)
        // Gemma's norms are stored with the one that they add, in single precision.
        let isShifted = name.hasPrefix("gemma") && tensor.name.hasSuffix("norm.weight")
        #expect(
          isShifted
            ? found.count == values.count
              && zip(found, values).allSatisfy { abs($0 - $1) <= 0x1p-23 }
            : found.map(\.bitPattern) == values.map(\.bitPattern), "\(tensor.name)")
      }
    }
  }

  @Test("Llama 3's rotary scaling is written as the divisors that it stands for")
  func llama3() throws {
    let source = try Checkpoint(path: fixtures + "/llama")
    let tensors = try source.tensors.map {
      TensorSource(name: $0.name, shape: $0.shape, values: try source.read($0.name))
    }
    try withFolder { folder in
      let path = folder + "/x.gguf"
      _ = try Checkpoint.writeGGUF(source.configuration, tensors: tensors, type: .f32, to: path)
      func divisors(_ path: String) throws -> [Float] {
        try #require(
          GGUFFile(path: path).tensors.first { $0.description.name == "rope_freqs.weight" }
        ).values
      }
      let (found, expected) = (try divisors(path), try divisors(fixtures + "/llama.gguf"))
      #expect(found.count == expected.count && Set(expected).count > 1)
      for (a, b) in zip(found, expected) { #expect(abs(a - b) <= 1e-6 * b) }
      #expect(
        try Checkpoint(path: path).configuration.ropeScaling == source.configuration.ropeScaling)
    }
  }

  @Test(
    "Matrices have the type asked for, or F16 where their rows are no whole blocks; vectors stay in F32",
    arguments: ElementType.written)
  func types(type: ElementType) throws {
    // 32 inputs of all projections but the last of a layer, which has 48.
    let (configuration, tensors) = try source("biased")
    #expect(configuration.hiddenSize == 32 && configuration.intermediateSize == 48)
    try withFolder { folder in
      let path = folder + "/x.gguf"
      let export = try Checkpoint.writeGGUF(
        configuration, tensors: tensors, type: type, to: path)
      let file = try GGUFFile(path: path)
      let codes: [ElementType: Int] = [.f32: 0, .f16: 1, .q80: 7, .bf16: 32]
      #expect(file.metadata["general.file_type"] == codes[type].map(GGUFValue.integer))
      for tensor in file.tensors {
        let shape = tensor.description.shape
        let expected: ElementType =
          shape.count == 1 ? .f32 : type == .q80 && shape[1] == 48 ? .f16 : type
        #expect(tensor.description.elementType == expected, "\(tensor.description.name)")
      }
      // The largest error of a number is half a step: 2^-12 of it in F16, 2^-9 in BF16, 1/254 of the block's largest in
      // Q8_0.
      let bounds: [ElementType: ClosedRange<Double>] = [
        .f32: 0...0, .f16: 1e-5...0x1p-12, .bf16: 1e-4...0x1p-9, .q80: 1e-3...1e-2,
      ]
      #expect(bounds[type]?.contains(export.shift.relative) == true, "\(export.shift.relative)")
      #expect(try Checkpoint(path: path).configuration == configuration)
    }
  }

  @Test(
    "What llama.cpp takes as given and the model has otherwise is refused by its name",
    arguments: [
      ("gemma2", "attentionMultiplier"), ("gemma3", "attentionMultiplier"),
      ("smollm3", "layersWithoutRope"), ("llama3", "ropeScaling"),
    ])
  func refused(name: String, property: String) throws {
    let source = try Checkpoint(path: "\(fixtures)/../decoder/\(name)")
    let tensors = try source.tensors.map {
      TensorSource(name: $0.name, shape: $0.shape, values: try source.read($0.name))
    }
    try withFolder { folder in
      let error = #expect(throws: FileError.self) {
        try Checkpoint.writeGGUF(
          source.configuration, tensors: tensors, type: .f32, to: folder + "/x.gguf")
      }
      #expect(
        error?.location == property || property == "ropeScaling" && error != nil,
        "\(error?.description ?? "")")
      let left = try FileManager.default.contentsOfDirectory(atPath: folder)
      #expect(left.isEmpty, "\(left)")
    }
  }

  @Test("Metadata of every kind reads back as it was given")
  func metadata() throws {
    let (configuration, tensors) = try source("tied")
    let given: [String: GGUFValue] = [
      "tokenizer.ggml.model": .string("gpt2"), "tokenizer.ggml.tokens": .strings(["", "é", "Ġb"]),
      "tokenizer.ggml.token_type": .integers([1, -3]),
      "tokenizer.ggml.scores": .numbers([0, -0.5]),
      "tokenizer.ggml.add_bos_token": .bool(true), "x.negative": .integer(-(1 << 40)),
      "x.double": .number(0.1), "x.doubles": .numbers([0.1, 2]), "x.flags": .bools([true, false]),
      "x.long": .integers([1 << 40]), "general.name": .string("Größe"),
    ]
    try withFolder { folder in
      _ = try Checkpoint.writeGGUF(
        configuration, tensors: tensors, type: .f16, metadata: given, to: folder + "/x.gguf")
      let metadata = try GGUFFile(path: folder + "/x.gguf").metadata
      for (key, value) in given { #expect(metadata[key] == value, "\(key)") }
      #expect(metadata["tokenizer.ggml.bos_token_id"] == nil)
    }
  }
}
