import Foundation

/// The words of procedural problems, as the vocabulary of a word-level tokenizer that parts them at
/// white space.
public struct WordVocabulary: Hashable, Sendable {
  /// What a word that is not in the vocabulary becomes; id 0.
  public static let unknown = "<unk>"
  /// What ends each response; id 1.
  public static let endOfSequence = "<eos>"

  /// The words in the order of their ids, the two special ones first.
  public let words: [String]

  /// All words of `tasks`' prompts and chains, of all their operators.
  public init(_ tasks: [ProceduralTask]) {
    var seen: Set<String> = []
    let all =
      [Self.unknown, Self.endOfSequence, "Q:", "A:", ";", "is", "now", "ans"]
      + tasks.flatMap(\.words)
    words = all.filter { seen.insert($0).inserted }
  }

  /// A `tokenizer.json` (model `WordLevel`, pre-tokenizer `WhitespaceSplit`) as Hugging Face's
  /// `tokenizers` loads it.
  public func tokenizerJSON() throws -> Data {
    func special(_ id: Int) -> AddedToken { AddedToken(id: id, content: words[id]) }
    let encoder = JSONEncoder()
    encoder.keyEncodingStrategy = .convertToSnakeCase
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
    return try encoder.encode(
      Tokenizer(
        addedTokens: [special(0), special(1)],
        model: .init(vocab: Dictionary(uniqueKeysWithValues: zip(words, words.indices)))))
  }

  /// The file's structure; a field's name is its property's in snake case.
  private struct Tokenizer: Encodable {
    struct PreTokenizer: Encodable { let type = "WhitespaceSplit" }
    struct Model: Encodable {
      let type = "WordLevel"
      let unkToken = WordVocabulary.unknown
      let vocab: [String: Int]
    }
    let version = "1.0"
    let addedTokens: [AddedToken]
    let preTokenizer = PreTokenizer()
    let model: Model
  }

  private struct AddedToken: Encodable {
    let id: Int
    let content: String
    let singleWord = false
    let lstrip = false
    let rstrip = false
    let normalized = false
    let special = true
  }
}
