import Randomness
import Reasoning
import Testing

@Suite("Chains corrupted by program")
struct CorruptedChainTests {
  private func corrupted(
    _ text: String, _ answer: String, options: [String] = [], isCorrect: Bool = true,
    task: String = "t", seed: UInt64 = 1
  ) -> ChainOfThought? {
    let labels = ["A", "B", "C", "D"]
    let question = Question(
      id: "q", task: task, text: "q",
      options: zip(labels, options).map { Question.Option(label: $0, text: $1) }, answer: answer)
    let chain = ChainOfThought(
      questionID: "q", task: task, prompt: question.prompt, text: text, answer: answer,
      isCorrect: isCorrect, origin: .original)
    var generator = SeededGenerator(seed: seed)
    return chain.corrupted(for: question, using: &generator)
  }

  @Test("A number, the results that are the answer, and the answer change by the same distance")
  func numbers() throws {
    let text = " - pens (2)\n- books (4)\nAdd them: 2 + 4 = 6. So the answer is 6."
    var texts: Set<String> = []
    for seed in 0..<60 {
      guard let chain = corrupted(text, "6", seed: UInt64(seed)) else { continue }
      #expect(chain.isCorrect == false && chain.origin == .corrupted)
      let answer = try #require(Int(chain.answer ?? ""))
      let change = answer - 6
      #expect((1...3).contains(abs(change)))
      #expect(chain.text.hasSuffix("= \(answer). So the answer is \(answer)."))
      let mistake = try #require(chain.mistake?.range)
      let bytes = Array(chain.text.utf8)[mistake]
      let changed = try #require(Int(String(decoding: bytes, as: UTF8.self)))
      #expect([2, 4, 6].contains(changed - change))
      // All else is as it was.
      let places = text.utf8.count - chain.text.utf8.count
      #expect(places == 0 && zip(text, chain.text).count(where: !=) <= 3)
      texts.insert(chain.text)
    }
    #expect(texts.contains(" - pens (3)\n- books (4)\nAdd them: 2 + 4 = 7. So the answer is 7."))
    #expect(texts.contains(" - pens (2)\n- books (4)\nAdd them: 2 + 1 = 3. So the answer is 3."))
    #expect(texts.count > 15)
  }

  @Test("A truth value becomes its opposite, with the capitals it had")
  func truths() throws {
    let value = " (1) not ( True ) = False. So the answer is False."
    let made = Set((0..<20).compactMap { corrupted(value, "False", seed: $0)?.text })
    #expect(
      made == [
        " (1) not ( False ) = False. So the answer is True.",
        " (1) not ( True ) = True. So the answer is True.",
      ])
    let liar = " (1) Ann lies. (2) Bob says Ann tells the truth. So the answer is No."
    let told = Set((0..<20).compactMap { corrupted(liar, "No", seed: $0)?.text })
    #expect(
      told == [
        " (1) Ann tells the truth. (2) Bob says Ann tells the truth. So the answer is Yes.",
        " (1) Ann lies. (2) Bob says Ann lies. So the answer is Yes.",
      ])
    // Without any, a number; the numbers of steps and references to them stay.
    let steps = " (1) Start.\n(2) Take 4 steps, from (1): (4, 0). So the answer is No."
    for seed in 0..<20 {
      guard let chain = corrupted(steps, "No", seed: UInt64(seed)) else { continue }
      #expect(chain.text.hasPrefix(" (1) Start.\n(2) Take ") && chain.text.contains("from (1): ("))
      #expect(chain.text.hasSuffix("So the answer is Yes.") && chain.answer == "yes")
    }
  }

  @Test("An option becomes another one")
  func options() throws {
    let text = " 10am-12pm: shop. 12pm-2.5pm: free. So the answer is (B)."
    let made = (0..<40).compactMap {
      corrupted(text, "(B)", options: ["10am", "noon", "2pm"], seed: $0)
    }
    #expect(Set(made.compactMap(\.answer)) == ["(A)", "(C)"])
    #expect(made.allSatisfy { $0.text.contains("2.5pm: free") && $0.text != text })
  }

  @Test("Without a value, an answer of a known kind, or a right chain there is none")
  func none() {
    #expect(corrupted(" Pens are things. So the answer is yes.", "yes") == nil)
    #expect(corrupted(" 2 pens. So the answer is pens.", "pens") == nil)
    #expect(corrupted(" 2 + 4 = 6.", "6") == nil)
    #expect(corrupted(" 2 + 4 = 6. So the answer is 6.", "6", isCorrect: false) == nil)
    #expect(corrupted("", "6") == nil)
    let huge = String(repeating: "9", count: 40)
    #expect(corrupted(" \(huge) pens. So the answer is \(huge).", huge) == nil)
  }

  @Test("GSM8K's and procedural chains are read by their own cues")
  func cues() {
    let made = corrupted(" 2 + 4 = 6\nA: 6", "6", task: "gsm8k")
    #expect(made?.text.contains("\nA: \(made?.answer ?? "-")") == true && made?.answer != "6")
  }
}
