import Files
import Foundation

/// What writing a GGUF changed.
public struct GGUFExport: Sendable {
  /// What rounding changed in the weights.
  public internal(set) var shift = RoundingShift()
  /// What the GGUF does not say of the model, one sentence each.
  public internal(set) var notes: [String] = []
}

extension Checkpoint {
  /// Writes the model as a GGUF of version 3, which llama.cpp runs and this package reads, with `metadata` (its
  /// tokenizer, its name) after the keys of its shape.
  ///
  /// Names, row order, shifted norms, keys and their types are those of llama.cpp's converter. Vectors stay in F32; a
  /// matrix whose rows are no whole blocks of `type` is written in F16, as the converter does. A file at `path` is
  /// replaced once the new one is complete.
  ///
  /// - Parameters:
  ///   - tensors: those of `configuration.tensorShapes`, in any order.
  ///   - type: that of the matrices: F32, F16, BF16 or Q8_0.
  /// - Returns: what rounding changed, and what the file does not say: llama.cpp has sliding windows in some families
  ///   alone.
  /// - Throws: `FileError` when a tensor is missing, unknown or of another shape; when a number is not finite or too
  ///   large for `type`; when a GGUF cannot state the configuration; or when the file cannot be written.
  ///
  /// Source: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md; `set_gguf_parameters`, `modify_tensors` and
  /// `prepare_tensors` of llama.cpp's converter.
  public static func writeGGUF(
    _ configuration: ModelConfiguration, tensors: [TensorSource], type: ElementType,
    metadata: [String: GGUFValue] = [:], to path: String
  ) throws -> GGUFExport {
    precondition(ElementType.written.contains(type), "\(type.rawValue) is not written")
    try configuration.check(file: path)
    try check(tensors, configuration, file: path)
    let entries = tensors.map { GGUFEntry($0, configuration, type) } + rotaryDivisors(configuration)
    var all = configuration.ggufMetadata(type)
    if metadata["tokenizer.ggml.model"] == nil {
      // A bare decoder: only its special tokens are stated.
      all["tokenizer.ggml.bos_token_id"] = configuration.beginningOfSequence.map(GGUFValue.integer)
      all["tokenizer.ggml.eos_token_id"] = configuration.endOfSequence.map(GGUFValue.integer)
    }
    all.merge(metadata) { $1 }
    var export = GGUFExport()
    export.notes = try notes(configuration, all, entries, file: path)

    try AtomicFile.makeFolder(AtomicFile.folder(of: path))
    let file = try AtomicFile(path: path)
    var header = GGUFHeader()
    header.append(entries: entries.count, metadata: all)
    var offset = 0
    for entry in entries {
      header.append(entry, offset: offset)
      offset += GGUFHeader.padded(entry.byteCount)
    }
    try file.write(header.paddedBytes)
    for entry in entries {
      try entry.source.withCheckedValues { values in
        let bytes = try entry.withStoredOrder(values) {
          try export.shift.round($0, to: entry.type, name: entry.source.name, file: path)
        }
        try file.write(bytes)
        try file.write([UInt8](repeating: 0, count: GGUFHeader.padded(bytes.count) - bytes.count))
      }
    }
    try file.commit()
    return export
  }

  /// The tensor by which a GGUF states Llama 3's rotary scaling: what each frequency is divided by.
  private static func rotaryDivisors(_ c: ModelConfiguration) -> [GGUFEntry] {
    guard case .llama3(let factor, let low, let high, let positions) = c.ropeScaling else {
      return []
    }
    let divisors = (0..<c.headDimension / 2).map { index in
      let frequency = pow(c.ropeTheta, -2 * Double(index) / Double(c.headDimension))
      let turns = Double(positions) * frequency / (2 * .pi)
      let kept = min(max((turns - low) / (high - low), 0), 1)
      return Float(1 / ((1 - kept) / factor + kept))
    }
    return [GGUFEntry(vector: "rope_freqs.weight", divisors)]
  }

  /// What the file does not say of `configuration`. Throws where that changes what the model computes, unless llama.cpp
  /// has no way to compute it.
  private static func notes(
    _ configuration: ModelConfiguration, _ metadata: [String: GGUFValue], _ entries: [GGUFEntry],
    file: String
  ) throws -> [String] {
    let family = configuration.architecture.family
    let described = GGUFDescription(
      path: file, metadata: metadata,
      tensors: entries.map {
        TensorDescription(
          name: $0.name, shape: $0.source.shape, elementType: $0.type, byteCount: $0.byteCount,
          file: file)
      },
      ropeDivisors: try entries.first { $0.name == "rope_freqs.weight" }?.source.values)
    let stated = try described.configuration()
    var expected = configuration
    var notes: [String] = []
    expected.architecture = stated.architecture
    if let window = configuration.slidingWindow {
      if !family.statesWindowInGGUF {
        (expected.slidingWindow, expected.slidingLayers) = (nil, [])
      }
      // llama.cpp reads Phi-3's and does not use it. Source: `src/models/phi3.cpp` there.
      if window < configuration.maximumPositions,
        !family.statesWindowInGGUF || configuration.architecture == .phi3
      {
        notes.append(
          "llama.cpp has no sliding window in \(family.architecture.rawValue): its logits differ after \(window) tokens"
        )
      }
    }
    // It has no effect up to the model's positions.
    if case .dynamic = expected.ropeScaling { expected.ropeScaling = nil }
    (expected.beginningOfSequence, expected.endsOfSequence) = (
      stated.beginningOfSequence, stated.endsOfSequence
    )
    if stated.localRopeTheta != nil, expected.localRopeTheta == nil {
      expected.localRopeTheta = expected.ropeTheta
    }
    expected.takeCloseNumbers(of: stated)
    guard expected == stated else {
      let (place, own, other) = expected.firstDifference(from: stated)
      throw FileError(
        file: file, location: place,
        expected: "\(other), which is all that a GGUF of a \(family.ggufArchitecture) can say",
        found: own)
    }
    return notes
  }
}

extension ModelConfiguration {
  /// The metadata of a GGUF that describes the decoder, with matrices in `type`.
  fileprivate func ggufMetadata(_ type: ElementType) -> [String: GGUFValue] {
    let family = architecture.family
    var keys: [String: GGUFValue] = [
      "block_count": .integer(layerCount),
      "context_length": .integer(maximumPositions),
      "embedding_length": .integer(hiddenSize),
      "feed_forward_length": .integer(intermediateSize),
      "attention.head_count": .integer(headCount),
      "attention.head_count_kv": .integer(keyValueHeadCount),
      "attention.layer_norm_rms_epsilon": .float(rmsNormEpsilon),
      "attention.key_length": .integer(headDimension),
      "attention.value_length": .integer(headDimension),
      "rope.dimension_count": .integer(headDimension),
      "rope.freq_base": .float(Float(ropeTheta)),
      "vocab_size": .integer(vocabularySize),
    ]
    switch ropeScaling {
    case .linear(let factor):
      keys["rope.scaling.type"] = .string("linear")
      keys["rope.scaling.factor"] = .float(Float(factor))
    case .yarn(let factor, let attentionFactor, let fast, let slow, let positions, _):
      keys["rope.scaling.type"] = .string("yarn")
      keys["rope.scaling.factor"] = .float(Float(factor))
      keys["rope.scaling.original_context_length"] = .integer(positions)
      keys["rope.scaling.yarn_beta_fast"] = .float(Float(fast))
      keys["rope.scaling.yarn_beta_slow"] = .float(Float(slow))
      // llama.cpp multiplies its own factor by this one.
      let own = 1 + 0.1 * log(factor)
      if attentionFactor != own {
        keys["rope.scaling.attn_factor"] = .float(Float(attentionFactor / own))
      }
    case .llama3, .dynamic, nil: break
    }
    keys.merge(family.ownGGUFKeys(self)) { $1 }
    let fileTypes: [ElementType: Int] = [.f32: 0, .f16: 1, .q80: 7, .bf16: 32]
    var metadata: [String: GGUFValue] = [
      "general.architecture": .string(family.ggufArchitecture),
      "general.type": .string("model"),
      "general.file_type": .integer(fileTypes[type] ?? 0),
      "general.quantization_version": .integer(2),
    ]
    for (key, value) in keys { metadata["\(family.ggufArchitecture).\(key)"] = value }
    return metadata
  }

  /// Replaces numbers by those of `other` that differ by rounding to single precision alone.
  fileprivate mutating func takeCloseNumbers(of other: ModelConfiguration) {
    func areClose(_ a: Double, _ b: Double) -> Bool { abs(a - b) <= 1e-6 * abs(b) }
    if areClose(ropeTheta, other.ropeTheta) { ropeTheta = other.ropeTheta }
    if let a = localRopeTheta, let b = other.localRopeTheta, areClose(a, b) { localRopeTheta = b }
    // Nil is 1 / √(head dimension).
    let usual = 1 / Float(headDimension).squareRoot()
    if areClose(Double(attentionMultiplier ?? usual), Double(other.attentionMultiplier ?? usual)) {
      attentionMultiplier = other.attentionMultiplier
    }
    switch (ropeScaling, other.ropeScaling) {
    case (.linear(let a), .linear(let b)) where areClose(a, b): ropeScaling = other.ropeScaling
    case (
      .yarn(let a, let b, let c, let d, let e, let f),
      .yarn(let g, let h, let i, let j, let k, let l)
    )
    where areClose(a, g) && areClose(b, h) && areClose(c, i) && areClose(d, j) && e == k && f == l:
      ropeScaling = other.ropeScaling
    case (.llama3(let a, let b, let c, let d), .llama3(let e, let f, let g, let h))
    where areClose(a, e) && b == f && c == g && d == h:
      ropeScaling = other.ropeScaling
    default: break
    }
  }

  /// The name of the first property that differs, and its two values. Precondition: one does.
  fileprivate func firstDifference(from other: ModelConfiguration) -> (String, String, String) {
    for (a, b) in zip(Mirror(reflecting: self).children, Mirror(reflecting: other).children) {
      let (own, theirs) = ("\(a.value)", "\(b.value)")
      if own != theirs { return (a.label ?? "configuration", own, theirs) }
    }
    return ("configuration", "\(self)", "\(other)")
  }
}

extension GGUFValue {
  static func float(_ value: Float) -> GGUFValue { .number(Double(value)) }
}

extension TensorSource {
  fileprivate var values: [Float] {
    get throws {
      var values: [Float] = []
      try withCheckedValues { values = Array($0) }
      return values
    }
  }
}

/// A tensor as a GGUF is to hold it.
private struct GGUFEntry {
  let source: TensorSource
  let name: String
  let type: ElementType
  /// The heads whose two halves of rows are interleaved.
  private let interleavedHeads: Int?
  /// Is added to each number.
  private let shift: Float

  /// Precondition: `source` is one of `configuration.tensorShapes`.
  init(_ source: TensorSource, _ configuration: ModelConfiguration, _ type: ElementType) {
    let family = configuration.architecture.family
    guard let name = family.ggufName(huggingFace: source.name) else {
      preconditionFailure("a GGUF has no name for \(source.name)")
    }
    self.source = source
    self.name = name
    let isMatrix = source.shape.count > 1
    self.type =
      !isMatrix ? .f32 : (source.shape.last ?? 1).isMultiple(of: type.blockSize) ? type : .f16
    interleavedHeads = family.interleavedHeads(gguf: name, configuration)
    shift = family.normWeights(configuration).contains(source.name) ? family.normOffset : 0
  }

  init(vector name: String, _ values: [Float]) {
    source = TensorSource(name: name, shape: [values.count], values: values)
    (self.name, type, interleavedHeads, shift) = (name, .f32, nil, 0)
  }

  var byteCount: Int { source.shape.reduce(1, *) / type.blockSize * type.blockByteCount }

  /// Calls `body` with `values` as the file holds them.
  func withStoredOrder<Result>(
    _ values: UnsafeBufferPointer<Float>, _ body: (UnsafeBufferPointer<Float>) throws -> Result
  ) rethrows -> Result {
    if let heads = interleavedHeads {
      // (2, half) of each head becomes (half, 2). Source: `LlamaModel.permute` of llama.cpp's converter.
      let rowCount = source.shape[0]
      let (width, half) = (values.count / rowCount, rowCount / heads / 2)
      var stored: [Float] = []
      stored.reserveCapacity(values.count)
      for head in 0..<heads {
        for pair in 0..<half {
          for part in 0..<2 {
            let row = (head * 2 + part) * half + pair
            stored.append(contentsOf: values[row * width..<(row + 1) * width])
          }
        }
      }
      return try stored.withUnsafeBufferPointer(body)
    }
    guard shift != 0 else { return try body(values) }
    return try values.map { $0 + shift }.withUnsafeBufferPointer(body)
  }
}

/// The bytes of a GGUF before its tensors' values.
private struct GGUFHeader {
  private static let alignment = 32
  private var bytes: [UInt8] = Array("GGUF".utf8)

  static func padded(_ count: Int) -> Int { (count + alignment - 1) / alignment * alignment }

  var paddedBytes: [UInt8] {
    bytes + [UInt8](repeating: 0, count: Self.padded(bytes.count) - bytes.count)
  }

  /// Version, counts and the metadata. The architecture comes first, as readers of old versions need it.
  mutating func append(entries: Int, metadata: [String: GGUFValue]) {
    append(UInt32(3))
    append(UInt64(entries))
    append(UInt64(metadata.count))
    let first = "general.architecture"
    for key in metadata.keys.sorted(by: { $0 == first || $1 != first && $0 < $1 }) {
      append(key)
      if let value = metadata[key] { append(value) }
    }
  }

  mutating func append(_ entry: GGUFEntry, offset: Int) {
    append(entry.name)
    append(UInt32(entry.source.shape.count))
    for dimension in entry.source.shape.reversed() { append(UInt64(dimension)) }
    append(entry.type.ggufCode)
    append(UInt64(offset))
  }

  private mutating func append(_ number: some BitwiseCopyable) {
    withUnsafeBytes(of: number) { bytes.append(contentsOf: $0) }
  }

  private mutating func append(_ text: String) {
    append(UInt64(text.utf8.count))
    bytes.append(contentsOf: text.utf8)
  }

  /// A value with its type: whole numbers as UINT32, in arrays as INT32, numbers as FLOAT32, as llama.cpp reads them;
  /// wider where they do not fit.
  private mutating func append(_ value: GGUFValue) {
    switch value {
    case .string(let text):
      append(UInt32(8))
      append(text)
    case .bool(let flag):
      append(UInt32(7))
      append(UInt8(flag ? 1 : 0))
    case .integer(let number):
      if let number = UInt32(exactly: number) {
        append(UInt32(4))
        append(number)
      } else {
        append(UInt32(11))
        append(Int64(number))
      }
    case .number(let number):
      let single = Float(number)
      if Double(single) == number || number.isNaN {
        append(UInt32(6))
        append(single)
      } else {
        append(UInt32(12))
        append(number)
      }
    case .strings(let texts):
      appendArray(8, texts.count)
      for text in texts { append(text) }
    case .bools(let flags):
      appendArray(7, flags.count)
      for flag in flags { append(UInt8(flag ? 1 : 0)) }
    case .integers(let numbers):
      let areShort = numbers.allSatisfy { Int32(exactly: $0) != nil }
      appendArray(areShort ? 5 : 11, numbers.count)
      for number in numbers {
        if areShort { append(Int32(number)) } else { append(Int64(number)) }
      }
    case .numbers(let numbers):
      let areSingle = numbers.allSatisfy { Double(Float($0)) == $0 || $0.isNaN }
      appendArray(areSingle ? 6 : 12, numbers.count)
      for number in numbers { if areSingle { append(Float(number)) } else { append(number) } }
    }
  }

  private mutating func appendArray(_ type: UInt32, _ count: Int) {
    append(UInt32(9))
    append(type)
    append(UInt64(count))
  }
}
