import Checkpoints
import LanguageModel
import LinearAlgebra
import Randomness
import TestSupport
import Testing

/// Merged adapters, copies, and what an adapter learned.
@Suite struct ProjectionUpdateTests {
  private let tokens = [1, 7, 20, 3, 11, 5]

  private func logits(_ decoder: Decoder) -> [Float] {
    Workers(count: 1).logits(of: tokens, on: decoder).elements
  }

  /// An adapter that began as noise, and one that began with principal singular values, each moved on.
  private func trained() throws -> [Decoder] {
    let low = LowRankConfiguration(
      rank: 3, alpha: 4.5, dropout: 0, targets: Architecture.llama.family.projections)
    let principal = try TinyModel.untied.decoder().adaptedByPrincipalValues(low)
    var generator = SeededGenerator(seed: 4)
    let values = principal.trainable.buffer.floats
    for i in values.indices { values[i] += 0.05 * Float(generator.normal()) }
    return [TinyModel.lowRank.decoder(), principal]
  }

  @Test("A merged model is plain and does what the adapted one does, which stays as it was")
  func merged() throws {
    for adapted in try trained() {
      let before = adapted.parameters.values
      let merged = adapted.merged()
      #expect(merged.adapter == nil && adapted.parameters.values == before)
      #expect(relativeError(logits(merged), logits(adapted)) < 1e-5)
    }
    let plain = TinyModel.untied.decoder()
    #expect(plain.merged().parameters.values == plain.parameters.values)
  }

  @Test("An update's factors are what training changed, beginning left out")
  func updates() throws {
    // What each began from: the plain model, which is the frozen one where the adapter began as noise.
    let adapted = try trained()
    let starts = [adapted[0].adapted(by: nil), TinyModel.untied.decoder()]
    for (decoder, start) in zip(adapted, starts) {
      let adapter = try #require(decoder.adapter)
      let merged = decoder.merged()
      for target in Architecture.llama.family.projections {
        let (left, right) = adapter.update(of: target, layer: 1)
        let (after, before) = (
          merged.weight(of: target, layer: 1), start.weight(of: target, layer: 1)
        )
        let expected = zip(after.elements, before.elements).map { $0 - $1 }
        #expect((left * right).rows == after.rows && (left * right).columns == after.columns)
        let error = zip((left * right).elements, expected).map { abs($0 - $1) }.max() ?? 1
        let largest = expected.map { abs($0) }.max() ?? 0
        #expect(largest > 0.01 && error < 1e-4 * largest, "\(target)")
      }
    }
  }

  @Test("A copy is trained apart")
  func copies() throws {
    for decoder in [TinyModel.untied.decoder()] + (try trained()) {
      let copy = decoder.copy()
      let (before, same) = (decoder.trainable.values, copy.trainable.values)
      #expect(before == same && logits(copy) == logits(decoder))
      for i in copy.trainable.buffer.floats.indices { copy.trainable.buffer.floats[i] += 1 }
      #expect(decoder.trainable.values == before && copy.trainable.values != before)
    }
  }
}
