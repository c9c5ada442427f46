import Files

/// A model's configuration and tensors, read-only and memory-mapped: a Hugging Face folder or file,
/// or a GGUF.
///
/// Reading is safe from several threads at once.
public final class Checkpoint: Sendable {
  public let configuration: ModelConfiguration
  /// The decoder's tensors, all of them and no others, in the order of
  /// `ModelConfiguration.tensorShapes`.
  public let tensors: [TensorDescription]
  /// The GGUF's metadata, for the tokenizer; nil for a Hugging Face checkpoint.
  public let gguf: GGUFFile?

  private let path: String
  private let stored: [String: StoredTensor]

  /// Opens the checkpoint at `path` and checks that it holds each tensor of the decoder, in its
  /// shape, and nothing that the decoder cannot compute. Values are read later.
  ///
  /// - Parameter path: a folder with `config.json` and `model.safetensors` or
  ///   `model.safetensors.index.json` (the first where both exist, as in Transformers), or the
  ///   `models--…` folder of Hugging Face's cache in which such a folder lies; a `.safetensors` file
  ///   with `config.json` beside it; or a `.gguf` file.
  /// - Throws: `FileError`.
  public init(path: String) throws {
    let path = try Checkpoint.resolved(path)
    self.path = path
    let found: [StoredTensor]
    if path.hasSuffix(".gguf") {
      let file = try GGUFFile(path: path)
      configuration = try file.configuration()
      found = try file.huggingFaceTensors(configuration)
      gguf = file
    } else {
      let isFile = path.hasSuffix(".safetensors")
      let folder = isFile ? AtomicFile.folder(of: path) : path
      var configuration = try ModelConfiguration(huggingFacePath: folder + "/config.json")
      let stored =
        try isFile ? SafetensorsFile(path: path).tensors : Checkpoint.tensors(folder: folder)
      found = Checkpoint.tied(stored, &configuration)
      self.configuration = configuration
      gguf = nil
    }
    stored = try Checkpoint.checked(found, configuration, path: path)
    tensors = configuration.tensorShapes.compactMap { [stored] in stored[$0.name]?.description }
  }

  /// Dequantizes tensor `name` into `values`, row-major.
  ///
  /// Throws when there is no such tensor. Precondition: `values` holds as many numbers as the
  /// tensor's shape.
  public func read(_ name: String, into values: UnsafeMutableBufferPointer<Float>) throws {
    try tensor(name).read(into: values)
  }

  /// The numbers of tensor `name`, dequantized, row-major. Throws when there is no such tensor.
  public func read(_ name: String) throws -> [Float] {
    try tensor(name).values
  }

  /// The tensor called `name`, as it is stored. Throws when there is no such tensor.
  package func tensor(_ name: String) throws -> StoredTensor {
    guard let tensor = stored[name] else {
      throw FileError(
        file: path, location: "tensor \(name)",
        expected: "a tensor of the decoder",
        found: "no such tensor")
    }
    return tensor
  }

  /// Ties embedding and output where the configuration says so and they are equal, or only one of
  /// them is stored. Where both are stored and differ, they are not tied, whatever the configuration
  /// says.
  ///
  /// Source: `PreTrainedModel.tie_weights` in transformers 5.
  private static func tied(_ tensors: [StoredTensor], _ configuration: inout ModelConfiguration)
    -> [StoredTensor]
  {
    guard configuration.tiesEmbeddings else { return tensors }
    let family = configuration.architecture.family
    guard let output = tensors.firstIndex(where: { $0.description.name == family.outputWeight })
    else { return tensors }
    var tensors = tensors
    let embedding = tensors.first { $0.description.name == family.embeddingWeight }
    if let embedding {
      configuration.tiesEmbeddings = embedding.hasSameValues(as: tensors[output])
    } else {
      tensors[output].description = tensors[output].description.renamed(family.embeddingWeight)
    }
    return tensors
  }

  /// The tensors by name, after a check that they are those of the decoder.
  private static func checked(
    _ found: [StoredTensor], _ configuration: ModelConfiguration, path: String
  ) throws -> [String: StoredTensor] {
    var rest: [String: StoredTensor] = [:]
    for tensor in found {
      guard rest.updateValue(tensor, forKey: tensor.description.name) == nil else {
        throw FileError(
          file: tensor.description.file, location: "tensor \(tensor.description.name)",
          expected: "one tensor of this name",
          found: "two")
      }
    }
    guard configuration.layerCount <= found.count else {
      throw FileError(
        file: path, location: "tensors", expected: "those of \(configuration.layerCount) layers",
        found: "\(found.count) tensors")
    }
    var checked: [String: StoredTensor] = [:]
    for (name, shape) in configuration.tensorShapes {
      guard let tensor = rest.removeValue(forKey: name) else {
        throw FileError(
          file: path, location: "tensor \(name)", expected: "shape \(shape)",
          found: "no such tensor")
      }
      guard tensor.description.shape == shape else {
        throw FileError(
          file: tensor.description.file, location: "tensor \(name)", expected: "shape \(shape)",
          found: "\(tensor.description.shape)")
      }
      checked[name] = tensor
    }
    // Copies of what is known already: frequencies that old checkpoints saved, and the tied
    // projection.
    let extra = rest.keys.filter {
      !$0.hasSuffix(".rotary_emb.inv_freq")
        && !($0 == configuration.architecture.family.outputWeight && configuration.tiesEmbeddings)
    }
    if let name = extra.min(), let tensor = rest[name] {
      throw FileError(
        file: tensor.description.file, location: "tensor \(name)",
        expected: "only tensors of a \(configuration.architecture.rawValue) decoder",
        found: "another one")
    }
    return checked
  }
}
