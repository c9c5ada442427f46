import Annotation
import Files
import Foundation
import Reasoning
import Teachers
import Testing

@Suite("Prompt templates")
struct PromptTemplatesTests {
  private let puzzle = Question(
    id: "p-0", task: "navigate", text: "Is <b> & \"c\" next to a?\nOptions:\n- Yes\n- No",
    answer: "Yes")

  /// Runs `body` with a folder that holds `files`.
  private func withFolder<Result>(
    _ files: [String: String], _ body: (String) throws -> Result
  ) throws -> Result {
    let folder = NSTemporaryDirectory() + "templates-\(UUID().uuidString)"
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(atPath: folder) }
    for (name, text) in files {
      try Data(text.utf8).write(to: URL(fileURLWithPath: "\(folder)/\(name)"))
    }
    return try body(folder)
  }

  @Test("ask for a chain with worked examples, and escape nothing")
  func annotate() throws {
    let prompt = try PromptTemplates(family: .reasoning).prompt(.annotate, for: puzzle)
    #expect(
      prompt.text == """
        Solve each puzzle one short step at a time. End with "Therefore, the answer is" and the answer alone: an option's letter in parentheses where there are options.

        Q: Lena, Omar and Pia hold a ball each: Lena a red one, Omar a green one, Pia a blue one. Lena and Pia swap, then Pia and Omar swap. At the end, Omar holds the
        Options:
        (A) red ball
        (B) green ball
        (C) blue ball
        A: At the start Lena holds red, Omar green and Pia blue. Lena and Pia swap: Lena holds blue, Pia red. Pia and Omar swap: Pia holds green, Omar red. Therefore, the answer is (A).

        Q: not ( True and False ) and ( False or True ) is
        A: True and False is False. not False is True. False or True is True. True and True is True. Therefore, the answer is True.

        Q: Is <b> & "c" next to a?
        Options:
        - Yes
        - No
        A:
        """)
  }

  @Test("give the gold answer as a hint")
  func rectify() throws {
    let question = Question(
      id: "g", task: "gsm8k", text: "How many legs have 3 cats?", answer: "12")
    let prompt = try PromptTemplates().prompt(.rectify, for: question)
    #expect(
      prompt.text == """
        Solve each word problem with one calculation a line, each stated as an equation. End with a line that holds "A:" and the number alone.
        A hint states the correct answer of each question. Find the steps that lead to it, and do not mention the hint.

        Q: A baker fills 6 trays with 12 rolls each and sells 45 rolls. How many rolls are left?
        Hint: 27 is correct.
        A: 6 * 12 = 72 rolls are baked.
        72 - 45 = 27 rolls are left.
        A: 27

        Q: Nora reads 15 pages on Monday and twice as many on Tuesday. How many pages does she read on both days?
        Hint: 45 is correct.
        A: On Tuesday she reads 15 * 2 = 30 pages.
        On both days 15 + 30 = 45.
        A: 45

        Q: How many legs have 3 cats?
        Hint: 12 is correct.
        A:
        """)
  }

  @Test("show a right response and its corruption, and the one to be corrupted")
  func corrupt() throws {
    let question = Question(
      id: "arc-0", task: "arc", text: "Plants take in\nOptions:\n(A) carbon dioxide\n(B) helium",
      options: [.init(label: "A", text: "carbon dioxide"), .init(label: "B", text: "helium")],
      answer: "(A)")
    let prompt = try PromptTemplates().prompt(
      .corrupt, for: question, rightResponse: " They need carbon. Therefore, the answer is (A).")
    #expect(prompt.rightResponse == "They need carbon. Therefore, the answer is (A).")
    #expect(
      prompt.text == """
        Answer each examination question: recall what bears on it, reason from that in short steps. End with "Therefore, the answer is" and the letter of one option in parentheses.
        Here each question comes with a right response. Write the wrong response that is most likely: stay as near to the right one as you can, make one mistake, carry it on to another answer, and end as the right one does.

        Q: Which change takes place when puddles disappear on a warm day?
        Options:
        (A) freezing
        (B) evaporation
        (C) condensation
        (D) melting
        Right response: The water of a puddle is liquid. As it warms up it becomes water vapour, which is a gas. The change from liquid to gas is evaporation. Therefore, the answer is (B).
        Wrong response: The water of a puddle is liquid. As it warms up it becomes water vapour, which is a gas. The change from liquid to gas is condensation. Therefore, the answer is (C).

        Q: A train covers 150 miles in 2.5 hours. What is its mean speed in miles an hour?
        Options:
        (A) 50
        (B) 60
        (C) 75
        (D) 375
        Right response: Mean speed is distance over time. 150 / 2.5 = 60. That is option (B). Therefore, the answer is (B).
        Wrong response: Mean speed is distance times time. 150 * 2.5 = 375. That is option (D). Therefore, the answer is (D).

        Q: Plants take in
        Options:
        (A) carbon dioxide
        (B) helium
        Right response: They need carbon. Therefore, the answer is (A).
        Wrong response:
        """)
  }

  @Test("show the procedural tasks in their own words")
  func procedural() throws {
    let question = Question(id: "x", task: "arithmetic", text: "1 + 1 mod 7", answer: "2")
    let prompt = try PromptTemplates().prompt(.annotate, for: question)
    let exemplars = TaskFamily.procedural.exemplars
    #expect(exemplars.count == ProceduralTask.allCases.count)
    #expect(
      prompt.text
        == TaskFamily.procedural.instruction + "\n\n"
        + exemplars.map { "Q: \($0.question)\nA: \($0.response)\n\n" }.joined()
        + "Q: 1 + 1 mod 7\nA:")
  }

  @Test(
    "have built-in exemplars that end on the side they stand for", arguments: TaskFamily.allCases)
  func exemplars(family: TaskFamily) throws {
    let rule: AnswerRule =
      switch family {
      case .reasoning, .exam: .bigBenchHard
      case .arithmetic: .gsm8k
      case .procedural: .procedural
      }
    #expect(family.cue.hasSuffix(rule.cue.trimmingCharacters(in: .whitespaces)))
    for exemplar in family.exemplars {
      let (gold, rejected) = (try #require(exemplar.answer), try #require(exemplar.wrongResponse))
      #expect(rule.read(exemplar.response, gold: gold).isCorrect)
      let reading = rule.read(rejected, gold: gold)
      #expect(reading.isParsed && !reading.isCorrect)
    }
  }

  @Test("of a folder take the place of the built-in ones, and exemplars of a file theirs")
  func own() throws {
    let files = [
      "annotate.mustache":
        "{{! mine }}\n{{#exemplars}}\n* {{question}} -> {{{response}}}\n{{/exemplars}}\n{{task}}: {{question}}\n\n",
      "exemplars.jsonl": #"{"question": "1+1 < 3?", "response": "yes"}"# + "\n",
    ]
    try withFolder(files) { folder in
      let templates = try PromptTemplates(
        folder: folder, exemplars: folder + "/exemplars.jsonl", for: [.annotate])
      #expect(
        templates.prompt(.annotate, for: puzzle).text
          == "* 1+1 < 3? -> yes\nnavigate: \(puzzle.text)")
      #expect(
        templates.prompt(.corrupt, for: puzzle, rightResponse: "r").text.hasSuffix(
          "Wrong response:"))
      let error = try #require(throws: FileError.self) {
        try PromptTemplates(folder: folder, exemplars: folder + "/exemplars.jsonl")
      }
      #expect(error.location == "line 1, answer" && error.expected == "a string")
    }
  }

  @Test(
    "that are wrong are refused, with the file and what is wrong",
    arguments: [
      (
        "annotate", "Q: {{question}}\n{{#exemplars}}{{answer}}{{/exemplars}}", "line 2",
        "{{answer}}"
      ),
      ("annotate", "{{#exemplars}}\nQ: {{question}}\n", "line 2", "a section that is not closed"),
      ("rectify", "Q: {{question}}\n{{>hint}}", "line 2", "{{>hint}}"),
      ("rectify", "Q: {{question}}\nA:", nil, "none"),
      ("corrupt", "{{#exemplars}}{{question}}{{/exemplars}}{{right_response}}", nil, "none"),
      ("corrupt", "{{question}} {{right_response", "line 1", "a tag that is not closed"),
    ] as [(String, String, String?, String)])
  func refused(step: String, text: String, place: String?, found: String) throws {
    try withFolder(["\(step).mustache": text]) { folder in
      let error = try #require(throws: FileError.self) { try PromptTemplates(folder: folder) }
      #expect(error.file == "\(folder)/\(step).mustache" && error.location == place, "\(error)")
      #expect(error.found.contains(found), "\(error)")
    }
  }

  @Test("of an empty folder are refused")
  func emptyFolder() throws {
    try withFolder([:]) { folder in
      _ = #expect(throws: FileError.self) { try PromptTemplates(folder: folder) }
    }
  }
}
