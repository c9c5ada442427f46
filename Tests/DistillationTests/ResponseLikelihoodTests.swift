import Checkpoints
import Distillation
import KeySteps
import LanguageModel
import Reasoning
import TestSupport
import Testing

/// -log p of chosen and rejected responses while a student is trained.
@Suite struct ResponseLikelihoodTests {
  private func decoder() throws -> Decoder {
    try Decoder(Checkpoint(path: fixture("decoder/untied").path))
  }

  private let pairs = [
    TokenizedPair(
      id: "a", prompt: [5, 6, 7], chosen: [8, 9, 10, 11], rejected: [8, 9, 12, 13, 14]),
    TokenizedPair(id: "b", prompt: [15, 16], chosen: [17, 18], rejected: [19, 20, 21]),
  ]

  private func trainer(_ objective: Objective, rate: Double, steps: Int) throws -> Trainer {
    Trainer(
      try decoder(), objective,
      TrainingSettings(
        learningRate: rate, length: .steps(steps), batchSize: 2, shuffles: false),
      workers: Workers(count: 1))
  }

  @Test("A step reports the means over the weighted tokens of each side")
  func means() throws {
    let objective = Objective.keySteps(pairs)
    let report = try trainer(objective, rate: 1e-6, steps: 1).step()
    let losses = Workers(count: 1).losses(of: objective.examples.map(\.tree), on: try decoder())
    func mean(_ isRejected: Bool) -> Double {
      let values = losses.flatMap(\.tokens).filter {
        $0.prediction.weight != 0
          && ($0.prediction.segment == Objective.rejectedSegment) == isRejected
      }.map { Double($0.loss.negativeLogLikelihood) }
      return values.reduce(0, +) / Double(values.count)
    }
    #expect(abs(try #require(report.likelihood.chosen) - mean(false)) < 1e-6)
    #expect(abs(try #require(report.likelihood.rejected) - mean(true)) < 1e-6)

    let chains = Objective.chainsOfThought(
      pairs.map { TokenizedChain(id: $0.id, prompt: $0.prompt, response: $0.chosen) })
    let first = try trainer(chains, rate: 1e-6, steps: 1).step()
    #expect(first.likelihood.rejected == nil && first.likelihood.chosen != nil)
  }

  @Test("Chosen responses that become unlikely are seen, and those that become likely are not")
  func collapse() throws {
    let pushing = try trainer(
      .keySteps(pairs, weights: KeyStepWeights(alpha: -1, beta: 0)), rate: 1e-2, steps: 60)
    while pushing.nextStep < pushing.stepCount { _ = try pushing.step() }
    let trend = pushing.totals.chosen
    let (step, first) = (try #require(trend.collapse), try #require(trend.first))
    #expect((19..<60).contains(step) && trend.recent > first + 1)

    let learning = try trainer(
      .chainsOfThought(
        pairs.map { TokenizedChain(id: $0.id, prompt: $0.prompt, response: $0.chosen) }),
      rate: 1e-2, steps: 60)
    while learning.nextStep < learning.stepCount { _ = try learning.step() }
    let falling = learning.totals.chosen
    let start = try #require(falling.first)
    #expect(falling.collapse == nil && falling.recent < start)
  }
}
