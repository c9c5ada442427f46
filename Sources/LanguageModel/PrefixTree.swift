/// A run of tokens that continues at most one other run.
///
/// Its tokens attend to those of its parent, of the parent's parent and so on, and take the
/// positions after them.
public struct Segment: Sendable, Hashable {
  /// Token ids.
  public var tokens: [Int]
  /// The index, in its tree, of the segment it continues; nil for a root.
  public var parent: Int?
  /// The weight of predicting `tokens[i]` from all before it: the factor of its -log p in the loss.
  /// Zero means that the prediction is not made at all. A root's first token has nothing before it
  /// and so weighs 0.
  public var weights: [Float]
  /// -log p of each token under a reference model, in nats, for rules that compare with it; nil
  /// where there is none.
  public var references: [Float]?
  /// Whether each token with a negative weight is also predicted once more right after itself, as a
  /// `Prediction` that is a repeat.
  public var measuresRepeats = false

  /// Precondition: as many weights, and references where there are any, as tokens.
  public init(
    tokens: [Int], parent: Int? = nil, weights: [Float], references: [Float]? = nil
  ) {
    precondition(
      tokens.count == weights.count && tokens.count == references?.count ?? tokens.count,
      "\(tokens.count) tokens but \(weights.count) weights")
    self.tokens = tokens
    self.parent = parent
    self.weights = weights
    self.references = references
  }

  /// Tokens that are only context: none of them is predicted.
  public init(context tokens: [Int], parent: Int? = nil) {
    self.init(tokens: tokens, parent: parent, weights: Array(repeating: 0, count: tokens.count))
  }
}

/// One training example: a tree of segments, parents before children.
///
/// A plain sequence is one or two segments in a row; the chosen and the rejected chain of a dual
/// pair are two children of the question and of whatever start they share, which is computed once,
/// forward and backward.
public struct PrefixTree: Sendable, Hashable {
  public var segments: [Segment]
  /// Tells this example's dropout masks from another's; the caller draws it from its dropout
  /// stream.
  public var dropoutKey: UInt32

  /// Precondition: each parent stands before its child, and a root's first weight is zero.
  public init(_ segments: [Segment], dropoutKey: UInt32 = 0) {
    for (index, segment) in segments.enumerated() {
      if let parent = segment.parent {
        precondition(
          0 <= parent && parent < index, "segment \(index) cannot continue segment \(parent)")
      } else {
        precondition(
          segment.weights.first ?? 0 == 0,
          "nothing stands before the first token of segment \(index)")
      }
    }
    self.segments = segments
    self.dropoutKey = dropoutKey
  }

  /// A plain sequence: `prompt` as context, `response` with a weight for each token.
  public init(prompt: [Int], response: [Int], weights: [Float], dropoutKey: UInt32 = 0) {
    self.init(
      [Segment(context: prompt), Segment(tokens: response, parent: 0, weights: weights)],
      dropoutKey: dropoutKey)
  }

  /// All tokens, each counted once.
  public var tokenCount: Int { segments.reduce(0) { $0 + $1.tokens.count } }
}
