import Distillation
import Experiments
import Recipes

/// What follows stage 1 in each arm.
let stages: [ObjectiveEntry] = [.chains, .keySteps, .chosenOnly, .allTokens]

let experiment = Experiment(
  distillation: "dose",
  question: "How much of stage 2, and at which learning rate, helps or harms?",
  arms: [.stage1] + stages.map { Arm(then: $0) },
  settings: DistillationSetup.settings(objectives: stages).withHarderProblems()
    .with("stage2_steps", [])
    .with(
      "stage2_epochs", [.number(0.25), .integer(1), .integer(3), .integer(10)],
      smoke: [.number(0.5), .integer(1)]
    )
    .with(
      "learning_rate",
      [.number(3e-6), .number(1e-5), .number(3e-5), .number(1e-4), .number(3e-4), .number(1e-3)],
      smoke: [.number(1e-4)]),
  seeds: 10,
  summary: .accuracies + [MetricKey("in domain", .keyTokenNLL)],
  example: """
    make experiment NAME=dose ARGS="--stage2-epochs 1,3 --learning-rate 1e-5,1e-4 --seeds 6"
    """
) { setup, run in
  try setup.run(run, then: ObjectiveEntry(named: run.settings.arm))
}

experiment.main()
