import CKernels

/// What a model says of one token, given all before it.
public struct TokenPrediction: Sendable, Hashable {
  /// A token with its log-probability in nats.
  public struct Candidate: Sendable, Hashable {
    public var token: Int
    public var logProbability: Float

    public init(token: Int, logProbability: Float) {
      self.token = token
      self.logProbability = logProbability
    }
  }

  public var token: Int
  /// log p of the token, in nats.
  public var logProbability: Float
  /// The likeliest tokens, in falling order, the first of equals first.
  public var likeliest: [Candidate]

  public init(token: Int, logProbability: Float, likeliest: [Candidate] = []) {
    self.token = token
    self.logProbability = logProbability
    self.likeliest = likeliest
  }

  /// The prediction of `token` by `logits`[V], whose cross-entropy is `loss`, with the `count` likeliest tokens.
  init(
    token: Int, logits: UnsafeBufferPointer<Float>, loss: ks_token_loss, likeliest count: Int
  ) {
    let best =
      count == 1 ? [Int(loss.top)] : Self.likeliest(min(count, logits.count), of: logits)
    let logProbability = -loss.negative_log_likelihood
    self.init(
      token: token, logProbability: logProbability,
      likeliest: best.map { best in
        // Relative to the token, so that its own value is the same number.
        Candidate(
          token: best, logProbability: logProbability + (logits[best] - logits[token]))
      })
  }

  /// The prediction of `token` by `logits`[V], with the `count` likeliest tokens.
  init(token: Int, logits: UnsafeBufferPointer<Float>, likeliest count: Int) {
    var loss = ks_token_loss()
    var target = Int32(token)
    ks_cross_entropy(logits.baseAddress, &target, &loss, 0, 1, logits.count)
    self.init(token: token, logits: logits, loss: loss, likeliest: count)
  }

  private static func likeliest(_ count: Int, of logits: UnsafeBufferPointer<Float>) -> [Int] {
    guard count > 0 else { return [] }
    var kept: [(logit: Float, token: Int)] = []
    for (token, logit) in logits.enumerated() {
      if kept.count == count {
        if logit <= kept[count - 1].logit { continue }
        kept.removeLast()
      }
      let place = kept.firstIndex { $0.logit < logit } ?? kept.count
      kept.insert((logit, token), at: place)
    }
    return kept.map(\.token)
  }
}
