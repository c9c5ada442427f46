import Checkpoints
import Files
import Foundation

extension Tokenizer {
  /// The metadata by which a GGUF holds this tokenizer, its special tokens and its chat template, with
  /// `general.name`: the name of the model, `modelName` where the tokenizer's own GGUF has none.
  ///
  /// That of a GGUF file is passed on. A `tokenizer.json` must be one of those that GGUF knows: byte-level BPE with a
  /// published pre-tokenizer, or SentencePiece-style BPE whose merges follow from the tokens' order, as Llama 2,
  /// Mistral and Phi-3 have it.
  ///
  /// - Parameter rows: those of the model's embedding. Rows beyond the last token get tokens `[PAD…]` that text never
  ///   has, as in llama.cpp's converter.
  /// - Throws: `FileError` that names the tokenizer's file and what a GGUF cannot state.
  public func ggufMetadata(rows: Int, modelName: String) throws -> [String: GGUFValue] {
    if file.hasSuffix(".gguf") {
      var metadata = try GGUFFile(path: file).metadata.filter {
        $0.key.hasPrefix("tokenizer.") || $0.key == "general.name"
      }
      guard case .strings(let tokens) = metadata["tokenizer.ggml.tokens"], tokens.count == rows
      else {
        throw FileError(
          file: file, location: "key tokenizer.ggml.tokens",
          expected: "\(rows) tokens, one for each row of the embedding", found: "\(vocabularySize)")
      }
      metadata["general.name"] = metadata["general.name"] ?? .string(modelName)
      return metadata
    }
    var vocabulary = try GGUFVocabulary(tokenizerJSON: file, rows: rows)
    vocabulary.modelName = vocabulary.modelName.map { "\($0) \(modelName)" } ?? modelName
    // What is written must be readable.
    _ = try TokenizerDefinition(vocabulary, file: file)
    return vocabulary.metadata
  }
}

extension GGUFVocabulary {
  /// The keys and values that a GGUF holds for this vocabulary.
  var metadata: [String: GGUFValue] {
    let ids = [
      "bos": beginningOfSequence, "eos": endOfSequence, "unknown": unknown, "padding": padding,
      "eot": endOfTurn, "eom": endOfMessage,
    ]
    var metadata: [String: GGUFValue] = [
      "tokenizer.ggml.model": .string(model),
      "tokenizer.ggml.tokens": .strings(tokens),
      "tokenizer.ggml.token_type": .integers(tokenTypes),
    ]
    metadata["tokenizer.ggml.pre"] = pre.map(GGUFValue.string)
    if !scores.isEmpty { metadata["tokenizer.ggml.scores"] = .numbers(scores.map(Double.init)) }
    if !merges.isEmpty { metadata["tokenizer.ggml.merges"] = .strings(merges) }
    for (name, id) in ids {
      metadata["tokenizer.ggml.\(name)_token_id"] = id.map(GGUFValue.integer)
    }
    metadata["tokenizer.ggml.add_bos_token"] = addsBeginning.map(GGUFValue.bool)
    metadata["tokenizer.ggml.add_eos_token"] = addsEnd.map(GGUFValue.bool)
    metadata["tokenizer.ggml.add_space_prefix"] = addsSpacePrefix.map(GGUFValue.bool)
    metadata["tokenizer.chat_template"] = chatTemplate.map(GGUFValue.string)
    metadata["general.name"] = modelName.map(GGUFValue.string)
    return metadata
  }

  /// The vocabulary of the `tokenizer.json` at `file`, and of the files beside it, for a model with `rows` embeddings.
  /// `modelName` is set where readers know by it how special tokens are found.
  ///
  /// Throws where a GGUF cannot state what the files say.
  init(tokenizerJSON file: String, rows: Int) throws(FileError) {
    let definition = try TokenizerDefinition(tokenizerJSON: file)
    func refusal(_ place: String, expected: String, found: String) -> FileError {
      FileError(file: file, location: place, expected: "\(expected), for a GGUF", found: found)
    }
    guard definition.vocabulary.endID <= rows else {
      throw refusal(
        "vocabulary", expected: "at most \(rows) tokens, one for each row of the embedding",
        found: "\(definition.vocabulary.endID)")
    }
    guard case .bytePairs(let pairs) = definition.model else {
      throw refusal("model.type", expected: "BPE", found: "WordLevel")
    }
    let contents = (0..<rows).map { definition.vocabulary.content(of: $0) }
    self.init(
      model: definition.preTokenizer.isByteLevel ? "gpt2" : "llama",
      tokens: contents.enumerated().map { id, content in
        content.map { String(decoding: $0, as: UTF8.self) } ?? "[PAD\(id)]"
      },
      tokenTypes: contents.map { $0 == nil ? TokenType.unused : TokenType.normal },
      beginningOfSequence: definition.beginningOfSequence,
      endOfSequence: definition.endOfSequence,
      unknown: pairs.unknown.map(Int.init), addsBeginning: !definition.startTokens.isEmpty,
      addsEnd: !definition.endTokens.isEmpty)
    try take(definition, refusal)
    let merges = try Self.merges(file)
    if definition.preTokenizer.isByteLevel {
      try takeByteLevel(definition, pairs, refusal)
      self.merges = merges.map { "\($0.left) \($0.right)" }
    } else {
      try takeSentencePiece(definition, pairs, merges, refusal)
    }
    try takeOtherFiles(beside: file)
  }

  private typealias Refusal = (_ place: String, _ expected: String, _ found: String) -> FileError

  /// The added tokens and those around a text.
  private mutating func take(_ definition: TokenizerDefinition, _ refusal: Refusal)
    throws(FileError)
  {
    for (place, ids, id) in [
      ("start tokens", definition.startTokens, beginningOfSequence),
      ("end tokens", definition.endTokens, endOfSequence),
    ] where !ids.isEmpty && ids != [id] {
      // A GGUF's BOS is the token that begins a text, whatever other files call it.
      if place == "start tokens", ids.count == 1 {
        beginningOfSequence = ids[0]
      } else {
        throw refusal(place, "none, or the one that begins or ends a sequence", "\(ids)")
      }
    }
    for token in definition.addedTokens {
      let place = "added token \(token.content)"
      guard !token.isSingleWord, !token.stripsLeft else {
        throw refusal(place, "neither single_word nor lstrip", "one of them")
      }
      let content = Array(token.content.utf8)
      guard !token.isNormalized || definition.normalizer?.normalize(content) ?? content == content
      else { throw refusal(place, "a token that normalization leaves as it is", "another") }
      tokenTypes[token.id] =
        !token.isSpecial
        ? TokenType.userDefined : token.id == unknown ? TokenType.unknown : TokenType.control
    }
    if definition.addedTokens.contains(where: \.stripsRight) {
      // Readers know these tokens by the model's name.
      modelName = "Phi-3"
      let striping = Dictionary(
        addedTokens.map { ($0.id, $0.stripsRight) }, uniquingKeysWith: { $1 })
      for token in definition.addedTokens where striping[token.id] != token.stripsRight {
        throw refusal(
          "added token \(token.content)", "rstrip as Phi-3 has it", "\(token.stripsRight)")
      }
    }
    let ends = definition.otherEnds.subtracting([endOfSequence].compactMap(\.self)).sorted()
    (endOfTurn, endOfMessage) = (ends.first, ends.dropFirst().first)
  }

  private mutating func takeByteLevel(
    _ definition: TokenizerDefinition, _ pairs: BytePairEncoding, _ refusal: Refusal
  ) throws(FileError) {
    var patterns: [SplitPattern.Source] = []
    for step in definition.preTokenizer.steps {
      guard case .split(let pattern, .isolated, false) = step else {
        throw refusal("pre_tokenizer", "splits whose matches are pieces", "\(step)")
      }
      patterns.append(pattern.source)
    }
    let published = GGUFPreTokenizer.published.first {
      $0.patterns.map(\.source) == patterns && $0.normalizer == definition.normalizer
        && $0.ignoresMerges == pairs.ignoresMerges
    }
    guard let name = published?.names.first else {
      throw refusal(
        "pre_tokenizer",
        "one of \(GGUFPreTokenizer.published.flatMap(\.names).joined(separator: ", "))",
        "another combination of patterns, normalizer and ignore_merges")
    }
    guard case .byteLevel = definition.decoder else {
      throw refusal("decoder", "ByteLevel", "another")
    }
    pre = name
  }

  private mutating func takeSentencePiece(
    _ definition: TokenizerDefinition, _ pairs: BytePairEncoding,
    _ merges: [(left: String, right: String)], _ refusal: Refusal
  ) throws(FileError) {
    pre = "default"
    guard definition.preTokenizer.steps.isEmpty else {
      throw refusal("pre_tokenizer", "null beside byte_fallback", "a pre-tokenizer")
    }
    guard case .scalars(let fallback?) = pairs.symbols, fallback.allSatisfy({ $0 >= 0 }),
      pairs.fusesUnknown, !pairs.ignoresMerges
    else {
      throw refusal(
        "model", "byte_fallback with all 256 bytes, fuse_unk, and no ignore_merges", "another")
    }
    for id in fallback { tokenTypes[Int(id)] = TokenType.byte }
    let replacesSpaces = Normalizer.replace([UInt8(ascii: " ")], with: metaspace)
    switch definition.normalizer {
    case .sequence([.prepend(metaspace), replacesSpaces]): addsSpacePrefix = true
    case replacesSpaces, .sequence([replacesSpaces]): addsSpacePrefix = false
    default:
      throw refusal(
        "normalizer", "a Replace of the space by ▁, with or without a Prepend of ▁", "another")
    }
    // A token's score is its place among the results of merges, which SentencePiece's own scores order.
    scores = tokens.map { _ in -Float(merges.count + 1) }
    var place = 0
    var previous = -1
    var given: Set<[String]> = []
    for (left, right) in merges {
      guard let result = definition.vocabulary.id(of: (left + right).utf8) else { continue }
      given.insert([left, right])
      guard result != previous else { continue }
      previous = result
      guard scores[result] == -Float(merges.count + 1) else {
        throw refusal(
          "model.merges", "all merges that make a token one after the other",
          "\(left) \(right) apart from the others")
      }
      scores[result] = -Float(place)
      place += 1
    }
    let implied = Set(
      mergePairs(definition.vocabulary).map { [tokens[Int($0.left)], tokens[Int($0.right)]] })
    if let pair = implied.symmetricDifference(given).min(by: { $0.joined() < $1.joined() }) {
      throw refusal(
        "model.merges",
        "every way to write a token as two others (llama.cpp's converter reads tokenizer.model instead)",
        "\(pair.joined(separator: " ")) \(given.contains(pair) ? "of a token that is not normal" : "missing")"
      )
    }
  }

  /// The padding token and the chat template.
  private mutating func takeOtherFiles(beside file: String) throws(FileError) {
    let folder = AtomicFile.folder(of: file)
    let configuration = try JSONNode(file: "\(folder)/tokenizer_config.json")
    if let configuration {
      var token = configuration.child("pad_token")
      if token.isObject { token = try token.member("content") }
      if !token.isNull {
        let content = try token.string()
        padding = tokens.firstIndex { $0.utf8.elementsEqual(content.utf8) }
      }
    }
    chatTemplate = try ChatTemplateSource(inFolder: folder)?.text
  }

  /// The merges of the `tokenizer.json` at `file`, whose reader has checked them.
  private static func merges(_ file: String) throws(FileError) -> [(left: String, right: String)] {
    var merges: [(left: String, right: String)] = []
    for line in try JSONNode(path: file).member("model").elements("merges") {
      if line.isArray {
        let pair = try line.elements()
        merges.append((try pair[0].string(), try pair[1].string()))
      } else {
        let text = try line.string()
        if text.utf8.starts(with: "#version".utf8) { continue }
        let parts = text.utf8.split(separator: UInt8(ascii: " "), omittingEmptySubsequences: false)
        merges.append((String(Substring(parts[0])), String(Substring(parts[1]))))
      }
    }
    return merges
  }
}
