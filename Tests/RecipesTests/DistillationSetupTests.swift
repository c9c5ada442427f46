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
    #expect(data.pairs == again.pairs && data.correct == again.correct)
    var other = Self.settings
    other.seed = 4
    let others = try ExperimentData(procedural: other, folder: folder.path + "/other")
    #expect(others.checksums["problems"] != data.checksums["problems"])
    #expect(others.checksums["tokenizer"] == data.checksums["tokenizer"])

    #expect(data.validation.questions.count == 5)
    #expect(data.tests.map(\.name) == ["in domain", "out of domain"])
    #expect(data.tests.map(\.questions.count) == [6, 7])
    #expect(data.correct.count + data.rectified.count <= 12 && !data.correct.isEmpty)
    let trained = Set((data.correct + data.rectified).map(\.prompt) + data.pairs.map(\.prompt))
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

  @Test("A file's pairs are split by question, by the seed, and too few questions are an error")
  func file() throws {
    let folder = try TemporaryFolder()
    let path = try pairsFile(folder)
    let student = try Student(path: numberedModel(in: folder.path))
    func data(_ seed: UInt64, test: Int = 4) throws -> ExperimentData {
      try ExperimentData(pairs: path, for: student, validation: 2, test: test, splitSeed: seed)
    }
    let first = try data(1)
    #expect(try data(1).pairs == first.pairs && data(1).checksums == first.checksums)
    #expect(try data(2).checksums["split"] != first.checksums["split"])
    #expect(try data(2).checksums["pairs"] == first.checksums["pairs"])
    #expect(first.validation.questions.count == 2 && first.tests[0].questions.count == 4)
    #expect(first.pairs.count == 10 && first.correct.count == 10 && first.rectified.isEmpty)
    // Two pairs of one question are on the same side.
    let trained = Set(first.pairs.map(\.prompt))
    #expect(trained.count == 5)
    #expect(
      trained.isDisjoint(
        with: (first.tests[0].questions + first.validation.questions).map(\.tokens)))
    #expect(first.correct.map(\.response) == first.pairs.map(\.chosen))
    let error = #expect(throws: FileError.self) { try data(1, test: 14) }
    #expect(error?.description.contains("more than 16 questions") == true)
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
  private func experiment(_ settings: [Setting], _ log: Log, name: String = "tiny") -> Experiment {
    Experiment(
      name: name, question: "", arms: [Arm("one", help: ""), Arm("two", help: "")],
      reference: "one",
      settings: settings + [Setting("learning_rate", .number(0...1), [.number(1e-4)], help: "")],
      seeds: 2, summary: [], example: ""
    ) { context in
      let setup = try DistillationSetup(context)
      return Prepared(checksums: setup.checksums, notes: setup.notes) { run in
        let student = try setup.firstStage(run, on: setup.data.correct)
        log.add("\(run.settings.seed): \(student.trainable.buffer.floats.reduce(0, +))")
        let training =
          run.settings.arm == "two"
          ? try setup.secondStage(student, .keySteps(setup.data.pairs), run) : []
        return training + (try setup.measure(student, run))
      }
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
    let settings = DistillationSetup.settings(checkpoint: false)
    let arguments = [
      "--train-questions", "8", "--validation-questions", "3", "--test-questions", "4",
      "--stage1-steps", "2", "--stage2-steps", "1", "--batch-size", "4", "--max-new-tokens", "4",
    ]
    var tables: [[String]] = []
    for _ in 0..<2 {
      let folder = try TemporaryFolder()
      let log = Log()
      let status = experiment(settings, log).run(
        arguments + ["--output", folder.path + "/tiny.csv"], folder: folder.path + "/runs")
      #expect(status == 0)
      #expect(folder.names("runs/stages").count == 2)
      #expect(log.all.count == 4 && Set(log.all).count == 2)
      tables.append(try rows(folder))
      // Another experiment takes the stages that are there.
      let other = experiment(settings, log, name: "other").run(
        arguments + ["--output", folder.path + "/other.csv"], folder: folder.path + "/runs")
      #expect(other == 0 && folder.names("runs/other", ending: ".json").count == 4)
      #expect(folder.names("runs/stages").count == 2 && Set(log.all).count == 2)
    }
    #expect(tables[0] == tables[1])
    for metric in ["accuracy", "guessing floor", "prefers right chain", "key tokens top-1"] {
      #expect(tables[0].contains { $0.contains("in domain,\(metric),") }, "\(metric)")
    }
    #expect(tables[0].contains { $0.contains(",two,") && $0.contains("stage 2 last loss") })
  }

  @Test("A pretrained student's adapter is trained, shared and measured")
  func pretrained() throws {
    let folder = try TemporaryFolder()
    let log = Log()
    let arguments = [
      "--student", try numberedModel(in: folder.path), "--pairs", try pairsFile(folder),
      "--validation-questions", "2", "--test-questions", "4", "--max-new-tokens", "3",
      "--stage1-steps", "2", "--stage2-steps", "1", "--batch-size", "4", "--lora-rank", "2",
      "--output", folder.path + "/tiny.csv",
    ]
    let settings = DistillationSetup.settings(checkpoint: true)
    #expect(experiment(settings, log).run(arguments, folder: folder.path + "/runs") == 0)
    let stages = folder.names("runs/stages")
    #expect(stages.count == 2 && Set(log.all).count == 2)
    #expect(
      folder.names("runs/stages/" + (stages.first ?? ""))
        == ["adapter_config.json", "adapter_model.safetensors", "key.txt"])
    #expect(try rows(folder).contains { $0.contains("in domain,accuracy,share,") })
  }

  @Test("Nothing to train on, a student without pairs, and a missing student are errors")
  func errors() throws {
    let folder = try TemporaryFolder()
    let output = ["--output", folder.path + "/tiny.csv"]
    func status(_ arguments: [String], checkpoint: Bool) -> Int32 {
      experiment(DistillationSetup.settings(checkpoint: checkpoint), Log()).run(
        arguments + output, folder: folder.path + "/runs")
    }
    #expect(
      status(
        ["--train-questions", "0", "--test-questions", "1", "--validation-questions", "1"],
        checkpoint: false) == 1)
    #expect(status(["--student", try numberedModel(in: folder.path)], checkpoint: true) == 1)
    #expect(status(["--student", "nowhere", "--pairs", "x"], checkpoint: true) == 1)
    #expect(status(["--train-questions", "8,16"], checkpoint: false) == 2)
  }
}
