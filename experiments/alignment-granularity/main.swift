import Distillation
import Experiments
import KeySteps
import Recipes

// A token of the procedural chains is a word, and their changed sentences are those with a changed token.
let units: [AlignmentUnit] = [.token, .step]

let objectives: [ObjectiveEntry] = [.keySteps, .allTokens]

let experiment = Experiment(
  distillation: "alignment-granularity",
  question: "How fine should right and wrong chains be aligned to find the key steps?",
  arms: [.stage1] + objectives.map { Arm(then: $0) },
  settings: DistillationSetup.settings(objectives: objectives)
    .with(
      "alignment_unit", units.map { .text($0.rawValue) },
      variant: AlignmentUnit.allCases.map { .text($0.rawValue) }),
  seeds: 5,
  summary: .accuracies + [MetricKey("in domain", .pairwiseAccuracy), MetricKey(.stage2KeyTokens)],
  example: """
    make experiment NAME=alignment-granularity ARGS="--alignment-unit token,step --beta -0.1,-0.025"
    """
) { setup, run in
  try setup.run(run, then: ObjectiveEntry(named: run.settings.arm))
}

experiment.main()
