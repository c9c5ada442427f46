import Files
import Reasoning
import Testing

@Suite("Pairing")
struct PairingTests {
  private func chain(
    _ text: String, _ isCorrect: Bool?, _ origin: ChainOfThought.Origin, id: String = "q",
    prompt: String = "Q: q\nA:"
  ) -> ChainOfThought {
    ChainOfThought(
      questionID: id, task: "t", prompt: prompt, text: text, answer: text, isCorrect: isCorrect,
      origin: origin)
  }

  @Test("An original correct chain goes with its corruption, a rectified one with the original")
  func origins() {
    func texts(_ chains: ChainOfThought...) -> [String]? {
      Pairing.byOrigin.pair(chains, goldAnswer: "g").map { [$0.chosen.text, $0.rejected.text] }
    }
    let (correct, incorrect) = (chain("a", true, .original), chain("b", false, .original))
    let (corrupted, rectified) = (chain("c", false, .corrupted), chain("d", true, .rectified))
    #expect(texts(corrupted, correct) == ["a", "c"])
    #expect(texts(incorrect, rectified) == ["d", "b"])
    // One answer of the teacher's against another is no dual pair.
    #expect(texts(correct, incorrect) == nil && texts(rectified, corrupted) == nil)
    #expect(texts(correct, rectified) == nil && texts() == nil)
    #expect(texts(chain("e", true, .recorded), chain("f", false, .recorded)) == ["e", "f"])
    #expect(texts(chain("e", true, .recorded), incorrect) == ["e", "b"])
    #expect(texts(chain("u", nil, .recorded), incorrect) == nil)
    // The first of each counts, and the correct one with its corruption before the others.
    #expect(
      texts(chain("x", true, .original), correct, corrupted, rectified, incorrect) == ["x", "c"])
  }

  @Test("The nearest two are those with the smallest edit distance, the first of equally near ones")
  func nearest() {
    let pairing = Pairing.nearest { $0.utf8.map(Int.init) }
    let chains = [
      chain("abcd", true, .recorded), chain("wxyz", true, .recorded),
      chain("abxx", false, .recorded),
      chain("wxyq", false, .recorded), chain("qxyz", false, .recorded),
    ]
    let pair = pairing.pair(chains, goldAnswer: "g")
    #expect(pair?.chosen.text == "wxyz" && pair?.rejected.text == "wxyq" && pair?.goldAnswer == "g")
    #expect(pairing.pair(Array(chains[..<2]), goldAnswer: nil) == nil)
  }

  @Test("Chains of many questions are paired by id, in the order of their first chains")
  func questions() throws {
    let chains = [
      chain("1", false, .original, id: "b"), chain("2", true, .original, id: "a"),
      chain("3", true, .original, id: "c"), chain("4", false, .corrupted, id: "a"),
      chain("5", true, .rectified, id: "b"),
    ]
    let made = try Pairing.byOrigin.pairs(of: chains, file: "f")
    #expect(made.pairs.map(\.questionID) == ["b", "a"] && made.unpaired == 1)
    #expect(made.pairs.map(\.goldAnswer) == ["5", "2"])
    let error = #expect(throws: FileError.self) {
      try Pairing.byOrigin.pairs(
        of: chains + [chain("6", true, .original, id: "a", prompt: "Q: p\nA:")], file: "f")
    }
    #expect(error?.file == "f" && error?.location == "question a")
  }
}
