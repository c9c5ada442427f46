/// A response to a question that reasons in steps and ends with an answer.
public struct ChainOfThought: Hashable, Codable, Sendable {
  /// The `Question.id` it responds to.
  public var questionID: String
  /// The task of that question.
  public var task: String
  /// What the student reads before it.
  public var prompt: String
  /// The response, exactly as a student is to write it, with the space it begins with and without
  /// the end-of-sequence token.
  public var text: String
  /// The answer it ends with; nil where none was looked for or none was found.
  public var answer: String?
  /// Whether that is the gold answer; nil where unknown.
  public var isCorrect: Bool?
  /// How it came about.
  public var origin: Origin
  /// The first mistake in it; nil for a right chain and where nothing is known of it.
  public var mistake: Mistake?
  /// The `Teacher.identity` of who wrote it, and how often it was asked until a response had its
  /// cue; nil where unknown.
  public var teacher: String?
  public var tries: Int?
  /// The messages that `prompt` and `text` were written out of; nil where the data is plain text.
  public var conversation: Conversation?

  /// How a chain of thought came about.
  public enum Origin: String, Codable, Sendable, CaseIterable {
    /// The teacher's first answer to the question.
    case original
    /// Asked for again with the gold answer as a hint (the Answer Hint Prompt).
    case rectified
    /// A right chain that the teacher turned into a wrong one (the Contrastive CoTs Prompt).
    case corrupted
    /// A student's own response.
    case sampled
    /// Read from a file that does not say.
    case recorded
  }

  public init(
    questionID: String, task: String, prompt: String, text: String, answer: String? = nil,
    isCorrect: Bool? = nil,
    origin: Origin, mistake: Mistake? = nil, teacher: String? = nil, tries: Int? = nil,
    conversation: Conversation? = nil
  ) {
    self.questionID = questionID
    self.task = task
    self.prompt = prompt
    self.text = text
    self.answer = answer
    self.isCorrect = isCorrect
    self.origin = origin
    self.mistake = mistake
    self.teacher = teacher
    self.tries = tries
    self.conversation = conversation
  }
}

extension [ChainOfThought] {
  /// Removes the chains that are known to be incorrect, which fine-tuning must not learn from, and
  /// returns their number.
  public mutating func removeIncorrect() -> Int {
    let count = count
    removeAll { $0.isCorrect == false }
    return count - self.count
  }
}

/// What first goes wrong in a wrong chain of thought.
public struct Mistake: Hashable, Codable, Sendable {
  public var kind: Kind
  /// The step it is made in, counted from 0; nil where unknown.
  public var step: Int?
  /// Where that step stands in the chain's text, as UTF-8 offsets; nil where unknown.
  public var range: Range<Int>?

  /// The kinds of mistake the paper tells apart.
  public enum Kind: String, Codable, Sendable, CaseIterable {
    /// The wrong operation, or one on the wrong things.
    case logical
    /// A rule or fact that is not so.
    case knowledge
    /// The right operation with a wrong result.
    case calculation
    case unknown
  }

  public init(kind: Kind, step: Int? = nil, range: Range<Int>? = nil) {
    self.kind = kind
    self.step = step
    self.range = range
  }
}

/// Dual chains of thought: a right and a wrong one for the same question.
public struct DualChainOfThought: Hashable, Codable, Sendable {
  public var chosen: ChainOfThought
  public var rejected: ChainOfThought
  /// The gold answer of the question; nil where unknown.
  public var goldAnswer: String?

  /// Precondition: both respond to the same prompt.
  public init(chosen: ChainOfThought, rejected: ChainOfThought, goldAnswer: String?) {
    precondition(
      chosen.prompt == rejected.prompt,
      "\(chosen.questionID) and \(rejected.questionID) have different prompts")
    self.chosen = chosen
    self.rejected = rejected
    self.goldAnswer = goldAnswer
  }

  public var questionID: String { chosen.questionID }
  public var task: String { chosen.task }
  public var prompt: String { chosen.prompt }
}
