import Distillation
import Files
import KeySteps
import LanguageModel
import Reasoning
import Statistics

/// A prompt with its token ids.
public struct TokenizedPrompt: Sendable, Hashable {
  public var prompt: Prompt
  public var tokens: [Int]

  public init(_ prompt: Prompt, tokens: [Int]) {
    self.prompt = prompt
    self.tokens = tokens
  }
}

/// How a student is decoded and its answers are judged.
public struct EvaluationSettings: Sendable, Hashable {
  /// The most tokens of a response.
  public var maximumNewTokens = 256
  /// 0 takes the most likely token; see `SamplingSettings`.
  public var temperature: Float = 0
  public var topK: Int?
  public var topP: Double?
  public var seed: UInt64 = 0
  /// Prompts decoded at once.
  public var batch = 32
  /// How answers are compared; by task if nil (`AnswerRule.judging(task:matching:)`).
  public var matching: AnswerRule.Matching?
  /// The key tokens of pairs.
  public var choice = KeyTokenChoice()

  public init() {}
}

/// What a student makes of questions and dual pairs.
public struct EvaluationResult: Sendable {
  /// Its answers; nil if no question was given or a question has no gold answer.
  public var answers: TaskScores?
  /// The responses, in the order of the questions; none where there is no accuracy.
  public var responses: [AnsweredQuestion] = []
  /// How many steps of each response are right, of those where it can be told; see `StepCorrectness`.
  public var steps: [ResponseSteps] = []
  /// Why there is no accuracy: questions without a gold answer; nil if there is one.
  public var refusal: MissingGoldAnswers?
  /// Questions whose gold answer was taken from the chosen chain.
  public var derivedGoldAnswers = 0
  /// Its scores on the pairs, in their order.
  public var pairs: [PairScore] = []
  /// Nil if no pair was given.
  public var keySteps: KeyStepMetrics?
}

/// How many steps of a response are right.
public struct ResponseSteps: Sendable, Hashable {
  /// The question's.
  public var id: String
  public var task: String
  public var correctness: StepCorrectness
}

extension [ResponseSteps] {
  /// The fraction of all their steps that are right, with its 95 % interval over questions.
  public var accuracy: Estimate {
    .ratio(
      of: map { Double($0.correctness.right) }, over: map { Double($0.correctness.total) })
  }

  /// All of them, without a task, and if there are several tasks each task's, by name; none where there are no steps.
  public var byTask: [(task: String?, steps: [ResponseSteps])] {
    if isEmpty { return [] }
    let tasks = Dictionary(grouping: self, by: \.task).sorted { $0.key < $1.key }
    return [(nil, self)] + (tasks.count > 1 ? tasks.map { ($0.key, $0.value) } : [])
  }
}

/// Questions that cannot be scored.
public struct MissingGoldAnswers: Error, Hashable, CustomStringConvertible {
  /// Their ids.
  public let questions: [String]

  /// Nil if all of `prompts` have a gold answer.
  public init?(_ prompts: [Prompt]) {
    questions = prompts.filter { $0.goldAnswer == nil }.map(\.id)
    if questions.isEmpty { return nil }
  }

  public var description: String {
    let shown = questions.prefix(3).joined(separator: ", ") + (questions.count > 3 ? ", …" : "")
    return """
      no accuracy: \(questions.count) questions without a gold answer (\(shown)); give each an \
      "answer", or a chosen chain that states one after the cue of its task ("the answer is")
      """
  }
}

/// Asks a student, scores its answers and its likelihoods. The command line and the experiments
/// evaluate with this type alone.
public struct Evaluator {
  private let decoder: Decoder
  private let tokenizer: ExampleTokenizer
  private let settings: EvaluationSettings
  private let workers: Workers
  private let stop: Set<Int>

  /// - Parameter workers: the threads that share the work, on whose number results depend by rounding
  ///   only, and their precision.
  public init(
    _ decoder: Decoder, _ tokenizer: ExampleTokenizer,
    _ settings: EvaluationSettings = EvaluationSettings(), workers: Workers
  ) {
    self.decoder = decoder
    self.tokenizer = tokenizer
    self.settings = settings
    self.workers = workers
    stop = tokenizer.stopTokens
  }

  /// How the arm that trained a student has it asked, given the cues for a question's task.
  public typealias Asking = (TokenizedCues) -> ArmDecoding

  /// A response with its text, special tokens left out.
  public struct Response: Sendable, Hashable {
    public var response: ArmResponse
    public var text: String
  }

  /// The responses to `questions`, in their order, asked plainly or as `asking` says.
  ///
  /// Throws a `FileError` if the tokenizer cannot tell the cues of a task apart.
  public func responses(to questions: [TokenizedPrompt], asking: Asking? = nil) throws
    -> [Response]
  {
    var decodings: [String: ArmDecoding] = [:]
    let asked = try questions.map { question in
      let task = question.prompt.task
      let decoding =
        try decodings[task]
        ?? asking.map { try $0(TokenizedCues(.usual(forTask: task), tokenizer)) } ?? .plain
      decodings[task] = decoding
      return (tokens: question.tokens, decoding: decoding)
    }
    return Generator(
      workers: workers.count, batch: settings.batch, precision: workers.precision
    ).responses(
      to: asked, on: decoder,
      SamplingSettings(
        temperature: settings.temperature, topK: settings.topK, topP: settings.topP,
        maximumNewTokens: settings.maximumNewTokens, stop: stop),
      seed: settings.seed
    ).map { response in
      Response(
        response: response,
        text: tokenizer.tokenizer.decode(
          response.tokens.filter { !stop.contains($0) }, skippingSpecialTokens: true))
    }
  }

  /// The accuracy of the responses to `questions`, each judged by the rule of its task.
  ///
  /// Throws `MissingGoldAnswers`, and as `responses(to:asking:)`.
  public func answers(to questions: [TokenizedPrompt], asking: Asking? = nil) throws -> TaskScores {
    if let missing = MissingGoldAnswers(questions.map(\.prompt)) { throw missing }
    return judged(try responses(to: questions, asking: asking), to: questions)
  }

  /// The accuracy of `responses`, those to `questions`. Precondition: each question has a gold answer.
  package func judged(_ responses: [Response], to questions: [TokenizedPrompt]) -> TaskScores {
    TaskScores(
      Score(
        zip(questions.map(\.prompt), responses).map { prompt, response in
          Score.Response(
            id: prompt.id, task: prompt.task, text: response.text, gold: prompt.goldAnswer ?? "",
            options: prompt.options)
        }
      ) { AnswerRule.judging(task: $0, matching: settings.matching) })
  }

  /// The steps of `responses`, those to `questions`; of procedural ones where one of `pairs` has the question's right
  /// chain.
  private func steps(
    of responses: [Response], to questions: [TokenizedPrompt], _ pairs: [TokenizedPair]
  ) -> [ResponseSteps] {
    let chains = Dictionary(
      pairs.compactMap { pair in pair.source.map { ($0.questionID, $0.chosen.text) } }
    ) { first, _ in first }
    return zip(questions, responses).compactMap { question, response in
      let prompt = question.prompt
      return StepCorrectness(
        of: response.text, question: prompt.text, task: prompt.task, rightChain: chains[prompt.id]
      ).map { ResponseSteps(id: prompt.id, task: prompt.task, correctness: $0) }
    }
  }

  /// The student's likelihoods of `pairs`, in their order.
  ///
  /// Throws an `EvaluationError` that names the pair whose likelihood is not a number.
  public func scores(of pairs: [TokenizedPair]) throws -> [PairScore] {
    try PairScore.scores(
      of: pairs, on: decoder, workers: workers, choice: settings.choice)
  }

  /// Answers and likelihoods. Questions without a gold answer leave out the accuracy, and are named
  /// in `EvaluationResult.refusal`.
  public func evaluate(
    _ questions: [TokenizedPrompt], _ pairs: [TokenizedPair], asking: Asking? = nil
  ) throws -> EvaluationResult {
    var result = EvaluationResult()
    result.derivedGoldAnswers = questions.count { $0.prompt.isGoldAnswerDerived }
    result.refusal = MissingGoldAnswers(questions.map(\.prompt))
    if !questions.isEmpty, result.refusal == nil {
      let responses = try responses(to: questions, asking: asking)
      let answers = judged(responses, to: questions)
      result.answers = answers
      result.responses = zip(zip(questions, responses), answers.score.items).map {
        AnsweredQuestion($0.0.prompt, response: $0.1.text, isCorrect: $1.isCorrect)
      }
      result.steps = steps(of: responses, to: questions, pairs)
    }
    if !pairs.isEmpty {
      result.pairs = try scores(of: pairs)
      result.keySteps = KeyStepMetrics(result.pairs)
    }
    return result
  }
}

extension ExampleTokenizer {
  /// The prompts of `file` as token ids. Throws a `FileError` that names the prompt that has no
  /// token, or more than the model's context.
  public func tokenize(_ prompts: [Prompt], file: String) throws -> [TokenizedPrompt] {
    try prompts.enumerated().map { index, prompt in
      let place = "prompt \(index + 1) (\(prompt.id))"
      let rendered = try rendered(prompt, file: file, place: place)
      return TokenizedPrompt(
        prompt,
        tokens: try self.prompt(
          rendered ?? prompt.text, isRendered: rendered != nil, file: file, place: place))
    }
  }
}
