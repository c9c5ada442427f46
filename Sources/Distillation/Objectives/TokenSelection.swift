import LanguageModel

extension Objective {
  /// Keeps the `fraction` of an example's tokens (at least one) with the highest score, the earlier of
  /// equals, and scales their weights up to the sum of all.
  static func selecting(
    _ fraction: Float, needs: TokenStatistics = [],
    by score: @escaping @Sendable (Prediction, TokenLoss) -> Float
  ) -> LossRule {
    .example(needs: needs) { tokens in
      let scores = tokens.map { score($0, $1) }
      let count = max(1, Int((fraction * Float(tokens.count)).rounded()))
      let order = tokens.indices.sorted { (scores[$1], $0) < (scores[$0], $1) }
      let total = tokens.reduce(0) { $0 + $1.0.weight }
      let scale = total / order.prefix(count).reduce(0) { $0 + tokens[$1].0.weight }
      let kept = Set(order.prefix(count))
      return tokens.enumerated().map { index, token in
        let weight = kept.contains(index) ? scale * token.0.weight : 0
        return WeightedLoss(
          value: weight == 0 ? 0 : weight * token.1.negativeLogLikelihood, gradientWeight: weight)
      }
    }
  }
}
