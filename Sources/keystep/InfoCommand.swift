import ArgumentParser
import Checkpoints
import Foundation
import Tokenizers

struct InfoCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "info", abstract: "A checkpoint's architecture, tensors, types and tokenizer.",
    discussion: "Example: keystep info models/SmolLM2-135M-Instruct.Q4_1.gguf")

  @Argument(help: "A .gguf file or a Hugging Face folder.")
  var path: String
  @Flag(help: "List every tensor.")
  var tensors = false

  func run() throws {
    let checkpoint = try Checkpoint(path: path)
    let c = checkpoint.configuration
    let parameters = checkpoint.tensors.reduce(0) { $0 + $1.shape.reduce(1, *) }
    print(
      """
      architecture   \(c.architecture.rawValue)
      parameters     \(parameters)
      layers         \(c.layerCount)
      hidden size    \(c.hiddenSize), feed-forward \(c.intermediateSize)
      heads          \(c.headCount) queries, \(c.keyValueHeadCount) keys and values, of \(c.headDimension)
      vocabulary     \(c.vocabularySize), \(c.tiesEmbeddings ? "tied" : "untied") output
      context        \(c.maximumPositions)\(c.slidingWindow.map { ", sliding window \($0)" } ?? "")
      rotary base    \(c.ropeTheta)\(c.ropeScaling.map { ", \($0)" } ?? "")
      """)
    let types = Dictionary(grouping: checkpoint.tensors, by: { $0.elementType.rawValue })
    for (type, tensors) in types.sorted(by: { $0.key < $1.key }) {
      let bytes = tensors.reduce(0) { $0 + $1.byteCount }
      print("tensors        \(tensors.count) of \(type), \(bytes / 1024) KiB")
    }
    if tensors {
      for tensor in checkpoint.tensors {
        let shape = tensor.shape.map(String.init).joined(separator: " × ")
        print("  \(tensor.name)  \(shape)  \(tensor.elementType.rawValue)")
      }
    }
    let tokenizer = try Tokenizer(path: path)
    func name(_ id: Int?) -> String {
      id.map { "\($0) \(tokenizer.token(of: $0) ?? "")" } ?? "none"
    }
    print("tokenizer      \(tokenizer.vocabularySize) tokens")
    print("  begins with  \(name(tokenizer.beginningOfSequence))")
    print("  ends with    \(name(tokenizer.endOfSequence))")
  }
}
