extension ModelFamily {
  /// LLaMA 1 to 3 and those of its shape: SmolLM2, TinyLlama, CodeLLaMA, Vicuna.
  ///
  /// Source: `LlamaConfig` in transformers; `gguf.constants.TENSOR_NAMES` and
  /// `gguf.tensor_mapping` of the Python package gguf.
  static let llama = ModelFamily(
    architecture: .llama, transformersClass: "LlamaForCausalLM", ggufArchitecture: "llama",
    interleavesHeads: true,
    embedding: TensorName("model.embed_tokens", gguf: "token_embd"),
    finalNorm: TensorName("model.norm", gguf: "output_norm"),
    output: TensorName("lm_head", gguf: "output"),
    layer: LayerPlan(norms: .llama, projections: .separate),
    defaults: Defaults(mayOmitKeyValueHeads: true),
    slidingWindow: .none,
    biasKeys: [
      "attention_bias": [.query, .key, .value, .output], "mlp_bias": [.gate, .up, .down],
    ])
}

/// The names that most families share.
extension LayerPlan {
  init(
    norms: [NormName: TensorName], normsAllHeads: Bool = false,
    projections: [ProjectionName: TensorName], biased: [ProjectionName] = []
  ) {
    self.init(
      prefix: TensorName("model.layers.#.", gguf: "blk.#."), norms: norms,
      normsAllHeads: normsAllHeads, projections: projections, biased: biased)
  }
}

extension [NormName: TensorName] {
  /// One before attention, one before the feed-forward layer.
  static let llama: Self = [
    .attention: TensorName("input_layernorm", gguf: "attn_norm"),
    .feedForward: TensorName("post_attention_layernorm", gguf: "ffn_norm"),
  ]

  /// Those of queries and keys.
  static let heads: Self = [
    .query: TensorName("self_attn.q_norm", gguf: "attn_q_norm"),
    .key: TensorName("self_attn.k_norm", gguf: "attn_k_norm"),
  ]

  /// One after each of the two, before the residual sum.
  static let post: Self = [
    .postAttention: TensorName("post_attention_layernorm", gguf: "post_attention_norm"),
    .postFeedForward: TensorName("post_feedforward_layernorm", gguf: "post_ffw_norm"),
  ]

  static func + (a: Self, b: Self) -> Self { a.merging(b) { $1 } }
}

extension [ProjectionName: TensorName] {
  /// Seven, each a tensor of its own.
  static let separate: Self = [
    .query: TensorName("self_attn.q_proj", gguf: "attn_q"),
    .key: TensorName("self_attn.k_proj", gguf: "attn_k"),
    .value: TensorName("self_attn.v_proj", gguf: "attn_v"),
    .output: TensorName("self_attn.o_proj", gguf: "attn_output"),
    .gate: TensorName("mlp.gate_proj", gguf: "ffn_gate"),
    .up: TensorName("mlp.up_proj", gguf: "ffn_up"),
    .down: TensorName("mlp.down_proj", gguf: "ffn_down"),
  ]
}
