import Distillation
import Evaluation
import Files
import Foundation
import LanguageModel
import Randomness
import Reasoning
import Teachers
import Tokenizers

/// What the runs of an experiment are trained and measured on, already tokenized for the student.
public struct ExperimentData: Sendable {
  /// Questions with their gold answers, and dual pairs of them.
  public struct Test: Sendable {
    /// `in domain` and so on.
    public var name: String
    public var questions: [TokenizedPrompt]
    public var pairs: [TokenizedPair]

    /// What answering with each task's most frequent gold answer scores, by name of task.
    public var majorityBaselines: [MajorityBaseline] {
      MajorityBaseline.byTask(
        questions.map(\.prompt).compactMap { prompt in
          prompt.goldAnswer.map { (task: prompt.task, gold: $0) }
        })
    }

    /// How many gold answers were taken from chosen chains, and why accuracy is not measured; nil
    /// if there is nothing to say.
    package var goldAnswerNote: String? {
      if let missing = MissingGoldAnswers(questions.map(\.prompt)) { return "\(missing)" }
      let derived = questions.count { $0.prompt.isGoldAnswerDerived }
      return derived == 0 ? nil : "\(derived) gold answers taken from chosen chains"
    }
  }

  /// What students learn from; there is one at least.
  public var trainingSets: [TrainingData]
  /// What hyperparameters are chosen on.
  public var validation: Test
  /// What is scored once for each finished run.
  public var tests: [Test]
  public var tokenizer: ExampleTokenizer
  /// SHA-256 of what it was made of, by name.
  public var checksums: [String: String]
}

extension ExperimentData {
  /// What the student of `seed` learns from: the sets take turns.
  public func training(seed: UInt64) -> TrainingData {
    trainingSets[Int(seed % UInt64(trainingSets.count))]
  }

  /// Procedural problems with a simulated teacher's chains, and the word-level tokenizer for them. Training sets
  /// after the first differ in the seed that their questions and chains are drawn by.
  ///
  /// `folder` takes the tokenizer's file. Throws where the settings are wrong or the folder cannot
  /// be written.
  public init(
    procedural settings: ProceduralData.Settings, trainingSets count: Int = 1, folder: String
  ) throws {
    let all = try (0..<UInt64(count)).map { number in
      var settings = settings
      settings.trainingSeed &+= number
      return try ProceduralData(settings)
    }
    let data = all[0]
    let origin = "procedural problems of seed \(settings.seed)"
    let json = try WordVocabulary(settings.tasks).tokenizerJSON()
    let path = folder + "/tokenizer.json"
    try AtomicFile.write([UInt8](json), to: path)
    let tokenizer = try ExampleTokenizer(Tokenizer(path: path))
    func test(_ name: String, _ part: AnnotatedQuestions) throws -> Test {
      Test(
        name: name,
        questions: try tokenizer.tokenize(part.questions.map(Prompt.init), file: origin),
        pairs: try tokenizer.tokenize(part.pairs, file: origin))
    }
    let encoder = JSONEncoder()
    encoder.outputFormatting = .sortedKeys
    self.init(
      trainingSets: try all.map {
        TrainingData(
          correct: try tokenizer.tokenize($0.train.correct, file: origin),
          rectified: try tokenizer.tokenize($0.train.rectified, file: origin),
          pairs: try tokenizer.tokenize($0.train.pairs, file: origin),
          tokenizer: tokenizer, file: origin)
      },
      validation: try test("validation", data.validation),
      tests: [
        try test("in domain", data.test), try test("out of domain", data.outOfDomain),
      ], tokenizer: tokenizer,
      checksums: [
        "problems": SHA256.hex(of: [UInt8](try encoder.encode(all))),
        "tokenizer": SHA256.hex(of: [UInt8](json)),
      ])
  }

  /// Throws where a task's name cannot stand in a CSV.
  private static func checkTasks(_ tasks: [(id: String, task: String)], file: String) throws {
    for (id, task) in tasks where CSV.isFormula(task) {
      throw FileError(
        file: file, location: "task of \(id)", expected: CSV.plainField, found: "\"\(task)\"")
    }
  }

  /// What `keystep edit-data` wrote to `folder`: the chains of `train.chains.jsonl` for stage 1, the dual pairs of
  /// `train.pairs.jsonl` or of the file `pairs`, and the questions of `validation.prompts.jsonl` and
  /// `test.prompts.jsonl`, at most as many of each as asked for, drawn by `seed`. `out-of-domain.prompts.jsonl`, where it is
  /// there, is a second test. The dual pairs of those parts, where there are any, are scored with them.
  ///
  /// Throws a `FileError` where a file is missing or has no line.
  public init(
    folder: String, pairs path: String?, for student: Student, validation: Int, test: Int,
    seed: UInt64
  ) throws {
    let tokenizer = try student.exampleTokenizer()
    var files: [String: String] = [:]
    func file(_ name: String) -> String {
      files[name] = "\(folder)/\(name)"
      return "\(folder)/\(name)"
    }
    func part(_ part: String, _ name: String, at most: Int) throws -> Test {
      let path = file(part + ".prompts.jsonl")
      let prompts = try JSONLines.prompts(at: path)
      try Self.checkTasks(prompts.map { ($0.id, $0.task) }, file: path)
      var random = SeededGenerator(seed: seed, stream: name)
      let drawn = Set(prompts.indices.shuffled(using: &random).prefix(most))
      let kept = prompts.indices.filter(drawn.contains).map { prompts[$0] }
      let ids = Set(kept.map(\.id))
      let pairs = folder + "/\(part).pairs.jsonl"
      let all =
        FileManager.default.fileExists(atPath: pairs)
        ? try JSONLines.pairs(at: file(part + ".pairs.jsonl")) : []
      return Test(
        name: name, questions: try tokenizer.tokenize(kept, file: path),
        pairs: try tokenizer.tokenize(all.filter { ids.contains($0.questionID) }, file: pairs))
    }
    let chainFile = file("train.chains.jsonl")
    let chains = try JSONLines.chains(at: chainFile).filter { $0.isCorrect != false }
    guard !chains.isEmpty else {
      throw FileError(nothingIn: chainFile, expected: "right chain")
    }
    let pairFile = path ?? file("train.pairs.jsonl")
    if let path { files["pairs"] = path }
    let pairs = try JSONLines.pairs(at: pairFile)
    guard !pairs.isEmpty else { throw FileError(nothingIn: pairFile, expected: "dual pair") }
    func tokenized(_ chains: [ChainOfThought]) throws -> [TokenizedChain] {
      try tokenizer.tokenize(chains, file: chainFile)
    }
    let training = TrainingData(
      correct: try tokenized(chains.filter { $0.origin != .rectified }),
      rectified: try tokenized(chains.filter { $0.origin == .rectified }),
      pairs: try tokenizer.tokenize(pairs, file: pairFile), tokenizer: tokenizer, file: pairFile)
    var tests = [try part("test", "in domain", at: test)]
    if FileManager.default.fileExists(atPath: folder + "/out-of-domain.prompts.jsonl") {
      tests.append(try part("out-of-domain", "out of domain", at: test))
    }
    let held = try part("validation", "validation", at: validation)
    self.init(
      trainingSets: [training], validation: held, tests: tests, tokenizer: tokenizer,
      checksums: try files.mapValues { try SHA256.hex(ofFileAt: $0) })
  }

  /// Dual pairs of a file, split by question. Stage 1 learns from their right chains; all count as
  /// the teacher's own.
  public init(
    pairs path: String, for student: Student, validation: Int, test: Int, splitSeed: UInt64
  ) throws {
    let pairs = try JSONLines.pairs(at: path)
    try Self.checkTasks(pairs.map { ($0.questionID, $0.task) }, file: path)
    let tokenizer = try student.exampleTokenizer()
    let tokenized = try tokenizer.tokenize(pairs, file: path)
    let split = QuestionSplit(
      zip(pairs, pairs.indices).map { (id: "\($1)", text: $0.prompt) }, validation: validation,
      test: test, seed: splitSeed)
    guard !split.train.isEmpty, split.validation.count >= validation, split.test.count >= test
    else {
      throw FileError(
        file: path, location: nil,
        expected: "more than \(validation + test) questions, for validation and test",
        found: "\(pairs.count)")
    }
    func indices(_ ids: [String]) -> [Int] { ids.compactMap { Int($0) }.sorted() }
    func part(_ name: String, _ ids: [String]) throws -> Test {
      let indices = indices(ids)
      return Test(
        name: name,
        questions: indices.map {
          TokenizedPrompt(Prompt(pairs[$0]), tokens: tokenized[$0].prompt)
        }, pairs: indices.map { tokenized[$0] })
    }
    let train = indices(split.train).map { tokenized[$0] }
    self.init(
      trainingSets: [
        TrainingData(
          correct: train.map(\.chosenChain), pairs: train, tokenizer: tokenizer, file: path)
      ],
      validation: try part("validation", split.validation),
      tests: [try part("in domain", split.test)], tokenizer: tokenizer,
      checksums: [
        "pairs": try SHA256.hex(ofFileAt: path),
        "split": SHA256.hex(
          of: [UInt8]((split.train + ["|"] + split.test).joined(separator: ",").utf8)),
      ])
  }
}
