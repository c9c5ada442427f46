import Checkpoints
import Distillation
import Evaluation
import Experiments
import Files
import Foundation
import LanguageModel
import Parameters
import Randomness
import Reasoning
import Statistics
import Teachers
import Tokenizers

/// What the runs of a distillation experiment have in common: data, the student, EDIT's two stages,
/// and how a student is measured. An experiment adds arms and axes.
public struct DistillationSetup: Sendable {
  public let data: ExperimentData
  /// The pretrained student, which each run copies or adapts, and where it came from; nil if one is
  /// trained from scratch.
  private let pretrained: (decoder: FrozenDecoder, origin: String)?
  private let modelChecksum: [String: String]

  /// The setting whose flag selects a pretrained student, the variant of a distillation experiment.
  static let modelSetting = "model"

  /// The setting that says whether prompts get start tokens.
  static let specialTokensSetting = "special_tokens"

  /// The value of the setting `match` that leaves the comparison of answers to their tasks.
  static let matchingByTask = "by-task"

  /// Reads or makes the data, and the student where it is a checkpoint.
  public init(_ context: PreparationContext) throws {
    let settings = context.settings
    func path(_ name: String) -> String? {
      if case .text(let path) = settings[name] { path } else { nil }
    }
    if let model = path(Self.modelSetting) {
      let pairs = path("pairs")
      guard pairs != nil || path("data") != nil else {
        throw FileError(
          file: model, expected: "--pairs with dual pairs to train it on, or --data with a folder",
          found: "neither")
      }
      let loaded = try Student(
        path: model, includesSpecialTokens: settings[Self.specialTokensSetting] != .text("false"),
        weights: path("base_dtype").flatMap(Decoder.WeightForm.init) ?? .fp32)
      try Self.checkTargets(context, projections: loaded.decoder.configuration.projections)
      modelChecksum = ["model": try Checkpoint.checksum(at: model)]
      let (validation, test, seed) = (
        settings.integer("validation_questions"), settings.integer("test_questions"),
        UInt64(settings.integer("data_seed"))
      )
      data =
        if let folder = path("data") {
          try ExperimentData(
            folder: folder, pairs: pairs, for: loaded, validation: validation, test: test,
            seed: seed)
        } else {
          try ExperimentData(
            pairs: pairs ?? "", for: loaded, validation: validation, test: test, splitSeed: seed)
        }
      let origin = loaded.origin
      pretrained = (FrozenDecoder(loaded.decoder), origin)
    } else {
      try Self.checkTargets(
        context, projections: StudentPreset.procedural.configuration(vocabularySize: 1).projections)
      pretrained = nil
      modelChecksum = [:]
      data = try ExperimentData(
        procedural: Self.problems(settings), trainingSets: settings.integer("training_sets"),
        folder: context.folder)
    }
  }

  /// The procedural problems that `settings` ask for.
  private static func problems(_ settings: RunSettings) -> ProceduralData.Settings {
    .init(
      tasks: settings.names("tasks").compactMap(ProceduralTask.init),
      trainQuestions: settings.integer("train_questions"),
      validationQuestions: settings.integer("validation_questions"),
      testQuestions: settings.integer("test_questions"),
      outOfDomainQuestions: settings.integer("test_questions"),
      steps: settings.names("problem_steps").compactMap { Int($0) },
      outOfDomainSteps: settings.names("out_of_domain_steps").compactMap { Int($0) },
      heldOutOperators: Set(
        settings["held_out_operators"] == nil ? [] : settings.names("held_out_operators")),
      teacherAccuracy: settings.number("teacher_accuracy"),
      teacherStepAccuracy: settings.number("teacher_step_accuracy"),
      seed: UInt64(settings.integer("data_seed")))
  }

  /// Throws where a run's adapter would be on something that the student, which has `projections`, does not have.
  private static func checkTargets(_ context: PreparationContext, projections: [ProjectionName])
    throws
  {
    let known = projections.map(\.rawValue)
    for setting in [targetsSetting, adapterTargetsSetting] {
      for value in context.values[setting] ?? [] {
        guard let missing = value.names.first(where: { !known.contains($0) }) else { continue }
        throw FileError(
          file: "--" + setting.replacing("_", with: "-"),
          expected: "projections of the student: " + known.joined(separator: ", "), found: missing)
      }
    }
  }

  /// SHA-256 of data and model.
  public var checksums: [String: String] { data.checksums.merging(modelChecksum) { own, _ in own } }

  /// What an experiment's runs share, and `run` as one of them.
  public func prepared(
    notes: [String] = [],
    run: @escaping @Sendable (DistillationSetup, RunContext) throws -> [Metric]
  ) -> Prepared {
    Prepared(
      checksums: checksums,
      conditions: conditions,
      machine: Machine.blas,
      notes: self.notes + notes,
      sharesStages: true
    ) { try run(self, $0) }
  }

  /// How texts become token ids. The chat template is there only where it is used.
  private var conditions: [String: String] {
    var conditions = ["special_tokens": data.tokenizer.specialTokens]
    conditions["chat_template"] = data.trainingSets.lazy.compactMap(\.chatTemplate).first
    return conditions
  }

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
    let training = data.trainingSets[0]
    let share =
      training.pairs.map { $0.keyTokens().fraction }.reduce(0, +)
      / Double(max(1, training.pairs.count))
    return [
      (data.trainingSets.count > 1
        ? "the first of \(data.trainingSets.count) training sets: " : "training: ")
        + "\(training.correct.count) correct chains, \(training.rectified.count) rectified, "
        + "\(training.pairs.count) dual pairs with \(percent(share)) key tokens"
    ] + tests
  }

  // MARK: Stages

  /// What the student of `run` learns from.
  public func training(_ run: RunSettings) -> TrainingData { data.training(seed: run.seed) }

  /// The student before any training; from scratch, that of the run's `preset` where it has one.
  func untrained(_ run: RunSettings) throws -> Decoder {
    var generator = SeededGenerator(seed: run.seed, stream: "initialisation")
    guard let pretrained else {
      let preset = run["preset"].flatMap { StudentPreset(rawValue: $0.description) }
      return try .random(
        (preset ?? .procedural).configuration(
          vocabularySize: data.tokenizer.tokenizer.vocabularySize), using: &generator)
    }
    return pretrained.decoder.adapted(
      by: try LowRankAdapter(
        adapterConfiguration(run), for: pretrained.decoder.configuration, using: &generator))
  }

  /// A pretrained student's adapter, as the `lora_` settings say.
  private func adapterConfiguration(_ run: RunSettings) -> LowRankConfiguration {
    LowRankConfiguration(
      rank: run.integer("lora_rank"), alpha: Float(run.number("lora_alpha")),
      dropout: Float(run.number("lora_dropout")),
      targets: run.names(Self.targetsSetting).compactMap(ProjectionName.init))
  }

  /// `decoder`, which has none, with a new adapter on it: A as noise, B as zero.
  func withFreshAdapter(
    _ decoder: Decoder, _ configuration: LowRankConfiguration, _ run: RunSettings
  ) throws -> Decoder {
    var generator = SeededGenerator(seed: run.seed, stream: "adapter")
    return decoder.adapted(
      by: try LowRankAdapter(configuration, for: decoder.configuration, using: &generator))
  }

  /// What the second stage trains after `first`, the student that stage 1 left: that student, or, with
  /// `stage2_adapter` `fresh`, a new adapter on the weights with stage 1's merged into them.
  public func secondStudent(after first: Decoder, _ run: RunSettings) throws -> Decoder {
    guard run[Self.secondAdapterSetting] == .text(SecondStageAdapter.fresh.rawValue) else {
      return first
    }
    return try withFreshAdapter(first.merged(), adapterConfiguration(run), run)
  }

  /// The settings that stage 1 reads: those of the student and of its training.
  private static let firstStageSettings: Set = [
    "seed", "preset", "base_dtype", "lora_rank", "lora_alpha", "lora_dropout", targetsSetting,
    "stage1_steps",
    "stage1_learning_rate", "stage1_schedule", "stage1_weight_decay", "batch_size", "warmup_ratio",
    "max_warmup_steps", "min_lr_ratio", "lr_decay", "adam_beta1", "adam_beta2", "adam_epsilon",
    "max_grad_norm", "non_finite", "precision",
  ]

  /// The settings of a second stage's training, which an arm of stage 1 alone does not have.
  static let secondStageTrainingSettings: Set = [
    "stage2_steps", "stage2_epochs", "learning_rate", "schedule", "weight_decay",
    "validation_interval", secondAdapterSetting,
  ]

  /// The student after supervised fine-tuning on `chains`, trained once for all runs with these
  /// settings.
  public func firstStage(_ context: RunContext, on chains: [TokenizedChain]) throws -> Decoder {
    let texts = chains.map { "\($0.id) \($0.response)" }
    return try firstStage(
      context, reads: Set(ObjectiveEntry.chains.parameters.map(\.name)),
      inputs: ["sha256 chains": SHA256.hex(of: texts.joined(separator: "\n"))]
    ) { try fineTuning(on: chains, $0.settings) }
  }

  /// Supervised fine-tuning on `chains`, as the run's settings say.
  private func fineTuning(on chains: [TokenizedChain], _ run: RunSettings) throws -> Objective {
    var training = training(run)
    (training.correct, training.rectified, training.pairs) = (chains, [], [])
    return try ObjectiveEntry.chains.objective(training, run.values) {
      preconditionFailure("fine-tuning on chains compares with no model")
    }
  }

  /// The student after the first stage of `arm`, shared as that on chains.
  public func firstStage(_ context: RunContext, of arm: TrainingArm) throws -> Decoder {
    let stage = arm.stages[0]
    let training = stage.data(self.training(context.settings))
    if stage.objective == .chains { return try firstStage(context, on: training.chains) }
    let parameters = stage.objective.parameters
    return try firstStage(
      context, reads: Set(parameters.map(\.name)),
      inputs: [
        "sha256 chains": SHA256.hex(of: training.chains.map(\.id).joined(separator: "\n")),
        "objective": stage.objective.name,
        "cues": "\(training.tasks.map(training.cues))",
      ]
    ) { run in
      let given = ParameterValues(parameters, given: run.settings.values).values
      return try stage.objective.objective(training, given, seed: run.settings.seed) {
        ReferenceModels(
          student: try untrained(run.settings), workers: run.workers)
      }
    }
  }

  private func firstStage(
    _ context: RunContext, reads parameters: Set<String> = [], inputs: [String: String],
    _ objective: (RunContext) throws -> Objective
  ) throws -> Decoder {
    let stage = context.stage(
      "stage 1", reads: Self.firstStageSettings.union(parameters), inputs: inputs)
    let decoder = try untrained(stage.settings)
    let name = "stage 1"
    let folder = try stage.folder { folder in
      let trained = try train(
        decoder, objective(stage.context), settings(for: decoder, stage.settings, stage: 1),
        stage.context, name)
      try write(decoder, to: folder)
      try AtomicFile.write(trained.curve.csv, to: folder + "/steps.csv")
    }
    // A run with a second stage has the learning curve of that one.
    if context.settings["learning_rate"] == nil {
      context.keep(curve: try LearningCurve(path: folder + "/steps.csv").table, of: name)
    }
    return try read(decoder, from: folder)
  }

  /// Trains `decoder` further by `objective` on `training`, as the run's settings say. What it is
  /// compared with is a copy of it, fine-tuned for a reference model on the correct chains, or on the
  /// rejected ones.
  public func secondStage(
    _ decoder: Decoder, _ objective: ObjectiveEntry, on training: TrainingData,
    _ context: RunContext
  ) throws -> [Metric] {
    let run = context.settings
    func reference(_ reference: ObjectiveEntry.Reference) throws -> Decoder? {
      guard objective.references.contains(reference) else { return nil }
      let copy = decoder.copy()
      var settings = settings(for: copy, run, stage: 2)
      settings.length = .steps(run.integer("reference_steps"))
      let chains =
        reference == .positive ? training.chains : training.pairs.map(\.rejectedChain)
      let name = "\(reference.rawValue) reference"
      let trained = try train(copy, fineTuning(on: chains, run), settings, context, name)
      context.keep(curve: trained.curve.table, of: name)
      return copy
    }
    return try secondStage(
      decoder,
      objective.objective(training, run.values, seed: run.seed) {
        ReferenceModels(
          student: decoder, positive: try reference(.positive), negative: try reference(.negative),
          workers: context.workers)
      }, context)
  }

  /// Trains `decoder` further on `objective`: the second stage, or what stands in its place.
  public func secondStage(_ decoder: Decoder, _ objective: Objective, _ context: RunContext) throws
    -> [Metric]
  {
    let run = context.settings
    let evaluator = evaluator(of: decoder, run, context.workers)
    let interval = run.integer("validation_interval")
    let validation =
      interval == 0
      ? nil
      : Validation(ValidationSettings(interval: interval, metric: nil)) {
        try evaluator.evaluate(data.validation.questions, data.validation.pairs).validationFigures
      }
    let trained = try train(
      decoder, objective, settings(for: decoder, run, stage: 2), context, "stage 2",
      validation: validation)
    context.keep(curve: trained.curve.table, of: "stage 2")
    return trained.metrics
  }

  /// The steps of the second stage: an epoch is one of the dual pairs, whatever the objective's examples are.
  private func secondStageSteps(_ run: RunSettings) -> Int {
    guard run["stage2_epochs"] != nil else { return run.integer("stage2_steps") }
    let pairs = run.number("stage2_epochs") * Double(training(run).pairs.count)
    return max(1, Int((pairs / Double(run.integer("batch_size"))).rounded()))
  }

  private func settings(for decoder: Decoder, _ run: RunSettings, stage: Int) -> TrainingSettings {
    let isFirst = stage == 1
    let steps = isFirst ? run.integer("stage1_steps") : secondStageSteps(run)
    let schedule: LearningRateSchedule =
      switch run.text(isFirst ? "stage1_schedule" : "schedule") {
      case "cosine":
        .cosine(
          warmUp: min(
            run.integer("max_warmup_steps"), Int(run.number("warmup_ratio") * Double(steps))),
          floor: run.number("min_lr_ratio"))
      case "exponential": .exponentialPerEpoch(factor: run.number("lr_decay"))
      default: .constant
      }
    let clipNorm = run.number("max_grad_norm")
    return TrainingSettings(
      learningRate: run.number(isFirst ? "stage1_learning_rate" : "learning_rate"),
      schedule: schedule,
      optimiser: AdamWSettings(
        beta1: Float(run.number("adam_beta1")), beta2: Float(run.number("adam_beta2")),
        epsilon: Float(run.number("adam_epsilon")),
        weightDecay: Float(run.number(isFirst ? "stage1_weight_decay" : "weight_decay"))),
      length: .steps(steps), batchSize: run.integer("batch_size"),
      clipNorm: clipNorm > 0 ? clipNorm : nil,
      // Each stage has its own order of the data.
      seed: run.seed &* 2 &+ UInt64(stage),
      nonFiniteStep: NonFiniteStep(rawValue: run.text("non_finite")) ?? .stop)
  }

  /// Trains `decoder` to the end, from the state of an earlier process where there is one. Throws `CancellationError`
  /// where the run is to stop, with its state saved under `name`.
  private func train(
    _ decoder: Decoder, _ objective: Objective, _ settings: TrainingSettings, _ context: RunContext,
    _ name: String, validation: Validation? = nil
  ) throws -> (metrics: [Metric], curve: LearningCurve) {
    guard settings.stepCount(exampleCount: objective.examples.count) > 0 else {
      return ([], LearningCurve())
    }
    guard !objective.examples.isEmpty else {
      throw FileError(nothingIn: data.trainingSets[0].file, expected: "example to train \(name) on")
    }
    let trainer = Trainer(
      decoder, objective, settings, workers: context.workers, validation: validation)
    let before = sideNorms(trainer, name, "first")
    let checkpoints = TrainingCheckpoints(
      path: "\(context.workFolder)/\(name.replacing(" ", with: "-")).safetensors",
      interval: .time(context.savingInterval))
    _ = try trainer.restore(from: checkpoints)
    try trainer.run(
      saving: checkpoints,
      report: { report in
        context.show(name, Double(report.step + 1) / Double(report.stepCount))
      }, shouldStop: { context.shouldStop })
    if trainer.nextStep < trainer.stepCount { throw CancellationError() }
    let totals = trainer.totals
    let skipped =
      totals.skippedSteps == 0
      ? []
      : [Metric(.skippedSteps(name), unit: .steps, value: Double(totals.skippedSteps))]
    let metrics =
      [
        Metric(.firstLoss(name), unit: .nats, value: totals.firstLoss),
        Metric(.lastLoss(name), unit: .nats, value: totals.lastLoss),
        Metric(.meanGradientNorm(name), unit: .nats, value: totals.meanGradientNorm),
        Metric(
          .speed(name), unit: .tokensPerSecond,
          value: Double(totals.usefulTokens) / max(totals.seconds, 1e-9)),
      ] + skipped + chosenTrend(trainer, name) + before + sideNorms(trainer, name, "last")
    return (metrics, trainer.curve)
  }

  /// How -log p of the chosen responses moved, where others were to become less likely.
  private func chosenTrend(_ trainer: Trainer, _ name: String) -> [Metric] {
    let trend = trainer.totals.chosen
    guard let first = trend.first,
      trainer.objective.examples.contains(where: { !$0.rejectedSegments.isEmpty })
    else { return [] }
    return [
      Metric(.firstChosenNLL(name), unit: .nats, value: first),
      Metric(.lastChosenNLL(name), unit: .nats, value: trend.recent),
    ]
      + (trend.collapse.map {
        [Metric(.chosenCollapse(name), unit: .steps, value: Double($0 + 1))]
      } ?? [])
  }

  /// The gradient norms of tokens with positive and with negative weight, on 32 pairs (8 for a
  /// pretrained student, whose passes are slow); none if no token has a negative weight.
  private func sideNorms(_ trainer: Trainer, _ name: String, _ when: String) -> [Metric] {
    let sample = trainer.objective.examples.prefix(pretrained == nil ? 32 : 8)
    let pushesDown = sample.contains {
      $0.tree.segments.contains { $0.weights.contains { $0 < 0 } }
    }
    guard pushesDown else { return [] }
    let norms = trainer.gradientNorms(count: sample.count)
    return [
      Metric(.chosenGradientNorm(name, when), unit: .nats, value: norms.positive),
      Metric(.rejectedGradientNorm(name, when), unit: .nats, value: norms.negative),
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

  /// How many responses to each test a run keeps, those to its first questions, so that chains can be read side by side.
  static let keptResponses = 100

  /// Scores the student on validation and, once, on the tests, asked plainly or as `asking` says.
  public func measure(
    _ decoder: Decoder, _ context: RunContext, asking: Evaluator.Asking? = nil
  ) throws -> [Metric] {
    let evaluator = evaluator(of: decoder, context.settings, context.workers)
    context.note(checksum: Self.checksum(of: decoder), of: "student")
    let splits = [data.validation] + data.tests
    var metrics: [Metric] = []
    for (index, split) in splits.enumerated() {
      try context.report("scoring", Double(index) / Double(splits.count))
      metrics += try context.metrics(of: "scoring \(split.name)") {
        let result = try evaluator.evaluate(split.questions, split.pairs, asking: asking)
        if index > 0, !result.responses.isEmpty {
          try context.keep(
            responses: result.responses.prefix(Self.keptResponses).map(\.json), of: split.name)
        }
        return result.metrics(split: split.name)
      }
    }
    return metrics
  }

  private func evaluator(of decoder: Decoder, _ run: RunSettings, _ workers: Workers) -> Evaluator {
    var settings = EvaluationSettings()
    settings.maximumNewTokens = run.integer("max_new_tokens")
    settings.seed = run.seed
    settings.batch = 64
    settings.matching = run["match"].flatMap { .init(rawValue: $0.description) }
    return Evaluator(decoder, data.tokenizer, settings, workers: workers)
  }

  /// SHA-256 of what was trained of `decoder`.
  private static func checksum(of decoder: Decoder) -> String {
    var hash = SHA256()
    hash.update(UnsafeRawBufferPointer(UnsafeBufferPointer(decoder.trainable.buffer.floats)))
    return hash.hexDigest()
  }
}
