import Files
import Foundation
import Testing
import Tokenizers

/// The folder of fixtures, which `make.py` in it makes with the Python library `tokenizers`.
let fixtures = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
  .appendingPathComponent("../Fixtures/tokenizers").standardized

/// What `tokenizers` gives for the lines of `lines.json`, and for rows of ids that no text encodes to.
struct Expected: Decodable {
  struct Line: Decodable {
    let ids: [Int]
    let withSpecial: [Int]
    let text: String
    let textWithoutSpecial: String

    enum CodingKeys: String, CodingKey {
      case ids, text
      case withSpecial = "with_special"
      case textWithoutSpecial = "text_without_special"
    }
  }

  struct Stray: Decodable {
    let ids: [Int]
    let text: String
  }

  let lines: [Line]
  let strays: [Stray]

  init(of name: String) throws {
    let file = fixtures.appendingPathComponent("\(name)/expected.json")
    self = try JSONDecoder().decode(Self.self, from: Data(contentsOf: file))
  }
}

func fixtureLines() throws -> [String] {
  try JSONDecoder().decode(
    [String].self, from: Data(contentsOf: fixtures.appendingPathComponent("lines.json")))
}

/// The bytes of `text`: strings compare by canonical equivalence, which is too little here.
func bytes(_ text: String) -> [UInt8] { Array(text.utf8) }

@Suite struct TokenizerTests {
  static let names = [
    "gpt2", "smollm2", "llama3", "qwen2", "prefixed", "llama2", "mistral", "metaspace", "words",
    "words-and-symbols",
    "unknown-fused", "unknown-single",
  ]

  func tokenizer(_ name: String) throws -> Tokenizer {
    try Tokenizer(path: fixtures.appendingPathComponent(name).path)
  }

  @Test("The bytes of single tokens, joined, are those of the decoded text", arguments: names)
  func bytesOfTokens(_ name: String) throws {
    let tokenizer = try tokenizer(name)
    for line in try Expected(of: name).lines {
      let parts = tokenizer.bytes(of: line.ids)
      #expect(parts.count == line.ids.count)
      // What is no UTF-8 is U+FFFD in the text alone.
      let text = String(decoding: parts.joined(), as: UTF8.self)
      #expect(bytes(text) == bytes(tokenizer.decode(line.ids)), "\(line.text)")
    }
  }

  @Test("The ids of every line are those of the Python library", arguments: names)
  func ids(_ name: String) throws {
    let tokenizer = try tokenizer(name)
    for (line, expected) in zip(try fixtureLines(), try Expected(of: name).lines) {
      #expect(tokenizer.encode(line) == expected.ids, "\(line.debugDescription)")
      #expect(
        tokenizer.encode(line, addingSpecialTokens: true) == expected.withSpecial,
        "\(line.debugDescription)")
      #expect(
        tokenizer.encode(line) == expected.ids,
        "a second time, from the cache: \(line.debugDescription)")
    }
  }

  @Test("Decoding gives the text of the Python library", arguments: names)
  func decoding(_ name: String) throws {
    let tokenizer = try tokenizer(name)
    let expected = try Expected(of: name)
    for line in expected.lines {
      #expect(bytes(tokenizer.decode(line.ids)) == bytes(line.text))
      #expect(
        bytes(tokenizer.decode(line.ids, skippingSpecialTokens: true))
          == bytes(line.textWithoutSpecial))
    }
    for stray in expected.strays {
      #expect(bytes(tokenizer.decode(stray.ids)) == bytes(stray.text))
    }
  }

  @Test(
    "Encode, then decode, gives the text back", arguments: ["gpt2", "smollm2", "llama3", "llama2"])
  func roundTrip(_ name: String) throws {
    let tokenizer = try tokenizer(name)
    for line in try fixtureLines()
    where name != "llama2" || !line.contains("<") && !line.contains("▁") {
      #expect(bytes(tokenizer.decode(tokenizer.encode(line))) == bytes(line))
    }
  }

  @Test("All lines joined encode to the same ids on many threads at once")
  func concurrency() async throws {
    let tokenizer = try tokenizer("smollm2")
    let lines = try fixtureLines()
    let expected = try Expected(of: "smollm2").lines.map(\.ids)
    await withTaskGroup(of: [[Int]].self) { group in
      for _ in 0..<8 { group.addTask { lines.map { tokenizer.encode($0) } } }
      for await ids in group { #expect(ids == expected) }
    }
  }

  @Test(
    "A long word without spaces takes a time that grows like its length",
    arguments: ["gpt2", "llama2"])
  func longWord(_ name: String) throws {
    let tokenizer = try tokenizer(name)
    let word = String(repeating: "theansweris", count: 30_000)
    let elapsed = ContinuousClock().measure {
      #expect(tokenizer.decode(tokenizer.encode(word)) == word)
    }
    #expect(elapsed < .seconds(5))
  }

  @Test("Tokens are found by content and by id, compared scalar by scalar")
  func lookup() throws {
    let tokenizer = try tokenizer("smollm2")
    #expect(tokenizer.vocabularySize == 1000)
    #expect(tokenizer.id(of: "<|im_end|>") == 2)
    #expect(tokenizer.token(of: 2) == "<|im_end|>")
    #expect(tokenizer.id(of: "no such token") == nil)
    #expect(tokenizer.token(of: 1000) == nil)
    #expect(tokenizer.token(of: -1) == nil)
    #expect(tokenizer.decode([-1, 1000, Int.max]) == "")
  }
}

@Suite struct SequenceTokenTests {
  /// A copy of a fixture's tokenizer.json in a folder of its own, with `files` beside it.
  func tokenizer(_ name: String, files: [String: String]) throws -> Tokenizer {
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent(UUID().uuidString)
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    try FileManager.default.copyItem(
      at: fixtures.appendingPathComponent("\(name)/tokenizer.json"),
      to: folder.appendingPathComponent("tokenizer.json"))
    for (file, content) in files {
      try Data(content.utf8).write(to: folder.appendingPathComponent(file))
    }
    return try Tokenizer(path: folder.path)
  }

  @Test(
    "The token that ends a sequence comes from the first file that names one",
    arguments: [
      ([:], 0),
      (["config.json": #"{"eos_token_id": [2, 1]}"#], 2),
      (
        [
          "config.json": #"{"eos_token_id": 2}"#, "generation_config.json": #"{"eos_token_id": 1}"#,
        ], 1
      ),
      (
        [
          "generation_config.json": #"{"eos_token_id": 1}"#,
          "special_tokens_map.json": #"{"eos_token": {"content": "<|im_end|>", "lstrip": false}}"#,
        ], 2
      ),
      (
        [
          "tokenizer_config.json": #"{"eos_token": "<|im_start|>", "bos_token": null}"#,
          "special_tokens_map.json": #"{"eos_token": "<|im_end|>"}"#,
        ], 1
      ),
    ] as [([String: String], Int)])
  func endOfSequence(_ files: [String: String], expected: Int) throws {
    let tokenizer = try tokenizer("smollm2", files: files)
    #expect(tokenizer.endOfSequence == expected)
    #expect(try tokenizer.requiredEndOfSequence() == expected)
    #expect(tokenizer.beginningOfSequence == nil)
  }

  @Test("A word-level tokenizer alone ends with </s> and begins with <s>")
  func wordLevel() throws {
    let tokenizer = try tokenizer("words", files: [:])
    #expect(tokenizer.endOfSequence == 3)
    #expect(tokenizer.beginningOfSequence == 2)
  }

  @Test("A configuration that names a token which does not exist is refused")
  func unknownName() throws {
    #expect(throws: FileError.self) {
      try tokenizer("words", files: ["tokenizer_config.json": #"{"eos_token": "<|eot_id|>"}"#])
    }
    #expect(throws: FileError.self) {
      try tokenizer("words", files: ["config.json": #"{"eos_token_id": 100000}"#])
    }
  }

  @Test("A caller that needs an end of sequence gets an error where there is none")
  func missing() throws {
    let vocabulary = GGUFVocabulary(model: "gpt2", pre: "gpt-2", tokens: ["a", "b"])
    let tokenizer = try Tokenizer(vocabulary, file: "here")
    #expect(tokenizer.encode("ab cb") == [0, 1, 1])
    #expect { try tokenizer.requiredEndOfSequence() } throws: {
      "\($0)".contains("here: end of sequence: expected")
    }
  }
}
