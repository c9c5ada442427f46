import Distillation
import Experiments
import Files
import Reasoning
import Recipes

let usesCheckpoint = DistillationSetup.usesCheckpoint()

/// Kinds that the data has only where a file states them, or where none is stated.
let optional: Set<Mistake.Kind> = usesCheckpoint ? [.logical, .knowledge] : [.unknown]

extension [Mistake.Kind: [DualChainOfThought]] {
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
    let pairs = data.chains.pairsByMistake
    return ["pairs by mistake: \(pairs.counts); each arm has \(pairs.fewest)"]
  }
}

let experiment = Experiment(
  distillation: "mistake-kinds",
  question: "Which kind of mistake should the wrong chains of dual pairs have?",
  arms: [.stage1, Arm("any", help: "KRSL on pairs with any kind of mistake")]
    + Mistake.Kind.allCases.map { kind in
      Arm(
        kind.rawValue, isOptional: optional.contains(kind),
        help: kind == .unknown
          ? "KRSL on pairs whose mistake is of no kind that is known"
          : "KRSL on pairs whose mistake is one of \(kind.rawValue)")
    },
  seeds: 5,
  summary: [
    "validation accuracy", "in domain accuracy", "out of domain accuracy",
    "in domain prefers right chain", "stage 2 key tokens",
  ],
  example: """
    make experiment NAME=mistake-kinds ARGS="--beta -0.5,-0.025 --seeds 3"
    """,
  notes: \.mistakeNotes
) { setup, run in
  let arm = run.settings.arm
  guard arm != Arm.stage1.name else { return try setup.run(run, then: nil) }
  let chains = setup.data.chains
  let pairs = chains.pairsByMistake
  let pool = Mistake.Kind(rawValue: arm).map { pairs[$0] ?? [] } ?? chains.pairs
  guard !pool.isEmpty else {
    throw FileError(
      file: chains.file, expected: "pairs whose mistake is \(arm)", found: pairs.counts)
  }
  return try setup.run(
    run, then: .keySteps, on: chains.with(pairs.fewest, of: pool, seed: run.settings.seed))
}

experiment.main()
