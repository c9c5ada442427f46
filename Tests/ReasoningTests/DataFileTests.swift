import Files
import Foundation
import Reasoning
import Testing

@Suite("Data files")
struct DataFileTests {
  /// A file of `Tests/Fixtures/reasoning`.
  private func fixture(_ name: String) -> String {
    URL(fileURLWithPath: #filePath).deletingLastPathComponent()
      .appendingPathComponent("../Fixtures/reasoning/\(name)").standardized.path
  }

  /// Runs `body` with the path of a temporary file that holds `text`.
  private func withFile<Result>(_ text: String, _ body: (String) throws -> Result) throws -> Result
  {
    let path = NSTemporaryDirectory() + "reasoning-\(UUID().uuidString).jsonl"
    defer { try? FileManager.default.removeItem(atPath: path) }
    try Data(text.utf8).write(to: URL(fileURLWithPath: path))
    return try body(path)
  }

  @Test("of BIG-Bench Hard give questions with their options")
  func bigBenchHard() throws {
    let questions = try QuestionFormat.bigBenchHard.questions(at: fixture("bbh-birds.json"))
    #expect(questions.map(\.id) == ["bbh-birds-0", "bbh-birds-1"])
    #expect(questions.map(\.answer) == ["(B)", "Yes"])
    #expect(questions[0].options.map(\.label) == ["A", "B", "C"])
    #expect(questions[0].options[1].text == "the penguin, of course")
    #expect(questions[1].options.isEmpty)
    #expect(questions[1].prompt == "Q: Is the owl a bird?\nOptions:\n- Yes\n- No\nA:")
  }

  @Test("of BIG-Bench Hard's outputs are scored as they were published")
  func outputs() throws {
    let responses = try ResponseFormat.bigBenchHard.responses(at: fixture("bbh-outputs.json"))
    let strict = Score(responses, by: .bigBenchHard)
    #expect((strict.correct, strict.total, strict.unparsed) == (2, 5, 2))
    let flexible = Score(responses, by: .bigBenchHard.matching(.flexible))
    #expect((flexible.correct, flexible.total, flexible.unparsed) == (4, 5, 1))
  }

  @Test("of GSM8K give questions with the answer after the mark")
  func gsm8k() throws {
    let questions = try QuestionFormat.gsm8k.questions(at: fixture("gsm8k.jsonl"))
    #expect(questions.map(\.answer) == ["1,200", "3"])
    #expect(questions.map(\.id) == ["gsm8k-gsm8k-0", "gsm8k-gsm8k-1"])
  }

  @Test("of GSM8K's model solutions are scored as they are labelled")
  func solutionScores() throws {
    let responses = try ResponseFormat.gsm8kSolutions.responses(
      at: fixture("gsm8k-solutions.jsonl"))
    let score = Score(responses, by: .gsm8k)
    #expect(score.items.map(\.isCorrect) == responses.map(\.publishedAsCorrect))
    #expect((score.correct, score.total, score.unparsed) == (5, 9, 1))
  }

  @Test("of GSM8K's model solutions make dual chains of the nearest right and wrong one")
  func dualChains() throws {
    let entries = try GSM8K.solutions(at: fixture("gsm8k-solutions.jsonl"))
    let made = GSM8K.dualChains(of: entries) { $0.utf8.map(Int.init) }
    #expect(made.pairs.map(\.questionID) == ["gsm8k-solutions-0", "gsm8k-solutions-1"])
    #expect(
      made.pairs[0].prompt
        == "Q: A baker sells 600 rolls a day. How many does she sell in 2 days?\nA:")
    #expect(made.pairs[0].chosen.text == " 600*2 = <<600*2=1200>>1200 rolls\nA: 1200")
    #expect(made.pairs[0].rejected.text == " 600*2 = <<600*2=1300>>1300 rolls\nA: 1300")
    #expect(made.pairs[0].goldAnswer == "1200")
    #expect(
      (made.questionsWithoutBoth, made.repeatedSolutions, made.repeatedQuestions) == (1, 1, 1))
  }

  @Test("of ARC give options by letter or digit")
  func arc() throws {
    let questions = try QuestionFormat.arc.questions(at: fixture("arc.json"))
    #expect(questions.map { $0.options.map(\.label) } == [["1", "2"], ["A", "B", "C"]])
    #expect(questions.map(\.answer) == ["(1)", "(C)"])
  }

  @Test(
    "of AGIEval give passage, question and options, with labels that are letters, lists or null")
  func agiEval() throws {
    let questions = try QuestionFormat.agiEval.questions(at: fixture("agieval-logic.jsonl"))
    #expect(questions.map(\.answer) == ["(A)", "(A)", "(A) (C)", "2"])
    #expect(
      questions[0].text
        == "All wrens are birds.\nWhat is a wren?\nOptions:\n(A) a bird\n(B) a stone")
    #expect(questions[1].options.map(\.text) == ["the wren", "the stone"])
    #expect(questions[3].text == "How many legs has an owl?")
  }

  @Test("of pairs, chains and prompts come back as they were written")
  func roundTrip() throws {
    let prompt = "Q: Ünïcode \"quoted\" / 2?\nA:"
    func chain(
      _ text: String, _ isCorrect: Bool, _ origin: ChainOfThought.Origin, _ mistake: Mistake?
    ) -> ChainOfThought {
      ChainOfThought(
        questionID: "q1", task: "sums", prompt: prompt, text: text, isCorrect: isCorrect,
        origin: origin,
        mistake: mistake)
    }
    let pair = DualChainOfThought(
      chosen: chain(" 1 + 1 = 2\nso 2", true, .rectified, nil),
      rejected: chain(
        " 1 + 1 = 3 \u{1F426}", false, .original, Mistake(kind: .calculation, step: 1)),
      goldAnswer: "2")
    #expect(
      try withFile("") { path in
        try JSONLines.write([pair], to: path)
        return try JSONLines.pairs(at: path)
      } == [pair])
    #expect(
      try withFile("") { path in
        try JSONLines.write([pair.chosen, pair.rejected], to: path)
        return try JSONLines.chains(at: path)
      } == [pair.chosen, pair.rejected])
    let prompts = [
      Prompt(id: "1", task: "sums", text: prompt, goldAnswer: "2"),
      Prompt(id: "2", task: "sums", text: prompt, goldAnswer: nil),
    ]
    #expect(
      try withFile("") { path in
        try JSONLines.write(prompts, to: path)
        return try JSONLines.prompts(at: path)
      } == prompts)
  }

  @Test("of pairs need no more than TRL's three fields, and keep what a response begins with")
  func bareTRL() throws {
    let pairs = try withFile(
      """
      {"prompt": "1+1?", "chosen": "2", "rejected": "  3", "score": 4}

      {"prompt": "2+2?", "chosen": " 4", "rejected": " 5", "id": 17}
      """
    ) { try JSONLines.pairs(at: $0) }
    #expect(pairs.map(\.questionID) == ["line 1", "17"])
    #expect(pairs[0].chosen.text == "2" && pairs[0].rejected.text == "  3")
    #expect(pairs[0].chosen.origin == .recorded && pairs[0].rejected.mistake == nil)
  }

  @Test("of pairs with a mistake of no known kind are refused with the kinds")
  func mistakeKind() throws {
    let line = #"{"prompt":"p","chosen":"c","rejected":"r","mistake":"typo"}"#
    try withFile(line) { path in
      let error = try #require(throws: FileError.self) { try JSONLines.pairs(at: path) }
      #expect(
        error.description
          == #"\#(path): line 1, mistake: expected one of "logical", "knowledge", "calculation", "#
          + #""unknown", found "typo""#)
    }
  }

  @Test("that are missing are named")
  func missing() throws {
    let error = try #require(throws: FileError.self) {
      try JSONLines.pairs(at: "/nowhere/pairs.jsonl")
    }
    #expect(
      error.description == "/nowhere/pairs.jsonl: expected a readable file, found no such file")
  }

  @Test("of another format are refused with the field that is not there")
  func otherFormat() throws {
    let error = try #require(throws: FileError.self) {
      try QuestionFormat.bigBenchHard.questions(at: fixture("bbh-outputs.json"))
    }
    #expect(error.location == "examples" && error.expected == "an array")
  }
}
