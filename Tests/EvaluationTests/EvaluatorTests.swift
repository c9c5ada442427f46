import Distillation
import Evaluation
import Foundation
import LanguageModel
import LinearAlgebra
import Reasoning
import Statistics
import TestSupport
import Testing

/// The evaluator of command line and experiments, on a student whose words are its token ids, but for
/// `ans`, which is 91.
@Suite struct EvaluatorTests {
  private let student: Student
  private let tokenizer: ExampleTokenizer

  init() throws {
    let folder = NSTemporaryDirectory() + "evaluator-\(UUID().uuidString)"
    defer { try? FileManager.default.removeItem(atPath: folder) }
    let model = try numberedModel(in: folder)
    let path = model + "/tokenizer.json"
    try String(contentsOfFile: path, encoding: .utf8)
      .replacing("\"91\":", with: "\"ans\":").replacing("\"<s>\"", with: "\"<|im_end|>\"")
      .write(toFile: path, atomically: true, encoding: .utf8)
    student = try Student(path: model)
    tokenizer = try student.exampleTokenizer()
  }

  private func evaluator(_ settings: EvaluationSettings = EvaluationSettings(), newTokens: Int = 6)
    -> Evaluator
  {
    var settings = settings
    settings.maximumNewTokens = newTokens
    return Evaluator(student.decoder, tokenizer, settings, workers: Workers(count: 2))
  }

  private func questions(_ prompts: [(task: String, text: String, gold: String?)]) throws
    -> [TokenizedPrompt]
  {
    try tokenizer.tokenize(
      prompts.enumerated().map {
        Prompt(id: "q\($0)", task: $1.task, text: $1.text, goldAnswer: $1.gold)
      }, file: "prompts")
  }

  /// What the student answers.
  private func text(_ prompt: String) throws -> String {
    try evaluator().responses(to: questions([("t", prompt, nil)]))[0].text
  }

  @Test("Responses end at every end-of-sequence and end-of-turn id of model and tokenizer")
  func stopTokens() throws {
    #expect(student.decoder.configuration.endsOfSequence.allSatisfy { $0 == 2 })
    #expect(tokenizer.stopTokens == [1, 2])
    let response = try evaluator().responses(to: questions([("t", "10 11", nil)]))[0]
    let generated = Generator(workers: 1, batch: 1).generate(
      [[10, 11]], on: student.decoder,
      SamplingSettings(temperature: 0, maximumNewTokens: 6, stop: [1, 2]))[0]
    #expect(response.response.tokens == generated.tokens)
    #expect(
      response.text
        == generated.tokens.filter { $0 > 2 }.map { $0 == 91 ? "ans" : "\($0)" }
        .joined(separator: " "))
  }

  /// The bound of `PrecisionTests` for a model of two layers, forward alone: 4 √13 2^-9.
  @Test("Key-token metrics in bf16 are those of fp32 within rounding")
  func precision() throws {
    let pairs = (0..<12).map { index in
      TokenizedPair(
        id: "\(index)", prompt: [10 + index, 11], chosen: [20 + index, 30, 31, 2],
        rejected: [20 + index, 40 + index, 31, 2])
    }
    func metrics(_ precision: Precision) throws -> KeyStepMetrics {
      let evaluator = Evaluator(
        student.decoder, tokenizer, workers: Workers(count: 2, precision: precision))
      return try #require(try evaluator.evaluate([], pairs).keySteps)
    }
    let (exact, rounded) = try (metrics(.fp32), metrics(.bf16))
    let bound = 4 * 13.0.squareRoot() * 0x1p-9
    for (a, b) in [
      (exact.keyNegativeLogLikelihood, rounded.keyNegativeLogLikelihood),
      (exact.otherNegativeLogLikelihood, rounded.otherNegativeLogLikelihood),
    ] {
      #expect(a.value != b.value && abs(a.value - b.value) < bound * a.value)
    }
    // A pair whose two sides nearly tie may turn.
    #expect(abs(exact.prefersChosen.value - rounded.prefersChosen.value) <= 1.0 / 12)
  }

  @Test("Each answer is judged by the rule of its task, and tasks are averaged both ways")
  func tasks() throws {
    let plain = try text("10 11")
    let first = try #require(plain.split(separator: " ").first)
    // By value the number that comes last counts; strictly nothing does without the cue.
    let last = try #require(plain.split(separator: " ").last)
    let asked = try questions([
      ("pens", "10 11", String(last)), ("pens", "10 11", "9999"), ("pens", "10 11", "8888"),
      ("arithmetic", "10 11", String(first)),
    ])
    let scores = try evaluator().answers(to: asked)
    #expect(scores.score.items.map(\.isCorrect) == [true, false, false, false])
    #expect(scores.score.items.map(\.isParsed) == [true, true, true, false])
    #expect(scores.micro.accuracy == .share(1, of: 4))
    #expect(scores.micro.unparsed == .share(1, of: 4))
    #expect(scores.tasks.map(\.task) == ["arithmetic", "pens"])
    #expect(scores.tasks.map(\.average.accuracy.value) == [0, 1.0 / 3])
    #expect(abs(scores.macro.accuracy.value - 1.0 / 6) < 1e-12)
    #expect(scores.macro.unparsed.value == 0.5)
    #expect(abs(scores.micro.majorityBaseline - 0.5) < 1e-12)
    #expect(abs(scores.macro.majorityBaseline - 2.0 / 3) < 1e-12)
    #expect(
      scores.averages.map(\.name) == [.micro, .macro, .task("arithmetic"), .task("pens")])

    var settings = EvaluationSettings()
    settings.matching = .strict
    // BIG-Bench Hard's strict rule takes a text without its cue as a whole.
    #expect(
      try evaluator(settings).answers(to: asked).score.items.allSatisfy { !$0.isParsed })
  }

  @Test(
    "Questions without a gold answer leave out accuracy, by name; pairs are scored all the same")
  func missingGold() throws {
    let asked = try questions([("t", "10 11", "5"), ("t", "12", nil)])
    let error = #expect(throws: MissingGoldAnswers.self) { try evaluator().answers(to: asked) }
    #expect(error?.questions == ["q1"])
    let pair = TokenizedPair(id: "p", prompt: [10], chosen: [20, 21, 2], rejected: [20, 22, 2])
    let result = try evaluator().evaluate(asked, [pair])
    #expect(result.answers == nil && result.refusal?.questions == ["q1"])
    #expect("\(result.refusal.map { "\($0)" } ?? "")".contains("(q1)"))
    #expect(result.pairs.map(\.id) == ["p"] && result.keySteps?.keyTop1.count == 1)
  }

  @Test("An empty response is not correct, and derived gold answers are counted")
  func empty() throws {
    var asked = try questions([("arithmetic", "10 11", "x")])
    asked[0].prompt.isGoldAnswerDerived = true
    // Nothing fits into the context after this prompt.
    asked[0].tokens = Array(repeating: 5, count: 64)
    let result = try evaluator().evaluate(asked, [])
    #expect(result.derivedGoldAnswers == 1 && result.keySteps == nil && result.refusal == nil)
    #expect(result.answers?.score.correct == 0)
  }
}
