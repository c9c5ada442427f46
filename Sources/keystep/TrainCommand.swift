import ArgumentParser
import Checkpoints
import Distillation
import Files
import Foundation
import LanguageModel
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

      Objectives of chains (--chains, or the chosen side of --pairs), stage 1:
      \(objectives { !$0.wantsPairs && !$0.isSecondStage })
      Objectives of --pairs, stage 1:
      \(objectives { $0.wantsPairs && !$0.isSecondStage })
      Objectives of chains, stage 2:
      \(objectives { !$0.wantsPairs && $0.isSecondStage })
      Objectives of --pairs, stage 2:
      \(objectives { $0.wantsPairs && $0.isSecondStage })
      Weights of your own for each token: --objective sft (chains) or krsl (pairs) with --weights.

      Example: keystep train --model models/SmolLM2-135M-Instruct.Q4_1.gguf --pairs pairs.jsonl \
      --objective krsl --batch-pairs 8 --steps 20 --output runs/krsl --json
      """)

  private static func objectives(_ isListed: (ObjectiveName) -> Bool) -> String {
    ObjectiveName.allCases.filter(isListed).map { "  \($0.rawValue): \($0.help)" }
      .joined(separator: "\n")
  }

  enum Tuning: String, CaseIterable, ExpressibleByArgument { case lora, full }

  @Option(help: "A .gguf file or a Hugging Face folder.")
  var model: String?
  @Option(help: "A from-scratch student in place of --model; wants --tokenizer.")
  var preset: StudentPreset?
  @Option(help: "The preset's tokenizer, or one in place of the model's own.")
  var tokenizer: String?
  @Option(
    help: """
      Dual pairs as JSON lines with prompt, chosen and rejected; objectives of chains train on chosen.
      """)
  var pairs: String?
  @Option(help: "Chains as JSON lines with prompt and response, for objectives of chains.")
  var chains: String?
  @Option(help: "What is trained on; see above.")
  var objective: ObjectiveName
  @OptionGroup var objectiveSettings: ObjectiveSettings
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
      cdpo's model of right chains.
      """)
  var reference: String?
  @Option(help: "As --reference: cdpo's model of wrong chains.")
  var negativeReference: String?
  @OptionGroup var weights: KeyStepOptions
  @OptionGroup var choice: KeyTokenOptions
  @Option(help: "lora or full.")
  var tuning: Tuning = .lora
  @Option(help: "Examples (pairs or chains) of one step.")
  var batchPairs: Int?
  @Option(help: "Steps; in place of --epochs.")
  var steps: Int?
  @Option(help: "Passes over the examples.")
  var epochs: Int?
  @Option(help: "The highest learning rate.")
  var learningRate: Double?
  @Option(help: "AdamW's decoupled weight decay, of matrices.")
  var weightDecay: Float?
  @Option(help: "Scale the gradient down to this norm where it is larger.")
  var clip: Double?
  @Option(help: "LoRA's rank.")
  var loraRank = 64
  @Option(help: "LoRA's alpha; the update is alpha / rank times B A.")
  var loraAlpha: Float = 32
  @Option(help: "The probability of dropout in LoRA's input.")
  var loraDropout: Float = 0.05
  @Option(
    help: """
      How LoRA starts: noise, or pissa, from the principal singular values; that is written as a LoRA \
      of twice the rank for the model as it was.
      """)
  var loraInit: LowRankAdapter.Start = .noise
  @Option(help: "LoRA's projections, separated by commas.")
  var loraTargets = "q_proj,v_proj"
  @Option(help: "Seed of initialisation, data order and dropout.")
  var seed: UInt64 = 0
  @Flag(inversion: .prefixedNo, help: "Draw a new order for each epoch.")
  var shuffle = true
  @OptionGroup var workers: WorkerOptions
  @Option(
    help:
      "The folder for what was trained: a PEFT adapter, or a Hugging Face folder with --tuning full."
  )
  var output: String?
  @Option(help: "Save the run's state in --output every so many steps, and when it ends.")
  var saveEvery: Int?
  @Flag(help: "Go on from the state in --output.")
  var resume = false
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
    var peakRssGib: Double
  }

  func validate() throws {
    var problems: [String] = []
    if (model == nil) == (preset == nil) { problems.append("give either --model or --preset") }
    if preset != nil, tokenizer == nil { problems.append("--preset wants --tokenizer") }
    if (pairs == nil) == (chains == nil) { problems.append("give either --pairs or --chains") }
    if objective.wantsPairs, chains != nil {
      problems.append("\(objective.rawValue) wants --pairs, not --chains")
    }
    if weightsFile != nil, objective != .chains && objective != .keySteps {
      problems.append("--weights goes with sft and krsl, not \(objective.rawValue)")
    }
    if objective.wantsPositive, reference == nil {
      problems.append("\(objective.rawValue) wants --reference")
    }
    if objective.wantsNegative, negativeReference == nil {
      problems.append("\(objective.rawValue) wants --negative-reference")
    }
    if loraInit == .pissa, !(loraAlpha > 0) {
      problems.append("pissa wants a --lora-alpha above 0, not \(loraAlpha)")
    }
    if output == nil, saveEvery != nil || resume {
      problems.append("--save-every and --resume want --output")
    }
    if steps != nil, epochs != nil { problems.append("give --steps or --epochs, not both") }
    for (name, value) in [
      ("batch-pairs", batchPairs), ("steps", steps), ("epochs", epochs), ("lora-rank", loraRank),
      ("save-every", saveEvery),
    ] {
      if let value, value < 1 {
        problems.append("--\(name) wants a number from 1 up, not \(value)")
      }
    }
    if let learningRate, !(learningRate >= 0 && learningRate.isFinite) {
      problems.append("--learning-rate wants a finite number from 0 up, not \(learningRate)")
    }
    if !loraAlpha.isFinite { problems.append("--lora-alpha wants a finite number") }
    if let weightDecay, !(weightDecay >= 0 && weightDecay.isFinite) {
      problems.append("--weight-decay wants a finite number from 0 up, not \(weightDecay)")
    }
    if let clip, !(clip > 0) { problems.append("--clip wants a number above 0, not \(clip)") }
    if !(0..<1).contains(loraDropout) {
      problems.append("--lora-dropout wants a probability below 1, not \(loraDropout)")
    }
    let known = ProjectionName.allCases.map(\.rawValue)
    if targetNames.isEmpty { problems.append("--lora-targets wants at least one projection") }
    for name in targetNames where !known.contains(name) {
      problems.append("--lora-targets: \(name) is none of \(known.joined(separator: ", "))")
    }
    if !problems.isEmpty { throw ValidationError(problems.joined(separator: "; ")) }
  }

  private var targetNames: [String] { loraTargets.split(separator: ",").map(String.init) }

  private var settings: TrainingSettings {
    var settings: TrainingSettings = objective.isSecondStage ? .paperStage2 : .paperStage1
    if let learningRate { settings.learningRate = learningRate }
    if let weightDecay { settings.optimiser.weightDecay = weightDecay }
    if let batchPairs { settings.batchSize = batchPairs }
    if let steps { settings.length = .steps(steps) }
    if let epochs { settings.length = .epochs(epochs) }
    settings.clipNorm = clip
    settings.dropout = loraDropout
    settings.seed = seed
    settings.shuffles = shuffle
    return settings
  }

  func run() throws {
    var generator = SeededGenerator(seed: seed, stream: "initialisation")
    let plain = try plainStudent(using: &generator)
    let student = try adapted(plain, using: &generator)
    let objective = try objective(student, plain)
    guard !objective.examples.isEmpty else {
      throw FileError(nothingIn: pairs ?? chains ?? "", expected: "example to train on")
    }
    let trainer = Trainer(
      student.decoder, objective, settings, workers: Workers(count: workers.workers))
    let state = output.map { $0 + "/training_state.safetensors" }
    if resume, let state { try trainer.restore(from: state) }
    // A folder that cannot be written is found before any work is lost.
    if let output { try student.write(to: output) }
    try trainer.run { report in
      if let saveEvery, let state, (report.step + 1).isMultiple(of: saveEvery) {
        try trainer.save(to: state)
      }
      let rate = Double(report.usefulTokens) / report.seconds
      if json {
        try printJSONLine(
          Line(
            step: report.step, loss: report.loss, gradientNorm: report.gradientNorm,
            learningRate: report.learningRate, seconds: report.seconds,
            usefulTokens: report.usefulTokens, usefulTokensPerSecond: rate,
            peakRssGib: peakResidentGiB()))
      } else {
        print(
          "step \(report.step + 1) of \(report.stepCount): loss \(report.loss), "
            + "gradient norm \(report.gradientNorm), \(Int(rate)) tokens/s")
      }
    }
    if let output { try student.write(to: output) }
    if saveEvery != nil, let state { try trainer.save(to: state) }
  }

  private func plainStudent(using generator: inout SeededGenerator) throws -> Student {
    if let model { return try Student(path: model, tokenizer: tokenizer) }
    let preset = preset ?? .procedural
    let tokenizer = try Tokenizer(path: tokenizer ?? "")
    return Student(
      decoder: try .random(
        preset.configuration(vocabularySize: tokenizer.vocabularySize), using: &generator),
      tokenizer: tokenizer, origin: preset.rawValue)
  }

  private func adapted(_ plain: Student, using generator: inout SeededGenerator) throws -> Student {
    var student = plain
    if tuning == .lora {
      let configuration = LowRankConfiguration(
        rank: loraRank, alpha: loraAlpha, dropout: loraDropout,
        targets: targetNames.compactMap(ProjectionName.init))
      switch loraInit {
      case .noise:
        student.decoder = student.decoder.adapted(
          by: LowRankAdapter(
            configuration, for: student.decoder.configuration, using: &generator))
      case .pissa: student.decoder = try student.decoder.adaptedByPrincipalValues(configuration)
      }
    }
    return student
  }

  private func objective(_ student: Student, _ plain: Student) throws -> Objective {
    let tokenizer = try student.exampleTokenizer()
    let file = pairs ?? chains ?? ""
    let dualPairs = try pairs.map { try JSONLines.pairs(at: $0) } ?? []
    var correct = try chains.map { try JSONLines.chains(at: $0) } ?? dualPairs.map(\.chosen)
    // Weights of one's own go with the lines of the file, incorrect chains included.
    if weightsFile == nil {
      let skipped = correct.removeIncorrect()
      if skipped > 0 {
        standardError("\(file): skipped \(skipped) chains whose is_correct is false")
      }
    }
    if let weightsFile {
      let lines = try JSONLines.tokenWeights(at: weightsFile)
      let negatives = NegativeForm.guarded(above: weights.guardThreshold)
      return objective.wantsPairs
        ? try .weighted(
          tokenizer.tokenize(dualPairs, file: file), by: lines, file: weightsFile,
          negatives: negatives)
        : try .weighted(
          tokenizer.tokenize(correct, file: file), by: lines, file: weightsFile,
          negatives: negatives)
    }
    let data = TeacherChains(correct: correct, pairs: dualPairs, tokenizer: tokenizer, file: file)
    return try objective.objective(
      data, objectiveSettings.options(weights, choice, seed: seed)
    ) {
      ReferenceModels(
        student: student.decoder, positive: try reference.map { try model($0, plain) },
        negative: try negativeReference.map { try model($0, plain) },
        workers: Workers(count: workers.workers))
    }
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
extension ObjectiveName: ExpressibleByArgument {}
extension LowRankAdapter.Start: ExpressibleByArgument {}
