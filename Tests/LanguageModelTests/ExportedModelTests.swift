import Checkpoints
import LanguageModel
import LinearAlgebra
import TestSupport
import Testing

/// Models written as folders and GGUFs, and what they compute when they are read back.
@Suite struct ExportedModelTests {
  private func logits(_ decoder: Decoder) -> [Float] {
    let tokens = (0..<24).map { (7 * $0 + 3) % decoder.configuration.vocabularySize }
    return Workers(count: 1).logits(of: tokens, on: decoder).elements
  }

  @Test(
    "A model written as GGUF in F32 and read back has its logits, bit for bit",
    arguments: [
      "untied", "tied", "yarn", "dynamic", "biased", "mistral", "qwen2", "qwen3", "olmo2",
      "granite",
      "phi3",
    ])
  func gguf(model: String) throws {
    let folder = try TemporaryFolder()
    let decoder = try Decoder(Checkpoint(path: fixture("decoder/\(model)").path))
    _ = try decoder.writeGGUF(to: folder.path + "/x.gguf", type: .f32)
    let copy = try Decoder(Checkpoint(path: folder.path + "/x.gguf"))
    let (expected, found) = (logits(decoder), logits(copy))
    #expect(Set(expected).count > 100)
    #expect(found.map(\.bitPattern) == expected.map(\.bitPattern))
  }

  @Test(
    "Merged weights are those of Transformers' PEFT within rounding, in the types that are written",
    arguments: ["lora-all": "untied", "lora-phi3": "phi3"].sorted { $0.key < $1.key })
  func merged(adapter: String, model: String) throws {
    let folder = try TemporaryFolder()
    let base = try Decoder(Checkpoint(path: fixture("decoder/\(model)").path))
    let path = fixture("decoder/\(adapter)").path
    let adapted = base.adapted(
      by: try LowRankAdapter(PEFTAdapter(folder: path), for: base.configuration, file: path))
    let merged = adapted.merged()
    #expect(merged.relativeDistance(from: base) > 1e-3)
    #expect(base.relativeDistance(from: base) == 0)
    let expected = logits(adapted)
    for (type, tolerance) in [(ElementType.f32, 1e-5), (.f16, 2e-3), (.bf16, 2e-2)] {
      _ = try merged.write(to: folder.path + "/folder", roundedTo: type)
      _ = try merged.writeGGUF(to: folder.path + "/x.gguf", type: type)
      for written in ["folder", "x.gguf"] {
        let copy = try Decoder(Checkpoint(path: "\(folder.path)/\(written)"))
        #expect(
          relativeError(logits(copy), expected) < tolerance, "\(type.rawValue) \(written)")
      }
    }
  }
}
