/// A prompt to be answered, with the gold answer if it is known.
public struct Prompt: Hashable, Sendable {
  /// Unique within its file.
  public var id: String
  public var task: String
  /// What the student reads.
  public var text: String
  public var goldAnswer: String?
  /// Whether the gold answer was taken from a chosen chain, because the data states none.
  public var isGoldAnswerDerived: Bool
  /// The options of a multiple-choice question; empty for others.
  public var options: [Question.Option]
  /// The messages that `text` was written out of; nil where the data is plain text.
  public var conversation: Conversation?

  /// The options are those that `text` lists.
  public init(
    id: String, task: String, text: String, goldAnswer: String?, isGoldAnswerDerived: Bool = false,
    conversation: Conversation? = nil
  ) {
    self.id = id
    self.task = task
    self.text = text
    self.goldAnswer = goldAnswer
    self.isGoldAnswerDerived = isGoldAnswerDerived
    options = Question.options(in: text)
    self.conversation = conversation
  }

  public init(_ question: Question) {
    self.init(
      id: question.id, task: question.task, text: question.prompt, goldAnswer: question.answer)
    options = question.options
  }

  /// The prompt of `pair`. A gold answer that the data does not state is the one that the chosen
  /// chain states, as the rule of its task finds it; nil if it finds none.
  public init(_ pair: DualChainOfThought) {
    let derived = pair.goldAnswer == nil ? AnswerRule.statedAnswer(of: pair.chosen) : nil
    self.init(
      id: pair.questionID, task: pair.task, text: pair.prompt,
      goldAnswer: pair.goldAnswer ?? derived, isGoldAnswerDerived: derived != nil)
    conversation = pair.chosen.conversation.map { Conversation(messages: $0.messages) }
  }
}
