import KeySteps

/// How the key tokens of a dual pair are found.
public struct KeyTokenChoice: Sendable, Hashable, Codable {
  /// Whether both sides' key tokens come from one script instead of one for each side.
  public var sharesScript: Bool
  /// Whether the rejected side's key tokens are only those of the first divergent run: what follows
  /// from a mistake is often right given its prefix.
  public var onlyFirstRejectedRun: Bool
  /// What is aligned.
  public var unit: AlignmentUnit
  /// In which sequences.
  public var scope: AlignmentScope

  public init(
    sharesScript: Bool = false, onlyFirstRejectedRun: Bool = false, unit: AlignmentUnit = .token,
    scope: AlignmentScope = .response
  ) {
    self.sharesScript = sharesScript
    self.onlyFirstRejectedRun = onlyFirstRejectedRun
    self.unit = unit
    self.scope = scope
  }
}
