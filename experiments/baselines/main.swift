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
  settings: DistillationSetup.settings(
    objectives: arms.flatMap { $0.stages.map(\.objective) }),
  seeds: 10,
  summary: .accuracies + [MetricKey("in domain", .pairwiseAccuracy)],
  example: """
    make experiment NAME=baselines ARGS="--seeds 3"
    """
) { setup, run in
  try setup.run(run)
}

experiment.main()
