import Files
import Foundation
import Randomness
import Testing
import Tokenizers

/// Files that are damaged, or that ask for what is not known here.
@Suite struct TokenizerFileTests {
  /// Reads `content` as a tokenizer.json.
  @discardableResult
  func read(_ content: Data) throws -> Tokenizer {
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent(UUID().uuidString)
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    let file = folder.appendingPathComponent("tokenizer.json")
    try content.write(to: file)
    return try Tokenizer(path: file.path)
  }

  /// A small tokenizer.json with one part replaced.
  func file(_ part: String = "", _ content: String = "") -> Data {
    var parts = [
      "version": #""1.0""#, "normalizer": "null", "pre_tokenizer": "null", "post_processor": "null",
      "decoder": "null",
      "added_tokens": "[]",
      "model": #"{"type": "BPE", "vocab": {"a": 0, "b": 1, "ab": 2}, "merges": ["a b"]}"#,
    ]
    if !part.isEmpty { parts[part] = content }
    return Data("{\(parts.map { "\"\($0)\": \($1)" }.joined(separator: ", "))}".utf8)
  }

  @Test("The small file itself is read")
  func small() throws {
    #expect(try read(file()).encode("abbax") == [2, 1, 0])
  }

  @Test("Canonically equivalent tokens stay apart")
  func equivalence() throws {
    let model =
      #"{"type": "WordLevel", "unk_token": "?", "vocab": {"?": 0, "\u00e9": 1, "e\u0301": 2, "\ud83d\ude00": 3}}"#
    let tokenizer = try read(file("model", model))
    #expect(["\u{E9}", "e\u{301}", "😀", "x"].map { tokenizer.encode($0) } == [[1], [2], [3], [0]])
    #expect(tokenizer.token(of: 2).map(bytes) == bytes("e\u{301}"))
  }

  @Test(
    "What a file asks for and is not known is said with its place, what was expected and what was found",
    arguments: [
      ("version", #""2.0""#, #"version: expected "1.0", found "2.0""#),
      ("normalizer", #"{"type": "Lowercase"}"#, #"normalizer.type: expected "NFC""#),
      (
        "normalizer", #"{"type": "Sequence", "normalizers": [{"type": "NFC"}, {"type": "Strip"}]}"#,
        "normalizer.normalizers[1].type"
      ),
      (
        "normalizer", #"{"type": "Replace", "pattern": {"Regex": " +"}, "content": ""}"#,
        "normalizer.pattern: expected a pattern"
      ),
      ("pre_tokenizer", #"{"type": "BertPreTokenizer"}"#, "pre_tokenizer.type"),
      (
        "pre_tokenizer",
        #"{"type": "Split", "pattern": {"Regex": "\\d+|x"}, "behavior": "Isolated", "invert": false}"#,
        "pre_tokenizer.pattern.Regex: expected a regular expression as GPT-2"
      ),
      (
        "pre_tokenizer", #"{"type": "Split", "pattern": {"String": ""}, "behavior": "Isolated"}"#,
        #"pre_tokenizer.pattern.String: expected a string that is not empty, found """#
      ),
      (
        "pre_tokenizer", #"{"type": "Split", "pattern": " ", "behavior": "Isolated"}"#,
        "pre_tokenizer.pattern: expected"
      ),
      (
        "pre_tokenizer", #"{"type": "Split", "pattern": {"String": " "}, "behavior": "Merged"}"#,
        #"pre_tokenizer.behavior: expected "Isolated" or "Removed" or "Contiguous""#
      ),
      ("pre_tokenizer", #"{"type": "Punctuation", "behavior": 1}"#, "pre_tokenizer.behavior"),
      (
        "pre_tokenizer",
        #"{"type": "Sequence", "pretokenizers": [{"type": "ByteLevel"}, {"type": "Digits"}]}"#,
        "pre_tokenizer.pretokenizers[1].type: expected nothing after ByteLevel"
      ),
      (
        "pre_tokenizer", #"{"type": "Metaspace", "replacement": "_"}"#,
        "pre_tokenizer.replacement"
      ),
      ("post_processor", #"{"type": "BertProcessing"}"#, "post_processor.type"),
      (
        "post_processor",
        #"{"type": "TemplateProcessing", "single": [{"SpecialToken": {"id": "x"}}], "special_tokens": {"x": {"ids": [9]}}}"#,
        "post_processor.special_tokens.x.ids[0]: expected a token's id, found 9"
      ),
      ("decoder", #"{"type": "WordPiece"}"#, "decoder.type"),
      ("decoder", #"{"type": "Strip", "content": " ", "start": -1, "stop": 0}"#, "decoder.start"),
      (
        "model", #"{"type": "Unigram", "vocab": []}"#,
        #"model.type: expected "BPE" or "WordLevel", found "Unigram""#
      ),
      (
        "model", #"{"type": "BPE", "vocab": {"a": -1}, "merges": []}"#,
        #"model.vocab["a"]: expected an id"#
      ),
      (
        "model", #"{"type": "BPE", "vocab": {"a": 99999999999}, "merges": []}"#,
        #"model.vocab["a"]"#
      ),
      (
        "model", #"{"type": "BPE", "vocab": {"a": 0, "b": 0}, "merges": []}"#,
        #"model.vocab["b"]: expected each"#
      ),
      ("model", #"{"type": "BPE", "vocab": {"a": 0}, "merges": ["a a"]}"#, #"model.merges[0]"#),
      ("model", #"{"type": "BPE", "vocab": {"a": 0}, "merges": [["a"]]}"#, #"model.merges[0]"#),
      (
        "model", #"{"type": "BPE", "vocab": {"a": 0}}"#,
        "model.merges: expected an array, found null"
      ),
      (
        "model", #"{"type": "BPE", "vocab": {"a": 0}, "merges": [], "dropout": 0.1}"#,
        "model.dropout"
      ),
      (
        "model", #"{"type": "BPE", "vocab": {"a": 0}, "merges": [], "unk_token": "?"}"#,
        "model.unk_token"
      ),
      (
        "model", #"{"type": "BPE", "vocab": {"a": 0}, "merges": [], "end_of_word_suffix": "</w>"}"#,
        "model.end_of_word_suffix"
      ),
      (
        "model", #"{"type": "WordLevel", "vocab": {"a": 0}, "unk_token": "<unk>"}"#,
        "model.unk_token"
      ),
      ("added_tokens", #"[{"id": 1, "content": "a"}]"#, "added_tokens[0].id: expected 0"),
      (
        "added_tokens", #"[{"id": 1, "content": "c"}]"#,
        "added_tokens[0].id: expected an id that no other"
      ),
      ("added_tokens", #"{}"#, "added_tokens: expected an array, found an object of 0"),
    ])
  func unknownParts(_ part: String, content: String, message: String) {
    #expect { try read(file(part, content)) } throws: {
      $0 is FileError && "\($0)".contains("tokenizer.json: ") && "\($0)".contains(message)
    }
  }

  @Test(
    "A file that is not JSON is refused with the byte where it ends to be",
    arguments: [
      "", "{", "[1,]", "{\"a\" 1}", "{\"version\": \"1.0\"} x", "\"\\ud800\"", "\"\\ud800\\u0041\"",
      "\"\\x\"", "nul", "-", "1e",
      String(repeating: "[", count: 100_000),
    ])
  func notJSON(_ content: String) {
    #expect { try read(Data(content.utf8)) } throws: { "\($0)".contains(": byte ") }
  }

  @Test("A missing file is named")
  func missing() {
    #expect { try Tokenizer(path: "/no/such/tokenizer.json") } throws: {
      "\($0)".hasPrefix("/no/such/tokenizer.json: ")
    }
    #expect { try Tokenizer(path: "/no/such/model.gguf") } throws: {
      "\($0)".contains("/no/such/model.gguf")
    }
  }

  @Test(
    "A file with bytes lost or changed is read or refused, and never traps",
    arguments: ["words", "families/mistral-nemo", "families/phi-3"])
  func damage(_ name: String) throws {
    let whole = try Data(contentsOf: fixtures.appendingPathComponent("\(name)/tokenizer.json"))
    var generator = SeededGenerator(seed: 1)
    for _ in 0..<400 {
      var content = whole
      if generator.chance(0.3) { content = content.prefix(generator.index(below: content.count)) }
      for _ in 0..<3 where !content.isEmpty {
        content[generator.index(below: content.count)] = UInt8(generator.index(below: 256))
      }
      do {
        _ = try read(content).encode("Tom has 12 apples")
      } catch {
        #expect(error is FileError)
      }
    }
  }
}
