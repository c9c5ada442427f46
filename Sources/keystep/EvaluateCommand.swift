import ArgumentParser
import Distillation
import Evaluation
import Experiments
import Files
import LanguageModel
import Reasoning
import Statistics

struct EvaluateCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "evaluate",
    abstract: "Answer accuracy on prompts, and key-step metrics on dual pairs.",
    discussion: """
      Each metric with its 95 % interval; with --json one line, \
      {"metric","unit","value","low_95","high_95","count"}, for each.

      --prompts gives accuracy, unparsed (responses without an answer) and majority_baseline (the \
      accuracy of each task's most frequent gold answer) over all prompts; with several tasks also \
      their means over tasks (macro_accuracy and so on), and each task's own, with "task". Every \
      prompt is asked and its answer compared by the rule of its task. step_accuracy is the fraction of \
      the responses' equations that hold, of procedural problems (with their --pairs) that of the right \
      chain's steps up to the first other one. The lines name the "arm", \
      plain without --arm, and the "match", by-task without --match. A student that was trained with \
      --objective answer-sft, mt-re, mt-cot, mt-ra, scott or cascod needs --arm with the same name.

      --pairs gives pairwise_accuracy (pairs whose chosen chain is more likely per token), \
      key_token_accuracy (top-1), key_token_nll and other_token_nll of the chosen chains.

      \(KeyTokenOptions.help)

      Example: keystep evaluate --model models/SmolLM2-135M-Instruct.Q4_1.gguf --pairs pairs.jsonl \
      --prompts prompts.jsonl --json
      """)

  @OptionGroup var student: StudentOptions
  @Option(help: "Prompts as JSON lines with prompt and answer, to be answered.")
  var prompts: String?
  @Option(help: "Dual pairs as JSON lines, to be scored as they are.")
  var pairs: String?
  @OptionGroup var decoding: DecodingOptions
  @OptionGroup var match: MatchOptions
  @OptionGroup var choice: KeyTokenOptions
  @OptionGroup var compute: ComputeOptions
  @Flag(help: "Print JSON lines.")
  var json = false

  private struct Line: Encodable {
    var metric: String
    var unit: String
    var value: Double?
    var low95: Double?
    var high95: Double?
    var count: Int?
    var task: String?
    var arm: String?
    var match: String?

    // The strategy for snake case does not separate letters from digits.
    enum CodingKeys: String, CodingKey {
      case metric, unit, value, count, task, arm, match
      case low95 = "low_95"
      case high95 = "high_95"
    }
  }

  func validate() throws {
    if prompts == nil, pairs == nil { throw ValidationError("give --prompts, --pairs or both") }
    if prompts == nil, decoding.arm != nil { throw ValidationError("--arm needs --prompts") }
    if prompts == nil, match.match != nil { throw ValidationError("--match needs --prompts") }
  }

  func run() throws {
    let prompts = try prompts.map(JSONLines.prompts(at:)) ?? []
    let pairs = try pairs.map(JSONLines.pairs(at:)) ?? []
    if let missing = MissingGoldAnswers(prompts), let file = self.prompts {
      // Without pairs there is nothing to report.
      guard !pairs.isEmpty else {
        throw FileError(
          file: file, location: missing.questions[0], expected: "an \"answer\" to score by",
          found: "none")
      }
      StandardError.line("\(file): \(missing)")
    }
    let student = try student.load(compute.baseWeights)
    let tokenizer = try student.exampleTokenizer()
    var settings = decoding.settings
    settings.matching = match.match
    settings.choice = choice.choice
    let result = try Evaluator(student.decoder, tokenizer, settings, workers: compute.team)
      .evaluate(
        tokenizer.tokenize(prompts, file: self.prompts ?? ""),
        tokenizer.tokenize(pairs, file: self.pairs ?? ""),
        asking: decoding.asking)
    if let answers = result.answers {
      if !json {
        print(
          "asked \(decoding.arm.map { "as \($0.name)" } ?? "plainly"), answers matched \(match.name)"
        )
      }
      for (name, average) in answers.averages { try show(average, name) }
    }
    for (task, steps) in result.steps.byTask {
      try show(.stepAccuracy, .fraction, steps.accuracy, task: task, isAnswer: true)
    }
    if let metrics = result.keySteps {
      try show(.pairwiseAccuracy, .fraction, metrics.prefersChosen)
      try show(.keyTokenAccuracy, .fraction, metrics.keyTop1)
      try show(.keyTokenNLL, .nats, metrics.keyNegativeLogLikelihood)
      try show(.otherTokenNLL, .nats, metrics.otherNegativeLogLikelihood)
    }
  }

  /// The three lines of accuracy over all prompts, over tasks, or of one task.
  private func show(_ average: TaskScores.Average, _ name: TaskScores.Name) throws {
    func named(_ metric: MetricName) -> MetricName { name == .macro ? metric.macro : metric }
    let task: String? = if case .task(let task) = name { task } else { nil }
    try show(named(.accuracy), .fraction, average.accuracy, task: task, isAnswer: true)
    try show(named(.unparsed), .fraction, average.unparsed, task: task, isAnswer: true)
    try show(
      Line(
        metric: named(.majorityBaseline).rawValue, unit: MetricUnit.fraction.rawValue,
        value: average.majorityBaseline,
        task: task, arm: armName, match: match.name))
  }

  private var armName: String { decoding.arm?.name ?? "plain" }

  private func show(
    _ metric: MetricName, _ unit: MetricUnit, _ estimate: Estimate, task: String? = nil,
    isAnswer: Bool = false
  ) throws {
    func finite(_ value: Double) -> Double? { value.isFinite ? value : nil }
    try show(
      Line(
        metric: metric.rawValue, unit: unit.rawValue, value: finite(estimate.value),
        low95: finite(estimate.low),
        high95: finite(estimate.high), count: estimate.count, task: task,
        arm: isAnswer ? armName : nil, match: isAnswer ? match.name : nil))
  }

  private func show(_ line: Line) throws {
    if json { return try printJSONLine(line) }
    func text(_ value: Double?) -> String { value.map { "\($0)" } ?? "not defined" }
    let interval =
      line.count.map {
        ", 95 % interval \(text(line.low95)) … \(text(line.high95)) (\($0))"
      } ?? ""
    print(
      "\(line.metric)\(line.task.map { " (\($0))" } ?? ""): \(text(line.value)) \(line.unit)\(interval)"
    )
  }
}
