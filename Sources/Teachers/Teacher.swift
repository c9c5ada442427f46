import Reasoning

/// Who writes chains of thought: a model behind an endpoint, a local checkpoint, a file of recorded
/// ones, a simulation.
///
/// One prompt and sampling settings in, texts out. A teacher does not judge what it writes: whether
/// a text ends with a cue, and on which side of the gold answer, is for the caller to see.
public protocol Teacher: Sendable {
  /// Names who answers, and whatever else its answers depend on beside prompt and sampling: part of
  /// the key under which an answer is stored, so two teachers that answer alike may share a name and
  /// no others may.
  var identity: String { get }

  /// Whether `prompt` is short enough to be asked.
  func fits(_ prompt: TeacherPrompt) -> Bool

  /// The teacher's answer to `prompt`. An answer without texts says that it has none to give.
  func answer(_ prompt: TeacherPrompt, _ sampling: TeacherSampling) async throws -> TeacherAnswer

  /// What goes wrong in `text`, one of its answers to `prompt`; nil where the teacher does not know.
  func mistake(in text: String, _ prompt: TeacherPrompt) -> Mistake?
}

extension Teacher {
  public func fits(_ prompt: TeacherPrompt) -> Bool { true }
  public func mistake(in text: String, _ prompt: TeacherPrompt) -> Mistake? { nil }
}

/// The paper's three requests to a teacher.
public enum AnnotationStep: String, CaseIterable, Codable, Sendable {
  /// A chain of thought for a question (few-shot CoT).
  case annotate
  /// A right chain, the gold answer given as a hint (the Answer Hint Prompt, AHP).
  case rectify
  /// A wrong chain, as near as can be to a right one (the Contrastive CoTs Prompt, CCP).
  case corrupt
}

/// What a teacher is asked.
public struct TeacherPrompt: Hashable, Sendable {
  public var step: AnnotationStep
  public var question: Question
  /// The right response that is to be corrupted; nil for the other steps.
  public var rightResponse: String?
  /// The whole text that a language model reads, exemplars included.
  public var text: String

  public init(
    step: AnnotationStep, question: Question, rightResponse: String? = nil, text: String
  ) {
    self.step = step
    self.question = question
    self.rightResponse = rightResponse
    self.text = text
  }
}

/// How a teacher's texts are drawn.
public struct TeacherSampling: Hashable, Codable, Sendable {
  /// 0 takes the likeliest token each time.
  public var temperature: Double
  /// Draw from the likeliest tokens that hold this much of the probability; nil for all.
  public var topP: Double?
  /// The most tokens of a text.
  public var maximumTokens: Int
  /// Texts that end one, none of which is kept in it.
  public var stop: [String]
  /// Tells one drawing from another with the same prompt: the seed where the teacher takes one.
  public var seed: UInt64
  /// Which try this is, from 0: a response without its cue is asked for again.
  public var attempt: Int

  public init(
    temperature: Double, topP: Double? = nil, maximumTokens: Int, stop: [String] = [],
    seed: UInt64 = 0, attempt: Int = 0
  ) {
    self.temperature = temperature
    self.topP = topP
    self.maximumTokens = maximumTokens
    self.stop = stop
    self.seed = seed
    self.attempt = attempt
  }
}

/// How a teacher's text came to its end.
public enum TextEnding: String, CaseIterable, Codable, Sendable {
  /// The teacher ended it, or one of the stop texts did.
  case complete
  /// It reached the most tokens allowed, or the end of the model's context.
  case truncated
  /// A content filter withheld it or cut it off.
  case filtered
  /// The teacher refused to answer.
  case refused
  /// The teacher called a tool.
  case toolCall = "tool call"
}

/// What a teacher said.
public struct TeacherAnswer: Hashable, Codable, Sendable {
  /// The texts, as they came.
  public var texts: [String]
  /// Tokens that were read and written, as the teacher counts them; nil where it does not say.
  public var promptTokens: Int?
  public var completionTokens: Int?
  /// How the first text ended, or why there is none; nil where the teacher does not say.
  public var ending: TextEnding?
  /// The sampling settings that the teacher does not take and was asked without, by their names in
  /// its requests.
  public var omitted: [String]

  public init(
    texts: [String], promptTokens: Int? = nil, completionTokens: Int? = nil,
    ending: TextEnding? = nil, omitted: [String] = []
  ) {
    self.texts = texts
    self.promptTokens = promptTokens
    self.completionTokens = completionTokens
    self.ending = ending
    self.omitted = omitted
  }
}
