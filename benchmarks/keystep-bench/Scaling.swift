import ArgumentParser
import Checkpoints
import Distillation
import Files
import Foundation
import LanguageModel
import Randomness

struct Scaling: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "How the cost of a step grows: sequence length, batch, student size, workers; as CSV."
  )

  @Option(help: "The CSV.")
  var output = "results/scaling.csv"
  @Option(help: "Measured steps of each point.")
  var steps = 3
  @Flag(help: "Small points alone, to see that all works.")
  var quick = false

  /// Shapes between the embedded student and SmolLM2-135M.
  private static let shapes:
    [(name: String, width: Int, layers: Int, heads: Int, vocabulary: Int)] = [
      ("1 M", 128, 4, 4, 4096), ("5 M", 256, 6, 4, 4096), ("19 M", 384, 10, 6, 8192),
      ("58 M", 512, 16, 8, 16384), ("135 M", 576, 30, 9, 49152),
    ]

  func run() throws {
    let cores = AvailableCores.count
    var rows = ["work,variable,x,tokens_per_second,seconds,peak_gib,flops,peak_gflops"]
    func measure(
      _ variable: String, _ x: Int, shape: Int, length: Int, batch: Int, workers: Int
    ) throws {
      let (seconds, operations, tokens) = try step(
        shape: Self.shapes[shape], length: length, batch: batch, workers: workers)
      let peak = measuredPeak(workers: workers, .fp32)
      rows.append(
        "sft step,\(variable),\(x),\(Double(tokens) / seconds),\(seconds),\(peakResidentGiB()),"
          + "\(operations),\(peak)")
      print(rows[rows.count - 1])
    }
    let lengths = quick ? [64, 128] : [64, 128, 256, 512, 1024, 2048]
    for length in lengths {
      try measure(
        "sequence length", length, shape: 2, length: length, batch: max(1, 4096 / length),
        workers: cores)
    }
    for batch in quick ? [1, 2] : [1, 2, 4, 8, 16, 32, 64] {
      try measure("batch", batch, shape: 2, length: 128, batch: batch, workers: cores)
    }
    for shape in quick ? [0, 1] : Array(Self.shapes.indices) {
      try measure(
        "student (thousand parameters)", parameters(shape) / 1000, shape: shape, length: 128,
        batch: 16, workers: cores)
    }
    for workers in 1...cores {
      try measure("workers", workers, shape: 2, length: 128, batch: 32, workers: workers)
    }
    let url = URL(fileURLWithPath: output)
    try FileManager.default.createDirectory(
      at: url.deletingLastPathComponent(), withIntermediateDirectories: true)
    try (rows.joined(separator: "\n") + "\n").write(to: url, atomically: true, encoding: .utf8)
    print("CSV: \(output)")
  }

  private func parameters(_ shape: Int) -> Int {
    configuration(Self.shapes[shape], positions: 64).tensorShapes.reduce(0) {
      $0 + $1.shape.reduce(1, *)
    }
  }

  private func configuration(
    _ shape: (name: String, width: Int, layers: Int, heads: Int, vocabulary: Int), positions: Int
  ) -> ModelConfiguration {
    ModelConfiguration(
      vocabularySize: shape.vocabulary, hiddenSize: shape.width,
      intermediateSize: shape.width * 8 / 3, layerCount: shape.layers, headCount: shape.heads,
      maximumPositions: positions)
  }

  /// The median step of full fine-tuning on random tokens, all but the first of them weighted.
  private func step(
    shape: (name: String, width: Int, layers: Int, heads: Int, vocabulary: Int), length: Int,
    batch: Int, workers: Int
  ) throws -> (seconds: Double, operations: Double, tokens: Int) {
    var generator = SeededGenerator(seed: 1, stream: "scaling")
    let decoder = try Decoder.random(
      configuration(shape, positions: length), using: &generator)
    let chains = (0..<batch).map { index in
      let tokens = (0..<length).map { _ in generator.index(below: shape.vocabulary) }
      return TokenizedChain(
        id: "\(index)", prompt: [tokens[0]], response: Array(tokens.dropFirst()))
    }
    let team = Workers(count: workers)
    let trainer = Trainer(
      decoder, .chainsOfThought(chains),
      TrainingSettings(learningRate: 1e-6, length: .steps(steps + 1), batchSize: batch),
      workers: team)
    _ = try trainer.step()
    _ = team.takeProfile()
    let times = try (0..<steps).map { _ in try trainer.step().seconds }
    return (times.median, team.takeProfile().operations / Double(steps), batch * length)
  }
}
