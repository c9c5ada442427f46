import Checkpoints
import LanguageModel
import LinearAlgebra
import Randomness
import Testing

@Suite struct WorkspaceEstimateTests {
  private struct Case: CustomTestStringConvertible {
    var testDescription: String
    var architecture = Architecture.llama
    var targets: [ProjectionName]?
    var precision = Precision.fp32
    var recomputes = false
    var vocabularySize = 1000
    var lengths = [120, 90]
    var workers = 1
  }

  private static let cases = [
    Case(testDescription: "all parameters"),
    Case(testDescription: "LoRA", targets: [.query, .value]),
    Case(
      testDescription: "LoRA on all projections", targets: Architecture.llama.family.projections),
    Case(testDescription: "gradient checkpointing", recomputes: true),
    Case(testDescription: "bf16", targets: [.query, .value], precision: .bf16),
    Case(testDescription: "a large vocabulary", vocabularySize: 20_000),
    Case(testDescription: "norms of heads", architecture: .qwen3),
    Case(testDescription: "norms after each half", architecture: .gemma3),
    Case(testDescription: "two workers", lengths: [200, 180, 20], workers: 2),
    Case(testDescription: "several passes", lengths: [400, 300, 250, 90]),
  ]

  @Test("The memory of a step's workspaces is as estimated, within a tenth", arguments: cases)
  private func estimate(_ one: Case) throws {
    var generator = SeededGenerator(seed: 1)
    let configuration = ModelConfiguration(
      architecture: one.architecture, vocabularySize: one.vocabularySize, hiddenSize: 64,
      intermediateSize: 176, layerCount: 4, headCount: 4, keyValueHeadCount: 2, headDimension: 16,
      maximumPositions: 512, tiesEmbeddings: true)
    var decoder = try Decoder.random(configuration, using: &generator)
    if let targets = one.targets {
      decoder = decoder.adapted(
        by: try LowRankAdapter(
          LowRankConfiguration(rank: 8, dropout: 0.1, targets: targets), for: configuration,
          using: &generator))
    }
    let trees = one.lengths.map { length in
      let tokens = (0..<length).map { _ in generator.index(below: one.vocabularySize) }
      return PrefixTree(
        prompt: Array(tokens.prefix(10)), response: Array(tokens.dropFirst(10)),
        weights: tokens.dropFirst(10).map { _ in 1 })
    }
    let workers = Workers(
      count: one.workers, precision: one.precision, recomputesActivations: one.recomputes)
    let dropout: Float = one.targets == nil ? 0 : 0.1
    let estimated = workers.workspaceBytes(for: trees, on: decoder, dropout: dropout)
    _ = workers.losses(
      of: trees, on: decoder, dropout: dropout, gradients: decoder.trainable.zeros())
    let found = workers.peakWorkspaceBytes
    #expect(found > 1 << 20)
    #expect(
      abs(Double(estimated) - Double(found)) < 0.1 * Double(found), "\(estimated) of \(found)")
  }

  @Test("Parameters and the bytes of weights are counted")
  func weights() throws {
    let tiny = TinyModel.lowRank
    let decoder = tiny.decoder()
    let matrices = tiny.configuration.tensorShapes.filter { $0.shape.count == 2 }
      .reduce(0) { $0 + $1.shape.reduce(1, *) }
    let vectors = tiny.configuration.tensorShapes.filter { $0.shape.count == 1 }
      .reduce(0) { $0 + $1.shape[0] }
    let adapter = decoder.trainable.count
    #expect(decoder.parameterCount == matrices + vectors + adapter)
    #expect(decoder.weightBytes(.fp32) == 4 * (matrices + vectors + adapter))
    // A constant matrix has a copy for each direction.
    #expect(decoder.weightBytes(.bf16) == decoder.weightBytes(.fp32) + 4 * matrices)
    let full = TinyModel.untied.decoder()
    #expect(full.weightBytes(.bf16) == 4 * full.parameterCount + 2 * matrices)
  }

  @Test("What is computed of a tree ends before the last weighted token of each path")
  func computed() {
    // Prompt of 3; of each response what precedes its last weighted token.
    let tree = PrefixTree([
      Segment(context: [1, 2, 3]),
      Segment(tokens: [4, 5, 6, 7], parent: 0, weights: [1, 0, 1, 0]),
      Segment(tokens: [8, 9], parent: 0, weights: [1, 0]),
      Segment(tokens: [8, 9], parent: 0, weights: [0, 0]),
    ])
    #expect(tree.computedTokenCount == 3 + 2)
    #expect(PrefixTree([Segment(context: [1, 2])]).computedTokenCount == 0)
  }
}
