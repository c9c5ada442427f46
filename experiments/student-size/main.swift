import Distillation
import Experiments
import Recipes

let presets: [StudentPreset] = [.proceduralSmall, .procedural, .proceduralMedium]

let size = Setting(
  "preset", .choice(StudentPreset.allCases.map(\.rawValue)), presets.map { .text($0.rawValue) },
  smoke: [.text(StudentPreset.proceduralSmall.rawValue)], availability: .fromScratch,
  help: "the student's shape; README.md has the sizes")

let experiment = Experiment(
  distillation: "student-size",
  question: "Does what EDIT gains over fine-tuning depend on the student's size?",
  arms: [Arm(.standardCoT), Arm(.edit)], reference: TrainingArm.standardCoT.name,
  settings: DistillationSetup.settings() + [size],
  seeds: 3,
  summary: .accuracies + [MetricKey("in domain", .pairwiseAccuracy)],
  example: """
    make experiment NAME=student-size ARGS="--preset procedural-small,procedural-large --seeds 1"
    """
) { setup, run in
  try setup.run(run)
}

experiment.main()
