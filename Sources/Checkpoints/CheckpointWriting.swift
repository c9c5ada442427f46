import Files

/// A tensor to be written: its values are asked for when their turn comes, so that no second copy
/// of a model exists.
public struct TensorSource {
  /// In Hugging Face's form, such as `model.layers.0.self_attn.q_proj.weight`.
  public let name: String
  /// Row-major; a projection is `[out, in]`.
  public let shape: [Int]
  /// Calls its argument once, with the values in row-major order.
  package let withValues: ((UnsafeBufferPointer<Float>) throws -> Void) throws -> Void

  /// A tensor whose values `withValues` lends to its argument, which it calls once.
  public init(
    name: String, shape: [Int],
    withValues: @escaping ((UnsafeBufferPointer<Float>) throws -> Void) throws -> Void
  ) {
    self.name = name
    self.shape = shape
    self.withValues = withValues
  }

  /// Calls `body` with the values. Precondition: there are as many as the shape says.
  func withCheckedValues(_ body: (UnsafeBufferPointer<Float>) throws -> Void) throws {
    try withValues { values in
      precondition(
        values.count == shape.reduce(1, *), "\(name) has \(values.count) values for shape \(shape)")
      try body(values)
    }
  }

  /// A tensor of the numbers in `values`.
  public init(name: String, shape: [Int], values: [Float]) {
    self.init(name: name, shape: shape) { body in try values.withUnsafeBufferPointer(body) }
  }
}

extension Checkpoint {
  /// Writes `config.json` and `model.safetensors` (F32) into `folder`, made where it is missing, so
  /// that Transformers loads them. Files of these names are replaced once the new ones are
  /// complete; then the index, the shards and the adapter of another model are removed, which would
  /// be read beside them.
  ///
  /// - Parameter tensors: those of `configuration.tensorShapes`, in any order.
  /// - Throws: `FileError` when a tensor is missing, unknown or of another shape, when
  ///   Transformers has no such configuration, or when the files cannot be written.
  public static func writeHuggingFace(
    _ configuration: ModelConfiguration, tensors: [TensorSource], to folder: String
  ) throws {
    try writeHuggingFace(configuration, tensors, .f32, to: folder) { path in
      try SafetensorsFile.write(tensors, path: path)
    }
  }

  /// The same with all tensors rounded to `type`, which is F32, F16 or BF16. Returns what that changed. Throws also
  /// where a number is not finite, or too large for `type`.
  public static func writeHuggingFace(
    _ configuration: ModelConfiguration, tensors: [TensorSource], roundedTo type: ElementType,
    to folder: String
  ) throws -> RoundingShift {
    precondition(type.blockSize == 1, "\(type.rawValue) in a Hugging Face folder")
    var shift = RoundingShift()
    try writeHuggingFace(configuration, tensors, type, to: folder) { path in
      try SafetensorsFile.write(tensors, metadata: [:], type: type, path: path) { tensor, file in
        try tensor.withCheckedValues { values in
          let bytes = try shift.round(values, to: type, name: tensor.name, file: path)
          try bytes.withUnsafeBytes(file.write)
        }
      }
    }
    return shift
  }

  private static func writeHuggingFace(
    _ configuration: ModelConfiguration, _ tensors: [TensorSource], _ type: ElementType,
    to folder: String, writingTensors: (_ path: String) throws -> AtomicFile
  ) throws {
    let path = folder + "/model.safetensors"
    try configuration.check(file: folder + "/config.json")
    let family = configuration.architecture.family
    guard family.canState(biased: configuration.biasedProjections) else {
      let names = configuration.biasedProjections.map(\.rawValue)
      throw FileError(
        file: folder + "/config.json", location: "biases",
        expected: "those that a \(family.architecture.rawValue) can have in Transformers",
        found: names.isEmpty ? "none" : names.joined(separator: ", "))
    }
    try check(tensors, configuration, file: path)
    try AtomicFile.makeFolder(folder)
    let weights = try writingTensors(path)
    let json = try AtomicFile(path: folder + "/config.json")
    try json.write(configuration.huggingFace(type).text(isIndented: true))
    try weights.commit()
    try json.commit()
    try removeStaleFiles(folder: folder)
  }

  /// Throws, naming `path`, where `tensors` are not those of `configuration.tensorShapes`, each once.
  static func check(
    _ tensors: [TensorSource], _ configuration: ModelConfiguration, file path: String
  ) throws(FileError) {
    var expected = Dictionary(uniqueKeysWithValues: configuration.tensorShapes)
    for tensor in tensors {
      guard let shape = expected.removeValue(forKey: tensor.name) else {
        throw FileError(
          file: path, location: "tensor \(tensor.name)",
          expected: "each tensor of the decoder once",
          found: "another one")
      }
      guard shape == tensor.shape else {
        throw FileError(
          file: path, location: "tensor \(tensor.name)", expected: "shape \(shape)",
          found: "\(tensor.shape)")
      }
    }
    if let missing = expected.keys.min() {
      throw FileError(
        file: path, location: "tensor \(missing)", expected: "a tensor to write",
        found: "no such tensor")
    }
  }
}

extension SafetensorsFile {
  /// Writes `tensors` as F32 with `metadata` to `path`, the whole file or nothing. The folder is
  /// made where it is missing.
  package static func save(_ tensors: [TensorSource], metadata: [String: String], to path: String)
    throws
  {
    if let slash = path.lastIndex(of: "/"), slash != path.startIndex {
      try AtomicFile.makeFolder(String(path[..<slash]))
    }
    try write(tensors, metadata: metadata, path: path).commit()
  }

  /// Writes `tensors` as F32, in their order; the file takes its place at `path` when the caller
  /// commits it.
  static func write(_ tensors: [TensorSource], metadata: [String: String] = [:], path: String)
    throws -> AtomicFile
  {
    try write(tensors, metadata: metadata, type: .f32, path: path) { tensor, file in
      try tensor.withCheckedValues { try file.write(UnsafeRawBufferPointer($0)) }
    }
  }

  /// The same with tensors in `type`, whose bytes `body` writes.
  static func write(
    _ tensors: [TensorSource], metadata: [String: String], type: ElementType, path: String,
    body: (TensorSource, AtomicFile) throws -> Void
  ) throws -> AtomicFile {
    // Transformers refuses a file whose metadata does not say which framework's layout it has.
    let metadata = metadata.merging(["format": "pt"]) { own, _ in own }
    var header: [String: JSONValue] = [
      "__metadata__": .object(metadata.mapValues(JSONValue.string))
    ]
    var end = 0
    for tensor in tensors {
      let start = end
      end += type.blockByteCount * tensor.shape.reduce(1, *)
      header[tensor.name] = .object([
        "dtype": .string(type.rawValue),
        "shape": .array(tensor.shape.map(JSONValue.integer)),
        "data_offsets": .array([.integer(start), .integer(end)]),
      ])
    }
    var bytes = Array(JSONValue.object(header).text().utf8)
    while !bytes.count.isMultiple(of: 8) { bytes.append(UInt8(ascii: " ")) }

    let file = try AtomicFile(path: path)
    try withUnsafeBytes(of: UInt64(bytes.count).littleEndian, file.write)
    try bytes.withUnsafeBytes(file.write)
    for tensor in tensors { try body(tensor, file) }
    return file
  }
}
