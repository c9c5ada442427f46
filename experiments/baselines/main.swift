import Distillation
import Experiments
import Recipes

let arms: [TrainingArm] = [
  .answerSFT, .standardCoT, .multiTaskRationale, .multiTaskChain, .multiTaskAnswerFirst, .scott,
  .cascade, .edit,
]

let experiment = Experiment(
  distillation: "baselines",
  question: "Does EDIT beat the paper's other arms, in domain and out of it?",
  arms: arms.map { Arm($0) }, reference: TrainingArm.standardCoT.name,
  settings: DistillationSetup.settings(objectives: arms.flatMap { $0.stages.map(\.objective) })
    .withHarderProblems().withDifficultTeaching()
    // Each arm is tuned on validation over three values of the one parameter that is its own.
    .with(
      "lambda", [.number(0.1), .number(0.5), .number(0.9)], smoke: [.number(0.5)],
      variant: [.number(0.5)]
    )
    .with(
      "learning_rate", [.number(1e-5), .number(3e-5), .number(1e-4)], smoke: [.number(1e-4)],
      variant: [.number(5e-5)]),
  seeds: 45,
  summary: .accuracies + [MetricKey("in domain", .pairwiseAccuracy)],
  example: """
    make experiment NAME=baselines ARGS="--lambda 0.5 --seeds 3"
    """
) { setup, run in
  try setup.run(run)
}

experiment.main()
