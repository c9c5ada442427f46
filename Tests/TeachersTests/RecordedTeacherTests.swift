import Files
import Foundation
import Reasoning
import Teachers
import TestSupport
import Testing

@Suite("Recorded annotations")
struct RecordedTeacherTests {
  private let greedy = TeacherSampling(temperature: 0, maximumTokens: 64)

  /// Runs `body` with the path of a temporary file that holds `text`.
  private func withFile<Result>(_ text: String, _ body: (String) throws -> Result) throws -> Result
  {
    let path = NSTemporaryDirectory() + "recorded-\(UUID().uuidString).jsonl"
    defer { try? FileManager.default.removeItem(atPath: path) }
    try Data(text.utf8).write(to: URL(fileURLWithPath: path))
    return try body(path)
  }

  private func annotations(_ format: RecordedFormat, _ text: String) throws -> RecordedAnnotations {
    try withFile(text) { try format.annotations(at: $0) }
  }

  private func text(
    _ teacher: RecordedTeacher, _ step: AnnotationStep, _ question: Question, attempt: Int = 0
  ) -> String? {
    var sampling = greedy
    sampling.attempt = attempt
    return teacher.answer(TeacherPrompt(step: step, question: question, text: ""), sampling)
      .texts.first
  }

  @Test("of BIG-Bench Hard stand for the question that ends the few-shot prompt")
  func bigBenchHard() throws {
    let made = try annotations(
      .bigBenchHard,
      #"{"outputs": [{"input": "Do this.\n\nQ: 1 or 2?\nA: Let's see.\nThe answer is 1.\n\nQ: Which is a bird?\nOptions:\n(A) owl\n(B) cat\nA: Let's see.", "prediction": "An owl is. So the answer is (A).", "target": "(A)"}]}"#
    )
    #expect(made.questions.map(\.text) == ["Which is a bird?\nOptions:\n(A) owl\n(B) cat"])
    #expect(
      made.questions[0].options.map(\.label) == ["A", "B"] && made.questions[0].answer == "(A)")
    #expect(made.chains[0].map(\.text) == [" An owl is. So the answer is (A)."])
    #expect(made.chains[0][0].isCorrect == true)
    let error = try #require(throws: FileError.self) {
      try annotations(
        .bigBenchHard, #"{"outputs": [{"input": "Which?", "prediction": "", "target": "x"}]}"#)
    }
    #expect(error.location == "outputs[0].input" && error.expected.contains("\"Q: \""))
  }

  @Test(
    "of GSM8K's models annotate with one solution after the other, rectify with right ones and corrupt with wrong ones"
  )
  func gsm8k() throws {
    let made = try RecordedFormat.gsm8kSolutions.annotations(
      at: fixture("reasoning/gsm8k-solutions.jsonl").path)
    #expect(made.questions.count == 3)
    let teacher = RecordedTeacher(made, name: "solutions")
    let question = made.questions[0]
    #expect(text(teacher, .annotate, question)?.hasSuffix("A: 1200") == true)
    #expect(text(teacher, .annotate, question, attempt: 1)?.hasSuffix("A: 1300") == true)
    #expect(text(teacher, .annotate, question, attempt: 4) == nil)
    #expect(text(teacher, .rectify, question)?.hasSuffix("A: 1200") == true)
    #expect(text(teacher, .corrupt, question)?.hasSuffix("A: 1300") == true)
    #expect(text(teacher, .corrupt, question, attempt: 1)?.hasSuffix("A: 1800") == true)
    let other = Question(id: "o", task: "gsm8k", text: "Not recorded?", answer: "1")
    #expect(text(teacher, .annotate, other) == nil)
  }

  @Test("of instructions take the description for the task")
  func instructions() throws {
    let made = try annotations(
      .instructions,
      #"""
      {"instruction": "2 + 2 is", "output": "4", "response": "Two and two. Therefore, the answer is 4.", "task_description": "Add."}
      {"instruction": "2 + 2  is", "output": "4", "response": "Therefore, the answer is 5."}
      """#)
    #expect(made.questions.map(\.task) == ["Add."] && made.questions[0].answer == "4")
    #expect(made.chains[0].map(\.isCorrect) == [true, false])
    #expect(made.chains[0].allSatisfy { $0.prompt == "Q: 2 + 2 is\nA:" })
  }

  @Test("with a chosen and a rejected side give both, whatever form the prompt has")
  func preferences() throws {
    let made = try annotations(
      .preferences,
      #"{"input": "Task Description:\nAdd.\nQ:2 + 2 is\n\nA:", "chosen": "So the answer is 4.", "rejected": "So the answer is 5."}"#
    )
    #expect(made.questions[0].text == "2 + 2 is" && made.questions[0].task == "Add.")
    #expect(made.questions[0].answer == "4" && made.chains[0].map(\.isCorrect) == [true, false])

    let trl = try annotations(
      .trl,
      #"""
      {"prompt": "Q: 1 + 1 is\nA:", "chosen": "the answer is 2", "rejected": "the answer is 3", "id": "x", "task": "sums", "answer": "2", "chosen_origin": "rectified", "rejected_origin": "original", "mistake": "calculation", "mistake_step": 0}
      {"prompt": [{"role": "system", "content": "Add."}, {"role": "user", "content": "2 + 2 is"}], "chosen": [{"role": "assistant", "content": "the answer is 4"}], "rejected": [{"role": "assistant", "content": "no idea"}]}
      """#)
    #expect(trl.questions.map(\.text) == ["1 + 1 is", "Add.\n\n2 + 2 is"])
    #expect(trl.questions[0].id == "x" && trl.questions[1].answer == "4")
    let teacher = RecordedTeacher(trl, name: "pairs")
    #expect(text(teacher, .annotate, trl.questions[0]) == " the answer is 3")
    #expect(text(teacher, .rectify, trl.questions[0]) == " the answer is 2")
    #expect(text(teacher, .corrupt, trl.questions[0]) == nil)
    #expect(text(teacher, .corrupt, trl.questions[1]) == " no idea")
    let prompt = TeacherPrompt(step: .annotate, question: trl.questions[0], text: "")
    #expect(
      teacher.mistake(in: " the answer is 3", prompt) == Mistake(kind: .calculation, step: 0))
  }

  @Test("of instructions with an input ask about both, so that shared instructions stay apart")
  func alpaca() throws {
    let made = try annotations(
      .instructions,
      #"""
      {"instruction": "Solve.", "input": "x is 2. x + 1?", "output": "3", "response": "The answer is 3"}
      {"instruction": "Solve.", "input": "x is 5. x + 1?", "output": "6", "response": "The answer is 7"}
      {"instruction": "Solve 1 + 1.", "input": "", "output": "#### 2", "response": "The answer is 2"}
      """#)
    #expect(
      made.questions.map(\.text) == [
        "Solve.\n\nx is 2. x + 1?", "Solve.\n\nx is 5. x + 1?", "Solve 1 + 1.",
      ])
    #expect(made.questions.map(\.answer) == ["3", "6", "2"])
    #expect(made.chains.map { $0.map(\.isCorrect) } == [[true], [false], [true]])
  }

  @Test("of conversations keep the system message and earlier turns in the question")
  func conversations() throws {
    let made = try annotations(
      .trl,
      #"""
      {"prompt": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Q: 2 + 2 is\nA:"}], "chosen": "The answer is 4", "rejected": "The answer is 5"}
      {"prompt": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello"}, {"role": "user", "content": "2 + 2 is"}], "chosen": "The answer is 4", "rejected": "The answer is 5"}
      """#)
    #expect(
      made.questions.map(\.text) == [
        "Be brief.\n\n2 + 2 is", "User: Hi\n\nAssistant: Hello\n\nUser: 2 + 2 is",
      ])
    #expect(made.questions.map(\.answer) == ["4", "4"])
  }

  @Test(
    "that are malformed are refused, with line and field",
    arguments: [
      (
        RecordedFormat.instructions, #"{"instruction": "q", "output": "1"}"#, "line 2, response",
        "a string"
      ),
      (
        .instructions, #"{"instruction": " ", "output": "1", "response": ""}"#,
        "line 2, instruction", "text"
      ),
      (
        .instructions, #"{"instruction": "q", "output": " ", "response": "1"}"#, "line 2, output",
        "an answer"
      ),
      (
        .preferences, #"{"prompt": "q", "chosen": "a", "rejected": "b"}"#, "line 2, input",
        "a string"
      ),
      (.trl, #"{"prompt": "q", "chosen": 3, "rejected": "b"}"#, "line 2, chosen", "a string"),
      (
        .trl, #"{"prompt": [{"role": "user"}], "chosen": "a", "rejected": "b"}"#,
        "line 2, prompt[0].content", "a string"
      ),
      (.trl, #"{"prompt": "q", "chosen": [], "rejected": "b"}"#, "line 2, chosen", "assistant"),
      (.trl, #"{"prompt": "q""#, "line 2, byte 14", "',' or '}'"),
      (
        .trl, #"{"prompt": "q", "chosen": "a", "rejected": "b", "mistake": "typo"}"#,
        "line 2, mistake", "\"calculation\""
      ),
    ])
  func malformed(format: RecordedFormat, line: String, place: String, expected: String) throws {
    let error = try #require(throws: FileError.self) { try annotations(format, "\n" + line + "\n") }
    #expect(error.location == place && error.expected.contains(expected), "\(error)")
  }
}
