import Checkpoints
import Files
import Synchronization

/// Text to token ids and back, with the ids of the Python library `tokenizers`.
///
/// Reads a Hugging Face `tokenizer.json` (byte-level BPE as in GPT-2, SmolLM2, Llama 3, Qwen2,
/// Mistral Nemo and DeepSeek; SentencePiece-style BPE with byte fallback as in Llama 2, Mistral,
/// Phi-3 and Gemma; WordLevel) or the vocabulary of a GGUF file. What such a file asks for and this library does not know is an
/// error when it is read, never a difference in the ids.
///
/// The file's `truncation` and `padding` are not applied: both are the caller's, as in
/// Transformers. The tokens around a text are those of the post-processor, or those that
/// `add_bos_token` and `add_eos_token` in `tokenizer_config.json` ask for where the
/// `tokenizer_class` reads them (Llama, CodeLlama, Gemma).
///
/// The pipeline is that of `tokenizer.json`. Transformers 5 replaces it in the class
/// `LlamaTokenizer`, which changes ids only where a text begins with a space or contains added
/// tokens.
public final class Tokenizer: Sendable {
  /// The largest id and one: how many rows an embedding needs.
  public let vocabularySize: Int
  /// The token that begins a sequence, where the tokenizer's files name one.
  public let beginningOfSequence: Int?
  /// The token that ends a sequence. The first of these that names one: `eos_token` of
  /// `tokenizer_config.json`, of `special_tokens_map.json`; `eos_token_id` of
  /// `generation_config.json`, of `config.json` (all beside `tokenizer.json`; the first of a list);
  /// a token `</s>`, `<|endoftext|>`, `<|im_end|>`, `<|end_of_text|>`, `<eos>`. (So for
  /// `beginningOfSequence`, with `<s>`, `<|begin_of_text|>`, `<bos>`.) A GGUF file names its own.
  public let endOfSequence: Int?
  /// Every token that ends a response: `endOfSequence`, every `eos_token_id` of
  /// `generation_config.json` and `config.json` (of a GGUF file, its end-of-turn and end-of-message
  /// ids), and the special tokens that end a turn by convention, such as `<|im_end|>` and
  /// `<|eot_id|>`.
  public let stopTokens: Set<Int>
  /// The tokens that `encodePrompt` puts before a text.
  public let startTokens: [Int]
  /// The `tokenizer.json` or `.gguf` file that this was read from.
  public let file: String

  private let model: TokenizerDefinition.Model
  private let vocabulary: Vocabulary
  private let normalizer: Normalizer?
  private let preTokenizer: PreTokenizer
  private let decoder: TokenDecoder
  private let endTokens: [Int]
  private let specialTokens: Set<Int>
  private let addedTokens: [Int: AddedToken]
  /// Finds the added tokens of the text as it is, and those of the normalized text.
  private let verbatimTokens: AddedTokenMatcher
  private let normalizedTokens: AddedTokenMatcher
  /// Working memory that no encoding uses at the moment.
  private let workspaces = Mutex<[Workspace]>([])

  /// Reads the tokenizer at `path`: a folder that holds `tokenizer.json` (or the `models--…` folder of
  /// Hugging Face's cache in which it lies), such a file, or a `.gguf`.
  ///
  /// Throws a `FileError` that names the file, the place, what was expected there and what was
  /// found.
  public convenience init(path: String) throws {
    let path = try Checkpoint.resolved(path)
    if path.hasSuffix(".gguf") {
      try self.init(GGUFVocabulary(GGUFFile(path: path)), file: path)
    } else {
      try self.init(TokenizerDefinition(tokenizerJSON: path))
    }
  }

  /// The tokenizer of a GGUF file's metadata, `file`, which errors name.
  package convenience init(_ vocabulary: GGUFVocabulary, file: String) throws {
    try self.init(TokenizerDefinition(vocabulary, file: file))
  }

  init(_ definition: TokenizerDefinition) throws(FileError) {
    file = definition.file
    model = definition.model
    normalizer = definition.normalizer
    preTokenizer = definition.preTokenizer
    decoder = definition.decoder
    (startTokens, endTokens) = (definition.startTokens, definition.endTokens)
    vocabulary = definition.vocabulary
    vocabularySize = vocabulary.endID
    (beginningOfSequence, endOfSequence) = (
      definition.beginningOfSequence, definition.endOfSequence
    )
    stopTokens = definition.stopTokens
    addedTokens = Dictionary(
      definition.addedTokens.map { ($0.id, $0) }, uniquingKeysWith: { $1 })
    specialTokens = Set(definition.addedTokens.filter(\.isSpecial).map(\.id))
    verbatimTokens = AddedTokenMatcher(
      definition.addedTokens.filter { !$0.isNormalized }.map { (Array($0.content.utf8), $0) })
    normalizedTokens = AddedTokenMatcher(
      definition.addedTokens.filter(\.isNormalized).map { [normalizer] token in
        let content = Array(token.content.utf8)
        return (normalizer?.normalize(content) ?? content, token)
      })
  }

  /// The token ids of `text`. Special tokens that are written in the text (`<|im_start|>`) become
  /// their ids.
  ///
  /// With `addingSpecialTokens`, the tokens that the tokenizer puts around a text are there too, as
  /// Transformers' `tokenizer(text)` gives them. A symbol that the model neither knows nor has an
  /// unknown token or byte fallback for is left out, as in `tokenizers`.
  public func encode(_ text: String, addingSpecialTokens: Bool = false) -> [Int] {
    let ids = encode(text, at: .init(isStart: true))
    return addingSpecialTokens ? startTokens + ids + endTokens : ids
  }

  /// The token ids of `text` as a prompt that a response follows.
  ///
  /// They are those of `encode(_:addingSpecialTokens:)` with two exceptions: nothing is put after
  /// the text, since an end-of-sequence token must not stand between prompt and response; and the
  /// start tokens are not repeated where the text begins with them ("<s>Hello").
  public func encodePrompt(_ text: String, includesSpecialTokens: Bool = true) -> [Int] {
    let ids = encode(text)
    return includesSpecialTokens && !ids.starts(with: startTokens) ? startTokens + ids : ids
  }

  /// The token ids of `text` where it follows the text of `context`.
  ///
  /// They are what stands after `context` in the ids of the whole text, if a token ends where
  /// `context` does. So a SentencePiece-style tokenizer puts no space before `text`: after "A:", the
  /// text " Five" is "▁Five", as it is in "A: Five", where encoded alone it would be "▁▁Five". No
  /// special tokens are added. Where `context` is empty or only the start tokens, `text` begins the
  /// whole text.
  public func encode(_ text: String, after context: [Int]) -> [Int] {
    guard context != startTokens, let last = context.last else { return encode(text) }
    guard let token = addedTokens[last] else { return encodeContinuation(text) }
    let rest = token.stripsRight ? text.drop { $0.isWhitespace } : text[...]
    return encode(String(rest), at: .init(isStart: false))
  }

  /// The token ids of `text` where it follows other text that ends in no added token.
  public func encodeContinuation(_ text: String) -> [Int] {
    encode(text, at: .init(isStart: false, continues: true))
  }

  /// Whether a text that begins with a word gets a space before it.
  public var prependsSpace: Bool { encode("a") != encodeContinuation("a") }

  private func encode(_ text: String, at position: PreTokenizer.Position) -> [Int] {
    let workspace = workspaces.withLock { $0.popLast() } ?? Workspace()
    defer { workspaces.withLock { if $0.count < 16 { $0.append(workspace) } } }
    var ids: [Int] = []
    var text = text
    text.withUTF8 { text in
      ids.reserveCapacity(text.count / 3 + 2)
      verbatimTokens.forEachSegment(of: text) { range, token in
        let position = position.part(at: range.lowerBound)
        if let token {
          ids.append(token.id)
        } else if let normalizer {
          normalizer.normalize(Array(text.part(range)), continues: position.continues)
            .withUnsafeBufferPointer { encodeNormalized($0, position, into: &ids, workspace) }
        } else {
          encodeNormalized(text.part(range), position, into: &ids, workspace)
        }
      }
    }
    return ids
  }

  private func encodeNormalized(
    _ text: UTF8Text, _ position: PreTokenizer.Position, into ids: inout [Int],
    _ workspace: Workspace
  ) {
    normalizedTokens.forEachSegment(of: text) { range, token in
      if let token { return ids.append(token.id) }
      preTokenizer.forEachPiece(of: text.part(range), at: position.part(at: range.lowerBound)) {
        piece in
        switch model {
        case .bytePairs(let model): model.encode(piece, into: &ids, workspace)
        case .words(let vocabulary, let unknown): ids.append(vocabulary.id(of: piece) ?? unknown)
        }
      }
    }
  }

  /// The text of `ids`, which gives back what was encoded where the tokenizer's normalization loses
  /// nothing.
  ///
  /// Bytes that are not UTF-8 become U+FFFD; an id without a token (a padded embedding may have
  /// some) gives nothing.
  public func decode(_ ids: [Int], skippingSpecialTokens: Bool = false) -> String {
    decoder.text(
      of: ids.compactMap { id in
        skippingSpecialTokens && specialTokens.contains(id)
          ? nil : vocabulary.content(of: id).map(Array.init)
      })
  }

  /// The bytes that each of `ids` adds to their text: joined, those of what `decode` gives, but that
  /// nothing there becomes U+FFFD. A token may hold a part of a character's UTF-8; an id without a
  /// token adds nothing.
  public func bytes(of ids: [Int]) -> [[UInt8]] {
    decoder.bytes(of: ids.map { vocabulary.content(of: $0).map(Array.init) ?? [] })
  }

  /// Whether the tokenizer's file calls the token special: an end of sequence, a turn's mark.
  public func isSpecial(_ id: Int) -> Bool { specialTokens.contains(id) }

  /// The id of the token whose content is exactly `token`.
  public func id(of token: String) -> Int? {
    vocabulary.id(of: token.utf8)
  }

  /// The content of a token as the vocabulary writes it ("Ġthe", "▁the", "<|im_end|>").
  public func token(of id: Int) -> String? {
    vocabulary.content(of: id).map { String(decoding: $0, as: UTF8.self) }
  }

  /// `endOfSequence`, for callers that cannot do without. Throws where the tokenizer's files name
  /// none.
  public func requiredEndOfSequence() throws -> Int {
    guard let endOfSequence else {
      throw FileError(
        file: file, location: "end of sequence",
        expected:
          "a token named in tokenizer_config.json, special_tokens_map.json, generation_config.json or "
          + "config.json beside it, or one of \(TokenizerDefinition.endNames.joined(separator: ", "))",
        found: "none")
    }
    return endOfSequence
  }
}
