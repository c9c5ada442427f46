import Distillation
import Foundation
import LanguageModel
import Testing

/// Shares of the loss worked out by hand.
@Suite struct TokenRuleTests {
  private let chain = TokenizedChain(id: "chain", prompt: [1, 2], response: [5, 6, 7, 8, 0])

  private func prediction(_ index: Int, _ weight: Float, reference: Float = 0) -> Prediction {
    Prediction(tree: 0, segment: 1, index: index, weight: weight, reference: reference)
  }

  @Test("DFT weighs a token by its own probability")
  func dynamic() throws {
    guard case .token(_, let share) = Objective.dynamic([chain]).rule else {
      Issue.record("DFT looks at one token at a time")
      return
    }
    let result = share(prediction(0, 0.2), TokenLoss(negativeLogLikelihood: log(4), top: 0))
    #expect(abs(result.gradientWeight - 0.05) < 1e-7)
    #expect(abs(result.value - 0.05 * log(4)) < 1e-7)
  }

  @Test("The tokens of highest entropy carry the weight of all, the earlier of equals first")
  func entropy() throws {
    guard
      case .example(needsEntropy: true, let shares) = Objective.highEntropy([chain], keeping: 0.4)
        .rule
    else {
      Issue.record("a choice looks at the whole example, with entropies")
      return
    }
    let entropies: [Float] = [0.5, 2, 1, 2, 1]
    let results = shares(
      entropies.enumerated().map {
        (prediction($0, 0.2), TokenLoss(negativeLogLikelihood: 3, entropy: $1, top: 0))
      })
    #expect(results.map(\.gradientWeight) == [0, 0.5, 0, 0.5, 0])
    #expect(results.map(\.value) == [0, 1.5, 0, 1.5, 0])
    // A share that comes to nothing keeps one token.
    let single = shares([
      (prediction(0, 0.5), TokenLoss(negativeLogLikelihood: 3, entropy: 1, top: 0))
    ])
    #expect(single.map(\.gradientWeight) == [0.5])
  }

  @Test("RHO-1 keeps the tokens whose loss exceeds the reference's most, which is computed once")
  func excessLoss() throws {
    let (student, reference) = (try tinyDecoder(), try tinyDecoder(seed: 2))
    let workers = Workers(count: 1)
    let objective = Objective.excessLoss(
      [chain], keeping: 0.4, reference: reference, workers: workers)
    let references = try #require(objective.examples[0].tree.segments[1].references)
    let plain = Objective.chainsOfThought([chain]).examples.map(\.tree)
    let expected = workers.losses(of: plain, on: reference)[0].tokens.map {
      $0.loss.negativeLogLikelihood
    }
    #expect(references == expected)
    let losses = workers.losses(
      of: objective.examples.map(\.tree), on: student, rule: objective.rule)
    let excess = losses[0].tokens.map { $0.loss.negativeLogLikelihood - $0.prediction.reference }
    let least = excess.sorted()[2]
    #expect(
      losses[0].tokens.map { $0.contribution.gradientWeight > 0 } == excess.map { $0 > least })
    #expect(abs(losses[0].tokens.reduce(0) { $0 + $1.contribution.gradientWeight } - 1) < 1e-6)
  }

  @Test(
    "Unlikelihood and its slope hold in single precision from p near 1 to p near 0",
    arguments: [1e-6, 1e-4, 0.01, 0.5, 0.6931, 0.6932, 1, 5, 16, 40, 87, 200] as [Float])
  func unlikelihood(x: Float) {
    let share = NegativeForm.unlikelihood.share(weight: -0.5, negativeLogLikelihood: x)
    let exact = x < 0.1 ? Foundation.log(-expm1(-Double(x))) : log1p(-exp(-Double(x)))
    let value = -0.5 * exact
    let weight = -0.5 / expm1(Double(x))
    #expect(abs(Double(share.value) - value) <= 1e-6 * value + 1e-37)
    #expect(abs(Double(share.gradientWeight) - weight) <= 1e-6 * -weight + 1e-37)
  }

  @Test("Unlikelihood is bounded where p is 1, and leaves positive weights as they are")
  func unlikelihoodBounds() {
    for x in [0, 1e-30, 1e-9] as [Float] {
      let share = NegativeForm.unlikelihood.share(weight: -1, negativeLogLikelihood: x)
      #expect(share.value.isFinite && share.value < 16 && share.value > 15)
      // A logit's gradient is at most this times 1 - p, which is below the unit roundoff here.
      #expect(share.gradientWeight.isFinite && -share.gradientWeight * .ulpOfOne <= 1)
    }
    #expect(
      NegativeForm.unlikelihood.share(weight: 2, negativeLogLikelihood: 3)
        == WeightedLoss(value: 6, gradientWeight: 2))
  }

  @Test("A clipped negative's loss stops at the floor, a guarded one's vanishes above it")
  func clipped() {
    let clipped = NegativeForm.clipped(at: 4)
    #expect(
      clipped.share(weight: -0.5, negativeLogLikelihood: 3)
        == WeightedLoss(value: -1.5, gradientWeight: -0.5))
    #expect(
      clipped.share(weight: -0.5, negativeLogLikelihood: 9)
        == WeightedLoss(value: -2, gradientWeight: 0))
    #expect(
      clipped.share(weight: 0.5, negativeLogLikelihood: 9)
        == WeightedLoss(value: 4.5, gradientWeight: 0.5))
    #expect(
      NegativeForm.guarded(above: 4).share(weight: -0.5, negativeLogLikelihood: 9)
        == WeightedLoss(value: 0, gradientWeight: 0))
  }
}
