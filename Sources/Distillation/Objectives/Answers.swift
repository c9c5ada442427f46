import LanguageModel

extension ObjectiveEntry {
  public static let answers = ObjectiveEntry(
    "answer-sft", stage: .first, data: .chains, parameters: [.chainsPerMean],
    help: "the answer alone",
    decoding: { ArmDecoding(lead: $0.conclusion) },
    build: { .answers(try $0.data.pieces) })
}

extension Objective {
  /// Answer SFT: the question, then its answer alone, as the end of its chain states it.
  public static func answers(_ chains: [ChainPieces]) -> Objective {
    chainsOfThought(
      chains.map {
        TokenizedChain(
          id: $0.id, prompt: $0.prompt, response: $0.answer + [$0.cues.endOfSequence])
      })
  }
}
