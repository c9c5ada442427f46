import Checkpoints
import Distillation
import Evaluation
import Experiments
import Files
import Foundation
import KeySteps
import LanguageModel
import Randomness
import Reasoning
import Statistics
import Teachers
import Tokenizers

/// What the runs of a distillation experiment have in common: data, the student, EDIT's two stages,
/// and how a student is measured. An experiment adds arms and axes.
public struct DistillationSetup: Sendable {
  public let data: ExperimentData
  /// The pretrained student; nil where one is trained from scratch.
  private let pretrained: Student?
  private let modelChecksum: [String: String]

  /// Whether the flags name a pretrained student, and with it the defaults that fit one.
  public static func usesCheckpoint(_ arguments: [String] = CommandLine.arguments) -> Bool {
    arguments.contains { $0 == "--student" || $0.hasPrefix("--student=") }
  }

  /// The settings that every distillation experiment has. Their defaults are those of the embedded
  /// student, or those that fit a pretrained one of 135 M parameters on a CPU; the second stage is
  /// EDIT's, at the paper's weights.
  public static func settings(checkpoint: Bool = usesCheckpoint()) -> [Setting] {
    studentSettings(checkpoint) + trainingSettings(checkpoint) + secondStageSettings(checkpoint)
  }

  /// The value of the setting `match` that leaves the comparison of answers to their tasks.
  private static let matchingByTask = "by-task"

  private static let count = Setting.Kind.integer(0...10_000_000)

  private static func studentSettings(_ checkpoint: Bool) -> [Setting] {
    checkpoint
      ? [
        Setting("student", .file, [], isAxis: false, help: "a .gguf file or a Hugging Face folder"),
        Setting("pairs", .file, [], isAxis: false, help: "dual pairs as JSON lines"),
        Setting(
          "validation_questions", count, [.integer(40)], isAxis: false,
          help: "held out to choose on"),
        Setting(
          "test_questions", count, [.integer(100)], isAxis: false, help: "held out to score once"),
        Setting("max_new_tokens", .integer(1...8192), [.integer(160)], help: "of an answer"),
        Setting("lora_rank", .integer(1...4096), [.integer(64)], help: "rank of the adapter"),
        Setting("lora_alpha", .number(0...4096), [.integer(32)], help: "its alpha"),
        Setting("lora_dropout", .number(0...0.99), [.number(0.05)], help: "its dropout"),
      ]
      : [
        Setting(
          "train_questions", count, [.integer(4000)], smoke: [.integer(64)], isAxis: false,
          help: "of the teacher's"),
        Setting(
          "validation_questions", count, [.integer(200)], smoke: [.integer(16)], isAxis: false,
          help: "to choose on"),
        Setting(
          "test_questions", count, [.integer(500)], smoke: [.integer(16)], isAxis: false,
          help: "of each test"),
        Setting(
          "max_new_tokens", .integer(1...512), [.integer(120)], smoke: [.integer(40)],
          help: "of an answer"),
      ]
  }

  private static func trainingSettings(_ checkpoint: Bool) -> [Setting] {
    [
      Setting(
        "data_seed", .integer(0...Int.max), [.integer(1)], isAxis: false,
        help: "of problems, or of the split"),
      Setting(
        "stage1_steps", count, [.integer(checkpoint ? 20 : 1400)], smoke: [.integer(3)],
        help: "of supervised fine-tuning"),
      Setting(
        "stage1_learning_rate", .number(0...1), [.number(checkpoint ? 2e-4 : 2e-3)],
        help: "highest of stage 1"),
      Setting(
        "stage2_steps", count, [.integer(checkpoint ? 20 : 60)], smoke: [.integer(2)],
        help: "of the second stage"),
      Setting("batch_size", .integer(1...100_000), [.integer(16)], help: "chains or pairs a step"),
      Setting(
        "match", .choice([matchingByTask] + AnswerRule.Matching.allCases.map(\.rawValue)),
        [.text(matchingByTask)],
        help:
          "how answers are compared; \(matchingByTask): procedural tasks strictly, others by value"
      ),
    ]
  }

  private static func secondStageSettings(_ checkpoint: Bool) -> [Setting] {
    [
      Setting(
        "learning_rate", .number(0...1), [.number(checkpoint ? 5e-5 : 1e-4)],
        help: "of the second stage"),
      Setting("alpha", .number(0...100), [.integer(1)], help: "weight of right key tokens"),
      Setting("beta", .number(-100...0), [.number(-0.025)], help: "weight of wrong key tokens"),
      Setting(
        "gamma", .number(0...100), [.integer(0)], help: "weight of the right chain's other tokens"),
      Setting(
        "guard", .number(0...1000), [.integer(20)],
        help: "nats above which wrong tokens are let be"),
    ]
  }

  /// Reads or makes the data, and the student where it is a checkpoint.
  public init(_ context: PreparationContext) throws {
    let settings = context.settings
    func path(_ name: String) -> String? {
      if case .text(let path) = settings.values[name] { path } else { nil }
    }
    if let student = path("student") {
      guard let pairs = path("pairs") else {
        throw FileError(
          file: student, expected: "--pairs with dual pairs to train it on",
          found: "none")
      }
      let loaded = try Student(path: student)
      pretrained = loaded
      modelChecksum = ["model": try Self.checksum(ofModelAt: student)]
      data = try ExperimentData(
        pairs: pairs, for: loaded, validation: settings.integer("validation_questions"),
        test: settings.integer("test_questions"), splitSeed: UInt64(settings.integer("data_seed")))
    } else {
      pretrained = nil
      modelChecksum = [:]
      data = try ExperimentData(
        procedural: .init(
          trainQuestions: settings.integer("train_questions"),
          validationQuestions: settings.integer("validation_questions"),
          testQuestions: settings.integer("test_questions"),
          outOfDomainQuestions: settings.integer("test_questions"),
          seed: UInt64(settings.integer("data_seed"))), folder: context.folder)
    }
  }

  /// Of a folder, that of its weights' file.
  private static func checksum(ofModelAt path: String) throws -> String {
    var isFolder: ObjCBool = false
    _ = FileManager.default.fileExists(atPath: path, isDirectory: &isFolder)
    return try SHA256.hex(ofFileAt: isFolder.boolValue ? path + "/model.safetensors" : path)
  }

  /// SHA-256 of data and model.
  public var checksums: [String: String] { data.checksums.merging(modelChecksum) { own, _ in own } }

  /// What the data is, the majority baselines, and what is known of gold answers.
  public var notes: [String] {
    func percent(_ value: Double) -> String { "\((1000 * value).rounded() / 10) %" }
    let tests = data.tests.map { test in
      let baselines = test.majorityBaselines
      let byTask =
        baselines.count > 1
        ? ", "
          + baselines.map { "\($0.task) \(percent($0.accuracy))" }.joined(separator: ", ") : ""
      return "\(test.name): \(test.questions.count) questions, majority baseline "
        + percent(MajorityBaseline.overall(baselines)) + byTask
        + (test.goldAnswerNote.map { "; \($0)" } ?? "")
    }
    let keys = data.pairs.map { KeyTokens(chosen: $0.chosen, rejected: $0.rejected) }
    let share = keys.map(\.fraction).reduce(0, +) / Double(max(1, keys.count))
    return [
      "training: \(data.correct.count) right chains, \(data.rectified.count) rectified, "
        + "\(data.pairs.count) dual pairs with \(percent(share)) key tokens"
    ] + tests
  }

  // MARK: Stages

  /// The student before any training; from scratch, that of the run's `preset` where it has one.
  func untrained(_ run: RunSettings) throws -> Decoder {
    var generator = SeededGenerator(seed: run.seed, stream: "initialisation")
    guard let pretrained else {
      let preset = run.values["preset"].flatMap { StudentPreset(rawValue: $0.description) }
      return try .random(
        (preset ?? .procedural).configuration(
          vocabularySize: data.tokenizer.tokenizer.vocabularySize), using: &generator)
    }
    let configuration = LowRankConfiguration(
      rank: run.integer("lora_rank"), alpha: Float(run.number("lora_alpha")),
      dropout: Float(run.number("lora_dropout")))
    return pretrained.decoder.adapted(
      by: LowRankAdapter(configuration, for: pretrained.decoder.configuration, using: &generator))
  }

  /// The student after supervised fine-tuning on `chains`, trained once for all runs with these
  /// settings.
  public func firstStage(_ context: RunContext, on chains: [TokenizedChain]) throws -> Decoder {
    let texts = chains.map { "\($0.id) \($0.response)" }
    return try firstStage(
      context, key: ["chains": .text(SHA256.hex(of: texts.joined(separator: "\n")))]
    ) { .chainsOfThought(chains) }
  }

  /// The student after the first stage of `arm`, shared as that on chains.
  public func firstStage(_ context: RunContext, of arm: ArmName) throws -> Decoder {
    let stage = arm.stages[0]
    let chains = stage.data(data.chains)
    if stage.objective == .chains {
      return try firstStage(
        context, on: stage.includesRectified ? data.correct + data.rectified : data.correct)
    }
    return try firstStage(
      context,
      key: [
        "chains": .text(
          SHA256.hex(
            of: (chains.correct + chains.rectified).map(\.questionID).joined(separator: "\n"))),
        "objective": .text(stage.objective.rawValue),
        "cues": .text(
          Set((chains.correct + chains.rectified).map { "\(chains.cues($0.task))" }).sorted()
            .joined(separator: "\n")),
        "lambda": .number(Double(ObjectiveOptions().lambda)),
      ]
    ) {
      try stage.objective.objective(chains) {
        ReferenceModels(
          student: try untrained(context.settings), workers: Workers(count: context.threads))
      }
    }
  }

  private func firstStage(
    _ context: RunContext, key own: [String: SettingValue], _ objective: () throws -> Objective
  ) throws -> Decoder {
    let run = context.settings
    let names = [
      "seed", "preset", "lora_rank", "lora_alpha", "lora_dropout", "stage1_steps",
      "stage1_learning_rate", "batch_size",
    ]
    let key = run.values.filter { names.contains($0.key) }.merging(own) { $1 }
    let decoder = try untrained(run)
    let folder = try context.stage("stage 1", RunSettings(key), checksums: checksums) { folder in
      try train(
        decoder, objective(), settings(for: decoder, run, stage: 1), context, "stage 1")
      try write(decoder, to: folder)
    }
    return try read(decoder, from: folder)
  }

  /// Trains `decoder` further by `objective` on `chains`, as the run's settings say. What it is compared
  /// with is a copy of it, fine-tuned where the objective wants that on the right chains, or on the
  /// wrong ones.
  public func secondStage(
    _ decoder: Decoder, _ objective: ObjectiveName, on chains: TeacherChains, _ context: RunContext
  ) throws -> [Metric] {
    func reference(on chains: [ChainOfThought]) throws -> Decoder {
      let copy = decoder.copy()
      var settings = settings(for: copy, context.settings, stage: 2)
      settings.length = .steps(context.settings.integer("reference_steps"))
      let tokenized = try data.tokenizer.tokenize(chains, file: "reference")
      try train(copy, .chainsOfThought(tokenized), settings, context, "reference")
      return copy
    }
    return try secondStage(
      decoder,
      objective.objective(chains, ObjectiveOptions(context.settings)) {
        ReferenceModels(
          student: decoder,
          positive: objective.wantsPositive
            ? try reference(on: chains.correct + chains.rectified) : nil,
          negative: objective.wantsNegative ? try reference(on: chains.pairs.map(\.rejected)) : nil,
          workers: Workers(count: context.threads))
      }, context)
  }

  /// Trains `decoder` further on `objective`: the second stage, or what stands in its place.
  public func secondStage(_ decoder: Decoder, _ objective: Objective, _ context: RunContext) throws
    -> [Metric]
  {
    try train(
      decoder, objective, settings(for: decoder, context.settings, stage: 2), context, "stage 2")
  }

  private func settings(for decoder: Decoder, _ run: RunSettings, stage: Int) -> TrainingSettings {
    let isFirst = stage == 1
    let steps = run.integer(isFirst ? "stage1_steps" : "stage2_steps")
    return TrainingSettings(
      learningRate: run.number(isFirst ? "stage1_learning_rate" : "learning_rate"),
      schedule: pretrained == nil && isFirst
        ? .cosine(warmUp: min(30, steps / 10), floor: 0.05) : .constant,
      optimiser: pretrained == nil
        ? AdamWSettings(beta2: 0.98, weightDecay: isFirst ? 0.01 : 0)
        : AdamWSettings(weightDecay: isFirst ? 0.05 : 0),
      length: .steps(steps), batchSize: run.integer("batch_size"), clipNorm: 1,
      dropout: decoder.adapter?.configuration.dropout ?? 0,
      // Each stage has its own order of the data.
      seed: run.seed &* 2 &+ UInt64(stage))
  }

  @discardableResult
  private func train(
    _ decoder: Decoder, _ objective: Objective, _ settings: TrainingSettings, _ context: RunContext,
    _ name: String
  ) throws -> [Metric] {
    guard settings.stepCount(exampleCount: objective.examples.count) > 0 else { return [] }
    guard !objective.examples.isEmpty else {
      throw FileError(nothingIn: name, expected: "example to train on")
    }
    let trainer = Trainer(
      decoder, objective, settings, workers: Workers(count: context.threads))
    let before = sideNorms(trainer, name, "first")
    var reports: [StepReport] = []
    try trainer.run(report: { report in
      reports.append(report)
      try context.report(name, Double(report.step + 1) / Double(report.stepCount))
    })
    let seconds = reports.reduce(0) { $0 + $1.seconds }
    let tokens = reports.reduce(0) { $0 + $1.usefulTokens }
    let norms = reports.map(\.gradientNorm)
    return [
      Metric("\(name) first loss", unit: "nats", value: reports.first?.loss ?? 0),
      Metric("\(name) last loss", unit: "nats", value: reports.last?.loss ?? 0),
      Metric(
        "\(name) mean gradient norm", unit: "nats",
        value: norms.reduce(0, +) / Double(max(1, norms.count))),
      Metric(
        "\(name) speed", unit: "useful tokens/s", value: Double(tokens) / max(seconds, 1e-9)),
    ] + before + sideNorms(trainer, name, "last")
  }

  /// What right and wrong tokens pull by themselves, on 32 pairs (8 for a checkpoint, whose passes are
  /// dear), where there are wrong ones.
  private func sideNorms(_ trainer: Trainer, _ name: String, _ when: String) -> [Metric] {
    let sample = trainer.objective.examples.prefix(pretrained == nil ? 32 : 8)
    let pushesDown = sample.contains {
      $0.tree.segments.contains { $0.weights.contains { $0 < 0 } }
    }
    guard pushesDown else { return [] }
    let norms = trainer.gradientNorms(count: sample.count)
    return [
      Metric("\(name) \(when) gradient norm, right tokens", unit: "nats", value: norms.positive),
      Metric("\(name) \(when) gradient norm, wrong tokens", unit: "nats", value: norms.negative),
    ]
  }

  private func write(_ decoder: Decoder, to folder: String) throws {
    if let adapter = decoder.adapter {
      try adapter.write(to: folder, baseModel: pretrained?.origin)
    } else {
      try decoder.write(to: folder)
    }
  }

  private func read(_ decoder: Decoder, from folder: String) throws -> Decoder {
    guard decoder.adapter != nil else { return try Decoder(Checkpoint(path: folder)) }
    return decoder.adapted(
      by: try LowRankAdapter(
        PEFTAdapter(folder: folder), for: decoder.configuration, file: folder))
  }

  // MARK: Measuring

  /// Scores the student on validation and, once, on the tests, asked plainly or as `asking` says.
  public func measure(
    _ decoder: Decoder, _ context: RunContext, asking: Evaluator.Asking? = nil
  ) throws -> [Metric] {
    let run = context.settings
    var settings = EvaluationSettings()
    settings.maximumNewTokens = run.integer("max_new_tokens")
    settings.seed = run.seed
    settings.batch = 64
    settings.matching = run.values["match"].flatMap { .init(rawValue: $0.description) }
    let evaluator = Evaluator(decoder, data.tokenizer, settings, workers: context.threads)
    let splits = [data.validation] + data.tests
    var metrics: [Metric] = []
    for (index, split) in splits.enumerated() {
      try context.report("scoring", Double(index) / Double(splits.count))
      let result = try evaluator.evaluate(split.questions, split.pairs, asking: asking)
      metrics += Self.metrics(of: result, split: split.name)
    }
    return metrics
  }

  /// The rows of the CSV that `result` gives.
  static func metrics(of result: EvaluationResult, split: String) -> [Metric] {
    var metrics: [Metric] = []
    func add(
      _ name: String, _ estimate: Estimate, unit: String = "share", _ items: MetricItems? = nil
    ) {
      metrics.append(Metric(split: split, name, unit: unit, estimate, items: items))
    }
    if let answers = result.answers {
      for (name, average) in answers.averages {
        let items: [Score.Item]? =
          switch name {
          case .micro: answers.score.items
          case .macro: nil
          case .task(let task): answers.score.items.filter { $0.task == task }
          }
        func named(_ metric: String) -> String {
          switch name {
          case .micro: metric
          case .macro: "macro " + metric
          case .task(let task): metric + ": " + task
          }
        }
        add(
          named("accuracy"), average.accuracy,
          items.map { MetricItems($0.map { (id: $0.id, isTrue: $0.isCorrect) }) })
        add(named("unparsed"), average.unparsed)
        metrics.append(
          Metric(
            split: split, named("guessing floor"), unit: "share", value: average.majorityBaseline)
        )
      }
    }
    if result.derivedGoldAnswers > 0 {
      metrics.append(
        Metric(
          split: split, "gold answers from chosen chains", unit: "questions",
          value: Double(result.derivedGoldAnswers)))
    }
    if let keys = result.keySteps {
      add(
        "prefers right chain", keys.prefersChosen,
        MetricItems(result.pairs.map { (id: $0.id, isTrue: $0.prefersChosen) }))
      add("key tokens top-1", keys.keyTop1)
      add(
        "key tokens -log p", keys.keyNegativeLogLikelihood, unit: "nats",
        MetricItems(
          result.pairs.map {
            (id: $0.id, value: $0.key.negativeLogLikelihood, weight: Double($0.key.count))
          }))
      add("other tokens -log p", keys.otherNegativeLogLikelihood, unit: "nats")
    }
    return metrics
  }
}
