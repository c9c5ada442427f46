import Checkpoints
import LanguageModel
import LinearAlgebra
import TestSupport
import Testing

/// A base in its checkpoint's types against the same base expanded to single precision.
@Suite struct StoredWeightTests {
  static let checkpoints = [
    "decoder/untied", "decoder/qwen2", "decoder/qwen3", "decoder/phi3", "decoder/gemma2",
    "decoder/gemma3", "decoder/olmo2", "checkpoints/llama.gguf",
    "checkpoints/llama",
    "checkpoints/mistral", "checkpoints/qwen2",
  ]

  private func decoders(_ path: String) throws -> (expanded: Decoder, stored: Decoder) {
    let checkpoint = try Checkpoint(path: fixture(path).path)
    return (try Decoder(checkpoint), try Decoder(checkpoint, weights: .stored))
  }

  private func trees(_ decoder: Decoder) -> [PrefixTree] {
    let vocabulary = decoder.configuration.vocabularySize
    return [(7, 5), (3, 8), (1, 2)].map { prompt, response in
      PrefixTree(
        prompt: (0..<prompt).map { ($0 * 5 + 1) % vocabulary },
        response: (0..<response).map { ($0 * 7 + 2) % vocabulary },
        weights: (0..<response).map { 1 - 0.3 * Float($0) })
    }
  }

  @Test(
    "Losses and an adapter's gradients are those of the expanded base bit for bit",
    arguments: checkpoints)
  func equalBits(path: String) throws {
    let (expanded, stored) = try decoders(path)
    #expect(stored.trainable.slots.isEmpty)
    func outcome(_ decoder: Decoder) -> ([Double], [Float]) {
      let adapter = LowRankAdapter(
        empty: LowRankConfiguration(
          rank: 3, alpha: 6, dropout: 0, targets: decoder.configuration.projections),
        for: decoder.configuration)
      for i in adapter.parameters.buffer.floats.indices {
        adapter.parameters.buffer.floats[i] = Float(i % 13 - 6) / 40
      }
      let adapted = decoder.adapted(by: adapter)
      let gradients = adapted.trainable.zeros()
      let losses = Workers(count: 2).losses(of: trees(decoder), on: adapted, gradients: gradients)
      return (losses.map(\.loss), Array(gradients.buffer.floats))
    }
    let (a, b) = (outcome(expanded), outcome(stored))
    #expect(a.0 == b.0 && a.1 == b.1)
    #expect(a.1.contains { $0 != 0 })
  }

  @Test(
    "Losses and gradients are the same bits when activations are computed again",
    arguments: TinyModel.all, [Precision.fp32, .bf16])
  func recomputation(model: TinyModel, precision: Precision) {
    let decoder = model.decoder()
    func outcome(_ recomputes: Bool) -> ([Double], [Float]) {
      let gradients = decoder.trainable.zeros()
      let losses = Workers(count: 2, precision: precision, recomputesActivations: recomputes)
        .losses(of: trees(decoder), on: decoder, dropout: 0.3, gradients: gradients)
      return (losses.map(\.loss), Array(gradients.buffer.floats))
    }
    let (kept, recomputed) = (outcome(false), outcome(true))
    #expect(kept.0 == recomputed.0 && kept.1 == recomputed.1)
    #expect(kept.1.contains { $0 != 0 })
  }

  @Test("Continuations are those of the expanded base", arguments: checkpoints)
  func decoding(path: String) throws {
    let (expanded, stored) = try decoders(path)
    let settings = SamplingSettings(temperature: 0, maximumNewTokens: 6, stop: [])
    func continuation(_ decoder: Decoder) -> [GeneratedSequence] {
      Generator(workers: 1, batch: 2).generate([[1, 2, 3], [4]], on: decoder, settings)
    }
    #expect(continuation(expanded) == continuation(stored))
  }

  @Test(
    "In bf16 losses differ from those of the expanded base by the order of sums only",
    arguments: checkpoints)
  func bfloat16(path: String) throws {
    let (expanded, stored) = try decoders(path)
    func losses(_ decoder: Decoder) -> [Float] {
      Workers(count: 1, precision: .bf16).losses(of: trees(decoder), on: decoder).map {
        Float($0.loss)
      }
    }
    #expect(relativeError(losses(stored), losses(expanded)) < 1e-3)
  }

  private func values(_ decoder: Decoder) -> [Float] {
    withExtendedLifetime(decoder) { Array(decoder.trainable.buffer.floats) }
  }

  @Test("A copy, and what is written, is the expanded model", arguments: checkpoints)
  func copies(path: String) throws {
    let (expanded, stored) = try decoders(path)
    #expect(values(stored.copy()) == values(expanded))
    let folder = try TemporaryFolder()
    try stored.write(to: folder.path)
    #expect(values(try Decoder(Checkpoint(path: folder.path))) == values(expanded))
  }
}
