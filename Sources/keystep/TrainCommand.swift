import ArgumentParser
import Checkpoints
import Distillation
import Foundation
import LanguageModel
import Randomness
import Reasoning
import Tokenizers

struct TrainCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "train", abstract: "Train a student: a stage of EDIT, or supervised fine-tuning.",
    discussion: """
      What is left out takes the paper's value for the stage: sft is stage 1 (learning rate 2e-4, \
      weight decay 0.05, 15 epochs), krsl stage 2 (5e-6, none, 10 epochs); both 256 examples a step, \
      × 0.95 an epoch, LoRA of rank 64, alpha 32 and dropout 0.05 on q_proj and v_proj.

      Example: keystep train --model models/SmolLM2-135M-Instruct.Q4_1.gguf --pairs pairs.jsonl \
      --objective krsl --batch-pairs 8 --steps 20 --output runs/krsl --json
      """)

  enum ObjectiveName: String, CaseIterable, ExpressibleByArgument { case sft, krsl }
  enum Tuning: String, CaseIterable, ExpressibleByArgument { case lora, full }

  @Option(help: "A .gguf file or a Hugging Face folder.")
  var model: String?
  @Option(help: "A from-scratch student in place of --model; wants --tokenizer.")
  var preset: StudentPreset?
  @Option(help: "The preset's tokenizer, or one in place of the model's own.")
  var tokenizer: String?
  @Option(help: "Dual pairs as JSON lines with prompt, chosen and rejected; sft trains on chosen.")
  var pairs: String?
  @Option(help: "Chains as JSON lines with prompt and response, for sft.")
  var chains: String?
  @Option(help: "sft or krsl.")
  var objective: ObjectiveName
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
    if objective == .krsl, chains != nil { problems.append("krsl wants --pairs, not --chains") }
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
    var settings: TrainingSettings = objective == .sft ? .paperStage1 : .paperStage2
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
    let student = try student()
    let objective = try objective(student)
    guard !objective.examples.isEmpty else {
      throw DataError(nothingIn: pairs ?? chains ?? "", expected: "example to train on")
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

  private func student() throws -> Student {
    var generator = SeededGenerator(seed: seed, stream: "initialisation")
    var student: Student
    if let model {
      student = try Student(path: model, tokenizer: tokenizer)
    } else {
      let preset = preset ?? .procedural
      let tokenizer = try Tokenizer(path: tokenizer ?? "")
      student = Student(
        decoder: try .random(
          preset.configuration(vocabularySize: tokenizer.vocabularySize), using: &generator),
        tokenizer: tokenizer, origin: preset.rawValue)
    }
    if tuning == .lora {
      let adapter = LowRankAdapter(
        LowRankConfiguration(
          rank: loraRank, alpha: loraAlpha, dropout: loraDropout,
          targets: targetNames.compactMap(ProjectionName.init)),
        for: student.decoder.configuration, using: &generator)
      student.decoder = student.decoder.adapted(by: adapter)
    }
    return student
  }

  private func objective(_ student: Student) throws -> Objective {
    let tokenizer = try student.exampleTokenizer()
    if let chains {
      let chains = try tokenizer.tokenize(JSONLines.chains(at: chains), file: chains)
      return .chainsOfThought(chains)
    }
    let file = pairs ?? ""
    let pairs = try tokenizer.tokenize(JSONLines.pairs(at: file), file: file)
    switch objective {
    case .krsl:
      return .keySteps(
        pairs, weights: weights.weights, guardThreshold: weights.guardThreshold,
        choice: choice.choice)
    case .sft:
      return .chainsOfThought(
        pairs.map { TokenizedChain(id: $0.id, prompt: $0.prompt, response: $0.right) })
    }
  }
}

extension StudentPreset: ExpressibleByArgument {}
