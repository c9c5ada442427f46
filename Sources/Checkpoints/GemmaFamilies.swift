import Files

extension ModelFamily {
  /// Gemma 2: norms with 1 + w before and after attention and the feed-forward layer, a gated GELU, scaled
  /// embeddings, layers with and without a sliding window in turn, and soft-capped attention scores and
  /// logits.
  ///
  /// Source: `Gemma2Config`, `Gemma2Attention` and `Gemma2DecoderLayer` in transformers;
  /// `src/models/gemma2.cpp` in llama.cpp.
  static let gemma2 = ModelFamily(
    architecture: .gemma2, transformersClass: "Gemma2ForCausalLM", ggufArchitecture: "gemma2",
    interleavesHeads: false,
    embedding: llama.embedding, finalNorm: llama.finalNorm, output: llama.output,
    layer: LayerPlan(norms: .llama + .post + .gemma, projections: .separate),
    defaults: Defaults(tiesEmbeddings: true, headDimension: 256),
    activation: ("hidden_activation", .geluTanh),
    normOffset: 1,
    slidingWindow: .always(absent: 4096),
    slides: { layer, c in c.slidingWindow != nil && layersBetween(2, of: c).contains(layer) },
    biasKeys: ["attention_bias": [.query, .key, .value, .output]],
    readOwn: { json, c in
      try readGemma(json, &c)
      c.attentionSoftcap = try softcap("attn_logit_softcapping", absent: 50, json)
      c.logitSoftcap = try softcap("final_logit_softcapping", absent: 30, json)
    },
    ownKeys: { gemmaKeys($0).merging(softcapKeys($0)) { $1 } },
    readOwnGGUF: { keys, c in
      // llama.cpp's values where the file has none.
      if keys["attention.sliding_window"] == nil { c.slidingWindow = 4096 }
      try readGemmaGGUF(keys, &c, interval: 2, largest: 46)
      c.attentionSoftcap = Float(try keys.number("attn_logit_softcapping", absent: 50))
      c.logitSoftcap = Float(try keys.number("final_logit_softcapping", absent: 30))
    },
    ownGGUFKeys: { gemmaGGUFKeys($0, interval: 2) },
    statesWindowInGGUF: true)

  /// Gemma 3, the text model: as Gemma 2 without soft-capped scores, with norms of query and key heads,
  /// five layers with a window to one without, and a rotary base of their own for those with one.
  ///
  /// Source: `Gemma3TextConfig`, `Gemma3Attention` and `Gemma3RotaryEmbedding` in transformers;
  /// `src/models/gemma3.cpp` in llama.cpp.
  static let gemma3 = ModelFamily(
    architecture: .gemma3, transformersClass: "Gemma3ForCausalLM", ggufArchitecture: "gemma3",
    interleavesHeads: false,
    embedding: llama.embedding, finalNorm: llama.finalNorm, output: llama.output,
    layer: LayerPlan(norms: .llama + .post + .gemma + .heads, projections: .separate),
    defaults: Defaults(ropeTheta: 1_000_000, tiesEmbeddings: true, headDimension: 256),
    activation: ("hidden_activation", .geluTanh),
    normOffset: 1,
    slidingWindow: .always(absent: 4096),
    slides: { layer, c in c.slidingWindow != nil && layersBetween(6, of: c).contains(layer) },
    biasKeys: ["attention_bias": [.query, .key, .value, .output]],
    readOwn: { json, c in
      try readGemma(json, &c)
      guard json["attn_logit_softcapping"] == nil else {
        throw json.error("attn_logit_softcapping", expected: "null: Gemma 3 caps no scores")
      }
      c.logitSoftcap = try softcap("final_logit_softcapping", absent: nil, json)
      let interval = try json.integer("sliding_window_pattern", absent: 6)
      guard interval > 0 else {
        throw json.error("sliding_window_pattern", expected: "a positive number")
      }
      if json["layer_types"] == nil, c.slidingWindow != nil {
        c.slidingLayers = layersBetween(interval, of: c)
      }
      let local = try json.object("rope_parameters")?.object("sliding_attention")
      if let local, try local.string("rope_type", absent: "default") != "default" {
        throw local.error("rope_type", expected: "default in layers with a sliding window")
      }
      c.localRopeTheta =
        try local?["rope_theta"] != nil
        ? local?.number("rope_theta") : json.number("rope_local_base_freq", absent: 10000)
    },
    ownKeys: { c in
      gemmaKeys(c).merging(softcapKeys(c)) { $1 }.merging([
        "rope_local_base_freq": .number(c.localRopeTheta ?? c.ropeTheta)
      ]) { $1 }
    },
    readOwnGGUF: { keys, c in
      try readGemmaGGUF(keys, &c, interval: 6, largest: 62)
      c.localRopeTheta = try keys.number("rope.freq_base_swa", absent: 10000)
      c.logitSoftcap = try keys.optionalNumber("final_logit_softcapping").map { Float($0) }
    },
    ownGGUFKeys: { c in
      gemmaGGUFKeys(c, interval: 6).merging([
        "rope.freq_base_swa": .float(Float(c.localRopeTheta ?? c.ropeTheta))
      ]) { $1 }
    },
    statesWindowInGGUF: true)

  // MARK: What both have

  private static func readGemma(_ json: JSONNode, _ c: inout ModelConfiguration) throws {
    c.embeddingMultiplier = Float(c.hiddenSize).squareRoot()
    let scalar = try json.number("query_pre_attn_scalar", absent: 256)
    guard scalar > 0 else {
      throw json.error("query_pre_attn_scalar", expected: "a positive number")
    }
    c.attentionMultiplier = Float(1 / scalar.squareRoot())
    guard try !json.bool("use_bidirectional_attention", absent: false) else {
      throw json.error("use_bidirectional_attention", expected: "false: a causal model")
    }
  }

  private static func softcap(_ key: String, absent: Float?, _ json: JSONNode) throws -> Float? {
    guard json.hasMember(key) else { return absent }
    return json[key] == nil ? nil : Float(try json.number(key))
  }

  private static func gemmaKeys(_ c: ModelConfiguration) -> [String: JSONValue] {
    let multiplier = Double(c.attentionMultiplier ?? 1 / Float(c.headDimension).squareRoot())
    let scalar = 1 / (multiplier * multiplier)
    // A whole number in Transformers.
    return [
      "query_pre_attn_scalar": .integer(Int(scalar.rounded())),
      "sliding_window": c.slidingWindow.map(JSONValue.integer) ?? .null,
      "layer_types": c.layerTypes,
    ]
  }

  private static func softcapKeys(_ c: ModelConfiguration) -> [String: JSONValue] {
    [
      "attn_logit_softcapping": c.attentionSoftcap.map(JSONValue.shortest) ?? .null,
      "final_logit_softcapping": c.logitSoftcap.map(JSONValue.shortest) ?? .null,
    ]
  }

  /// `interval`: one layer of so many has no window where the file does not say which.
  private static func gemmaGGUFKeys(_ c: ModelConfiguration, interval: Int) -> [String: GGUFValue] {
    var keys: [String: GGUFValue] = [:]
    keys["attention.sliding_window"] = c.slidingWindow.map(GGUFValue.integer)
    keys["attn_logit_softcapping"] = c.attentionSoftcap.map(GGUFValue.float)
    keys["final_logit_softcapping"] = c.logitSoftcap.map(GGUFValue.float)
    if c.slidingLayers != layersBetween(interval, of: c) {
      keys["attention.sliding_window_pattern"] = .bools(
        (0..<c.layerCount).map(c.slidingLayers.contains))
    }
    return keys
  }

  /// `interval`: one layer of so many has no window. `largest`: the layers of the one model, 27B, whose
  /// scores are scaled by hidden size / heads in place of the head dimension; a GGUF does not say so.
  private static func readGemmaGGUF(
    _ keys: GGUFKeys, _ c: inout ModelConfiguration, interval: Int, largest: Int
  ) throws {
    c.embeddingMultiplier = Float(c.hiddenSize).squareRoot()
    let scalar = c.layerCount == largest ? c.hiddenSize / c.headCount : c.headDimension
    c.attentionMultiplier = 1 / Float(scalar).squareRoot()
    guard c.slidingWindow != nil else { return }
    if let slides = try keys.optionalBools("attention.sliding_window_pattern") {
      guard slides.count == c.layerCount else {
        throw keys.error("attention.sliding_window_pattern", expected: "\(c.layerCount) values")
      }
      c.slidingLayers = slides.indices.filter { slides[$0] }
      return
    }
    let interval =
      try keys.optionalInteger("attention.sliding_window_pattern") ?? interval
    guard interval > 0 else {
      throw keys.error("attention.sliding_window_pattern", expected: "a positive number")
    }
    c.slidingLayers = layersBetween(interval, of: c)
  }
}

extension [NormName: TensorName] {
  /// Beside those of LLaMA and those behind each half: the norm before the feed-forward layer has another name than
  /// LLaMA's.
  fileprivate static let gemma: Self = [
    .feedForward: TensorName("pre_feedforward_layernorm", gguf: "ffn_norm")
  ]
}
