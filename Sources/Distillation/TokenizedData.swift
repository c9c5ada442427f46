import Files
import KeySteps
import Reasoning
import Synchronization
import Tokenizers

/// A prompt and a response as token ids: the prompt's as it is given to the student, and the
/// response's as they follow it.
public struct TokenizedChain: Sendable, Hashable {
  /// Names the example in messages.
  public var id: String
  public var prompt: [Int]
  /// Ends in the end-of-sequence id, or the chat template's end of turn.
  public var response: [Int]
  /// The tokens of `response` that the assistant writes, in rising order: all of them, except in a
  /// conversation whose earlier turns are trained on too. There the user's messages and the template's
  /// marks stand between the turns, and the last turn ends the response.
  public var turns: [Range<Int>]
  /// The text it was made of, as it was rendered; of a conversation its last turn. Nil where there is none.
  public var source: ChainOfThought?

  public init(
    id: String, prompt: [Int], response: [Int], turns: [Range<Int>]? = nil,
    source: ChainOfThought? = nil
  ) {
    self.id = id
    self.prompt = prompt
    self.response = response
    self.turns = turns ?? [response.indices]
    self.source = source
  }

  /// `weight` for each token of the response that the assistant writes, `other` for the rest.
  func weights(_ weight: Float, other: Float = 0) -> [Float] {
    var weights = [Float](repeating: other, count: response.count)
    for turn in turns { for index in turn { weights[index] = weight } }
    return weights
  }

  /// How many tokens the assistant writes.
  var writtenCount: Int { turns.reduce(0) { $0 + $1.count } }

  /// What the last turn follows: the prompt and the turns before it.
  var context: [Int] { prompt + response[..<(turns.last?.lowerBound ?? 0)] }

  /// Tokens of the whole sequence.
  public var tokenCount: Int { prompt.count + response.count }
}

/// The two responses of a dual pair to one prompt, as token ids, with what is found by aligning them.
///
/// Units and key tokens are found at the first request and kept for everyone who shares the pair.
public final class TokenizedPair: Sendable {
  /// Where the units of each response begin, as indices of its tokens, rising from 0.
  public typealias UnitStarts = (chosen: [Int], rejected: [Int])

  /// Names the example in messages.
  public let id: String
  public let prompt: [Int]
  /// Both end in the end-of-sequence id, or the chat template's end of turn.
  public let chosen: [Int]
  public let rejected: [Int]
  /// The text it was made of; nil where there is none.
  public let source: DualChainOfThought?
  private let findUnits: @Sendable (AlignmentUnit) -> UnitStarts
  private let found = Mutex<
    (units: [AlignmentUnit: UnitStarts], keys: [KeyTokenChoice: KeyTokens])
  >(
    ([:], [:]))

  /// Without `units`, each token is a unit.
  public init(
    id: String, prompt: [Int], chosen: [Int], rejected: [Int], source: DualChainOfThought? = nil,
    units: (@Sendable (AlignmentUnit) -> UnitStarts)? = nil
  ) {
    self.id = id
    self.prompt = prompt
    self.chosen = chosen
    self.rejected = rejected
    self.source = source
    findUnits = units ?? { _ in (Array(chosen.indices), Array(rejected.indices)) }
  }

  /// How many tokens the two responses begin with alike.
  public var commonStart: Int { zip(chosen, rejected).prefix { $0 == $1 }.count }

  /// Tokens of its two whole sequences, the prompt counted twice.
  public var tokenCount: Int { 2 * prompt.count + chosen.count + rejected.count }

  /// Its sides as chains.
  public var chosenChain: TokenizedChain {
    TokenizedChain(id: id, prompt: prompt, response: chosen, source: source?.chosen)
  }
  public var rejectedChain: TokenizedChain {
    TokenizedChain(id: id, prompt: prompt, response: rejected, source: source?.rejected)
  }

  /// Where the words, sentences or steps of its responses begin.
  public func units(_ unit: AlignmentUnit) -> UnitStarts {
    if let units = found.withLock({ $0.units[unit] }) { return units }
    let units = findUnits(unit)
    found.withLock { $0.units[unit] = units }
    return units
  }

  /// Its key tokens by `choice`.
  public func keyTokens(_ choice: KeyTokenChoice = KeyTokenChoice()) -> KeyTokens {
    if let keys = found.withLock({ $0.keys[choice] }) { return keys }
    let scripts: KeyTokens.Scripts = choice.sharesScript ? .shared : .eachSide
    let units: UnitStarts? =
      switch choice.unit {
      case .token, .step: nil
      case .word, .sentence: self.units(choice.unit)
      }
    var keys: KeyTokens =
      switch (choice.scope, units) {
      case (.response, nil):
        KeyTokens(chosen: chosen, rejected: rejected, scripts: scripts)
      case (.response, let units?):
        KeyTokens(
          chosen: chosen, rejected: rejected, chosenUnits: units.chosen,
          rejectedUnits: units.rejected, scripts: scripts)
      case (.paddedSequence, let units):
        KeyTokens(
          chosen: chosen, rejected: rejected, chosenUnits: units?.chosen,
          rejectedUnits: units?.rejected,
          paddedTo: max(0, AlignmentScope.length - prompt.count), scripts: scripts)
      }
    if choice.onlyFirstRejectedRun { keys = keys.keepingFirstRunOfRejected() }
    if choice.unit == .step {
      let units = self.units(.step)
      keys = keys.widened(toChosenUnits: units.chosen, rejectedUnits: units.rejected)
    }
    found.withLock { $0.keys[choice] = keys }
    return keys
  }
}

extension TokenizedPair: Hashable {
  /// Whether id and tokens are the same.
  public static func == (a: TokenizedPair, b: TokenizedPair) -> Bool {
    a.id == b.id && a.prompt == b.prompt && a.chosen == b.chosen && a.rejected == b.rejected
  }

  public func hash(into hasher: inout Hasher) {
    hasher.combine(id)
    hasher.combine(chosen)
    hasher.combine(rejected)
  }
}

/// Turns text into what a model is trained on, and refuses what it cannot be trained on.
///
/// Prompt and response meet where the prompt ends: the prompt is encoded by itself, with the
/// tokenizer's start tokens (BOS), because that is what the student is given when it answers; the
/// response is encoded as the text that follows. If the tokenizer ends a token at the boundary, these
/// are the ids of prompt and response written as one text. So a SentencePiece-style tokenizer puts
/// no space of its own before a response, and a response should begin with the space or newline that
/// separates it from its prompt.
///
/// Conversations are rendered with `chat`, the model's chat template; see `RenderedConversation`.
public struct ExampleTokenizer: Sendable {
  public let tokenizer: Tokenizer
  public let endOfSequence: Int
  /// The tokens a sequence may have, and the ids the model knows; nil for no bound.
  public var maximumTokens: Int?
  public let vocabularySize: Int?
  /// Whether prompts get the tokens that the tokenizer puts before a text (BOS).
  public let includesSpecialTokens: Bool
  /// Every token that ends a response: the tokenizer's, and those that the model's configuration
  /// names.
  public let stopTokens: Set<Int>
  /// The chat template that conversations are rendered with, if any.
  public let chat: ChatSetting

  /// `modelEnds`: the end-of-sequence ids of the model's configuration. Throws where the tokenizer
  /// names no end-of-sequence token.
  public init(
    _ tokenizer: Tokenizer, maximumTokens: Int? = nil, vocabularySize: Int? = nil,
    includesSpecialTokens: Bool = true, modelEnds: [Int] = [], chat: ChatSetting = .none
  ) throws {
    self.chat = chat
    self.tokenizer = tokenizer
    endOfSequence = try tokenizer.requiredEndOfSequence()
    self.includesSpecialTokens = includesSpecialTokens
    stopTokens = tokenizer.stopTokens.union(modelEnds)
    self.maximumTokens = maximumTokens
    self.vocabularySize = vocabularySize
  }

  /// The most tokens of each response of a pair: aligning two of this length takes 400 MB.
  package static let longestAlignedResponse = 32_768

  /// The pairs of `file` as token ids. Throws a `FileError` that names the file and the pair where
  /// a prompt has no token, or a sequence is longer than the model's context or too long to be
  /// aligned.
  public func tokenize(_ pairs: [DualChainOfThought], file: String) throws -> [TokenizedPair] {
    try pairs.enumerated().map { index, pair in
      let place = "pair \(index + 1) (\(pair.questionID))"
      let chosenChain = try tokenize(pair.chosen, file: file, place: place, side: "chosen")
      let rejectedChain = try tokenize(pair.rejected, file: file, place: place, side: "rejected")
      var pair = pair
      if let chosen = chosenChain.source, let rejected = rejectedChain.source {
        pair = DualChainOfThought(chosen: chosen, rejected: rejected, goldAnswer: pair.goldAnswer)
      }
      let (prompt, chosen, rejected) = (
        chosenChain.prompt, chosenChain.response, rejectedChain.response
      )
      for (side, tokens) in [("chosen", chosen), ("rejected", rejected)]
      where tokens.count > Self.longestAlignedResponse {
        throw FileError(
          file: file, location: "\(place), \(side)",
          expected:
            "at most \(Self.longestAlignedResponse) tokens, so that the sides can be aligned",
          found: "\(tokens.count)")
      }
      return TokenizedPair(
        id: pair.questionID, prompt: prompt, chosen: chosen, rejected: rejected, source: pair
      ) { unit in
        (unitStarts(unit, of: chosen), unitStarts(unit, of: rejected))
      }
    }
  }

  /// The chains of `file` as token ids; throws as for pairs.
  public func tokenize(_ chains: [ChainOfThought], file: String) throws -> [TokenizedChain] {
    try chains.enumerated().map { index, chain in
      try tokenize(chain, file: file, place: "chain \(index + 1) (\(chain.questionID))")
    }
  }

  /// One chain as token ids; errors name `place`, and `side` where the response is what is wrong.
  private func tokenize(
    _ chain: ChainOfThought, file: String, place: String, side: String? = nil
  ) throws -> TokenizedChain {
    let responsePlace = side.map { "\(place), \($0)" } ?? place
    guard let rendered = try rendered(chain, file: file, place: responsePlace) else {
      let prompt = try prompt(chain.prompt, file: file, place: place)
      return TokenizedChain(
        id: chain.questionID, prompt: prompt,
        response: try response(chain.text, after: prompt, file: file, place: responsePlace),
        source: chain)
    }
    let prompt = try prompt(rendered.prompt, isRendered: true, file: file, place: place)
    var response: [Int] = []
    var turns: [Range<Int>] = []
    for turn in rendered.turns {
      if !turn.before.isEmpty {
        response += tokenizer.encode(turn.before, after: prompt + response)
      }
      let start = response.count
      response += tokenizer.encode(turn.text, after: prompt + response) + [turn.end]
      turns.append(start..<response.count)
    }
    try check(response, count: prompt.count + response.count, file: file, place: responsePlace)
    return TokenizedChain(
      id: chain.questionID, prompt: prompt, response: response, turns: turns,
      source: rendered.source(chain))
  }

  /// The tokens that every prompt begins with.
  public var startTokens: [Int] { includesSpecialTokens ? tokenizer.startTokens : [] }

  /// Which special tokens prompts get, for records: "bos=1", or "none".
  public var specialTokens: String {
    startTokens.isEmpty ? "none" : "bos=" + startTokens.map(String.init).joined(separator: "+")
  }

  /// A prompt's token ids.
  public func encodePrompt(_ text: String) -> [Int] {
    tokenizer.encodePrompt(text, includesSpecialTokens: includesSpecialTokens)
  }

  /// A prompt's token ids. Throws where there are none, or more than the model's context.
  ///
  /// A text that a chat template has rendered has the start tokens that the template writes, and no
  /// others, as in Transformers.
  public func prompt(
    _ text: String, isRendered: Bool = false, file: String, place: String
  ) throws -> [Int] {
    let ids = isRendered ? tokenizer.encode(text) : encodePrompt(text)
    guard !ids.isEmpty else {
      throw FileError(
        file: file, location: place, expected: "a prompt of at least one token", found: "none")
    }
    try check(ids, count: ids.count, file: file, place: place)
    return ids
  }

  /// Whether a sentence ends with `text`, after which `next` begins with its white space.
  private static func endsSentence(_ text: String, _ next: String) -> Bool {
    let words = text.reversed().drop(while: \.isWhitespace)
    guard !words.isEmpty else { return false }
    let space = text.reversed().prefix(while: \.isWhitespace) + next.prefix(while: \.isWhitespace)
    return space.contains(where: \.isNewline)
      || words.drop { "\"')]}”’".contains($0) }.first.map { ".!?;".contains($0) } == true
  }

  private func response(_ text: String, after prompt: [Int], file: String, place: String) throws
    -> [Int]
  {
    var ids = tokenizer.encode(text, after: prompt)
    while ids.last == endOfSequence { ids.removeLast() }
    ids.append(endOfSequence)
    try check(ids, count: prompt.count + ids.count, file: file, place: place)
    return ids
  }

  func check(_ ids: [Int], count: Int, file: String, place: String) throws {
    if let maximumTokens, count > maximumTokens {
      throw FileError(
        file: file, location: place,
        expected: "at most the \(maximumTokens) tokens of the model's context",
        found: "\(count) tokens")
    }
    if let vocabularySize, let id = ids.first(where: { $0 >= vocabularySize }) {
      throw FileError(
        file: file, location: place,
        expected: "token ids below the model's vocabulary of \(vocabularySize)",
        found: "\(id), from another model's tokenizer")
    }
  }
}

extension ExampleTokenizer {
  /// Where each token of a response with the text `text` ends, as UTF-8 offsets in it.
  public func textEnds(of tokens: [Int], in text: String) -> [Int] {
    let lengths = tokenizer.bytes(of: tokens).enumerated().map { index, bytes in
      index == tokens.count - 1 && stopTokens.contains(tokens[index]) ? 0 : bytes.count
    }
    // A tokenizer that marks a word's start drops the space before the first one.
    var end = text.utf8.count - lengths.reduce(0, +)
    return lengths.map { length in
      end += length
      return end
    }
  }

  /// Where the units of a response begin, as indices of its tokens, rising from 0.
  ///
  /// A word begins with white space, or after it. A sentence ends with a word that ends in `.`, `!`,
  /// `?` or `;` (quotes and brackets after it count as part of it), or with a line. The
  /// end-of-sequence token is a unit of its own.
  public func unitStarts(_ unit: AlignmentUnit, of tokens: [Int]) -> [Int] {
    guard unit != .token else { return Array(tokens.indices) }
    var starts: [Int] = []
    // The text since the last start, and the last token's.
    var (unitText, before) = ("", "")
    for (index, token) in tokens.enumerated() {
      // What stands between two words is known only where they are decoded together.
      let alone = index == 0 ? "" : tokenizer.decode([tokens[index - 1]])
      let text =
        index == 0
        ? tokenizer.decode([token])
        : String(tokenizer.decode([tokens[index - 1], token]).dropFirst(alone.count))
      let beginsWord =
        index == 0 || text.first?.isWhitespace == true || before.last?.isWhitespace == true
      let isEnd = index == tokens.count - 1 && stopTokens.contains(token)
      if isEnd || beginsWord && (unit == .word || index == 0 || Self.endsSentence(unitText, text)) {
        starts.append(index)
        unitText = ""
      }
      unitText += text
      if !text.isEmpty { before = text }
    }
    return starts
  }
}
