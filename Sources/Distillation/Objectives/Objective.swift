import LanguageModel

/// One example as an objective trains it: the weight of each token.
public struct TrainingExample: Sendable {
  /// Names it in messages.
  public var id: String
  /// Its segments; weights already divided by the example's own divisor.
  public var tree: PrefixTree
  /// Tokens of its sequences, each counted whole, however little of them is computed.
  public var usefulTokens: Int

  public init(id: String, tree: PrefixTree, usefulTokens: Int) {
    self.id = id
    self.tree = tree
    self.usefulTokens = usefulTokens
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

  public init(
    examples: [TrainingExample], rule: LossRule = .weighted, usesDropout: Bool = true
  ) {
    self.examples = examples
    self.rule = rule
    self.usesDropout = usesDropout
  }

  /// The same trained with dropout off.
  var withoutDropout: Objective {
    Objective(examples: examples, rule: rule, usesDropout: false)
  }
}
