import Distillation
import Experiments

let usesCheckpoint = DistillationSetup.usesCheckpoint()

let arms: [ArmName] = [
  .editWithoutKeySteps, .editWithoutKeyStepsLonger, .edit, .editWithoutRectified, .editRightOnly,
  .editWrongOnly, .editRandomPositions, .editAllTokens,
]

let experiment = Experiment(
  name: "components", outputName: usesCheckpoint ? "components.checkpoint" : nil,
  question: "Which of EDIT's parts make a difference?",
  arms: arms.map { Arm($0) }, reference: ArmName.editWithoutKeySteps.rawValue,
  settings: DistillationSetup.settings(checkpoint: usesCheckpoint)
    + DistillationSetup.secondStageSettings(checkpoint: usesCheckpoint),
  seeds: usesCheckpoint ? 3 : 10,
  summary: [
    "validation accuracy", "in domain accuracy", "out of domain accuracy",
    "in domain prefers right chain", "in domain key tokens top-1",
  ],
  example: """
    make experiment NAME=components ARGS="--seeds 3"
    """
) { context in
  let setup = try DistillationSetup(context)
  return Prepared(checksums: setup.checksums, notes: setup.notes, run: setup.run)
}

experiment.main()
