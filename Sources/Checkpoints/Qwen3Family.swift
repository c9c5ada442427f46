import Files

extension ModelFamily {
  /// Qwen3 in its dense sizes: LLaMA with an RMSNorm on each query and key head before the rotation,
  /// and a sliding window that is off unless it is switched on.
  ///
  /// Source: `Qwen3Config` and `Qwen3Attention` in transformers.
  static let qwen3 = ModelFamily(
    architecture: .qwen3, transformersClass: "Qwen3ForCausalLM", ggufArchitecture: "qwen3",
    interleavesHeads: false,
    embedding: llama.embedding, finalNorm: llama.finalNorm, output: llama.output,
    layer: llamaLayer(
      biased: [], queryNorm: TensorName("self_attn.q_norm", gguf: "attn_q_norm"),
      keyNorm: TensorName("self_attn.k_norm", gguf: "attn_k_norm")),
    mayOmitKeyValueHeads: false, defaultHeadDimension: 128,
    slidingWindow: .switched(absent: 4096),
    biasKeys: ["attention_bias": [.query, .key, .value, .output]],
    ownKeys: qwen2.ownKeys)
}
