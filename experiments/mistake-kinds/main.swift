import Distillation
import Experiments
import Reasoning

let usesCheckpoint = DistillationSetup.usesCheckpoint()

/// Kinds that the data has only where a file states them, or where none is stated.
let optional: Set<Mistake.Kind> = usesCheckpoint ? [.logical, .knowledge] : [.unknown]

let experiment = Experiment(
  name: "mistake-kinds", outputName: usesCheckpoint ? "mistake-kinds.checkpoint" : nil,
  question: "Which kind of mistake should the wrong chains of dual pairs have?",
  arms: [.stage1, Arm("any", help: "KRSL on pairs with any kind of mistake")]
    + Mistake.Kind.allCases.map { kind in
      Arm(
        kind.rawValue, isOptional: optional.contains(kind),
        help: kind == .unknown
          ? "KRSL on pairs whose mistake is of no kind that is known"
          : "KRSL on pairs whose mistake is one of \(kind.rawValue)")
    },
  reference: Arm.stage1.name,
  settings: DistillationSetup.settings(checkpoint: usesCheckpoint)
    + DistillationSetup.secondStageSettings(checkpoint: usesCheckpoint),
  seeds: usesCheckpoint ? 3 : 5,
  summary: [
    "validation accuracy", "in domain accuracy", "out of domain accuracy",
    "in domain prefers right chain", "stage 2 key tokens",
  ],
  example: """
    make experiment NAME=mistake-kinds ARGS="--beta -0.5,-0.025 --seeds 3"
    """
) { context in
  let setup = try DistillationSetup(context)
  let chains = setup.data.chains
  let pairs = chains.pairsByMistake
  let kinds = Mistake.Kind.allCases.filter { pairs[$0] != nil }
    .map { "\($0.rawValue) \(pairs[$0]?.count ?? 0)" }.joined(separator: ", ")
  let count = pairs.values.map(\.count).min() ?? 0
  let note = "pairs by mistake: \(kinds); each arm has \(count)"
  return Prepared(checksums: setup.checksums, notes: setup.notes + [note]) { run in
    let arm = run.settings.arm
    guard arm != Arm.stage1.name else { return try setup.run(run, then: nil) }
    let pool = arm == "any" ? chains.pairs : Mistake.Kind(rawValue: arm).flatMap { pairs[$0] } ?? []
    guard !pool.isEmpty else {
      throw DataError(
        file: chains.file, place: nil, expected: "pairs whose mistake is \(arm)", found: kinds)
    }
    return try setup.run(
      run, then: .keySteps, on: chains.with(count, of: pool, seed: run.settings.seed))
  }
}

experiment.main()
