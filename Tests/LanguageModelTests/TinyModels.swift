import Checkpoints
import LanguageModel
import Randomness
import TestSupport
import Testing

/// A model small enough to differentiate by hand: each shape is another, and every size is odd
/// where it may be.
struct TinyModel: CustomTestStringConvertible {
  let testDescription: String
  var configuration: ModelConfiguration
  var lowRank: LowRankConfiguration?

  static let vocabularySize = 23

  private static func configuration(
    _ architecture: Architecture = .llama, heads: Int = 4, keyValueHeads: Int = 2,
    scaling: RopeScaling? = nil, ties: Bool
  ) -> ModelConfiguration {
    ModelConfiguration(
      architecture: architecture, vocabularySize: vocabularySize, hiddenSize: 15,
      intermediateSize: 17, layerCount: 2, headCount: heads, keyValueHeadCount: keyValueHeads,
      headDimension: 6, ropeTheta: 100, ropeScaling: scaling, maximumPositions: 320,
      tiesEmbeddings: ties)
  }

  static let untied = TinyModel(
    testDescription: "untied", configuration: configuration(ties: false))
  static let lowRank = TinyModel(
    testDescription: "LoRA on all seven projections", configuration: configuration(ties: false),
    lowRank: LowRankConfiguration(
      rank: 3, alpha: 4.5, dropout: 0, targets: Architecture.llama.family.projections)
  )
  static let all = [
    untied,
    TinyModel(
      testDescription: "tied, linear rotary scaling",
      configuration: configuration(keyValueHeads: 4, scaling: .linear(factor: 2.5), ties: true)),
    TinyModel(
      testDescription: "qwen2 with biases, one key-value head",
      configuration: configuration(.qwen2, heads: 3, keyValueHeads: 1, ties: true)),
    TinyModel(
      testDescription: "qwen3 with norms of heads",
      configuration: configuration(.qwen3, heads: 4, keyValueHeads: 2, ties: true)),
    TinyModel(
      testDescription: "Llama-3 rotary scaling",
      configuration: configuration(
        scaling: .llama3(
          factor: 8, lowFrequencyFactor: 1, highFrequencyFactor: 4, originalMaximumPositions: 64),
        ties: false)),
    lowRank,
    TinyModel(
      testDescription: "LoRA on key and down projections", configuration: configuration(ties: true),
      lowRank: LowRankConfiguration(rank: 2, alpha: 4, dropout: 0, targets: [.key, .down])),
  ]

  /// The model with noise in every parameter: norms about one, biases and low-rank factors too.
  func decoder(seed: UInt64 = 20_240_530) -> Decoder {
    var generator = SeededGenerator(seed: seed, stream: "initialisation")
    let parameters = ParameterStore(configuration.tensorShapes)
    fill(parameters, &generator)
    let decoder = Decoder(configuration, parameters: parameters)
    guard let lowRank else { return decoder }
    let adapter = LowRankAdapter(empty: lowRank, for: configuration)
    fill(adapter.parameters, &generator)
    return decoder.adapted(by: adapter)
  }

  private func fill(_ store: ParameterStore, _ generator: inout SeededGenerator) {
    for slot in store.slots {
      let values = store[slot.name]
      let isNorm = slot.name.hasSuffix("norm.weight")
      let gain = slot.name.contains("lora") ? 0.7 : 1.2
      let deviation =
        slot.shape.count == 1 || slot.name.contains("embed")
        ? 0.4 : gain / Double(slot.shape[1]).squareRoot()
      for i in values.indices {
        values[i] = Float((isNorm ? 1 : 0) + deviation * generator.normal())
      }
    }
    withExtendedLifetime(store) {}
  }
}

extension ParameterStore {
  /// A copy of all its floats.
  var values: [Float] { withExtendedLifetime(self) { Array(buffer.floats) } }

  /// A copy of the floats of the tensor called `name`.
  func values(_ name: String) -> [Float] { withExtendedLifetime(self) { Array(self[name]) } }
}

extension PlainDecoder {
  /// The same model, its parameters and its adapter's widened to Double.
  init(_ decoder: Decoder) {
    let c = decoder.configuration
    let scaling: RopeScaling? =
      switch c.ropeScaling {
      case nil: nil
      case .linear(let factor): .linear(factor: factor)
      case .yarn, .dynamic: preconditionFailure("the plain decoder has no such scaling")
      case .llama3(let factor, let low, let high, let original):
        .llama3(factor: factor, low: low, high: high, originalPositions: Double(original))
      }
    var parameters: [String: [Double]] = [:]
    for store in [decoder.parameters, decoder.adapter?.parameters].compactMap({ $0 }) {
      for slot in store.slots { parameters[slot.name] = store.values(slot.name).map(Double.init) }
    }
    self.init(
      layers: c.layerCount, heads: c.headCount, keyValueHeads: c.keyValueHeadCount,
      headDimension: c.headDimension, epsilon: Double(c.rmsNormEpsilon), ropeTheta: c.ropeTheta,
      ropeScaling: scaling,
      lowRankScale: decoder.adapter.map { Double($0.configuration.scale) } ?? 0,
      parameters: parameters)
  }

  /// The weighted tokens of `tree` in the order of its segments, each predicted in the plain
  /// sequence from its root to itself.
  func predictions(of tree: PrefixTree) -> [PlainPrediction] {
    var paths: [[Int]] = []
    return tree.segments.enumerated().flatMap { index, segment in
      let above = segment.parent.map { paths[$0] } ?? []
      paths.append(above + segment.tokens)
      guard segment.weights.contains(where: { $0 != 0 }) else { return [PlainPrediction]() }
      let predictions = predictions(of: paths[index])
      return segment.weights.enumerated().filter { $0.element != 0 }.map { i, weight in
        let (negativeLogLikelihood, entropy) = predictions[above.count + i - 1]
        return PlainPrediction(
          segment: index, weight: Double(weight), negativeLogLikelihood: negativeLogLikelihood,
          entropy: entropy)
      }
    }
  }

  /// Σ weight · -log p over all trees.
  func weightedLoss(of trees: [PrefixTree]) -> Double {
    trees.flatMap(predictions(of:)).reduce(0) { $0 + $1.weight * $1.negativeLogLikelihood }
  }
}

struct PlainPrediction {
  var segment: Int
  var weight: Double
  var negativeLogLikelihood: Double
  var entropy: Double
}

/// Trees of random tokens whose shape and weights are written out.
struct Forests {
  private var generator: SeededGenerator

  init(seed: UInt64 = 7) { generator = SeededGenerator(seed: seed, stream: "tokens") }

  /// A segment with one random token for each weight.
  mutating func segment(_ weights: [Float], after parent: Int? = nil) -> Segment {
    Segment(
      tokens: weights.map { _ in generator.index(below: TinyModel.vocabularySize) }, parent: parent,
      weights: weights)
  }

  /// Two levels of branches: weights at the root and on children's first tokens, an empty segment
  /// between a child and a grandchild, a segment without weight that is continued and one that is
  /// not, tails behind the last weight, segments of one token, negative weights.
  mutating func branching(dropoutKey: UInt32 = 1) -> PrefixTree {
    PrefixTree(
      [
        segment([0, 0.5, 0, 1.25, 0]),
        segment([0.75, 0, -0.5, 1], after: 0),
        segment([1, 0.25, 0, 0, 0], after: 0),
        segment([], after: 1),
        segment([0.5, 1, 0, 0], after: 3),
        segment([0, 0, 0], after: 2),
        segment([1.5], after: 2),
        segment([0, 0], after: 1),
        segment([-0.025, 0.5], after: 7),
        segment([2], after: 8),
      ], dropoutKey: dropoutKey)
  }

  /// A plain sequence with a tail that nothing depends on.
  mutating func sequence(dropoutKey: UInt32 = 2) -> PrefixTree {
    PrefixTree(
      [segment([0, 0, 0, 0]), segment([1, 0, 0.5, 0, 0.25, 0, 0], after: 0)],
      dropoutKey: dropoutKey)
  }

  /// Two roots, each with something to predict, and a root of a single token.
  mutating func roots(dropoutKey: UInt32 = 3) -> PrefixTree {
    PrefixTree(
      [segment([0, 1, 1]), segment([0]), segment([0]), segment([1, -1], after: 2)],
      dropoutKey: dropoutKey)
  }

  /// A dual pair: a prompt, and two responses that differ from their first tokens on.
  mutating func pair(dropoutKey: UInt32 = 4) -> PrefixTree {
    PrefixTree(
      [
        segment([0, 0, 0, 0, 0, 0]), segment([1, 1, 1, 1, 1], after: 0),
        segment([1, 1, 1], after: 0),
      ], dropoutKey: dropoutKey)
  }

  /// Nothing to predict at all.
  mutating func unweighted() -> PrefixTree {
    PrefixTree([segment([0, 0, 0]), segment([0, 0], after: 0), segment([], after: 0)])
  }

  /// All of them at once.
  static func all() -> [PrefixTree] {
    var forests = Forests()
    return [
      forests.branching(), forests.unweighted(), forests.sequence(), forests.roots(),
      forests.pair(),
    ]
  }
}
