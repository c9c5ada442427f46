import Distillation
import Experiments
import Recipes

let usesCheckpoint = DistillationSetup.usesCheckpoint()

let objectives: [ObjectiveEntry] = [.chains, .keySteps, .directPreference]

let experiment = Experiment(
  distillation: "adapter-spectrum",
  question: "What room does a second stage need, and does it go another way than stage 1?",
  arms: [.stage1] + objectives.map { Arm(then: $0) },
  settings: DistillationSetup.settings(objectives: objectives)
    .with("learning_rate", [.number(usesCheckpoint ? 2e-4 : 5e-4)])
    + DistillationSetup.adapterSettings,
  seeds: 5,
  summary: [
    "in domain accuracy", "out of domain accuracy", "in domain key tokens -log p",
    "effective rank", "stable rank", "update over weight", "overlap with stage 1, outputs",
    "overlap with stage 1, inputs",
  ],
  example: """
    make experiment NAME=adapter-spectrum ARGS="--adapter-rank 2,64 --adapter-start noise"
    """
) { setup, run in
  try setup.runAdapter(run)
}

experiment.main()
