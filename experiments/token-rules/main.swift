import Distillation
import Experiments
import Recipes

let rules: [ObjectiveName] = [
  .chains, .dynamic, .entropy, .excessLoss, .answerTokens, .promptWeighted, .keySteps,
  .directPreference, .positivePreference, .stepPreference, .criticalTokens, .reinforcement,
]

let experiment = Experiment(
  distillation: "token-rules",
  question: "Which of the later literature's rules for weighting tokens helps after stage 1?",
  arms: [.stage1] + rules.map { Arm(then: $0) },
  settings: DistillationSetup.settings + [
    Setting(
      "kept_share", .number(0...1), [],
      help: "of the tokens, in entropy and rho-1; without it theirs, 0.2 and 0.6"),
    Setting(
      "preference_beta", .number(0...100), [],
      help: "β of the preferences; without it theirs, 0.1, and 0.4 in step-dpo"),
    Setting(
      "reference_steps", .integer(0...10_000_000), [.integer(200)],
      smoke: [.integer(2)], variant: [.integer(20)],
      help: "that the models of rho-1 and cdpo are fine-tuned for"),
  ],
  seeds: 5,
  summary: .accuracies + [
    MetricKey("in domain", .pairwiseAccuracy), MetricKey("in domain", .keyTokenAccuracy),
  ],
  example: """
    make experiment NAME=token-rules ARGS="--arms 'stage 1,sft,krsl,dpo' --seeds 3"
    """
) { setup, run in
  try setup.run(run, then: ObjectiveName(rawValue: run.settings.arm))
}

experiment.main()
