import LinearAlgebra
import Randomness

/// How the questions of a test are drawn anew: whole clusters with replacement, as many as there are, within each
/// stratum by itself.
///
/// A cluster is what makes questions alike, such as their task or the passage that they are about: they come or stay
/// away together. A stratum is fixed: an interval speaks of new questions of the same strata.
public struct QuestionSampling: Hashable, Sendable {
  /// How many questions there are.
  public let count: Int
  /// The questions of each cluster of each stratum.
  let strata: [[[Int]]]

  /// - Parameters:
  ///   - clusters: the cluster of each question; nil where each stands alone.
  ///   - strata: the stratum of each question; nil where there is one alone.
  public init(count: Int, clusters: [String]? = nil, strata: [String]? = nil) {
    for (name, labels) in [("clusters", clusters), ("strata", strata)] {
      precondition(
        labels == nil || labels?.count == count, "\(labels?.count ?? 0) \(name), \(count) questions"
      )
    }
    self.count = count
    let groups = strata.map(Self.members) ?? [Array(0..<count)]
    self.strata = groups.map { questions in
      guard let clusters else { return questions.map { [$0] } }
      return Self.members(of: questions.map { clusters[$0] }).map { $0.map { questions[$0] } }
    }
  }

  /// With fewer tasks than this they are fixed: too few to draw from.
  public static let fewestDrawnTasks = 10

  /// The questions of a test of several tasks: whole tasks are drawn where there are `fewestDrawnTasks` or more, so
  /// that an interval covers other tasks; with fewer, tasks are strata and it covers new questions of these tasks.
  ///
  /// - Parameter tasks: the task of each question.
  public init(tasks: [String]) {
    let areDrawn = Set(tasks).count >= Self.fewestDrawnTasks
    self.init(
      count: tasks.count, clusters: areDrawn ? tasks : nil, strata: areDrawn ? nil : tasks)
  }

  /// How often each question comes in one draw.
  fileprivate func draw(using generator: inout SeededGenerator) -> [Double] {
    var times = [Double](repeating: 0, count: count)
    for clusters in strata {
      for _ in clusters.indices {
        for question in clusters[generator.index(below: clusters.count)] { times[question] += 1 }
      }
    }
    return times
  }

  /// The indices of each label's members, in the order in which the labels first occur.
  private static func members(of labels: [String]) -> [[Int]] {
    var place: [String: Int] = [:]
    var members: [[Int]] = []
    for (index, label) in labels.enumerated() {
      if let known = place[label] {
        members[known].append(index)
      } else {
        place[label] = members.count
        members.append([index])
      }
    }
    return members
  }
}

/// Seeds and questions drawn anew, independently of each other; all arms meet the same draws.
///
///     figure of seed s:  f_s = Σ_q t_q v_sq / Σ_q t_q w_q        t_q: how often question q was drawn
///     resample:          mean of f_s - f'_s over the drawn seeds
///
/// With w = 1 a figure is a mean over questions (accuracy), with v and w sums over tokens and their number a mean over
/// tokens, with both divided by the number of the task's questions the mean of the tasks' accuracies.
///
/// The interval covers new seeds and new questions. It counts their interaction three times, so that it is too wide
/// where little else varies (arms with shared first stages), and seeds' part is too narrow by √(1 - 1/S) where seeds
/// are few (S) and differ. It is a check on `MeanDifference`, whose interval has neither fault. With one seed only the
/// questions are drawn, and the interval holds for that seed alone.
///
/// Source: Owen, "The pigeonhole bootstrap", Annals of Applied Statistics 1, 2007.
public struct TwoWayBootstrap: Sendable {
  public let sampling: QuestionSampling
  public let resamples: Int
  private let questionGenerator, seedGenerator: SeededGenerator

  public init(
    _ sampling: QuestionSampling, resamples: Int, using generator: inout SeededGenerator
  ) {
    self.sampling = sampling
    self.resamples = resamples
    questionGenerator = SeededGenerator(seed: generator.next())
    seedGenerator = SeededGenerator(seed: generator.next())
  }

  /// The figures on every resample of questions: rows × resamples. NaN where no weight was drawn.
  ///
  /// - Parameters:
  ///   - rows: v, a row for each arm and seed, with a value for each question.
  ///   - weights: w, the questions' weights, the same in all rows.
  public func figures(_ rows: [[Double]], weights: [Double]) -> [[Double]] {
    let questions = sampling.count
    precondition(
      weights.count == questions && rows.allSatisfy { $0.count == questions },
      "\(rows.map(\.count)) values and \(weights.count) weights, \(questions) questions")
    let values = Matrix(
      rows: rows.count + 1, columns: questions, elements: rows.flatMap { $0 } + weights)
    var generator = questionGenerator
    var figures = rows.map { _ in [Double]() }
    // In blocks, so that memory does not grow with the resamples.
    for start in stride(from: 0, to: resamples, by: 256) {
      let block = min(256, resamples - start)
      let times = Matrix(
        rows: block, columns: questions,
        elements: (0..<block).flatMap { _ in sampling.draw(using: &generator) })
      let sums = Matrix.product(values, times, transposingRight: true)
      for row in rows.indices {
        for draw in 0..<block { figures[row].append(sums[row, draw] / sums[rows.count, draw]) }
      }
    }
    return figures
  }

  /// The difference of two arms on every resample, of what `figures` returned for the same seeds of both.
  public func difference(
    _ figures: [[Double]], minus reference: [[Double]], estimate: Double
  ) -> Bootstrap {
    precondition(
      figures.count == reference.count,
      "\(figures.count) seeds can't be paired with \(reference.count)")
    let seeds = figures.count
    var generator = seedGenerator
    let resampled = (0..<(seeds == 0 ? 0 : resamples)).map { draw in
      var sum = 0.0
      for _ in 0..<seeds {
        let seed = generator.index(below: seeds)
        sum += figures[seed][draw] - reference[seed][draw]
      }
      return sum / Double(seeds)
    }
    return Bootstrap(estimate: estimate, resampled: resampled, jackknife: [])
  }
}
