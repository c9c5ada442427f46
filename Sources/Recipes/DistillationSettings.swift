import Checkpoints
import Distillation
import Experiments
import LanguageModel
import LinearAlgebra
import Reasoning

extension Condition {
  /// With `--model`.
  public static let pretrained = Condition.inVariant
  /// Without `--model`.
  public static let fromScratch = Condition.outsideVariant
}

extension DistillationSetup {
  /// The settings that every distillation experiment has.
  ///
  /// Their defaults are those of the embedded student, which is trained from scratch, or (as the
  /// variant's) those that fit a pretrained one of 135 M parameters on a CPU. The second stage is
  /// EDIT's, at the paper's weights.
  ///
  /// They end with the parameters of stage 1 and of `objectives`, those of the experiment's arms.
  public static func settings(objectives: [ObjectiveEntry] = [.keySteps]) -> [Setting] {
    studentSettings + trainingSettings + secondStageSettings
      + .parameters(of: [.chains] + objectives)
  }

  private static let count = Setting.Kind.integer(0...10_000_000)

  private static let studentSettings = [
    Setting(
      modelSetting, .file, [], isAxis: false,
      help: "a pretrained student: a .gguf file or a Hugging Face folder"),
    Setting(
      "base_dtype", .choice(Decoder.WeightForm.allCases.map(\.rawValue)),
      [.text(Decoder.WeightForm.fp32.rawValue)], availability: .pretrained, isAxis: false,
      help: "fp32, or stored: the student's own matrices in their file's type"),
    Setting(
      "pairs", .file, [], availability: .pretrained, isAxis: false,
      help: "dual pairs as JSON lines; beside --data those to train on in place of the folder's"),
    Setting(
      "data", .file, [], availability: .pretrained, isAxis: false,
      help: "a folder that keystep edit-data wrote, with chains, pairs and held-out questions"),
    Setting(
      specialTokensSetting, .flag, [.text("true")], availability: .pretrained, isAxis: false,
      help: "whether prompts begin with the tokenizer's start tokens (BOS), if it has any"),
    Setting(
      "train_questions", count, [.integer(4000)], smoke: [.integer(64)],
      availability: .fromScratch, isAxis: false, help: "questions that the teacher answers"),
    Setting(
      "training_sets", .integer(1...10_000), [.integer(1)], availability: .fromScratch,
      isAxis: false,
      help:
        "sets of such questions with the teacher's chains, which seeds take in turn; the tests are the same"
    ),
    Setting(
      "tasks", .names(ProceduralTask.allCases.map(\.rawValue)), [.text("arithmetic+boolean")],
      availability: .fromScratch, isAxis: false, help: "kinds of problems, which take turns"),
    Setting(
      "problem_steps", .names(problemSteps), [.text("2+3+4")], availability: .fromScratch,
      isAxis: false, help: "steps of a problem, each equally often"),
    Setting(
      "out_of_domain_steps", .names(problemSteps), [.text("5")], availability: .fromScratch,
      isAxis: false, help: "the same of problems out of domain"),
    Setting(
      "held_out_operators", .names(heldOutOperators), [], availability: .fromScratch,
      isAxis: false,
      help: "operators of problems out of domain alone, one at least in each of a task that has any"
    ),
    Setting(
      "teacher_accuracy", .number(0...1), [.number(0.7)], availability: .fromScratch,
      isAxis: false, help: "how often the teacher's first answer is right"),
    Setting(
      "teacher_step_accuracy", .number(0...1), [.integer(1)], availability: .fromScratch,
      isAxis: false,
      help: "a factor of that for each step of the problem, so that longer ones are harder"),
    Setting(
      "validation_questions", count, [.integer(200)], smoke: [.integer(16)],
      availability: .fromScratch, isAxis: false, help: "questions on which settings are chosen"),
    Setting(
      "validation_questions", count, [.integer(40)], availability: .pretrained, isAxis: false,
      help: "questions held out, on which settings are chosen"),
    Setting(
      "test_questions", count, [.integer(500)], smoke: [.integer(16)],
      availability: .fromScratch, isAxis: false, help: "questions of each test"),
    Setting(
      "test_questions", count, [.integer(100)], availability: .pretrained, isAxis: false,
      help: "questions held out, scored once"),
    Setting(
      "max_new_tokens", .integer(1...512), [.integer(120)], smoke: [.integer(40)],
      availability: .fromScratch, help: "tokens of an answer"),
    Setting(
      "max_new_tokens", .integer(1...8192), [.integer(160)], availability: .pretrained,
      help: "tokens of an answer"),
    Setting(
      "lora_rank", .integer(1...4096), [.integer(64)], availability: .pretrained,
      help: "rank of the adapter"),
    Setting(
      "lora_alpha", .number(0...4096), [.integer(32)], availability: .pretrained,
      help: "alpha of the adapter"),
    Setting(
      "lora_dropout", .number(0...0.99), [.number(0.05)], availability: .pretrained,
      help: "dropout of the adapter's input"),
    Setting(
      targetsSetting, .names(ProjectionName.allCases.map(\.rawValue)), [defaultTargets],
      availability: .pretrained, help: "projections that the adapter is on"),
  ]

  private static let problemSteps = (1...12).map(String.init)

  /// Those that may be held out: all but `+`, which joins names, and those that begin a spreadsheet's formula.
  private static let heldOutOperators = ProceduralTask.allCases.flatMap(\.operators)
    .filter { !["+", "-", "@"].contains($0) }

  /// The projections of stage 1's adapter, and of a fresh one of the second stage.
  static let targetsSetting = "lora_targets"
  static let adapterTargetsSetting = "adapter_targets"

  /// The query and value projections, as in EDIT.
  static let defaultTargets = SettingValue.text(
    [ProjectionName.query, .value].map(\.rawValue).joined(separator: "+"))

  private static let schedule = Setting.Kind.choice(["constant", "cosine", "exponential"])

  private static let trainingSettings = [
    Setting(
      "data_seed", .integer(0...Int.max), [.integer(1)], isAxis: false,
      help: "of problems, or of the split"),
    Setting(
      "stage1_steps", count, [.integer(1400)], smoke: [.integer(3)], variant: [.integer(20)],
      help: "of supervised fine-tuning"),
    Setting(
      "stage1_learning_rate", .number(0...1), [.number(2e-3)], variant: [.number(2e-4)],
      help: "highest learning rate of stage 1"),
    Setting(
      "stage1_schedule", schedule, [.text("cosine")], variant: [.text("constant")],
      help: "learning rate schedule of stage 1"),
    Setting(
      "stage1_weight_decay", .number(0...1), [.number(0.01)], variant: [.number(0.05)],
      help: "AdamW's weight decay in stage 1"),
    Setting(
      "stage2_steps", count, [.integer(60)], smoke: [.integer(2)], variant: [.integer(20)],
      help: "of the second stage"),
    Setting(
      "stage2_epochs", .number(0...10_000), [],
      help: "length of the second stage in epochs of the dual pairs, in place of its steps"),
    Setting(
      "match", .choice([matchingByTask] + AnswerRule.Matching.allCases.map(\.rawValue)),
      [.text(matchingByTask)],
      help:
        "how answers are compared; \(matchingByTask): procedural tasks strictly, others by value"
    ),
    Setting(
      "precision", .choice(Precision.allCases.map(\.rawValue)), [.text(Precision.fp32.rawValue)],
      help: "format that the operands of matrix products are rounded to"),
    Setting("batch_size", .integer(1...100_000), [.integer(16)], help: "chains or pairs per step"),
    Setting(
      "warmup_ratio", .number(0...1), [.number(0.1)],
      help: "fraction of the steps in which cosine's learning rate rises"),
    Setting("max_warmup_steps", count, [.integer(30)], help: "upper limit of those steps"),
    Setting(
      "min_lr_ratio", .number(0...1), [.number(0.05)],
      help: "cosine's last learning rate as a fraction of the highest"),
    Setting(
      "lr_decay", .number(0...1), [.number(0.95)],
      help: "factor of exponential's learning rate per epoch"),
    Setting("adam_beta1", .number(0...0.9999), [.number(0.9)], help: "AdamW's β1"),
    Setting(
      "adam_beta2", .number(0...0.9999), [.number(0.98)], variant: [.number(0.999)],
      help: "AdamW's β2"),
    Setting("adam_epsilon", .number(0...1), [.number(1e-8)], help: "AdamW's ε"),
    Setting(
      "max_grad_norm", .number(0...1_000_000), [.integer(1)],
      help: "norm to which larger gradients are scaled; 0 for no clipping"),
    Setting(
      "non_finite", .choice(NonFiniteStep.allCases.map(\.rawValue)),
      [.text(NonFiniteStep.stop.rawValue)],
      help: "at a step whose loss or gradient is not finite: stop the run, skip the step, or also "
        + "halve the learning rate"),
  ]

  private static let secondStageSettings = [
    Setting(
      "learning_rate", .number(0...1), [.number(1e-4)], variant: [.number(5e-5)],
      help: "highest learning rate of the second stage"),
    Setting(
      "schedule", schedule, [.text("constant")], help: "learning rate schedule of the second stage"),
    Setting(
      "weight_decay", .number(0...1), [.integer(0)],
      help: "AdamW's weight decay in the second stage"),
    Setting(
      "validation_interval", count, [.integer(0)],
      help:
        "steps of the second stage after which validation is scored for the learning curve; 0 for never"
    ),
    Setting(
      secondAdapterSetting, .choice(SecondStageAdapter.allCases.map(\.rawValue)),
      [.text(SecondStageAdapter.continued.rawValue)], availability: .pretrained,
      help: "continue trains stage 1's adapter further; fresh a new one on the weights with it "
        + "merged, as the released code does"),
  ]

  /// What a pretrained student's second stage trains.
  enum SecondStageAdapter: String, CaseIterable {
    case continued = "continue"
    case fresh
  }

  static let secondAdapterSetting = "stage2_adapter"
}

extension [Setting] {
  /// The same with procedural problems on which stage 1 scores 40 to 80 %, so that a second stage can help as well as
  /// harm: fewer training questions, a length that training leaves out, and another training set for each of three
  /// seeds.
  public func withHarderProblems() -> [Setting] {
    with("train_questions", [.integer(500)]).with("training_sets", [.integer(3)])
      .with("test_questions", [.integer(300)], variant: [.integer(100)])
      .with("stage1_steps", [.integer(700)], variant: [.integer(20)])
      .with("problem_steps", [.text("2+4")]).with("out_of_domain_steps", [.text("3")])
  }

  /// The same with a teacher that is right on 61 % of the problems of two steps and on 39 % of those of four, so that
  /// rectified chains teach what the originally right ones lack: the long problems.
  public func withDifficultTeaching() -> [Setting] {
    with("teacher_accuracy", [.number(0.95)]).with("teacher_step_accuracy", [.number(0.8)])
  }
}
