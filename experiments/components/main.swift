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
  settings: DistillationSetup.settings(objectives: arms.flatMap { $0.stages.map(\.objective) })
    .withHarderProblems().withDifficultTeaching()
    .with(
      "learning_rate", [.number(1e-5), .number(3e-5), .number(1e-4)], smoke: [.number(1e-4)],
      variant: [.number(5e-5)]),
  seeds: 15,
  summary: .accuracies + [
    MetricKey("in domain", .pairwiseAccuracy), MetricKey("in domain", .keyTokenAccuracy),
  ],
  example: """
    make experiment NAME=components ARGS="--learning-rate 3e-5 --seeds 3"
    """
) { setup, run in
  try setup.run(run)
}

experiment.main()
