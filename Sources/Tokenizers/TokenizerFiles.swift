import Checkpoints
import Files
import Foundation

extension Tokenizer {
  /// Writes the tokenizer's files into `folder`, so that Transformers gives the same ids there, and
  /// removes those of another tokenizer.
  ///
  /// A tokenizer from a `tokenizer.json` is copied with the files beside it. One from a GGUF file is
  /// written as `tokenizer.json` and `tokenizer_config.json`. Where no `tokenizer_config.json` is
  /// there to be copied, one is written that names the tokens which begin and end a sequence, since
  /// they may come from files that belong to the model.
  ///
  /// Throws where the file that the tokenizer was read from is gone, or the folder cannot be
  /// written.
  public func write(to folder: String) throws {
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    let configurationPath = folder + "/tokenizer_config.json"
    if file.hasSuffix(".gguf") {
      try Self.remove(Checkpoint.tokenizerFileNames, from: folder)
      let vocabulary = try GGUFVocabulary(GGUFFile(path: file))
      try Self.write(vocabulary.tokenizerJSON(file: file), to: folder + "/tokenizer.json")
      try Self.write(vocabulary.tokenizerConfiguration, to: configurationPath)
      return
    }
    let source = URL(fileURLWithPath: file).deletingLastPathComponent()
    if source.resolvingSymlinksInPath() != URL(fileURLWithPath: folder).resolvingSymlinksInPath() {
      try Self.remove(Checkpoint.tokenizerFileNames, from: folder)
      try Self.copy(file, to: folder + "/tokenizer.json")
      for name in Checkpoint.tokenizerFileNames.dropFirst() {
        let path = source.appendingPathComponent(name).path
        if FileContents.exists(path) { try Self.copy(path, to: folder + "/" + name) }
      }
    }
    if !FileContents.exists(configurationPath) {
      let tokens = [("bos_token", beginningOfSequence), ("eos_token", endOfSequence)]
      var members: [String: JSONValue] = ["tokenizer_class": .string("PreTrainedTokenizerFast")]
      for (key, id) in tokens { members[key] = id.flatMap(token).map(JSONValue.string) }
      try Self.write(.object(members), to: configurationPath)
    }
  }

  /// Copies a file, of a link that to which it leads: those of Hugging Face's cache are links to blobs.
  private static func copy(_ path: String, to copy: String) throws {
    let file = URL(fileURLWithPath: path).resolvingSymlinksInPath().path
    try FileManager.default.copyItem(atPath: file, toPath: copy)
  }

  private static func remove(_ names: [String], from folder: String) throws {
    for name in names where FileContents.exists(folder + "/" + name) {
      try FileManager.default.removeItem(atPath: folder + "/" + name)
    }
  }

  private static func write(_ value: JSONValue, to path: String) throws {
    let file = try AtomicFile(path: path)
    try file.write(value.text(isIndented: true) + "\n")
    try file.commit()
  }
}

// MARK: From a GGUF file

extension GGUFVocabulary {
  /// The vocabulary as a `tokenizer.json` that gives the same ids in Transformers.
  ///
  /// Where tokens of a "llama" vocabulary share a score, their merges are in the order of their ids
  /// here, and from left to right in this library. Throws as reading the vocabulary does.
  package func tokenizerJSON(file: String) throws(FileError) -> JSONValue {
    let definition = try TokenizerDefinition(self, file: file)
    let source = withDefaults()
    return .object([
      "version": .string("1.0"),
      "truncation": .null,
      "padding": .null,
      "added_tokens": .array(
        definition.addedTokens.map {
          .object([
            "id": .integer($0.id), "content": .string($0.content), "special": .bool($0.isSpecial),
            "normalized": .bool(false), "single_word": .bool(false), "lstrip": .bool(false),
            "rstrip": .bool($0.stripsRight),
          ])
        }),
      "normalizer": definition.normalizer?.json ?? .null,
      "pre_tokenizer": source.preTokenizerJSON(definition.preTokenizer),
      "post_processor": postProcessorJSON(definition),
      "decoder": definition.decoder.json,
      "model": source.modelJSON(definition.vocabulary),
    ])
  }

  private func modelJSON(_ vocabulary: Vocabulary) -> JSONValue {
    let isSentencePiece = model == "llama"
    let pairs: [[String]] =
      isSentencePiece
      ? mergePairs(vocabulary).map { [tokens[Int($0.left)], tokens[Int($0.right)]] }
      : merges.map { $0.split(separator: " ").map(String.init) }
    return .object([
      "type": .string("BPE"), "dropout": .null, "continuing_subword_prefix": .null,
      "end_of_word_suffix": .null,
      "unk_token": isSentencePiece ? unknown.map { .string(tokens[$0]) } ?? .null : .null,
      "fuse_unk": .bool(isSentencePiece), "byte_fallback": .bool(isSentencePiece),
      "ignore_merges": .bool(!isSentencePiece && publishedPreTokenizer?.ignoresMerges == true),
      "vocab": .object(
        tokens.enumerated().map { JSONMember(key: $1, value: .integer($0)) }),
      "merges": .array(pairs.map { .array($0.map(JSONValue.string)) }),
    ])
  }

  private func preTokenizerJSON(_ preTokenizer: PreTokenizer) -> JSONValue {
    guard preTokenizer.isByteLevel else { return .null }
    let steps: [JSONValue] = preTokenizer.steps.compactMap { step in
      guard case .split(let pattern, let behavior, let inverted) = step else { return nil }
      let source: [String: JSONValue] =
        switch pattern.source {
        case .string(let string): ["String": .string(string)]
        case .regex(let regex): ["Regex": .string(regex)]
        }
      return .object([
        "type": .string("Split"), "pattern": .object(source),
        "behavior": .string(behavior.rawValue), "invert": .bool(inverted),
      ])
    }
    let byteLevel = JSONValue.object([
      "type": .string("ByteLevel"), "add_prefix_space": .bool(false), "trim_offsets": .bool(true),
      "use_regex": .bool(false),
    ])
    return .object(["type": .string("Sequence"), "pretokenizers": .array(steps + [byteLevel])])
  }

  private func postProcessorJSON(_ definition: TokenizerDefinition) -> JSONValue {
    let ids = definition.startTokens + definition.endTokens
    guard !ids.isEmpty else { return .null }
    func special(_ id: Int) -> JSONValue {
      .object([
        "SpecialToken": .object(["id": .string(tokens[id]), "type_id": .integer(0)])
      ])
    }
    func template(_ sequences: [String]) -> JSONValue {
      .array(
        sequences.flatMap { name in
          definition.startTokens.map(special)
            + [.object(["Sequence": .object(["id": .string(name), "type_id": .integer(0)])])]
            + definition.endTokens.map(special)
        })
    }
    return .object([
      "type": .string("TemplateProcessing"), "single": template(["A"]),
      "pair": template(["A", "B"]),
      "special_tokens": .object(
        Dictionary(
          ids.map { id in
            (
              tokens[id],
              .object([
                "id": .string(tokens[id]), "ids": .array([.integer(id)]),
                "tokens": .array([.string(tokens[id])]),
              ])
            )
          }, uniquingKeysWith: { $1 })),
    ])
  }

  /// The vocabulary's special tokens, flags and chat template as a `tokenizer_config.json`.
  var tokenizerConfiguration: JSONValue {
    let source = withDefaults()
    var members: [String: JSONValue] = [
      // The class that takes tokenizer.json as it is.
      "tokenizer_class": .string("PreTrainedTokenizerFast"),
      "clean_up_tokenization_spaces": .bool(false),
      "add_bos_token": .bool(source.addsBeginning == true),
      "add_eos_token": .bool(source.addsEnd == true),
    ]
    for (key, id) in [
      ("bos_token", source.beginningOfSequence), ("eos_token", source.endOfSequence),
      ("unk_token", source.unknown), ("pad_token", source.padding),
    ] {
      members[key] = id.map { .string(tokens[$0]) }
    }
    members["chat_template"] = chatTemplate.map(JSONValue.string)
    return .object(members)
  }
}

extension Normalizer {
  fileprivate var json: JSONValue {
    func text(_ bytes: [UInt8]) -> JSONValue { .string(String(decoding: bytes, as: UTF8.self)) }
    return switch self {
    case .unicode(let form): .object(["type": .string(form.rawValue)])
    case .prepend(let start): .object(["type": .string("Prepend"), "prepend": text(start)])
    case .replace(let pattern, let content):
      .object([
        "type": .string("Replace"), "pattern": .object(["String": text(pattern)]),
        "content": text(content),
      ])
    case .sequence(let normalizers):
      .object(["type": .string("Sequence"), "normalizers": .array(normalizers.map(\.json))])
    }
  }
}

extension TokenDecoder {
  fileprivate var json: JSONValue {
    func text(_ bytes: [UInt8]) -> JSONValue { .string(String(decoding: bytes, as: UTF8.self)) }
    return switch self {
    case .byteLevel:
      .object([
        "type": .string("ByteLevel"), "add_prefix_space": .bool(false), "trim_offsets": .bool(true),
        "use_regex": .bool(false),
      ])
    case .replace(let pattern, let content):
      .object([
        "type": .string("Replace"), "pattern": .object(["String": text(pattern)]),
        "content": text(content),
      ])
    case .byteFallback: .object(["type": .string("ByteFallback")])
    case .fuse: .object(["type": .string("Fuse")])
    case .strip(let scalar, let start, let stop):
      .object([
        "type": .string("Strip"), "content": .string(String(scalar)), "start": .integer(start),
        "stop": .integer(stop),
      ])
    case .metaspace(let scheme):
      .object([
        "type": .string("Metaspace"), "replacement": text(Tokenizers.metaspace),
        "prepend_scheme": .string(scheme.rawValue), "split": .bool(true),
      ])
    case .spaceSeparated: .null
    case .sequence(let decoders):
      .object(["type": .string("Sequence"), "decoders": .array(decoders.map(\.json))])
    }
  }
}
