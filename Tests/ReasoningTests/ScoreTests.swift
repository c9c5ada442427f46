import Reasoning
import Testing

@Suite("Scores")
struct ScoreTests {
  private func response(_ text: String, _ gold: String, task: String = "t") -> Score.Response {
    Score.Response(id: text, task: task, text: text, gold: gold)
  }

  @Test("A blank response is never correct, whatever the gold answer", arguments: ["", " \n", "x"])
  func blank(gold: String) {
    for matching in AnswerRule.Matching.allCases {
      let score = Score([response("", gold), response(" \n", gold)]) {
        .judging(task: $0, matching: matching)
      }
      #expect((score.correct, score.unparsed) == (0, 2))
    }
  }

  @Test("Each response is read by the rule of its task, and tasks are told apart")
  func mixed() {
    let score = Score([
      response("6 + 3 = 9. \nA: 9", "9", task: "gsm8k"),
      response("x ; ans 5", "5", task: "arithmetic"),
      response("So the answer is $18.", "18", task: "pens"),
      response("So the answer is 9.", "18", task: "pens"),
    ]) { .judging(task: $0) }
    #expect(score.items.map(\.isCorrect) == [true, true, true, false])
    #expect(score.byTask.map(\.task) == ["arithmetic", "gsm8k", "pens"])
    #expect(score.byTask.map(\.score.correct) == [1, 1, 1])
    #expect(score.byTask.map(\.score.total) == [1, 1, 2])
  }

  @Test(
    "A teacher's and a student's answers are compared by value, procedural and published ones strictly"
  )
  func policy() {
    #expect(AnswerRule.judging(task: "pens").matching == .flexible)
    #expect(AnswerRule.judging(task: "gsm8k").matching == .flexible)
    #expect(AnswerRule.judging(task: "arithmetic").matching == .strict)
    #expect(AnswerRule.judging(task: "pens", matching: .strict).matching == .strict)
    #expect(AnswerRule.judging(task: "arithmetic", matching: .flexible).matching == .flexible)
    for format in [ResponseFormat.bigBenchHard, .gsm8kSolutions] {
      #expect(format.rule(forTask: "pens").matching == .strict)
      #expect(format.rule(forTask: "pens", matching: .flexible).matching == .flexible)
    }
    #expect(ResponseFormat.jsonLines.rule(forTask: "pens") == .judging(task: "pens"))
  }

  @Test("The majority baseline answers each task's questions with its most frequent gold answer")
  func baseline() {
    let baselines = MajorityBaseline.byTask(
      [("a", "x"), ("a", "x"), ("a", "y"), ("b", "z"), ("b", "w")].map { (task: $0, gold: $1) })
    #expect(baselines.map(\.task) == ["a", "b"])
    #expect(baselines.map(\.answer) == ["x", "w"])
    #expect(baselines.map(\.accuracy) == [2.0 / 3, 0.5])
    #expect(abs(MajorityBaseline.overall(baselines) - 0.6) < 1e-12)
    #expect(abs(MajorityBaseline.mean(baselines) - 7.0 / 12) < 1e-12)
    #expect(MajorityBaseline.overall([]) == 0 && MajorityBaseline.mean([]) == 0)
  }
}
