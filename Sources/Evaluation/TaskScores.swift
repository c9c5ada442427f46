import Reasoning
import Statistics

/// Accuracy of responses over all tasks together and for each task.
public struct TaskScores: Sendable {
  /// Accuracy, unparsed responses and majority baseline, of one task or averaged over tasks.
  public struct Average: Sendable, Hashable {
    /// The fraction of correct responses.
    public var accuracy: Estimate
    /// The fraction of responses in which no answer was found.
    public var unparsed: Estimate
    /// The accuracy of answering each question with its task's most frequent gold answer.
    public var majorityBaseline: Double
  }

  /// The score of all responses, in their order.
  public let score: Score
  /// Each task, by name.
  public let tasks: [(task: String, average: Average)]
  /// Over all responses, whatever their task, with Wilson's 95 % intervals.
  public let micro: Average
  /// The mean over tasks, whatever their sizes; see `Estimate.macroAccuracy(_:level:)`.
  public let macro: Average

  public init(_ score: Score) {
    self.score = score
    let byTask = score.byTask
    let baselines = MajorityBaseline.byTask(score.items.map { (task: $0.task, gold: $0.gold) })
    func average(_ score: Score, _ baseline: Double) -> Average {
      Average(
        accuracy: .share(score.correct, of: score.total),
        unparsed: .share(score.unparsed, of: score.total), majorityBaseline: baseline)
    }
    micro = average(score, MajorityBaseline.overall(baselines))
    // Both are in the order of the tasks' names.
    tasks = zip(byTask, baselines).map { ($0.task, average($0.score, $1.accuracy)) }
    macro = Average(
      accuracy: .macroAccuracy(byTask.map { $0.score.items.map(\.isCorrect) }),
      unparsed: .macroAccuracy(byTask.map { $0.score.items.map { !$0.isParsed } }),
      majorityBaseline: MajorityBaseline.mean(baselines))
  }

  /// The averages in the order in which they are reported: micro, and if there are several tasks
  /// macro and each task.
  public var averages: [(name: Name, average: Average)] {
    let several = tasks.count > 1
    return [(.micro, micro)]
      + (several ? [(.macro, macro)] + tasks.map { (.task($0.task), $0.average) } : [])
  }

  public enum Name: Hashable, Sendable {
    case micro, macro
    case task(String)
  }
}
