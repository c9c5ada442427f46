import Checkpoints
import Files
import Foundation
import TestSupport
import Testing
import Tokenizers

/// A `tokenizer.json` as the metadata of a GGUF, read back from a file.
@Suite struct GGUFVocabularyWritingTests {
  /// The tokenizer at `path` after a way through a GGUF with `extraRows` embeddings more than tokens.
  private func written(_ path: String, extraRows: Int = 0, in folder: TemporaryFolder) throws
    -> (Tokenizer, GGUFFile)
  {
    let tokenizer = try Tokenizer(path: path)
    let rows = tokenizer.vocabularySize + extraRows
    let configuration = ModelConfiguration(
      vocabularySize: rows, hiddenSize: 2, intermediateSize: 2, layerCount: 1, headCount: 1)
    let file = folder.path + "/x.gguf"
    _ = try Checkpoint.writeGGUF(
      configuration,
      tensors: configuration.tensorShapes.map {
        TensorSource(
          name: $0.name, shape: $0.shape, values: Array(repeating: 1, count: $0.shape.reduce(1, *)))
      }, type: .f32, metadata: try tokenizer.ggufMetadata(rows: rows, modelName: "student"),
      to: file)
    return (try Tokenizer(path: file), try GGUFFile(path: file))
  }

  @Test(
    "A GGUF gives the ids and the texts of the tokenizer.json that it was made from",
    arguments: [
      ("gpt2", "gpt-2"), ("smollm2", "smollm"), ("llama3", "llama-bpe"), ("qwen2", "qwen2"),
      ("llama2", "default"),
    ])
  func ids(_ name: String, pre: String) throws {
    let folder = try TemporaryFolder()
    let path = fixtures.appendingPathComponent(name).path
    let (copy, file) = try written(path, extraRows: 3, in: folder)
    #expect(file.metadata["tokenizer.ggml.pre"] == .string(pre))
    let original = try Tokenizer(path: path)
    #expect(copy.vocabularySize == original.vocabularySize + 3)
    #expect(copy.token(of: original.vocabularySize) == "[PAD\(original.vocabularySize)]")
    #expect(copy.stopTokens == original.stopTokens)
    for (line, expected) in zip(try fixtureLines(), try Expected(of: name).lines) {
      #expect(copy.encode(line) == expected.ids, "\(line.debugDescription)")
      #expect(
        copy.encode(line, addingSpecialTokens: true) == expected.withSpecial,
        "\(line.debugDescription)")
      #expect(bytes(copy.decode(expected.ids)) == bytes(expected.text))
    }
  }

  @Test(
    "Published families keep their ids, special tokens and stop tokens, as in the GGUF of llama.cpp's converter",
    arguments: ["llama-2", "llama-3", "qwen2", "mistral-nemo"])
  func families(_ name: String) throws {
    let folder = try TemporaryFolder()
    let path = FamilyTests.folder(name).path
    let (copy, file) = try written(path, in: folder)
    let original = try Tokenizer(path: path)
    #expect(copy.startTokens == original.startTokens)
    #expect(copy.beginningOfSequence == original.beginningOfSequence)
    #expect(copy.endOfSequence == original.endOfSequence)
    #expect(copy.stopTokens == original.stopTokens)
    for expected in try FamilyTests.cases(name) {
      #expect(copy.encodePrompt(expected.prompt) == original.encodePrompt(expected.prompt))
      #expect(
        copy.encode(expected.response, after: expected.promptIDs)
          == original.encode(expected.response, after: expected.promptIDs))
      #expect(copy.decode(expected.ids) == original.decode(expected.ids))
    }
    let theirs = try GGUFFile(path: path + "/vocabulary.gguf").metadata
    for key in ["model", "tokens", "merges", "bos_token_id", "eos_token_id"] {
      #expect(
        file.metadata["tokenizer.ggml.\(key)"] == theirs["tokenizer.ggml.\(key)"], "\(key)")
    }
  }

  @Test("Phi-3's special tokens that take white space with them are told by the model's name")
  func phi3() throws {
    let folder = try TemporaryFolder()
    let source = FamilyTests.folder("phi-3")
    for name in ["tokenizer_config.json", "generation_config.json"] {
      try FileManager.default.copyItem(
        at: source.appendingPathComponent(name), to: URL(fileURLWithPath: folder.path + "/" + name))
    }
    var json = try #require(
      try JSONSerialization.jsonObject(
        with: Data(contentsOf: source.appendingPathComponent("tokenizer.json"))) as? [String: Any])
    var added = try #require(json["added_tokens"] as? [[String: Any]])
    // As in the released tokenizer.
    for index in added.indices where added[index]["content"] as? String == "</s>" {
      added[index]["rstrip"] = true
    }
    json["added_tokens"] = added
    try JSONSerialization.data(withJSONObject: json)
      .write(to: URL(fileURLWithPath: folder.path + "/tokenizer.json"))
    let original = try Tokenizer(path: folder.path)
    let (copy, file) = try written(folder.path, in: folder)
    #expect(file.metadata["general.name"] == .string("Phi-3 student"))
    #expect(copy.stopTokens == original.stopTokens)
    let cases = try FamilyTests.cases("phi-3")
    #expect(cases.contains { $0.prompt.contains("<|end|>") })
    for expected in cases {
      #expect(copy.encodePrompt(expected.prompt) == original.encodePrompt(expected.prompt))
      #expect(copy.encode(expected.text) == original.encode(expected.text))
    }
  }

  @Test("A GGUF's own metadata is passed on, and must fit the embedding")
  func passedOn() throws {
    let path = FamilyTests.folder("phi-3").path + "/vocabulary.gguf"
    let tokenizer = try Tokenizer(path: path)
    let own = try GGUFFile(path: path).metadata
    let passed = try tokenizer.ggufMetadata(rows: tokenizer.vocabularySize, modelName: "student")
    let keys = own.keys.filter { $0.hasPrefix("tokenizer.") }
    #expect(keys.count > 5)
    for key in keys { #expect(passed[key] == own[key]) }
    #expect(passed["general.name"] == own["general.name"] ?? .string("student"))
    let error = #expect(throws: FileError.self) {
      try tokenizer.ggufMetadata(rows: tokenizer.vocabularySize + 1, modelName: "student")
    }
    #expect(error?.location == "key tokenizer.ggml.tokens")
  }

  @Test(
    "The chat template and the padding token come from the files beside, the template's own file first"
  )
  func otherFiles() throws {
    let folder = try TemporaryFolder()
    try FileManager.default.copyItem(
      at: fixtures.appendingPathComponent("smollm2/tokenizer.json"),
      to: URL(fileURLWithPath: folder.path + "/tokenizer.json"))
    func metadata() throws -> [String: GGUFValue] {
      try Tokenizer(path: folder.path).ggufMetadata(rows: 1000, modelName: "student")
    }
    #expect(try metadata()["tokenizer.chat_template"] == nil)
    #expect(try metadata()["general.name"] == .string("student"))
    try folder.write(
      #"""
      {"pad_token": {"content": "<|im_end|>"}, "eos_token": "<|im_end|>", "bos_token": "<|im_start|>",
       "chat_template": [{"name": "tools", "template": "T"}, {"name": "default", "template": "D"}]}
      """#, to: "tokenizer_config.json")
    let tokenizer = try Tokenizer(path: folder.path)
    #expect(try metadata()["tokenizer.chat_template"] == .string("D"))
    for (key, token) in [
      ("padding", "<|im_end|>"), ("eos", "<|im_end|>"), ("bos", "<|im_start|>"),
    ] {
      let id = try #require(tokenizer.id(of: token))
      #expect(try metadata()["tokenizer.ggml.\(key)_token_id"] == .integer(id))
    }
    try folder.write("{{ messages }}", to: "chat_template.jinja")
    #expect(try metadata()["tokenizer.chat_template"] == .string("{{ messages }}"))
  }

  @Test(
    "What a GGUF cannot state of a tokenizer is refused by its place",
    arguments: [
      ("words", "model.type"), ("families/mistral", "pre_tokenizer"),
      ("families/phi-3", "added token </s>"), ("prefixed", "added token é"),
      ("unknown-single", "model"), ("unknown-fused", "model"),
    ])
  func refused(_ name: String, place: String) throws {
    let tokenizer = try Tokenizer(path: fixtures.appendingPathComponent(name).path)
    let error = #expect(throws: FileError.self) {
      try tokenizer.ggufMetadata(rows: tokenizer.vocabularySize, modelName: "student")
    }
    #expect(error?.location == place, "\(error?.description ?? "")")
    let tooMany = #expect(throws: FileError.self) {
      try tokenizer.ggufMetadata(rows: tokenizer.vocabularySize - 1, modelName: "student")
    }
    #expect(tooMany?.location == "vocabulary")
  }

  @Test("SentencePiece merges that a vocabulary does not imply are refused")
  func merges() throws {
    let folder = try TemporaryFolder()
    let original = try String(
      contentsOf: fixtures.appendingPathComponent("llama2/tokenizer.json"), encoding: .utf8)
    var json = try #require(
      try JSONSerialization.jsonObject(with: Data(original.utf8)) as? [String: Any])
    var model = try #require(json["model"] as? [String: Any])
    var merges = try #require(model["merges"] as? [Any])
    merges.removeLast()
    model["merges"] = merges
    json["model"] = model
    try JSONSerialization.data(withJSONObject: json)
      .write(to: URL(fileURLWithPath: folder.path + "/tokenizer.json"))
    let tokenizer = try Tokenizer(path: folder.path)
    let error = #expect(throws: FileError.self) {
      try tokenizer.ggufMetadata(rows: tokenizer.vocabularySize, modelName: "student")
    }
    #expect(error?.location == "model.merges" && error?.found.hasSuffix("missing") == true)
  }
}
