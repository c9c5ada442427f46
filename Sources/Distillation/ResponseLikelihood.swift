import LanguageModel

/// Mean -log p, in nats a token, of the tokens of a step that have a weight, by the response they belong to. Tokens
/// of the start that both responses share count as chosen ones.
public struct ResponseLikelihood: Sendable, Hashable {
  /// Nil where no token of such a response has a weight.
  public var chosen: Double?
  public var rejected: Double?

  init(_ examples: [TrainingExample], _ losses: [ExampleLoss]) {
    var (chosen, rejected) = ((sum: 0.0, count: 0), (sum: 0.0, count: 0))
    for (example, loss) in zip(examples, losses) {
      for token in loss.tokens where token.prediction.weight != 0 {
        let value = Double(token.loss.negativeLogLikelihood)
        if example.rejectedSegments.contains(token.prediction.segment) {
          rejected = (rejected.sum + value, rejected.count + 1)
        } else {
          chosen = (chosen.sum + value, chosen.count + 1)
        }
      }
    }
    self.chosen = chosen.count == 0 ? nil : chosen.sum / Double(chosen.count)
    self.rejected = rejected.count == 0 ? nil : rejected.sum / Double(rejected.count)
  }
}

/// How -log p of the chosen responses moves over a run.
///
/// Negative weights on rejected responses can make the chosen ones unlikely too, while the loss goes on falling
/// (Razin et al., 2410.08847). It is called a collapse when the mean of about the last ten steps is a nat a token
/// above that of the first ten: chosen tokens are then e times as unlikely as they were.
public struct ChosenTrend: Sendable, Hashable {
  static let window = 10
  static let margin = 1.0

  /// Steps with a chosen token that has a weight.
  public var steps = 0
  /// The sum of their values, up to `window`.
  public var firstSum = 0.0
  /// The exponential mean with weight 1 / `window` on the newest.
  public var recent = 0.0
  /// The step, counted from 0, at which the collapse was seen; nil where there is none.
  public var collapse: Int?

  /// The mean of the first steps; nil before there is one.
  public var first: Double? {
    steps == 0 ? nil : firstSum / Double(min(steps, Self.window))
  }

  mutating func add(_ value: Double, step: Int) {
    steps += 1
    if steps <= Self.window { firstSum += value }
    recent += (value - recent) / Double(min(steps, Self.window))
    if collapse == nil, steps >= 2 * Self.window, let first, recent > first + Self.margin {
      collapse = step
    }
  }
}
