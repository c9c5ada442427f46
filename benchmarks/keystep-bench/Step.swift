import ArgumentParser
import Checkpoints
import Distillation
import Files
import Foundation
import KeySteps
import LanguageModel
import LinearAlgebra
import Randomness
import Reasoning
import Teachers
import Tokenizers

/// What is trained in a measured step.
enum StepWork: String, CaseIterable, ExpressibleByArgument {
  /// KRSL with LoRA on GSM8K dual pairs; the same on procedural pairs, which share most of their path.
  case krsl
  case krslShared = "krsl-shared"
  /// Supervised fine-tuning of all parameters.
  case sft
  /// The embedded experiments' student, from scratch.
  case scratch
  /// KRSL with LoRA on pairs of random tokens, for a model without a tokenizer.
  case random
}

struct Step: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "A training step: time, useful tokens/s, fraction of the peak, memory, breakdown.")

  @Option(help: "krsl, krsl-shared, sft, scratch or random.")
  var work: StepWork
  @Option(help: "A pretrained student; not for scratch.")
  var model = "models/SmolLM2-135M-Instruct.Q4_1.gguf"
  @Option(help: "Dual pairs, for krsl and sft.")
  var pairs: String?
  @Option(help: "Examples a step.")
  var batch = 8
  @Option(help: "Measured steps, after one that is not.")
  var steps = 5
  @Option var workers = AvailableCores.count
  @Option var precision: Precision = .fp32
  @Option(help: "fp32, or stored: the model's matrices in their file's types.")
  var baseDtype: Decoder.WeightForm = .fp32
  @Flag(help: "Compute activations again in the backward.")
  var gradientCheckpointing = false
  @Option(help: "Tokens of a random pair: a prompt and two responses, each a third.")
  var tokens = 400

  func run() throws {
    let start = ContinuousClock.now
    let measurement = try StepMeasurement(
      work, model: model, pairs: pairs, batch: batch, weights: baseDtype, tokens: tokens)
    let line = try measurement.run(
      steps: steps,
      Workers(
        count: workers, precision: precision, recomputesActivations: gradientCheckpointing),
      since: start)
    try printLine(line)
  }
}

/// A student with batches to train on, measured step by step.
struct StepMeasurement {
  let work: StepWork
  let decoder: Decoder
  let objective: Objective
  let batch: Int
  let weights: Decoder.WeightForm

  init(
    _ work: StepWork, model: String, pairs: String?, batch: Int, weights: Decoder.WeightForm,
    tokens: Int
  ) throws {
    self.work = work
    self.batch = batch
    self.weights = work == .scratch ? .fp32 : weights
    var generator = SeededGenerator(seed: 0, stream: "initialisation")
    if work == .scratch {
      let data = try ProceduralData(
        .init(validationQuestions: 0, testQuestions: 0, outOfDomainQuestions: 0, seed: 1))
      let tokenizer = try Self.wordTokenizer()
      decoder = try .random(
        StudentPreset.procedural.configuration(vocabularySize: tokenizer.tokenizer.vocabularySize),
        using: &generator)
      objective = .chainsOfThought(
        try tokenizer.tokenize(data.train.correctAndRectified, file: "problems"))
      return
    }
    if work == .random {
      let plain = try Decoder(Checkpoint(path: model), weights: weights)
      let vocabulary = plain.configuration.vocabularySize
      func run(_ count: Int) -> [Int] {
        (0..<count).map { _ in Int.random(in: 3..<vocabulary, using: &generator) }
      }
      let third = tokens / 3
      decoder = plain.adapted(
        by: try LowRankAdapter(
          LowRankConfiguration(dropout: 0), for: plain.configuration, using: &generator))
      objective = .keySteps(
        (0..<batch).map { index in
          TokenizedPair(
            id: "\(index)", prompt: run(tokens - 2 * third), chosen: run(third),
            rejected: run(third))
        })
      return
    }
    let student = try Student(path: model, weights: weights)
    let tokenizer = try student.exampleTokenizer()
    let dualPairs: [DualChainOfThought]
    if work == .krslShared {
      dualPairs = try ProceduralData(
        .init(
          trainQuestions: 400, validationQuestions: 0, testQuestions: 0, outOfDomainQuestions: 0,
          seed: 1)
      ).train.pairs
    } else {
      guard let pairs else { throw ValidationError("--pairs is needed for \(work.rawValue)") }
      dualPairs = try JSONLines.pairs(at: pairs)
    }
    let tokenized = try tokenizer.tokenize(dualPairs, file: pairs ?? "problems")
    if work == .sft {
      decoder = student.decoder
      objective = .chainsOfThought(
        tokenized.map { TokenizedChain(id: $0.id, prompt: $0.prompt, response: $0.chosen) })
    } else {
      decoder = student.decoder.adapted(
        by: try LowRankAdapter(
          LowRankConfiguration(dropout: 0), for: student.decoder.configuration, using: &generator))
      objective = .keySteps(tokenized)
    }
  }

  static func wordTokenizer() throws -> ExampleTokenizer {
    let path = NSTemporaryDirectory() + "keystep-bench-tokenizer.json"
    try WordVocabulary([.arithmetic, .boolean]).tokenizerJSON()
      .write(to: URL(fileURLWithPath: path), options: .atomic)
    return try ExampleTokenizer(Tokenizer(path: path))
  }

  /// The measured peak is taken just before and just after the steps; the larger of the two counts, so
  /// that a machine that slows down in between does not flatter the share.
  func run(
    steps: Int, _ team: Workers, since start: ContinuousClock.Instant? = nil
  ) throws -> [String: Any] {
    let (workers, precision) = (team.count, team.precision)
    let trainer = Trainer(
      decoder, objective,
      TrainingSettings(
        learningRate: 1e-6, length: .steps(steps + 1), batchSize: batch, shuffles: false),
      workers: team)
    var reports = [try trainer.step()]
    let startSeconds = start.map { (ContinuousClock.now - $0) / .seconds(1) } ?? 0
    var peak = measuredPeak(workers: workers, precision)
    _ = team.takeProfile()
    let wall = try seconds { for _ in 0..<steps { reports.append(try trainer.step()) } }
    let profile = team.takeProfile()
    peak = max(peak, measuredPeak(workers: workers, precision))
    let measured = reports.dropFirst()
    let stepSeconds = measured.map(\.seconds)
    let total = stepSeconds.reduce(0, +)
    let tokens = Double(measured.reduce(0) { $0 + $1.usefulTokens })
    return [
      "work": work.rawValue, "precision": precision.rawValue, "base_dtype": weights.rawValue,
      "batch": batch, "workers": workers, "steps": steps,
      "seconds_median": stepSeconds.median, "useful_tokens_per_second": tokens / total,
      "gflop_per_step": profile.operations / Double(steps) / 1e9,
      "peak_rss_gib": peakResidentGiB(), "start_to_first_step_seconds": startSeconds,
      "kernel": kernel(precision),
    ].merging(breakdown(profile, wall: wall, workers: workers, peak: peak)) { own, _ in own }
  }
}
