import KeySteps
import Reasoning
import Tokenizers

/// A prompt and a response as token ids, tokenized apart and joined, because that is what the
/// student sees when it answers.
public struct TokenizedChain: Sendable, Hashable {
  /// Names the example in messages.
  public var id: String
  public var prompt: [Int]
  /// Ends in the end-of-sequence id.
  public var response: [Int]

  public init(id: String, prompt: [Int], response: [Int]) {
    self.id = id
    self.prompt = prompt
    self.response = response
  }

  /// Tokens of the whole sequence.
  public var tokenCount: Int { prompt.count + response.count }
}

/// The two responses of a dual pair to one prompt, as token ids.
public struct TokenizedPair: Sendable, Hashable {
  /// Names the example in messages.
  public var id: String
  public var prompt: [Int]
  /// Both end in the end-of-sequence id.
  public var right: [Int]
  public var wrong: [Int]

  public init(id: String, prompt: [Int], right: [Int], wrong: [Int]) {
    self.id = id
    self.prompt = prompt
    self.right = right
    self.wrong = wrong
  }

  /// Tokens of its two whole sequences, the prompt counted twice.
  public var tokenCount: Int { 2 * prompt.count + right.count + wrong.count }
}

/// Turns text into what a model is trained on, and refuses what it cannot be trained on.
public struct ExampleTokenizer: Sendable {
  public let tokenizer: Tokenizer
  public let endOfSequence: Int
  /// The tokens a sequence may have, and the ids the model knows; nil for no bound.
  public let maximumTokens: Int?
  public let vocabularySize: Int?

  /// Throws where the tokenizer names no end-of-sequence token.
  public init(_ tokenizer: Tokenizer, maximumTokens: Int? = nil, vocabularySize: Int? = nil) throws
  {
    self.tokenizer = tokenizer
    endOfSequence = try tokenizer.requiredEndOfSequence()
    self.maximumTokens = maximumTokens
    self.vocabularySize = vocabularySize
  }

  /// The pairs of `file` as token ids. Throws a `DataError` that names the file and the pair where
  /// a prompt has no token, or a sequence is longer than the model's context.
  public func tokenize(_ pairs: [DualChainOfThought], file: String) throws -> [TokenizedPair] {
    try pairs.enumerated().map { index, pair in
      let place = "pair \(index + 1) (\(pair.questionID))"
      let prompt = try prompt(pair.prompt, file: file, place: place)
      return TokenizedPair(
        id: pair.questionID, prompt: prompt,
        right: try response(pair.right.text, after: prompt, file: file, place: place + ", chosen"),
        wrong: try response(pair.wrong.text, after: prompt, file: file, place: place + ", rejected")
      )
    }
  }

  /// The chains of `file` as token ids; throws as for pairs.
  public func tokenize(_ chains: [ChainOfThought], file: String) throws -> [TokenizedChain] {
    try chains.enumerated().map { index, chain in
      let place = "chain \(index + 1) (\(chain.questionID))"
      let prompt = try prompt(chain.prompt, file: file, place: place)
      return TokenizedChain(
        id: chain.questionID, prompt: prompt,
        response: try response(chain.text, after: prompt, file: file, place: place))
    }
  }

  /// A prompt's token ids. Throws where there are none, or more than the model's context.
  public func prompt(_ text: String, file: String, place: String) throws -> [Int] {
    let ids = tokenizer.encode(text)
    guard !ids.isEmpty else {
      throw DataError(
        file: file, place: place, expected: "a prompt of at least one token", found: "none")
    }
    try check(ids, count: ids.count, file: file, place: place)
    return ids
  }

  private func response(_ text: String, after prompt: [Int], file: String, place: String) throws
    -> [Int]
  {
    let ids = tokenizer.encode(text) + [endOfSequence]
    try check(ids, count: prompt.count + ids.count, file: file, place: place)
    return ids
  }

  private func check(_ ids: [Int], count: Int, file: String, place: String) throws {
    if let maximumTokens, count > maximumTokens {
      throw DataError(
        file: file, place: place,
        expected: "at most the \(maximumTokens) tokens of the model's context",
        found: "\(count) tokens")
    }
    if let vocabularySize, let id = ids.first(where: { $0 >= vocabularySize }) {
      throw DataError(
        file: file, place: place,
        expected: "token ids below the model's vocabulary of \(vocabularySize)",
        found: "\(id), from another model's tokenizer")
    }
  }
}
