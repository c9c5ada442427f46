import Files
import Reasoning

/// The texts that tell a student which of several responses is wanted, or lead over to an answer.
public struct ArmCues: Sendable, Hashable, Codable {
  /// After the prompt, of MT-Re: for the rationale, and for the answer.
  public var rationale: String
  public var answer: String
  /// After the prompt, of MT-CoT and MT-Ra: for the explanation, and for the prediction.
  public var explanation: String
  public var prediction: String
  /// What MT-Ra's explanation begins with, before the answer, and what parts that from the
  /// rationale.
  public var answerFirst: String
  public var because: String
  /// Before the prompt, of SCOTT.
  public var factual: String
  public var counterfactual: String
  /// After the prompt, of CasCoD's first response.
  public var cascade: String
  /// Between a rationale and its answer, of CasCoD and SCOTT, and before an answer that stands
  /// alone when it is read.
  public var conclusion: String

  /// In words, as in `src/datasets/bbh_dataset.py` of https://github.com/C-W-D/CasCoD at 3468d15.
  public static let inWords = ArmCues(
    rationale: "\nRationale:", answer: "\nAnswer:", explanation: "\n[Explanation Generation]:",
    prediction: "\n[Answer Prediction]:", answerFirst: "The answer is", because: " Explanation:",
    factual: "[Factual] ", counterfactual: "[Counterfactual] ", cascade: "Rationale:",
    conclusion: "\nTherefore, the answer is")

  /// For GSM8K's model solutions, whose last line is `A: ` and the answer.
  public static let gsm8k: ArmCues = {
    var cues = inWords
    cues.conclusion = "\nA:"
    return cues
  }()

  /// For the procedural tasks, out of words that their vocabulary has.
  public static let procedural = ArmCues(
    rationale: " now", answer: " ans", explanation: " ; now", prediction: " ; ans",
    answerFirst: "ans", because: " ;", factual: "now ", counterfactual: "is ", cascade: " now",
    conclusion: " ans")

  /// Those that go with `AnswerRule.usual(forTask:)`.
  public static func usual(forTask task: String) -> ArmCues {
    if ProceduralTask(rawValue: task) != nil { return .procedural }
    return task == "gsm8k" ? .gsm8k : .inWords
  }
}

/// `ArmCues` as token ids.
public struct TokenizedCues: Sendable, Hashable {
  public var rationale, answer, explanation, prediction, answerFirst, because: [Int]
  public var factual, counterfactual, cascade, conclusion: [Int]
  public var endOfSequence: Int
  /// The tokens that every prompt begins with.
  public var startTokens: [Int]

  /// Throws a `FileError` where the tokenizer cannot tell two responses' cues apart, or where a cue
  /// is not in the model's vocabulary.
  public init(_ cues: ArmCues, _ tokenizer: ExampleTokenizer) throws {
    func check(_ ids: [Int], _ cue: String) throws -> [Int] {
      try tokenizer.check(
        ids, count: ids.count, file: tokenizer.tokenizer.file, place: "cue \"\(cue)\"")
      return ids
    }
    /// The ids of a cue that follows other text.
    func encode(_ cue: String) throws -> [Int] {
      try check(tokenizer.tokenizer.encodeContinuation(cue), cue)
    }
    /// The ids of a cue that a prompt follows. The space between them is the one that the tokenizer
    /// puts before the prompt, if it does.
    func lead(_ cue: String) throws -> [Int] {
      let isSpaced = tokenizer.tokenizer.prependsSpace && cue.hasSuffix(" ")
      return try check(
        tokenizer.tokenizer.encode(isSpaced ? String(cue.dropLast()) : cue), cue)
    }
    (rationale, answer) = try (encode(cues.rationale), encode(cues.answer))
    (explanation, prediction) = try (encode(cues.explanation), encode(cues.prediction))
    (answerFirst, because) = try (encode(cues.answerFirst), encode(cues.because))
    (factual, counterfactual) = try (lead(cues.factual), lead(cues.counterfactual))
    (cascade, conclusion) = try (encode(cues.cascade), encode(cues.conclusion))
    startTokens = tokenizer.startTokens
    endOfSequence = tokenizer.endOfSequence
    for (first, second, texts) in [
      (rationale, answer, (cues.rationale, cues.answer)),
      (explanation, prediction, (cues.explanation, cues.prediction)),
      (factual, counterfactual, (cues.factual, cues.counterfactual)),
    ] where first == second {
      throw FileError(
        file: tokenizer.tokenizer.file, location: "cues \(texts)", expected: "different token ids",
        found: "\(first) for both")
    }
  }

  /// `prompt` with `cue` before its text: after the start tokens.
  public func put(_ cue: [Int], before prompt: [Int]) -> [Int] {
    ArmDecoding(before: cue, startTokens: startTokens).sequence(prompt)
  }

  /// No arm adds more tokens than this to a chain.
  var room: Int {
    max(factual.count, counterfactual.count)
      + max(rationale.count, answer.count, explanation.count, prediction.count, cascade.count)
      + max(conclusion.count, answerFirst.count + because.count) + 1
  }
}

/// A chain of thought split into its pieces: token ids, each piece encoded as the text that follows
/// those before it, none with the end-of-sequence token.
public struct ChainPieces: Sendable, Hashable {
  public var id: String
  public var prompt: [Int]
  /// See `ChainParts`.
  public var rationale: [Int]
  public var cue: [Int]
  public var answer: [Int]
  /// Those of the chain's task.
  public var cues: TokenizedCues

  public init(
    id: String, prompt: [Int], rationale: [Int], cue: [Int], answer: [Int], cues: TokenizedCues
  ) {
    self.id = id
    self.prompt = prompt
    self.rationale = rationale
    self.cue = cue
    self.answer = answer
    self.cues = cues
  }

  /// The whole chain.
  public var chain: [Int] { rationale + cue + answer }
}

extension TrainingData {
  /// The pieces of all correct chains.
  public var pieces: [ChainPieces] {
    get throws { try pieces(of: chains) }
  }

  /// The pieces of `chains`, each split by the rule of its task.
  ///
  /// Throws a `FileError` that names the chain without a cue before its answer, or one that is longer
  /// than the model's context with the longest cues.
  public func pieces(of chains: [TokenizedChain]) throws -> [ChainPieces] {
    var cuesByTask: [String: TokenizedCues] = [:]
    return try chains.enumerated().map { index, chain in
      let place = "chain \(index + 1) (\(chain.id))"
      let task = chain.source?.task ?? ""
      let taskCues = try cuesByTask[task] ?? tokenizedCues(forTask: task)
      cuesByTask[task] = taskCues
      // A rendered response ends with the template's end of turn.
      var cues = taskCues
      if let end = chain.response.last { cues.endOfSequence = end }
      let rule = rule(task)
      let text = chain.source?.text ?? ""
      guard let parts = rule.parts(of: text) else {
        throw FileError(
          file: file, location: place,
          expected: "a chain with \"\(rule.cue)\" between its reasoning and its answer",
          found: "\"…\(text.suffix(40))\"")
      }
      var pieces = ChainPieces(
        id: chain.id, prompt: chain.context, rationale: [], cue: [], answer: [], cues: cues)
      pieces.rationale = tokenizer.tokenizer.encode(parts.rationale, after: pieces.prompt)
      pieces.cue = tokenizer.tokenizer.encode(parts.cue, after: pieces.prompt + pieces.rationale)
      pieces.answer = tokenizer.tokenizer.encode(
        parts.answer, after: pieces.prompt + pieces.rationale + pieces.cue)
      while pieces.answer.last == cues.endOfSequence { pieces.answer.removeLast() }
      try tokenizer.check(
        pieces.chain, count: pieces.prompt.count + pieces.chain.count + cues.room, file: file,
        place: place)
      return pieces
    }
  }
}
