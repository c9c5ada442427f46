import Checkpoints
import Distillation
import Experiments
import Recipes

/// EDIT with β on the first divergent run of the rejected response alone.
let firstRuns = "krsl on first runs"

/// Every linear layer of a Llama-style student.
let projections: [ProjectionName] = [.query, .key, .value, .output, .gate, .up, .down]

let objectives: [ObjectiveEntry] = [.chains, .keySteps, .chosenOnly, .positivePreference]

let experiment = Experiment(
  distillation: "big-bench-hard",
  question: "Does EDIT's second stage help a pretrained student on BIG-Bench Hard?",
  arms: [
    .stage1, Arm(then: .chains), Arm(then: .keySteps),
    Arm(
      firstRuns, then: .keySteps, without: ["rejected_tokens"],
      help: "KRSL with β on the rejected response's first divergent run alone"),
    Arm(then: .chosenOnly), Arm(then: .positivePreference),
  ],
  settings: DistillationSetup.settings(objectives: objectives)
    .with("lora_targets", [.text(projections.map(\.rawValue).joined(separator: "+"))])
    .with("stage1_steps", [.integer(1400)], variant: [.integer(240)])
    .with("stage1_schedule", [.text("cosine")], variant: [.text("cosine")])
    .with("stage1_learning_rate", [.number(2e-3)], variant: [.number(5e-4)])
    .with("stage2_steps", [.integer(60)], variant: [.integer(40)])
    .with("learning_rate", [.number(1e-4)], variant: [.number(2e-5), .number(1e-4)])
    .with("precision", [.text("fp32")], variant: [.text("bf16")])
    .with("batch_size", [.integer(16)], variant: [.integer(8)])
    .with("validation_questions", [.integer(200)], smoke: [.integer(16)], variant: [.integer(100)])
    .with("test_questions", [.integer(500)], smoke: [.integer(16)], variant: [.integer(300)])
    .with("max_new_tokens", [.integer(120)], smoke: [.integer(40)], variant: [.integer(400)]),
  seeds: 5,
  summary: .accuracies + [
    MetricKey("in domain", .accuracy.macro), MetricKey("in domain", .stepAccuracy),
  ],
  example: """
    make experiment NAME=big-bench-hard MODEL=student.gguf ARGS="--data bbh --seeds 3"
    """
) { setup, run in
  guard run.settings.arm == firstRuns else {
    return try setup.run(run, then: ObjectiveEntry(named: run.settings.arm))
  }
  let training = setup.training(run.settings)
  let first = try setup.firstStage(run, on: training.chains)
  let student = try setup.secondStudent(after: first, run.settings)
  let objective = try ObjectiveEntry.keySteps.objective(
    training, run.settings.values.merging(["rejected_tokens": .text("first-run")]) { $1 },
    seed: run.settings.seed
  ) {
    preconditionFailure("\(firstRuns) compares with no model")
  }
  return try setup.secondStage(student, objective, run) + setup.measure(student, run)
}

experiment.main()
