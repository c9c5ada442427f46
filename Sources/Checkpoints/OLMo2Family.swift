extension ModelFamily {
  /// OLMo 2: the norms follow attention and the feed-forward layer instead of preceding them, and queries
  /// and keys are normed over all their heads together.
  ///
  /// Source: `Olmo2Config` and `Olmo2DecoderLayer` in transformers.
  static let olmo2 = ModelFamily(
    architecture: .olmo2, transformersClass: "Olmo2ForCausalLM", ggufArchitecture: "olmo2",
    interleavesHeads: false,
    embedding: llama.embedding, finalNorm: llama.finalNorm, output: llama.output,
    layer: LayerPlan(norms: .post + .heads, normsAllHeads: true, projections: .separate),
    defaults: Defaults(rmsNormEpsilon: 1e-5, mayOmitKeyValueHeads: true),
    slidingWindow: .none,
    biasKeys: ["attention_bias": [.query, .key, .value, .output]],
    readOwnGGUF: { keys, _ in
      // OLMo 3 has the same name there.
      guard try keys.optionalInteger("attention.sliding_window") ?? 0 == 0 else {
        throw keys.error("attention.sliding_window", expected: "none in OLMo 2")
      }
    })
}
