import Foundation
import Testing
import Tokenizers

@Suite struct GGUFVocabularyTests {
  /// The vocabulary of a fixture, written as GGUF's converters write it.
  static func vocabulary(of name: String, model: String, pre: String? = nil) throws
    -> GGUFVocabulary
  {
    struct File: Decodable {
      struct Added: Decodable {
        let id: Int
        let special: Bool
      }
      struct Merges: Decodable {
        let lines: [String]
        init(from decoder: any Decoder) throws {
          let container = try decoder.singleValueContainer()
          if let lines = try? container.decode([String].self) {
            self.lines = lines
          } else {
            lines = try container.decode([[String]].self).map { $0.joined(separator: " ") }
          }
        }
      }
      struct Model: Decodable { let merges: Merges }
      let addedTokens: [Added]
      let model: Model

      enum CodingKeys: String, CodingKey {
        case addedTokens = "added_tokens"
        case model
      }
    }
    let path = fixtures.appendingPathComponent("\(name)/tokenizer.json")
    let file = try JSONDecoder().decode(File.self, from: Data(contentsOf: path))
    let tokenizer = try Tokenizer(path: path.path)
    let tokens = try (0..<tokenizer.vocabularySize).map { try #require(tokenizer.token(of: $0)) }
    var types = Array(repeating: 1, count: tokens.count)
    for token in file.addedTokens { types[token.id] = token.special ? 3 : 4 }
    var vocabulary = GGUFVocabulary(model: model, pre: pre, tokens: tokens, tokenTypes: types)
    if model == "gpt2" {
      vocabulary.merges = file.model.merges.lines
      vocabulary.beginningOfSequence = pre == "llama-bpe" ? 0 : nil
    } else {
      for (id, token) in tokens.enumerated() where token.hasPrefix("<0x") {
        vocabulary.tokenTypes[id] = 6
      }
      vocabulary.tokenTypes[0] = 2
      // Tokens stand in the order of their scores, as SentencePiece writes them.
      vocabulary.scores = tokens.indices.map { -Float($0) }
      (vocabulary.beginningOfSequence, vocabulary.endOfSequence, vocabulary.unknown) = (1, 2, 0)
    }
    return vocabulary
  }

  @Test(
    "A vocabulary in GGUF's form gives the ids of its tokenizer.json",
    arguments: [
      ("gpt2", "gpt2", "gpt-2"), ("smollm2", "gpt2", "smollm"), ("llama3", "gpt2", "llama-bpe"),
      ("qwen2", "gpt2", "qwen2"), ("llama2", "llama", nil),
    ] as [(String, String, String?)])
  func ids(_ name: String, model: String, pre: String?) throws {
    let tokenizer = try Tokenizer(Self.vocabulary(of: name, model: model, pre: pre), file: name)
    for (line, expected) in zip(try fixtureLines(), try Expected(of: name).lines) {
      #expect(tokenizer.encode(line) == expected.ids, "\(line.debugDescription)")
      #expect(
        tokenizer.encode(line, addingSpecialTokens: true) == expected.withSpecial,
        "\(line.debugDescription)")
      #expect(bytes(tokenizer.decode(expected.ids)) == bytes(expected.text))
    }
  }

  @Test(
    "llama.cpp's own test vectors give its ids (`make_llama_cpp.py`)",
    arguments: ["falcon", "mpt", "phi-3"])
  func llamaCpp(_ name: String) throws {
    struct Vectors: Decodable {
      let texts: [String]
      let ids: [[Int]]
    }
    let folder = fixtures.appendingPathComponent("llama-cpp")
    let vectors = try JSONDecoder().decode(
      Vectors.self, from: Data(contentsOf: folder.appendingPathComponent("\(name).json")))
    #expect(vectors.texts.count == 47 && vectors.ids.count == 47)
    let tokenizer = try Tokenizer(path: folder.appendingPathComponent("\(name).gguf").path)
    for (text, ids) in zip(vectors.texts, vectors.ids) {
      #expect(tokenizer.encode(text) == ids, "\(text.debugDescription)")
    }
  }

  @Test("Without a space prefix, nothing is put before the text nor taken off it")
  func noSpacePrefix() throws {
    var vocabulary = try Self.vocabulary(of: "llama2", model: "llama")
    vocabulary.addsSpacePrefix = false
    let tokenizer = try Tokenizer(vocabulary, file: "llama2")
    for text in ["the answer", " the answer"] {
      #expect(tokenizer.decode(tokenizer.encode(text)) == text)
    }
    #expect(tokenizer.encode("the") != tokenizer.encode(" the"))
  }

  static let damages: [(@Sendable (inout GGUFVocabulary) -> Void, String)] = [
    (
      { $0.model = "rwkv" },
      "key tokenizer.ggml.model: expected \"gpt2\" or \"llama\", found \"rwkv\""
    ),
    ({ $0.pre = "chatglm-bpe" }, "key tokenizer.ggml.pre"),
    ({ $0.pre = nil }, "found no such key"),
    ({ $0.tokens = [] }, "key tokenizer.ggml.tokens"),
    ({ $0.tokens[5] = $0.tokens[4] }, "key tokenizer.ggml.tokens[5]"),
    ({ $0.tokenTypes.removeLast() }, "key tokenizer.ggml.token_type"),
    ({ $0.merges[3] = "a" }, "key tokenizer.ggml.merges[3]"),
    ({ $0.merges[3] = "a qqqq" }, "key tokenizer.ggml.merges[3]"),
    ({ $0.endOfSequence = 1_000_000 }, "key tokenizer.ggml.eos_token_id"),
    ({ $0.model = "llama" }, "key tokenizer.ggml.scores"),
  ]

  @Test("What is wrong with a vocabulary is said with its key", arguments: damages)
  func errors(_ damage: @Sendable (inout GGUFVocabulary) -> Void, message: String) throws {
    var vocabulary = try Self.vocabulary(of: "smollm2", model: "gpt2", pre: "smollm")
    damage(&vocabulary)
    #expect { try Tokenizer(vocabulary, file: "model.gguf") } throws: {
      "\($0)".hasPrefix("model.gguf: ") && "\($0)".contains(message)
    }
  }
}
