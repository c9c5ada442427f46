import Distillation
import Experiments
import Recipes

let forms: [ObjectiveEntry] = [.chosenOnly, .keySteps, .clipped, .unlikelihood]

let experiment = Experiment(
  distillation: "negative-forms",
  question: "Does it matter in which form stage 2 pushes wrong key tokens down?",
  arms: [.stage1] + forms.map { Arm(then: $0) },
  settings: DistillationSetup.settings(objectives: forms)
    .with("beta", [.number(-0.025), .number(-0.5)]),
  seeds: 5,
  summary: .accuracies + [
    MetricKey("in domain", .pairwiseAccuracy), MetricKey("in domain", .keyTokenAccuracy),
  ],
  example: """
    make experiment NAME=negative-forms ARGS="--beta -0.5 --clip 2,5,10 --seeds 3"
    """
) { setup, run in
  try setup.run(run, then: ObjectiveEntry(named: run.settings.arm))
}

experiment.main()
