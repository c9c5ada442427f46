import Distillation
import KeySteps

/// Where a token of a rejected response stands, seen from the step in which the first mistake is: one that people have
/// marked, or in which a simulated teacher went wrong.
public enum MistakePlace: Sendable, Hashable {
  case before, within, after
}

extension TokenizedPair {
  /// The place of each token of the rejected response; nil where it is not known in which part of it the mistake is. A
  /// token that reaches over the step's edge counts as within.
  public func mistakePlaces(_ tokenizer: ExampleTokenizer) -> [MistakePlace]? {
    guard let text = source?.rejected.text, let range = source?.rejected.mistake?.range else {
      return nil
    }
    var start = 0
    return tokenizer.textEnds(of: rejected, in: text).map { end in
      defer { start = end }
      return start >= range.upperBound ? .after : end <= range.lowerBound ? .before : .within
    }
  }
}

/// Where the key tokens of a pair's rejected response stand, seen from its mistake.
public struct MistakeCoverage: Sendable, Hashable {
  /// Numbers of tokens in each place.
  public struct Counts: Sendable, Hashable {
    public var before: Int
    public var within: Int
    public var after: Int

    init(_ places: [MistakePlace]) {
      before = places.count { $0 == .before }
      within = places.count { $0 == .within }
      after = places.count { $0 == .after }
    }

    public var total: Int { before + within + after }
  }

  public let tokens: Counts
  public let keyTokens: Counts
  /// Whether the first key token stands in the step; false where there is none.
  public let beginsInStep: Bool

  /// Nil where the place of the mistake is not known.
  public init?(_ pair: TokenizedPair, _ choice: KeyTokenChoice, _ tokenizer: ExampleTokenizer) {
    guard let places = pair.mistakePlaces(tokenizer) else { return nil }
    let keyPlaces = pair.keyTokens(choice).rejected.map { places[$0] }
    tokens = Counts(places)
    keyTokens = Counts(keyPlaces)
    beginsInStep = keyPlaces.first == .within
  }
}
