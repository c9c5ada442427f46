import Distillation
import Experiments

let usesCheckpoint = DistillationSetup.usesCheckpoint()

let objectives: [ObjectiveName] = [.chains, .keySteps, .directPreference]

let experiment = Experiment(
  name: "adapter-spectrum", outputName: usesCheckpoint ? "adapter-spectrum.checkpoint" : nil,
  question: "What room does a second stage need, and does it go another way than stage 1?",
  arms: [.stage1] + objectives.map { Arm(then: $0) }, reference: Arm.stage1.name,
  settings: DistillationSetup.settings(checkpoint: usesCheckpoint)
    + DistillationSetup.secondStageSettings(checkpoint: usesCheckpoint)
    .with("learning_rate", [.number(usesCheckpoint ? 2e-4 : 5e-4)])
    + DistillationSetup.adapterSettings,
  seeds: usesCheckpoint ? 3 : 5,
  summary: [
    "in domain accuracy", "out of domain accuracy", "in domain key tokens -log p",
    "effective rank", "stable rank", "update over weight", "overlap with stage 1, outputs",
    "overlap with stage 1, inputs",
  ],
  example: """
    make experiment NAME=adapter-spectrum ARGS="--adapter-rank 2,64 --adapter-start noise"
    """
) { context in
  let setup = try DistillationSetup(context)
  return Prepared(checksums: setup.checksums, notes: setup.notes, run: setup.runAdapter)
}

experiment.main()
