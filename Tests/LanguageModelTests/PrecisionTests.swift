import Checkpoints
import LanguageModel
import LinearAlgebra
import TestSupport
import Testing

/// Passes in bf16 against Transformers in fp32 and under `torch.autocast("cpu", torch.bfloat16)`.
@Suite struct PrecisionTests {
  /// The relative error of a gradient in bf16.
  ///
  /// An operand's rounding is off by up to 2^-9 of it, by 2^-9 / √3 in the mean; a product has two
  /// operands, autocast rounds its result too, and these errors are independent. On its way through L
  /// layers forward and back a gradient passes 2 (6 L + 1) products in a row, so √(2 (6 L + 1)) 2^-9 is
  /// expected. Softmax and norms can enlarge an error: four times that is allowed. A wrong tensor
  /// (transposed, of another layer, without its scale) is off by about 1.
  private func tolerance(layers: Int) -> Double {
    4 * Double(2 * (6 * layers + 1)).squareRoot() * 0x1p-9
  }

  private static let models = DecoderGoldenTests.models + DecoderGoldenTests.adapters.keys.sorted()

  /// A batch of the goldens under its model or adapter, and what autocast made of it.
  private func golden(_ model: String) throws -> (
    GoldenBatch, Decoder, autocast: Goldens, prefix: String
  ) {
    let batch = try GoldenBatch(model)
    return (
      batch, try batch.decoder(), try Goldens(batch.folder + "/golden-bf16.safetensors"),
      batch.gradientPrefix
    )
  }

  @Test(
    "The loss and every gradient in bf16 are those of fp32 and of PyTorch's autocast within rounding",
    arguments: models, [1, 3])
  func gradients(model: String, workers: Int) throws {
    let (batch, decoder, autocast, prefix) = try golden(model)
    let gradients = decoder.trainable.zeros()
    let losses = Workers(count: workers, precision: .bf16)
      .losses(of: batch.trees, on: decoder, gradients: gradients)
    let tolerance = tolerance(layers: decoder.configuration.layerCount)
    // Ours and autocast's are both rounded, each in its own way.
    let both = 2.0.squareRoot() * tolerance

    let tokens = losses.flatMap { $0.tokens.map(\.loss.negativeLogLikelihood) }
    func predicted(_ goldens: Goldens) -> [Float] {
      var start = 0
      return zip(batch.sequences, losses).flatMap { sequence, loss in
        defer { start += sequence.count }
        return loss.tokens.map { goldens["token_losses"][start + $0.prediction.index] }
      }
    }
    #expect(relativeError(tokens, predicted(batch.goldens)) < tolerance)
    #expect(relativeError(tokens, predicted(autocast)) < both)
    for slot in gradients.slots {
      let found = gradients[slot.name]
      #expect(relativeError(found, batch.goldens[prefix + slot.name]) < tolerance, "\(slot.name)")
      #expect(relativeError(found, autocast[prefix + slot.name]) < both, "\(slot.name)")
    }
  }

  /// Autocast rounds all that is rounded here, and results too. One model's error is one draw; their mean
  /// over the models is compared.
  @Test(
    "Gradients in bf16 are as near to those of fp32 as autocast's are, and are not those of fp32")
  func nearness() throws {
    var (ours, theirs) = (0.0, 0.0)
    for model in Self.models {
      let (batch, decoder, autocast, prefix) = try golden(model)
      let gradients = decoder.trainable.zeros()
      _ = Workers(count: 1, precision: .bf16)
        .losses(of: batch.trees, on: decoder, gradients: gradients)
      func mean(_ values: (String) -> [Float]) -> Double {
        gradients.slots.reduce(0) {
          $0 + relativeError(values($1.name), batch.goldens[prefix + $1.name])
        } / Double(gradients.slots.count)
      }
      ours += mean { Array(gradients[$0]) }
      theirs += mean { autocast[prefix + $0] }
    }
    let count = Double(Self.models.count)
    #expect(ours < 1.1 * theirs && ours / count > 1e-3, "\(ours / count) and \(theirs / count)")
  }

  @Test("Weights that the optimiser changed are rounded again")
  func trainedWeights() throws {
    let batch = try GoldenBatch("untied")
    let decoder = try batch.decoder()
    let workers = Workers(count: 1, precision: .bf16)
    func loss(_ workers: Workers) -> Double {
      workers.losses(of: batch.trees, on: decoder).reduce(0) { $0 + $1.loss }
    }
    let before = loss(workers)
    for i in decoder.trainable.buffer.floats.indices { decoder.trainable.buffer.floats[i] *= 1.5 }
    decoder.trainable.didChange()
    let after = loss(workers)
    #expect(abs(after - before) > 0.01 * abs(before))
    #expect(after == loss(Workers(count: 1, precision: .bf16)))
  }

  @Test("Decoding in bf16 takes the most likely token of the logits in bf16")
  func decoding() throws {
    let batch = try GoldenBatch("llama3")
    let decoder = try batch.decoder()
    let prompt = batch.sequences[0]
    let generated = Generator(workers: 1, batch: 1, precision: .bf16).generate(
      [prompt], on: decoder, SamplingSettings(temperature: 0, maximumNewTokens: 8, stop: []))[0]
    let whole = prompt + generated.tokens
    let logits = Workers(count: 1, precision: .bf16).logits(of: whole, on: decoder)
    for (index, token) in generated.tokens.enumerated() {
      let row = prompt.count - 1 + index
      let largest = (0..<logits.columns).map { logits[row, $0] }.max() ?? .nan
      // A near tie may fall either way: rows are computed in other groups.
      #expect(logits[row, token] >= largest - 0.02 * abs(largest))
    }
  }
}
