import Distillation
import LanguageModel
import Testing

@Suite struct TrainingCostTests {
  /// Chains with 2 tokens of prompt and these of response.
  private func trainer(
    _ lengths: [Int], steps: Int, batchSize: Int, keepsBest: Bool = false, workers: Int = 2
  ) throws -> Trainer {
    let chains = lengths.enumerated().map { index, length in
      TokenizedChain(
        id: "\(index)", prompt: [10, 11], response: (0..<length).map { 20 + $0 })
    }
    return Trainer(
      try tinyDecoder(), .chainsOfThought(chains),
      TrainingSettings(
        learningRate: 1e-3, length: .steps(steps), batchSize: batchSize, shuffles: false),
      workers: Workers(count: workers),
      validation: keepsBest
        ? Validation(ValidationSettings(interval: 1, keepsBest: true)) { [("loss", 1)] } : nil)
  }

  @Test("Tokens, steps, parameters and bytes are counted")
  func counts() throws {
    let trainer = try trainer([4, 5, 6, 9, 3], steps: 7, batchSize: 2, keepsBest: true)
    let cost = trainer.cost()
    // The last token of a sequence is predicted, but nothing is computed from it.
    #expect(cost.tokens == .init(sequences: 37, computed: 32, weighted: 27))
    #expect(cost.examples == 5 && cost.steps == 7 && cost.stepsPerEpoch == 3)
    #expect(cost.epochs == 7.0 / 3)
    #expect(cost.stepTokens == [11, 17, 4, 11, 17, 4, 11])
    #expect(cost.largestStepTokens == 17 && cost.meanStepTokens == 75.0 / 7)
    #expect(cost.largestStep == 1 && cost.medianStep == 3)
    let parameters = trainer.decoder.trainable.count
    #expect(cost.trainableParameters == parameters && cost.totalParameters == parameters)
    let memory = cost.memory
    #expect(memory.weights == 4 * parameters && memory.gradients == 8 * parameters)
    #expect(memory.optimiser == 8 * parameters && memory.best == 4 * parameters)
    #expect(memory.activations > 0)
    #expect(
      memory.total == memory.activations + 24 * parameters)
  }

  @Test("The step with most tokens need not be the one that needs most memory")
  func packing() throws {
    // Sequences of 50 and of 60 tokens: ten of the first make one pass of at most 512, nine of the second two.
    let trainer = try trainer(
      Array(repeating: 48, count: 10) + Array(repeating: 58, count: 9), steps: 2, batchSize: 10,
      workers: 1)
    let trees = trainer.objective.examples.map(\.tree)
    func bytes(_ range: Range<Int>) -> Int {
      Workers(count: 1).workspaceBytes(for: Array(trees[range]), on: trainer.decoder, dropout: 0)
    }
    let cost = trainer.cost()
    #expect(cost.stepTokens == [490, 531] && cost.largestStep == 1)
    #expect(cost.memory.activations == bytes(0..<10) && bytes(0..<10) > bytes(10..<19))
  }

  @Test("A run's seconds lie on the line through the two steps that were timed")
  func seconds() throws {
    let cost = try trainer([4, 5, 6, 9, 3], steps: 7, batchSize: 2).cost()
    // 0.4 s, and 0.1 s a token.
    let times = StepTimes(median: 1.5, largest: 2.1, steps: 2)
    #expect(abs(times.seconds(cost) - (7 * 0.4 + 75 * 0.1)) < 1e-9)
    // Slower than in proportion, or faster than the median step: no part is negative.
    #expect(
      abs(StepTimes(median: 1.1, largest: 9, steps: 2).seconds(cost) - 75 * 0.1) < 1e-9)
    #expect(StepTimes(median: 1.1, largest: 1, steps: 2).seconds(cost) == 7 * 1.1)
    // All steps are alike.
    let even = try trainer([4, 4, 4, 4], steps: 6, batchSize: 2).cost()
    #expect(abs(StepTimes(median: 2, largest: 3, steps: 2).seconds(even) - 12) < 1e-9)
  }

  @Test("Steps that are timed are those of the run")
  func timing() throws {
    let trainer = try trainer([4, 5, 6, 9, 3], steps: 7, batchSize: 2)
    let times = try trainer.timeSteps(of: trainer.cost(), for: 0)
    #expect(times.steps == 2 && times.median > 0 && times.largest > 0)
  }
}
