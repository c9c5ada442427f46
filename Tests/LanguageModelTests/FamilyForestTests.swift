import Checkpoints
import LanguageModel
import TestSupport
import Testing

/// Prefix trees of every family against their paths as plain sequences, which `DecoderGoldenTests`
/// compares with Transformers.
@Suite struct FamilyForestTests {
  static let models = Architecture.allCases.map { architecture in
    var c = ModelConfiguration(
      architecture: architecture, vocabularySize: TinyModel.vocabularySize, hiddenSize: 15,
      intermediateSize: 17, layerCount: 3, headCount: 4, keyValueHeadCount: 2, headDimension: 6,
      ropeTheta: 100, maximumPositions: 320, slidingWindow: 9, tiesEmbeddings: true)
    if [.llama, .olmo2, .granite].contains(architecture) {
      c.slidingWindow = nil
      c.slidingLayers = []
    }
    switch architecture {
    case .smollm3:
      c.layersWithoutRope = [1]
      c.slidingLayers = [1]
    case .granite:
      (c.embeddingMultiplier, c.attentionMultiplier) = (2.5, 0.3)
      (c.residualMultiplier, c.logitsScaling) = (0.7, 1.7)
    case .gemma2:
      (c.attentionSoftcap, c.logitSoftcap, c.embeddingMultiplier) = (2, 4, 1.5)
    case .gemma3:
      (c.localRopeTheta, c.slidingLayers) = (30, [0, 2])
    default: break
    }
    return TinyModel(testDescription: architecture.rawValue, configuration: c)
  }

  @Test(
    "A forest has the losses and gradients of its paths as sequences of their own",
    arguments: models)
  func paths(model: TinyModel) {
    let decoder = model.decoder()
    // Longer than a block of queries, with branches whose windows reach into their ancestors.
    var forests = Forests()
    let long = (0..<150).map { $0 % 7 == 3 ? Float($0 % 5) - 1.5 : 0 }
    let trees =
      Forests.all() + [
        PrefixTree([
          forests.segment([0] + long), forests.segment([], after: 0),
          forests.segment(long, after: 0), forests.segment([1, 0, 1], after: 2),
          forests.segment([0.5, -1, 1], after: 0),
        ])
      ]
    let paths = trees.flatMap(Self.paths(of:))
    let gradients = (decoder.trainable.zeros(), decoder.trainable.zeros())
    let together = Workers(count: 2).losses(of: trees, on: decoder, gradients: gradients.0)
    let apart = Workers(count: 2).losses(of: paths, on: decoder, gradients: gradients.1)
    let (a, b) = (together.reduce(0) { $0 + $1.loss }, apart.reduce(0) { $0 + $1.loss })
    #expect(abs(a - b) <= 1e-5 * max(1, abs(b)))
    for slot in gradients.0.slots {
      #expect(relativeError(gradients.0[slot.name], gradients.1[slot.name]) < 2e-5, "\(slot.name)")
    }
  }

  /// Each root-to-leaf path as a tree of one segment. The weights of shared tokens go to the first path.
  private static func paths(of tree: PrefixTree) -> [PrefixTree] {
    var counted: Set<Int> = []
    let leaves = tree.segments.indices.filter { index in
      !tree.segments.contains { $0.parent == index }
    }
    return leaves.map { leaf in
      var chain: [Int] = []
      var next: Int? = leaf
      while let index = next {
        chain.insert(index, at: 0)
        next = tree.segments[index].parent
      }
      let segments = chain.map { (index: $0, segment: tree.segments[$0]) }
      return PrefixTree([
        Segment(
          tokens: segments.flatMap(\.segment.tokens),
          weights: segments.flatMap { index, segment in
            counted.insert(index).inserted
              ? segment.weights : Array(repeating: 0, count: segment.weights.count)
          })
      ])
    }
  }
}
