#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// A seeded generator of random numbers, xoshiro256**, whose streams are told apart by name.
///
/// Every random choice of the toolkit draws from one of these, passed in by the caller. Streams of
/// one seed (`"initialisation"`, `"data order"`, `"dropout"`, `"sampling"`) are independent of each
/// other, so that an ablation that draws more from one leaves the others as they were.
///
/// The state is `Codable`, so that a resumed run goes on with the number it would have drawn next.
///
/// Source: Blackman and Vigna, "Scrambled linear pseudorandom number generators", 2021,
/// https://prng.di.unimi.it (xoshiro256**, seeded by SplitMix64 as its authors advise).
public struct SeededGenerator: RandomNumberGenerator, Codable, Hashable, Sendable {
  private var s0, s1, s2, s3: UInt64

  /// The generator of `seed`; the same numbers on every machine.
  public init(seed: UInt64) {
    var mixer = SplitMix64(state: seed)
    (s0, s1, s2, s3) = (mixer.next(), mixer.next(), mixer.next(), mixer.next())
  }

  /// The stream called `name` of `seed`: independent of the streams with other names.
  public init(seed: UInt64, stream name: String) {
    // FNV-1a over the name's UTF-8, then mixed with the seed.
    var hash: UInt64 = 0xcbf2_9ce4_8422_2325
    for byte in name.utf8 { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3 }
    var mixer = SplitMix64(state: seed)
    self.init(seed: mixer.next() ^ hash)
  }

  public mutating func next() -> UInt64 {
    let result = rotated(s1 &* 5, by: 7) &* 9
    let shifted = s1 << 17
    s2 ^= s0
    s3 ^= s1
    s1 ^= s2
    s0 ^= s3
    s2 ^= shifted
    s3 = rotated(s3, by: 45)
    return result
  }

  /// A number drawn evenly from [0, 1), with 53 random bits.
  public mutating func uniform() -> Double {
    Double(next() >> 11) * 0x1p-53
  }

  /// A number drawn evenly from 0 ..< `bound`. Precondition: `bound > 0`.
  public mutating func index(below bound: Int) -> Int {
    Int.random(in: 0..<bound, using: &self)
  }

  /// True with probability `probability`.
  public mutating func chance(_ probability: Double) -> Bool {
    uniform() < probability
  }

  /// A number drawn from the normal distribution of mean 0 and variance 1.
  ///
  /// Takes two uniform numbers and keeps nothing back, so that a generator's state is all there is
  /// to resume from.
  ///
  /// Source: Box and Muller, "A note on the generation of random normal deviates", 1958.
  public mutating func normal() -> Double {
    // 1 - u lies in (0, 1], where the logarithm is finite.
    let radius = (-2 * log(1 - uniform())).squareRoot()
    return radius * cos(2 * Double.pi * uniform())
  }

  private func rotated(_ x: UInt64, by k: UInt64) -> UInt64 {
    (x << k) | (x >> (64 - k))
  }
}

/// SplitMix64: turns one seed into well-mixed words.
private struct SplitMix64 {
  var state: UInt64

  mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    var z = state
    z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
    z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
    return z ^ (z >> 31)
  }
}
