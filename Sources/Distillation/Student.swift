import Checkpoints
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

  /// Reads a GGUF file or a Hugging Face folder; the tokenizer comes from the same place unless another
  /// path is given. Throws a `CheckpointError` or a `TokenizerError`.
  public init(path: String, tokenizer tokenizerPath: String? = nil) throws {
    let checkpoint = try Checkpoint(path: path)
    // The tokenizer is read while the tensors are widened.
    let parts = try concurrently(
      { try Decoder(checkpoint) }, { try Tokenizer(path: tokenizerPath ?? path) })
    self.init(decoder: parts.0, tokenizer: parts.1, origin: path)
  }

  /// What turns text into this student's training examples. Throws where the tokenizer names no
  /// end-of-sequence token.
  public func exampleTokenizer() throws -> ExampleTokenizer {
    let c = decoder.configuration
    return try ExampleTokenizer(
      tokenizer, maximumTokens: min(c.maximumPositions, c.slidingWindow ?? .max),
      vocabularySize: c.vocabularySize)
  }
}
