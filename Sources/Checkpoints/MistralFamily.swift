import Files

extension ModelFamily {
  /// Mistral 7B: LLaMA with a sliding window.
  ///
  /// A GGUF calls it `llama` and does not store its window. Source: `MistralConfig` in transformers.
  static let mistral = ModelFamily(
    architecture: .mistral, transformersClass: "MistralForCausalLM", ggufArchitecture: "llama",
    interleavesHeads: true,
    embedding: llama.embedding, finalNorm: llama.finalNorm, output: llama.output,
    layer: llamaLayer(biased: []),
    mayOmitKeyValueHeads: false, slidingWindow: .always(absent: 4096),
    ownKeys: { ["sliding_window": $0.slidingWindow.map(JSONValue.integer) ?? .null] })
}
