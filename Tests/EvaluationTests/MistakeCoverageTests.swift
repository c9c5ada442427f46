import Distillation
import Evaluation
import KeySteps
import Reasoning
import TestSupport
import Testing
import Tokenizers

@Suite struct MistakeCoverageTests {
  /// Numbers, whose ids they are.
  private func tokenizer(_ folder: TemporaryFolder) throws -> ExampleTokenizer {
    try ExampleTokenizer(Tokenizer(path: numberedModel(in: folder.path)))
  }

  /// The right chain 10 11 12 13 14, and a wrong one whose mistake is marked at 12.
  private func pair(_ rejected: String, _ range: Range<Int>?, _ tokenizer: ExampleTokenizer) throws
    -> TokenizedPair
  {
    func chain(_ text: String, _ mistake: Mistake?) -> ChainOfThought {
      ChainOfThought(
        questionID: "q", task: "t", prompt: "5 6", text: text, origin: .recorded, mistake: mistake)
    }
    return try #require(
      tokenizer.tokenize(
        [
          DualChainOfThought(
            chosen: chain(" 10 11 12 13 14", nil),
            rejected: chain(rejected, Mistake(kind: .unknown, step: 1, range: range)),
            goldAnswer: nil)
        ], file: "f"
      ).first)
  }

  @Test("Tokens and key tokens are counted before, in and after the marked step")
  func counts() throws {
    let folder = try TemporaryFolder()
    let tokenizer = try tokenizer(folder)
    // 22 and 23 stand in the step " 22 23", 34 follows from it.
    let pair = try pair(" 10 11 22 23 34", 6..<12, tokenizer)
    let coverage = try #require(MistakeCoverage(pair, KeyTokenChoice(), tokenizer))
    // The end-of-sequence token counts as after.
    #expect([coverage.tokens.before, coverage.tokens.within, coverage.tokens.after] == [2, 2, 2])
    #expect(
      [coverage.keyTokens.before, coverage.keyTokens.within, coverage.keyTokens.after] == [0, 2, 1])
    #expect(coverage.beginsInStep)
    #expect(pair.mistakePlaces(tokenizer)?.count == pair.rejected.count)
    let first = try #require(
      MistakeCoverage(pair, KeyTokenChoice(onlyFirstRejectedRun: true), tokenizer))
    // The run goes on to its end, which is beyond the step.
    #expect(first.keyTokens.within == 2 && first.keyTokens.after == 1)
  }

  @Test("A chain that parts from the right one before the marked step says so")
  func before() throws {
    let folder = try TemporaryFolder()
    let tokenizer = try tokenizer(folder)
    let coverage = try #require(
      MistakeCoverage(pair(" 20 11 22 13 14", 6..<9, tokenizer), KeyTokenChoice(), tokenizer))
    #expect(coverage.keyTokens.before == 1 && coverage.keyTokens.within == 1)
    #expect(!coverage.beginsInStep)
    #expect(MistakeCoverage(try pair(" 20", nil, tokenizer), KeyTokenChoice(), tokenizer) == nil)
  }
}
