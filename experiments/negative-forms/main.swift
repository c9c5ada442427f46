import Distillation
import Experiments

let usesCheckpoint = DistillationSetup.usesCheckpoint()

let forms: [ObjectiveName] = [.rightOnly, .keySteps, .clipped, .unlikelihood]

let experiment = Experiment(
  name: "negative-forms", outputName: usesCheckpoint ? "negative-forms.checkpoint" : nil,
  question: "Does it matter in which form stage 2 pushes wrong key tokens down?",
  arms: [.stage1] + forms.map { Arm(then: $0) }, reference: Arm.stage1.name,
  settings: DistillationSetup.settings(checkpoint: usesCheckpoint)
    + DistillationSetup.secondStageSettings(checkpoint: usesCheckpoint)
    .with("beta", [.number(-0.025), .number(-0.5)]) + [
      Setting(
        "clip", .number(0...1000), [.integer(5)],
        help: "nats at which a clipped wrong token stops counting")
    ],
  seeds: usesCheckpoint ? 3 : 5,
  summary: [
    "validation accuracy", "in domain accuracy", "out of domain accuracy",
    "in domain prefers right chain", "in domain key tokens top-1",
  ],
  example: """
    make experiment NAME=negative-forms ARGS="--beta -0.5 --clip 2,5,10 --seeds 3"
    """
) { context in
  let setup = try DistillationSetup(context)
  return Prepared(checksums: setup.checksums, notes: setup.notes) { run in
    try setup.run(run, then: ObjectiveName(rawValue: run.settings.arm))
  }
}

experiment.main()
