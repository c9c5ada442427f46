import Files
import Foundation
import Testing
import Tokenizers

/// Tokenizers in the form of published families, against Transformers (`make_families.py`).
@Suite struct FamilyTests {
  static let names = ["llama-2", "mistral", "gemma", "phi-3", "llama-3", "qwen2", "mistral-nemo"]

  struct Case: Decodable {
    let prompt: String
    let response: String
    /// Of `tokenizer(prompt)` and `tokenizer(prompt + response)`.
    let promptIDs: [Int]
    let ids: [Int]
    let endsAToken: Bool

    enum CodingKeys: String, CodingKey {
      case prompt, response, ids
      case promptIDs = "prompt_ids"
      case endsAToken = "ends_a_token"
    }

    var text: String { prompt + response }
  }

  static func folder(_ name: String) -> URL { fixtures.appendingPathComponent("families/\(name)") }

  static func cases(_ name: String) throws -> [Case] {
    try JSONDecoder().decode(
      [Case].self, from: Data(contentsOf: folder(name).appendingPathComponent("expected.json")))
  }

  func tokenizer(_ name: String) throws -> Tokenizer {
    try Tokenizer(path: Self.folder(name).path)
  }

  @Test("Ids of prompt and of prompt and response are those of Transformers", arguments: names)
  func ids(_ name: String) throws {
    let tokenizer = try tokenizer(name)
    for expected in try Self.cases(name) {
      #expect(
        tokenizer.encode(expected.prompt, addingSpecialTokens: true) == expected.promptIDs,
        "\(expected.prompt.debugDescription)")
      #expect(
        tokenizer.encode(expected.text, addingSpecialTokens: true) == expected.ids,
        "\(expected.text.debugDescription)")
    }
  }

  @Test("A prompt has one BOS, whether or not its text begins with one", arguments: names)
  func oneBeginning(_ name: String) throws {
    let tokenizer = try tokenizer(name)
    let start = tokenizer.startTokens
    #expect(
      start == (["qwen2", "phi-3"].contains(name) ? [] : [tokenizer.beginningOfSequence]))
    for expected in try Self.cases(name) {
      let written = !start.isEmpty && Array(expected.promptIDs.prefix(2)) == start + start
      #expect(
        tokenizer.encodePrompt(expected.prompt)
          == (written ? Array(expected.promptIDs.dropFirst()) : expected.promptIDs))
      #expect(
        tokenizer.encodePrompt(expected.prompt, includesSpecialTokens: false)
          == tokenizer.encode(expected.prompt))
    }
  }

  @Test("A response's ids are those that follow the prompt in the whole text", arguments: names)
  func boundary(_ name: String) throws {
    let tokenizer = try tokenizer(name)
    for expected in try Self.cases(name) where expected.endsAToken {
      let prompt = tokenizer.encodePrompt(expected.prompt)
      #expect(
        tokenizer.encode(expected.response, after: prompt)
          == Array(expected.ids.dropFirst(expected.promptIDs.count)),
        "\(expected.prompt.debugDescription) and \(expected.response.debugDescription)")
    }
  }

  @Test(
    "Where no token ends with the prompt, a response has no space that is not written",
    arguments: [
      ("llama-2", "Q: 2 + 3?\nA: ", "Five"), ("mistral", "Q: 2 + 3?\nA: ", "Five"),
      ("gemma", "Q: 2 + 3?\nA: ", "Five"), ("llama-3", "Q: 2 + 3?\nA: ", "Five"),
    ])
  func noBoundary(_ name: String, prompt: String, response: String) throws {
    let tokenizer = try tokenizer(name)
    let ids = tokenizer.encodePrompt(prompt)
    let whole = ids + tokenizer.encode(response, after: ids)
    #expect(tokenizer.decode(whole, skippingSpecialTokens: true) == prompt + response)
  }

  @Test(
    "A vocabulary from GGUF gives the ids of its tokenizer.json, BOS included",
    arguments: names.filter { $0 != "mistral" })
  func gguf(_ name: String) throws {
    let tokenizer = try Tokenizer(path: Self.folder(name).path + "/vocabulary.gguf")
    let original = try self.tokenizer(name)
    #expect(tokenizer.endOfSequence == original.endOfSequence)
    #expect(tokenizer.startTokens == original.startTokens)
    #expect(tokenizer.stopTokens == original.stopTokens)
    for expected in try Self.cases(name) {
      #expect(
        tokenizer.encodePrompt(expected.prompt) == original.encodePrompt(expected.prompt),
        "\(expected.prompt.debugDescription)")
      #expect(
        tokenizer.encode(expected.response, after: expected.promptIDs)
          == original.encode(expected.response, after: expected.promptIDs))
    }
  }

  @Test("In GGUF, as in llama.cpp, text after a special token gets the space prefix too")
  func ggufPrefix() throws {
    let tokenizer = try Tokenizer(path: Self.folder("mistral").path + "/vocabulary.gguf")
    let mark = try #require(tokenizer.id(of: "[INST]"))
    #expect(tokenizer.encode("[INST]pens") == [mark] + tokenizer.encode("pens"))
    // Nor does llama.cpp leave it out before a space, as Metaspace does.
    for expected in try Self.cases("mistral")
    where !expected.prompt.contains("INST") && !expected.prompt.hasPrefix(" ") {
      #expect(tokenizer.encodePrompt(expected.prompt) == expected.promptIDs)
    }
  }

  @Test(
    "Every token that ends a response is a stop token",
    arguments: [
      ("llama-2", ["</s>"]), ("mistral", ["</s>"]), ("gemma", ["<eos>", "<end_of_turn>"]),
      ("phi-3", ["<|endoftext|>", "<|end|>"]), ("mistral-nemo", ["</s>"]),
      ("llama-3", ["<|eot_id|>", "<|end_of_text|>"]), ("qwen2", ["<|im_end|>", "<|endoftext|>"]),
    ])
  func stopTokens(_ name: String, ends: [String]) throws {
    let tokenizer = try tokenizer(name)
    #expect(tokenizer.endOfSequence == tokenizer.id(of: ends[0]))
    #expect(tokenizer.stopTokens == Set(ends.compactMap { tokenizer.id(of: $0) }))
  }

  // MARK: Written folders

  func written(_ path: String, _ check: (String) throws -> Void) throws {
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent(UUID().uuidString)
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    // Files of another tokenizer must not stay.
    try Data("{\"eos_token\": \"?\"}".utf8).write(
      to: folder.appendingPathComponent("special_tokens_map.json"))
    try Tokenizer(path: path).write(to: folder.path)
    try check(folder.path)
  }

  @Test("A copied tokenizer gives the same ids, start, end and stop tokens", arguments: names)
  func copied(_ name: String) throws {
    let original = try tokenizer(name)
    try written(Self.folder(name).path) { folder in
      let copy = try Tokenizer(path: folder)
      #expect(copy.startTokens == original.startTokens)
      #expect(copy.endOfSequence == original.endOfSequence)
      #expect(!FileContents.exists(folder + "/special_tokens_map.json"))
      for expected in try Self.cases(name) {
        #expect(copy.encode(expected.text) == original.encode(expected.text))
      }
      try copy.write(to: folder)
      #expect(try Tokenizer(path: folder).endOfSequence == original.endOfSequence)
    }
  }

  @Test("A tokenizer from GGUF is written as a tokenizer.json with the same ids", arguments: names)
  func writtenFromGGUF(_ name: String) throws {
    let path = Self.folder(name).path + "/vocabulary.gguf"
    let original = try Tokenizer(path: path)
    try written(path) { folder in
      let copy = try Tokenizer(path: folder)
      #expect(copy.vocabularySize == original.vocabularySize)
      #expect(copy.startTokens == original.startTokens)
      #expect(copy.endOfSequence == original.endOfSequence)
      #expect(copy.beginningOfSequence == original.beginningOfSequence)
      for expected in try Self.cases(name) {
        let ids = original.encode(expected.text, addingSpecialTokens: true)
        #expect(copy.encode(expected.text, addingSpecialTokens: true) == ids)
        #expect(copy.decode(ids) == original.decode(ids))
      }
    }
  }

  @Test("Files of Hugging Face's cache, which are links, are written as files")
  func writtenFromCache() throws {
    let cached = FileManager.default.temporaryDirectory.appendingPathComponent(
      "models--a--\(UUID().uuidString)")
    defer { try? FileManager.default.removeItem(at: cached) }
    let snapshot = cached.appendingPathComponent("snapshots/0a1b")
    for folder in [snapshot, cached.appendingPathComponent("refs")] {
      try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    }
    try Data("0a1b".utf8).write(to: cached.appendingPathComponent("refs/main"))
    try FileManager.default.createSymbolicLink(
      at: snapshot.appendingPathComponent("tokenizer.json"),
      withDestinationURL: fixtures.appendingPathComponent("smollm2/tokenizer.json"))
    try written(cached.path) { folder in
      let file = folder + "/tokenizer.json"
      #expect((try? FileManager.default.destinationOfSymbolicLink(atPath: file)) == nil)
      let (copy, original) = (try Tokenizer(path: folder), try Tokenizer(path: cached.path))
      #expect(copy.encode("the") == original.encode("the"))
    }
  }

  @Test("A folder whose model names the end of sequence is written with it")
  func writtenEnd() throws {
    let source = FileManager.default.temporaryDirectory.appendingPathComponent(UUID().uuidString)
    try FileManager.default.createDirectory(at: source, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: source) }
    try FileManager.default.copyItem(
      at: fixtures.appendingPathComponent("smollm2/tokenizer.json"),
      to: source.appendingPathComponent("tokenizer.json"))
    try Data(#"{"eos_token_id": [2, 0]}"#.utf8).write(
      to: source.appendingPathComponent("config.json"))
    try written(source.path) { folder in
      let copy = try Tokenizer(path: folder)
      #expect(copy.endOfSequence == 2)
    }
  }
}

/// Which tokens are put around a text.
@Suite struct SpecialTokenTests {
  /// A copy of a family's tokenizer.json beside `configuration`, with `postProcessor` in place of
  /// its own if given.
  func tokenizer(_ name: String, _ configuration: String?, postProcessor: JSONValue? = nil) throws
    -> Tokenizer
  {
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent(UUID().uuidString)
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    let path = FamilyTests.folder(name).appendingPathComponent("tokenizer.json").path
    guard case .object(var members) = try JSONNode(path: path).value else {
      throw CocoaError(.fileReadCorruptFile)
    }
    if let postProcessor, let index = members.firstIndex(where: { $0.key == "post_processor" }) {
      members[index].value = postProcessor
    }
    try Data(JSONValue.object(members).text().utf8).write(
      to: folder.appendingPathComponent("tokenizer.json"))
    if let configuration {
      try Data(configuration.utf8).write(to: folder.appendingPathComponent("tokenizer_config.json"))
    }
    return try Tokenizer(path: folder.path)
  }

  @Test(
    "Flags count where Transformers' class reads them, else the post-processor",
    arguments: [
      // The post-processor of the file: <s> before the text.
      (nil, true, [1], []),
      (nil, false, [], []),
      (#"{"tokenizer_class": "LlamaTokenizer"}"#, false, [1], []),
      (#"{"tokenizer_class": "LlamaTokenizerFast", "add_eos_token": true}"#, true, [1], [2]),
      (#"{"tokenizer_class": "LlamaTokenizer", "add_bos_token": false}"#, true, [], []),
      (#"{"tokenizer_class": "LlamaTokenizer", "add_bos_token": null}"#, true, [], []),
      (#"{"tokenizer_class": "PreTrainedTokenizerFast", "add_bos_token": false}"#, true, [1], []),
      (#"{"tokenizer_class": "PreTrainedTokenizerFast", "add_bos_token": true}"#, false, [], []),
      (#"{"add_bos_token": true}"#, false, [1], []),
      (#"{"add_bos_token": false}"#, true, [], []),
      (#"{"add_eos_token": true}"#, true, [1], [2]),
    ] as [(String?, Bool, [Int], [Int])])
  func flags(_ configuration: String?, hasTemplate: Bool, start: [Int], end: [Int]) throws {
    let tokenizer = try tokenizer(
      "llama-2", configuration, postProcessor: hasTemplate ? nil : .null)
    let ids = tokenizer.encode("Five pens")
    #expect(tokenizer.encode("Five pens", addingSpecialTokens: true) == start + ids + end)
    // An end of sequence never stands between prompt and response.
    #expect(tokenizer.encodePrompt("Five pens") == start + ids)
  }

  @Test("A flag that is no truth value is refused with its place")
  func wrongFlag() {
    #expect {
      try tokenizer("llama-2", #"{"tokenizer_class": "LlamaTokenizer", "add_bos_token": "yes"}"#)
    } throws: {
      "\($0)".contains("tokenizer_config.json: add_bos_token: expected true or false")
    }
  }

  /// Vocabularies that say nothing of BOS, and those that do.
  static let vocabularies: [(GGUFVocabulary, start: [Int], end: [Int])] = {
    var bytePairs = GGUFVocabulary(
      model: "gpt2", pre: "gpt-2", tokens: ["a", "b"], beginningOfSequence: 1, endOfSequence: 0)
    let plain = bytePairs
    bytePairs.pre = "llama-bpe"
    let llama3 = bytePairs
    bytePairs.addsBeginning = false
    let llama3Without = bytePairs
    bytePairs.pre = "qwen2"
    let qwen2 = bytePairs
    bytePairs.addsBeginning = true
    bytePairs.addsEnd = true
    let qwen2With = bytePairs
    let sentencePiece = GGUFVocabulary(
      model: "llama", tokens: ["<unk>", "<s>", "</s>", "▁", "a"], scores: [0, 0, 0, -1, -2],
      tokenTypes: [2, 3, 3, 1, 1])
    var without = sentencePiece
    without.addsBeginning = false
    return [
      (plain, [], []), (llama3, [1], []), (llama3Without, [], []), (qwen2, [], []),
      (qwen2With, [1], [0]), (sentencePiece, [1], []), (without, [], []),
    ]
  }()

  @Test(
    "A GGUF file's flags count, and where they are missing llama.cpp's defaults",
    arguments: vocabularies.indices)
  func gguf(_ index: Int) throws {
    let (vocabulary, start, end) = Self.vocabularies[index]
    let tokenizer = try Tokenizer(vocabulary, file: "here")
    let ids = tokenizer.encode("a")
    #expect(tokenizer.encode("a", addingSpecialTokens: true) == start + ids + end)
    #expect(tokenizer.encodePrompt("a") == start + ids)
    #expect(tokenizer.endOfSequence == (vocabulary.model == "llama" ? 2 : 0))
  }

  @Test("The tokens that end a turn and a message in a GGUF file are stop tokens")
  func ggufStop() throws {
    var vocabulary = GGUFVocabulary(
      model: "gpt2", pre: "gpt-2", tokens: ["a", "b", "c", "<|im_end|>", "<|end|>"],
      tokenTypes: [1, 1, 1, 3, 1], endOfSequence: 0)
    (vocabulary.endOfTurn, vocabulary.endOfMessage) = (1, 2)
    // A token that is not special is text, whatever it looks like.
    #expect(try Tokenizer(vocabulary, file: "here").stopTokens == [0, 1, 2, 3])
  }
}

@Suite struct UnicodeNormalizationTests {
  @Test("Normalization form C is that of Python's unicodedata, beyond U+FFFF too")
  func composition() throws {
    let pairs = try JSONDecoder().decode(
      [[String]].self, from: Data(contentsOf: fixtures.appendingPathComponent("nfc.json")))
    #expect(pairs.count == 419)
    // A byte-level tokenizer loses nothing but what its normalizer changes.
    let tokenizer = try Tokenizer(path: FamilyTests.folder("qwen2").path)
    for pair in pairs {
      #expect(
        bytes(tokenizer.decode(tokenizer.encode(pair[0]))) == bytes(pair[1]),
        "\(pair[0].unicodeScalars.map { String($0.value, radix: 16) })")
    }
  }

  @Test("Normalization forms D, KC and KD are those of Python's unicodedata")
  func otherForms() throws {
    let rows = try JSONDecoder().decode(
      [[String]].self, from: Data(contentsOf: fixtures.appendingPathComponent("nfkc.json")))
    #expect(rows.count == 213)
    for (column, form) in ["nfd", "nfkc", "nfkd"].enumerated() {
      let tokenizer = try PipelineTests.tokenizer(form)
      for row in rows {
        #expect(
          bytes(tokenizer.decode(tokenizer.encode(row[0]))) == bytes(row[column + 1]),
          "\(form) of \(row[0].unicodeScalars.map { String($0.value, radix: 16) })")
      }
    }
  }
}
