import Foundation

/// The distributions that intervals and tests are read from. Relative errors are about 1e-13.

/// The standard normal distribution.
package enum StandardNormal {
  /// Φ(x) = erfc(-x / √2) / 2, accurate in both tails.
  package static func cumulative(_ x: Double) -> Double {
    0.5 * erfc(-x / 2.0.squareRoot())
  }

  /// Φ⁻¹(p): -∞ at 0 and +∞ at 1. Precondition: `0...1` holds `p`.
  ///
  /// Bisected in the lower tail, where Φ loses no digits, and mirrored.
  package static func quantile(_ p: Double) -> Double {
    precondition((0...1).contains(p), "a probability lies in 0...1, found \(p)")
    if p == 0 || p == 1 { return p == 0 ? -.infinity : .infinity }
    if p > 0.5 { return -quantile(1 - p) }
    return bisect(-40, 0) { cumulative($0) < p }
  }
}

/// Student's t distribution.
package enum StudentT {
  /// P(T ≤ t) with ν = `degrees` degrees of freedom: I_{ν/(ν+t²)}(ν/2, 1/2) / 2 is the tail beyond |t|.
  package static func cumulative(_ t: Double, degrees: Double) -> Double {
    let tail =
      0.5 * regularizedIncompleteBeta(degrees / (degrees + t * t), degrees / 2, 0.5)
    return t < 0 ? tail : 1 - tail
  }

  /// The t below which a share `p` lies: -∞ at 0 and +∞ at 1.
  package static func quantile(_ p: Double, degrees: Double) -> Double {
    precondition((0...1).contains(p), "a probability lies in 0...1, found \(p)")
    precondition(degrees >= 1, "at least one degree of freedom, found \(degrees)")
    if p == 0 || p == 1 { return p == 0 ? -.infinity : .infinity }
    if p > 0.5 { return -quantile(1 - p, degrees: degrees) }
    // Near the middle the tail loses digits, and the share between -t and t keeps them.
    if p > 0.25 {
      return bisect(-1, 0) { t in
        regularizedIncompleteBeta(t * t / (degrees + t * t), 0.5, degrees / 2) > 1 - 2 * p
      }
    }
    var low = -1.0
    while cumulative(low, degrees: degrees) > p { low *= 2 }
    return bisect(low, 0) { cumulative($0, degrees: degrees) < p }
  }
}

/// I_x(a, b), by the continued fraction 8.17.22 of the NIST Digital Library of Mathematical Functions, evaluated
/// with Lentz's method from the side on which it converges fast.
package func regularizedIncompleteBeta(_ x: Double, _ a: Double, _ b: Double) -> Double {
  if x <= 0 { return 0 }
  if x >= 1 { return 1 }
  if x > (a + 1) / (a + b + 2) { return 1 - regularizedIncompleteBeta(1 - x, b, a) }
  let front = exp(lgamma(a + b) - lgamma(a) - lgamma(b) + a * log(x) + b * log1p(-x)) / a
  let tiny = 1e-300
  var c = 1.0
  var d = 1 / nonzero(1 - (a + b) * x / (a + 1), tiny)
  var fraction = d
  for m in 1...10_000 {
    let m = Double(m)
    let even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
    let odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
    for coefficient in [even, odd] {
      d = 1 / nonzero(1 + coefficient * d, tiny)
      c = nonzero(1 + coefficient / c, tiny)
      fraction *= c * d
    }
    if abs(c * d - 1) < 1e-16 { break }
  }
  return front * fraction
}

/// The place in `low ... high` up to which `isBelow` holds, to the last bit.
func bisect(_ low: Double, _ high: Double, isBelow: (Double) -> Bool) -> Double {
  var (low, high) = (low, high)
  while true {
    let middle = low + (high - low) / 2
    if middle <= low || middle >= high { return high }
    if isBelow(middle) { low = middle } else { high = middle }
  }
}

private func nonzero(_ x: Double, _ tiny: Double) -> Double {
  abs(x) < tiny ? tiny : x
}
