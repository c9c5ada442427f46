import ArgumentParser
import Checkpoints
import Distillation
import Files
import Foundation
import LanguageModel
import Parameters
import Randomness
import Reasoning
import Tokenizers

// The flags of `keystep train` by what they are about. Each group lists what is wrong with its flags, so that the
// command reports all problems at once.

/// Which student is trained.
struct TrainedStudentOptions: ParsableArguments {
  @Option(help: "A .gguf file or a Hugging Face folder.")
  var model: String?
  @Option(help: "A from-scratch student in place of --model; needs --tokenizer.")
  var preset: StudentPreset?
  @Option(help: "The preset's tokenizer, or one in place of the model's own.")
  var tokenizer: String?
  @OptionGroup var specialTokens: SpecialTokenOptions
  @OptionGroup var chat: ChatOptions

  func problems(_ compute: ComputeOptions) -> [String] {
    var problems: [String] = []
    if (model == nil) == (preset == nil) { problems.append("give either --model or --preset") }
    if preset != nil, tokenizer == nil { problems.append("--preset needs --tokenizer") }
    if preset != nil, compute.baseWeights == .stored {
      problems.append("--preset has no stored weights: drop --base-dtype")
    }
    return problems
  }

  /// The student without an adapter.
  func load(_ weights: Decoder.WeightForm, using generator: inout SeededGenerator) throws -> Student
  {
    if let model {
      return try Student(
        path: model, tokenizer: tokenizer, includesSpecialTokens: specialTokens.specialTokens,
        weights: weights, chat: chat.choice)
    }
    let preset = preset ?? .procedural
    let tokenizer = try Tokenizer(path: tokenizer ?? "")
    return Student(
      decoder: try .random(
        preset.configuration(vocabularySize: tokenizer.vocabularySize), using: &generator),
      tokenizer: tokenizer, origin: preset.rawValue,
      includesSpecialTokens: specialTokens.specialTokens,
      chat: try ChatSetting(chat.choice, model: self.tokenizer ?? ""))
  }
}

/// What is trained: the objective with its parameters and reference models.
struct ObjectiveOptions: ParsableArguments {
  @Option(help: ArgumentHelp("What is trained on; see above.", valueName: "name"))
  var objective: ObjectiveEntry
  @OptionGroup var parameters: ParameterOptions
  @Option(
    help: """
      A .gguf file, a Hugging Face folder, or an adapter's folder for --model: rho-1's reference, \
      cdpo's model of correct chains.
      """)
  var reference: String?
  @Option(help: "As --reference: cdpo's model of incorrect chains.")
  var negativeReference: String?

  var problems: [String] {
    objective.references.filter { path(of: $0) == nil }
      .map { "\(objective.name) needs \($0.flag)" }
  }

  /// Weights from a file take the place of an objective's own, but for the guard.
  func values(hasWeights: Bool) throws(UsageError) -> ParameterValues {
    hasWeights
      ? try parameters.values(
        of: .guards, owner: "\(objective.name) with --weights", command: TrainCommand.self)
      : try parameters.values(
        of: objective.parameters, owner: objective.name, command: TrainCommand.self)
  }

  private func path(of reference: ObjectiveEntry.Reference) -> String? {
    reference == .positive ? self.reference : negativeReference
  }

  /// The models that the objective compares `student` with. `plain` is the student without its adapter.
  func models(_ student: Student, _ plain: Student, _ workers: Workers) throws -> ReferenceModels {
    ReferenceModels(
      student: student.decoder, positive: try reference.map { try model($0, plain) },
      negative: try negativeReference.map { try model($0, plain) }, workers: workers)
  }

  /// The model at `path`, or the plain one with the adapter there.
  private func model(_ path: String, _ plain: Student) throws -> Decoder {
    if FileManager.default.fileExists(atPath: path + "/adapter_config.json") {
      return try plain.adapted(from: path).decoder
    }
    let model = try Decoder(Checkpoint(path: path))
    let (found, wanted) = (model.configuration, plain.decoder.configuration)
    guard found.vocabularySize == wanted.vocabularySize,
      found.maximumPositions >= wanted.maximumPositions
    else {
      throw FileError(
        file: path, location: "configuration",
        expected: "the student's \(wanted.vocabularySize) tokens and a context of "
          + "\(wanted.maximumPositions)",
        found: "\(found.vocabularySize) and \(found.maximumPositions)")
    }
    return model
  }
}

/// What is trained on.
struct ExampleOptions: ParsableArguments {
  @Option(
    help: """
      Dual pairs as JSON lines with prompt, chosen and rejected; objectives of chains train on chosen.
      """)
  var pairs: String?
  @Option(help: "Chains as JSON lines with prompt and response, for objectives of chains.")
  var chains: String?
  @Option(
    name: .customLong("weights"),
    help: """
      Weights for each token as JSON lines: id or index, and chosen_weights and rejected_weights of a \
      pair or weights of a chain, end of sequence included; in place of the objective's own.
      """)
  var weightsFile: String?
  @Option(
    help: """
      The most tokens of an example: its prompt and one response, end of sequence included (default: the \
      model's context). Nothing is truncated.
      """)
  var maxLength: Int?
  @Option(
    help: """
      What happens to a longer example, also of validation: refuse, which names it, or skip, which counts \
      those that are left out.
      """)
  var overLength: LengthLimit.Excess = .refuse

  var files: ExampleFiles { ExampleFiles(pairs: pairs, chains: chains, weights: weightsFile) }

  func problems(_ objective: ObjectiveEntry) -> [String] {
    var problems: [String] = []
    if (pairs == nil) == (chains == nil) { problems.append("give either --pairs or --chains") }
    if objective.data == .pairs, chains != nil {
      problems.append("\(objective.name) needs --pairs, not --chains")
    }
    if weightsFile != nil, !objective.takesWeights {
      let names = ObjectiveEntry.all.filter(\.takesWeights).map(\.name).joined(separator: ", ")
      problems.append("--weights goes with \(names), not with \(objective.name)")
    }
    return problems + outOfRange([("max-length", maxLength, 1_000_000_000)])
  }

  /// Throws where --max-length is above the context of `student`.
  func limit(for student: Student) throws -> LengthLimit {
    let context = student.decoder.configuration.maximumPositions
    guard let maxLength else {
      return LengthLimit(context, of: "the model's context", excess: overLength)
    }
    guard maxLength <= context else {
      throw FileError(
        file: student.origin,
        expected: "a --max-length of at most the \(context) tokens of the model's context",
        found: "\(maxLength)")
    }
    return LengthLimit(maxLength, of: "--max-length", excess: overLength)
  }
}

/// Which of the student's parameters are trained.
struct TuningOptions: ParsableArguments {
  enum Tuning: String, CaseIterable, ExpressibleByArgument { case lora, full }

  @Option(help: "lora or full.")
  var tuning: Tuning = .lora
  @Option(
    help: """
      A PEFT adapter's folder for --model, such as stage 1's: it is trained further, with the rank, \
      alpha, dropout and projections that it has.
      """)
  var adapter: String?
  @Option(help: "LoRA's rank.")
  var loraRank: Int?
  @Option(help: "LoRA's alpha; the update is alpha / rank times B A.")
  var loraAlpha: Float?
  @Option(help: "The probability of dropout in LoRA's input.")
  var loraDropout: Float?
  @Option(
    help: """
      How LoRA starts: noise, or pissa, from the principal singular values; that is written as a LoRA \
      of twice the rank for the model as it was.
      """)
  var loraInit: LowRankAdapter.Start?
  @Option(help: "LoRA's projections, separated by commas, such as q_proj,v_proj.")
  var loraTargets: String?

  func problems(_ student: TrainedStudentOptions, _ compute: ComputeOptions) -> [String] {
    var problems: [String] = []
    if let loraAlpha, loraInit == .pissa, !(loraAlpha > 0) {
      problems.append("--lora-init pissa needs a --lora-alpha above 0, not \(loraAlpha)")
    }
    if compute.baseWeights == .stored, tuning == .full {
      problems.append("--tuning full needs --base-dtype fp32")
    }
    if adapter != nil {
      if student.model == nil { problems.append("--adapter needs --model") }
      if tuning == .full { problems.append("--adapter goes with --tuning lora, not full") }
      for (name, isGiven) in [
        ("rank", loraRank != nil), ("alpha", loraAlpha != nil), ("dropout", loraDropout != nil),
        ("init", loraInit != nil), ("targets", loraTargets != nil),
      ] where isGiven {
        problems.append("--lora-\(name): expected only without --adapter, which has its own")
      }
    }
    problems += outOfRange([("lora-rank", loraRank, 65_536)])
    if let loraAlpha, !loraAlpha.isFinite {
      problems.append("--lora-alpha must be a finite number")
    }
    if let loraDropout, !(0..<1).contains(loraDropout) {
      problems.append("--lora-dropout must be a probability below 1, not \(loraDropout)")
    }
    let known = ProjectionName.allCases.map(\.rawValue)
    if let targetNames, targetNames.isEmpty {
      problems.append("--lora-targets needs at least one projection")
    }
    for name in targetNames ?? [] where !known.contains(name) {
      problems.append("--lora-targets: \(name) is none of \(known.joined(separator: ", "))")
    }
    return problems
  }

  private var targetNames: [String]? { loraTargets?.split(separator: ",").map(String.init) }

  /// LoRA as the flags say; what is left out has the paper's value.
  private var configuration: LowRankConfiguration {
    let paper = LowRankConfiguration()
    return LowRankConfiguration(
      rank: loraRank ?? paper.rank, alpha: loraAlpha ?? paper.alpha,
      dropout: loraDropout ?? paper.dropout,
      targets: targetNames?.compactMap(ProjectionName.init) ?? paper.targets)
  }

  /// `plain` with what is trained of it.
  func adapted(_ plain: Student, using generator: inout SeededGenerator) throws -> Student {
    if let adapter { return try plain.adapted(from: adapter) }
    var student = plain
    if tuning == .lora {
      switch loraInit ?? .noise {
      case .noise:
        student.decoder = student.decoder.adapted(
          by: try LowRankAdapter(
            configuration, for: student.decoder.configuration, using: &generator))
      case .pissa: student.decoder = try student.decoder.adaptedByPrincipalValues(configuration)
      }
    }
    return student
  }
}

/// How many steps are taken, of which examples, and how AdamW takes them.
struct OptimisationOptions: ParsableArguments {
  @Option(help: "Examples (pairs or chains) of one step.")
  var batchSize: Int?
  @Option(help: "Steps; in place of --epochs.")
  var steps: Int?
  @Option(help: "Passes over the examples.")
  var epochs: Int?
  @Option(help: "The highest learning rate.")
  var learningRate: Double?
  @Option(help: "AdamW's decoupled weight decay, of matrices.")
  var weightDecay: Float?
  @Option(help: "The norm that a larger gradient is scaled down to.")
  var maxGradNorm: Double?
  @Option(help: "Seed of initialisation, data order and dropout.")
  var seed: UInt64 = 0
  @Flag(inversion: .prefixedNo, help: "Draw a new order for each epoch.")
  var shuffle = true
  @Option(
    help: """
      What happens at a step whose loss or gradient is not finite: stop, skip it, or reduce-rate, which \
      skips it and halves the learning rate.
      """)
  var nonFinite: NonFiniteStep = .stop

  var problems: [String] {
    var problems: [String] = []
    if steps != nil, epochs != nil { problems.append("give --steps or --epochs, not both") }
    problems += outOfRange([
      ("batch-size", batchSize, 1_000_000), ("steps", steps, 1_000_000_000),
      ("epochs", epochs, 1_000_000),
    ])
    if let learningRate, !(learningRate >= 0 && learningRate.isFinite) {
      problems.append("--learning-rate must be a finite number, 0 or more, not \(learningRate)")
    }
    if let weightDecay, !(weightDecay >= 0 && weightDecay.isFinite) {
      problems.append("--weight-decay must be a finite number, 0 or more, not \(weightDecay)")
    }
    if let maxGradNorm, !(maxGradNorm > 0) {
      problems.append("--max-grad-norm must be above 0, not \(maxGradNorm)")
    }
    return problems
  }

  /// What is left out has the paper's value for the stage.
  func settings(_ stage: ObjectiveEntry.Stage) -> TrainingSettings {
    var settings: TrainingSettings = stage == .first ? .paperStage1 : .paperStage2
    if let learningRate { settings.learningRate = learningRate }
    if let weightDecay { settings.optimiser.weightDecay = weightDecay }
    if let batchSize { settings.batchSize = batchSize }
    if let steps { settings.length = .steps(steps) }
    if let epochs { settings.length = .epochs(epochs) }
    settings.clipNorm = maxGradNorm
    settings.seed = seed
    settings.shuffles = shuffle
    settings.nonFiniteStep = nonFinite
    return settings
  }
}

/// Where the run is saved, and how often.
struct SavingOptions: ParsableArguments {
  @Option(
    help: """
      The folder for what was trained: a PEFT adapter, or a Hugging Face folder with --tuning full. An \
      adapter is not written into a folder that holds a model.
      """)
  var output: String?
  @Option(
    help: """
      Save the run's state in --output after so many seconds of training, or a hundred times what saving \
      takes where that is longer, and when it ends (default: 60).
      """)
  var saveInterval: Int?
  @Option(help: "Save it every so many steps; in place of --save-interval.")
  var saveEvery: Int?
  @Flag(
    help: """
      Go on from the state in --output, bit for bit. A run that is finished goes on with more --steps or \
      --epochs.
      """)
  var resume = false

  var problems: [String] {
    var problems: [String] = []
    if output == nil, saveEvery != nil || saveInterval != nil || resume {
      problems.append("--save-interval, --save-every and --resume need --output")
    }
    if saveEvery != nil, saveInterval != nil {
      problems.append("give --save-interval or --save-every, not both")
    }
    if let saveInterval, !(0...1_000_000).contains(saveInterval) {
      problems.append("--save-interval must be from 0 to 1000000, not \(saveInterval)")
    }
    return problems + outOfRange([("save-every", saveEvery, 1_000_000_000)])
  }

  /// The states of a run in `output`.
  func checkpoints(in output: String, _ provenance: [String: String]) -> TrainingCheckpoints {
    TrainingCheckpoints(
      path: output + "/training_state.safetensors", curvePath: output + "/steps.csv",
      provenance: provenance,
      interval: saveEvery.map { .steps($0) } ?? .time(.seconds(saveInterval ?? 60)))
  }
}

/// What is wrong with counts, each with its flag's name and the most that it may be.
func outOfRange(_ counts: [(name: String, value: Int?, most: Int)]) -> [String] {
  counts.compactMap { name, value, most in
    guard let value, !(1...most).contains(value) else { return nil }
    return value < 1
      ? "--\(name) must be 1 or more, not \(value)"
      : "--\(name) must be at most \(most), not \(value)"
  }
}

extension StudentPreset: ExpressibleByArgument {}
extension NonFiniteStep: ExpressibleByArgument {}
extension LengthLimit.Excess: ExpressibleByArgument {}
extension ObjectiveEntry: ExpressibleByArgument {
  public init?(argument: String) { self.init(named: argument) }
  public var defaultValueDescription: String { name }
  public static var allValueStrings: [String] { all.map(\.name) }
}
extension LowRankAdapter.Start: ExpressibleByArgument {}
