import Checkpoints
import Distillation
import Files
import Foundation
import LanguageModel
import Randomness
import Reasoning
import Testing
import Tokenizers

/// The folder of a tokenizer in the form of a published family (`make_families.py`).
private func family(_ name: String) -> String {
  URL(fileURLWithPath: #filePath).deletingLastPathComponent()
    .appendingPathComponent("../Fixtures/tokenizers/families/\(name)").standardized.path
}

private func exampleTokenizer(_ name: String, includesSpecialTokens: Bool = true) throws
  -> ExampleTokenizer
{
  try ExampleTokenizer(
    Tokenizer(path: family(name)), includesSpecialTokens: includesSpecialTokens)
}

@Suite struct ExampleTokenizerTests {
  func pair(_ prompt: String, _ chosen: String, _ rejected: String) -> DualChainOfThought {
    func chain(_ text: String, _ origin: ChainOfThought.Origin) -> ChainOfThought {
      ChainOfThought(questionID: "q", task: "t", prompt: prompt, text: text, origin: origin)
    }
    return DualChainOfThought(
      chosen: chain(chosen, .original), rejected: chain(rejected, .corrupted), goldAnswer: "")
  }

  @Test(
    "A pair's ids are those of prompt and response as one text, then one end of sequence",
    arguments: ["llama-2", "mistral", "gemma", "llama-3", "qwen2"])
  func pairs(_ name: String) throws {
    let examples = try exampleTokenizer(name)
    let tokenizer = examples.tokenizer
    let tokenized = try examples.tokenize(
      [pair("Q: 2 + 3?\nA:", " Five pens", " Six pens")], file: "pairs")[0]
    #expect(Array(tokenized.prompt.prefix(examples.startTokens.count)) == examples.startTokens)
    for (response, text) in [(tokenized.chosen, " Five pens"), (tokenized.rejected, " Six pens")] {
      #expect(
        tokenized.prompt + response
          == tokenizer.encode("Q: 2 + 3?\nA:" + text, addingSpecialTokens: true)
          + [examples.endOfSequence])
    }
  }

  @Test("A pair too long to be aligned is refused by its place, before any memory is taken")
  func longestPair() throws {
    let examples = try exampleTokenizer("qwen2")
    let long = String(repeating: "\n", count: 40_000)
    let error = #expect(throws: FileError.self) {
      try examples.tokenize([pair("A:", " Five", " Six"), pair("A:", " Five", long)], file: "p")
    }
    #expect(error?.description.hasPrefix("p: pair 2 (q), rejected: expected at most 32768") == true)
  }

  @Test("A SentencePiece-style tokenizer keeps the one space of a response")
  func oneSpace() throws {
    let examples = try exampleTokenizer("llama-2")
    let response = try examples.tokenize([pair("A:", " pens", " answer")], file: "p")[0].chosen
    #expect(response.first.flatMap { examples.tokenizer.token(of: $0) }?.hasPrefix("▁p") == true)
    #expect(response.dropLast().allSatisfy { examples.tokenizer.token(of: $0) != "▁" })
  }

  @Test(
    "A response that ends in the end-of-sequence text has one, and one that does not gets one",
    arguments: ["", "</s>", "</s></s>"])
  func oneEnd(_ suffix: String) throws {
    let examples = try exampleTokenizer("llama-2")
    let expected = try examples.tokenize([pair("A:", " Five", " Six")], file: "p")[0]
    let found = try examples.tokenize(
      [pair("A:", " Five\(suffix)", " Six\(suffix)")], file: "p")[0]
    #expect(found == expected)
    #expect(found.chosen.filter { $0 == examples.endOfSequence }.count == 1)
  }

  @Test("Without special tokens prompts have none, and the record says which was used")
  func specialTokens() throws {
    let with = try exampleTokenizer("llama-2")
    let without = try exampleTokenizer("llama-2", includesSpecialTokens: false)
    #expect(with.encodePrompt("A:") == [1] + without.encodePrompt("A:"))
    #expect(with.encodePrompt("<s>A:") == with.encodePrompt("A:"))
    #expect(with.specialTokens == "bos=1" && without.specialTokens == "none")
    #expect(try exampleTokenizer("qwen2").specialTokens == "none")
  }

  @Test(
    "Cues and pieces of a chain are written as the text they stand for",
    arguments: ["llama-2", "mistral", "gemma", "llama-3", "qwen2"])
  func cues(_ name: String) throws {
    let examples = try exampleTokenizer(name)
    let tokenizer = examples.tokenizer
    let cues = try TokenizedCues(.inWords, examples)
    let chain = ChainOfThought(
      questionID: "q", task: "t", prompt: "Q: 2 + 3?",
      text: " 2 + 3 = 5. Therefore, the answer is 5.",
      origin: .original)
    let rule = AnswerRule(cue: "Therefore, the answer is", occurrence: .last)
    let data = TrainingData(
      correct: try examples.tokenize([chain], file: "chains"), pairs: [], tokenizer: examples,
      rule: { _ in rule }, cues: { _ in .inWords }, file: "chains")
    let pieces = try data.pieces[0]
    func text(_ ids: [Int]) -> String { tokenizer.decode(ids, skippingSpecialTokens: true) }
    #expect(text(pieces.prompt + pieces.chain) == chain.prompt + chain.text)
    #expect(
      text(pieces.prompt + cues.cascade + pieces.rationale)
        == "Q: 2 + 3?Rationale:" + String(chain.text.prefix(11)))
    #expect(text(pieces.prompt + cues.answer + pieces.answer).hasPrefix("Q: 2 + 3?\nAnswer: 5"))
    let factual = cues.put(cues.factual, before: pieces.prompt)
    #expect(text(factual) == "[Factual] Q: 2 + 3?")
    #expect(Array(factual.prefix(examples.startTokens.count)) == examples.startTokens)
    #expect(!factual.dropFirst(examples.startTokens.count).contains { tokenizer.isSpecial($0) })
  }
}

@Suite struct StudentFileTests {
  /// Calls `check` with the folder that a student with `tokenizer` writes.
  func written(
    tokenizer path: String, origin: String, adapter: Bool = false, ends: [Int] = [],
    _ check: (Student, String) throws -> Void
  ) throws {
    let tokenizer = try Tokenizer(path: path)
    var generator = SeededGenerator(seed: 1)
    var decoder = try Decoder.random(
      ModelConfiguration(
        vocabularySize: tokenizer.vocabularySize, hiddenSize: 8, intermediateSize: 8, layerCount: 1,
        headCount: 2, endsOfSequence: ends), using: &generator)
    if adapter {
      decoder = decoder.adapted(
        by: try LowRankAdapter(
          LowRankConfiguration(rank: 2, alpha: 2, dropout: 0, targets: [.query]),
          for: decoder.configuration, using: &generator))
    }
    let student = Student(decoder: decoder, tokenizer: tokenizer, origin: origin)
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent(UUID().uuidString)
    defer { try? FileManager.default.removeItem(at: folder) }
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    try student.write(to: folder.path)
    try check(student, folder.path)
  }

  @Test(
    "A written folder has the tokenizer's files, and is read with the same end and stop tokens",
    arguments: ["llama-2", "gemma", "llama-3", "qwen2"], [false, true])
  func folders(_ name: String, isGGUF: Bool) throws {
    let origin = family(name) + (isGGUF ? "/vocabulary.gguf" : "")
    try written(tokenizer: origin, origin: origin) { student, folder in
      let copy = try Student(path: folder)
      #expect(copy.tokenizer.endOfSequence == student.tokenizer.endOfSequence)
      #expect(copy.stopTokens == student.stopTokens)
      let text = "Q: 2 + 3?\nA:"
      #expect(
        try copy.exampleTokenizer().encodePrompt(text)
          == student.exampleTokenizer().encodePrompt(text))
      let generation = try JSONNode(path: folder + "/generation_config.json")
      #expect(Set(try generation.integers("eos_token_id")) == student.stopTokens)
      let named = try JSONNode(path: folder + "/tokenizer_config.json").string("eos_token")
      #expect(student.tokenizer.id(of: named) == student.tokenizer.endOfSequence)
    }
  }

  @Test("An adapter's folder has the tokenizer's files")
  func adapter() throws {
    try written(tokenizer: family("llama-3"), origin: family("llama-3"), adapter: true) {
      student, folder in
      #expect(FileContents.exists(folder + "/adapter_config.json"))
      #expect(!FileContents.exists(folder + "/generation_config.json"))
      let tokenizer = try Tokenizer(path: folder)
      #expect(tokenizer.endOfSequence == student.tokenizer.endOfSequence)
    }
  }

  @Test("A student from scratch is written with its tokenizer, and with what ends a response")
  func fromScratch() throws {
    try written(tokenizer: family("qwen2"), origin: "procedural") { student, folder in
      let tokenizer = try Tokenizer(path: folder)
      #expect(tokenizer.stopTokens == student.stopTokens)
    }
  }

  @Test(
    "generation_config.json of the origin is copied, and ends at the token that training appends",
    arguments: [("0", [2, 0]), ("[0, 7]", [2, 0, 7]), ("[7, 2]", [7, 2]), ("null", [2])])
  func generationConfiguration(ends: String, expected: [Int]) throws {
    let origin = FileManager.default.temporaryDirectory.appendingPathComponent(UUID().uuidString)
    defer { try? FileManager.default.removeItem(at: origin) }
    try FileManager.default.createDirectory(at: origin, withIntermediateDirectories: true)
    let text = #"{"eos_token_id": \#(ends), "temperature": 0.6}"#
    try Data(text.utf8).write(to: origin.appendingPathComponent("generation_config.json"))
    try written(tokenizer: family("llama-2"), origin: origin.path) { student, folder in
      #expect(student.tokenizer.endOfSequence == 2)
      let written = try JSONNode(path: folder + "/generation_config.json")
      #expect(try written.integers("eos_token_id") == expected)
      #expect(try written.number("temperature") == 0.6)
    }
  }

  @Test("The ids that the model's configuration ends with are stop tokens too")
  func modelEnds() throws {
    try written(tokenizer: family("llama-2"), origin: "procedural", ends: [2, 7]) {
      student, folder in
      #expect(student.stopTokens == [2, 7])
      #expect(try student.exampleTokenizer().stopTokens == [2, 7])
      let copy = try Student(path: folder)
      #expect(copy.stopTokens == [2, 7])
      #expect(copy.tokenizer.endOfSequence == 2)
    }
  }
}
