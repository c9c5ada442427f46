import Distillation
import Foundation
import LanguageModel
import Randomness
import TestSupport
import Testing

/// Preferences against their formulas, worked out in Double on a plain decoder.
@Suite struct PreferenceTests {
  /// Two pairs that begin alike in two tokens and in none.
  static let pairs = [
    TokenizedPair(
      id: "a", prompt: [1, 2, 3], chosen: [5, 6, 7, 8, 2], rejected: [5, 6, 9, 10, 11, 12, 2]
    ) { _ in ([0, 3, 4], [0, 4, 6]) },
    TokenizedPair(
      id: "b", prompt: [4], chosen: [20, 2], rejected: [21, 22, 2]
    ) { _ in ([0, 1], [0, 2]) },
  ]
  let reference: Decoder
  let student: Decoder
  let workers = Workers(count: 2)

  init() throws {
    reference = try tinyDecoder(seed: 1)
    student = try tinyDecoder(seed: 2)
  }

  /// The sum over tokens `from` ..< `to` of log π/π_ref.
  private func ratio(
    _ plain: PlainDecoder, _ prompt: [Int], _ response: [Int], _ range: Range<Int>? = nil,
    factor: (Int) -> Double = { _ in 1 }
  ) -> Double {
    let (own, other) = (
      plain.losses(prompt, response), PlainDecoder(reference).losses(prompt, response)
    )
    return (range ?? response.indices).reduce(0) { $0 + factor($1) * (other[$1] - own[$1]) }
  }

  /// Holds loss and gradient of `objective` against `loss` of each pair on the plain decoder, the
  /// gradient along itself and a random direction.
  private func expect(
    _ objective: Objective, sourceLocation: SourceLocation = #_sourceLocation,
    _ loss: (PlainDecoder, TokenizedPair) -> Double
  ) throws {
    func total(_ plain: PlainDecoder) -> Double { Self.pairs.reduce(0) { $0 + loss(plain, $1) } }
    let gradients = student.trainable.zeros()
    let found = workers.losses(
      of: objective.examples.map(\.tree), on: student, rule: objective.rule, gradients: gradients)
    let plain = PlainDecoder(student)
    for (found, pair) in zip(found, Self.pairs) {
      let expected = loss(plain, pair)
      #expect(
        abs(found.loss - expected) <= 1e-5 * max(1, abs(expected)), sourceLocation: sourceLocation)
    }
    var generator = SeededGenerator(seed: 3)
    for slot in student.trainable.slots {
      let gradient = gradients[slot.name].map(Double.init)
      let norm = gradient.reduce(0) { $0 + $1 * $1 }.squareRoot()
      #expect(norm > 0, "\(slot.name)", sourceLocation: sourceLocation)
      let start = try #require(plain.parameters[slot.name])
      for direction in [gradient, start.map { _ in generator.normal() }] {
        let length = direction.reduce(0) { $0 + $1 * $1 }.squareRoot()
        var moved = plain
        let slope = derivativeAtZero(step: 1e-4) { t in
          moved.parameters[slot.name] = zip(start, direction).map { $0 + t * $1 / length }
          return total(moved)
        }
        let projected = zip(gradient, direction).reduce(0) { $0 + $1.0 * $1.1 } / length
        #expect(
          abs(projected - slope) <= 5e-5 * norm + 1e-6, "\(slot.name)",
          sourceLocation: sourceLocation)
      }
    }
  }

  @Test("DPO and its gradient, without the start that cancels out")
  func directPreference() throws {
    let objective = Objective.directPreference(
      Self.pairs, beta: 0.3, reference: reference, workers: workers)
    #expect(objective.examples[0].tree.segments[0].weights.allSatisfy { $0 == 0 })
    try expect(objective) { plain, pair in
      let margin = ratio(plain, pair.prompt, pair.chosen) - ratio(plain, pair.prompt, pair.rejected)
      return log1p(exp(-0.3 * margin))
    }
  }

  @Test("At the reference itself DPO is log 2, with slope β/2 on each token")
  func start() throws {
    let objective = Objective.directPreference(
      Self.pairs, beta: 0.3, reference: reference, workers: workers)
    let losses = workers.losses(
      of: objective.examples.map(\.tree), on: reference, rule: objective.rule)
    for loss in losses {
      #expect(abs(loss.loss - log(2.0)) < 1e-6)
      for token in loss.tokens {
        let isRight = token.prediction.segment == Objective.chosenSegment
        #expect(abs(token.contribution.gradientWeight - (isRight ? 0.15 : -0.15)) < 1e-5)
      }
    }
  }

  @Test("DPOP and its gradient: right chains that grow unlikelier are held", arguments: [0.0, 2])
  func positivePreference(penalty: Double) throws {
    let objective = Objective.positivePreference(
      Self.pairs, beta: 0.05, penalty: penalty, reference: reference, workers: workers)
    let chosen = Self.pairs.map { ratio(PlainDecoder(student), $0.prompt, $0.chosen) }
    try #require(chosen.contains { $0 < 0 })
    try expect(objective) { plain, pair in
      let chosen = ratio(plain, pair.prompt, pair.chosen)
      let margin = chosen - ratio(plain, pair.prompt, pair.rejected) - penalty * max(0, -chosen)
      return log1p(exp(-0.05 * margin))
    }
  }

  @Test("Step-DPO prefers between the first steps that differ, given all before them")
  func stepPreference() throws {
    let objective = Objective.stepPreference(
      Self.pairs, beta: 0.4, reference: reference, workers: workers)
    let segments = objective.examples[0].tree.segments
    #expect(segments[0].weights == [0, 0, 0, 0, 0])
    #expect(segments[1].weights == [1, 0, 0])
    #expect(segments[2].weights == [1, 1, 0, 0, 0])
    try expect(objective) { plain, pair in
      let chosen = pair.id == "a" ? 2..<3 : 0..<1
      let rejected = pair.id == "a" ? 2..<4 : 0..<2
      let margin =
        ratio(plain, pair.prompt, pair.chosen, chosen)
        - ratio(plain, pair.prompt, pair.rejected, rejected)
      return log1p(exp(-0.4 * margin))
    }
  }

  @Test("cDPO weighs tokens by the contrastive estimate of two models", arguments: [false, true])
  func criticalTokens(weighsChosen: Bool) throws {
    let (positive, negative) = (try tinyDecoder(seed: 5), try tinyDecoder(seed: 6))
    let scores = Objective.criticalTokenScores(
      Self.pairs, positive: positive, negative: negative, workers: workers)
    // The estimate from logits of its own for one token: right[2] of the first pair.
    let before = [1, 2, 3, 5, 6]
    let logits = [positive, negative].map {
      Array(workers.logits(of: before, on: $0).elements.suffix(97))
    }
    let exponentials = zip(logits[0], logits[1]).map { exp(Double(2 * $0 - $1)) }
    #expect(
      abs(Double(scores[0].chosen[2]) - exponentials[7] / exponentials.reduce(0, +)) < 1e-5)
    let objective = Objective.criticalTokenPreference(
      Self.pairs, scores: scores, beta: 0.3, weighsChosen: weighsChosen, reference: reference,
      workers: workers)
    try expect(objective) { plain, pair in
      let scores = scores[pair.id == "a" ? 0 : 1]
      let chosen = ratio(
        plain, pair.prompt, pair.chosen, factor: { weighsChosen ? Double(scores.chosen[$0]) : 1 })
      let rejected = ratio(
        plain, pair.prompt, pair.rejected, factor: { Double(1 - scores.rejected[$0]) })
      return log1p(exp(-0.3 * (chosen - rejected)))
    }
  }

  @Test("REDI: mean likelihoods of whole responses, the wrong one's weighed by α")
  func reinforcement() throws {
    let objective = Objective.reinforcement(Self.pairs, alpha: 0.8)
    try expect(objective) { plain, pair in
      let chosen = plain.losses(pair.prompt, pair.chosen).reduce(0, +) / Double(pair.chosen.count)
      let rejected =
        plain.losses(pair.prompt, pair.rejected).reduce(0, +) / Double(pair.rejected.count)
      return chosen - 0.8 * rejected
    }
  }

  @Test("Unlikelihood on wrong key tokens, and its gradient")
  func unlikelihood() throws {
    let objective = Objective.keySteps(
      Self.pairs, weights: .init(alpha: 1, beta: -0.5, gamma: 0.1), negatives: .unlikelihood)
    try expect(objective) { plain, pair in
      let keys = pair.keyTokens()
      let chosen = zip(plain.losses(pair.prompt, pair.chosen), keys.chosenMask).reduce(0) {
        $0 + ($1.1 ? 1 : Double(Float(0.1))) * $1.0
      }
      let rejected = zip(plain.losses(pair.prompt, pair.rejected), keys.rejectedMask).reduce(0) {
        $0 - ($1.1 ? 0.5 * log(-expm1(-$1.0)) : 0)
      }
      return chosen / Double(pair.chosen.count) + rejected / Double(pair.rejected.count)
    }
  }

  /// Those that compare the student with itself as training starts.
  private static let preferences = ["cdpo", "dpo", "dpop", "rise", "step-dpo"]

  @Test(
    "The first loss of a preference is log 2 whatever dropout the adapter has and however it starts",
    arguments: preferences, LowRankAdapter.Start.allCases)
  func firstLoss(name: String, start: LowRankAdapter.Start) throws {
    let entry = try #require(ObjectiveEntry(named: name))
    let low = LowRankConfiguration(rank: 3, alpha: 6, dropout: 0.5)
    let plain = try tinyDecoder(seed: 4)
    var generator = SeededGenerator(seed: 4, stream: "initialisation")
    let student =
      switch start {
      case .noise:
        plain.adapted(by: try LowRankAdapter(low, for: plain.configuration, using: &generator))
      case .pissa: try plain.adaptedByPrincipalValues(low)
      }
    let teachings = try Teachings()
    let objective = try entry.objective(teachings.data) {
      ReferenceModels(student: student, positive: plain, negative: reference, workers: workers)
    }
    let settings = TrainingSettings(learningRate: 1e-3, length: .steps(2), batchSize: 2)
    let trainer = Trainer(student, objective, settings, workers: workers)
    #expect(abs(try trainer.step().loss - log(2.0)) < 1e-5)
  }

  @Test("All other objectives train with the adapter's dropout")
  func dropout() throws {
    let teachings = try Teachings()
    let without = try ObjectiveEntry.all.filter { !(try teachings.objective($0).usesDropout) }
    #expect(without.map(\.name).sorted() == Self.preferences)
  }
}
