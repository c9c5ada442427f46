/// The name of a metric, as CSV files have it.
public struct MetricName: Hashable, Sendable, CustomStringConvertible {
  public let rawValue: String

  public init(_ rawValue: String) { self.rawValue = rawValue }

  public var description: String { rawValue }

  /// The mean of this metric over tasks, each with equal weight: `macro_accuracy`.
  public var macro: MetricName { MetricName("macro_\(rawValue)") }
}

/// What a metric is measured in.
public enum MetricUnit: String, Sendable, CaseIterable {
  /// Of 1; reports show per cent.
  case fraction
  case nats
  case pairs
  case questions
  case steps
  case tokensPerSecond = "tokens/s"
  case directions
  case ratio
  /// That of a model's weights.
  case weight
}

/// The metrics of distillation experiments.
extension MetricName {
  // MARK: Scores of a split

  /// Fraction of questions that are answered correctly.
  public static let accuracy = MetricName("accuracy")
  /// Fraction of responses without an answer; they count as wrong.
  public static let unparsed = MetricName("unparsed")
  /// Fraction of the steps of responses that are right; see `StepCorrectness`.
  public static let stepAccuracy = MetricName("step_accuracy")
  /// Accuracy of each task's most frequent gold answer.
  public static let majorityBaseline = MetricName("majority_baseline")
  /// Questions whose gold answer was taken from the chosen chain.
  public static let derivedGoldAnswers = MetricName("derived_gold_answers")
  /// Fraction of dual pairs whose chosen chain has the higher mean log-likelihood.
  public static let pairwiseAccuracy = MetricName("pairwise_accuracy")
  /// Fraction of the chosen chains' key tokens that are the most likely token (top-1).
  public static let keyTokenAccuracy = MetricName("key_token_accuracy")
  /// Mean -log p of the chosen chains' key tokens.
  public static let keyTokenNLL = MetricName("key_token_nll")
  /// Mean -log p of the chosen chains' other tokens.
  public static let otherTokenNLL = MetricName("other_token_nll")

  // MARK: Training

  /// Loss of a stage's first and last step, before its update.
  public static func firstLoss(_ stage: String) -> MetricName { of(stage, "first_loss") }
  public static func lastLoss(_ stage: String) -> MetricName { of(stage, "last_loss") }
  /// Mean over a stage's steps of the gradient's norm before clipping.
  public static func meanGradientNorm(_ stage: String) -> MetricName {
    of(stage, "mean_gradient_norm")
  }
  /// Mean -log p a token of the chosen responses' weighted tokens over a stage's first ten steps, and over about its
  /// last ten.
  public static func firstChosenNLL(_ stage: String) -> MetricName {
    of(stage, "first_chosen_nll")
  }
  public static func lastChosenNLL(_ stage: String) -> MetricName { of(stage, "last_chosen_nll") }
  /// The step, counted from 1, at which the chosen responses had become a nat a token less likely.
  public static func chosenCollapse(_ stage: String) -> MetricName {
    of(stage, "chosen_collapse_step")
  }
  /// Steps of a stage that changed nothing, since their loss or gradient was not finite.
  public static func skippedSteps(_ stage: String) -> MetricName { of(stage, "skipped_steps") }
  /// Tokens of the sequences that a stage trained on, each counted whole, per second.
  public static func speed(_ stage: String) -> MetricName { of(stage, "speed") }
  /// Norm of the gradient of the tokens with positive, and of those with negative weight; `when` is
  /// `first` or `last`.
  public static func chosenGradientNorm(_ stage: String, _ when: String) -> MetricName {
    of(stage, "\(when)_chosen_gradient_norm")
  }
  public static func rejectedGradientNorm(_ stage: String, _ when: String) -> MetricName {
    of(stage, "\(when)_rejected_gradient_norm")
  }
  /// The pairs of stage 2, and the mean fraction of key tokens in them.
  public static let stage2Pairs = of("stage 2", "pairs")
  public static let stage2KeyTokens = of("stage 2", "key_tokens")

  // MARK: Key tokens and marked mistakes, of the pairs' rejected responses

  /// Key tokens of all tokens.
  public static let keyTokens = MetricName("key_tokens")
  /// Of the key tokens those before, in and after the step in which the mistake is marked.
  public static let keyTokensBeforeMistake = MetricName("key_tokens_before_mistake")
  public static let keyTokensInMistake = MetricName("key_tokens_in_mistake")
  public static let keyTokensAfterMistake = MetricName("key_tokens_after_mistake")
  /// The same of all tokens: what key tokens at random places would have.
  public static let tokensBeforeMistake = MetricName("tokens_before_mistake")
  public static let tokensInMistake = MetricName("tokens_in_mistake")
  public static let tokensAfterMistake = MetricName("tokens_after_mistake")
  /// Of the marked steps' tokens those that are key tokens.
  public static let mistakeTokensFound = MetricName("mistake_tokens_found")
  /// Fraction of the pairs with a key token in the marked step, and of those whose first key token stands there.
  public static let mistakeRecall = MetricName("mistake_recall")
  public static let firstRunInMistake = MetricName("first_run_in_mistake")

  /// Fraction of the rejected responses' tokens that stage 2 pushes down.
  public static let rejectedTokens = of("stage 2", "rejected_tokens")

  private static func of(_ stage: String, _ name: String) -> MetricName {
    MetricName("\(stage.replacing(" ", with: ""))_\(name)")
  }

  // MARK: Adapters

  public static let effectiveRank = MetricName("effective_rank")
  public static let stableRank = MetricName("stable_rank")
  /// Norm of an update over that of the weight.
  public static let updateOverWeight = MetricName("update_over_weight")
  /// Overlap of an update's singular directions with those of stage 1's update.
  public static let outputOverlap = MetricName("output_overlap_with_stage1")
  public static let inputOverlap = MetricName("input_overlap_with_stage1")
  public static let singularValues = MetricName("singular_values")
}

/// Names in files that were written before the present ones.
extension MetricName {
  /// The metric and group that `text` names. Earlier files have the group in the name: `accuracy: arithmetic`.
  static func read(_ text: String, group: String) -> (name: MetricName, group: String) {
    if let name = earlier[text] { return (name, group) }
    let parts = text.split(separator: ": ", maxSplits: 1).map(String.init)
    if group.isEmpty, parts.count == 2 {
      return (earlier[parts[0]] ?? MetricName(parts[0]), parts[1])
    }
    return (MetricName(text), group)
  }

  private static let earlier: [String: MetricName] = {
    var names: [String: MetricName] = [
      "guessing floor": .majorityBaseline, "prefers right chain": .pairwiseAccuracy,
      "key tokens top-1": .keyTokenAccuracy, "key tokens -log p": .keyTokenNLL,
      "other tokens -log p": .otherTokenNLL, "stage 2 pairs": .stage2Pairs,
      "stage 2 key tokens": .stage2KeyTokens, "effective rank": .effectiveRank,
      "stable rank": .stableRank, "update over weight": .updateOverWeight,
      "overlap with stage 1, outputs": .outputOverlap,
      "overlap with stage 1, inputs": .inputOverlap, "singular values": .singularValues,
    ]
    let stage = "stage 2"
    names["\(stage) first loss"] = firstLoss(stage)
    names["\(stage) last loss"] = lastLoss(stage)
    names["\(stage) mean gradient norm"] = meanGradientNorm(stage)
    names["\(stage) speed"] = speed(stage)
    for when in ["first", "last"] {
      names["\(stage) \(when) gradient norm, right tokens"] = chosenGradientNorm(stage, when)
      names["\(stage) \(when) gradient norm, wrong tokens"] = rejectedGradientNorm(stage, when)
    }
    return names
  }()
}

extension MetricUnit {
  /// The unit that `text` names, as present or earlier files have it; nil for another one.
  static func read(_ text: String) -> MetricUnit? {
    switch text {
    case "share": .fraction
    case "useful tokens/s": .tokensPerSecond
    default: MetricUnit(rawValue: text)
    }
  }
}
