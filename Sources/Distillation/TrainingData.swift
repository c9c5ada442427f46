import Files
import Reasoning

/// What objectives are made of: chains and dual pairs of one file, each tokenized once, and how they
/// are read.
///
/// A selection of these shares the chains and pairs with the whole, so that experiments on parts of the
/// data neither tokenize nor align again.
public struct TrainingData: Sendable {
  /// The correct chains that the teacher gave at first, and those it gave with the answer as a hint.
  public var correct: [TokenizedChain]
  public var rectified: [TokenizedChain]
  public var pairs: [TokenizedPair]
  public var tokenizer: ExampleTokenizer
  /// How a task's chains are split into rationale, cue and answer.
  public var rule: @Sendable (_ task: String) -> AnswerRule
  /// A task's cues.
  public var cues: @Sendable (_ task: String) -> ArmCues
  /// The path that errors name.
  public var file: String

  public init(
    correct: [TokenizedChain], rectified: [TokenizedChain] = [], pairs: [TokenizedPair],
    tokenizer: ExampleTokenizer,
    rule: @escaping @Sendable (_ task: String) -> AnswerRule = AnswerRule.usual(forTask:),
    cues: @escaping @Sendable (_ task: String) -> ArmCues = ArmCues.usual(forTask:), file: String
  ) {
    self.correct = correct
    self.rectified = rectified
    self.pairs = pairs
    self.tokenizer = tokenizer
    self.rule = rule
    self.cues = cues
    self.file = file
  }

  /// All correct chains.
  public var chains: [TokenizedChain] { correct + rectified }

  /// The same without what was rectified: neither those chains nor their pairs.
  public var withoutRectified: TrainingData {
    var data = self
    data.rectified = []
    data.pairs = pairs.filter { $0.source?.chosen.origin != .rectified }
    return data
  }

  /// The tasks of chains and pairs, sorted.
  public var tasks: [String] {
    Set(chains.map { $0.source?.task ?? "" } + pairs.map { $0.source?.task ?? "" }).sorted()
  }

  /// The chat template that a part of the texts was rendered with, for records; nil if none was.
  public var chatTemplate: String? {
    let sources = chains.map(\.source?.conversation) + pairs.map(\.source?.chosen.conversation)
    return sources.contains(where: tokenizer.renders) ? tokenizer.chat.record : nil
  }

  /// The cues of `task` as token ids.
  public func tokenizedCues(forTask task: String) throws -> TokenizedCues {
    try TokenizedCues(cues(task), tokenizer)
  }
}
