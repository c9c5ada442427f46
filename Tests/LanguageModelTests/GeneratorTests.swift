import Checkpoints
import Foundation
import LanguageModel
import Randomness
import TestSupport
import Testing

/// Decoding with a cache against Transformers, and against itself in other batches.
@Suite struct GeneratorTests {
  /// Greedy continuations that Transformers gives; Tests/Fixtures/decoder/README.md.
  struct Reference: Decodable {
    var prompt: [Int]
    var continuation: [Int]
  }

  static func references(_ model: String) throws -> [Reference] {
    let data = try Data(contentsOf: fixture("decoder/greedy.json"))
    let all = try JSONDecoder().decode([String: [Reference]].self, from: data)
    return try #require(all[model])
  }

  static func decoder(_ name: String) throws -> Decoder {
    try Decoder(Checkpoint(path: fixture("decoder/" + name).path))
  }

  @Test(
    "Greedy continuations equal those of Transformers, in any batch and with one worker or two",
    arguments: DecoderGoldenTests.models, [(1, 1), (3, 1), (64, 1), (3, 2), (64, 2)])
  func greedy(model: String, sizes: (batch: Int, workers: Int)) throws {
    let references = try Self.references(model)
    let decoder = try Self.decoder(model)
    let generator = Generator(workers: sizes.workers, batch: sizes.batch)
    let results = generator.generate(
      references.map(\.prompt), on: decoder, SamplingSettings(maximumNewTokens: 20, stop: [2]))
    #expect(results.map(\.tokens) == references.map(\.continuation))
    for result in results {
      #expect(result.reason == (result.tokens.last == 2 ? .stop : .length))
    }
  }
}
