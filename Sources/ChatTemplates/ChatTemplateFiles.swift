import Checkpoints
import Files

extension ChatTemplate {
  /// The template of a GGUF file (`tokenizer.chat_template`) or of a Hugging Face folder; nil where it has none.
  ///
  /// In a folder it is the one that `ChatTemplateSource` finds.
  ///
  /// - Parameter path: a `.gguf` file, a folder, or a file in it (`model.safetensors`, `tokenizer.json`).
  ///
  /// Throws a `FileError` where a file can't be read, or the template can't be parsed.
  public static func ofModel(_ path: String) throws -> ChatTemplate? {
    if path.hasSuffix(".gguf") {
      let file = try GGUFFile(path: path)
      guard case .string(let source)? = file.metadata["tokenizer.chat_template"] else { return nil }
      let tokens = sequenceTokens(of: file)
      return try ChatTemplate(
        source: source, file: "\(path): tokenizer.chat_template", bosToken: tokens.bos,
        eosToken: tokens.eos)
    }
    let folder = folder(of: path)
    guard let source = try ChatTemplateSource(inFolder: folder) else { return nil }
    let tokens = try sequenceTokens(inFolder: folder)
    return try ChatTemplate(
      source: source.text, file: source.place, bosToken: tokens.bos, eosToken: tokens.eos)
  }

  /// The template in the file at `path`, for the model at `model`, whose tokens it sees as `bos_token` and `eos_token`.
  ///
  /// Throws a `FileError` where a file can't be read, or the template can't be parsed.
  public static func ofFile(_ path: String, model: String?) throws -> ChatTemplate {
    let bytes = try FileContents.text(of: path)
    guard let source = String(validating: bytes, as: UTF8.self) else {
      throw FileError(
        file: path, expected: "a text file in UTF-8", found: "bytes that are not UTF-8")
    }
    let tokens =
      switch model {
      case nil: (bos: String?.none, eos: String?.none)
      case let model? where model.hasSuffix(".gguf"): sequenceTokens(of: try GGUFFile(path: model))
      case let model?: try sequenceTokens(inFolder: folder(of: model))
      }
    return try ChatTemplate(source: source, file: path, bosToken: tokens.bos, eosToken: tokens.eos)
  }

  private static func folder(of path: String) -> String {
    FileContents.isFolder(path) ? path : AtomicFile.folder(of: path)
  }

  // MARK: GGUF

  /// The tokens that begin and end a sequence.
  private static func sequenceTokens(of file: GGUFFile) -> (bos: String?, eos: String?) {
    guard case .strings(let tokens)? = file.metadata["tokenizer.ggml.tokens"] else {
      return (nil, nil)
    }
    let isLlama = file.metadata["tokenizer.ggml.model"] == .string(LlamaVocabulary.name)
    func token(_ key: String, absent: Int) -> String? {
      var id = isLlama ? absent : -1
      if case .integer(let stored)? = file.metadata["tokenizer.ggml.\(key)"] { id = stored }
      return tokens.indices.contains(id) ? tokens[id] : nil
    }
    return (
      token("bos_token_id", absent: LlamaVocabulary.beginningOfSequence),
      token("eos_token_id", absent: LlamaVocabulary.endOfSequence)
    )
  }

  // MARK: Folders

  private static func sequenceTokens(inFolder folder: String) throws(FileError) -> (
    bos: String?, eos: String?
  ) {
    var tokens: [String: String] = [:]
    for name in ["tokenizer_config.json", "special_tokens_map.json"]
    where FileContents.exists("\(folder)/\(name)") {
      let root = try JSONNode(path: "\(folder)/\(name)")
      for key in ["bos_token", "eos_token"] where tokens[key] == nil {
        guard let node = root[key] else { continue }
        tokens[key] = try node.isObject ? node.string("content") : node.string()
      }
    }
    return (tokens["bos_token"], tokens["eos_token"])
  }
}
