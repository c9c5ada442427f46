import Checkpoints

/// Shapes of students that are trained from scratch. Parameters are counted with a vocabulary of 65
/// words.
public enum StudentPreset: String, CaseIterable, Sendable, Codable {
  /// Width 64, 3 layers, 2 heads: 0.13 M parameters.
  case proceduralSmall = "procedural-small"
  /// The student of the embedded experiments: width 128, 3 layers, 4 heads, 0.5 M parameters.
  case procedural
  /// Width 192, 4 layers, 6 heads: 1.5 M parameters.
  case proceduralMedium = "procedural-medium"
  /// Width 256, 6 layers, 8 heads: 4 M parameters.
  case proceduralLarge = "procedural-large"

  public func configuration(vocabularySize: Int) -> ModelConfiguration {
    let (width, layers) =
      switch self {
      case .proceduralSmall: (64, 3)
      case .procedural: (128, 3)
      case .proceduralMedium: (192, 4)
      case .proceduralLarge: (256, 6)
      }
    return ModelConfiguration(
      vocabularySize: vocabularySize, hiddenSize: width, intermediateSize: 2 * width,
      layerCount: layers, headCount: width / 32, maximumPositions: 512)
  }
}
