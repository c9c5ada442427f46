import Reasoning
import Testing

@Suite("A split of questions")
struct QuestionSplitTests {
  private let questions = (0..<100).map { (id: "q\($0)", text: "Question \($0 % 90)?") }

  @Test("has the sizes asked for and puts each question into one part")
  func sizes() {
    let split = QuestionSplit(questions, validation: 20, test: 30, seed: 1)
    // A repeated question at the border brings one more.
    #expect((20...21).contains(split.validation.count) && (30...31).contains(split.test.count))
    #expect((split.train + split.validation + split.test).sorted() == questions.map(\.id).sorted())
  }

  @Test("keeps questions that repeat together, whatever their case and spaces")
  func repeats() {
    let parts = QuestionSplit(questions, validation: 20, test: 30, seed: 1).parts
    for number in 0..<10 { #expect(parts["q\(number)"] == parts["q\(number + 90)"]) }
    let same = QuestionSplit(
      [("a", "How many?"), ("b", " how  MANY? ")], validation: 1, test: 0, seed: 3)
    #expect(same.validation == ["a", "b"] && same.train.isEmpty)
  }

  @Test("depends on the seed, not on the questions' order")
  func seeded() {
    let split = QuestionSplit(questions, validation: 20, test: 30, seed: 1)
    #expect(split == QuestionSplit(questions.reversed(), validation: 20, test: 30, seed: 1))
    #expect(split.test != QuestionSplit(questions, validation: 20, test: 30, seed: 2).test)
  }

  @Test("gives all to the test where there are too few questions")
  func tooFew() {
    let split = QuestionSplit([("a", "x"), ("b", "y")], validation: 5, test: 5, seed: 1)
    #expect(split.test == ["a", "b"] && split.validation.isEmpty && split.train.isEmpty)
  }
}
