import Distillation
import Experiments
import Recipes

let rules: [ObjectiveEntry] = [
  .chains, .dynamic, .informationAware, .priorProbability, .priorMass, .entropy, .excessLoss,
  .answerTokens, .promptWeighted, .keySteps, .directPreference, .positivePreference,
  .stepPreference, .errorInjected, .criticalTokens, .reinforcement,
]

let experiment = Experiment(
  distillation: "token-rules",
  question: "Which of the later literature's rules for weighting tokens helps after stage 1?",
  arms: [.stage1] + rules.map { Arm(then: $0) },
  settings: DistillationSetup.settings(objectives: rules),
  seeds: 5,
  summary: .accuracies + [
    MetricKey("in domain", .pairwiseAccuracy), MetricKey("in domain", .keyTokenAccuracy),
  ],
  example: """
    make experiment NAME=token-rules ARGS="--arms 'stage 1,sft,krsl,dpo' --seeds 3"
    """
) { setup, run in
  try setup.run(run, then: ObjectiveEntry(named: run.settings.arm))
}

experiment.main()
