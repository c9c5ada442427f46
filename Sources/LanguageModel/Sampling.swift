import CKernels
import LinearAlgebra
import Randomness

/// How continuations are sampled, and when they end.
public struct SamplingSettings: Sendable, Hashable, Codable {
  /// The logits are divided by it; 0 takes the likeliest token, the first of equals.
  public var temperature: Float
  /// Only this many of the likeliest tokens are drawn from, and those as likely as the last of
  /// them; nil: all.
  public var topK: Int?
  /// Of those, only the likeliest whose probabilities together reach this fraction, and those as
  /// likely as the last of them (Holtzman et al., 1904.09751); nil: all.
  public var topP: Double?
  /// The longest continuation, in tokens.
  public var maximumNewTokens: Int
  /// Tokens that end a sequence, and are part of it.
  public var stop: Set<Int>

  /// Greedy decoding where nothing else is said.
  public init(
    temperature: Float = 0, topK: Int? = nil, topP: Double? = nil, maximumNewTokens: Int,
    stop: Set<Int> = []
  ) {
    self.temperature = temperature
    self.topK = topK
    self.topP = topP
    self.maximumNewTokens = maximumNewTokens
    self.stop = stop
  }

  func check() {
    precondition(temperature >= 0 && temperature.isFinite, "a temperature of \(temperature)")
    precondition(topK ?? 1 >= 1, "the \(topK ?? 1) likeliest tokens")
    precondition(topP.map { 0 < $0 && $0 <= 1 } ?? true, "a top-p of \(topP ?? 1)")
    precondition(maximumNewTokens >= 0, "at most \(maximumNewTokens) new tokens")
  }

  /// A token drawn from `logits`[V], which are overwritten.
  package func token(
    _ logits: UnsafeMutableBufferPointer<Float>, _ generator: inout SeededGenerator
  )
    -> Int
  {
    guard temperature > 0, let base = logits.baseAddress else {
      return ks_argmax(logits.baseAddress, logits.count)
    }
    var logSumExp: Float = 0
    ks_softmax(
      base, logits.count, 1 / temperature, [Int32(logits.count)], .max, &logSumExp, 1, 1,
      logits.count)
    // No list is sorted: what counts is the smallest probability that is kept.
    var kept = Tail(logits, threshold: .leastNonzeroMagnitude)
    if let topK, topK < kept.count {
      kept = Tail.smallest(of: logits, above: kept) { $0.count >= topK }
    }
    if let topP {
      let enough = Float(topP) * kept.sum
      kept = Tail.smallest(of: logits, above: kept) { $0.sum >= enough }
    }
    var left = Float(generator.uniform()) * kept.sum
    var last = 0
    for (token, probability) in logits.enumerated() where probability >= kept.threshold {
      last = token
      left -= probability
      if left < 0 { break }
    }
    return last
  }
}

/// The probabilities that are at least a threshold.
private struct Tail {
  var threshold: Float
  var count = 0
  var sum: Float = 0

  init(_ probabilities: UnsafeMutableBufferPointer<Float>, threshold: Float) {
    self.threshold = threshold
    sum = ks_sum_at_least(probabilities.baseAddress, threshold, probabilities.count, &count)
  }

  /// The tail with the highest threshold that is `enough`; `widest` is known to be.
  ///
  /// Positive floats are in the order of their bits, which are halved between.
  static func smallest(
    of probabilities: UnsafeMutableBufferPointer<Float>, above widest: Tail,
    _ enough: (Tail) -> Bool
  ) -> Tail {
    var best = widest
    var tooHigh = Float(1).bitPattern + 1
    while best.threshold.bitPattern + 1 < tooHigh {
      let middle = best.threshold.bitPattern + (tooHigh - best.threshold.bitPattern) / 2
      let tail = Tail(probabilities, threshold: Float(bitPattern: middle))
      if enough(tail) { best = tail } else { tooHigh = middle }
    }
    return best
  }
}
