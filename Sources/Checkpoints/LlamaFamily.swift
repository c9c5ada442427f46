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
    layer: llamaLayer(biased: []),
    mayOmitKeyValueHeads: true, slidingWindow: .none,
    biasKeys: [
      "attention_bias": [.query, .key, .value, .output], "mlp_bias": [.gate, .up, .down],
    ],
    ownKeys: { _ in [:] })

  /// The layer of LLaMA, which others share up to biases and the norms of heads.
  static func llamaLayer(
    biased: [ProjectionName], queryNorm: TensorName? = nil, keyNorm: TensorName? = nil
  ) -> LayerPlan {
    LayerPlan(
      prefix: TensorName("model.layers.#.", gguf: "blk.#."),
      attentionNorm: TensorName("input_layernorm", gguf: "attn_norm"),
      query: TensorName("self_attn.q_proj", gguf: "attn_q"),
      key: TensorName("self_attn.k_proj", gguf: "attn_k"),
      value: TensorName("self_attn.v_proj", gguf: "attn_v"),
      queryNorm: queryNorm, keyNorm: keyNorm,
      output: TensorName("self_attn.o_proj", gguf: "attn_output"),
      feedForwardNorm: TensorName("post_attention_layernorm", gguf: "ffn_norm"),
      gate: TensorName("mlp.gate_proj", gguf: "ffn_gate"),
      up: TensorName("mlp.up_proj", gguf: "ffn_up"),
      down: TensorName("mlp.down_proj", gguf: "ffn_down"),
      biased: biased)
  }
}
