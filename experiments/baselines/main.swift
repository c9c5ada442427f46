import Distillation
import Experiments

let usesCheckpoint = DistillationSetup.usesCheckpoint()

let arms: [ArmName] = [
  .answerSFT, .standardCoT, .multiTaskRationale, .multiTaskChain, .multiTaskAnswerFirst, .scott,
  .cascade, .edit,
]

let experiment = Experiment(
  name: "baselines", outputName: usesCheckpoint ? "baselines.checkpoint" : nil,
  question: "Does EDIT beat the paper's other arms, in domain and out of it?",
  arms: arms.map { Arm($0) }, reference: ArmName.standardCoT.rawValue,
  settings: DistillationSetup.settings(checkpoint: usesCheckpoint)
    + DistillationSetup.secondStageSettings(checkpoint: usesCheckpoint),
  seeds: usesCheckpoint ? 3 : 10,
  summary: [
    "validation accuracy", "in domain accuracy", "out of domain accuracy",
    "in domain prefers right chain",
  ],
  example: """
    make experiment NAME=baselines ARGS="--seeds 3"
    """
) { context in
  let setup = try DistillationSetup(context)
  return Prepared(checksums: setup.checksums, notes: setup.notes, run: setup.run)
}

experiment.main()
