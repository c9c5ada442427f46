import LanguageModel

/// -log p of every predicted token of some examples under a reference model, or what else that says of it, computed
/// once: what preference objectives and excess losses compare the student with.
public struct ReferenceLosses: Sendable, Hashable {
  /// By example, segment and token, -log p in nats; 0 where a token is not predicted.
  public let values: [[[Float]]]

  /// One forward pass over `examples`, without dropout. `value` takes -log p, or another quantity, from what is known of
  /// a token.
  public init(
    of examples: [TrainingExample], on reference: Decoder, workers: Workers,
    needs: TokenStatistics = [], value: (TokenLoss) -> Float = { $0.negativeLogLikelihood }
  ) {
    let rule = LossRule.token(needs: needs) { prediction, loss in
      WeightedLoss(
        value: prediction.weight * loss.negativeLogLikelihood, gradientWeight: prediction.weight)
    }
    var values = examples.map { $0.tree.segments.map { $0.tokens.map { _ in Float(0) } } }
    // A few at a time: what a pass says of a token takes more room than its loss.
    for start in stride(from: 0, to: examples.count, by: 256) {
      let trees = examples[start..<min(start + 256, examples.count)].map(\.tree)
      for (offset, loss) in workers.losses(of: trees, on: reference, rule: rule).enumerated() {
        for token in loss.tokens {
          values[start + offset][token.prediction.segment][token.prediction.index] =
            value(token.loss)
        }
      }
    }
    self.values = values
  }

  /// The examples with these losses as their tokens' references. Precondition: they are those they
  /// were computed of.
  public func attached(to examples: [TrainingExample]) -> [TrainingExample] {
    precondition(
      examples.count == values.count, "\(values.count) reference losses, \(examples.count) examples"
    )
    return zip(examples, values).map { example, values in
      var example = example
      for index in example.tree.segments.indices {
        example.tree.segments[index].references = values[index]
      }
      return example
    }
  }
}

extension Objective {
  /// The same with the losses under `reference` as its tokens' references.
  func compared(with reference: Decoder, _ workers: Workers) -> Objective {
    let losses = ReferenceLosses(of: examples, on: reference, workers: workers)
    var compared = self
    compared.examples = losses.attached(to: examples)
    return compared
  }
}
