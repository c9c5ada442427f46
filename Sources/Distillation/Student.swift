import Checkpoints
import Files
import Foundation
import LanguageModel
import Tokenizers

/// A model with the tokenizer it reads and writes with.
public struct Student {
  public var decoder: Decoder
  public var tokenizer: Tokenizer
  /// Where it came from: a path, or a preset's name.
  public var origin: String
  /// Whether prompts get the tokens that the tokenizer puts before a text (BOS).
  public var includesSpecialTokens: Bool
  /// The chat template that conversations are rendered with, if any.
  public var chat: ChatSetting

  public init(
    decoder: Decoder, tokenizer: Tokenizer, origin: String, includesSpecialTokens: Bool = true,
    chat: ChatSetting = .none
  ) {
    self.chat = chat
    self.decoder = decoder
    self.tokenizer = tokenizer
    self.origin = origin
    self.includesSpecialTokens = includesSpecialTokens
  }

  /// Reads a GGUF file or a Hugging Face folder; the tokenizer comes from the same place unless
  /// another path is given, and so does the chat template. Throws a `FileError`.
  public init(
    path: String, tokenizer tokenizerPath: String? = nil, includesSpecialTokens: Bool = true,
    weights: Decoder.WeightForm = .fp32, chat: ChatTemplateChoice = .conversations()
  ) throws {
    let path = try Checkpoint.resolved(path)
    let setting = try ChatSetting(chat, model: tokenizerPath ?? path)
    let checkpoint = try Checkpoint(path: path)
    // The tokenizer is read while the tensors are widened.
    let parts = try concurrently(
      { try Decoder(checkpoint, weights: weights) }, { try Tokenizer(path: tokenizerPath ?? path) })
    self.init(
      decoder: parts.0, tokenizer: parts.1, origin: path,
      includesSpecialTokens: includesSpecialTokens, chat: setting)
  }

  /// The same student with the adapter that PEFT or `write(to:)` left in `folder`.
  public func adapted(from folder: String) throws -> Student {
    var student = self
    let adapter = try LowRankAdapter(
      PEFTAdapter(folder: folder), for: decoder.configuration, file: folder)
    student.decoder = decoder.adapted(by: adapter)
    return student
  }

  /// Every token that ends a response: those of the tokenizer's files and of the model's
  /// configuration.
  public var stopTokens: Set<Int> {
    tokenizer.stopTokens.union(decoder.configuration.endsOfSequence)
  }

  /// Throws where what was trained could not be written to `folder`, which is made; what is in it stays as it was.
  public func checkWritable(to folder: String) throws {
    if decoder.adapter != nil { try PEFTAdapter.checkFolder(folder) }
    let name = decoder.adapter == nil ? "model" : "adapter_model"
    try AtomicFile.check("\(folder)/\(name).safetensors")
  }

  /// Writes what was trained, with the tokenizer's files: a PEFT adapter where there is one, else a
  /// Hugging Face folder with `generation_config.json`.
  ///
  /// `generation_config.json` is copied from the student's origin; if its `eos_token_id` lacks the
  /// token that training appends, that is put before the others, so that Transformers stops there.
  /// Where there is none, one is written whose `eos_token_id` lists the token that training appends,
  /// then the other stop tokens.
  public func write(to folder: String) throws {
    if let adapter = decoder.adapter {
      try adapter.write(to: folder, baseModel: origin)
    } else {
      try decoder.write(to: folder)
      try writeGenerationConfiguration(to: folder)
    }
    try writeTokenizer(to: folder)
  }

  /// Writes the model without its adapter as a Hugging Face folder, as `write(to:)` does, all tensors rounded to `type`:
  /// F32, F16 or BF16. Returns what that changed. Throws also where a number is not finite, or too large for `type`.
  public func write(to folder: String, roundedTo type: ElementType) throws -> RoundingShift {
    let shift = try decoder.write(to: folder, roundedTo: type)
    try writeGenerationConfiguration(to: folder)
    try writeTokenizer(to: folder)
    return shift
  }

  /// Writes the model without its adapter as a GGUF with its tokenizer and chat template, matrices in `type`: F32, F16,
  /// BF16 or Q8_0. Throws also where a GGUF cannot state the model or its tokenizer.
  public func writeGGUF(to path: String, type: ElementType) throws -> GGUFExport {
    let name = origin.split(separator: "/").last.map(String.init) ?? origin
    let metadata = try tokenizer.ggufMetadata(
      rows: decoder.configuration.vocabularySize,
      modelName: name.hasSuffix(".gguf") ? String(name.dropLast(5)) : name)
    return try decoder.writeGGUF(to: path, type: type, metadata: metadata)
  }

  private func writeTokenizer(to folder: String) throws {
    do { try tokenizer.write(to: folder) } catch let error as CocoaError {
      throw FileError(
        file: folder, expected: "a folder that the tokenizer's files can be copied to",
        found: error.localizedDescription)
    }
  }

  private func writeGenerationConfiguration(to folder: String) throws {
    let name = "generation_config.json"
    let target = folder + "/" + name
    let originFolder =
      FileContents.isFolder(origin)
      ? origin : URL(fileURLWithPath: origin).deletingLastPathComponent().path
    let source = originFolder + "/" + name
    let isHuggingFace = FileContents.isFolder(origin) || origin.hasSuffix(".safetensors")
    let end = tokenizer.endOfSequence ?? decoder.configuration.endOfSequence
    if isHuggingFace, FileContents.exists(source) {
      var content = try FileContents.bytes(of: source)
      let json = try JSONNode(path: source)
      let ends = try json.integers("eos_token_id")
      if let end, !ends.contains(end), case .object(var members) = json.value {
        let all = JSONMember(
          key: "eos_token_id", value: .array(([end] + ends).map(JSONValue.integer)))
        members = members.filter { $0.key != all.key } + [all]
        content = Array((JSONValue.object(members).text(isIndented: true) + "\n").utf8)
      }
      let file = try AtomicFile(path: target)
      try file.write(content)
      try file.commit()
      return
    }
    let ends = [end].compactMap(\.self) + stopTokens.filter { $0 != end }.sorted()
    var members: [String: JSONValue] = ["eos_token_id": .array(ends.map(JSONValue.integer))]
    members["bos_token_id"] = tokenizer.beginningOfSequence.map(JSONValue.integer)
    let file = try AtomicFile(path: target)
    try file.write(JSONValue.object(members).text(isIndented: true) + "\n")
    try file.commit()
  }

  /// What turns text into this student's training examples. Throws where the tokenizer names no
  /// end-of-sequence token.
  public func exampleTokenizer() throws -> ExampleTokenizer {
    let c = decoder.configuration
    return try ExampleTokenizer(
      tokenizer, maximumTokens: c.maximumPositions, vocabularySize: c.vocabularySize,
      includesSpecialTokens: includesSpecialTokens, modelEnds: c.endsOfSequence, chat: chat)
  }
}
