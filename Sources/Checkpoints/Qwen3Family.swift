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
    layer: LayerPlan(norms: .llama + .heads, projections: .separate),
    defaults: Defaults(headDimension: 128),
    slidingWindow: .switched(absent: 4096),
    biasKeys: ["attention_bias": [.query, .key, .value, .output]],
    readOwn: qwen2.readOwn, ownKeys: qwen2.ownKeys)
}
