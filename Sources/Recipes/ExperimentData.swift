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
    public var questions: [Question]
    public var prompts: [[Int]]
    public var pairs: [TokenizedPair]
    /// What guessing each task's most frequent answer scores.
    public var guessingFloor: Double { GuessingFloor.overall(questions) }
  }

  /// What students learn from.
  public var training: TrainingData
  /// What hyperparameters are chosen on.
  public var validation: Test
  /// What is scored once for each finished run.
  public var tests: [Test]
  public var tokenizer: ExampleTokenizer
  public var answerRule: AnswerRule
  /// SHA-256 of what it was made of, by name.
  public var checksums: [String: String]
}

extension ExperimentData {
  /// Procedural problems with a simulated teacher's chains, and the word-level tokenizer for them.
  ///
  /// `folder` takes the tokenizer's file. Throws where the settings are wrong or the folder cannot
  /// be written.
  public init(procedural settings: ProceduralData.Settings, folder: String) throws {
    let data = try ProceduralData(settings)
    let origin = "procedural problems of seed \(settings.seed)"
    let json = try WordVocabulary(settings.tasks).tokenizerJSON()
    let path = folder + "/tokenizer.json"
    try AtomicFile.write([UInt8](json), to: path)
    let tokenizer = try ExampleTokenizer(Tokenizer(path: path))
    func test(_ name: String, _ part: AnnotatedQuestions) throws -> Test {
      Test(
        name: name, questions: part.questions,
        prompts: try part.questions.map {
          try tokenizer.prompt($0.prompt, file: name, place: $0.id)
        }, pairs: try tokenizer.tokenize(part.pairs, file: name))
    }
    let encoder = JSONEncoder()
    encoder.outputFormatting = .sortedKeys
    self.init(
      training: TrainingData(
        correct: try tokenizer.tokenize(data.train.correct, file: origin),
        rectified: try tokenizer.tokenize(data.train.rectified, file: origin),
        pairs: try tokenizer.tokenize(data.train.pairs, file: origin),
        tokenizer: tokenizer, file: origin),
      validation: try test("validation", data.validation),
      tests: [
        try test("in domain", data.test), try test("out of domain", data.outOfDomain),
      ], tokenizer: tokenizer, answerRule: .procedural,
      checksums: [
        "problems": SHA256.hex(of: [UInt8](try encoder.encode(data))),
        "tokenizer": SHA256.hex(of: [UInt8](json)),
      ])
  }

  /// Dual pairs of a file, split by question. Stage 1 learns from their right chains; all count as
  /// the teacher's own.
  public init(
    pairs path: String, for student: Student, validation: Int, test: Int, splitSeed: UInt64
  ) throws {
    let pairs = try JSONLines.pairs(at: path)
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
          Question(
            id: pairs[$0].questionID, task: pairs[$0].task, text: pairs[$0].prompt,
            answer: pairs[$0].goldAnswer)
        }, prompts: indices.map { tokenized[$0].prompt }, pairs: indices.map { tokenized[$0] })
    }
    let train = indices(split.train).map { tokenized[$0] }
    let task = pairs.first?.task ?? ""
    self.init(
      training: TrainingData(
        correct: train.map(\.chosenChain), pairs: train, tokenizer: tokenizer, file: path),
      validation: try part("validation", split.validation),
      tests: [try part("in domain", split.test)], tokenizer: tokenizer,
      answerRule: .usual(forTask: task),
      checksums: [
        "pairs": try SHA256.hex(ofFileAt: path),
        "split": SHA256.hex(
          of: [UInt8]((split.train + ["|"] + split.test).joined(separator: ",").utf8)),
      ])
  }
}
