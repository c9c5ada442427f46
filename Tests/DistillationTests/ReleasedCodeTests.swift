import Distillation
import Foundation
import KeySteps
import LanguageModel
import Parameters
import TestSupport
import Testing

/// The options that follow the released code of EDIT and CasCoD (`docs/released-code.md`), with values
/// worked out by hand and by the plain decoder.
@Suite struct ReleasedCodeTests {
  private static let padded = KeyTokenChoice(scope: .paddedSequence)

  // MARK: alignment_scope

  @Test("Prompt and response padded to 1,024 tokens are another alignment than the responses")
  func scope() throws {
    // 0 ends these sequences and fills them too, so the later of the rejected ends is as padding.
    let pair = ObjectiveTests.pair
    #expect(pair.keyTokens().chosen == [1] && pair.keyTokens().rejected == [1, 4, 5])
    #expect(pair.keyTokens().distance == 3)
    let keys = pair.keyTokens(Self.padded)
    #expect(keys.chosen == [1] && keys.rejected == [1, 4] && keys.distance == 2)

    let values = ParameterValues(.keyTokens, given: ["alignment_scope": .text("padded-sequence")])
    #expect(KeyTokenChoice(values) == Self.padded)
    let weights = KeyStepWeights(alpha: 2, beta: -0.5, gamma: 0)
    let segments = Objective.keySteps([pair], weights: weights, choice: Self.padded)
      .examples[0].tree.segments
    #expect(segments[1].weights == [0.5, 0, 0])
    let rejected: Float = -0.5 / 6
    #expect(segments[2].weights == [rejected, 0, 0, rejected, 0])
  }

  @Test("The prompt takes its tokens off the 1,024, and what does not fit is no key token")
  func cut() {
    func pair(promptCount: Int) -> TokenizedPair {
      TokenizedPair(
        id: "p", prompt: Array(repeating: 1, count: promptCount), chosen: [5, 6, 7, 8, 2],
        rejected: [5, 9, 6, 7, 8, 2])
    }
    let short = pair(promptCount: 3).keyTokens(Self.padded)
    #expect(short.chosen.isEmpty && short.rejected == [1] && short.distance == 2)
    // Five tokens are left.
    let long = pair(promptCount: 1019).keyTokens(Self.padded)
    #expect(long.chosen == [4] && long.rejected == [1])
    let none = pair(promptCount: 1024).keyTokens(Self.padded)
    #expect(none.chosen.isEmpty && none.rejected.isEmpty && none.rejectedCount == 6)
    #expect(pair(promptCount: 1030).keyTokens(Self.padded).rejected.isEmpty)
  }

  @Test("Words of padded sequences, and the sentence of a key token found in them")
  func units() throws {
    let pair = try Teachings().data.pairs[0]
    // 20 21 90 22 2 and 20 23 24 90 25 2, each token a word: 1 more rejected token.
    #expect(pair.keyTokens().distance == 3 && pair.keyTokens(Self.padded).distance == 4)
    var choice = Self.padded
    choice.unit = .word
    #expect(pair.keyTokens(choice) == pair.keyTokens(Self.padded))
    choice.unit = .step
    #expect(pair.keyTokens(choice).chosen == [0, 1, 2, 3])
  }

  // MARK: guard_token

  /// -log p of each of the pair's rejected tokens once more right after itself, and of the token.
  private func losses(_ pair: TokenizedPair, _ model: Decoder) -> [(repeated: Float, own: Float)] {
    let plain = PlainDecoder(model)
    return pair.rejected.indices.map { index in
      let tokens = pair.prompt + pair.rejected[...index] + [pair.rejected[index]]
      let found = plain.predictions(of: tokens).suffix(2).map { Float($0.negativeLogLikelihood) }
      return (found[1], found[0])
    }
  }

  @Test("The guard on a token's repetition drops the weight of those whose repetition is unlikely")
  func guardToken() throws {
    let model = try tinyDecoder(seed: 5)
    // The rejected key tokens are 8, 9 and the end.
    let pair = ObjectiveTests.pair
    let keys = [1, 4, 5]
    let losses = losses(pair, model)
    let sorted = keys.map { losses[$0].repeated }.sorted()
    let threshold = (sorted[0] + sorted[1]) / 2
    let dropped = keys.filter { losses[$0].repeated > threshold }
    #expect(dropped.count == 2)
    #expect(dropped != keys.filter { losses[$0].own > threshold }, "the two guards differ here")

    let objective = try ObjectiveEntry.keySteps.objective(
      TrainingData(correct: [], pairs: [pair], tokenizer: Teachings().data.tokenizer, file: ""),
      [
        "beta": .number(-0.5), "guard": .number(Double(threshold)),
        "guard_token": .text("repeated"),
      ]
    ) { preconditionFailure("krsl compares with no model") }
    let trees = objective.examples.map(\.tree)
    let workers = Workers(count: 1)
    let gradients = model.trainable.zeros()
    let loss = workers.losses(of: trees, on: model, rule: objective.rule, gradients: gradients)[0]
    let repeats = loss.tokens.filter(\.prediction.isRepeat)
    #expect(repeats.map { $0.prediction.index + 1 } == keys)
    for token in repeats {
      let expected = losses[token.prediction.index + 1].repeated
      #expect(abs(token.loss.negativeLogLikelihood - expected) < 1e-4 * expected)
      #expect(token.contribution == WeightedLoss(value: 0, gradientWeight: 0))
    }

    // Loss and gradients are those of the plain rule without the dropped weights.
    var plain = trees[0]
    for index in plain.segments.indices { plain.segments[index].measuresRepeats = false }
    for index in dropped { plain.segments[Objective.rejectedSegment].weights[index - 1] = 0 }
    let expected = model.trainable.zeros()
    let without = workers.losses(of: [plain], on: model, gradients: expected)[0]
    #expect(abs(loss.loss - without.loss) < 1e-6 * abs(without.loss))
    #expect(relativeError(gradients.buffer.floats, expected.buffer.floats) < 1e-6)
    #expect(expected.buffer.floats.contains { $0 != 0 })
  }

  @Test("The default guard tests the predicted token's own -log p and measures no repetition")
  func defaultGuard() throws {
    let objective = try Teachings().objective(.keySteps)
    #expect(!objective.examples.contains { $0.tree.segments.contains(where: \.measuresRepeats) })
    guard case .token = objective.rule else {
      Issue.record("the guard looks at one token at a time")
      return
    }
    let form = NegativeForm.guarded(above: 3, testing: .repeated)
    #expect(form.share(weight: -1, negativeLogLikelihood: 9, repeated: 2).gradientWeight == -1)
    #expect(form.share(weight: -1, negativeLogLikelihood: 2, repeated: 9).gradientWeight == 0)
    #expect(form.share(weight: 1, negativeLogLikelihood: 9).gradientWeight == 1)
  }

  // MARK: chains_per_mean

  private static let chains = [[5, 6, 7, 0], [8, 0], [9, 10, 0]].enumerated().map {
    TokenizedChain(id: "\($0)", prompt: [1, 2 + $0], response: $1)
  }

  /// The loss of one step on all examples of `objective`.
  private func stepLoss(_ objective: Objective, workers: Workers = Workers(count: 1)) throws
    -> (loss: Double, decoder: Decoder)
  {
    let trainer = Trainer(
      try tinyDecoder(), objective,
      TrainingSettings(
        learningRate: 1e-3, length: .steps(1), batchSize: objective.examples.count,
        shuffles: false), workers: workers)
    return (try trainer.step().loss, trainer.decoder)
  }

  @Test("Two chains to a mean share its tokens, and the step is the mean of such means")
  func weights() {
    var objective = Objective.chainsOfThought(Self.chains)
    objective.examplesPerMean = 2
    let (examples, means) = objective.averaged(objective.examples)
    #expect(means == 2)
    let weights = examples.map { $0.tree.segments[1].weights }
    #expect(weights.map(\.count) == [4, 2, 3])
    for (weights, expected) in zip(weights, [1 / 6, 1 / 6, 1 / 3] as [Float]) {
      #expect(weights.allSatisfy { abs($0 - expected) < 1e-7 })
    }
    objective.examplesPerMean = 1
    let (same, count) = objective.averaged(objective.examples)
    #expect(count == 3 && same.map(\.tree) == objective.examples.map(\.tree))
  }

  @Test("The loss of token means is that of the plain decoder, however the step is split")
  func tokenMeans() throws {
    let data = try Teachings().data
    var chains = data
    (chains.correct, chains.rectified, chains.pairs) = (Self.chains, [], [])
    let plain = PlainDecoder(try tinyDecoder())
    let sums = Self.chains.map { plain.losses($0.prompt, $0.response).reduce(0, +) }
    var updated: [[Float]] = []
    for (perMean, expected) in [
      (1, (sums[0] / 4 + sums[1] / 2 + sums[2] / 3) / 3),
      (2, ((sums[0] + sums[1]) / 6 + sums[2] / 3) / 2),
      (16, (sums[0] + sums[1] + sums[2]) / 9),
    ] {
      let objective = try ObjectiveEntry.chains.objective(
        chains, ["chains_per_mean": .integer(perMean)]
      ) { preconditionFailure("sft compares with no model") }
      for workers in [
        Workers(count: 1), Workers(count: 3), Workers(count: 1, tokensPerPass: 1),
      ] {
        let (loss, decoder) = try stepLoss(objective, workers: workers)
        #expect(abs(loss - expected) < 1e-5 * expected, "\(perMean)")
        updated.append(Array(decoder.trainable.buffer.floats))
      }
      // The update does not depend on the split either, and does on the means.
      let (one, three) = (updated[updated.count - 3], updated[updated.count - 2])
      #expect(zip(one, three).allSatisfy { abs($0 - $1) < 1e-5 })
    }
    #expect(updated[0] != updated[3] && updated[3] != updated[6])
  }

  @Test("Parts have means of their own: CasCoD's rationales and answers over two chains")
  func parts() throws {
    let teachings = try Teachings()
    let objective = try teachings.objective(
      .cascade, ["lambda": .number(0.25), "chains_per_mean": .integer(2)])
    #expect(objective.examples.map(\.parts) == [[[1, 2], [3]], [[1, 2], [3]]])
    let plain = PlainDecoder(try tinyDecoder())
    func sum(_ prompt: [Int], _ response: [Int]) -> Double {
      plain.losses(prompt, response).reduce(0, +)
    }
    // Rationales 20 21 end and 30 end, answers 22 end and 22 end.
    let rationales = sum([10, 11, 59], [20, 21, 2]) + sum([10, 11, 59], [30, 2])
    let answers =
      sum([10, 11, 59, 20, 21, 60, 61], [22, 2]) + sum([10, 11, 59, 30, 60, 61], [22, 2])
    let expected = 0.75 * rationales / 5 + 0.25 * answers / 4
    #expect(abs(try stepLoss(objective).loss - expected) < 1e-5 * expected)
    // By chains the two rationales weigh the same.
    let byChain =
      (0.75 * (sum([10, 11, 59], [20, 21, 2]) / 3 + sum([10, 11, 59], [30, 2]) / 2)
        + 0.25 * answers / 2) / 2
    let chains = try teachings.objective(.cascade, ["lambda": .number(0.25)])
    #expect(abs(try stepLoss(chains).loss - byChain) < 1e-5 * byChain)
  }

  @Test(
    "Every objective that averages chains names the parts that all of its weights lie in",
    arguments: ObjectiveEntry.all.filter { $0.parameters.contains(.chainsPerMean) })
  func everyPart(entry: ObjectiveEntry) throws {
    let teachings = try Teachings()
    let objective = try teachings.objective(entry, ["chains_per_mean": .integer(3)])
    #expect(objective.examplesPerMean == 3)
    for example in objective.examples {
      let named = Set(example.parts.flatMap { $0 })
      for (index, segment) in example.tree.segments.enumerated() {
        #expect(named.contains(index) == segment.weights.contains { $0 != 0 })
      }
    }
    #expect(
      ["sft", "answer-sft", "mt-re", "mt-cot", "mt-ra", "scott", "cascod"].contains(entry.name))
  }
}
