import Reasoning
import Testing

@Suite("Answers")
struct AnswerRuleTests {
  @Test(
    "are matched strictly on the text after the cue, but for space and one full stop",
    arguments: [
      ("So the answer is (B).", "(B)", true),
      ("So the answer is   True  ", "True", true),
      ("So the answer is true.", "True", false),
      ("So the answer is Nuts, Inc.", "Nuts, Inc.", true),
      ("So the answer is B.", "(B)", false),
      ("the answer is (A). No, the answer is (B).", "(B)", false),
      ("(B)", "(B)", true),
      ("So The answer is (B).", "(B)", false),
      ("So the answer is\n] ) >.", "] ) >", true),
    ])
  func strict(response: String, gold: String, isCorrect: Bool) {
    #expect(AnswerRule.bigBenchHard.read(response, gold: gold).isCorrect == isCorrect)
  }

  @Test("that are blank are never correct")
  func blank() {
    for matching in AnswerRule.Matching.allCases {
      for (response, gold) in [("", "5"), ("", ""), ("the answer is", ""), ("5", " "), (" ", "")] {
        let rule = AnswerRule.bigBenchHard.matching(matching)
        #expect(!rule.read(response, gold: gold).isCorrect)
      }
    }
  }

  @Test("without the cue are unparsed, whether or not the whole text counts")
  func withoutCue() {
    let whole = AnswerRule.bigBenchHard.read("(B)", gold: "(B)")
    #expect(whole.isCorrect && !whole.isParsed)
    let none = AnswerRule.gsm8k.read("He has 3", gold: "3")
    #expect(!none.isCorrect && !none.isParsed && none.answer == nil)
  }

  @Test("of GSM8K stand after the last mark, their commas left out")
  func gsm8k() {
    #expect(AnswerRule.gsm8k.read("1,000 each\nA: 5600", gold: "5,600").isCorrect)
    #expect(AnswerRule.gsm8k.read("A: 3\nA: 4", gold: "4").isCorrect)
    #expect(!AnswerRule.gsm8k.read("A: 4.0", gold: "4").isCorrect)
  }

  @Test("are found in a time that grows with the length of the response")
  func longResponses() {
    // With a walk from the start to each cue this takes minutes.
    let response = String(repeating: "The answer is 11. ", count: 8000)
    let start = ContinuousClock.now
    let first = AnswerRule.usual(forTask: "navigate").matching(.strict)
    #expect(first.read(response, gold: "11").answer?.hasPrefix("11. The answer is 11.") == true)
    var last = first
    last.occurrence = .last
    #expect(last.read(response, gold: "11").isCorrect)
    #expect(first.parts(of: " 5 + 6 = 11. " + response)?.rationale == " 5 + 6 = 11.")
    #expect(ContinuousClock.now - start < .seconds(10))
  }

  @Test("of procedural chains stand after the last ans")
  func procedural() {
    #expect(AnswerRule.procedural.read(" 3 + 4 = 0 ; ans 0", gold: "0").isCorrect)
    #expect(
      AnswerRule.procedural.read(" up 2 ; y 3 + 2 = 5 ; now 3 5 ; ans 3 5 ", gold: "3 5").isCorrect)
    #expect(!AnswerRule.procedural.read(" 3 + 4 = 0 ; now 0", gold: "0").isParsed)
  }

  @Test("are read by the rule of the question's task, its cue in any case of letters")
  func usualRules() {
    for (task, published) in [
      ("arithmetic", AnswerRule.procedural), ("gsm8k", .gsm8k), ("navigate", .bigBenchHard),
    ] {
      var rule = AnswerRule.usual(forTask: task)
      #expect(rule.ignoresCueCase && !published.ignoresCueCase)
      rule.ignoresCueCase = false
      #expect(rule == published)
    }
  }

  @Test(
    "stand after the cue as it is written, else in another case of letters, where that is allowed",
    arguments: [
      ("navigate", "So. The answer is (B).", "(B)"), ("navigate", "THE ANSWER IS 5", "5"),
      ("navigate", "The answer is 5. So the answer is 6.", "6"),
      ("navigate", "The answer is 5. No, The Answer is 6", "5. No, The Answer is 6"),
      ("navigate", "Bathe Answer is 5", nil),
      ("gsm8k", "a: 5\nand a: 1,006", "1006"), ("gsm8k", "Emma: 5", nil),
      ("arithmetic", "3 + 4 = 0 ; Ans 0", "0"),
    ])
  func cueCase(task: String, response: String, answer: String?) {
    let rule = AnswerRule.usual(forTask: task)
    let reading = rule.read(response, gold: answer ?? "none")
    #expect(reading.isParsed == (answer != nil) && reading.isCorrect == (answer != nil))
    if let answer { #expect(reading.answer == answer && rule.answer(in: response) == answer) }
  }

  private static let birds = [
    Question.Option(label: "A", text: "the wren"),
    Question.Option(label: "B", text: "the penguin, of course"),
  ]

  @Test(
    "are matched flexibly by value",
    arguments: [
      // Letters, in and out of parentheses.
      ("So the answer is (B).", "(B)", true), ("So the answer is B", "(B)", true),
      ("the answer is b)", "(B)", true),
      ("The answer is: **B**.", "B", true), ("the answer is (A) or (B).", "(B)", false),
      ("the answer is A and C", "(A) (C)", true), ("(A) is out, so (B) it is", "(B)", true),
      ("the answer is A.", "(B)", false), ("I don't know", "(A)", false),
      ("the answer is [B].", "(B)", true), ("the answer is option B", "(B)", true),
      ("the answer is B: a penguin", "(B)", true), ("the answer is (b)", "B", true),
      ("the answer is (B) because (A) is a wren", "(B)", true),
      // Digits as labels.
      ("the answer is (2)", "(2)", true), ("the answer is 2.", "(2)", true),
      ("the answer is (1)", "(2)", false), ("the answer is 2)", "(2)", true),
      // Truth values.
      ("so the answer is YES!", "yes", true), ("so the answer is no", "Yes", false),
      ("the answer is Yes, he is.", "yes", true), ("the answer is: **No**.", "No", true),
      ("the answer is true", "True", true), ("the answer is FALSE.", "False", true),
      ("the answer is not True", "False", true),
      ("the answer is not valid", "invalid", true),
      ("the answer is deductively invalid.", "valid", false),
      ("the answer is invalid", "invalid", true),
      // Numbers.
      ("the answer is $29.00", "29", true), ("the answer is 1,000 rolls.", "1000", true),
      ("#### 1000", "1,000", true),
      ("the answer is 3.14.", "3.14", true), ("the answer is -8", "-8", true),
      ("the answer is -$8", "-8", true),
      ("the answer is 8", "-8", false), ("the answer is 50%", "50", true),
      ("the answer is 12 * 4 = 48", "48", true),
      ("the answer is 3.50 euros", "3.5", true), ("the answer is 007", "7", true),
      ("it makes 3 and then 4", "4", true),
      ("the answer is 10-3 = 7", "7", true), ("the answer is five", "5", true),
      ("the answer is .5", "0.5", true), ("the answer is $29.00.", "29", true),
      ("the answer is £5", "5", true), ("the answer is 29€", "29", true),
      ("the answer is 29 dollars", "$29.00", true), ("the answer is +8", "8", true),
      ("the answer is −8", "-8", true), ("the answer is $-8.00", "-8", true),
      ("the answer is 12.5 %", "12.5%", true), ("the answer is 50 percent", "50%", true),
      ("the answer is 1,000,000.", "1000000", true), ("the answer is 3.14.", "3.1", false),
      ("the answer is 18 km/h", "18", true), ("the answer is \\boxed{42}.", "42", true),
      // Brackets and words.
      ("the answer is ])>", "] ) >", true), ("the answer is ] > )", "] ) >", false),
      ("the answer is \"Apple, pear\".", "apple pear", true),
      ("the answer is pear apple", "apple pear", false),
      ("the answer is apple, pear, quince", "apple pear quince", true),
      ("the answer is Apple Pear.", "apple pear", true),
      ("the answer is [ { ( ) } ]", "[{()}]", true),
      ("the answer is 12/24/1937", "12/24/1937", true),
      ("the answer is 12/25/1937", "12/24/1937", false),
      // The last of several cues.
      ("the answer is 3. Wait, the answer is 4.", "4", true),
      ("Answer: 3\nthe answer is 4", "3", false), ("the answer is 4\n#### 3", "3", true),
      ("The answer is 5.\nAnswer: 6", "6", true),
    ])
  func flexible(response: String, gold: String, isCorrect: Bool) {
    let reading = AnswerRule.bigBenchHard.matching(.flexible).read(response, gold: gold)
    #expect(reading.isCorrect == isCorrect, "\(reading)")
  }

  @Test("may give an option's text for its label, and the gold answer too")
  func optionTexts() {
    let rule = AnswerRule.bigBenchHard.matching(.flexible)
    #expect(
      rule.read("the answer is the penguin, of course.", gold: "(B)", options: Self.birds).isCorrect
    )
    #expect(
      rule.read("the answer is (B)", gold: "the penguin, of course", options: Self.birds).isCorrect)
    #expect(!rule.read("the answer is the wren", gold: "(B)", options: Self.birds).isCorrect)
    // An option whose text is another one's label.
    let gases = [Question.Option(label: "A", text: "C"), Question.Option(label: "C", text: "O")]
    #expect(rule.read("the answer is (C)", gold: "(C)", options: gases).isCorrect)
  }

  @Test("are counted in a score: correct, unparsed and each item")
  func score() {
    let responses = [("1", "A: 5", "5"), ("2", "A: 6", "5"), ("3", "six", "6")].map {
      Score.Response(id: $0, task: "sums", text: $1, gold: $2)
    }
    let score = Score(responses, by: .gsm8k)
    #expect((score.correct, score.total, score.unparsed) == (1, 3, 1))
    #expect(score.accuracy == 1.0 / 3)
    #expect(score.items.map(\.isCorrect) == [true, false, false])
    #expect(score.items.map(\.answer) == ["5", "6", nil])
    #expect(Score([], by: .gsm8k).accuracy == 0)
  }
}
