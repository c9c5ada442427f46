import Distillation
import Experiments
import Recipes

let usesCheckpoint = DistillationSetup.usesCheckpoint()

let presets: [StudentPreset] = [.proceduralSmall, .procedural, .proceduralMedium]

/// A checkpoint has its size.
let size: [Setting] =
  usesCheckpoint
  ? []
  : [
    Setting(
      "preset", .choice(StudentPreset.allCases.map(\.rawValue)),
      presets.map { .text($0.rawValue) }, smoke: [.text(StudentPreset.proceduralSmall.rawValue)],
      help: "the student's shape; README.md has the sizes")
  ]

let experiment = Experiment(
  distillation: "student-size",
  question: "Does what EDIT gains over fine-tuning depend on the student's size?",
  arms: [Arm(.standardCoT), Arm(.edit)], reference: TrainingArm.standardCoT.name,
  settings: DistillationSetup.settings() + size,
  seeds: 3,
  summary: [
    "validation accuracy", "in domain accuracy", "out of domain accuracy",
    "in domain prefers right chain",
  ],
  example: """
    make experiment NAME=student-size ARGS="--preset procedural-small,procedural-large --seeds 1"
    """
) { setup, run in
  try setup.run(run)
}

experiment.main()
