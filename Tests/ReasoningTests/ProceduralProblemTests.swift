import Foundation
import Randomness
import Reasoning
import Testing

@Suite("Procedural problems")
struct ProceduralProblemTests {
  @Test(
    "take as many steps as asked for and end in their answer", arguments: ProceduralTask.allCases,
    [1, 2, 4, 6])
  func steps(task: ProceduralTask, steps: Int) throws {
    var random = SeededGenerator(seed: 1)
    for number in 0..<50 {
      let problem = task.problem(id: "\(number)", steps: steps, using: &random)
      #expect(problem.rightSteps.count == steps)
      let chain = problem.chain(of: problem.rightSteps, origin: .original)
      #expect(
        chain.isCorrect == true && chain.mistake == nil && chain.answer == problem.question.answer)
      #expect(chain.text.hasSuffix(" ; ans \(problem.question.answer ?? "")"))
      #expect(chain.prompt == "Q: \(problem.question.text)\nA:")
    }
  }

  @Test(
    "carry a mistake of each kind on to an answer that is not the gold one",
    arguments: ProceduralTask.allCases)
  func mistakes(task: ProceduralTask) throws {
    var random = SeededGenerator(seed: 2)
    var seen: Set<Mistake.Kind> = []
    for number in 0..<100 {
      let problem = task.problem(id: "\(number)", steps: 3, using: &random)
      for kind in [Mistake.Kind.logical, .knowledge, .calculation] {
        guard let steps = problem.wrongSteps(kind, using: &random) else { continue }
        seen.insert(kind)
        let chain = problem.chain(of: steps, origin: .corrupted)
        #expect(chain.isCorrect == false && chain.mistake?.kind == kind)
        let step = try #require(chain.mistake?.step)
        // Right before the mistake, one mistake, and as many steps as the right chain takes.
        #expect(steps[..<step].map(\.text) == problem.rightSteps[..<step].map(\.text))
        #expect(steps.filter { $0.mistake != nil }.count == 1 && steps.count == 3)
        let range = try #require(chain.mistake?.range)
        #expect(String(decoding: Array(chain.text.utf8)[range], as: UTF8.self) == steps[step].text)
      }
    }
    #expect(seen == [.logical, .knowledge, .calculation])
  }

  /// The value of an expression as its question writes it, by recursive descent: the generators' twin.
  private func value(of text: String) -> Int {
    var words = text.replacing(" mod 7", with: "").split(separator: " ").map(String.init)[...]
    let isBoolean = text.contains("e ") || text.hasSuffix("e")
    func operand() -> Int {
      let word = words.removeFirst()
      guard word == "(" else { return ["False": 0, "True": 1][word] ?? Int(word) ?? -1 }
      let value = expression()
      words.removeFirst()
      return value
    }
    func expression() -> Int {
      let a = operand()
      guard let sign = words.first, sign != ")" else { return a }
      words.removeFirst()
      let b = operand()
      switch sign {
      case "+": return (a + b) % 7
      case "-": return (a + 7 - b) % 7
      case "*": return a * b % 7
      case "@": return a > b ? a : b
      case "#": return a < b ? a : b
      case "and": return a == 1 && b == 1 ? 1 : 0
      case "or": return a == 1 || b == 1 ? 1 : 0
      case "xor": return a != b ? 1 : 0
      case "iff": return a == b ? 1 : 0
      case "nand": return a == 1 && b == 1 ? 0 : 1
      default: return isBoolean && a == 0 && b == 0 ? 1 : 0
      }
    }
    return expression()
  }

  @Test(
    "of arithmetic and Boolean algebra have the value that their text has",
    arguments: [ProceduralTask.arithmetic, .boolean])
  func values(task: ProceduralTask) {
    var random = SeededGenerator(seed: 3)
    for number in 0..<300 {
      let question = task.problem(id: "\(number)", steps: 1 + number % 6, using: &random).question
      let value = value(of: question.text)
      #expect(
        question.answer == (task == .boolean ? ["False", "True"][value] : "\(value)"),
        "\(question.text)")
    }
  }

  @Test(
    "of objects and walks end where the last state of their chain says",
    arguments: [ProceduralTask.objects, .navigation])
  func lastStates(task: ProceduralTask) throws {
    var random = SeededGenerator(seed: 4)
    for number in 0..<100 {
      let problem = task.problem(id: "\(number)", steps: 4, using: &random)
      let last = try #require(problem.rightSteps.last?.text.split(separator: "now ").last)
      let answer = try #require(problem.question.answer)
      if task == .navigation {
        #expect(last == answer)
      } else {
        let words = problem.question.text.split(separator: " ")
        #expect(last.contains("\(words[words.count - 3]) \(answer)"))
      }
    }
  }

  @Test("state the rule of an operator that has one, as the steps of this walk and this shuffle do")
  func rules() {
    var random = SeededGenerator(seed: 5)
    let hop = ProceduralTask.navigation.problem(
      id: "a", steps: 1, heldOut: ["hop"], showingHeldOut: true, using: &random)
    #expect(hop.rightSteps[0].text.hasPrefix("hop is left ; hop "))
    let pass = ProceduralTask.objects.problem(
      id: "b", steps: 1, heldOut: ["pass"], showingHeldOut: true, using: &random)
    #expect(pass.rightSteps[0].text.hasPrefix("pass is next ; all pass ; now "))
    #expect(
      pass.wrongSteps(.knowledge, using: &random)?[0].text.hasPrefix("pass is previous ; ") == true)
  }

  @Test("leave held-out operators out, or show one of them", arguments: ProceduralTask.allCases)
  func heldOut(task: ProceduralTask) {
    var random = SeededGenerator(seed: 6)
    let heldOut: Set = [task.operators[1]]
    for number in 0..<50 {
      let without = task.problem(id: "\(number)", steps: 3, heldOut: heldOut, using: &random)
      #expect(
        !without.question.text.split(separator: " ").contains { heldOut.contains(String($0)) })
      let with = task.problem(
        id: "\(number)", steps: 3, heldOut: heldOut, showingHeldOut: true, using: &random)
      #expect(
        with.question.text.split(separator: " ").contains { heldOut.contains(String($0)) })
    }
  }

  @Test(
    "use only words of their vocabulary, parted by single spaces",
    arguments: ProceduralTask.allCases)
  func vocabulary(task: ProceduralTask) {
    let words = Set(WordVocabulary([task]).words)
    var random = SeededGenerator(seed: 7)
    var used: Set<String> = []
    for number in 0..<400 {
      let problem = task.problem(id: "\(number)", steps: 4, using: &random)
      var texts = [
        problem.question.prompt, problem.chain(of: problem.rightSteps, origin: .original).text,
      ]
      for kind in [Mistake.Kind.logical, .knowledge, .calculation] {
        texts +=
          problem.wrongSteps(kind, using: &random).map {
            [problem.chain(of: $0, origin: .corrupted).text]
          } ?? []
      }
      for text in texts {
        #expect(!text.contains("  ") && !text.hasSuffix(" "))
        used.formUnion(text.split(whereSeparator: \.isWhitespace).map(String.init))
      }
    }
    #expect(used.subtracting(words).isEmpty)
    #expect(words.subtracting(used) == [WordVocabulary.unknown, WordVocabulary.endOfSequence])
  }

  @Test("have a word-level tokenizer.json with the two special tokens first")
  func tokenizerFile() throws {
    let vocabulary = WordVocabulary(ProceduralTask.allCases)
    let json = try #require(
      JSONSerialization.jsonObject(with: vocabulary.tokenizerJSON()) as? [String: Any])
    let model = try #require(json["model"] as? [String: Any])
    #expect(model["type"] as? String == "WordLevel" && model["unk_token"] as? String == "<unk>")
    let ids = try #require(model["vocab"] as? [String: Int])
    #expect(ids.count == vocabulary.words.count)
    #expect(vocabulary.words.indices.allSatisfy { ids[vocabulary.words[$0]] == $0 })
    #expect(ids["<unk>"] == 0 && ids["<eos>"] == 1)
    let added = try #require(json["added_tokens"] as? [[String: Any]])
    #expect(added.map { $0["content"] as? String } == ["<unk>", "<eos>"])
    #expect((json["pre_tokenizer"] as? [String: Any])?["type"] as? String == "WhitespaceSplit")
  }
}
