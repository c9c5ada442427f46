import Distillation
import Experiments
import Recipes

let experiment = Experiment(
  distillation: "data-size",
  question: "Is a student better served by more questions or by better chains?",
  arms: [
    Arm(
      "right", then: .keySteps, without: ["incorrect_fraction"],
      help: "the teacher's originally correct chains alone"),
    Arm(
      "right and rectified", then: .keySteps, without: ["incorrect_fraction"],
      optional: .pretrained,
      help: "rectified ones too, so that all questions have a correct chain"),
    Arm(
      "right and wrong", then: .keySteps,
      help: "the same with incorrect chains in place of correct ones"),
  ],
  reference: "right",
  settings: DistillationSetup.settings()
    .with(
      "stage2_steps", [.integer(0), .integer(60)], variant: [.integer(0), .integer(20)]) + [
      Setting(
        "questions", .integer(1...10_000_000), [.integer(1000), .integer(4000)],
        smoke: [.integer(32)], variant: [.integer(100), .integer(300)],
        help: "that the student learns from"),
      Setting(
        "incorrect_fraction", .number(0...1), [.number(0.3)],
        help: "of them with an incorrect chain"),
    ],
  seeds: 4,
  summary: .accuracies + [MetricKey("in domain", .keyTokenNLL)],
  example: """
    make experiment NAME=data-size ARGS="--questions 500,2000 --incorrect-fraction 0.1,0.3,0.5 --seeds 3"
    """
) { setup, run in
  let settings = run.settings
  let seed = UInt64(settings.integer("data_seed"))
  var training = setup.training(settings).ofQuestions(settings.integer("questions"), seed: seed)
  switch settings.arm {
  case "right": training = training.withoutRectified
  case "right and wrong":
    training = training.takingRejectedForCorrect(
      fraction: settings.number("incorrect_fraction"), seed: seed)
  default: break
  }
  return try setup.run(run, firstStageOn: training, then: .keySteps, on: training)
}

experiment.main()
