import Files
import Foundation
import Testing
import Tokenizers

/// Normalizers and pre-tokenizers of published tokenizers, against the Python library `tokenizers`
/// (`make_pipelines.py`).
@Suite struct PipelineTests {
  static let folder = fixtures.appendingPathComponent("pipelines")

  static let names = [
    "tekken", "gpt-4o", "qwen3.5", "olmo-2", "granite-3", "command-r", "deepseek-llm",
    "deepseek-llm-gguf", "deepseek-coder", "deepseek-v3", "falcon-gguf", "trailing-space",
    "numbers",
    "digits-contiguous", "nfkc", "nfd", "nfkd", "nfkc-replace", "no-normalizers",
    "string-isolated", "string-isolated-inverted", "string-removed", "string-removed-inverted",
    "string-contiguous", "string-contiguous-inverted", "string-merged-with-previous",
    "string-merged-with-previous-inverted", "string-merged-with-next",
    "string-merged-with-next-inverted", "punctuation-isolated", "punctuation-removed",
    "punctuation-contiguous", "punctuation-merged-with-previous", "punctuation-merged-with-next",
    "metaspace-always", "metaspace-always-whole", "metaspace-first", "metaspace-first-whole",
    "metaspace-never", "metaspace-never-whole",
  ]

  struct Expected: Decodable {
    let ownLines: [[Int]]
    let lines: [[Int]]?

    enum CodingKeys: String, CodingKey {
      case lines
      case ownLines = "own_lines"
    }

    init(of name: String) throws {
      self = try JSONDecoder().decode(
        Self.self, from: Data(contentsOf: folder.appendingPathComponent("\(name).json")))
    }

    /// The lines, and the ids of each.
    func cases() throws -> [(line: String, ids: [Int])] {
      let own = try JSONDecoder().decode(
        [String].self, from: Data(contentsOf: folder.appendingPathComponent("lines.json")))
      #expect(own.count == ownLines.count)
      let shared = lines == nil ? [] : try fixtureLines()
      #expect(shared.count == lines?.count ?? 0)
      return Array(zip(own + shared, ownLines + (lines ?? [])))
    }
  }

  /// The vocabulary behind the normalizer and the pre-tokenizer of `name`.
  static func tokenizer(_ name: String) throws -> Tokenizer {
    func members(_ file: String) throws -> [JSONMember] {
      let path = Self.folder.appendingPathComponent(file).path
      guard case .object(let members) = try JSONNode(path: path).value else {
        throw CocoaError(.fileReadCorruptFile)
      }
      return members
    }
    let parts = try members("\(name).json")
    let whole = try members("tokenizer.json").map { member in
      parts.first { $0.key == member.key } ?? member
    }
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent(UUID().uuidString)
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    let file = folder.appendingPathComponent("tokenizer.json")
    try Data(JSONValue.object(whole).text().utf8).write(to: file)
    return try Tokenizer(path: file.path)
  }

  @Test("The ids behind a pipeline are those of the Python library", arguments: names)
  func ids(_ name: String) throws {
    let tokenizer = try Self.tokenizer(name)
    for (line, ids) in try Expected(of: name).cases() {
      #expect(tokenizer.encode(line) == ids, "\(line.debugDescription)")
    }
  }

  @Test("The pipelines differ: no two of the published patterns give the same ids")
  func distinct() throws {
    let all = try Self.names.prefix(11).map { try Expected(of: $0).ownLines }
    #expect(Set(all).count == all.count)
  }

  @Test(
    "A GGUF file's pre-tokenizer gives the ids of the pipeline that it names",
    arguments: [
      ("tekken", "tekken"), ("gpt-4o", "gpt-4o"), ("dbrx", "olmo-2"), ("refact", "granite-3"),
      ("starcoder", "granite-3"), ("smollm", "granite-3"), ("command-r", "command-r"),
      ("deepseek-llm", "deepseek-llm-gguf"), ("deepseek-coder", "deepseek-coder"),
      ("deepseek-v3", "deepseek-v3"), ("falcon", "falcon-gguf"),
    ])
  func gguf(_ pre: String, pipeline: String) throws {
    let vocabulary = try GGUFVocabularyTests.vocabulary(of: "pipelines", model: "gpt2", pre: pre)
    let tokenizer = try Tokenizer(vocabulary, file: pre)
    for (line, ids) in try Expected(of: pipeline).cases() {
      #expect(tokenizer.encode(line) == ids, "\(line.debugDescription)")
    }
  }

  @Test(
    "A GGUF file's pre-tokenizer normalizes as the models' tokenizer.json does",
    arguments: [
      ("qwen35", "qwen3.5"), ("mpt", "no-normalizers"), ("olmo", "no-normalizers"),
    ])
  func ggufNormalized(_ pre: String, pipeline: String) throws {
    let vocabulary = try GGUFVocabularyTests.vocabulary(of: "pipelines", model: "gpt2", pre: pre)
    let tokenizer = try Tokenizer(vocabulary, file: pre)
    for (line, ids) in try Expected(of: pipeline).cases() {
      let composed = line.precomposedStringWithCanonicalMapping
      if bytes(composed) == bytes(line) {
        #expect(tokenizer.encode(line) == ids, "\(line.debugDescription)")
      } else {
        #expect(tokenizer.encode(line) == tokenizer.encode(composed))
      }
    }
  }

  @Test(
    "A pre-tokenizer from a GGUF file is written as a tokenizer.json with the same ids",
    arguments: [
      "tekken", "gpt-4o", "dbrx", "refact", "command-r", "qwen35", "deepseek-llm",
      "deepseek-coder", "deepseek-v3", "falcon",
    ])
  func written(_ pre: String) throws {
    let vocabulary = try GGUFVocabularyTests.vocabulary(of: "pipelines", model: "gpt2", pre: pre)
    let original = try Tokenizer(vocabulary, file: pre)
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent(UUID().uuidString)
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    let file = folder.appendingPathComponent("tokenizer.json")
    try Data(try vocabulary.tokenizerJSON(file: pre).text().utf8).write(to: file)
    let copy = try Tokenizer(path: file.path)
    for line in try fixtureLines() {
      #expect(copy.encode(line) == original.encode(line), "\(line.debugDescription)")
    }
  }

  @Test("A long run of white space is read in a time that grows like its length")
  func longWhitespace() throws {
    for name in ["trailing-space", "deepseek-llm", "deepseek-v3", "tekken"] {
      let tokenizer = try Self.tokenizer(name)
      let text = String(repeating: " \u{3000}", count: 100_000) + "x"
      var isSame = false
      let elapsed = ContinuousClock().measure {
        isSame = bytes(tokenizer.decode(tokenizer.encode(text))) == bytes(text)
      }
      #expect(isSame, "\(name)")
      #expect(elapsed < .seconds(5), "\(name)")
    }
  }
}
