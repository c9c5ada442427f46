import Distillation
import Experiments
import Recipes

let objectives: [ObjectiveEntry] = [.chains, .keySteps, .directPreference]

let experiment = Experiment(
  distillation: "adapter-spectrum",
  question: "What room does a second stage need, and does it go another way than stage 1?",
  arms: [.stage1] + objectives.map { Arm(then: $0) },
  settings: DistillationSetup.settings(objectives: objectives)
    .with("learning_rate", [.number(5e-4)], variant: [.number(2e-4)])
    // The second stage's adapter is always a fresh one.
    .filter { $0.name != "stage2_adapter" } + DistillationSetup.adapterSettings,
  seeds: 5,
  summary: [
    MetricKey("in domain", .accuracy), MetricKey("out of domain", .accuracy),
    MetricKey("in domain", .keyTokenNLL), MetricKey(.effectiveRank), MetricKey(.stableRank),
    MetricKey(.updateOverWeight), MetricKey(.outputOverlap), MetricKey(.inputOverlap),
  ],
  example: """
    make experiment NAME=adapter-spectrum ARGS="--adapter-rank 2,64 --adapter-start noise"
    """
) { setup, run in
  try setup.runAdapter(run)
}

experiment.main()
