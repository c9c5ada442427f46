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
  }
}

extension TokenizerDefinition {
  private enum TokenType {
    static let normal = 1
    static let control = 3
    static let userDefined = 4
  }

  /// The tokenizer that `source`, the metadata of `file`, describes.
  init(_ source: GGUFVocabulary, file: String) throws(FileError) {
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
      ("unknown_token_id", source.unknown),
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
    addedTokens = zip(source.tokenTypes, source.tokens).enumerated().compactMap { id, token in
      switch token.0 {
      case TokenType.control: AddedToken(id: id, content: token.1, isSpecial: true)
      case TokenType.userDefined: AddedToken(id: id, content: token.1)
      default: nil
      }
    }
    let addsBeginning: Bool
    switch source.model {
    case "gpt2":
      guard let preTokenizer = source.pre.flatMap(PreTokenizer.init(gguf:)) else {
        throw error(
          "pre", expected: PreTokenizer.ggufNames.map { "\"\($0)\"" }.joined(separator: " or "),
          found: source.pre.map { "\"\($0)\"" } ?? "no such key")
      }
      let isLlama3 = source.pre == "llama-bpe"
      addsBeginning = source.addsBeginning ?? isLlama3
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
      model.ignoresMerges = isLlama3
      self.model = .bytePairs(model)
      self.preTokenizer = preTokenizer
      normalizer = source.pre == "qwen2" ? .nfc : nil
      decoder = .byteLevel
    case "llama":
      guard source.scores.count == count else {
        throw error(
          "scores", expected: "\(count), one for each token", found: "\(source.scores.count)")
      }
      addsBeginning = source.addsBeginning ?? true
      let (merges, results) = Self.merges(of: vocabulary, source)
      var model = BytePairEncoding(
        vocabulary, isByteLevel: false, hasByteFallback: true, merges: merges, mergeResults: results
      )
      model.unknown = source.unknown.map(Int32.init)
      model.fusesUnknown = true
      self.model = .bytePairs(model)
      let space: [UInt8] = [UInt8(ascii: " ")]
      let replacesSpaces = Normalizer.replace(space, with: metaspace)
      var steps: [TokenDecoder] = [.replace(metaspace, with: space), .byteFallback, .fuse]
      if source.addsSpacePrefix ?? true {
        normalizer = .sequence([.prepend(metaspace), replacesSpaces])
        steps.append(.strip(" ", start: 1, stop: 0))
      } else {
        normalizer = replacesSpaces
      }
      decoder = .sequence(steps)
    default:
      throw error("model", expected: "\"gpt2\" or \"llama\"", found: "\"\(source.model)\"")
    }
    if addsBeginning, let id = beginningOfSequence { startTokens = [id] }
    if source.addsEnd ?? false, let id = endOfSequence { endTokens = [id] }
  }

  /// The merges of a SentencePiece vocabulary: every way to write a normal token as two others, the
  /// pair whose token has the highest score first. Tokens of one score share a rank: of those the
  /// leftmost is merged first.
  private static func merges(of vocabulary: Vocabulary, _ source: GGUFVocabulary) -> (
    MergeTable, [Int32]
  ) {
    func isNormal(_ id: Int) -> Bool {
      source.tokenTypes.isEmpty || source.tokenTypes[id] == TokenType.normal
    }
    let results = source.tokens.indices.filter(isNormal).sorted {
      source.scores[$0] > source.scores[$1]
    }
    var pairs: [(left: Int32, right: Int32, merge: MergeTable.Merge)] = []
    var rank: Int32 = 0
    for (index, result) in results.enumerated() {
      if index > 0, source.scores[result] < source.scores[results[index - 1]] { rank += 1 }
      Array(source.tokens[result].utf8).withUnsafeBufferPointer { token in
        for cut in 1..<max(token.count, 1) where token[cut] & 0xC0 != 0x80 {
          if let left = vocabulary.id(of: token.part(0..<cut)), isNormal(left),
            let right = vocabulary.id(of: token.part(cut..<token.count)), isNormal(right)
          {
            pairs.append((Int32(left), Int32(right), .init(rank: rank, result: Int32(result))))
          }
        }
      }
    }
    var table = MergeTable(capacity: pairs.count)
    for pair in pairs { table.insert(pair.left, pair.right, pair.merge) }
    return (table, pairs.map(\.merge.result))
  }
}

extension PreTokenizer {
  /// The names that GGUF has for the pre-tokenizers known here.
  static let ggufNames = ["gpt-2", "smollm", "llama-bpe", "qwen2"]

  /// The pre-tokenizer that llama.cpp uses for `name`.
  init?(gguf name: String) {
    isByteLevel = true
    switch name {
    case "gpt-2": steps = [.split(.gpt2)]
    case "smollm": steps = [.digits(individually: true), .split(.gpt2)]
    case "llama-bpe": steps = [.split(.llama3)]
    case "qwen2": steps = [.split(.qwen2)]
    default: return nil
    }
  }
}
