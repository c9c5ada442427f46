import Checkpoints
import LanguageModel
import Randomness
import Testing

@Suite struct FrozenDecoderTests {
  private static let tokens = Array(1..<20)

  private func logits(_ decoder: Decoder) -> [Float] {
    Workers(count: 1).logits(of: Self.tokens, on: decoder).elements
  }

  private func adapter(_ seed: UInt64, for decoder: FrozenDecoder) throws -> LowRankAdapter {
    var generator = SeededGenerator(seed: seed, stream: "adapter")
    let adapter = try LowRankAdapter(
      LowRankConfiguration(rank: 2, dropout: 0), for: decoder.configuration, using: &generator)
    for index in adapter.parameters.buffer.floats.indices {
      adapter.parameters.buffer.floats[index] = 0.3 * Float(generator.normal())
    }
    return adapter
  }

  @Test("A reader computes what the decoder did, and has nothing to train")
  func reader() throws {
    for model in TinyModel.all {
      let expected = logits(model.decoder())
      let frozen = FrozenDecoder(model.decoder())
      #expect(logits(frozen.reader()) == expected, "\(model)")
      #expect(frozen.reader().trainable.count == 0)
    }
  }

  @Test("An adapter on a frozen decoder is all that is trained, and a copy is trained separately")
  func adapted() throws {
    let model = TinyModel.untied
    let before = logits(model.decoder())
    let frozen = FrozenDecoder(model.decoder())
    let adapted = frozen.adapted(by: try adapter(1, for: frozen))
    #expect(adapted.trainable.slots.allSatisfy { $0.name.contains(".lora_") })
    #expect(logits(adapted) != before)
    let copy = frozen.copy()
    #expect(copy.trainable.slots.map(\.name) == model.configuration.tensorShapes.map(\.name))
    for index in copy.trainable.buffer.floats.indices { copy.trainable.buffer.floats[index] *= 2 }
    #expect(logits(copy) != before && logits(frozen.reader()) == before)
  }

  @Test("A gradient through a frozen decoder adds nothing for its weights")
  func gradients() throws {
    let frozen = FrozenDecoder(TinyModel.untied.decoder())
    let adapted = frozen.adapted(by: try adapter(1, for: frozen))
    let tree = PrefixTree(prompt: [1, 2], response: [3, 4, 5], weights: [1, 1, 1])
    let gradients = adapted.trainable.zeros()
    _ = Workers(count: 2).losses(of: [tree], on: adapted, gradients: gradients)
    #expect(gradients.buffer.floats.contains { $0 != 0 })
    let none = frozen.reader().trainable.zeros()
    let losses = Workers(count: 2).losses(of: [tree], on: frozen.reader(), gradients: none)
    #expect(
      losses.map(\.loss) == Workers(count: 1).losses(of: [tree], on: frozen.reader()).map(\.loss))
  }

  @Test("Several tasks adapt and read one frozen decoder at once")
  func concurrently() async throws {
    let frozen = FrozenDecoder(TinyModel.untied.decoder())
    let alone = try (0..<6).map { logits(frozen.adapted(by: try adapter($0, for: frozen))) }
    let together = try await withThrowingTaskGroup(of: (Int, [Float]).self) { group in
      for index in 0..<6 {
        group.addTask {
          (index, logits(frozen.adapted(by: try adapter(UInt64(index), for: frozen))))
        }
      }
      return try await group.reduce(into: [Int: [Float]]()) { $0[$1.0] = $1.1 }
    }
    for index in 0..<6 { #expect(together[index] == alone[index]) }
  }
}

@Suite struct RotaryTableTests {
  private func decoder(positions: Int, scaling: RopeScaling? = nil) throws -> Decoder {
    var generator = SeededGenerator(seed: 3, stream: "initialisation")
    return try Decoder.random(
      ModelConfiguration(
        vocabularySize: 11, hiddenSize: 8, intermediateSize: 8, layerCount: 1, headCount: 2,
        ropeScaling: scaling, maximumPositions: positions), using: &generator)
  }

  private func logits(_ count: Int, _ decoder: Decoder) -> [Float] {
    Workers(count: 1).logits(of: (0..<count).map { $0 * 7 % 11 }, on: decoder).elements
  }

  @Test("A model of 2³¹ - 1 positions computes what one of 1024 does, for a short and a long text")
  func manyPositions() throws {
    let (few, many) = (try decoder(positions: 1024), try decoder(positions: Int(Int32.max)))
    for count in [1, 5, 700, 1000, 3] { #expect(logits(count, many) == logits(count, few)) }
  }

  @Test("Angles that were added later are those of a table computed at once")
  func growth() throws {
    let grown = try decoder(positions: 4096, scaling: .linear(factor: 3))
    for count in [2, 256, 257, 900] { _ = logits(count, grown) }
    let fresh = try decoder(positions: 4096, scaling: .linear(factor: 3))
    #expect(logits(1500, grown) == logits(1500, fresh))
  }
}
