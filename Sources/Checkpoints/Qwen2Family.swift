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
    layer: LayerPlan(
      norms: .llama, projections: .separate, biased: [.query, .key, .value]),
    slidingWindow: .switched(absent: 4096),
    readOwn: { json, c in
      if json["layer_types"] == nil, c.slidingWindow != nil {
        // The layers below this one have full attention.
        let first = try json.integer("max_window_layers", absent: 28)
        c.slidingLayers = Array(min(max(first, 0), c.layerCount)..<c.layerCount)
      }
    },
    ownKeys: {
      [
        "use_sliding_window": .bool($0.slidingWindow != nil),
        "sliding_window": $0.slidingWindow.map(JSONValue.integer) ?? .null,
        "layer_types": $0.layerTypes,
      ]
    })
}
