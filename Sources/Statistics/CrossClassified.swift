/// The mean difference of two arms over seeds crossed with questions, for new seeds and new questions.
///
///     S seeds, indexed s; N questions, indexed q
///     v_sq, v'_sq   the two arms' values; w_q the questions' weights; W = Σ_q w_q
///     f_s           Σ_q v_sq / W, the figure of seed s; f'_s that of the other arm
///     D             mean over s of f_s - f'_s, the difference
///     y_sq          (v_sq - v'_sq - D w_q) / W, what question q adds in seed s to f_s - f'_s - D
///
/// Subtracting D w_q makes the ratio Σ v / Σ w linear in the questions; with w = 1 it only subtracts the mean. A bar is
/// a mean over seeds.
///
/// **Model.** Seeds and questions are both drawn at random, every seed answers every question once:
/// v_sq - v'_sq = δ + a_s + b_q + e_sq, with independent terms of variance σ_a², σ_b² and σ_e². Then (for w = 1)
///
///     Var D = σ_a² / S + σ_b² / N + σ_e² / (S N)
///
/// **Estimate.** Each of three sums of squares estimates a part of it, the interaction being in the first two:
///
///     seeds         A = Σ_s (Σ_q y_sq)² / (S (S - 1))                                     E A = σ_a² / S + E C
///     questions     B = N / (N - 1) Σ_q (ȳ_q - ȳ)²                                        E B = σ_b² / N + E C
///     interaction   C = N / (N - 1) Σ_sq (y_sq - y_s - ȳ_q + ȳ)² / (S (S - 1))            E C = σ_e² / (S N)
///
/// with y_s the mean of seed s over questions and ȳ the mean of all. In mean squares, A = MS_seeds / (S N),
/// B = MS_questions / (S N), C = MS_interaction / (S N). The estimate of Var D is A + B - C, with the estimates of σ_a²
/// and σ_b² truncated at 0:
///
///     V = C + max(0, A - C) + max(0, B - C)
///
/// **Degrees of freedom.** Satterthwaite's, with ν_A = S - 1, ν_B = N - 1, ν_C = (S - 1)(N - 1):
///
///     ν = V² / (A² / ν_A + B² / ν_B + C² / ν_C), at least min(ν_A, ν_B)
///
/// All three terms stay where a part of V is truncated: of three seeds A has 2 degrees of freedom and is often below C
/// by chance, and dropping its term would give the interval N - 1 degrees of freedom as if the seeds were known not to
/// differ. In simulations (`make coverage`) the 95 % interval covers the true difference in 93 to 98 % of experiments
/// with three seeds or more, and in 89 to 98 % with two.
///
/// **Strata and clusters.** Clusters take the place of questions: values and weights are summed over a cluster, N counts
/// clusters. With strata, B, C and ν_B, ν_C are computed in each stratum h and added:
/// B = Σ_h B_h, ν_B = B² / Σ_h (B_h² / (N_h - 1)), likewise for C. A remains as it is, since a seed's effect on a fixed
/// stratum is an effect of the seed. A stratum of one cluster has no spread of its own: all of them are
/// joined, and if only one exists it is joined with the smallest other one, which makes B too large rather than too
/// small.
///
/// Sources: the mean squares and their expectations, Searle, Casella and McCulloch, "Variance Components", 1992,
/// chapter 4; seeds and questions as subjects and items, Clark, "The language-as-fixed-effect fallacy", Journal of
/// Verbal Learning and Verbal Behavior 12, 1973; A + B - C as a two-way clustered variance, Cameron, Gelbach and Miller,
/// "Robust inference with multiway clustering", Journal of Business & Economic Statistics 29, 2011; the degrees of
/// freedom, Satterthwaite, Biometrics Bulletin 2, 1946; ratios and collapsed strata, Cochran, "Sampling Techniques",
/// 1977, chapters 5A and 6.
public struct CrossClassifiedVariance: Hashable, Sendable {
  /// A sum of squares, as a part of Var D, with its degrees of freedom.
  public struct Part: Hashable, Sendable {
    public var variance: Double
    public var degrees: Double

    /// Independent parts added, with Satterthwaite's degrees of freedom; 0 with 0 degrees of nothing.
    init(sum parts: [Part]) {
      variance = parts.reduce(0) { $0 + $1.variance }
      let spread = parts.reduce(0) { $0 + $1.variance * $1.variance / $1.degrees }
      // Parts that are all 0 have as many degrees as there are.
      degrees =
        spread > 0 ? variance * variance / spread : parts.reduce(0) { $0 + $1.degrees }
    }

    init(variance: Double, degrees: Double) {
      self.variance = variance
      self.degrees = degrees
    }
  }

  /// A; nil of one seed.
  public let seeds: Part?
  /// B; nil of one question or cluster.
  public let questions: Part?
  /// C; nil where `seeds` or `questions` is.
  public let interaction: Part?

  /// - Parameters:
  ///   - contributions: y, seeds × questions.
  ///   - strata: the questions of each cluster of each stratum.
  init(_ contributions: [[Double]], strata: [[[Int]]]) {
    let strata = Self.joined(strata)
    let pairs = Double(contributions.count * (contributions.count - 1))
    var questions: [Part] = []
    var interaction: [Part] = []
    for clusters in strata where clusters.count > 1 {
      let count = Double(clusters.count)
      // Seeds × clusters, centred by seed: y_su - y_s.
      let rows = contributions.map { seed in
        let sums = clusters.map { $0.reduce(0) { $0 + seed[$1] } }
        let mean = sums.mean
        return sums.map { $0 - mean }
      }
      let means = clusters.indices.map { cluster in rows.map { $0[cluster] }.mean }
      let between = means.reduce(0) { $0 + $1 * $1 }
      questions.append(Part(variance: count / (count - 1) * between, degrees: count - 1))
      let within = rows.reduce(0) { sum, row in
        sum + zip(row, means).reduce(0) { $0 + ($1.0 - $1.1) * ($1.0 - $1.1) }
      }
      interaction.append(
        Part(
          variance: count / (count - 1) * within / pairs,
          degrees: (count - 1) * Double(contributions.count - 1)))
    }
    let sums = contributions.map { $0.reduce(0, +) }
    let center = sums.mean
    let isCrossed = contributions.count > 1
    seeds =
      isCrossed
      ? Part(
        variance: sums.reduce(0) { $0 + ($1 - center) * ($1 - center) } / pairs,
        degrees: Double(contributions.count - 1)) : nil
    self.questions = questions.isEmpty ? nil : Part(sum: questions)
    self.interaction = isCrossed && !questions.isEmpty ? Part(sum: interaction) : nil
  }

  /// V and ν; of one seed B, of one question A, an infinite variance where there is neither.
  public var total: Part {
    guard let a = seeds, let b = questions, let c = interaction else {
      return seeds ?? questions ?? Part(variance: .infinity, degrees: 0)
    }
    let variance =
      c.variance + max(0, a.variance - c.variance) + max(0, b.variance - c.variance)
    let spread = [a, b, c].reduce(0) { $0 + $1.variance * $1.variance / $1.degrees }
    return Part(
      variance: variance,
      degrees: max(min(a.degrees, b.degrees), spread > 0 ? variance * variance / spread : 0))
  }

  /// The strata with those of one cluster joined.
  private static func joined(_ strata: [[[Int]]]) -> [[[Int]]] {
    var joined = strata.filter { $0.count > 1 }
    let single = strata.filter { $0.count == 1 }.flatMap { $0 }
    let smallest = joined.indices.min { joined[$0].count < joined[$1].count }
    if single.count == 1, let smallest {
      joined[smallest] += single
    } else if !single.isEmpty {
      joined.append(single)
    }
    return joined
  }
}

extension MeanDifference {
  /// The mean difference of two arms over seeds and questions, paired by both, with the variance of
  /// `CrossClassifiedVariance`.
  ///
  /// With one seed the interval covers new questions only, with one question (or cluster) new seeds only, as `basis`
  /// says. Without questions, seeds or weight the value is NaN and the interval -∞ ... ∞.
  ///
  /// - Parameters:
  ///   - values: seeds × questions: 1 for a right answer and 0 for a wrong one, or a sum of which `weights` has the
  ///     number of terms.
  ///   - reference: the other arm's values, for the same seeds and questions.
  ///   - weights: w, the same in all seeds and both arms; nil for 1 each.
  ///   - sampling: the strata and clusters of the questions; nil where each question stands alone.
  ///
  /// Precondition: every seed has a value for each question in both arms.
  public init(
    _ values: [[Double]], minus reference: [[Double]], weights: [Double]? = nil,
    sampling: QuestionSampling? = nil
  ) {
    let questions = values.first?.count ?? 0
    let weights = weights ?? Array(repeating: 1, count: questions)
    let sampling = sampling ?? QuestionSampling(count: questions)
    precondition(
      values.count == reference.count
        && (values + reference).allSatisfy { $0.count == questions },
      "\(values.map(\.count)) questions of each seed can't be paired with \(reference.map(\.count))"
    )
    precondition(
      weights.count == questions && sampling.count == questions,
      "\(weights.count) weights, strata and clusters of \(sampling.count), \(questions) questions")
    let differences = zip(values, reference).map { zip($0, $1).map { $0 - $1 } }
    let weight = weights.reduce(0, +)
    let value = weight > 0 ? differences.map { $0.reduce(0, +) / weight }.mean : .nan
    let contributions = differences.map { seed in
      zip(seed, weights).map { ($0 - value * $1) / weight }
    }
    let parts = CrossClassifiedVariance(contributions, strata: sampling.strata)
    let basis: Basis =
      parts.interaction != nil ? .seedsAndQuestions : parts.questions != nil ? .questions : .seeds
    let count = (basis == .questions ? 1 : values.count) * (basis == .seeds ? 1 : questions)
    guard !value.isNaN else {
      self.init(
        value: .nan, variance: .infinity, degrees: 0, basis: basis, count: count, size: 0)
      return
    }
    let total = parts.total
    let sizes = (values + reference).map { $0.reduce(0) { $0 + abs($1) } / weight }
    self.init(
      value: value, variance: total.variance, degrees: total.degrees, basis: basis, count: count,
      size: sizes.max() ?? 0)
  }
}
