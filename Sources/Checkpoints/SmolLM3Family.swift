import Files

extension ModelFamily {
  /// SmolLM3: LLaMA in which every fourth layer has no rotary embedding.
  ///
  /// A GGUF does not say which; llama.cpp takes every fourth. Source: `SmolLM3Config` in transformers,
  /// `src/models/smollm3.cpp` in llama.cpp.
  static let smollm3 = ModelFamily(
    architecture: .smollm3, transformersClass: "SmolLM3ForCausalLM", ggufArchitecture: "smollm3",
    interleavesHeads: true,
    embedding: llama.embedding, finalNorm: llama.finalNorm, output: llama.output,
    layer: llama.layer,
    defaults: Defaults(ropeTheta: 2_000_000, tiesEmbeddings: true, mayOmitKeyValueHeads: true),
    slidingWindow: .switched(absent: nil),
    slides: { layer, c in c.slidingWindow != nil && c.layersWithoutRope.contains(layer) },
    biasKeys: llama.biasKeys,
    readOwn: { json, c in
      if json["no_rope_layers"] != nil {
        // 1 where the layer has the embedding, in spite of the key's name.
        let flags = try json.integers("no_rope_layers")
        guard flags.count == c.layerCount else {
          throw json.error(
            "no_rope_layers", expected: "\(c.layerCount) numbers", found: "\(flags.count)")
        }
        c.layersWithoutRope = flags.indices.filter { flags[$0] == 0 }
      } else {
        let interval = try json.integer("no_rope_layer_interval", absent: 4)
        guard interval > 0 else {
          throw json.error("no_rope_layer_interval", expected: "a positive number")
        }
        c.layersWithoutRope = everyLayer(interval, of: c)
      }
      if json["layer_types"] == nil { c.slidingLayers = c.familySlidingLayers }
    },
    ownKeys: { c in
      [
        "use_sliding_window": .bool(c.slidingWindow != nil),
        "sliding_window": c.slidingWindow.map(JSONValue.integer) ?? .null,
        "layer_types": c.layerTypes,
        "no_rope_layers": .array(
          (0..<c.layerCount).map { .integer(c.layersWithoutRope.contains($0) ? 0 : 1) }),
      ]
    },
    readOwnGGUF: { _, c in c.layersWithoutRope = everyLayer(4, of: c) })
}
