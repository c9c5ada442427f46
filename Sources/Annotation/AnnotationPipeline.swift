import Reasoning
import Synchronization
import Teachers

/// What became of a question that a teacher was asked.
public enum AnnotationOutcome: Hashable, Sendable {
  case kept(ChainOfThought)
  case dropped(DropReason)

  public var chain: ChainOfThought? { if case .kept(let chain) = self { chain } else { nil } }
}

/// One question to a teacher.
public struct AnnotationRequest: Hashable, Sendable {
  public var step: AnnotationStep
  public var question: Question
  /// The right response that is to be corrupted.
  public var correct: ChainOfThought?

  public init(_ step: AnnotationStep, _ question: Question, correct: ChainOfThought? = nil) {
    self.step = step
    self.question = question
    self.correct = correct
  }

  /// The second request about a question: a right first answer is corrupted, a wrong one rectified.
  public init(after first: ChainOfThought, to question: Question) {
    let isRight = first.isCorrect == true
    self.init(isRight ? .corrupt : .rectify, question, correct: isRight ? first : nil)
  }
}

/// The most tokens that a chain may have.
public struct ChainLimit: Sendable {
  public var maximum: Int
  public var count: @Sendable (String) -> Int

  public init(_ maximum: Int, count: @escaping @Sendable (String) -> Int) {
    self.maximum = maximum
    self.count = count
  }

  func holds(_ chain: ChainOfThought) -> Bool { count(chain.text) <= maximum }
}

/// Asks a teacher for chains of thought and judges what it says.
///
/// A response without its cue, or one that was cut off, is asked for again, the temperature rising with
/// each try. That prefers questions the teacher answers readily, and later tries are drawn more freely
/// than first ones: each chain says how many it took.
public struct AnnotationPipeline: Sendable {
  public struct Settings: Hashable, Sendable {
    /// The first try's temperature.
    public var temperature: Double
    /// That of rectifying, which is cool in the paper.
    public var rectifyTemperature: Double
    /// How much warmer each further try is.
    public var temperatureRise: Double
    /// The most tries for a response with its cue.
    public var tries: Int
    public var topP: Double?
    /// The most tokens of a response.
    public var maximumTokens: Int
    /// Texts that end a response.
    public var stop: [String]
    public var seed: UInt64
    /// Requests that are under way at the same time.
    public var concurrency: Int

    public init(
      temperature: Double = 0, rectifyTemperature: Double = 0.2, temperatureRise: Double = 0.3,
      tries: Int = 3, topP: Double? = nil, maximumTokens: Int = 512, stop: [String] = ["\nQ: "],
      seed: UInt64 = 0, concurrency: Int = 8
    ) {
      self.temperature = temperature
      self.rectifyTemperature = rectifyTemperature
      self.temperatureRise = temperatureRise
      self.tries = tries
      self.topP = topP
      self.maximumTokens = maximumTokens
      self.stop = stop
      self.seed = seed
      self.concurrency = concurrency
    }

    func sampling(_ step: AnnotationStep, attempt: Int) -> TeacherSampling {
      TeacherSampling(
        temperature: (step == .rectify ? rectifyTemperature : temperature)
          + Double(attempt) * temperatureRise, topP: topP,
        maximumTokens: maximumTokens, stop: stop, seed: seed, attempt: attempt)
    }
  }

  public var teacher: any Teacher
  public var prompts: PromptTemplates
  public var settings: Settings
  /// Longer chains are dropped.
  public var limit: ChainLimit?

  /// Precondition: at least one try, and at least one request at the same time.
  public init(
    _ teacher: any Teacher, prompts: PromptTemplates, settings: Settings = Settings(),
    limit: ChainLimit? = nil
  ) {
    precondition(
      settings.tries >= 1 && settings.concurrency >= 1,
      "\(settings.tries) tries, \(settings.concurrency) requests at the same time")
    self.teacher = teacher
    self.prompts = prompts
    self.settings = settings
    self.limit = limit
  }

  /// What came of requests.
  public struct Result: Sendable {
    /// For each request, in their order; nil where it was not finished.
    public var outcomes: [AnnotationOutcome?]
    /// Why the rest was not asked for: a spent budget, a cancelled task, an error of the teacher.
    public var failure: (any Error)?
    /// The first error for each reason for which a question was dropped after an error.
    public var causes: [DropReason: EndpointError] = [:]

    /// `causes` in words, a line for each.
    public var causeLines: [String] {
      DropReason.allCases.compactMap { reason in
        causes[reason].map { "first question dropped as \"\(reason.rawValue)\": \($0)" }
      }
    }

    /// That none of `count` requests was sent, because of `failure` if there is one.
    public init(unfinished count: Int, failure: (any Error)? = nil) {
      outcomes = Array(repeating: nil, count: count)
      self.failure = failure
    }
  }

  /// A result that tasks write side by side.
  private final class SharedResult: Sendable {
    private struct State {
      var result: Result
      var finished = 0
      /// Whether the teacher has answered at all.
      var hasAnswered = false
      /// Questions dropped since the last answer that may not be to blame: whether they are shows
      /// in whether others are answered.
      var unclear: [Int] = []
      var unclearError: EndpointError?

      mutating func drop(_ index: Int, _ reason: DropReason, _ error: EndpointError) {
        result.outcomes[index] = .dropped(reason)
        result.causes[reason] = result.causes[reason] ?? error
        finished += 1
      }
    }

    private let state: Mutex<State>
    /// So many unclear failures without an answer between them are the endpoint's.
    private let mostUnclear: Int

    init(_ result: Result, mostUnclear: Int) {
      state = Mutex(State(result: result))
      self.mostUnclear = mostUnclear
    }

    var finished: Int { state.withLock { $0.finished } }
    var hasFailed: Bool { state.withLock { $0.result.failure != nil } }

    func finish(_ index: Int, _ outcome: AnnotationOutcome) {
      state.withLock {
        $0.result.outcomes[index] = outcome
        $0.finished += 1
        // These two are dropped without a request.
        if [.dropped(.noGoldAnswer), .dropped(.promptOverLength)].contains(outcome) { return }
        $0.hasAnswered = true
        $0.unclear = []
      }
    }

    /// Drops the question where the error is its own, and ends the run where it is not; then the first
    /// failure counts.
    func fail(_ index: Int, _ error: any Error) {
      state.withLock { state in
        guard let error = error as? EndpointError, error.scope != .endpoint else {
          state.result.failure = state.result.failure ?? error
          return
        }
        switch error.scope {
        case .endpoint: break
        case .question(let reason): state.drop(index, reason, error)
        case .unclear(let reason):
          state.drop(index, reason, error)
          // An endpoint that rejects a request at once is not down.
          if reason == .rejected, state.hasAnswered { return }
          if state.unclear.isEmpty { state.unclearError = error }
          state.unclear.append(index)
          if state.unclear.count >= mostUnclear {
            state.result.failure = state.result.failure ?? state.unclearError
          }
        }
      }
    }

    /// The result after the last task: questions that may not be to blame are not finished.
    func end() -> Result {
      state.withLock {
        if !$0.unclear.isEmpty, !$0.hasAnswered || $0.result.failure != nil {
          for index in $0.unclear { $0.result.outcomes[index] = nil }
          let outcomes = Set($0.result.outcomes)
          $0.result.causes = $0.result.causes.filter { outcomes.contains(.dropped($0.key)) }
          $0.result.failure = $0.result.failure ?? $0.unclearError
        }
        return $0.result
      }
    }
  }

  /// Asks for all of `requests`, some at the same time.
  ///
  /// A question that the endpoint rejects, or does not answer while it answers others, is dropped.
  /// After any other error, or when the task is cancelled, nothing more is asked; what is under way is
  /// waited for. `progress` is called with the number of requests that are finished.
  public func run(
    _ requests: [AnnotationRequest], progress: @Sendable (Int) -> Void = { _ in }
  ) async -> Result {
    // Tasks write what came of them here and return nothing: swiftc 6.3, optimising, misreads an
    // index and an outcome that a task returns together.
    let shared = SharedResult(
      Result(unfinished: requests.count), mostUnclear: max(settings.concurrency, 4))
    await withTaskGroup(of: Void.self) { group in
      var (next, underWay, reported) = (0, 0, 0)
      while true {
        while underWay < settings.concurrency, next < requests.count, !Task.isCancelled,
          !shared.hasFailed
        {
          let (index, request) = (next, requests[next])
          group.addTask {
            do {
              let outcome = try await outcome(of: request)
              shared.finish(index, outcome)
            } catch {
              shared.fail(index, error)
            }
          }
          next += 1
          underWay += 1
        }
        guard await group.next() != nil else { return }
        underWay -= 1
        let finished = shared.finished
        if finished > reported {
          progress(finished)
          reported = finished
        }
      }
    }
    var result = shared.end()
    if Task.isCancelled, result.outcomes.contains(nil) {
      result.failure = result.failure ?? CancellationError()
    }
    return result
  }

  /// The teacher's response to `request`, asked for again while it is cut off or lacks its cue.
  func outcome(of request: AnnotationRequest) async throws -> AnnotationOutcome {
    guard request.question.answer != nil else { return .dropped(.noGoldAnswer) }
    let prompt = prompts.prompt(
      request.step, for: request.question, rightResponse: request.correct?.text)
    guard teacher.fits(prompt) else { return .dropped(.promptOverLength) }
    var last = DropReason.noText
    for attempt in 0..<settings.tries {
      let sampling = settings.sampling(request.step, attempt: attempt)
      let answer = try await teacher.answer(prompt, sampling)
      let judged =
        switch Self.response(in: answer, sampling) {
        case .success(let text): judge(text, request, prompt, tries: attempt + 1)
        case .failure(let defect): AnnotationOutcome.dropped(defect.reason)
        }
      guard case .dropped(let reason) = judged,
        [.empty, .noCue, .truncated, .toolCall, .garbled].contains(reason)
      else { return judged }
      last = reason
    }
    return .dropped(last)
  }

  /// The most bytes of a text that is read: hundreds of thousands of tokens.
  private static let mostBytes = 1 << 20

  private struct Defect: Error { var reason: DropReason }

  /// The text of `answer` that can be judged, or why there is none.
  private static func response(in answer: TeacherAnswer, _ sampling: TeacherSampling)
    -> Swift.Result<String, Defect>
  {
    switch answer.ending {
    case .filtered: return .failure(Defect(reason: .filtered))
    case .refused: return .failure(Defect(reason: .refused))
    case .toolCall: return .failure(Defect(reason: .toolCall))
    case .complete, .truncated, nil: break
    }
    guard let raw = answer.texts.first else { return .failure(Defect(reason: .noText)) }
    guard raw.utf8.count <= mostBytes else { return .failure(Defect(reason: .overLength)) }
    let response = ResponseText(raw, stop: sampling.stop)
    // A server that does not say how a text ended may count its tokens.
    let isCut =
      answer.ending == .truncated
      || answer.ending == nil && answer.completionTokens ?? 0 >= sampling.maximumTokens
    if response.isUnfinished || isCut && !response.hasEnd {
      return .failure(Defect(reason: .truncated))
    }
    return response.isGarbled ? .failure(Defect(reason: .garbled)) : .success(response.text)
  }

  private func judge(
    _ text: String, _ request: AnnotationRequest, _ prompt: TeacherPrompt, tries: Int
  ) -> AnnotationOutcome {
    let (question, gold) = (request.question, request.question.answer ?? "")
    var text = " " + text.trimmingSpace()
    guard text != " " else { return .dropped(.empty) }
    let rule = AnswerRule.usual(forTask: question.task)
    // Base models go on with a question of their own.
    if let next = text.firstRange(of: /\n[ \t]*(Q|Question):/)?.lowerBound {
      let response = " " + text[..<next].trimmingSpace()
      if rule.read(response, gold: gold).isParsed { text = response }
    }
    let strict = rule.read(text, gold: gold)
    guard strict.isParsed, let stated = strict.answer, !stated.isEmpty else {
      return .dropped(.noCue)
    }
    if text == request.correct?.text { return .dropped(.identical) }
    let reading = AnswerRule.judging(task: question.task)
      .read(text, gold: gold, options: question.options)
    let origin: ChainOfThought.Origin
    switch request.step {
    case .annotate: origin = .original
    case .rectify: origin = .rectified
    case .corrupt: origin = .corrupted
    }
    if request.step != .annotate, reading.isCorrect != (request.step == .rectify) {
      return .dropped(.wrongSide)
    }
    let chain = ChainOfThought(
      questionID: question.id, task: question.task, prompt: question.prompt, text: text,
      answer: reading.isCorrect ? gold : reading.answer ?? stated, isCorrect: reading.isCorrect,
      origin: origin,
      mistake: reading.isCorrect
        ? nil : teacher.mistake(in: text, prompt) ?? Mistake(kind: .unknown),
      teacher: teacher.identity, tries: tries)
    return limit?.holds(chain) ?? true ? .kept(chain) : .dropped(.overLength)
  }
}

extension StepTally {
  /// What became of those of `requests` that belong to `step`.
  public init(
    _ step: AnnotationStep, _ requests: [AnnotationRequest], _ outcomes: [AnnotationOutcome?]
  ) {
    self.init(step.rawValue, correct: 0)
    for (request, outcome) in zip(requests, outcomes) where request.step == step { add(outcome) }
  }
}

extension [Question] {
  /// The first of each group of questions that ask the same.
  public func withoutRepeats() -> [Question] {
    var seen: Set<String> = []
    return filter { seen.insert($0.normalisedText).inserted }
  }
}
