import Foundation

/// Plain twins of the C kernels, in Double, one row at a time. Letters: N columns, d head
/// dimension, F feed-forward width.
package enum PlainKernels {
  package static func inverseRMS(_ x: [Double], epsilon: Double) -> Double {
    1 / (x.reduce(0) { $0 + $1 * $1 } / Double(x.count) + epsilon).squareRoot()
  }

  /// x · weight / rms(x).
  package static func rmsNorm(_ x: [Double], _ weight: [Double], inverseRMS s: Double) -> [Double] {
    zip(x, weight).map { $0 * s * $1 }
  }

  /// dx_j = s w_j dy_j - s³ x_j / N · Σ dy w x, and d_weight_j = dy_j x_j s.
  package static func rmsNormBackward(
    _ x: [Double], _ weight: [Double], inverseRMS s: Double, dy: [Double]
  ) -> (dx: [Double], dWeight: [Double]) {
    let n = x.count
    let along = (0..<n).reduce(0) { $0 + dy[$1] * weight[$1] * x[$1] } * s * s * s / Double(n)
    return (
      (0..<n).map { s * weight[$0] * dy[$0] - along * x[$0] }, (0..<n).map { dy[$0] * x[$0] * s }
    )
  }

  /// One head, turned: coordinates j and j + d/2 by the angle of the given cosines and sines.
  package static func rotated(_ x: [Double], cosines: [Double], sines: [Double]) -> [Double] {
    let half = x.count / 2
    return (0..<half).map { x[$0] * cosines[$0] - x[half + $0] * sines[$0] }
      + (0..<half).map { x[half + $0] * cosines[$0] + x[$0] * sines[$0] }
  }

  package static func sigmoid(_ x: Double) -> Double { 1 / (1 + exp(-x)) }

  /// silu(gate) · up.
  package static func swiglu(gate: Double, up: Double) -> Double { gate * sigmoid(gate) * up }

  /// The two derivatives of `swiglu`, times dy.
  package static func swigluBackward(gate: Double, up: Double, dy: Double) -> (
    gate: Double, up: Double
  ) {
    let s = sigmoid(gate)
    return (dy * up * s * (1 + gate * (1 - s)), dy * gate * s)
  }

  /// exp(scale · score) / Σ, and log Σ.
  package static func softmax(_ scores: [Double], scale: Double = 1) -> (
    probabilities: [Double], logSumExp: Double
  ) {
    guard let largest = scores.max() else { return ([], -.infinity) }
    let exponentials = scores.map { exp(scale * ($0 - largest)) }
    let sum = exponentials.reduce(0, +)
    return (exponentials.map { $0 / sum }, scale * largest + log(sum))
  }

  /// scale · p (dp - y · dy).
  package static func softmaxBackward(
    _ p: [Double], _ dp: [Double], scale: Double, y: [Double], dy: [Double]
  ) -> [Double] {
    let mean = zip(y, dy).reduce(0) { $0 + $1.0 * $1.1 }
    return zip(p, dp).map { scale * $0 * ($1 - mean) }
  }

  /// -Σ p log p.
  package static func entropy(_ p: [Double]) -> Double {
    p.reduce(0) { $1 > 0 ? $0 - $1 * log($1) : $0 }
  }

  /// Whether an element stays: its hash of 24 bits ("lowbias32" of key ⊕ salt + column · 2³²/φ) is at
  /// or above probability · 2²⁴.
  package static func keeps(column: Int, key: UInt32, salt: UInt32, probability: Float) -> Bool {
    var h = (key ^ salt) &+ UInt32(truncatingIfNeeded: column) &* 0x9e37_79b9
    h = (h ^ (h >> 16)) &* 0x7feb_352d
    h = (h ^ (h >> 15)) &* 0x846c_a68b
    h ^= h >> 16
    return Double(h >> 8) >= (Double(probability) * 0x1p24).rounded(.down)
  }

  /// One step of AdamW as `torch.optim.AdamW` documents it.
  package struct AdamW {
    package var parameter, firstMoment, secondMoment: Double

    package init(_ parameter: Double, _ firstMoment: Double, _ secondMoment: Double) {
      self.parameter = parameter
      self.firstMoment = firstMoment
      self.secondMoment = secondMoment
    }

    package mutating func step(
      gradient g: Double, learningRate: Double, beta1: Double, beta2: Double, epsilon: Double,
      weightDecay: Double, correction1: Double, correction2: Double
    ) {
      parameter -= learningRate * weightDecay * parameter
      firstMoment = beta1 * firstMoment + (1 - beta1) * g
      secondMoment = beta2 * secondMoment + (1 - beta2) * g * g
      let (m, v) = (firstMoment / correction1, secondMoment / correction2)
      parameter -= learningRate * m / (v.squareRoot() + epsilon)
    }
  }

  /// softmax(scale · q keysᵀ) values of one head.
  package static func attend(
    _ q: [Double], keys: [[Double]], values: [[Double]], scale: Double
  ) -> [Double] {
    let p = softmax(keys.map { zip(q, $0).reduce(0) { $0 + $1.0 * $1.1 } }, scale: scale)
    return q.indices.map { j in
      zip(p.probabilities, values).reduce(0) { $0 + $1.0 * $1.1[j] }
    }
  }
}
