import Annotation
import ArgumentParser
import Distillation
import Files
import Foundation
import LanguageModel
import Reasoning
import Synchronization
import Teachers
import Tokenizers

extension QuestionFormat: ExpressibleByArgument {}
extension RecordedFormat: ExpressibleByArgument {}

/// Where wrong chains come from.
enum MistakeSource: String, CaseIterable, ExpressibleByArgument {
  /// Kinds of mistake that the simulated teacher makes.
  case logical, knowledge, calculation
  /// The student's own responses.
  case student
  /// A program that changes one value of a right chain.
  case program

  var kind: Mistake.Kind? { Mistake.Kind(rawValue: rawValue) }
}

extension EndpointTeacher.TokenLimit: ExpressibleByArgument {}
extension EndpointTeacher.Kind: EnumerableFlag {}

/// What is asked.
struct QuestionOptions: ParsableArguments {
  @Option(help: "A file of questions; several with several --questions.")
  var questions: [String] = []
  @Option(
    help: """
      The format of --questions: bbh, gsm8k, arc, agieval, or jsonl (lines of question and answer).
      """)
  var format: QuestionFormat?
  @Option(help: "procedural: how many training questions are made up.")
  var questionsCount = 1000

  /// As many as the setting of an experiment may say.
  static let mostQuestions = 10_000_000

  func validate() throws {
    if questions.isEmpty != (format == nil) {
      throw ValidationError("--questions and --format must be given together")
    }
    if !(1...Self.mostQuestions).contains(questionsCount) {
      throw ValidationError(
        "--questions-count must be from 1 to \(Self.mostQuestions), not \(questionsCount)")
    }
  }

  /// The questions of the files.
  func read() throws -> [Question] {
    guard let format else { return [] }
    return try questions.flatMap(format.questions)
  }
}

/// Who is asked, and what it may cost.
struct TeacherOptions: ParsableArguments {
  enum Kind: String, CaseIterable, ExpressibleByArgument {
    case endpoint, recorded, procedural, local
  }

  @Option(
    help: """
      endpoint (OpenAI-compatible), recorded (annotations of a file), procedural (simulated, of made-up \
      problems), local (a checkpoint in this process).
      """)
  var teacher: Kind
  @Option(
    name: .customLong("base-url"), help: "endpoint: what stands before /chat/completions.")
  var baseURL: String?
  @Option(help: "endpoint: the model's name; local: a .gguf file or a Hugging Face folder.")
  var model: String?
  @Option(
    name: .customLong("api-key-variable"),
    help: "endpoint: the environment variable that holds the key, if there is one.")
  var apiKeyVariable = "OPENAI_API_KEY"
  @Flag(help: "endpoint: the prompt as a user's message, or as text to be continued.")
  var kind: EndpointTeacher.Kind = .chat
  @Option(help: "endpoint: its name for the most tokens, max_tokens or max_completion_tokens.")
  var tokenLimit: EndpointTeacher.TokenLimit = .maxTokens
  @Option(help: "local: a PEFT adapter's folder, put on the model.")
  var adapter: String?
  @OptionGroup var chat: ChatOptions
  @Option(help: "local: prompts decoded at once.")
  var batch = 16
  @OptionGroup var compute: ComputeOptions
  @Option(
    parsing: .singleValue,
    help: "recorded: a file of annotations; several with several --recorded.")
  var recorded: [String] = []
  @Option(
    help:
      "recorded: bbh, gsm8k-solutions, instructions (instruction, output, response), preferences (input, chosen, rejected) or trl (prompt, chosen, rejected)."
  )
  var recordedFormat: RecordedFormat?
  @Option(help: "procedural: how often the first answer is right, from 0 to 1.")
  var accuracy = 0.7
  @Option(
    parsing: .upToNextOption,
    help: """
      procedural: the kinds of mistake it makes, equally often. In edit-data, in place of the teacher's: student, the \
      student's own responses; program, right chains with one value changed.
      """)
  var mistakes: [MistakeSource] = [.logical, .knowledge, .calculation]
  @Option(
    help: """
      Requests under way at the same time; where left out 8, for a local teacher four times the batch.
      """)
  var concurrency: Int?
  @Option(help: "The most requests that are sent.")
  var maxRequests: Int?
  @Option(help: "The most tokens that are read and written together.")
  var maxTokensBudget: Int?
  @Option(
    help: """
      The annotation store, which answers what it holds; annotations.sqlite beside the output for \
      endpoint and local teachers where left out.
      """)
  var store: String?

  func validate() throws {
    var problems: [String] = []
    func require(_ option: String, _ value: Any?) {
      if value == nil { problems.append("--teacher \(teacher.rawValue) requires --\(option)") }
    }
    switch teacher {
    case .endpoint:
      require("base-url", baseURL)
      require("model", model)
    case .local: require("model", model)
    case .recorded:
      require("recorded", recorded.first)
      require("recorded-format", recordedFormat)
    case .procedural: break
    }
    if teacher != .local, chat.chatTemplate != nil || chat.noChatTemplate || chat.date != nil {
      problems.append(
        "--chat-template, --no-chat-template and --template-date: only with --teacher local")
    }
    for (name, value) in [("concurrency", concurrency), ("batch", batch)] {
      if let value, !(1...4096).contains(value) {
        problems.append("--\(name) must be from 1 to 4096, not \(value)")
      }
    }
    for (name, value) in [("max-requests", maxRequests), ("max-tokens-budget", maxTokensBudget)] {
      if let value, value < 0 {
        problems.append("--\(name) must be at least 0, not \(value)")
      }
    }
    for source in mistakes where source.kind == nil && mistakes.count > 1 {
      problems.append("--mistakes \(source.rawValue) stands alone")
    }
    if !problems.isEmpty { throw ValidationError(problems.joined(separator: "; ")) }
  }
}

/// How the teacher is asked.
struct PromptOptions: ParsableArguments {
  @Option(
    help: """
      A folder with annotate.mustache, rectify.mustache or corrupt.mustache in place of the built-in \
      templates.
      """)
  var templates: String?
  @Option(
    help: """
      JSON lines of exemplars in place of the built-in ones: question, response, answer, wrong_response.
      """)
  var exemplars: String?
  @Option(help: "The first try's temperature.")
  var temperature = 0.0
  @Option(help: "The first try's temperature where the answer is given as a hint.")
  var rectifyTemperature = 0.2
  @Option(help: "Temperature added with each further try.")
  var temperatureRise = 0.3
  @Option(help: "The most tries for a whole response that states its answer after the cue.")
  var tries = 3
  @Option(help: "Sample from the most likely tokens that together have this probability.")
  var topP: Double?
  @Option(help: "The most tokens of a response.")
  var maxNewTokens = 512
  @Option(
    parsing: .singleValue, help: "A text that ends a response; several with several --stop.")
  var stop: [String] = ["\nQ: "]
  @Option(help: "Seed of made-up problems, the split and the sampling.")
  var seed: UInt64 = 0

  func validate() throws {
    var problems: [String] = []
    for (name, value) in [
      ("temperature", temperature), ("rectify-temperature", rectifyTemperature),
      ("temperature-rise", temperatureRise),
    ] where !(value >= 0 && value.isFinite) {
      problems.append("--\(name) must be finite and at least 0, not \(value)")
    }
    for (name, value) in [("tries", tries), ("max-new-tokens", maxNewTokens)] where value < 1 {
      problems.append("--\(name) must be at least 1, not \(value)")
    }
    if let topP, !(topP > 0 && topP <= 1) {
      problems.append("--top-p must be above 0 and at most 1, not \(topP)")
    }
    if !problems.isEmpty { throw ValidationError(problems.joined(separator: "; ")) }
  }

  func settings(concurrency: Int) -> AnnotationPipeline.Settings {
    AnnotationPipeline.Settings(
      temperature: temperature, rectifyTemperature: rectifyTemperature,
      temperatureRise: temperatureRise, tries: tries, topP: topP, maximumTokens: maxNewTokens,
      stop: stop.filter { !$0.isEmpty }, seed: seed, concurrency: concurrency)
  }
}

/// How long a chain may be, and what counts its tokens.
struct ChainLimitOptions: ParsableArguments {
  @Option(help: "Drop chains of more tokens.")
  var maxChainTokens: Int?
  @Option(help: "The tokenizer whose tokens are counted; words where left out.")
  var tokenizer: String?

  /// The token ids of a text; of words, in the order of their first use, without a tokenizer.
  func tokens() throws -> @Sendable (String) -> [Int] {
    if let tokenizer {
      let tokenizer = try Tokenizer(path: tokenizer)
      return { tokenizer.encode($0) }
    }
    let words = WordIDs()
    return { words.ids(of: $0) }
  }

  func limit() throws -> ChainLimit? {
    guard let maxChainTokens else { return nil }
    guard let tokenizer else {
      return ChainLimit(maxChainTokens) { $0.split(whereSeparator: \.isWhitespace).count }
    }
    let counter = try Tokenizer(path: tokenizer)
    return ChainLimit(maxChainTokens) { counter.encode($0).count }
  }
}

/// Ids of words, in the order of their first use.
private final class WordIDs: Sendable {
  private let known = Mutex<[String: Int]>([:])

  func ids(of text: String) -> [Int] {
    known.withLock { known in
      text.split(whereSeparator: \.isWhitespace).map { word in
        let id = known[String(word)] ?? known.count
        known[String(word)] = id
        return id
      }
    }
  }
}

/// All that the steps share.
struct AnnotationOptions: ParsableArguments {
  @OptionGroup var questions: QuestionOptions
  @OptionGroup var teacher: TeacherOptions
  @OptionGroup var prompts: PromptOptions
  @OptionGroup var limit: ChainLimitOptions
  @Flag(help: "Only say how many calls and tokens are still to come.")
  var dryRun = false

  func validate() throws {
    if teacher.teacher == .procedural, !questions.questions.isEmpty {
      throw ValidationError("--teacher procedural makes up its questions; leave out --questions")
    }
    if [.endpoint, .local].contains(teacher.teacher), questions.questions.isEmpty {
      throw ValidationError("--teacher \(teacher.teacher.rawValue) requires --questions")
    }
  }

  /// - Parameters:
  ///   - steps: those that are going to be asked for.
  ///   - folder: where the store is made unless an option says otherwise.
  ///   - validation, test: how many problems of these parts are made up.
  func setup(
    for steps: Set<AnnotationStep>, in folder: String, validation: Int? = nil, test: Int? = nil
  ) throws -> AnnotationSetup {
    if let other = teacher.mistakes.first(where: { $0.kind == nil }),
      steps != Set(AnnotationStep.allCases)
    {
      throw ValidationError("--mistakes \(other.rawValue) is for edit-data alone")
    }
    var family = questions.format.flatMap(TaskFamily.init)
    var asked = try questions.read()
    var problems: ProceduralData.Problems?
    let who: any Teacher
    switch teacher.teacher {
    case .endpoint:
      who = try EndpointTeacher(
        baseURL: teacher.baseURL ?? "", model: teacher.model ?? "", kind: teacher.kind,
        key: APIKey.fromEnvironment(teacher.apiKeyVariable), tokenLimit: teacher.tokenLimit,
        seed: prompts.seed,
        onRetry: { retry in
          StandardError.line("\(retry.failure); trying again in \(retry.wait.seconds) s")
        },
        onNotice: StandardError.line)
    case .local:
      let model = teacher.model ?? ""
      var student = try Student(
        path: model, weights: teacher.compute.baseWeights, chat: teacher.chat.choice)
      if let adapter = teacher.adapter { student = try student.adapted(from: adapter) }
      who = try LocalTeacher(
        student,
        identity: LocalTeacher.identity(of: model, adapter: teacher.adapter, chat: student.chat),
        workers: teacher.compute.team, batch: teacher.batch)
    case .recorded:
      let format = teacher.recordedFormat ?? .trl
      var annotations = RecordedAnnotations()
      for file in teacher.recorded { annotations.add(try format.annotations(at: file)) }
      if asked.isEmpty {
        asked = annotations.questions
        family = format == .bigBenchHard ? .reasoning : nil
      }
      who = RecordedTeacher(
        annotations,
        name: ([format.rawValue] + (try teacher.recorded.map(SHA256.hex(ofFileAt:))))
          .joined(separator: " "))
    case .procedural:
      let kinds = teacher.mistakes.compactMap(\.kind)
      func fraction(_ kind: Mistake.Kind) -> Double {
        kinds.isEmpty || kinds.contains(kind) ? 1 : 0
      }
      let made = try ProceduralData.Problems(
        ProceduralData.Settings(
          trainQuestions: questions.questionsCount, validationQuestions: validation ?? 200,
          testQuestions: test ?? 500, outOfDomainQuestions: test ?? 500,
          teacherAccuracy: teacher.accuracy,
          mistakeShares: .init(
            logical: fraction(.logical), knowledge: fraction(.knowledge),
            calculation: fraction(.calculation)), seed: prompts.seed))
      asked = made.train.map(\.question)
      problems = made
      who = made.teacher
    }
    let files = questions.questions.isEmpty ? teacher.recorded : questions.questions
    if asked.isEmpty {
      throw FileError(nothingIn: files.joined(separator: ", "), expected: "question")
    }
    var ids: Set<String> = []
    if let twice = asked.first(where: { !ids.insert($0.id).inserted }) {
      throw FileError(
        file: files.joined(separator: ", "), location: "question \(twice.id)",
        expected: "an id that no other question has", found: "one that an earlier question has")
    }
    var stored: StoredTeacher?
    let budget = Budget(requests: teacher.maxRequests, tokens: teacher.maxTokensBudget)
    if teacher.store != nil || budget != Budget() || [.endpoint, .local].contains(teacher.teacher) {
      let path = teacher.store ?? folder + "/annotations.sqlite"
      stored = StoredTeacher(who, store: try AnnotationStore(path: path), budget: budget)
    }
    let concurrency = teacher.concurrency ?? (teacher.teacher == .local ? 4 * teacher.batch : 8)
    return AnnotationSetup(
      questions: asked, problems: problems, stored: stored,
      pipeline: AnnotationPipeline(
        stored ?? who,
        prompts: try PromptTemplates(
          folder: prompts.templates, exemplars: prompts.exemplars, family: family, for: steps),
        settings: prompts.settings(concurrency: concurrency), limit: try limit.limit()))
  }
}
