import Distillation
import Evaluation
import Files
import Foundation
import LanguageModel
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

  /// Dual pairs of a file, split by question. Stage 1 learns from their right chains; all count as
  /// the teacher's own.
  public init(
    pairs path: String, for student: Student, validation: Int, test: Int, splitSeed: UInt64
  ) throws {
    let pairs = try JSONLines.pairs(at: path)
    for pair in pairs where CSV.isFormula(pair.task) {
      throw FileError(
        file: path, location: "task of \(pair.questionID)", expected: CSV.plainField,
        found: "\"\(pair.task)\"")
    }
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
