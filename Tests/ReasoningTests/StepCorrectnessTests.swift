import Reasoning
import Testing

@Suite struct StepCorrectnessTests {
  private let chain = " 4 * 4 = 2 ; now 3 # 2 ; # is min ; 3 # 2 = 2 ; ans 2"

  @Test(
    "The steps of a procedural response are right up to the first other one",
    arguments: [
      (" 4 * 4 = 2 ; now 3 # 2 ; # is min ; 3 # 2 = 2 ; ans 2", 4),
      // A wrong conclusion is no wrong step; spaces say nothing.
      ("4 * 4 = 2; now 3 # 2 ;  # is min ; 3 # 2 = 2 ; ans 5", 4),
      // What follows a wrong step does not count, though it is the chain's.
      (" 4 * 4 = 3 ; now 3 # 2 ; # is min ; 3 # 2 = 2 ; ans 2", 0),
      (" 4 * 4 = 2 ; now 3 # 2 ; # is max ; 3 # 2 = 3 ; ans 3", 2),
      (" 4 * 4 = 2 ; now", 1), ("", 0),
    ])
  func procedural(response: String, right: Int) {
    let found = StepCorrectness(
      of: response, question: "Q: ( 4 * 4 ) # 3 mod 7\nA:", task: "arithmetic", rightChain: chain)
    #expect(found == StepCorrectness(right: right, total: 4))
  }

  @Test("Equations are the steps of other responses")
  func equations() {
    func found(_ response: String, question: String = "How many?") -> StepCorrectness? {
      StepCorrectness(of: response, question: question, task: "gsm8k", rightChain: chain)
    }
    #expect(
      found("12 * 4 = 46, and 46 + 2 = 48. The answer is 48.")
        == StepCorrectness(right: 1, total: 2))
    #expect(found("He has 5 apples.") == nil)
    // The question may name what numbers are counted by.
    #expect(found("5 + 4 = 2") == StepCorrectness(right: 0, total: 1))
    #expect(found("5 + 4 = 2", question: "What is 5 + 4 modulo 7?") == .init(right: 1, total: 1))
  }

  @Test("Without a right chain nothing is said of a procedural response")
  func unknown() {
    #expect(
      StepCorrectness(of: chain, question: "Q:", task: "arithmetic", rightChain: nil) == nil)
  }
}
