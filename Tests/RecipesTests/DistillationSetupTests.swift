import Checkpoints
import Distillation
import Experiments
import Files
import Foundation
import Reasoning
import Recipes
import Teachers
import TestSupport
import Testing

@Suite struct DistillationSetupTests {
  private static let settings = ProceduralData.Settings(
    trainQuestions: 12, validationQuestions: 5, testQuestions: 6, outOfDomainQuestions: 7, seed: 3)

  @Test("Procedural data are those of their seed, and no question of training is one of a test's")
  func procedural() throws {
    let folder = try TemporaryFolder()
    let data = try ExperimentData(procedural: Self.settings, folder: folder.path)
    let again = try ExperimentData(procedural: Self.settings, folder: folder.path + "/again")
    #expect(
      data.checksums == again.checksums && Set(data.checksums.keys) == ["problems", "tokenizer"])
    #expect(
      data.trainingSets[0].pairs == again.trainingSets[0].pairs
        && data.trainingSets[0].correct == again.trainingSets[0].correct
    )
    var other = Self.settings
    other.seed = 4
    let others = try ExperimentData(procedural: other, folder: folder.path + "/other")
    #expect(others.checksums["problems"] != data.checksums["problems"])
    #expect(others.checksums["tokenizer"] == data.checksums["tokenizer"])

    #expect(data.validation.questions.count == 5)
    #expect(data.tests.map(\.name) == ["in domain", "out of domain"])
    #expect(data.tests.map(\.questions.count) == [6, 7])
    #expect(data.trainingSets[0].chains.count <= 12 && !data.trainingSets[0].correct.isEmpty)
    let trained = Set(
      data.trainingSets[0].chains.map(\.prompt) + data.trainingSets[0].pairs.map(\.prompt))
    for test in [data.validation] + data.tests {
      #expect(trained.isDisjoint(with: test.questions.map(\.tokens)))
      #expect(trained.isDisjoint(with: test.pairs.map(\.prompt)))
      #expect(test.majorityBaselines.allSatisfy { $0.accuracy > 0 })
      #expect(test.questions.allSatisfy { !$0.prompt.isGoldAnswerDerived })
    }
  }

  /// Sixteen pairs of eight questions, as words that are the ids of the `tied` fixture's tokens.
  private func pairsFile(_ folder: TemporaryFolder) throws -> String {
    let lines = (0..<16).map { index in
      #"{"prompt": "\#(10 + index / 2) 4", "chosen": "5 \#(30 + index)", "rejected": "6 7", "#
        + #""id": "q\#(index)", "answer": "5"}"#
    }
    try folder.write(lines.joined(separator: "\n"), to: "pairs.jsonl")
    return folder.path + "/pairs.jsonl"
  }

  @Test("A task whose name a spreadsheet would run as a formula is refused, since the CSV has it")
  func formulas() throws {
    let folder = try TemporaryFolder()
    try folder.write(
      #"{"prompt": "1", "chosen": "2", "rejected": "3", "id": "a", "task": "=1+1"}"#,
      to: "pairs.jsonl")
    let path = folder.path + "/pairs.jsonl"
    let student = try Student(path: numberedModel(in: folder.path))
    let error = #expect(throws: FileError.self) {
      try ExperimentData(pairs: path, for: student, validation: 0, test: 0, splitSeed: 1)
    }
    #expect(error?.file == path && error?.location == "task of a" && error?.found == #""=1+1""#)
  }

  @Test("A file's pairs are split by question, by the seed, and too few questions are an error")
  func file() throws {
    let folder = try TemporaryFolder()
    let path = try pairsFile(folder)
    let student = try Student(path: numberedModel(in: folder.path))
    func data(_ seed: UInt64, test: Int = 4) throws -> ExperimentData {
      try ExperimentData(pairs: path, for: student, validation: 2, test: test, splitSeed: seed)
    }
    let first = try data(1)
    #expect(
      try data(1).trainingSets[0].pairs == first.trainingSets[0].pairs
        && data(1).checksums == first.checksums)
    #expect(try data(2).checksums["split"] != first.checksums["split"])
    #expect(try data(2).checksums["pairs"] == first.checksums["pairs"])
    #expect(first.validation.questions.count == 2 && first.tests[0].questions.count == 4)
    #expect(
      first.trainingSets[0].pairs.count == 10 && first.trainingSets[0].correct.count == 10
        && first.trainingSets[0].rectified.isEmpty)
    // Two pairs of one question are on the same side.
    let trained = Set(first.trainingSets[0].pairs.map(\.prompt))
    #expect(trained.count == 5)
    let held = (first.tests[0].questions + first.validation.questions).map(\.tokens)
    #expect(trained.isDisjoint(with: held))
    #expect(
      first.trainingSets[0].correct.map(\.response) == first.trainingSets[0].pairs.map(\.chosen))
    let error = #expect(throws: FileError.self) { try data(1, test: 14) }
    #expect(error?.description.contains("more than 16 questions") == true)
  }

  @Test("A folder of edit-data gives chains, pairs and tests, as many questions as asked for")
  func folder() throws {
    let folder = try TemporaryFolder()
    func pair(_ index: Int) -> String {
      #"{"prompt": "\#(10 + index) 4", "chosen": "5 \#(30 + index)", "rejected": "6 7", "#
        + #""id": "q\#(index)", "answer": "5", "task": "pens"}"#
    }
    func prompt(_ index: Int) -> String {
      #"{"prompt": "\#(10 + index) 4", "id": "q\#(index)", "answer": "5", "task": "pens"}"#
    }
    func chain(_ index: Int, _ rest: String) -> String {
      #"{"prompt": "\#(10 + index) 4", "response": "5 \#(30 + index)", "id": "q\#(index)", \#(rest)}"#
    }
    func write(_ lines: [String], _ name: String) throws {
      try folder.write(lines.joined(separator: "\n"), to: "data/\(name).jsonl")
    }
    try FileManager.default.createDirectory(
      atPath: folder.path + "/data", withIntermediateDirectories: true)
    try write(
      [
        chain(0, #""is_correct": true"#), chain(1, #""is_correct": false"#),
        chain(2, #""is_correct": true, "origin": "rectified""#),
      ], "train.chains")
    try write([pair(0), pair(2)], "train.pairs")
    try write((3..<9).map(prompt), "test.prompts")
    try write((3..<9).map(pair), "test.pairs")
    try write((9..<12).map(prompt), "validation.prompts")
    let student = try Student(path: numberedModel(in: folder.path))
    func data(_ seed: UInt64 = 1, pairs: String? = nil) throws -> ExperimentData {
      try ExperimentData(
        folder: folder.path + "/data", pairs: pairs, for: student, validation: 2, test: 4,
        seed: seed)
    }
    let first = try data()
    #expect(first.trainingSets[0].correct.map(\.id) == ["q0"])
    #expect(first.trainingSets[0].rectified.map(\.id) == ["q2"])
    #expect(first.trainingSets[0].pairs.map(\.id) == ["q0", "q2"])
    #expect(first.validation.questions.count == 2 && first.validation.pairs.isEmpty)
    #expect(first.tests.map(\.name) == ["in domain"])
    let ids = first.tests[0].questions.map(\.prompt.id)
    #expect(ids.count == 4 && ids == ids.sorted() && first.tests[0].pairs.map(\.id) == ids)
    #expect(try data().tests[0].questions == first.tests[0].questions)
    #expect(
      try (2..<12).contains { try data(UInt64($0)).tests[0].questions != first.tests[0].questions })

    // Another file of pairs, and questions of another domain.
    try write([pair(2)], "own")
    try write((20..<22).map(prompt), "out-of-domain.prompts")
    let own = try data(pairs: folder.path + "/data/own.jsonl")
    #expect(own.trainingSets[0].pairs.map(\.id) == ["q2"])
    #expect(own.tests.map(\.name) == ["in domain", "out of domain"])
    #expect(own.tests[1].questions.count == 2 && own.checksums != first.checksums)

    try write([], "train.pairs")
    let empty = #expect(throws: FileError.self) { try data() }
    #expect(empty?.description.contains("train.pairs.jsonl") == true)
    try FileManager.default.removeItem(atPath: folder.path + "/data/test.prompts.jsonl")
    let missing = #expect(throws: FileError.self) {
      try data(pairs: folder.path + "/data/own.jsonl")
    }
    #expect(missing?.file.hasSuffix("test.prompts.jsonl") == true)
  }

  /// Pairs of eight questions of the task `pens`, without gold answers.
  private func data(chosen: (Int) -> String, in folder: TemporaryFolder) throws -> ExperimentData {
    let lines = (0..<8).map { index in
      #"{"prompt": "\#(10 + index) 4", "chosen": "\#(chosen(index))", "rejected": "6 7", "#
        + #""task": "pens", "id": "q\#(index)"}"#
    }
    try folder.write(lines.joined(separator: "\n"), to: "no-answers.jsonl")
    return try ExperimentData(
      pairs: folder.path + "/no-answers.jsonl",
      for: Student(path: numberedModel(in: folder.path)), validation: 2, test: 4, splitSeed: 1)
  }

  @Test("Pairs without gold answers take them from their chosen chains, and say so")
  func derivedGoldAnswers() throws {
    let folder = try TemporaryFolder()
    let derived = try data(chosen: { "5 The answer is \(20 + $0)" }, in: folder)
    let test = derived.tests[0]
    #expect(
      test.questions.map(\.prompt.goldAnswer)
        == test.questions.map { question in
          Int(question.prompt.id.dropFirst()).map { "\(20 + $0)" }
        })
    #expect(test.questions.allSatisfy { $0.prompt.isGoldAnswerDerived })
    #expect(test.goldAnswerNote == "4 gold answers taken from chosen chains")
    let missing = try data(chosen: { "5 \($0)" }, in: folder).tests[0]
    #expect(missing.questions.allSatisfy { $0.prompt.goldAnswer == nil })
    #expect(missing.goldAnswerNote?.hasPrefix("no accuracy: 4 questions without") == true)
  }

  /// Both stages at a size that takes no time.
  private func experiment(_ log: Log, name: String = "tiny") -> Experiment {
    Experiment(
      distillation: name, question: "", arms: [Arm("one", help: ""), Arm("two", help: "")],
      reference: "one", seeds: 2, summary: [], example: ""
    ) { setup, run in
      let student = try setup.firstStage(run, on: setup.data.trainingSets[0].correct)
      log.add("\(run.settings.seed): \(student.trainable.buffer.floats.reduce(0, +))")
      let training =
        run.settings.arm == "two"
        ? try setup.secondStage(student, .keySteps(setup.data.trainingSets[0].pairs), run) : []
      return training + (try setup.measure(student, run))
    }
  }

  /// The CSV without what depends on the moment.
  private func rows(_ folder: TemporaryFolder) throws -> [String] {
    try folder.text("tiny.csv").split(separator: "\n").map {
      $0.split(separator: ",", omittingEmptySubsequences: false).dropLast(2).joined(separator: ",")
    }.filter { !$0.contains("speed") }
  }

  @Test(
    "Stage 1 is trained once for a seed and reused by its arms, and a seed gives the same figures again"
  )
  func stages() throws {
    let arguments = [
      "--train-questions", "8", "--validation-questions", "3", "--test-questions", "4",
      "--stage1-steps", "2", "--stage2-steps", "1", "--batch-size", "4", "--max-new-tokens", "4",
    ]
    var tables: [[String]] = []
    for _ in 0..<2 {
      let folder = try TemporaryFolder()
      let log = Log()
      let status = experiment(log).run(
        arguments + ["--output", folder.path + "/tiny.csv"], folder: folder.path + "/runs")
      #expect(status == 0)
      #expect(folder.names("runs/stages").count == 2)
      #expect(log.all.count == 4 && Set(log.all).count == 2)
      tables.append(try rows(folder))
      // Another experiment takes the stages that are there.
      let other = experiment(log, name: "other").run(
        arguments + ["--output", folder.path + "/other.csv"], folder: folder.path + "/runs")
      #expect(other == 0 && folder.names("runs/other/records", ending: ".json").count == 4)
      #expect(folder.names("runs/stages").count == 2 && Set(log.all).count == 2)
    }
    #expect(tables[0] == tables[1])
    for metric in ["accuracy,", "majority_baseline,", "pairwise_accuracy,", "key_token_accuracy,"] {
      #expect(tables[0].contains { $0.contains("in domain,\(metric)") }, "\(metric)")
    }
    #expect(tables[0].contains { $0.contains(",two,") && $0.contains("stage2_last_loss") })
  }

  @Test("A pretrained student's adapter is trained, shared and measured")
  func pretrained() throws {
    let folder = try TemporaryFolder()
    let log = Log()
    let arguments = [
      "--model", try numberedModel(in: folder.path), "--pairs", try pairsFile(folder),
      "--validation-questions", "2", "--test-questions", "4", "--max-new-tokens", "3",
      "--stage1-steps", "2", "--stage2-steps", "1", "--batch-size", "4", "--lora-rank", "2",
      "--seeds", "2",
      "--output", folder.path + "/tiny.csv",
    ]
    #expect(experiment(log).run(arguments, folder: folder.path + "/runs") == 0)
    let stages = folder.names("runs/stages")
    #expect(stages.count == 2 && Set(log.all).count == 2)
    #expect(
      folder.names("runs/stages/" + (stages.first ?? ""))
        == [
          "SHA256SUMS", "adapter_config.json", "adapter_model.safetensors", "provenance.json",
          "steps.csv",
        ])
    #expect(try rows(folder).contains { $0.contains("in domain,accuracy,,fraction,") })
  }

  @Test("Nothing to train on, a student without pairs, and a missing student are errors")
  func errors() throws {
    let folder = try TemporaryFolder()
    let output = ["--output", folder.path + "/tiny.csv"]
    func status(_ arguments: String...) -> Int32 {
      experiment(Log()).run(arguments + output, folder: folder.path + "/runs")
    }
    #expect(
      status(
        "--train-questions", "0", "--test-questions", "1", "--validation-questions", "1") == 1)
    #expect(status("--model", try numberedModel(in: folder.path)) == 1)
    #expect(status("--model", "nowhere", "--pairs", "x") == 1)
    #expect(status("--train-questions", "8,16") == 2)
  }

  @Test(
    "The checksum of a model covers every file it is loaded from: shards, configuration, tokenizer")
  func modelChecksum() throws {
    let folder = try TemporaryFolder()
    let shards = fixture("checkpoints/llama").path
    let copy = folder.path + "/model"
    try FileManager.default.copyItem(atPath: shards, toPath: copy)
    var sums = [try Checkpoint.checksum(at: copy)]
    #expect(try Checkpoint.checksum(at: shards) == sums[0])
    for name in try FileManager.default.contentsOfDirectory(atPath: copy).sorted() {
      let path = copy + "/" + name
      try (Data(contentsOf: URL(fileURLWithPath: path)) + Data([32])).write(
        to: URL(fileURLWithPath: path))
      sums.append(try Checkpoint.checksum(at: copy))
    }
    try "{}".write(toFile: copy + "/tokenizer.json", atomically: true, encoding: .utf8)
    sums.append(try Checkpoint.checksum(at: copy))
    #expect(sums.count >= 5 && Set(sums).count == sums.count)
    // What no model is loaded from.
    try "x".write(toFile: copy + "/README.md", atomically: true, encoding: .utf8)
    #expect(try Checkpoint.checksum(at: copy) == sums.last)
  }

  @Test("Every hyperparameter is a setting, with the defaults of both students")
  func settings() throws {
    func values(_ arguments: String...) throws -> [String: String] {
      try ExperimentOptions(arguments, for: experiment(Log()), cores: 1).values.mapValues {
        $0.map(\.description).joined(separator: ",")
      }
    }
    let shared = [
      "adam_beta1": "0.9", "adam_epsilon": "1e-08", "weight_decay": "0", "max_grad_norm": "1",
      "schedule": "constant", "warmup_ratio": "0.1", "max_warmup_steps": "30",
      "min_lr_ratio": "0.05", "lr_decay": "0.95", "batch_size": "16", "alpha": "1",
    ]
    let scratch = [
      "adam_beta2": "0.98", "stage1_weight_decay": "0.01", "stage1_schedule": "cosine",
      "stage1_steps": "1400", "stage1_learning_rate": "0.002", "stage2_steps": "60",
      "learning_rate": "0.0001", "train_questions": "4000", "max_new_tokens": "120",
    ]
    let pretrained = [
      "adam_beta2": "0.999", "stage1_weight_decay": "0.05", "stage1_schedule": "constant",
      "stage1_steps": "20", "stage1_learning_rate": "0.0002", "stage2_steps": "20",
      "learning_rate": "5e-05", "lora_rank": "64", "lora_alpha": "32", "lora_dropout": "0.05",
      "max_new_tokens": "160", "test_questions": "100",
    ]
    for (found, expected) in [
      (try values(), shared.merging(scratch) { $1 }),
      (try values("--model", "m"), shared.merging(pretrained) { $1 }),
    ] {
      for (name, value) in expected { #expect(found[name] == value, "\(name)") }
    }
    #expect(try values()["lora_rank"] == nil && values("--model", "m")["train_questions"] == nil)
  }

  @Test("A stage 1 is shared by arms that differ in what follows, not by those that differ in it")
  func stageKeys() throws {
    let folder = try TemporaryFolder()
    let log = Log()
    func stages(_ arguments: String...) -> Int {
      let status = experiment(log).run(
        [
          "--train-questions", "8", "--validation-questions", "2", "--test-questions", "2",
          "--stage1-steps", "1", "--stage2-steps", "1", "--batch-size", "4", "--max-new-tokens",
          "2", "--seeds", "1", "--output", folder.path + "/tiny.csv",
        ] + arguments, folder: folder.path + "/runs")
      #expect(status == 0)
      return folder.names("runs/stages").count
    }
    #expect(stages() == 1)
    #expect(stages("--beta", "-0.1", "--weight-decay", "0.1", "--learning-rate", "0.01") == 1)
    #expect(stages("--adam-beta2", "0.9") == 2)
    #expect(stages("--stage1-weight-decay", "0.5") == 3)
    #expect(stages("--max-grad-norm", "0") == 4)
  }
}
