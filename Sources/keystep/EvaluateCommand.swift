import ArgumentParser
import Distillation
import Evaluation
import Files
import LanguageModel
import Reasoning
import Statistics

struct EvaluateCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "evaluate",
    abstract: "Answer accuracy on prompts, and key-step metrics on dual pairs.",
    discussion: """
      Each figure with its 95 % interval; with --json one line, \
      {"metric","unit","value","low_95","high_95","count"}, for each. Those of --prompts have the \
      "arm" they were asked as too, plain without --arm. A student that was trained with --objective \
      answer-sft, mt-re, mt-cot, mt-ra, scott or cascod wants --arm with the same name.

      \(KeyTokenOptions.help)

      Example: keystep evaluate --model models/SmolLM2-135M-Instruct.Q4_1.gguf --pairs pairs.jsonl \
      --prompts prompts.jsonl --json
      """)

  @OptionGroup var student: StudentOptions
  @Option(help: "Prompts as JSON lines with prompt and answer, to be answered.")
  var prompts: String?
  @Option(help: "Dual pairs as JSON lines, to be scored as they stand.")
  var pairs: String?
  @OptionGroup var decoding: DecodingOptions
  @OptionGroup var choice: KeyTokenOptions
  @OptionGroup var workers: WorkerOptions
  @Flag(help: "Print JSON lines.")
  var json = false

  private struct Line: Encodable {
    var metric: String
    var unit: String
    var value: Double?
    var low95: Double?
    var high95: Double?
    var count: Int
    var arm: String?

    // The strategy for snake case does not part letters from digits.
    enum CodingKeys: String, CodingKey {
      case metric, unit, value, count, arm
      case low95 = "low_95"
      case high95 = "high_95"
    }
  }

  func validate() throws {
    if prompts == nil, pairs == nil { throw ValidationError("give --prompts, --pairs or both") }
    if prompts == nil, decoding.arm != nil { throw ValidationError("--arm wants --prompts") }
  }

  func run() throws {
    let prompts = try prompts.map(JSONLines.prompts(at:))
    let pairs = try pairs.map(JSONLines.pairs(at:))
    if let prompts, prompts.isEmpty, let file = self.prompts {
      throw FileError(nothingIn: file, expected: "prompt")
    }
    if let pairs, pairs.isEmpty, let file = self.pairs {
      throw FileError(nothingIn: file, expected: "pair")
    }
    let student = try student.load()
    if let prompts, let file = self.prompts { try answer(prompts, file, student) }
    if let pairs, let file = self.pairs {
      let scores = try PairScore.scores(
        of: try student.exampleTokenizer().tokenize(pairs, file: file), on: student.decoder,
        workers: Workers(count: workers.workers), choice: choice.choice)
      let metrics = KeyStepMetrics(scores)
      try show("prefers right chain", "share", metrics.prefersChosen)
      try show("key tokens top-1", "share", metrics.keyTop1)
      try show("key tokens -log p", "nats", metrics.keyNegativeLogLikelihood)
      try show("other tokens -log p", "nats", metrics.otherNegativeLogLikelihood)
    }
  }

  private func answer(_ prompts: [JSONLines.Prompt], _ file: String, _ student: Student) throws {
    if let index = prompts.firstIndex(where: { $0.goldAnswer == nil }) {
      throw FileError(
        file: file, location: "prompt \(index + 1)", expected: "an \"answer\" to score by",
        found: "none")
    }
    let answers = try decoding.responses(
      to: prompts, of: file, by: student, workers: workers.workers)
    let responses = zip(prompts, answers).map { prompt, answer in
      Score.Response(
        id: prompt.id, task: prompt.task,
        text: student.tokenizer.decode(answer.tokens, skippingSpecialTokens: true),
        gold: prompt.goldAnswer ?? "")
    }
    let arm = decoding.arm?.name
    if !json { print("asked \(arm.map { "as \($0)" } ?? "plainly")") }
    for (task, responses) in Dictionary(grouping: responses, by: \.task).sorted(by: {
      $0.key < $1.key
    }) {
      let score = Score(responses, by: .usual(forTask: task))
      let name = task.isEmpty ? "" : " (\(task))"
      try show(
        "accuracy\(name)", "share", .share(score.correct, of: score.total), arm: arm ?? "plain")
      try show(
        "unparsed\(name)", "share", .share(score.unparsed, of: score.total), arm: arm ?? "plain")
    }
  }

  private func show(
    _ metric: String, _ unit: String, _ estimate: Estimate, arm: String? = nil
  ) throws {
    func finite(_ value: Double) -> Double? { value.isFinite ? value : nil }
    if json {
      try printJSONLine(
        Line(
          metric: metric, unit: unit, value: finite(estimate.value), low95: finite(estimate.low),
          high95: finite(estimate.high), count: estimate.count, arm: arm))
    } else {
      print(
        "\(metric): \(estimate.value) \(unit), 95 % interval \(estimate.low) … \(estimate.high) (\(estimate.count))"
      )
    }
  }
}
