import Checkpoints
import Files
import Foundation
import LanguageModel
import Tokenizers

/// A model with the tokenizer it reads and writes with.
public struct Student: Sendable {
  public var decoder: Decoder
  public var tokenizer: Tokenizer
  /// Where it came from: a path, or a preset's name.
  public var origin: String

  public init(decoder: Decoder, tokenizer: Tokenizer, origin: String) {
    self.decoder = decoder
    self.tokenizer = tokenizer
    self.origin = origin
  }

  /// Reads a GGUF file or a Hugging Face folder; the tokenizer comes from the same place unless
  /// another path is given. Throws a `FileError` or a `FileError`.
  public init(path: String, tokenizer tokenizerPath: String? = nil) throws {
    let checkpoint = try Checkpoint(path: path)
    // The tokenizer is read while the tensors are widened.
    let parts = try concurrently(
      { try Decoder(checkpoint) }, { try Tokenizer(path: tokenizerPath ?? path) })
    self.init(decoder: parts.0, tokenizer: parts.1, origin: path)
  }

  /// The same student with the adapter that PEFT or `write(to:)` left in `folder`.
  public func adapted(from folder: String) throws -> Student {
    var student = self
    student.decoder = decoder.adapted(
      by: try LowRankAdapter(
        PEFTAdapter(folder: folder), for: decoder.configuration, file: folder))
    return student
  }

  /// Writes what was trained: a PEFT adapter where there is one, else a Hugging Face folder.
  ///
  /// A `tokenizer.json` beside the student's origin is copied along.
  public func write(to folder: String) throws {
    if let adapter = decoder.adapter {
      try adapter.write(to: folder, baseModel: origin)
    } else {
      try decoder.write(to: folder)
      let source = origin + "/tokenizer.json"
      let target = folder + "/tokenizer.json"
      if FileManager.default.fileExists(atPath: source), source != target {
        if FileManager.default.fileExists(atPath: target) {
          try FileManager.default.removeItem(atPath: target)
        }
        try FileManager.default.copyItem(atPath: source, toPath: target)
      }
    }
  }

  /// What turns text into this student's training examples. Throws where the tokenizer names no
  /// end-of-sequence token.
  public func exampleTokenizer() throws -> ExampleTokenizer {
    let c = decoder.configuration
    return try ExampleTokenizer(
      tokenizer, maximumTokens: c.contextLength,
      vocabularySize: c.vocabularySize)
  }
}
