import Files
import Foundation

extension TokenizerDefinition {
  /// Reads `path`, a `tokenizer.json` or a folder that holds one, and the files beside it that name
  /// the tokens which begin and end a sequence.
  init(tokenizerJSON path: String) throws(FileError) {
    let file = FileContents.isFolder(path) ? path + "/tokenizer.json" : path
    try self.init(JSONNode(path: file))
    let folder = URL(fileURLWithPath: file).deletingLastPathComponent().path
    beginningOfSequence = try sequenceToken("bos", names: Self.beginNames, folder: folder)
    endOfSequence = try sequenceToken("eos", names: Self.endNames, folder: folder)
    for name in ["generation_config.json", "config.json"] {
      guard let root = try JSONNode(file: "\(folder)/\(name)") else { continue }
      otherEnds.formUnion(
        try root.integers("eos_token_id").filter { vocabulary.content(of: $0) != nil })
    }
    if let root = try JSONNode(file: "\(folder)/tokenizer_config.json") {
      try apply(tokenizerConfiguration: root)
    }
  }

  private init(_ root: JSONNode) throws(FileError) {
    let version = try root.member("version")
    if !version.isNull, try version.string() != "1.0" { throw version.error(expected: "\"1.0\"") }
    let preTokenizer = try PreTokenizer(try root.member("pre_tokenizer"))
    let model = try root.member("model")
    let modelVocabulary: Vocabulary
    (self.model, modelVocabulary) = try Self.model(model, isByteLevel: preTokenizer.isByteLevel)
    self.file = root.file
    self.preTokenizer = preTokenizer
    (vocabulary, addedTokens) = try Self.adding(
      try root.member("added_tokens"), to: modelVocabulary)
    let normalizer = try root.member("normalizer")
    self.normalizer = normalizer.isNull ? nil : try Normalizer(normalizer)
    let decoder = try root.member("decoder")
    self.decoder = decoder.isNull ? .spaceSeparated : try TokenDecoder(decoder)
    try readPostProcessor(try root.member("post_processor"))
  }

  // MARK: Model

  private static func model(
    _ node: JSONNode, isByteLevel: Bool
  ) throws(FileError) -> (Model, Vocabulary) {
    let type = try node.member("type")
    let vocabularyNode = try node.member("vocab")
    // Early files do not say "BPE".
    let merges = try node.member("merges")
    if !type.isNull || merges.isNull {
      switch try type.string() {
      case "BPE": break
      case "WordLevel":
        let vocabulary = try Self.vocabulary(vocabularyNode)
        let unknownNode = try node.member("unk_token")
        guard let unknown = vocabulary.id(of: try unknownNode.string().utf8) else {
          throw unknownNode.error(expected: "a token of the vocabulary")
        }
        return (.words(vocabulary, unknown: unknown), vocabulary)
      default: throw type.error(expected: "\"BPE\" or \"WordLevel\"")
      }
    }
    for key in ["continuing_subword_prefix", "end_of_word_suffix"] {
      let affix = try node.member(key)
      if !affix.isNull, try !affix.string().isEmpty { throw affix.error(expected: "null or \"\"") }
    }
    let dropout = try node.member("dropout")
    switch dropout.value {
    case .null, .integer(0), .number(0): break
    default: throw dropout.error(expected: "null or 0")
    }
    let vocabulary = try Self.vocabulary(vocabularyNode)
    let (mergeTable, results) = try Self.merges(merges, vocabulary)
    let fallback = try node.member("byte_fallback")
    let hasByteFallback = try fallback.bool(absent: false)
    var model = BytePairEncoding(
      vocabulary, isByteLevel: isByteLevel, hasByteFallback: hasByteFallback, merges: mergeTable,
      mergeResults: results)
    if case .bytes(let ids) = model.symbols, hasByteFallback, ids.contains(-1) {
      throw fallback.error(
        expected: "false, or all 256 bytes in the vocabulary, beside a ByteLevel pre-tokenizer")
    }
    let unknown = try node.member("unk_token")
    if !unknown.isNull, try !unknown.string().isEmpty {
      guard let id = vocabulary.id(of: try unknown.string().utf8) else {
        throw unknown.error(expected: "a token of the vocabulary")
      }
      model.unknown = Int32(id)
    }
    model.fusesUnknown = try node.bool("fuse_unk", absent: false)
    model.ignoresMerges = try node.bool("ignore_merges", absent: false)
    if model.ignoresMerges { model.cutsAtMetaspace = false }
    return (.bytePairs(model), vocabulary)
  }

  private static func vocabulary(_ node: JSONNode) throws(FileError) -> Vocabulary {
    var vocabulary = Vocabulary()
    guard case .object(let members) = node.value else { throw node.error(expected: "an object") }
    for member in members {
      func error(_ expected: String) -> FileError {
        JSONNode(member.value, file: node.file, path: "\(node.path)[\"\(member.key)\"]").error(
          expected: expected)
      }
      guard case .integer(let id) = member.value, (0..<Vocabulary.largestSize).contains(id) else {
        throw error("an id from 0 to \(Vocabulary.largestSize - 1)")
      }
      guard vocabulary.insert(member.key.utf8, id: id) else {
        throw error("each token and each id once")
      }
    }
    return vocabulary
  }

  /// The merges, written "a b" or as pairs, and the tokens that they make.
  private static func merges(
    _ node: JSONNode, _ vocabulary: Vocabulary
  ) throws(FileError) -> (MergeTable, results: [Int32]) {
    guard case .array(let lines) = node.value else { throw node.error(expected: "an array") }
    var table = MergeTable(capacity: lines.count)
    var results: [Int32] = []
    results.reserveCapacity(lines.count)
    for (index, line) in lines.enumerated() {
      func error(_ expected: String) -> FileError {
        JSONNode(line, file: node.file, path: "\(node.path)[\(index)]").error(expected: expected)
      }
      let left: Substring.UTF8View
      let right: Substring.UTF8View
      switch line {
      case .string(let line):
        if line.utf8.starts(with: "#version".utf8) { continue }
        let parts = line.utf8.split(separator: UInt8(ascii: " "), omittingEmptySubsequences: false)
        guard parts.count == 2 else { throw error("two tokens with one space between them") }
        (left, right) = (Substring(parts[0]).utf8, Substring(parts[1]).utf8)
      case .array(let pair):
        guard pair.count == 2, case .string(let first) = pair[0], case .string(let second) = pair[1]
        else {
          throw error("two tokens")
        }
        (left, right) = (first[...].utf8, second[...].utf8)
      default:
        throw error("two tokens")
      }
      guard let leftID = vocabulary.id(of: left), let rightID = vocabulary.id(of: right),
        let result = vocabulary.id(of: Array(left) + Array(right))
      else { throw error("two tokens that, like the two joined, are in the vocabulary") }
      table.insert(Int32(leftID), Int32(rightID), .init(rank: Int32(index), result: Int32(result)))
      results.append(Int32(result))
    }
    return (table, results)
  }

  // MARK: Added tokens

  private static func adding(
    _ node: JSONNode, to model: Vocabulary
  ) throws(FileError) -> (Vocabulary, [AddedToken]) {
    var vocabulary = model
    var tokens: [AddedToken] = []
    for element in node.isNull ? [] : try node.elements() {
      let content = try element.member("content").string()
      let idNode = try element.member("id")
      let id = try idNode.integer()
      guard (0..<Vocabulary.largestSize).contains(id) else {
        throw idNode.error(expected: "an id from 0 to \(Vocabulary.largestSize - 1)")
      }
      if let known = vocabulary.id(of: content.utf8) {
        guard known == id else {
          throw idNode.error(expected: "\(known), the id of \"\(content)\" in the vocabulary")
        }
      } else if !vocabulary.insert(content.utf8, id: id) {
        throw idNode.error(expected: "an id that no other token has")
      }
      tokens.append(
        AddedToken(
          id: id, content: content,
          isSpecial: try element.bool("special", absent: false),
          isNormalized: try element.bool("normalized", absent: true),
          isSingleWord: try element.bool("single_word", absent: false),
          stripsLeft: try element.bool("lstrip", absent: false),
          stripsRight: try element.bool("rstrip", absent: false)))
    }
    return (vocabulary, tokens)
  }

  // MARK: Post-processor

  private mutating func readPostProcessor(_ node: JSONNode) throws(FileError) {
    if node.isNull { return }
    let type = try node.member("type")
    switch try type.string() {
    case "ByteLevel":
      break  // It moves offsets only.
    case "Sequence":
      for processor in try node.member("processors").elements() { try readPostProcessor(processor) }
    case "TemplateProcessing":
      let single = try node.member("single")
      let specialTokens = try node.member("special_tokens")
      var (start, end, textsSeen) = ([Int](), [Int](), 0)
      for part in try single.elements() {
        let special = try part.member("SpecialToken")
        if special.isNull {
          let sequence = try part.member("Sequence").member("id")
          guard try sequence.string() == "A" else { throw sequence.error(expected: "\"A\"") }
          textsSeen += 1
          continue
        }
        for id in try specialTokens.member(try special.member("id").string()).member("ids")
          .elements()
        {
          guard vocabulary.content(of: try id.integer()) != nil else {
            throw id.error(expected: "a token's id")
          }
          if textsSeen == 0 { start.append(try id.integer()) } else { end.append(try id.integer()) }
        }
      }
      guard textsSeen == 1 else { throw single.error(expected: "the sequence A once") }
      (startTokens, endTokens) = (start + startTokens, endTokens + end)
    default:
      throw type.error(expected: "\"ByteLevel\", \"TemplateProcessing\" or \"Sequence\"")
    }
  }

  // MARK: Tokenizer configuration

  /// The classes of Transformers that put the tokens around a text by `add_bos_token`, true where
  /// absent, and `add_eos_token`, false where absent, whatever the post-processor says.
  private static let classesWithFlags = [
    "LlamaTokenizer", "CodeLlamaTokenizer", "GemmaTokenizer", "CohereTokenizer",
  ]

  /// Replaces the tokens around a text by those that `tokenizer_config.json` asks for, as
  /// Transformers 4 does: in the classes above always, in other classes never. Where no class is
  /// named, a flag that is there counts.
  private mutating func apply(tokenizerConfiguration root: JSONNode) throws(FileError) {
    let (begin, end) = (root.child("add_bos_token"), root.child("add_eos_token"))
    if let name = try root.optionalString("tokenizer_class") {
      let base = name.hasSuffix("Fast") ? String(name.dropLast(4)) : name
      guard Self.classesWithFlags.contains(base) else { return }
      let addsBeginning = try begin.bool(absent: !root.hasMember("add_bos_token"))
      startTokens = addsBeginning ? [beginningOfSequence].compactMap(\.self) : []
      endTokens = try end.bool(absent: false) ? [endOfSequence].compactMap(\.self) : []
      return
    }
    if !begin.isNull {
      startTokens = try begin.bool() ? [beginningOfSequence].compactMap(\.self) : []
    }
    if !end.isNull { endTokens = try end.bool() ? [endOfSequence].compactMap(\.self) : [] }
  }

  // MARK: Beginning and end of a sequence

  /// The token of `kind` ("bos" or "eos"), in the order that `Tokenizer.endOfSequence` documents.
  private func sequenceToken(_ kind: String, names: [String], folder: String) throws(FileError)
    -> Int?
  {
    for name in ["tokenizer_config.json", "special_tokens_map.json"] {
      guard let root = try JSONNode(file: "\(folder)/\(name)") else { continue }
      var token = try root.member("\(kind)_token")
      if case .object = token.value { token = try token.member("content") }
      if token.isNull { continue }
      guard let id = vocabulary.id(of: try token.string().utf8) else {
        throw token.error(expected: "a token of \(file)")
      }
      return id
    }
    for name in ["generation_config.json", "config.json"] {
      guard let root = try JSONNode(file: "\(folder)/\(name)") else { continue }
      var token = try root.member("\(kind)_token_id")
      if case .array = token.value, let first = try token.elements().first { token = first }
      if token.isNull { continue }
      let id = try token.integer()
      guard vocabulary.content(of: id) != nil else {
        throw token.error(expected: "the id of a token of \(file)")
      }
      return id
    }
    return names.lazy.compactMap { vocabulary.id(of: $0.utf8) }.first
  }
}

extension JSONNode {
  /// The root of `file`; nil where there is none.
  init?(file: String) throws(FileError) {
    guard FileContents.exists(file) else { return nil }
    try self.init(path: file)
  }

  /// The string of this member's `pattern`, `{"String": …}`.
  fileprivate func patternString() throws(FileError) -> [UInt8] {
    let pattern = try member("pattern")
    let string = try pattern.member("String")
    if string.isNull { throw pattern.error(expected: "a pattern of the kind \"String\"") }
    return try string.utf8()
  }

  /// What a Split's `pattern`, `{"String": …}` or `{"Regex": …}`, cuts text at.
  fileprivate func splitPattern() throws(FileError) -> SplitPattern {
    let pattern = try member("pattern")
    let string = try pattern.member("String")
    if !string.isNull {
      guard try !string.string().isEmpty else {
        throw string.error(expected: "a string that is not empty")
      }
      return SplitPattern(string: try string.string())
    }
    let regex = try pattern.member("Regex")
    if regex.isNull { throw pattern.error(expected: "\"String\" or \"Regex\"") }
    guard let published = SplitPattern.published(try regex.string()) else {
      throw regex.error(
        expected:
          "a regular expression as GPT-2, Llama 3, Qwen2, Qwen3.5, Tekken, GPT-4o, DeepSeek or Falcon has it"
      )
    }
    return published
  }

  fileprivate func splitBehavior() throws(FileError) -> SplitBehavior {
    guard let behavior = SplitBehavior(rawValue: try string()) else {
      throw error(
        expected: SplitBehavior.allCases.map { "\"\($0.rawValue)\"" }.joined(separator: " or "))
    }
    return behavior
  }

  fileprivate func utf8() throws(FileError) -> [UInt8] {
    Array(try string().utf8)
  }

  /// Checks that a Metaspace's `replacement` is "▁", and gives where it puts one before the text.
  fileprivate func prependScheme() throws(FileError) -> PreTokenizer.PrependScheme {
    let replacement = try member("replacement")
    guard try replacement.utf8() == metaspace else { throw replacement.error(expected: "\"▁\"") }
    let node = try member("prepend_scheme")
    let addsPrefix = try member("add_prefix_space").bool(absent: true)
    if node.isNull { return addsPrefix ? .always : .never }
    guard let scheme = PreTokenizer.PrependScheme(rawValue: try node.string()) else {
      throw node.error(expected: "\"always\", \"first\" or \"never\"")
    }
    guard addsPrefix || scheme == .never else {
      throw node.error(expected: "\"never\", since add_prefix_space is false")
    }
    return scheme
  }
}

extension Normalizer {
  fileprivate init(_ node: JSONNode) throws(FileError) {
    let type = try node.member("type")
    switch try type.string() {
    case "NFC": self = .unicode(.c)
    case "NFD": self = .unicode(.d)
    case "NFKC": self = .unicode(.kc)
    case "NFKD": self = .unicode(.kd)
    case "Prepend": self = .prepend(try node.member("prepend").utf8())
    case "Replace":
      self = .replace(try node.patternString(), with: try node.member("content").utf8())
    case "Sequence":
      self = .sequence(
        try node.member("normalizers").elements().map { (node) throws(FileError) in
          try Normalizer(node)
        })
    default:
      throw type.error(
        expected:
          "\"NFC\", \"NFD\", \"NFKC\", \"NFKD\", \"Prepend\", \"Replace\" or \"Sequence\"")
    }
  }
}

extension PreTokenizer {
  fileprivate init(_ node: JSONNode) throws(FileError) {
    self.init()
    if !node.isNull { try add(node) }
  }

  private mutating func add(_ node: JSONNode) throws(FileError) {
    let type = try node.member("type")
    if isByteLevel { throw type.error(expected: "nothing after ByteLevel, which comes last") }
    switch try type.string() {
    case "Sequence":
      for part in try node.member("pretokenizers").elements() { try add(part) }
    case "ByteLevel":
      if try node.bool("add_prefix_space", absent: true) { steps.append(.prefixSpace) }
      if try node.bool("use_regex", absent: true) { steps.append(.isolating(.gpt2)) }
      isByteLevel = true
    case "Split":
      let behavior = try node.member("behavior")
      steps.append(
        .split(
          try node.splitPattern(), try behavior.splitBehavior(),
          inverted: try node.bool("invert", absent: false)))
    case "Digits":
      let areSingle = try node.bool("individual_digits", absent: false)
      steps.append(.split(.number, areSingle ? .isolated : .contiguous, inverted: false))
    case "Punctuation":
      let behavior = try node.member("behavior")
      steps.append(
        .split(
          .punctuation, behavior.isNull ? .isolated : try behavior.splitBehavior(),
          inverted: false))
    case "Metaspace":
      steps.append(.metaspace(prepending: try node.prependScheme()))
      if try node.bool("split", absent: true) {
        steps.append(.split(SplitPattern(string: "▁"), .mergedWithNext, inverted: false))
      }
    case "Whitespace": steps.append(.split(.words, .removed, inverted: true))
    case "WhitespaceSplit": steps.append(.split(.whitespace, .removed, inverted: false))
    default:
      throw type.error(
        expected:
          "\"ByteLevel\", \"Split\", \"Digits\", \"Punctuation\", \"Metaspace\", \"Whitespace\", \"WhitespaceSplit\" or \"Sequence\""
      )
    }
  }
}

extension TokenDecoder {
  fileprivate init(_ node: JSONNode) throws(FileError) {
    let type = try node.member("type")
    switch try type.string() {
    case "ByteLevel": self = .byteLevel
    case "Replace":
      self = .replace(try node.patternString(), with: try node.member("content").utf8())
    case "ByteFallback": self = .byteFallback
    case "Fuse": self = .fuse
    case "Strip":
      let content = try node.member("content")
      let scalars = try content.string().unicodeScalars
      guard let scalar = scalars.first, scalars.count == 1 else {
        throw content.error(expected: "one character")
      }
      let (start, stop) = (try node.member("start"), try node.member("stop"))
      for count in [start, stop] where try !(0...1024).contains(count.integer()) {
        throw count.error(expected: "a count from 0 to 1024")
      }
      self = .strip(scalar, start: try start.integer(), stop: try stop.integer())
    case "Metaspace": self = .metaspace(try node.prependScheme())
    case "Sequence":
      self = .sequence(
        try node.member("decoders").elements().map { (node) throws(FileError) in
          try TokenDecoder(node)
        })
    default:
      throw type.error(
        expected:
          "\"ByteLevel\", \"Replace\", \"ByteFallback\", \"Fuse\", \"Strip\", \"Metaspace\" or \"Sequence\""
      )
    }
  }
}
