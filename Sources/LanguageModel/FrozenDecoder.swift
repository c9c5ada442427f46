import Checkpoints

/// A decoder whose weights and adapter nothing changes any more, for several threads at once: each
/// makes decoders of its own from it, which share the weights in memory.
public struct FrozenDecoder: Sendable {
  /// Sharing it is safe because `init` takes it from its only owner, and nothing below hands it out:
  /// what is made from it reads these weights, or copies them before it trains.
  nonisolated(unsafe) private let decoder: Decoder

  /// Takes over `decoder`, which the caller can no longer use.
  public init(_ decoder: sending Decoder) { self.decoder = decoder }

  public var configuration: ModelConfiguration { decoder.configuration }

  /// The model with its adapter, for scoring and decoding. Nothing of it is trainable.
  public func reader() -> Decoder {
    Decoder(
      decoder.configuration, decoder.weights.frozen, decoder.adapter, rotary: decoder.rotary,
      isFrozen: true)
  }

  /// The model with `adapter` in place of its own. Training changes the adapter alone.
  public func adapted(by adapter: LowRankAdapter) -> Decoder {
    Decoder(decoder.configuration, decoder.weights.frozen, adapter, rotary: decoder.rotary)
  }

  /// The same model with what training changes in memory of its own.
  public func copy() -> Decoder { decoder.copy() }
}
