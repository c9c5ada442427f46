import Checkpoints
import Foundation
import LanguageModel
import LinearAlgebra
import Randomness
import TestSupport
import Testing

/// Adapters that start from principal singular values (PiSSA).
@Suite struct PrincipalAdapterTests {
  private static let low = LowRankConfiguration(
    rank: 3, alpha: 4.5, dropout: 0, targets: Architecture.llama.family.projections)
  private let tokens = [1, 7, 20, 3, 11, 5]

  private func matrix(_ store: ParameterStore, _ name: String) throws -> Matrix<Float> {
    let shape = try #require(store.slot(name)).shape
    return Matrix(rows: shape[0], columns: shape[1], elements: store.values(name))
  }

  @Test("The adapted model is at first the plain one, which stays as it was")
  func start() throws {
    let plain = TinyModel.untied.decoder()
    let before = plain.parameters.values
    let adapted = try plain.adaptedByPrincipalValues(Self.low)
    #expect(plain.parameters.values == before)
    let workers = Workers(count: 1)
    #expect(
      relativeError(
        workers.logits(of: tokens, on: adapted).elements,
        workers.logits(of: tokens, on: plain).elements) < 1e-5)
    #expect(
      workers.logits(of: tokens, on: adapted.adapted(by: nil)).elements
        != workers.logits(of: tokens, on: plain).elements)
    #expect(
      try plain.adaptedByPrincipalValues(Self.low).trainable.values == adapted.trainable.values)
  }

  @Test("It holds the largest singular values, evenly on both factors, and leaves the others")
  func spectrum() throws {
    let plain = TinyModel.untied.decoder()
    let adapted = try plain.adaptedByPrincipalValues(Self.low)
    for module in ["model.layers.1.self_attn.k_proj", "model.layers.0.mlp.down_proj"] {
      let values = try matrix(plain.parameters, module + ".weight").singularValueDecomposition()
        .singularValues
      let residual = try matrix(adapted.parameters, module + ".weight")
        .singularValueDecomposition().singularValues
      for (found, expected) in zip(residual, values.dropFirst(3)) {
        #expect(abs(found - expected) < 1e-5 * values[0])
      }
      let a = try matrix(adapted.trainable, module + ".lora_A.weight")
      let b = try matrix(adapted.trainable, module + ".lora_B.weight")
      for k in 0..<3 {
        let rowOfA = (0..<a.columns).reduce(Float(0)) { $0 + a[k, $1] * a[k, $1] }
        let columnOfB = (0..<b.rows).reduce(Float(0)) { $0 + b[$1, k] * b[$1, k] }
        // Σ / s, with s = 1.5.
        #expect(abs(rowOfA - values[k] / 1.5) < 1e-5 * values[0])
        #expect(abs(columnOfB - values[k] / 1.5) < 1e-5 * values[0])
      }
    }
  }

  @Test("Once trained, it is written as a plain LoRA of twice the rank for the model as it was")
  func files() throws {
    let folder = NSTemporaryDirectory() + "keystep-\(UUID().uuidString)"
    defer { try? FileManager.default.removeItem(atPath: folder) }
    let plain = TinyModel.untied.decoder()
    let adapted = try plain.adaptedByPrincipalValues(Self.low)
    var generator = SeededGenerator(seed: 4)
    let values = adapted.trainable.buffer.floats
    for i in values.indices { values[i] += 0.05 * Float(generator.normal()) }
    let adapter = try #require(adapted.adapter)
    try adapter.write(to: folder, baseModel: "plain")
    let stored = try PEFTAdapter(folder: folder)
    #expect(stored.rank == 6 && stored.alpha == 9)
    let read = try LowRankAdapter(stored, for: plain.configuration, file: folder)
    #expect(read.configuration.scale == Self.low.scale)
    let workers = Workers(count: 1)
    let trained = workers.logits(of: tokens, on: adapted).elements
    #expect(
      relativeError(workers.logits(of: tokens, on: plain.adapted(by: read)).elements, trained)
        < 1e-5)
    #expect(relativeError(workers.logits(of: tokens, on: plain).elements, trained) > 1e-2)
  }

  @Test("A rank beyond a projection's is an error that names it")
  func rank() throws {
    var low = Self.low
    low.rank = 13
    let error = #expect(throws: AdapterError.self) {
      try TinyModel.untied.decoder().adaptedByPrincipalValues(low)
    }
    #expect(
      error?.description
        == "k_proj: expected a rank from 1 to 12 for its 12 × 15 weight, found 13")
  }
}
