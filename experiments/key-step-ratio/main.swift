import Distillation
import Experiments
import Recipes

/// What follows stage 1 in each arm.
let stages: [String: ObjectiveEntry] = [
  "stage 1 longer": .chains, "KRSL": .keySteps, "random positions": .randomPositions,
]

let experiment = Experiment(
  distillation: "key-step-ratio",
  question: "Which weights on key tokens, if any, make EDIT's second stage help?",
  arms: [
    .stage1,
    Arm(
      "stage 1 longer", then: .chains,
      help: "stage 1 continued for as many steps as stage 2 takes"),
    Arm("KRSL", then: .keySteps, help: "stage 2: key tokens weighted"),
    Arm(
      "random positions", then: .randomPositions, without: ["alpha", "beta", "gamma"],
      help: "stage 2 with as many weighted tokens at random places, weighted as in the paper"),
  ],
  settings: DistillationSetup.settings()
    .with(
      "beta",
      [.number(-0.5), .number(-0.1), .number(-0.025), .integer(0)], smoke: [.number(-0.025)],
      variant: [.number(-0.1), .number(-0.025), .integer(0)]
    )
    .with(
      "gamma", [.integer(0), .integer(1)], smoke: [.integer(0)], variant: [.integer(0)]),
  seeds: 6,
  summary: .accuracies + [
    MetricKey("in domain", .pairwiseAccuracy), MetricKey("in domain", .keyTokenAccuracy),
  ],
  example: """
    make experiment NAME=key-step-ratio ARGS="--beta -0.1,-0.025,0 --gamma 0 --seeds 5"
    """
) { setup, run in
  try setup.run(run, then: stages[run.settings.arm])
}

experiment.main()
