import Checkpoints
import Files
import Foundation
import LanguageModel
import LinearAlgebra
import TestSupport
import Testing

/// Adapters whose projections differ in rank and alpha, or that leave layers out, against PEFT
/// (`make_patterns.py`).
@Suite struct PatternedAdapterTests {
  static let names = ["lora-patterns", "lora-patterns-rs", "lora-layer", "lora-layers"]

  private func stored(_ name: String) throws -> PEFTAdapter {
    try PEFTAdapter(folder: fixture("decoder/" + name).path)
  }

  private func base() throws -> Decoder {
    try Decoder(Checkpoint(path: fixture("decoder/untied").path))
  }

  private func adapted(_ name: String) throws -> Decoder {
    let base = try base()
    return base.adapted(by: try LowRankAdapter(stored(name), for: base.configuration, file: name))
  }

  private func logits(_ decoder: Decoder, _ batch: GoldenBatch) -> [Float] {
    batch.sequences.flatMap { Workers(count: 1).logits(of: $0, on: decoder).elements }
  }

  @Test("Every module has the rank and the scale that PEFT gives it", arguments: names)
  func scales(name: String) throws {
    let expected = try JSONDecoder().decode(
      [String: [Double]].self,
      from: Data(contentsOf: fixture("decoder/\(name)/scales.json")))
    let adapter = try stored(name)
    #expect(Set(adapter.factors.map(\.module)) == Set(expected.keys))
    for factors in adapter.factors {
      let scale = (factors.alpha ?? adapter.alpha) / Double(factors.rank)
      let theirs = try #require(expected[factors.module])
      #expect(Double(factors.rank) == theirs[0], "\(factors.module)")
      #expect(abs(scale - theirs[1]) <= 1e-15 * theirs[1], "\(factors.module)")
    }
  }

  @Test("Logits, loss and every gradient equal those of PEFT", arguments: names)
  func golden(name: String) throws {
    let batch = try GoldenBatch(name)
    let decoder = try adapted(name)
    let expected = batch.goldens["logits"]
    #expect(relativeError(logits(decoder, batch), expected) < 1e-4)
    #expect(relativeError(logits(try base(), batch), expected) > 1e-2)
    try batch.expectLossAndGradients(of: decoder, workers: 2)
  }

  @Test("Merged, or written and read again, it computes the same", arguments: names)
  func mergedAndWritten(name: String) throws {
    let batch = try GoldenBatch(name)
    let expected = batch.goldens["logits"]
    let decoder = try adapted(name)
    #expect(relativeError(logits(decoder.merged(), batch), expected) < 1e-4)
    #expect(relativeError(logits(decoder.copy(), batch), expected) < 1e-4)

    let folder = NSTemporaryDirectory() + "keystep-\(UUID().uuidString)"
    defer { try? FileManager.default.removeItem(atPath: folder) }
    try #require(decoder.adapter).write(to: folder, baseModel: "untied")
    let again = try PEFTAdapter(folder: folder)
    let before = try stored(name)
    #expect(again.factors.map(\.module) == before.factors.map(\.module))
    #expect(again.factors.map(\.rank) == before.factors.map(\.rank))
    #expect(again.factors.map(\.a) == before.factors.map(\.a))
    let base = try base()
    let read = base.adapted(
      by: try LowRankAdapter(again, for: base.configuration, file: folder))
    #expect(relativeError(logits(read, batch), expected) < 1e-4)
  }

  @Test("A layer that is asked for and has no tensors is an error that names one")
  func missingLayer() throws {
    var adapter = try stored("lora-layer")
    adapter.layers = [0, 1]
    let configuration = try base().configuration
    let error = #expect(throws: FileError.self) {
      try LowRankAdapter(adapter, for: configuration, file: "here")
    }
    #expect(
      error?.description
        == "here: tensor model.layers.0.self_attn.q_proj.lora_A.weight: expected one for every layer of layers_to_transform, found no such tensor"
    )
  }
}
