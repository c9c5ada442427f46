/// The SentencePiece vocabulary of GGUF files (`tokenizer.ggml.model`), and the ids that llama.cpp gives its special
/// tokens where a file names none.
///
/// Source: `llama_vocab::impl::load` in https://github.com/ggml-org/llama.cpp/blob/master/src/llama-vocab.cpp
package enum LlamaVocabulary {
  package static let name = "llama"
  package static let unknown = 0
  package static let beginningOfSequence = 1
  package static let endOfSequence = 2
}
