import Foundation

extension Estimate {
  /// Macro accuracy: the mean of the tasks' accuracies, whatever their sizes, with an interval put together from
  /// their Wilson intervals [l_g, u_g].
  ///
  ///     p = mean p_g,   low = p - √(Σ (p_g - l_g)²) / G,   high = p + √(Σ (u_g - p_g)²) / G
  ///
  /// One task gives Wilson's own interval; it keeps a width where all answers are right. Tasks without questions are
  /// left out; without any question it is NaN in 0 ... 1. `count` counts the questions.
  ///
  /// Source: Zou and Donner, "Construction of confidence limits about effect measures: a general approach",
  /// Statistics in Medicine 27, 2008.
  public static func macroAccuracy(_ tasks: [[Bool]], level: Double = 0.95) -> Estimate {
    macroAccuracy(
      ofTasks: tasks.filter { !$0.isEmpty }.map { task in
        share(task.count { $0 }, of: task.count, level: level)
      })
  }

  /// Macro accuracy of the tasks' own accuracies with their intervals.
  public static func macroAccuracy(ofTasks shares: [Estimate]) -> Estimate {
    guard !shares.isEmpty else { return share(0, of: 0) }
    let value = shares.map(\.value).mean
    let count = Double(shares.count)
    let below = shares.reduce(0) { $0 + pow($1.value - $1.low, 2) }.squareRoot() / count
    let above = shares.reduce(0) { $0 + pow($1.high - $1.value, 2) }.squareRoot() / count
    return Estimate(
      value: value, low: max(0, value - below), high: min(1, value + above),
      count: shares.reduce(0) { $0 + $1.count })
  }

  /// How far seeds agree on single answers: the probability that two different seeds give the same answer to a
  /// question, averaged over the questions, with a t interval over them.
  ///
  ///     mean over questions of Σ_a c_a (c_a - 1) / (S (S - 1)),   c_a of the S seeds answering a
  ///
  /// `count` counts the questions. With fewer than two seeds, or no question, it is NaN in 0 ... 1.
  ///
  /// - Parameter answers: seeds × questions; whatever is to be the same: the answer's text, or whether it was right.
  ///
  /// Source: the observed agreement of Fleiss, "Measuring nominal scale agreement among many raters", Psychological
  /// Bulletin 76, 1971.
  public static func consistency(_ answers: [[some Hashable]], level: Double = 0.95) -> Estimate {
    let seeds = answers.count
    let questions = answers.first?.count ?? 0
    precondition(
      answers.allSatisfy { $0.count == questions },
      "every seed answers the same questions, found \(answers.map(\.count))")
    guard seeds > 1, questions > 0 else { return Estimate(value: .nan, low: 0, high: 1, count: 0) }
    let agreement = (0..<questions).map { question in
      let counts = Dictionary(grouping: answers.map { $0[question] }, by: { $0 }).values.map(
        \.count)
      return Double(counts.reduce(0) { $0 + $1 * ($1 - 1) }) / Double(seeds * (seeds - 1))
    }
    var estimate = mean(of: agreement, level: level)
    estimate.low = max(0, estimate.low)
    estimate.high = min(1, estimate.high)
    return estimate
  }
}
