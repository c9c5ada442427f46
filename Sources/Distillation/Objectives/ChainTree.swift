import LanguageModel

extension Objective {
  /// Tokens that are predicted after some that are only read, `weight` shared out among them.
  static func branch(
    _ context: [Int], _ predicted: [Int], weight: Float, after parent: Int
  ) -> Segment {
    let each = weight / Float(predicted.count)
    return Segment(
      tokens: context + predicted, parent: parent,
      weights: context.map { _ in 0 } + predicted.map { _ in each })
  }

  /// An example whose sequences are the paths to those segments that none continues; `parts` as in
  /// `TrainingExample`.
  static func example(_ id: String, _ segments: [Segment], parts: [[Int]]) -> TrainingExample {
    var lengths: [Int] = []
    for segment in segments {
      lengths.append(segment.tokens.count + (segment.parent.map { lengths[$0] } ?? 0))
    }
    let continued = Set(segments.compactMap(\.parent))
    return TrainingExample(
      id: id, tree: PrefixTree(segments),
      usefulTokens: lengths.indices.reduce(0) { continued.contains($1) ? $0 : $0 + lengths[$1] },
      parts: parts)
  }
}
