import Distillation
import Files
import Testing

@Suite struct LengthLimitTests {
  private let pairs = [(2, 4, 3), (2, 5, 9), (3, 4, 4), (4, 8, 1)].enumerated().map {
    index, sizes in
    TokenizedPair(
      id: "p\(index)", prompt: Array(repeating: 1, count: sizes.0),
      chosen: Array(repeating: 2, count: sizes.1), rejected: Array(repeating: 3, count: sizes.2))
  }

  @Test(
    "A pair is as long as its longer side with its prompt, and one as long as the limit is kept")
  func pairsByLength() throws {
    func selection(_ tokens: Int) throws -> LengthLimit.Selection {
      try LengthLimit(tokens, of: "--max-length", excess: .skip).selection(of: pairs, file: "f")
    }
    #expect(try selection(12) == .init(kept: [0, 1, 2, 3], skipped: []))
    #expect(
      try selection(11) == .init(kept: [0, 1, 2], skipped: [.init(id: "p3", tokens: 12)]))
    #expect(
      try selection(7)
        == .init(
          kept: [0, 2], skipped: [.init(id: "p1", tokens: 11), .init(id: "p3", tokens: 12)]))
    #expect(
      try selection(6).skipped.map(\.id) == ["p1", "p2", "p3"] && selection(6).kept == [0])
  }

  @Test("A refused example is named with its side, its length and the limit")
  func refuses() {
    let limit = LengthLimit(7, of: "the model's context")
    #expect(limit.excess == .refuse)
    let pair = #expect(throws: FileError.self) { try limit.selection(of: pairs, file: "f") }
    #expect(
      pair?.description
        == "f: pair 2 (p1), rejected: expected at most the 7 tokens of the model's context, found 11 tokens"
    )
    let chain = #expect(throws: FileError.self) {
      try limit.selection(of: pairs.map(\.chosenChain), file: "f")
    }
    #expect(
      chain?.description
        == "f: chain 4 (p3): expected at most the 7 tokens of the model's context, found 12 tokens")
  }

  @Test("Where all examples are too long, the shortest one's length is told")
  func allTooLong() {
    let limit = LengthLimit(5, of: "--max-length", excess: .skip)
    let error = #expect(throws: FileError.self) {
      try limit.selection(of: pairs.map(\.chosenChain), file: "f")
    }
    #expect(
      error?.description
        == "f: expected a chain of at most the 5 tokens of --max-length, found 4 longer ones, the shortest with 6"
    )
  }
}
