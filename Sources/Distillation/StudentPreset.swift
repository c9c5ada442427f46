import Checkpoints

/// Shapes of students that are trained from scratch.
public enum StudentPreset: String, CaseIterable, Sendable, Codable {
  /// The student of the embedded experiments: width 128, 3 layers, 4 heads, 0.5 M parameters with a
  /// vocabulary of 65 words.
  case procedural

  public func configuration(vocabularySize: Int) -> ModelConfiguration {
    switch self {
    case .procedural:
      ModelConfiguration(
        vocabularySize: vocabularySize, hiddenSize: 128, intermediateSize: 256, layerCount: 3,
        headCount: 4, maximumPositions: 512)
    }
  }
}
