import Distillation
import KeySteps
import LanguageModel
import Randomness
import Testing

/// Weights against those worked out by hand; `prompt` 1 2, the responses part after their first
/// token.
@Suite struct ObjectiveTests {
  static let pair = TokenizedPair(
    id: "pair", prompt: [1, 2], chosen: [5, 6, 7, 0], rejected: [5, 8, 7, 0, 9, 0])

  @Test("A chain's tokens each weigh one over their number, end of sequence included")
  func chain() {
    let chain = TokenizedChain(id: "chain", prompt: [1, 2], response: [5, 6, 7, 0])
    let example = Objective.chainsOfThought([chain]).examples[0]
    #expect(example.usefulTokens == 6)
    #expect(example.tree.segments.map(\.tokens) == [[1, 2], [5, 6, 7, 0]])
    #expect(example.tree.segments.map(\.weights) == [[0, 0], [0.25, 0.25, 0.25, 0.25]])
  }

  @Test("Key tokens weigh α and β, the right side's others γ, each over its own side's length")
  func keySteps() {
    let weights = KeyStepWeights(alpha: 2, beta: -0.5, gamma: 0.25)
    let example = Objective.keySteps([Self.pair], weights: weights).examples[0]
    #expect(example.usefulTokens == 14)
    let segments = example.tree.segments
    #expect(segments.map(\.tokens) == [[1, 2, 5], [6, 7, 0], [8, 7, 0, 9, 0]])
    #expect(segments.map(\.parent) == [nil, 0, 0])
    // Right key token: 6, which 8 replaces. Wrong ones: 8, and of its two ends the tie takes the later.
    #expect(segments[0].weights == [0, 0, 0.0625])
    #expect(segments[1].weights == [0.5, 0.0625, 0.0625])
    let rejected: Float = -0.5 / 6
    #expect(segments[2].weights == [rejected, 0, 0, rejected, rejected])
  }

  @Test("Random positions carry as many weights as the key tokens, drawn from the seed alone")
  func randomPositions() {
    let pair = TokenizedPair(
      id: "long", prompt: [1], chosen: Array(10..<60), rejected: Array(10..<30) + Array(70..<100))
    let weights = KeyStepWeights(alpha: 1, beta: -0.5, gamma: 0)
    func sums(_ objective: Objective) -> [Float: Int] {
      objective.examples[0].tree.segments.flatMap(\.weights).reduce(into: [:]) {
        $0[$1, default: 0] += 1
      }
    }
    func drawn(_ seed: UInt64) -> Objective {
      var generator = SeededGenerator(seed: seed, stream: "random positions")
      return .randomPositions([pair], weights: weights, using: &generator)
    }
    let key = Objective.keySteps([pair], weights: weights)
    let keyCounts = sums(key)
    let rightKeys = keyCounts[1.0 / 50] ?? 0
    #expect(rightKeys > 0)
    let tree = drawn(1).examples[0].tree
    let chosen = tree.segments[0].weights.dropFirst() + tree.segments[1].weights
    // On the shared start a token may carry the weights of both sides.
    #expect(chosen.filter { $0 > 0 }.count == rightKeys)
    #expect(drawn(1).examples[0].tree == tree)
    #expect(drawn(2).examples[0].tree != tree)
    #expect(drawn(1).examples[0].tree != key.examples[0].tree)
  }

  @Test("The guard lets a wrong token be that is unlikely already, and never a right one")
  func guardRule() throws {
    let objective = Objective.keySteps([Self.pair], guardThreshold: 3)
    guard case .token(_, let share) = objective.rule else {
      Issue.record("the guard looks at one token at a time")
      return
    }
    func weight(_ weight: Float, _ nll: Float) -> WeightedLoss {
      share(
        Prediction(tree: 0, segment: 2, index: 0, weight: weight),
        TokenLoss(negativeLogLikelihood: nll, top: 0))
    }
    #expect(weight(-0.5, 2.9) == WeightedLoss(value: -1.45, gradientWeight: -0.5))
    #expect(weight(-0.5, 3.1) == WeightedLoss(value: 0, gradientWeight: 0))
    #expect(weight(0.5, 3.1) == WeightedLoss(value: 0.5 * 3.1, gradientWeight: 0.5))
  }

  @Test("Only the first divergent run of the wrong side is weighted where that is asked for")
  func firstRun() {
    let objective = Objective.keySteps(
      [Self.pair], weights: KeyStepWeights(alpha: 1, beta: -1, gamma: 0),
      choice: KeyTokenChoice(onlyFirstRejectedRun: true))
    #expect(objective.examples[0].tree.segments[2].weights == [Float(-1) / 6, 0, 0, 0, 0])
  }
}
