import Distillation
import Experiments
import Files
import Reasoning
import Recipes

/// When the data has a kind only if a file states it, or only if none is stated.
func optional(_ kind: Mistake.Kind) -> Condition {
  switch kind {
  case .logical, .knowledge: .pretrained
  case .unknown: .fromScratch
  default: .never
  }
}

extension [Mistake.Kind: [TokenizedPair]] {
  /// How many pairs every arm has: as many as there are of the rarest kind.
  var fewest: Int { values.map(\.count).min() ?? 0 }

  /// How many pairs there are of each kind.
  var counts: String {
    Mistake.Kind.allCases.compactMap { kind in self[kind].map { "\(kind.rawValue) \($0.count)" } }
      .joined(separator: ", ")
  }
}

extension DistillationSetup {
  var mistakeNotes: [String] {
    let pairs = data.trainingSets[0].pairsByMistake
    return ["pairs by mistake: \(pairs.counts); each arm has \(pairs.fewest)"]
  }
}

let experiment = Experiment(
  distillation: "mistake-kinds",
  question: "Which kind of mistake should the wrong chains of dual pairs have?",
  arms: [.stage1, Arm("any", then: .keySteps, help: "KRSL on pairs with any kind of mistake")]
    + Mistake.Kind.allCases.map { kind in
      Arm(
        kind.rawValue, then: .keySteps, optional: optional(kind),
        help: kind == .unknown
          ? "KRSL on pairs whose mistake is of no kind that is known"
          : "KRSL on pairs whose mistake is one of \(kind.rawValue)")
    },
  seeds: 5,
  summary: .accuracies + [MetricKey("in domain", .pairwiseAccuracy), MetricKey(.stage2KeyTokens)],
  example: """
    make experiment NAME=mistake-kinds ARGS="--beta -0.5,-0.025 --seeds 3"
    """,
  notes: \.mistakeNotes
) { setup, run in
  let arm = run.settings.arm
  guard arm != Arm.stage1.name else { return try setup.run(run, then: nil) }
  let training = setup.training(run.settings)
  let pairs = training.pairsByMistake
  let pool = Mistake.Kind(rawValue: arm).map { pairs[$0] ?? [] } ?? training.pairs
  guard !pool.isEmpty else {
    throw FileError(
      file: training.file, expected: "pairs whose mistake is \(arm)", found: pairs.counts)
  }
  return try setup.run(
    run, then: .keySteps, on: training.with(pairs.fewest, of: pool, seed: run.settings.seed))
}

experiment.main()
