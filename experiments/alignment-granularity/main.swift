import Distillation
import Experiments
import KeySteps
import Recipes

let usesCheckpoint = DistillationSetup.usesCheckpoint()

// A token of the procedural chains is a word, and their changed sentences are those with a changed token.
let units: [AlignmentUnit] = usesCheckpoint ? AlignmentUnit.allCases : [.token, .step]

let objectives: [ObjectiveEntry] = [.keySteps, .allTokens]

let experiment = Experiment(
  distillation: "alignment-granularity",
  question: "How fine should right and wrong chains be aligned to find the key steps?",
  arms: [.stage1] + objectives.map { Arm(then: $0) },
  settings: DistillationSetup.settings(objectives: objectives)
    .with("alignment_unit", units.map { .text($0.rawValue) }),
  seeds: 5,
  summary: [
    "validation accuracy", "in domain accuracy", "out of domain accuracy",
    "in domain prefers right chain", "stage 2 key tokens",
  ],
  example: """
    make experiment NAME=alignment-granularity ARGS="--alignment-unit token,step --beta -0.1,-0.025"
    """
) { setup, run in
  try setup.run(run, then: ObjectiveEntry(named: run.settings.arm))
}

experiment.main()
