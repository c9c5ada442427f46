import Files

extension ModelFamily {
  /// Mistral 7B: LLaMA with a sliding window in every layer.
  ///
  /// A GGUF calls it `llama` and does not store its window. Source: `MistralConfig` in transformers.
  static let mistral = ModelFamily(
    architecture: .mistral, transformersClass: "MistralForCausalLM", ggufArchitecture: "llama",
    interleavesHeads: true,
    embedding: llama.embedding, finalNorm: llama.finalNorm, output: llama.output,
    layer: llama.layer,
    slidingWindow: .always(absent: 4096),
    readOwn: { json, c in
      // Transformers gives all layers the window, whatever this key says.
      guard c.slidingLayers == c.familySlidingLayers else {
        throw json.error("layer_types", expected: "the same for all layers")
      }
    },
    ownKeys: { ["sliding_window": $0.slidingWindow.map(JSONValue.integer) ?? .null] })
}
