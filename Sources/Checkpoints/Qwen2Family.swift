import Files

extension ModelFamily {
  /// Qwen2 and Qwen2.5: LLaMA with biases on the query, key and value projections, and a sliding
  /// window that is off unless it is switched on.
  ///
  /// Source: `Qwen2Config` in transformers.
  static let qwen2 = ModelFamily(
    architecture: .qwen2, transformersClass: "Qwen2ForCausalLM", ggufArchitecture: "qwen2",
    interleavesHeads: false,
    embedding: llama.embedding, finalNorm: llama.finalNorm, output: llama.output,
    layer: llamaLayer(biased: [.query, .key, .value]),
    mayOmitKeyValueHeads: false, slidingWindow: .switched(absent: 4096),
    ownKeys: {
      [
        "use_sliding_window": .bool($0.slidingWindow != nil),
        "sliding_window": $0.slidingWindow.map(JSONValue.integer) ?? .null,
        "max_window_layers": .integer($0.slidingWindow == nil ? $0.layerCount : 0),
      ]
    })
}
