import LanguageModel
import Tokenizers

extension ExampleTokenizer {
  /// The ids at which `decoder`'s responses end: every end-of-sequence id of its configuration, the
  /// tokenizer's, and those of the tokens that end a turn of a conversation.
  public func stopTokens(of decoder: Decoder) -> Set<Int> {
    let turns = Self.endsOfTurn.compactMap { tokenizer.id(of: $0) }.filter(tokenizer.isSpecial)
    return Set(decoder.configuration.endsOfSequence + [endOfSequence] + turns)
  }

  /// The special tokens that end a turn: of ChatML (Qwen, SmolLM2), Llama 3, Gemma and Phi 3.
  ///
  /// A chat model that was fine-tuned on turns writes them instead of its end-of-sequence token.
  private static let endsOfTurn = [
    "<|im_end|>", "<|eot_id|>", "<|eom_id|>", "<end_of_turn>", "<|end|>",
  ]
}
