import Distillation
import Foundation
import LanguageModel
import Parameters
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

  @Test("InfoSFT's weight is q (1 - logit q / logit P), and none from P on")
  func informationAware() throws {
    guard case .token(_, let share) = Objective.informationAware([chain], familiar: 0.75).rule
    else {
      Issue.record("InfoSFT looks at one token at a time")
      return
    }
    // logit 0.75 = log 3: at 1/4 the bracket is 2, at 1/2 it is 1, at 0.7 it is 1 - log(7/3) / log 3.
    let expected: [(q: Float, weight: Float)] = [
      (0.25, 0.5), (0.5, 0.5), (0.7, 0.7 * (1 - log(7 / 3) / log(3))), (0.75, 0), (0.9, 0), (1, 0),
    ]
    for (q, weight) in expected {
      let result = share(prediction(0, 0.2), TokenLoss(negativeLogLikelihood: -log(q), top: 0))
      #expect(abs(result.gradientWeight - 0.2 * weight) < 1e-6, "\(q)")
      #expect(abs(result.value + 0.2 * weight * log(q)) < 1e-6, "\(q)")
    }
    let impossible = share(prediction(0, 0.2), TokenLoss(negativeLogLikelihood: 300, top: 0))
    #expect(impossible == WeightedLoss(value: 0, gradientWeight: 0))
  }

  @Test("PriFT weighs tokens by what the student says before training, over all tokens")
  func priorSupport() throws {
    let (prior, workers) = (try tinyDecoder(), Workers(count: 1))
    let models = ReferenceModels(student: prior, workers: workers)
    let data = TrainingData(
      correct: [chain], pairs: [], tokenizer: try Teachings().data.tokenizer, file: "chains.jsonl")
    func weights(_ entry: ObjectiveEntry, _ parameters: [String: Parameter.Value] = [:]) throws
      -> [Float]
    {
      let objective = try entry.objective(data, parameters) { models }
      guard case .weighted = objective.rule else {
        Issue.record("\(entry.name)'s weights are known before training")
        return []
      }
      return objective.examples[0].tree.segments[1].weights
    }
    let logits = workers.logits(of: chain.prompt + chain.response, on: prior)
    let probabilities = chain.response.indices.map { index in
      let start = (chain.prompt.count + index - 1) * logits.columns
      let row = logits.elements[start..<start + logits.columns].map { exp(Double($0)) }
      return row.map { $0 / row.reduce(0, +) }
    }
    let own = zip(probabilities, chain.response).map { $0[$1] }
    let mass = zip(probabilities, own).map { row, p in row.filter { $0 <= p }.reduce(0, +) }
    for (found, p) in zip(try weights(.priorProbability), own) {
      #expect(abs(Double(found) - p / 5) < 1e-6)
    }
    // A threshold between two of the masses parts them.
    let ranked = mass.sorted()
    let threshold = (ranked[2] + ranked[3]) / 2
    #expect(
      try weights(.priorMass, ["prift_threshold": .number(threshold)])
        == mass.map { $0 >= threshold ? 0.2 : 0 })
    #expect(try weights(.priorMass, ["prift_threshold": .number(0)]) == mass.map { _ in 0.2 })
  }

  @Test("GLOW's weight is α (1 - σ(β Δ)) within its bounds, and 1 in the first epoch")
  func gainWeighted() throws {
    guard case .example(_, let shares) = Objective.gainWeighted([chain], alpha: 4, beta: 10).rule
    else {
      Issue.record("GLOW looks at a whole chain")
      return
    }
    // The loss of now is 0.5 · 3 + 0.5 · 1 = 2.
    func weight(before: Float) -> Float {
      let tokens = [
        (
          prediction(0, 0.5, reference: before), TokenLoss(negativeLogLikelihood: 3, top: 0)
        ),
        (prediction(1, 0.5, reference: before), TokenLoss(negativeLogLikelihood: 1, top: 0)),
      ]
      let result = shares(tokens)
      #expect(result[0].value == 3 * result[0].gradientWeight)
      #expect(result[1].value == result[0].gradientWeight)
      return 2 * result[0].gradientWeight
    }
    #expect(weight(before: -1) == 1)
    #expect(weight(before: 2) == 2)
    // Δ = 0.1: σ(1) = 0.73106.
    #expect(abs(weight(before: 2.1) - 4 * (1 - 0.731_058_6)) < 1e-4)
    #expect(weight(before: 9) == 0.5)
    #expect(weight(before: 0) == 4)
    let steep = Objective.gainWeighted([chain], alpha: 40, beta: 10).rule
    guard case .example(_, let shares) = steep else { return }
    let bounded = shares([
      (prediction(0, 1, reference: 0), TokenLoss(negativeLogLikelihood: 3, top: 0))
    ])
    #expect(bounded[0].gradientWeight == 5)
  }

  @Test("RISE trains on whole pairs and on the steps that were edited")
  func errorInjected() throws {
    let (student, workers) = (try tinyDecoder(), Workers(count: 1))
    let pairs = try Teachings().data.pairs
    let both = Objective.errorInjected(pairs, reference: student, workers: workers)
    let whole = Objective.directPreference(pairs, beta: 0.4, reference: student, workers: workers)
    let steps = Objective.stepPreference(pairs, reference: student, workers: workers)
    #expect(both.examples.map(\.tree) == (whole.examples + steps.examples).map(\.tree))
    let losses = workers.losses(of: both.examples.map(\.tree), on: student, rule: both.rule)
    #expect(losses.allSatisfy { abs($0.loss - log(2.0)) < 1e-5 })
  }

  @Test("The tokens of highest entropy carry the weight of all, the earlier of equals first")
  func entropy() throws {
    guard
      case .example(needs: .entropy, let shares) = Objective.highEntropy([chain], keeping: 0.4)
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
