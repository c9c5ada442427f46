import ArgumentParser
import Distillation
import Files
import LanguageModel
import Parameters

/// The flags are in `TrainOptions` and `ValidationOptions`, what is made of them in `TrainingRun`, what is printed and
/// recorded in `TrainingReport`, and `--dry-run` in `TrainDryRun`.
struct TrainCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "train", abstract: "Train a student: a stage of EDIT, or supervised fine-tuning.",
    discussion: """
      What is left out takes the paper's value for the stage: stage 1 (learning rate 2e-4, weight \
      decay 0.05, 15 epochs) or stage 2 (5e-6, none, 10 epochs); both 256 examples a step, × 0.95 an \
      epoch, LoRA of rank 64, alpha 32 and dropout 0.05 on q_proj and v_proj.

      Objectives, with the parameters that each has as flags:
      \(ObjectiveEntry.help)

      Stage 2 continues stage 1's adapter with --adapter. To train a fresh one instead, write the \
      weights with the first one merged (keystep merge) and give them as --model.

      Weights of your own for each token: --objective sft (chains) or krsl (pairs) with --weights.

      --output also gets steps.csv, the learning curve, and training_summary.json. docs/training.md has \
      validation, early stopping, length limits, dry runs and plots.

      Example: keystep train --model models/SmolLM2-135M-Instruct.Q4_1.gguf --pairs pairs.jsonl \
      --objective krsl --batch-size 8 --steps 20 --output runs/krsl --json
      """)

  @OptionGroup(title: "Student") var student: TrainedStudentOptions
  @OptionGroup(title: "Examples") var examples: ExampleOptions
  @OptionGroup(title: "Objective") var objective: ObjectiveOptions
  @OptionGroup(title: "Trained parameters") var tuning: TuningOptions
  @OptionGroup(title: "Steps") var steps: OptimisationOptions
  @OptionGroup(title: "Validation") var validation: ValidationOptions
  @OptionGroup(title: "Saving") var saving: SavingOptions
  @OptionGroup(title: "Computing") var compute: ComputeOptions
  @Flag(
    help: """
      Keep only the layers' inputs of each forward and compute the rest again in the backward: a \
      fraction of the memory, about a third more time, the same result.
      """)
  var gradientCheckpointing = false
  @Flag(
    help: """
      Print what the run would take (tokens, steps, parameters, memory, time) after timing a few of its \
      steps. Nothing is written.
      """)
  var dryRun = false
  @Flag(help: "Print JSON lines: one for each step, or with --dry-run one for all.")
  var json = false

  func validate() throws {
    let entry = objective.objective
    let hasWeights = examples.weightsFile != nil
    var problems = student.problems(compute) + examples.problems(entry) + objective.problems
    problems += tuning.problems(student, compute) + steps.problems
    problems += validation.problems(
      entry, hasWeights: hasWeights, hasOutput: saving.output != nil)
    problems += saving.problems
    if dryRun, saving.resume { problems.append("--dry-run goes without --resume") }
    try report(problems) { () throws(UsageError) in
      _ = try objective.values(hasWeights: hasWeights)
    }
  }

  func run() throws {
    let run = try TrainingRun(self)
    if dryRun {
      try run.showCost()
    } else if let output = saving.output {
      try run.train(to: output)
    } else {
      try run.train()
    }
  }
}
