import Checkpoints
import Files

/// The vocabulary that a GGUF file's metadata holds, key by key (`tokenizer.ggml.…`).
///
/// Source: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md
package struct GGUFVocabulary: Sendable {
  /// `model`: "gpt2" (byte-level BPE) or "llama" (SentencePiece-style BPE).
  package var model: String
  /// `pre`: which pre-tokenizer a "gpt2" model has.
  package var pre: String?
  package var tokens: [String]
  /// `scores`: what orders the merges of a "llama" model, higher first.
  package var scores: [Float]
  /// `token_type`: 1 normal, 2 unknown, 3 control, 4 user-defined, 5 unused, 6 byte. Empty: all
  /// normal.
  package var tokenTypes: [Int]
  /// `merges` of a "gpt2" model, "a b".
  package var merges: [String]
  package var beginningOfSequence: Int?
  package var endOfSequence: Int?
  package var unknown: Int?
  package var padding: Int?
  /// `eot_token_id` and `eom_token_id`: what ends a turn and a message.
  package var endOfTurn: Int?
  package var endOfMessage: Int?
  /// `general.name`: the model's.
  package var modelName: String?
  /// `tokenizer.chat_template`, in Jinja.
  package var chatTemplate: String?
  /// `add_bos_token`, `add_eos_token`, `add_space_prefix`; where missing, as llama.cpp takes them.
  package var addsBeginning: Bool?
  package var addsEnd: Bool?
  package var addsSpacePrefix: Bool?

  package init(
    model: String, pre: String? = nil, tokens: [String], scores: [Float] = [],
    tokenTypes: [Int] = [],
    merges: [String] = [], beginningOfSequence: Int? = nil, endOfSequence: Int? = nil,
    unknown: Int? = nil,
    addsBeginning: Bool? = nil, addsEnd: Bool? = nil, addsSpacePrefix: Bool? = nil
  ) {
    (self.model, self.pre, self.tokens, self.scores) = (model, pre, tokens, scores)
    (self.tokenTypes, self.merges) = (tokenTypes, merges)
    (self.beginningOfSequence, self.endOfSequence, self.unknown) = (
      beginningOfSequence, endOfSequence, unknown
    )
    (self.addsBeginning, self.addsEnd, self.addsSpacePrefix) = (
      addsBeginning, addsEnd, addsSpacePrefix
    )
  }
}

extension GGUFVocabulary {
  /// The vocabulary in the metadata of `file`.
  init(_ file: GGUFFile) throws(FileError) {
    func error(_ key: String, expected: String) -> FileError {
      let found =
        switch file.metadata[key] {
        case nil: "no such key"
        case .string: "a string"
        case .integer: "an integer"
        case .number: "a number"
        case .bool: "a truth value"
        case .strings, .integers, .numbers, .bools: "an array"
        }
      return FileError(file: file.path, location: "key \(key)", expected: expected, found: found)
    }
    /// The value of `tokenizer.ggml.{key}` that `cast` takes out; nil where there is no such key.
    func value<Value>(
      _ key: String, _ expected: String, _ cast: (GGUFValue) -> Value?
    ) throws(FileError) -> Value? {
      guard let stored = file.metadata["tokenizer.ggml.\(key)"] else { return nil }
      guard let value = cast(stored) else {
        throw error("tokenizer.ggml.\(key)", expected: expected)
      }
      return value
    }
    func string(_ key: String) throws(FileError) -> String? {
      try value(key, "a string") { if case .string(let value) = $0 { value } else { nil } }
    }
    func strings(_ key: String) throws(FileError) -> [String]? {
      try value(key, "an array of strings") {
        if case .strings(let values) = $0 { values } else { nil }
      }
    }
    func integer(_ key: String) throws(FileError) -> Int? {
      try value(key, "an integer") { if case .integer(let value) = $0 { value } else { nil } }
    }
    func boolean(_ key: String) throws(FileError) -> Bool? {
      try value(key, "a truth value") { if case .bool(let value) = $0 { value } else { nil } }
    }
    guard let model = try string("model") else {
      throw error("tokenizer.ggml.model", expected: "a string")
    }
    guard let tokens = try strings("tokens") else {
      throw error("tokenizer.ggml.tokens", expected: "an array of strings")
    }
    self.init(
      model: model, pre: try string("pre"), tokens: tokens,
      scores: try value("scores", "an array of numbers") {
        if case .numbers(let values) = $0 { values.map(Float.init) } else { nil }
      } ?? [],
      tokenTypes: try value("token_type", "an array of integers") {
        if case .integers(let values) = $0 { values } else { nil }
      } ?? [],
      merges: try strings("merges") ?? [],
      beginningOfSequence: try integer("bos_token_id"), endOfSequence: try integer("eos_token_id"),
      unknown: try integer("unknown_token_id"), addsBeginning: try boolean("add_bos_token"),
      addsEnd: try boolean("add_eos_token"), addsSpacePrefix: try boolean("add_space_prefix"))
    padding = try integer("padding_token_id")
    (endOfTurn, endOfMessage) = (try integer("eot_token_id"), try integer("eom_token_id"))
    if case .string(let template) = file.metadata["tokenizer.chat_template"] {
      chatTemplate = template
    }
    if case .string(let name) = file.metadata["general.name"] { modelName = name }
  }
}

extension GGUFVocabulary {
  enum TokenType {
    static let normal = 1
    static let unknown = 2
    static let control = 3
    static let userDefined = 4
    static let unused = 5
    static let byte = 6
  }

  /// What llama.cpp takes a vocabulary's missing keys for.
  ///
  /// Source: `llama_vocab::impl::load` in https://github.com/ggml-org/llama.cpp/blob/master/src/llama-vocab.cpp
  func withDefaults() -> GGUFVocabulary {
    var vocabulary = self
    let isSentencePiece = model == LlamaVocabulary.name
    if isSentencePiece, tokens.count > LlamaVocabulary.endOfSequence {
      vocabulary.unknown = unknown ?? LlamaVocabulary.unknown
      vocabulary.beginningOfSequence = beginningOfSequence ?? LlamaVocabulary.beginningOfSequence
      vocabulary.endOfSequence = endOfSequence ?? LlamaVocabulary.endOfSequence
    }
    vocabulary.addsBeginning =
      addsBeginning ?? (isSentencePiece || publishedPreTokenizer?.addsBeginning == true)
    vocabulary.addsEnd = addsEnd ?? false
    vocabulary.addsSpacePrefix = addsSpacePrefix ?? isSentencePiece
    return vocabulary
  }

  func type(of id: Int) -> Int { tokenTypes.isEmpty ? TokenType.normal : tokenTypes[id] }
}

extension TokenizerDefinition {
  private typealias TokenType = GGUFVocabulary.TokenType

  /// The tokenizer that `stored`, the metadata of `file`, describes.
  init(_ stored: GGUFVocabulary, file: String) throws(FileError) {
    let source = stored.withDefaults()
    func error(_ key: String, expected: String, found: String) -> FileError {
      FileError(
        file: file, location: "key tokenizer.ggml.\(key)", expected: expected, found: found)
    }
    let count = source.tokens.count
    guard (1...Vocabulary.largestSize).contains(count) else {
      throw error("tokens", expected: "1 to \(Vocabulary.largestSize) tokens", found: "\(count)")
    }
    guard source.tokenTypes.isEmpty || source.tokenTypes.count == count else {
      throw error(
        "token_type", expected: "\(count), one for each token", found: "\(source.tokenTypes.count)")
    }
    for (key, id) in [
      ("bos_token_id", source.beginningOfSequence), ("eos_token_id", source.endOfSequence),
      ("unknown_token_id", source.unknown), ("padding_token_id", source.padding),
      ("eot_token_id", source.endOfTurn), ("eom_token_id", source.endOfMessage),
    ] {
      if let id, !(0..<count).contains(id) {
        throw error(key, expected: "an id from 0 to \(count - 1)", found: "\(id)")
      }
    }
    var vocabulary = Vocabulary()
    for (id, token) in source.tokens.enumerated() where !vocabulary.insert(token.utf8, id: id) {
      throw error("tokens[\(id)]", expected: "each token once", found: "\"\(token)\" again")
    }

    self.file = file
    self.vocabulary = vocabulary
    (beginningOfSequence, endOfSequence) = (source.beginningOfSequence, source.endOfSequence)
    otherEnds = Set([source.endOfTurn, source.endOfMessage].compactMap(\.self))
    addedTokens = source.addedTokens
    switch source.model {
    case "gpt2":
      guard let published = source.publishedPreTokenizer else {
        let names = GGUFPreTokenizer.published.flatMap(\.names)
        throw error(
          "pre", expected: names.map { "\"\($0)\"" }.joined(separator: " or "),
          found: source.pre.map { "\"\($0)\"" } ?? "no such key")
      }
      var merges = MergeTable(capacity: source.merges.count)
      for (rank, line) in source.merges.enumerated() {
        let parts = line.utf8.split(separator: UInt8(ascii: " "), omittingEmptySubsequences: false)
        guard parts.count == 2, let left = vocabulary.id(of: parts[0]),
          let right = vocabulary.id(of: parts[1]),
          let result = vocabulary.id(of: Array(parts[0]) + Array(parts[1]))
        else {
          throw error(
            "merges[\(rank)]",
            expected: "two tokens with one space between them that, like the two joined, exist",
            found: "\"\(line)\"")
        }
        merges.insert(Int32(left), Int32(right), .init(rank: Int32(rank), result: Int32(result)))
      }
      var model = BytePairEncoding(
        vocabulary, isByteLevel: true, hasByteFallback: false, merges: merges, mergeResults: [])
      model.ignoresMerges = published.ignoresMerges
      self.model = .bytePairs(model)
      preTokenizer.steps = published.patterns.map(PreTokenizer.Step.isolating)
      preTokenizer.isByteLevel = true
      normalizer = published.normalizer
      decoder = .byteLevel
    case LlamaVocabulary.name:
      guard source.scores.count == count else {
        throw error(
          "scores", expected: "\(count), one for each token", found: "\(source.scores.count)")
      }
      let pairs = source.mergePairs(vocabulary)
      var merges = MergeTable(capacity: pairs.count)
      for pair in pairs { merges.insert(pair.left, pair.right, pair.merge) }
      var model = BytePairEncoding(
        vocabulary, isByteLevel: false, hasByteFallback: true, merges: merges,
        mergeResults: pairs.map(\.merge.result))
      model.unknown = source.unknown.map(Int32.init)
      model.fusesUnknown = true
      self.model = .bytePairs(model)
      let space: [UInt8] = [UInt8(ascii: " ")]
      let replacesSpaces = Normalizer.replace(space, with: metaspace)
      var steps: [TokenDecoder] = [.replace(metaspace, with: space), .byteFallback, .fuse]
      if source.addsSpacePrefix == true {
        normalizer = .sequence([.prepend(metaspace), replacesSpaces])
        steps.append(.strip(" ", start: 1, stop: 0))
      } else {
        normalizer = replacesSpaces
      }
      decoder = .sequence(steps)
    default:
      throw error("model", expected: "\"gpt2\" or \"llama\"", found: "\"\(source.model)\"")
    }
    if source.addsBeginning == true, let id = beginningOfSequence { startTokens = [id] }
    if source.addsEnd == true, let id = endOfSequence { endTokens = [id] }
  }
}

extension GGUFVocabulary {
  typealias MergePair = (left: Int32, right: Int32, merge: MergeTable.Merge)

  /// The tokens that are found in the text before the model sees it, as llama.cpp finds them.
  ///
  /// GGUF has no key for the white space that a token takes with it: llama.cpp knows Phi-3's special
  /// tokens by the model's name.
  var addedTokens: [AddedToken] {
    let name = modelName?.lowercased() ?? ""
    let isPhi3 = name.contains("phi-3") || name.contains("phi3")
    return tokenTypes.indices.compactMap { id in
      let content = tokens[id]
      let stripsRight = isPhi3 && !["<unk>", "<s>", "<|endoftext|>"].contains(content)
      switch tokenTypes[id] {
      case TokenType.control, TokenType.unknown:
        return AddedToken(id: id, content: content, isSpecial: true, stripsRight: stripsRight)
      case TokenType.userDefined:
        return AddedToken(id: id, content: content, stripsRight: stripsRight)
      default: return nil
      }
    }
  }

  /// The merges of a SentencePiece vocabulary: every way to write a normal token as two others, the
  /// pair whose token has the highest score first. Tokens of one score share a rank: of those the
  /// leftmost is merged first.
  func mergePairs(_ vocabulary: Vocabulary) -> [MergePair] {
    func isNormal(_ id: Int) -> Bool { type(of: id) == TokenType.normal }
    let results = tokens.indices.filter(isNormal).sorted { scores[$0] > scores[$1] }
    var pairs: [MergePair] = []
    var rank: Int32 = 0
    for (index, result) in results.enumerated() {
      if index > 0, scores[result] < scores[results[index - 1]] { rank += 1 }
      Array(tokens[result].utf8).withUnsafeBufferPointer { token in
        for cut in 1..<max(token.count, 1) where token[cut] & 0xC0 != 0x80 {
          if let left = vocabulary.id(of: token.part(0..<cut)), isNormal(left),
            let right = vocabulary.id(of: token.part(cut..<token.count)), isNormal(right)
          {
            pairs.append((Int32(left), Int32(right), .init(rank: rank, result: Int32(result))))
          }
        }
      }
    }
    return pairs
  }
}
