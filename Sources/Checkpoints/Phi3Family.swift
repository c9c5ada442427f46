import Files

extension ModelFamily {
  /// Phi-3, Phi-3.5-mini and Phi-4 with plain rotary embeddings: LLaMA with one tensor for query, key and value and
  /// one for gate and up, and a sliding window.
  ///
  /// llama.cpp computes full attention where a GGUF states a window. Source: `Phi3Config`,
  /// `Phi3Attention` and `Phi3MLP` in transformers.
  static let phi3 = ModelFamily(
    architecture: .phi3, transformersClass: "Phi3ForCausalLM", ggufArchitecture: "phi3",
    interleavesHeads: false,
    embedding: llama.embedding, finalNorm: llama.finalNorm, output: llama.output,
    layer: LayerPlan(
      norms: .llama,
      projections: [
        .queryKeyValue: TensorName("self_attn.qkv_proj", gguf: "attn_qkv"),
        .output: TensorName("self_attn.o_proj", gguf: "attn_output"),
        .gateUp: TensorName("mlp.gate_up_proj", gguf: "ffn_up"),
        .down: TensorName("mlp.down_proj", gguf: "ffn_down"),
      ]),
    defaults: Defaults(rmsNormEpsilon: 1e-5, mayOmitKeyValueHeads: true),
    slidingWindow: .always(absent: nil),
    readOwn: mistral.readOwn,
    ownKeys: { c in
      [
        "sliding_window": c.slidingWindow.map(JSONValue.integer) ?? .null,
        // Its defaults lie outside of small vocabularies.
        "pad_token_id": .null,
        "original_max_position_embeddings": .integer(c.maximumPositions),
      ]
    },
    ownGGUFKeys: { c in
      [
        // 0 is none.
        "attention.sliding_window": .integer(c.slidingWindow ?? 0),
        "rope.scaling.original_context_length": .integer(c.maximumPositions),
      ]
    },
    statesWindowInGGUF: true)
}
