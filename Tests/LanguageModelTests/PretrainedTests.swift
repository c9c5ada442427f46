import Checkpoints
import Foundation
import LanguageModel
import LinearAlgebra
import TestSupport
import Testing

/// The students that `make student` gets against other programs, on ten prompts each;
/// Tests/Fixtures/decoder/README.md says what the goldens hold.
@Suite struct PretrainedTests {
  private static let models = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
    .deletingLastPathComponent().deletingLastPathComponent().appendingPathComponent("models")
  private static let smolLM2 = models.appendingPathComponent("SmolLM2-135M-Instruct.Q4_1.gguf").path
  private static let gemma3 = models.appendingPathComponent("gemma-3-270m.Q4_K_M.gguf").path

  @Test(
    "The top-1 token of every position and the logits of SmolLM2-135M equal those of Transformers",
    .enabled(
      if: FileManager.default.fileExists(atPath: smolLM2),
      "models/SmolLM2-135M-Instruct.Q4_1.gguf is not here: run make student"))
  func smolLM2135M() throws {
    try expectLogits(of: Self.smolLM2, "smollm2", rowTolerance: 2e-3)
  }

  @Test(
    "The top-1 token of every position and the logits of Gemma-3-270M equal those of llama.cpp",
    .enabled(
      if: FileManager.default.fileExists(atPath: gemma3),
      "models/gemma-3-270m.Q4_K_M.gguf is not here: run make student MODEL=gemma-3-270m"))
  func gemma3270M() throws {
    // llama.cpp looks GELU up in half precision. In single precision Transformers differs from it by up to
    // 6e-3 in a row's norm, and by 6.4e-4 over all.
    try expectLogits(of: Self.gemma3, "gemma3-270m", rowTolerance: 1e-2)
  }

  private func expectLogits(of path: String, _ name: String, rowTolerance: Double) throws {
    struct Prompts: Decodable {
      struct Prompt: Decodable { var ids: [Int] }
      var prompts: [Prompt]
    }
    let prompts = try JSONDecoder().decode(
      Prompts.self, from: Data(contentsOf: fixture("decoder/\(name).json"))
    ).prompts
    let goldens = try Goldens("decoder/\(name).safetensors")
    let indices = goldens["indices"].map { Int($0) }
    try #require(prompts.count == 10 && indices.count == 64)

    let decoder = try Decoder(Checkpoint(path: path))
    let workers = Workers(count: 1)
    var found: [Float] = []
    var position = 0
    for prompt in prompts {
      let logits = workers.logits(of: prompt.ids, on: decoder)
      let losses = workers.losses(
        of: [
          PrefixTree([
            Segment(
              tokens: prompt.ids, weights: [0] + prompt.ids.dropFirst().map { _ in 1 })
          ])
        ], on: decoder)[0].tokens
      for row in 0..<prompt.ids.count {
        let values = (0..<logits.columns).map { Double(logits[row, $0]) }
        let largest = values.max() ?? .nan
        #expect(values.firstIndex(of: largest) == Int(goldens["top1"][position]))
        let norm = values.reduce(0) { $0 + $1 * $1 }.squareRoot()
        #expect(abs(norm - Double(goldens["norms"][position])) < rowTolerance * norm)
        let logSumExp = largest + log(values.reduce(0) { $0 + exp($1 - largest) })
        #expect(
          abs(logSumExp - Double(goldens["logsumexp"][position])) < rowTolerance * abs(logSumExp))
        if row + 1 < prompt.ids.count {
          let expected = logSumExp - values[prompt.ids[row + 1]]
          #expect(
            abs(Double(losses[row].loss.negativeLogLikelihood) - expected)
              < 1e-4 * max(1, expected))
          #expect(losses[row].loss.top == Int(goldens["top1"][position]))
        }
        found += indices.map { logits[row, $0] }
        position += 1
      }
    }
    #expect(position == goldens["top1"].count)
    #expect(relativeError(found, goldens["logits"]) < 2e-3)
  }
}
