import Checkpoints
import LanguageModel
import LinearAlgebra
import TestSupport
import Testing

/// The decoder against Transformers, tensor by tensor; Tests/Fixtures/decoder/README.md says what
/// the goldens hold.
@Suite struct DecoderGoldenTests {
  static let models = [
    "untied", "tied", "llama3", "yarn", "dynamic", "biased", "mistral", "mistral-window", "qwen2",
    "qwen2-window", "qwen3", "smollm3", "olmo2", "granite", "phi3", "gemma2", "gemma3",
  ]
  /// Adapters by the model that they are for.
  static let adapters = ["lora-all": "untied", "lora-qv": "untied", "lora-phi3": "phi3"]

  @Test("Logits of every position equal those of Transformers", arguments: models)
  func logits(model: String) throws {
    let batch = try GoldenBatch(model)
    let decoder = try batch.decoder()
    var logits: [Float] = []
    for sequence in batch.sequences {
      logits += Workers(count: 1).logits(of: sequence, on: decoder).elements
    }
    #expect(relativeError(logits, batch.goldens["logits"]) < 1e-4)
  }

  @Test("Logits of a Qwen2 GGUF equal those of Transformers")
  func qwen2GGUF() throws {
    let batch = try GoldenBatch("qwen2")
    let decoder = try Decoder(Checkpoint(path: fixture("checkpoints/qwen2.gguf").path))
    var logits: [Float] = []
    for sequence in batch.sequences {
      logits += Workers(count: 1).logits(of: sequence, on: decoder).elements
    }
    #expect(relativeError(logits, batch.goldens["logits"]) < 1e-4)
  }

  @Test(
    "The loss, the token losses and every gradient equal those of Transformers, with one worker and with three",
    arguments: models, [1, 3])
  func gradients(model: String, workers: Int) throws {
    let batch = try GoldenBatch(model)
    try batch.expectLossAndGradients(of: batch.decoder(), workers: workers)
  }

  @Test(
    "The loss and every gradient of an adapter equal those of PEFT",
    arguments: adapters.keys.sorted())
  func adapterGradients(adapter: String) throws {
    let batch = try GoldenBatch(adapter)
    try batch.expectLossAndGradients(of: batch.decoder(), workers: 2)
  }

  @Test(
    "A dual pair as one forest has the loss and the gradients of its two sequences apart, and those of PyTorch"
  )
  func dualPair() throws {
    let goldens = try Goldens("decoder/dual.safetensors")
    let decoder = try Decoder(Checkpoint(path: fixture("decoder/tied").path))
    let prompt = goldens["prompt"].map { Int($0) }
    let sides = ["right", "wrong"].map { side in
      let response = goldens[side].map { Int($0) }
      return (response, goldens[side + "_weights"].map { $0 / Float(response.count) })
    }
    let apart = sides.map { PrefixTree(prompt: prompt, response: $0.0, weights: $0.1) }
    let common = zip(sides[0].0, sides[1].0).prefix { $0 == $1 }.count
    #expect(common > 0 && sides[0].1[..<common].allSatisfy { $0 == sides[0].1[0] })
    // The start that both sides share carries the weights of both.
    let shared = (0..<common).map { sides[0].1[$0] + sides[1].1[$0] }
    let together = PrefixTree(
      [
        Segment(context: prompt),
        Segment(tokens: Array(sides[0].0[..<common]), parent: 0, weights: shared),
      ]
        + sides.map {
          Segment(tokens: Array($0.0[common...]), parent: 1, weights: Array($0.1[common...]))
        })
    for trees in [apart, [together]] {
      let gradients = decoder.trainable.zeros()
      let losses = Workers(count: 1).losses(of: trees, on: decoder, gradients: gradients)
      let loss = losses.reduce(0) { $0 + $1.loss }
      #expect(abs(loss - Double(goldens["loss"][0])) < 1e-5 * abs(loss))
      for slot in gradients.slots {
        #expect(
          relativeError(gradients[slot.name], goldens["grad." + slot.name]) < 1e-5, "\(slot.name)")
      }
    }
  }
}

/// A batch of the goldens: what went in and what came out.
struct GoldenBatch {
  let name: String
  let folder: String
  let goldens: Goldens
  let sequences: [[Int]]
  let trees: [PrefixTree]

  init(_ name: String) throws {
    self.name = name
    folder = "decoder/" + name
    goldens = try Goldens(folder + "/golden.safetensors")
    var start = 0
    var sequences: [[Int]] = []
    var trees: [PrefixTree] = []
    for (length, divisor) in zip(goldens["lengths"].map({ Int($0) }), goldens["divisors"]) {
      let tokens = goldens["input_ids"][start..<start + length].map { Int($0) }
      let weights = goldens["weights"][start..<start + length].map { $0 / divisor }
      sequences.append(tokens)
      trees.append(PrefixTree([Segment(tokens: tokens, weights: weights)]))
      start += length
    }
    self.sequences = sequences
    self.trees = trees
  }

  /// The model of the folder, or the model of its adapter with the adapter.
  func decoder() throws -> Decoder {
    guard let base = DecoderGoldenTests.adapters[name] else {
      return try Decoder(Checkpoint(path: fixture(folder).path))
    }
    let decoder = try Decoder(Checkpoint(path: fixture("decoder/" + base).path))
    return decoder.adapted(by: try adapter(for: decoder.configuration))
  }

  /// What a trained tensor's name has before it among the gradients.
  var gradientPrefix: String {
    name.hasPrefix("lora") ? "grad.base_model.model." : "grad."
  }

  /// The adapter of the folder, its factors read by the test's own reader.
  private func adapter(for model: ModelConfiguration) throws -> LowRankAdapter {
    let targets: [ProjectionName] = name == "lora-qv" ? [.query, .value] : model.projections
    let adapter = LowRankAdapter(
      empty: LowRankConfiguration(rank: 4, alpha: 8, dropout: 0, targets: targets), for: model)
    let stored = try Goldens(folder + "/adapter_model.safetensors")
    for slot in adapter.parameters.slots {
      let values = stored["base_model.model." + slot.name]
      try #require(values.count == slot.count, "\(slot.name)")
      _ = adapter.parameters[slot.name].update(fromContentsOf: values)
    }
    return adapter
  }

  func expectLossAndGradients(of decoder: Decoder, workers: Int) throws {
    let gradients = decoder.trainable.zeros()
    let losses = Workers(count: workers).losses(of: trees, on: decoder, gradients: gradients)
    let loss = losses.reduce(0) { $0 + $1.loss }
    let expected = Double(goldens["loss"][0])
    #expect(abs(loss - expected) < 1e-5 * max(1, abs(expected)))

    var start = 0
    for (sequence, result) in zip(sequences, losses) {
      for token in result.tokens {
        let reference = goldens["token_losses"][start + token.prediction.index]
        #expect(abs(token.loss.negativeLogLikelihood - reference) < 1e-4 * max(1, reference))
      }
      start += sequence.count
    }
    #expect(!gradients.slots.isEmpty)
    for slot in gradients.slots {
      let reference = goldens[gradientPrefix + slot.name]
      #expect(relativeError(gradients[slot.name], reference) < 1e-3, "\(slot.name)")
    }
  }
}
