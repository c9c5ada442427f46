/// A tokenizer's parts, as its file describes them.
struct TokenizerDefinition: Sendable {
  enum Model: Sendable {
    case bytePairs(BytePairEncoding)
    /// Each piece is a token, or `unknown`.
    case words(Vocabulary, unknown: Int)
  }

  static let beginNames = ["<s>", "<|begin_of_text|>", "<bos>"]
  static let endNames = ["</s>", "<|endoftext|>", "<|im_end|>", "<|end_of_text|>", "<eos>"]
  /// Special tokens that end a turn or a text in published chat templates.
  static let endOfTurnNames = [
    "<|im_end|>", "<|eot_id|>", "<|eom_id|>", "<end_of_turn>", "<|end|>", "<|end_of_turn|>",
    "<|end_of_text|>", "<|endoftext|>",
  ]

  let file: String
  var model: Model
  /// The model's tokens and the added ones.
  var vocabulary: Vocabulary
  var addedTokens: [AddedToken] = []
  var normalizer: Normalizer?
  var preTokenizer = PreTokenizer()
  var decoder = TokenDecoder.spaceSeparated
  /// What the post-processor puts before and after a text.
  var startTokens: [Int] = []
  var endTokens: [Int] = []
  var beginningOfSequence: Int?
  var endOfSequence: Int?
  /// The end-of-sequence ids that the files name beside `endOfSequence`.
  var otherEnds: Set<Int> = []

  /// See `Tokenizer.stopTokens`.
  var stopTokens: Set<Int> {
    let special = Set(addedTokens.filter(\.isSpecial).map(\.id))
    let turnEnds = Self.endOfTurnNames.compactMap { vocabulary.id(of: $0.utf8) }
    return otherEnds.union(turnEnds.filter(special.contains)).union(
      [endOfSequence].compactMap(\.self))
  }
}

extension BytePairEncoding {
  /// A model over `vocabulary` with its symbols and flags; `merges` by rank.
  init(
    _ vocabulary: Vocabulary, isByteLevel: Bool, hasByteFallback: Bool, merges: MergeTable,
    mergeResults: some Sequence<Int32>
  ) {
    self.vocabulary = vocabulary
    self.merges = merges
    if isByteLevel {
      symbols = .bytes(
        ByteAlphabet.scalarOfByte.map { Int32(vocabulary.id(of: String($0).utf8) ?? -1) })
    } else if hasByteFallback {
      symbols = .scalars(
        fallback: (UInt8.min...UInt8.max).map { byte in
          let digits = String(byte, radix: 16, uppercase: true)
          return Int32(vocabulary.id(of: "<0x\(byte < 16 ? "0" : "")\(digits)>".utf8) ?? -1)
        })
    } else {
      symbols = .scalars(fallback: nil)
    }
    // A "▁" after anything but another keeps its left side only if some merge makes a token of
    // both.
    cutsAtMetaspace =
      !isByteLevel && vocabulary.id(of: metaspace) != nil
      && mergeResults.allSatisfy { id in
        guard var content = vocabulary.content(of: Int(id)) else { return false }
        while content.starts(with: metaspace) { content = content.dropFirst(metaspace.count) }
        return !content.indices.contains { content[$0...].starts(with: metaspace) }
      }
  }
}
