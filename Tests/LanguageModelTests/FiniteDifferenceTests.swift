import Checkpoints
import Foundation
import LanguageModel
import LinearAlgebra
import Randomness
import TestSupport
import Testing

/// Losses and gradients against a plain decoder in Double and its central differences.
@Suite struct FiniteDifferenceTests {
  @Test(
    "The loss of a forest and its gradient in every parameter equal the plain decoder's and its finite differences",
    arguments: TinyModel.all)
  func forest(model: TinyModel) throws {
    try expectGradients(
      of: Forests.all(), on: model.decoder(), workers: 2, tokensPerPass: 24, expectsAll: true
    ) {
      $0.weightedLoss(of: Forests.all())
    }
  }

  @Test("So do those of a tree alone", arguments: [TinyModel.untied, .lowRank], 0..<5)
  func tree(model: TinyModel, index: Int) throws {
    let tree = Forests.all()[index]
    try expectGradients(of: [tree], on: model.decoder()) { $0.weightedLoss(of: [tree]) }
  }

  @Test("So do those of segments longer than a block of queries", arguments: [true, false])
  func longSegments(isBranching: Bool) throws {
    var forests = Forests()
    let long = (0..<150).map { $0 % 7 == 3 ? Float($0 % 5) - 1.5 : 0 }
    let tree = PrefixTree([
      forests.segment([0] + long), forests.segment([], after: 0),
      forests.segment(long, after: isBranching ? 0 : 1), forests.segment([1, 0, 1], after: 2),
    ])
    try expectGradients(of: [tree], on: TinyModel.untied.decoder(), directions: 1) {
      $0.weightedLoss(of: [tree])
    }
  }

  @Test("So do those of a vocabulary that takes several chunks")
  func largeVocabulary() throws {
    // Six million logits at once are 31 rows of 200,000.
    let c = ModelConfiguration(
      vocabularySize: 200_000, hiddenSize: 4, intermediateSize: 5, layerCount: 1, headCount: 1,
      tiesEmbeddings: true)
    let decoder = TinyModel(testDescription: "large vocabulary", configuration: c).decoder()
    let tokens = (0..<70).map { ($0 * 7919) % c.vocabularySize }
    let tree = PrefixTree([Segment(tokens: tokens, weights: [0] + Array(repeating: 1, count: 69))])
    for rule in [LossRule.weighted, .example { $0.map { weighted($0, $1) } }] {
      try expectGradients(
        of: [tree], on: decoder, rule: rule, directions: 0,
        tensors: ["model.embed_tokens.weight", "model.layers.0.mlp.up_proj.weight"]
      ) { $0.weightedLoss(of: [tree]) }
    }
  }

  @Test("Weights of zero give loss zero and gradients of zero", arguments: TinyModel.all)
  func noWeights(model: TinyModel) {
    var forests = Forests()
    let decoder = model.decoder()
    let gradients = decoder.trainable.zeros()
    gradients.buffer.floats.update(repeating: 1)
    for trees in [[forests.unweighted(), forests.unweighted()], []] {
      let losses = Workers(count: 2).losses(of: trees, on: decoder, gradients: gradients)
      #expect(losses.map(\.loss) == trees.map { _ in 0 })
      #expect(losses.allSatisfy { $0.tokens.isEmpty })
      #expect(gradients.values.allSatisfy { $0 == 0 })
    }
  }

  @Test("Tokens after the last weighted one of their path change nothing, bit for bit")
  func tails() {
    let decoder = TinyModel.lowRank.decoder()
    for tree in Forests.all() {
      var longer = tree
      for index in tree.segments.indices
      where !tree.segments.contains(where: { $0.parent == index }) {
        longer.segments[index].tokens += [5, 3, 1]
        longer.segments[index].weights += [0, 0, 0]
      }
      longer.segments.append(Segment(context: [2, 4], parent: 0))
      let short = evaluate([tree], on: decoder, dropout: 0.3)
      let long = evaluate([longer], on: decoder, dropout: 0.3)
      #expect(short == long)
    }
  }

  @Test(
    "The number of workers and of tokens in a pass change losses and gradients by rounding only",
    arguments: [0, 0.2] as [Float], [1, 2, 3, 7])
  func workers(dropout: Float, count: Int) {
    let decoder = TinyModel.lowRank.decoder()
    let one = evaluate(Forests.all(), on: decoder, dropout: dropout)
    for tokensPerPass in [1, 30, 1000] {
      let many = evaluate(
        Forests.all(), on: decoder, dropout: dropout, workers: count, tokensPerPass: tokensPerPass)
      for (a, b) in zip(many.losses, one.losses) { #expect(abs(a - b) <= 1e-5 * max(1, abs(b))) }
      #expect(relativeError(many.gradients, one.gradients) < 1e-5)
    }
  }

  @Test("Losses are the same with gradients and without, and each tree's is its own")
  func withoutGradients() {
    let decoder = TinyModel.untied.decoder()
    let trees = Forests.all()
    let together = Workers(count: 1).losses(of: trees, on: decoder).map(\.loss)
    #expect(together == evaluate(trees, on: decoder).losses)
    for (tree, loss) in zip(trees, together) {
      let alone = Workers(count: 1).losses(of: [tree], on: decoder)[0]
      #expect(abs(alone.loss - loss) <= 1e-5 * max(1, abs(loss)))
      let parts = tree.segments.indices.reduce(0) { $0 + alone.loss(ofSegment: $1) }
      #expect(abs(parts - alone.loss) < 1e-12)
    }
  }
}

/// The gradients of losses whose weights depend on the model's own predictions.
@Suite struct LossRuleTests {
  @Test("A token weighted by its own probability has the gradient of a weight that stands still")
  func stoppedProbability() throws {
    let trees = Forests.all()
    let decoder = TinyModel.untied.decoder()
    let still = trees.flatMap(PlainDecoder(decoder).predictions(of:)).map {
      $0.weight * exp(-$0.negativeLogLikelihood)
    }
    let rule = LossRule.token { prediction, loss in
      let weight = prediction.weight * exp(-loss.negativeLogLikelihood)
      return WeightedLoss(
        value: weight * loss.negativeLogLikelihood, gradientWeight: weight)
    }
    try expectGradients(of: trees, on: decoder, rule: rule) { plain in
      zip(trees.flatMap(plain.predictions(of:)), still).reduce(0) {
        $0 + $1.1 * $1.0.negativeLogLikelihood
      }
    }
  }

  @Test("So has one weighted by its entropy")
  func stoppedEntropy() throws {
    let trees = Forests.all()
    let decoder = TinyModel.untied.decoder()
    let still = trees.flatMap(PlainDecoder(decoder).predictions(of:)).map { $0.weight * $0.entropy }
    let rule = LossRule.token(needs: .entropy) { prediction, loss in
      let weight = prediction.weight * loss.entropy
      return WeightedLoss(
        value: weight * loss.negativeLogLikelihood, gradientWeight: weight)
    }
    try expectGradients(of: trees, on: decoder, rule: rule) { plain in
      zip(trees.flatMap(plain.predictions(of:)), still).reduce(0) {
        $0 + $1.1 * $1.0.negativeLogLikelihood
      }
    }
  }

  @Test("Unlikelihood, -log(1 - p), has the gradient weight -p / (1 - p)", arguments: TinyModel.all)
  func unlikelihood(model: TinyModel) throws {
    let trees = Forests.all()
    let rule = LossRule.token { prediction, loss in
      let p = exp(-loss.negativeLogLikelihood)
      return WeightedLoss(
        value: -prediction.weight * log(1 - p), gradientWeight: -prediction.weight * p / (1 - p))
    }
    try expectGradients(of: trees, on: model.decoder(), rule: rule) { plain in
      trees.flatMap(plain.predictions(of:)).reduce(0) {
        $0 - $1.weight * log(1 - exp(-$1.negativeLogLikelihood))
      }
    }
  }

  @Test("A preference between two chains, -log σ(β Δ), has its gradient", arguments: TinyModel.all)
  func preference(model: TinyModel) throws {
    var forests = Forests()
    let trees = [forests.pair(), forests.pair(), forests.unweighted()]
    let beta = 0.1
    let rule = LossRule.example { tokens in
      let margin = tokens.reduce(0.0) {
        $0 + ($1.0.segment == 1 ? -1 : 1) * Double($1.1.negativeLogLikelihood)
      }
      let loss = log1p(exp(-beta * margin))
      let slope = beta / (1 + exp(beta * margin))
      return tokens.map { prediction, _ in
        WeightedLoss(
          value: Float(loss / Double(tokens.count)),
          gradientWeight: Float(prediction.segment == 1 ? slope : -slope))
      }
    }
    try expectGradients(of: trees, on: model.decoder(), rule: rule, workers: 2) { plain in
      trees.map(plain.predictions(of:)).filter { !$0.isEmpty }.reduce(0) { total, predictions in
        let margin = predictions.reduce(0) {
          $0 + ($1.segment == 1 ? -1 : 1) * $1.negativeLogLikelihood
        }
        return total + log1p(exp(-beta * margin))
      }
    }
  }

  @Test("The plain weights as a token's or an example's rule give the weighted loss, bit for bit")
  func weightedByRules() {
    let decoder = TinyModel.untied.decoder()
    let plain = evaluate(Forests.all(), on: decoder)
    for rule in [
      LossRule.token(weighted), .example { $0.map(weighted) },
    ] {
      let other = evaluate(Forests.all(), on: decoder, rule: rule)
      #expect(other == plain)
    }
  }
}

/// Dropout in the adapter's input.
@Suite struct DropoutTests {
  @Test("The gradient under dropout is that of the loss under the same masks")
  func gradients() {
    let decoder = TinyModel.lowRank.decoder()
    let trees = Forests.all()
    let gradients = evaluate(trees, on: decoder, dropout: 0.3).gradients
    for slot in decoder.trainable.slots {
      let range = slot.offset..<slot.offset + slot.count
      let gradient = gradients[range].map(Double.init)
      let norm = gradient.reduce(0) { $0 + $1 * $1 }.squareRoot()
      #expect(norm > 0, "\(slot.name)")
      let parameters = decoder.trainable[slot.name]
      let start = parameters.map(Double.init)
      // Token losses have 24 bits, so a step of h gives the slope to about 1e-6 / h.
      let slope = derivativeAtZero(step: 0.002) { t in
        for i in start.indices { parameters[i] = Float(start[i] + t * gradient[i] / norm) }
        return evaluate(trees, on: decoder, dropout: 0.3).losses.reduce(0, +)
      }
      for i in start.indices { parameters[i] = Float(start[i]) }
      #expect(abs(slope - norm) < 1e-3 * norm, "\(slot.name)")
    }
  }

  @Test("The same keys give the same masks, bit for bit, and other keys other ones")
  func keys() {
    let decoder = TinyModel.lowRank.decoder()
    let pair = { (key: UInt32) in
      var forests = Forests()
      return [forests.pair(dropoutKey: key)]
    }
    let first = evaluate(pair(1), on: decoder, dropout: 0.3)
    let again = evaluate(pair(1), on: decoder, dropout: 0.3)
    #expect(first == again)
    let losses = Set((0..<20).map { evaluate(pair($0), on: decoder, dropout: 0.3).losses[0] })
    #expect(losses.count == 20)
  }

  @Test("Two examples with the same tokens have masks of their own")
  func examples() {
    let decoder = TinyModel.lowRank.decoder()
    var forests = Forests()
    let tree = forests.pair(dropoutKey: 1)
    var other = tree
    other.dropoutKey = 2
    let losses = evaluate([tree, other, tree], on: decoder, dropout: 0.3).losses
    #expect(abs(losses[0] - losses[2]) < 1e-5)
    #expect(abs(losses[0] - losses[1]) > 1e-3)
  }

  @Test("No dropout is dropout of zero, and a model without an adapter knows none")
  func none() {
    let adapted = TinyModel.lowRank.decoder()
    let with = evaluate(Forests.all(), on: adapted, dropout: 0)
    let without = Workers(count: 1).losses(of: Forests.all(), on: adapted).map(\.loss)
    #expect(with.losses == without)
    let plain = TinyModel.untied.decoder()
    let dropped = evaluate(Forests.all(), on: plain, dropout: 0.3)
    let whole = evaluate(Forests.all(), on: plain)
    #expect(dropped == whole)
  }
}

private func weighted(_ prediction: Prediction, _ loss: TokenLoss) -> WeightedLoss {
  WeightedLoss(
    value: prediction.weight * loss.negativeLogLikelihood, gradientWeight: prediction.weight)
}

/// The loss of each tree, and the gradients of their sum.
private struct Evaluation: Equatable {
  var losses: [Double]
  var gradients: [Float]
}

private func evaluate(
  _ trees: [PrefixTree], on decoder: Decoder, rule: LossRule = .weighted, dropout: Float = 0,
  workers: Int = 1, tokensPerPass: Int = 512
) -> Evaluation {
  let gradients = decoder.trainable.zeros()
  let losses = Workers(count: workers, tokensPerPass: tokensPerPass).losses(
    of: trees, on: decoder, rule: rule, dropout: dropout, gradients: gradients)
  return Evaluation(losses: losses.map(\.loss), gradients: gradients.values)
}

/// Expects the engine's loss to be `loss` of the plain decoder, and its gradient in every trained
/// tensor to agree with the central difference of `loss` along that gradient itself, which holds
/// its length, and along random directions, which hold its direction.
private func expectGradients(
  of trees: [PrefixTree], on decoder: Decoder, rule: LossRule = .weighted, workers: Int = 1,
  tokensPerPass: Int = 512, directions: Int = 3, expectsAll: Bool = false, tensors: [String]? = nil,
  sourceLocation: SourceLocation = #_sourceLocation, equal loss: (PlainDecoder) -> Double
) throws {
  let found = evaluate(
    trees, on: decoder, rule: rule, workers: workers, tokensPerPass: tokensPerPass)
  let plain = PlainDecoder(decoder)
  let expected = loss(plain)
  #expect(
    abs(found.losses.reduce(0, +) - expected) <= 1e-5 * max(1, abs(expected)),
    sourceLocation: sourceLocation)
  var generator = SeededGenerator(seed: 3, stream: "directions")
  for slot in decoder.trainable.slots where tensors?.contains(slot.name) ?? true {
    let gradient = found.gradients[slot.offset..<slot.offset + slot.count].map(Double.init)
    let norm = gradient.reduce(0) { $0 + $1 * $1 }.squareRoot()
    if expectsAll { #expect(norm > 0, "\(slot.name)", sourceLocation: sourceLocation) }
    let start = try #require(plain.parameters[slot.name])
    let random = (0..<directions).map { _ in start.map { _ in generator.normal() } }
    for (index, direction) in ([gradient] + random).enumerated() {
      let length = direction.reduce(0) { $0 + $1 * $1 }.squareRoot()
      guard length > 0 else { continue }
      var moved = plain
      let slope = derivativeAtZero(step: 1e-4) { t in
        moved.parameters[slot.name] = zip(start, direction).map { $0 + t * $1 / length }
        return loss(moved)
      }
      let projected = zip(gradient, direction).reduce(0) { $0 + $1.0 * $1.1 } / length
      #expect(
        abs(projected - slope) <= 2e-5 * norm + 1e-7, "\(slot.name), direction \(index)",
        sourceLocation: sourceLocation)
    }
  }
}
