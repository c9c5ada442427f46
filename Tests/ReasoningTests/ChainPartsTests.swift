import Reasoning
import Testing

@Suite struct ChainPartsTests {
  @Test(
    "A chain is split at the cue before its answer, with the words that lead over to it",
    arguments: [
      (
        AnswerRule.bigBenchHard, " 3 * 2 = 6. Therefore, the answer is 6.",
        ChainParts(rationale: " 3 * 2 = 6.", cue: " Therefore, the answer is", answer: " 6.")
      ),
      (
        AnswerRule.bigBenchHard, " 3 * 2 = 6. The answer is 6",
        ChainParts(rationale: " 3 * 2 = 6.", cue: " The answer is", answer: " 6")
      ),
      (
        AnswerRule.bigBenchHard, " It is red.\nSo the answer is (A).",
        ChainParts(rationale: " It is red.", cue: "\nSo the answer is", answer: " (A).")
      ),
      (
        AnswerRule.bigBenchHard, " Also the answer is 6",
        ChainParts(rationale: " Also", cue: " the answer is", answer: " 6")
      ),
      (
        AnswerRule.procedural, " 3 # 3 is 2 ; now 2 ; ans 2",
        ChainParts(rationale: " 3 # 3 is 2 ; now 2 ;", cue: " ans", answer: " 2")
      ),
      (
        AnswerRule.gsm8k, "A: no\nNina buys 3.\nA: 1,000",
        ChainParts(rationale: "A: no\nNina buys 3.", cue: "\nA:", answer: " 1,000")
      ),
    ])
  func parts(rule: AnswerRule, text: String, expected: ChainParts) {
    let parts = rule.parts(of: text)
    #expect(parts == expected)
    #expect(parts.map { $0.rationale + $0.cue + $0.answer } == text)
  }

  @Test(
    "A chain without a cue, or with nothing on one side of it, has no parts",
    arguments: ["", " 6.", " Therefore, the answer is 6", " 3 * 2 = 6. The answer is "])
  func none(text: String) {
    #expect(AnswerRule.bigBenchHard.parts(of: text) == nil)
  }
}
