import Files

extension Checkpoint {
  /// The files that Transformers may read for a tokenizer.
  package static let tokenizerFileNames = [
    "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json",
    "chat_template.jinja", "chat_template.json", "tokenizer.model", "vocab.json", "merges.txt",
  ]

  /// `path`; or, of a model's folder in the cache of Hugging Face's hub (`models--ORGANISATION--NAME`), the snapshot in
  /// it that `refs/main` names.
  ///
  /// Throws where there is no such snapshot.
  ///
  /// Source: https://huggingface.co/docs/huggingface_hub/guides/manage-cache
  package static func resolved(_ path: String) throws(FileError) -> String {
    let snapshots = path + "/snapshots"
    guard FileContents.isFolder(snapshots), !FileContents.exists(path + "/config.json") else {
      return path
    }
    let reference = path + "/refs/main"
    let commit = String(decoding: try FileContents.bytes(of: reference), as: UTF8.self)
      .trimmingPrefix { $0.isWhitespace }.prefix { !$0.isWhitespace }
    let names = try FileContents.names(inFolder: snapshots)
    guard names.contains(String(commit)) else {
      throw FileError(
        file: reference, expected: "the name of a folder in \(snapshots)",
        found: names.isEmpty
          ? "none there" : "\"\(commit)\", beside \(names.joined(separator: ", "))")
    }
    return "\(snapshots)/\(commit)"
  }

  /// The files that a model, its tokenizer or an adapter at `path` is loaded from: a GGUF alone; of
  /// a folder, or of a `.safetensors` file in one, the configuration, the weights with their index,
  /// and the files of tokenizer, generation and adapter that are there.
  ///
  /// Throws `FileError` when `path` does not exist or an index is damaged.
  public static func files(at path: String) throws -> [String] {
    let path = try resolved(path)
    guard FileContents.exists(path) else {
      throw FileError(file: path, expected: "a model or an adapter", found: "no such file")
    }
    if !FileContents.isFolder(path), !path.hasSuffix(".safetensors") { return [path] }
    let folder = FileContents.isFolder(path) ? path : AtomicFile.folder(of: path)
    let weights = path == folder ? try weightFiles(folder: folder) : [path]
    let others =
      ["config.json", "generation_config.json"] + tokenizerFileNames + PEFTAdapter.fileNames
    return weights + others.map { "\(folder)/\($0)" }.filter(FileContents.exists)
  }

  /// The SHA-256 of everything that a model or an adapter is loaded from (see `files(at:)`), the
  /// same wherever it lies: of a GGUF that of the file; else that of the lines which `sha256sum`
  /// writes for the files in the order of their names.
  ///
  /// Throws when a file cannot be read.
  public static func checksum(at path: String) throws -> String {
    let path = try resolved(path)
    let files = try files(at: path)
    if files == [path] { return try SHA256.hex(ofFileAt: path) }
    let named = files.map { (name: String($0.split(separator: "/").last ?? ""), path: $0) }
    return try SHA256.hex(
      of: named.sorted { $0.name < $1.name }.map {
        "\(try SHA256.hex(ofFileAt: $0.path))  \($0.name)\n"
      }.joined())
  }

  // MARK: Weights of a folder

  static func singleFile(_ folder: String) -> String { folder + "/model.safetensors" }
  static func index(_ folder: String) -> String { folder + "/model.safetensors.index.json" }

  /// The files with the weights in `folder`: `model.safetensors`, or else the index and the shards
  /// that it names. None where neither exists.
  private static func weightFiles(folder: String) throws -> [String] {
    if FileContents.exists(singleFile(folder)) { return [singleFile(folder)] }
    guard FileContents.exists(index(folder)) else { return [] }
    return [index(folder)]
      + Set(try shards(folder: folder).map(\.file)).sorted().map { "\(folder)/\($0)" }
  }

  /// The tensors that the index in `folder` lists, with the names of the shards that hold them.
  private static func shards(folder: String) throws -> [(tensor: String, file: String)] {
    let index = index(folder)
    guard let map = try JSONNode(path: index).object("weight_map") else {
      throw FileError(
        file: index, location: "key weight_map", expected: "an object", found: "no such key")
    }
    return try map.keys.sorted().map { name in
      let file = try map.string(name)
      guard !file.contains("/"), file.hasSuffix(".safetensors") else {
        throw map.error(name, expected: "the name of a .safetensors file in the same folder")
      }
      return (name, file)
    }
  }

  /// The tensors in `folder`. As in Transformers, `model.safetensors` is read where both it and an
  /// index exist.
  static func tensors(folder: String) throws -> [StoredTensor] {
    guard !FileContents.exists(singleFile(folder)), FileContents.exists(index(folder)) else {
      return try SafetensorsFile(path: singleFile(folder)).tensors
    }
    var files: [String: [String: StoredTensor]] = [:]
    return try shards(folder: folder).map { name, file in
      let path = "\(folder)/\(file)"
      if files[file] == nil {
        files[file] = try SafetensorsFile(path: path).tensorsByName
      }
      guard let tensor = files[file]?[name] else {
        throw FileError(
          file: path, location: "tensor \(name)", expected: "a tensor, as the index says",
          found: "no such tensor")
      }
      return tensor
    }
  }

  /// Removes what another model or adapter left in `folder` and what would be read beside, or
  /// instead of, the `model.safetensors` there: the index, shards and an adapter.
  static func removeStaleFiles(folder: String) throws {
    for path in try weightsOfModel(folder: folder) where path != singleFile(folder) {
      try FileContents.remove(path)
    }
    for name in PEFTAdapter.fileNames { try FileContents.remove("\(folder)/\(name)") }
  }

  /// What of `folder` holds a model's weights: `model.safetensors`, an index and shards, whether or not
  /// they belong together.
  static func weightsOfModel(folder: String) throws -> [String] {
    let shards = try FileContents.names(inFolder: folder).filter {
      $0.wholeMatch(of: /model-\d{5}-of-\d{5}\.safetensors/) != nil
    }
    return [singleFile(folder), index(folder)].filter(FileContents.exists)
      + shards.map { "\(folder)/\($0)" }
  }
}
