import LanguageModel

extension ObjectiveEntry {
  public static let answerTokens = ObjectiveEntry(
    "answer-tokens", stage: .second, data: .chains, help: "the answer's tokens after the chain"
  ) { .answerTokens(try $0.data.pieces) }
}

extension Objective {
  /// The answer's tokens alone, after the chain that leads to it, the mean over them.
  ///
  /// Source: SFTKey's second stage, 2512.21017.
  public static func answerTokens(_ chains: [ChainPieces]) -> Objective {
    chainsOfThought(
      chains.map {
        TokenizedChain(
          id: $0.id, prompt: $0.prompt + $0.rationale + $0.cue,
          response: $0.answer + [$0.cues.endOfSequence])
      })
  }
}
