import Files

/// Weights for each token of one example, from a file beside the examples': anyone's rule without
/// code here.
public struct TokenWeights: Hashable, Sendable {
  /// Which example: its id, or its number in the examples' file, from 0.
  public enum Target: Hashable, Sendable {
    case id(String)
    case index(Int)
  }

  /// Where they stand: `"line 3"`.
  public var place: String
  public var target: Target
  /// Of a pair's responses, or of a chain's, which is `chosen` then; nil for all zero.
  public var chosen: [Float]?
  public var rejected: [Float]?

  public init(place: String, target: Target, chosen: [Float]?, rejected: [Float]? = nil) {
    self.place = place
    self.target = target
    self.chosen = chosen
    self.rejected = rejected
  }
}

extension JSONLines {
  /// Reads a file of token weights: `id` or `index`, and `chosen_weights` and `rejected_weights` of
  /// a pair, either of which may be left out for zeros, or `weights` of a chain.
  ///
  /// A response's weights are those of its tokens in order, end-of-sequence included. Throws a
  /// `FileError` that names the line and field.
  public static func tokenWeights(at path: String) throws -> [TokenWeights] {
    try JSONLinesFile.objects(of: path).map { line in
      func wrong(_ expected: String, _ found: String) -> FileError {
        FileError(file: path, location: line.location, expected: expected, found: found)
      }
      let (id, index) = (try line.optionalIdentifier("id"), try line.optionalInteger("index"))
      let target: TokenWeights.Target
      switch (id, index) {
      case (let id?, nil): target = .id(id)
      case (nil, let index?): target = .index(index)
      default: throw wrong("either \"id\" or \"index\"", id == nil ? "neither" : "both")
      }
      let (chosen, rejected) = (
        try line.floats("chosen_weights"), try line.floats("rejected_weights")
      )
      let weights = try line.floats("weights")
      guard (weights == nil) != (chosen == nil && rejected == nil) else {
        throw wrong(
          "\"weights\" of a chain, or \"chosen_weights\" and \"rejected_weights\" of a pair",
          weights == nil ? "neither" : "both")
      }
      return TokenWeights(
        place: line.line ?? "", target: target, chosen: weights ?? chosen, rejected: rejected)
    }
  }
}

extension JSONNode {
  /// The numbers in the array at `key` in single precision; nil where it is absent or null.
  fileprivate func floats(_ key: String) throws(FileError) -> [Float]? {
    try optionalNumbers(key)?.map { Float($0) }
  }
}
