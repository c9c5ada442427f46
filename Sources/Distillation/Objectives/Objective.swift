import LanguageModel

/// One example as an objective trains it: the weight of each token.
public struct TrainingExample: Sendable {
  /// Names it in messages.
  public var id: String
  /// Its segments; weights already divided by the example's own divisor.
  public var tree: PrefixTree
  /// Tokens of its sequences, each counted whole, however little of them is computed.
  public var usefulTokens: Int
  /// The segments of each of its parts, such as rationale and answer: a part's weights are one weight
  /// over the number of its weighted tokens. Empty where the loss is no such mean.
  public var parts: [[Int]]
  /// The segments of a response that is to become less likely.
  public var rejectedSegments: Set<Int> = []

  public init(id: String, tree: PrefixTree, usefulTokens: Int, parts: [[Int]] = []) {
    self.id = id
    self.tree = tree
    self.usefulTokens = usefulTokens
    self.parts = parts
  }

  /// How many tokens of a part have a weight.
  fileprivate func tokenCount(ofPart part: Int) -> Int {
    parts[part].reduce(0) { $0 + tree.segments[$1].weights.count { $0 != 0 } }
  }

  fileprivate mutating func scale(part: Int, by factor: Float) {
    for segment in parts[part] {
      tree.segments[segment].weights = tree.segments[segment].weights.map { $0 * factor }
    }
  }
}

/// What is trained: examples, and how the losses of their tokens make the loss.
///
/// A distillation method is a function that returns one of these; the training loop is the same for
/// all.
public struct Objective: Sendable {
  public var examples: [TrainingExample]
  public var rule: LossRule
  /// Whether an adapter's dropout is on while this is trained.
  public var usesDropout: Bool
  /// The examples of a step whose tokens are averaged together, part by part; the loss is the mean over
  /// such groups. With 1, each example's tokens are averaged by themselves.
  ///
  /// Precondition: where it is above 1, all examples have the same parts.
  public var examplesPerMean = 1
  /// Whether each token's reference is the loss that its example had in the epoch before, Σ weight · -log p; below 0 in
  /// the first epoch.
  public var comparesWithEpochBefore = false

  public init(
    examples: [TrainingExample], rule: LossRule = .weighted, usesDropout: Bool = true
  ) {
    self.examples = examples
    self.rule = rule
    self.usesDropout = usesDropout
  }

  /// Whether some token of an example has a weight, or a loss that is compared with a reference model's.
  public var hasWeights: Bool {
    examples.contains { example in
      example.tree.segments.contains { $0.weights.contains { $0 != 0 } }
    }
  }

  /// The same trained with dropout off.
  var withoutDropout: Objective {
    var objective = self
    objective.usesDropout = false
    return objective
  }

  /// The examples of one step with the weights that make their summed loss over `means` the step's
  /// loss:
  ///
  ///     L = 1/G Σ_g Σ_k λ_k (Σ_{i in g} Σ_t -log p(x_ikt)) / (Σ_{i in g} n_ik)
  ///
  /// G groups g of `examplesPerMean` examples in their order, the last one maybe smaller; k the parts
  /// with their weights λ_k, n_ik the tokens of part k of example i. An example's own weights, λ_k /
  /// n_ik, are multiplied by n_ik over its group's tokens. With one example in a group that is 1, and
  /// `means` counts examples.
  package func averaged(_ examples: [TrainingExample]) -> (examples: [TrainingExample], means: Int)
  {
    guard examplesPerMean > 1 else { return (examples, examples.count) }
    var averaged = examples
    var means = 0
    for start in stride(from: 0, to: examples.count, by: examplesPerMean) {
      let group = start..<min(start + examplesPerMean, examples.count)
      means += 1
      for part in examples[start].parts.indices {
        let counts = group.map { examples[$0].tokenCount(ofPart: part) }
        let total = counts.reduce(0, +)
        for (index, count) in zip(group, counts) where count > 0 {
          averaged[index].scale(part: part, by: Float(count) / Float(total))
        }
      }
    }
    return (averaged, means)
  }
}
