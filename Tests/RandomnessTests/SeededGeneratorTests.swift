import Foundation
import Randomness
import Testing

@Suite("The seeded generator")
struct SeededGeneratorTests {
  // The numbers come from a separate implementation in Python of https://prng.di.unimi.it/xoshiro256starstar.c, its
  // state filled by four outputs of https://prng.di.unimi.it/splitmix64.c.
  @Test(
    "draws what xoshiro256** seeded by SplitMix64 draws",
    arguments: [
      (
        seed: 0,
        first: [
          0x99ec_5f36_cb75_f2b4, 0xbf6e_1f78_4956_452a, 0x1a5f_849d_4933_e6e0,
          0x6aa5_94f1_262d_2d2c,
        ],
        thousandth: 0x7aac_8c48_3a2e_dd2f
      ),
      (
        42,
        [
          0x1578_0b2e_0c2e_c716, 0x6104_d986_6d11_3a7e, 0xae17_5332_39e4_99a1,
          0xecb8_ad47_03b3_60a1,
        ],
        0x8de5_848c_61ab_8968
      ),
      (
        UInt64.max,
        [
          0x8f55_20d5_2a7e_ad08, 0xc476_a018_caa1_802d, 0x81de_31c0_d260_469e,
          0xbf65_8d7e_065f_3c2f,
        ],
        0xc3c9_3ea5_cde4_34cc
      ),
    ] as [(seed: UInt64, first: [UInt64], thousandth: UInt64)])
  func knownNumbers(seed: UInt64, first: [UInt64], thousandth: UInt64) {
    var random = SeededGenerator(seed: seed)
    let drawn = (0..<1000).map { _ in random.next() }
    #expect(Array(drawn.prefix(4)) == first)
    #expect(drawn.last == thousandth)
  }

  @Test(
    "keeps streams of one seed apart: other names give other numbers, the same name the same ones")
  func streams() {
    func first(_ seed: UInt64, _ stream: String) -> [UInt64] {
      var random = SeededGenerator(seed: seed, stream: stream)
      return (0..<100).map { _ in random.next() }
    }
    let all =
      ["", "dropout", "sampling", "data order"].map { first(1, $0) } + [first(2, "dropout")]
    #expect(Set(all.flatMap(\.self)).count == 500)
    #expect(first(1, "dropout") == all[1])
  }

  @Test("neighbouring seeds and streams are uncorrelated")
  func independence() {
    var (a, b, c) = (
      SeededGenerator(seed: 1), SeededGenerator(seed: 2),
      SeededGenerator(seed: 1, stream: "dropout")
    )
    let count = 20_000
    var (ab, ac) = (0.0, 0.0)
    for _ in 0..<count {
      let x = a.uniform() - 0.5
      ab += x * (b.uniform() - 0.5)
      ac += x * (c.uniform() - 0.5)
    }
    // The sum of products of two uniforms of variance 1/12 has standard deviation √count / 12; five of them.
    let bound = 5 * Double(count).squareRoot() / 12
    #expect(abs(ab) < bound && abs(ac) < bound)
  }

  @Test("goes on, encoded and decoded, with the number it would have drawn next")
  func codable() throws {
    var random = SeededGenerator(seed: 9)
    for _ in 0..<5 { _ = random.normal() }
    var back = try JSONDecoder().decode(SeededGenerator.self, from: JSONEncoder().encode(random))
    #expect(back == random)
    #expect((0..<20).map { _ in back.next() } == (0..<20).map { _ in random.next() })
  }

  @Test("draws uniform numbers in [0, 1) and indices below the bound, evenly")
  func uniform() {
    var random = SeededGenerator(seed: 3)
    let numbers = (0..<20_000).map { _ in random.uniform() }
    #expect(numbers.allSatisfy { (0..<1).contains($0) })
    // Five standard errors of a uniform number's mean: √(1/12 / 20,000).
    let mean = numbers.reduce(0, +) / 20_000
    #expect(abs(mean - 0.5) < 0.0102)
    var counts = [0, 0, 0, 0, 0]
    for _ in 0..<10_000 { counts[random.index(below: 5)] += 1 }
    #expect(counts.allSatisfy { abs($0 - 2000) < 200 })
  }

  @Test(
    "draws normal numbers: mean 0, variance 1, as many beyond two deviations as there should be")
  func normal() {
    var random = SeededGenerator(seed: 4)
    let count = 40_000
    let numbers = (0..<count).map { _ in random.normal() }
    #expect(numbers.allSatisfy { $0.isFinite })
    let mean = numbers.reduce(0, +) / Double(count)
    let variance = numbers.map { ($0 - mean) * ($0 - mean) }.reduce(0, +) / Double(count)
    let beyond = Double(numbers.filter { abs($0) > 2 }.count) / Double(count)
    // Five standard errors: 1/√n, √(2/n), √(p(1-p)/n) with p = 0.0455.
    #expect(abs(mean) < 0.025)
    #expect(abs(variance - 1) < 0.036)
    #expect(abs(beyond - 0.0455) < 0.0053)
  }
}
