import ArgumentParser
import Checkpoints
import Distillation
import Experiments
import Files
import Foundation
import LanguageModel
import Parameters
import Randomness
import Reasoning
import Tokenizers

struct TrainCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "train", abstract: "Train a student: a stage of EDIT, or supervised fine-tuning.",
    discussion: """
      What is left out takes the paper's value for the stage: stage 1 (learning rate 2e-4, weight \
      decay 0.05, 15 epochs) or stage 2 (5e-6, none, 10 epochs); both 256 examples a step, × 0.95 an \
      epoch, LoRA of rank 64, alpha 32 and dropout 0.05 on q_proj and v_proj.

      Objectives, with the parameters that each has as flags:
      \(ObjectiveEntry.help)

      Stage 2 continues stage 1's adapter with --adapter. To train a fresh one instead, write the \
      weights with the first one merged (keystep merge) and give them as --model.

      Weights of your own for each token: --objective sft (chains) or krsl (pairs) with --weights.

      Example: keystep train --model models/SmolLM2-135M-Instruct.Q4_1.gguf --pairs pairs.jsonl \
      --objective krsl --batch-size 8 --steps 20 --output runs/krsl --json
      """)

  enum Tuning: String, CaseIterable, ExpressibleByArgument { case lora, full }

  @Option(help: "A .gguf file or a Hugging Face folder.")
  var model: String?
  @Option(help: "A from-scratch student in place of --model; needs --tokenizer.")
  var preset: StudentPreset?
  @Option(help: "The preset's tokenizer, or one in place of the model's own.")
  var tokenizer: String?
  @OptionGroup var specialTokens: SpecialTokenOptions
  @OptionGroup var chat: ChatOptions
  @Option(
    help: """
      Dual pairs as JSON lines with prompt, chosen and rejected; objectives of chains train on chosen.
      """)
  var pairs: String?
  @Option(help: "Chains as JSON lines with prompt and response, for objectives of chains.")
  var chains: String?
  @Option(help: ArgumentHelp("What is trained on; see above.", valueName: "name"))
  var objective: ObjectiveEntry
  @OptionGroup var parameters: ParameterOptions
  @Option(
    name: .customLong("weights"),
    help: """
      Weights for each token as JSON lines: id or index, and chosen_weights and rejected_weights of a \
      pair or weights of a chain, end of sequence included; in place of the objective's own.
      """)
  var weightsFile: String?
  @Option(
    help: """
      A .gguf file, a Hugging Face folder, or an adapter's folder for --model: rho-1's reference, \
      cdpo's model of correct chains.
      """)
  var reference: String?
  @Option(help: "As --reference: cdpo's model of incorrect chains.")
  var negativeReference: String?
  @Option(help: "lora or full.")
  var tuning: Tuning = .lora
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
  @Option(help: "Seed of initialisation, data order and dropout.")
  var seed: UInt64 = 0
  @Flag(inversion: .prefixedNo, help: "Draw a new order for each epoch.")
  var shuffle = true
  @OptionGroup var compute: ComputeOptions
  @Flag(
    help: """
      Keep only the layers' inputs of each forward and compute the rest again in the backward: a \
      fraction of the memory, about a third more time, the same result.
      """)
  var gradientCheckpointing = false
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
  @Option(
    help: """
      What happens at a step whose loss or gradient is not finite: stop, skip it, or reduce-rate, which \
      skips it and halves the learning rate.
      """)
  var nonFinite: NonFiniteStep = .stop
  @Flag(help: "Print a JSON line for each step.")
  var json = false

  private struct Line: Encodable {
    var step: Int
    var loss: Double
    var gradientNorm: Double
    var learningRate: Double
    var seconds: Double
    var usefulTokens: Int
    var usefulTokensPerSecond: Double
    var chosenNll: Double?
    var rejectedNll: Double?
    var peakRssGib: Double
  }

  func validate() throws {
    var problems: [String] = []
    if (model == nil) == (preset == nil) { problems.append("give either --model or --preset") }
    if preset != nil, tokenizer == nil { problems.append("--preset needs --tokenizer") }
    if (pairs == nil) == (chains == nil) { problems.append("give either --pairs or --chains") }
    if objective.data == .pairs, chains != nil {
      problems.append("\(objective.name) needs --pairs, not --chains")
    }
    if weightsFile != nil, !objective.takesWeights {
      let names = ObjectiveEntry.all.filter(\.takesWeights).map(\.name).joined(separator: ", ")
      problems.append("--weights goes with \(names), not with \(objective.name)")
    }
    for reference in objective.references where path(of: reference) == nil {
      problems.append("\(objective.name) needs \(reference.flag)")
    }
    if let loraAlpha, loraInit == .pissa, !(loraAlpha > 0) {
      problems.append("--lora-init pissa needs a --lora-alpha above 0, not \(loraAlpha)")
    }
    if compute.baseWeights == .stored {
      if tuning == .full { problems.append("--tuning full needs --base-dtype fp32") }
      if preset != nil { problems.append("--preset has no stored weights: drop --base-dtype") }
    }
    if adapter != nil {
      if model == nil { problems.append("--adapter needs --model") }
      if tuning == .full { problems.append("--adapter goes with --tuning lora, not full") }
      for (name, isGiven) in [
        ("rank", loraRank != nil), ("alpha", loraAlpha != nil), ("dropout", loraDropout != nil),
        ("init", loraInit != nil), ("targets", loraTargets != nil),
      ] where isGiven {
        problems.append("--lora-\(name): expected only without --adapter, which has its own")
      }
    }
    if output == nil, saveEvery != nil || saveInterval != nil || resume {
      problems.append("--save-interval, --save-every and --resume need --output")
    }
    if saveEvery != nil, saveInterval != nil {
      problems.append("give --save-interval or --save-every, not both")
    }
    if let saveInterval, !(0...1_000_000).contains(saveInterval) {
      problems.append("--save-interval must be from 0 to 1000000, not \(saveInterval)")
    }
    if steps != nil, epochs != nil { problems.append("give --steps or --epochs, not both") }
    for (name, value, most) in [
      ("batch-size", batchSize, 1_000_000), ("steps", steps, 1_000_000_000),
      ("epochs", epochs, 1_000_000), ("lora-rank", loraRank, 65_536),
      ("save-every", saveEvery, 1_000_000_000),
    ] {
      guard let value else { continue }
      if value < 1 { problems.append("--\(name) must be 1 or more, not \(value)") }
      if value > most { problems.append("--\(name) must be at most \(most), not \(value)") }
    }
    if let learningRate, !(learningRate >= 0 && learningRate.isFinite) {
      problems.append("--learning-rate must be a finite number, 0 or more, not \(learningRate)")
    }
    if let loraAlpha, !loraAlpha.isFinite {
      problems.append("--lora-alpha must be a finite number")
    }
    if let weightDecay, !(weightDecay >= 0 && weightDecay.isFinite) {
      problems.append("--weight-decay must be a finite number, 0 or more, not \(weightDecay)")
    }
    if let maxGradNorm, !(maxGradNorm > 0) {
      problems.append("--max-grad-norm must be above 0, not \(maxGradNorm)")
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
    try report(problems) { () throws(UsageError) in _ = try values() }
  }

  private func values() throws(UsageError) -> ParameterValues {
    // Weights from a file take the place of an objective's own, but for the guard.
    weightsFile == nil
      ? try parameters.values(
        of: objective.parameters, owner: objective.name, command: Self.self)
      : try parameters.values(
        of: .guards, owner: "\(objective.name) with --weights", command: Self.self)
  }

  private func path(of reference: ObjectiveEntry.Reference) -> String? {
    reference == .positive ? self.reference : negativeReference
  }

  private var targetNames: [String]? { loraTargets?.split(separator: ",").map(String.init) }

  /// LoRA as the flags say; what is left out has the paper's value.
  private var adapterConfiguration: LowRankConfiguration {
    let paper = LowRankConfiguration()
    return LowRankConfiguration(
      rank: loraRank ?? paper.rank, alpha: loraAlpha ?? paper.alpha,
      dropout: loraDropout ?? paper.dropout,
      targets: targetNames?.compactMap(ProjectionName.init) ?? paper.targets)
  }

  private var settings: TrainingSettings {
    var settings: TrainingSettings = objective.stage == .first ? .paperStage1 : .paperStage2
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

  func run() throws {
    var generator = SeededGenerator(seed: seed, stream: "initialisation")
    let plain = try plainStudent(using: &generator)
    let student = try adapted(plain, using: &generator)
    let data = try data(student.exampleTokenizer())
    let objective = try objective(data, student, plain)
    guard !objective.examples.isEmpty else {
      throw FileError(nothingIn: pairs ?? chains ?? "", expected: "example to train on")
    }
    guard objective.hasWeights else {
      throw FileError(
        file: weightsFile ?? pairs ?? chains ?? "",
        expected: "an example with a token of a weight other than 0",
        found: "none in \(objective.examples.count)"
          + (self.objective.data == .pairs && weightsFile == nil
            ? " (has each pair the same text as chosen and as rejected?)" : ""))
    }
    let trainer = Trainer(
      student.decoder, objective, settings,
      workers: compute.team(recomputingActivations: gradientCheckpointing))
    func report(_ step: StepReport) throws {
      try show(step)
      warn(of: trainer.totals.chosen, at: step)
    }
    guard let output else { return try trainer.run(report: report) }
    let checkpoints = try checkpoints(in: output, data)
    // A folder that cannot be written is found before any work is lost.
    try student.checkWritable(to: output)
    if resume, try !trainer.restore(from: checkpoints) {
      throw FileError(
        file: checkpoints.path, expected: "the state of a run that was saved", found: "none")
    }
    // What is printed is the lesser part of what this command leaves.
    StandardStreams.ignoreBrokenPipes()
    Interruption.watch()
    var unprinted: (any Error)?
    try trainer.run(
      saving: checkpoints,
      report: { step in
        do { try report(step) } catch { unprinted = unprinted ?? error }
      }, shouldStop: { Interruption.isRequested })
    guard trainer.nextStep == trainer.stepCount else {
      var words = CommandLine.arguments
      if !resume { words.append("--resume") }
      throw Interrupted(
        description: """
          interrupted after step \(trainer.nextStep) of \(trainer.stepCount); to go on: \
          \(ShellCommand.line(words))
          """)
    }
    // Once the state is saved, a folder that cannot take the student costs no training.
    try trainer.save(to: checkpoints)
    try student.write(to: output)
    try FileContents.remove(checkpoints.previousPath)
    if let unprinted { throw unprinted }
  }

  private struct Interrupted: Error, CustomStringConvertible { let description: String }

  private func warn(of trend: ChosenTrend, at report: StepReport) {
    guard trend.collapse == report.step, let first = trend.first else { return }
    func nats(_ value: Double) -> String { String(format: "%.2f", value) }
    StandardError.line(
      "step \(report.step + 1): -log p of the chosen responses rose from \(nats(first)) to "
        + "\(nats(trend.recent)) nats a token; a lower learning rate, or weaker negative weights or "
        + "--guard, may keep them likely")
  }

  private func show(_ report: StepReport) throws {
    if let failure = report.skipped { StandardError.line("\(failure); the step is skipped") }
    let rate = Double(report.usefulTokens) / report.seconds
    if json {
      // JSON has no number for a loss that is not finite.
      guard report.skipped == nil else { return }
      try printJSONLine(
        Line(
          step: report.step, loss: report.loss, gradientNorm: report.gradientNorm,
          learningRate: report.learningRate, seconds: report.seconds,
          usefulTokens: report.usefulTokens, usefulTokensPerSecond: rate,
          chosenNll: report.likelihood.chosen, rejectedNll: report.likelihood.rejected,
          peakRssGib: peakResidentGiB()))
    } else {
      print(
        "step \(report.step + 1) of \(report.stepCount): loss \(report.loss), "
          + "gradient norm \(report.gradientNorm), \(Int(rate)) tokens/s")
    }
  }

  private func checkpoints(in output: String, _ data: TrainingData) throws -> TrainingCheckpoints {
    TrainingCheckpoints(
      path: output + "/training_state.safetensors", curvePath: output + "/steps.csv",
      provenance: try provenance(data),
      interval: saveEvery.map { .steps($0) } ?? .time(.seconds(saveInterval ?? 60)))
  }

  /// What a resumed run must share beside settings, adapter, workers and examples.
  private func provenance(_ data: TrainingData) throws -> [String: String] {
    let parameters = try values().values.sorted { $0.key < $1.key }
    var provenance = [
      "objective": objective.name,
      "parameters": parameters.map { "\($0.key)=\($0.value)" }.joined(separator: ", "),
      "tuning": tuning.rawValue, "adapter start": (loraInit ?? .noise).rawValue,
    ]
    if let model { provenance["sha256 model"] = try Checkpoint.checksum(at: model) }
    provenance["preset"] = preset?.rawValue
    provenance["chat template"] = data.chatTemplate
    return provenance
  }

  private func plainStudent(using generator: inout SeededGenerator) throws -> Student {
    if let model {
      return try Student(
        path: model, tokenizer: tokenizer, includesSpecialTokens: specialTokens.specialTokens,
        weights: compute.baseWeights, chat: chat.choice)
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

  private func adapted(_ plain: Student, using generator: inout SeededGenerator) throws -> Student {
    if let adapter { return try plain.adapted(from: adapter) }
    var student = plain
    if tuning == .lora {
      let configuration = adapterConfiguration
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

  private func objective(
    _ data: TrainingData, _ student: Student, _ plain: Student
  ) throws -> Objective {
    let values = try values()
    if let weightsFile {
      let lines = try JSONLines.tokenWeights(at: weightsFile)
      return objective.data == .pairs
        ? try .weighted(data.pairs, by: lines, file: weightsFile, negatives: .guarded(values))
        : try .weighted(data.chains, by: lines, file: weightsFile, negatives: .guarded(values))
    }
    return try objective.objective(data, values.values, seed: seed) {
      ReferenceModels(
        student: student.decoder, positive: try reference.map { try model($0, plain) },
        negative: try negativeReference.map { try model($0, plain) },
        workers: compute.team)
    }
  }

  /// The pairs, their chosen sides being the correct chains, or the chains. Chains that are known to be
  /// incorrect are left out, and counted on standard error.
  private func data(_ tokenizer: ExampleTokenizer) throws -> TrainingData {
    if let pairs {
      let tokenized = try tokenizer.tokenize(JSONLines.pairs(at: pairs), file: pairs)
      return TrainingData(
        correct: tokenized.map(\.chosenChain), pairs: tokenized, tokenizer: tokenizer, file: pairs)
    }
    let file = chains ?? ""
    var all = try JSONLines.chains(at: file)
    // Weights from a file refer to the lines of this one, incorrect chains included.
    let skipped = weightsFile == nil ? all.removeIncorrect() : 0
    if skipped > 0 {
      StandardError.line("\(file): skipped \(skipped) chains whose is_correct is false")
    }
    let correct = try tokenizer.tokenize(all, file: file)
    return TrainingData(correct: correct, pairs: [], tokenizer: tokenizer, file: file)
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

extension StudentPreset: ExpressibleByArgument {}
extension NonFiniteStep: ExpressibleByArgument {}
extension ObjectiveEntry: ExpressibleByArgument {
  public init?(argument: String) { self.init(named: argument) }
  public var defaultValueDescription: String { name }
  public static var allValueStrings: [String] { all.map(\.name) }
}
extension LowRankAdapter.Start: ExpressibleByArgument {}
