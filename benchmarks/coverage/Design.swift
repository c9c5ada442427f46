import Randomness
import Statistics

/// A simulated experiment of two arms: S seeds answer the same N questions, right or wrong.
///
///     arm k is right in seed s on question q of task h where
///     m_k + t_kh + b_q + b_kq + a_s + a_ks + e_sq + e_ksq > 0
///
/// All terms but m_k are normal and independent; e_sq + e_ksq has variance 1. Terms without k are common to both arms.
/// With shared first stages these are most of the seed's effect and of its interaction with questions; with independent
/// ones only b_q, the question's difficulty, is common.
struct Design {
  enum FirstStages: String { case shared, independent }

  /// What the questions are drawn from.
  enum Tasks: Hashable {
    case one
    /// So many tasks that are the same in every replicate.
    case fixed(Int)
    /// So many tasks drawn anew in every replicate.
    case drawn(Int)
  }

  let firstStages: FirstStages
  let tasks: Tasks
  let seeds: Int
  let questions: Int
  /// The true difference of the two arms' accuracies with one task; about that with several.
  let difference: Double
  /// The standard deviation over seeds of an arm's true accuracy, as a fraction of 1.
  let seedSpread: Double

  /// Standard deviations on the latent scale.
  private let questionEffect = 1.0
  private let armQuestionEffect = 0.3
  /// An arm's own part of the seed's effect where first stages are shared.
  private let ownSeedEffect = 0.02
  private let taskEffect = 0.2
  /// The part of the interaction's variance that arms with shared first stages have in common.
  private let sharedInteraction = 0.9

  /// The standard deviation of a seed's effect on the latent scale: an accuracy of 1/2 has the slope φ(0) / spread.
  private var seedEffect: Double {
    let rest = questionEffect * questionEffect + armQuestionEffect * armQuestionEffect + 1
    let slope = 1 / (2 * Double.pi).squareRoot()
    let ratio = seedSpread / slope
    // seedEffect = ratio · √(rest + seedEffect²)
    return ratio * (rest / (1 - ratio * ratio)).squareRoot()
  }

  /// Names the design's stream of random numbers.
  var label: String {
    "\(firstStages) \(seedSpread) \(tasksLabel) \(seeds) \(questions) \(difference)"
  }

  var tasksLabel: String {
    switch tasks {
    case .one: "1"
    case .fixed(let count): "\(count) fixed"
    case .drawn(let count): "\(count) drawn"
    }
  }

  private var taskCount: Int {
    switch tasks {
    case .one: 1
    case .fixed(let count), .drawn(let count): count
    }
  }

  private func task(of question: Int) -> Int { question * taskCount / questions }

  var sampling: QuestionSampling {
    QuestionSampling(tasks: (0..<questions).map { "\(task(of: $0))" })
  }

  /// The standard deviation of the latent sum, without the tasks.
  private var spread: Double {
    let seed =
      firstStages == .shared
      ? seedEffect * seedEffect + ownSeedEffect * ownSeedEffect : seedEffect * seedEffect
    return (questionEffect * questionEffect + armQuestionEffect * armQuestionEffect + seed + 1)
      .squareRoot()
  }

  /// m₁ and m₂.
  private var levels: [Double] {
    [spread * StandardNormal.quantile(0.5 + difference), 0]
  }

  /// t_kh; the same numbers in every replicate where tasks are fixed, with the second arm's in reverse order, so that
  /// arms of one level have the same accuracy.
  private func taskEffects(using generator: inout SeededGenerator) -> [[Double]] {
    switch tasks {
    case .one: return [[0], [0]]
    case .fixed(let count):
      var fixed = SeededGenerator(seed: 0, stream: "tasks")
      let effects = (0..<count).map { _ in taskEffect * fixed.normal() }
      return [effects, effects.reversed()]
    case .drawn(let count):
      return levels.map { _ in (0..<count).map { _ in taskEffect * generator.normal() } }
    }
  }

  /// The true difference: of these tasks where they are fixed, else of all.
  var truth: Double {
    var unused = SeededGenerator(seed: 0)
    let accuracies = zip(levels, taskEffects(using: &unused)).map { level, effects in
      if case .drawn = tasks {
        let whole = (spread * spread + taskEffect * taskEffect).squareRoot()
        return StandardNormal.cumulative(level / whole)
      }
      return (0..<questions).map {
        StandardNormal.cumulative((level + effects[task(of: $0)]) / spread)
      }.mean
    }
    return accuracies[0] - accuracies[1]
  }

  /// The two arms' answers: arms × seeds × questions, 1 for right.
  func answers(using generator: inout SeededGenerator) -> [[[Double]]] {
    let isShared = firstStages == .shared
    let effects = taskEffects(using: &generator)
    let common = (0..<questions).map { _ in questionEffect * generator.normal() }
    let own = levels.map { _ in
      common.map { $0 + armQuestionEffect * generator.normal() }
    }
    let shared = (isShared ? sharedInteraction : 0).squareRoot()
    let rest = (isShared ? 1 - sharedInteraction : 1).squareRoot()
    var answers: [[[Double]]] = [[], []]
    for _ in 0..<seeds {
      let firstStage = isShared ? seedEffect * generator.normal() : 0
      let together = (0..<questions).map { _ in isShared ? shared * generator.normal() : 0 }
      for (arm, level) in levels.enumerated() {
        let seed = firstStage + (isShared ? ownSeedEffect : seedEffect) * generator.normal()
        answers[arm].append(
          (0..<questions).map { question in
            let latent =
              level + effects[arm][task(of: question)] + own[arm][question] + seed
              + together[question] + rest * generator.normal()
            return latent > 0 ? 1 : 0
          })
      }
    }
    return answers
  }
}
