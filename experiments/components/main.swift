import Distillation
import Experiments
import Recipes

let arms: [TrainingArm] = [
  .editWithoutKeySteps, .editWithoutKeyStepsLonger, .edit, .editWithoutRectified, .editChosenOnly,
  .editRejectedOnly, .editRandomPositions, .editAllTokens,
]

let experiment = Experiment(
  distillation: "components",
  question: "Which of EDIT's parts make a difference?",
  arms: arms.map { Arm($0) }, reference: TrainingArm.editWithoutKeySteps.name,
  settings: DistillationSetup.settings(
    objectives: arms.flatMap { $0.stages.map(\.objective) }),
  seeds: 10,
  summary: [
    "validation accuracy", "in domain accuracy", "out of domain accuracy",
    "in domain prefers right chain", "in domain key tokens top-1",
  ],
  example: """
    make experiment NAME=components ARGS="--seeds 3"
    """
) { setup, run in
  try setup.run(run)
}

experiment.main()
