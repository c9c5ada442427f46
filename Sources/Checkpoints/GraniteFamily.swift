import Files

extension ModelFamily {
  /// Granite 3: LLaMA with constant multipliers of the embedding, the attention scores, the two
  /// results that are added to the residual stream, and the logits.
  ///
  /// Source: `GraniteConfig` in transformers; `GraniteModel` in llama.cpp's converter.
  static let granite = ModelFamily(
    architecture: .granite, transformersClass: "GraniteForCausalLM", ggufArchitecture: "granite",
    interleavesHeads: true,
    embedding: llama.embedding, finalNorm: llama.finalNorm, output: llama.output,
    layer: llama.layer,
    defaults: Defaults(mayOmitKeyValueHeads: true),
    hasMultipliers: true, slidingWindow: .none,
    biasKeys: llama.biasKeys,
    readOwn: { json, c in
      c.embeddingMultiplier = Float(try json.number("embedding_multiplier", absent: 1))
      c.attentionMultiplier = Float(try json.number("attention_multiplier", absent: 1))
      c.residualMultiplier = Float(try json.number("residual_multiplier", absent: 1))
      c.logitsScaling = Float(try json.number("logits_scaling", absent: 1))
    },
    ownKeys: {
      [
        "embedding_multiplier": .shortest($0.embeddingMultiplier),
        "attention_multiplier": .shortest(
          $0.attentionMultiplier ?? 1 / Float($0.headDimension).squareRoot()),
        "residual_multiplier": .shortest($0.residualMultiplier),
        "logits_scaling": .shortest($0.logitsScaling),
      ]
    },
    readOwnGGUF: { keys, c in
      c.embeddingMultiplier = Float(try keys.number("embedding_scale", absent: 1))
      c.attentionMultiplier = try keys.optionalNumber("attention.scale").map { Float($0) }
      c.residualMultiplier = Float(try keys.number("residual_scale", absent: 1))
      c.logitsScaling = Float(try keys.number("logit_scale"))
    },
    ownGGUFKeys: { c in
      [
        "embedding_scale": .float(c.embeddingMultiplier),
        "attention.scale": .float(
          c.attentionMultiplier ?? 1 / Float(c.headDimension).squareRoot()),
        "residual_scale": .float(c.residualMultiplier),
        "logit_scale": .float(c.logitsScaling),
      ]
    })
}
