import Checkpoints
import Distillation
import Experiments
import Files
import KeySteps
import Recipes
import Tokenizers

/// The ways to find key tokens, by the arm's name.
let choices: [(name: String, choice: KeyTokenChoice, help: String)] = [
  ("token", KeyTokenChoice(), "the edit script over tokens, one for each side: the paper's"),
  ("shared script", KeyTokenChoice(sharesScript: true), "one script over tokens for both sides"),
  (
    "padded", KeyTokenChoice(scope: .paddedSequence),
    "prompt and response padded to one length, as the released code aligns them"
  ),
  ("word", KeyTokenChoice(unit: .word), "the script over words"),
  ("sentence", KeyTokenChoice(unit: .sentence), "the script over sentences"),
  ("step", KeyTokenChoice(unit: .step), "over tokens; each marks the whole sentence it stands in"),
  (
    "first run", KeyTokenChoice(onlyFirstRejectedRun: true),
    "the first divergent run of the rejected side alone"
  ),
]

/// The files that pairs are read from, by flag.
let files = [
  ("tokenizer", "of a model, to read the other files with: .gguf, or a folder with tokenizer.json"),
  ("tracking_shuffled_objects", "BIG-Bench Mistake's tracking_shuffled_objects.jsonl"),
  ("multistep_arithmetic", "BIG-Bench Mistake's multistep_arithmetic.jsonl"),
  ("mr_gsm8k", "MR-GSM8K's wrong solutions, paired with the published ones"),
  ("gsm8k_solutions", "GSM8K's example_model_solutions.jsonl, for the nearest right solutions"),
]

/// The pairs of each source that there is a file for, by the source's name.
func pairs(_ context: PreparationContext) throws -> [(source: String, pairs: LabelledPairs)] {
  func path(_ name: String) -> String? { context.settings[name]?.description }
  var pairs = [
    (
      source: "simulated",
      pairs: try LabelledPairs.simulated(
        questions: context.settings.integer("questions"), seed: 1, folder: context.folder)
    )
  ]
  guard let model = path("tokenizer") else {
    if let (name, _) = files.dropFirst().first(where: { path($0.0) != nil }) {
      throw FileError(
        file: path(name) ?? name, expected: "--tokenizer to read it with", found: "none")
    }
    return pairs
  }
  let tokenizer = try ExampleTokenizer(Tokenizer(path: model))
  for (source, flag) in [
    ("tracking, corrected", "tracking_shuffled_objects"),
    ("arithmetic, corrected", "multistep_arithmetic"),
  ] {
    if let file = path(flag) { pairs.append((source, try .corrected(file, tokenizer))) }
  }
  if let file = path("mr_gsm8k") {
    pairs.append(("gsm8k, published", try .published(file, tokenizer)))
    if let solutions = path("gsm8k_solutions") {
      pairs.append(
        ("gsm8k, nearest", try .published(file, nearestOf: solutions, tokenizer)))
    }
  }
  return pairs
}

let experiment = Experiment(
  name: "key-token-validity", question: "Do key tokens find the mistake?",
  arms: choices.map { Arm($0.name, help: $0.help) }, reference: choices[0].name,
  settings: files.map { Setting($0.0, .file, [], isAxis: false, help: $0.1) } + [
    Setting(
      "questions", .integer(1...1_000_000), [.integer(2000)], smoke: [.integer(32)], isAxis: false,
      help: "problems of the simulated teacher")
  ],
  seeds: 1,
  summary: [.keyTokensInMistake, .keyTokensAfterMistake, .mistakeRecall, .firstRunInMistake]
    .map { MetricKey($0, group: "simulated") },
  example: """
    make experiment NAME=key-token-validity ARGS="--arms token,word"
    """
) { context in
  let pairs = try pairs(context)
  var checksums: [String: String] = [:]
  for (name, _) in files {
    guard let file = context.settings[name]?.description else { continue }
    checksums[name] =
      try name == "tokenizer" ? Checkpoint.checksum(at: file) : SHA256.hex(ofFileAt: file)
  }
  return Prepared(
    checksums: checksums,
    notes: pairs.map { "\($0.source): \($0.pairs.pairs.count) pairs, \($0.pairs.leftOut) left out" }
  ) { run in
    guard let found = choices.first(where: { $0.name == run.settings.arm }) else {
      preconditionFailure("no arm is called \(run.settings.arm)")
    }
    return pairs.flatMap { $0.pairs.metrics(of: found.choice, source: $0.source) }
  }
}

experiment.main()
