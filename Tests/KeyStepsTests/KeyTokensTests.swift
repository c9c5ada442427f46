import KeySteps
import Randomness
import TestSupport
import Testing

@Suite("Key tokens of a dual pair")
struct KeyTokensTests {
  struct Case: CustomTestStringConvertible {
    let chosen, rejected, rightKey, wrongKey: [Int]
    let distance: Int
    var testDescription: String { "\(chosen) | \(rejected)" }
  }

  @Test(
    "are those that a script worked out by hand deletes or replaces",
    arguments: [
      Case(chosen: [], rejected: [], rightKey: [], wrongKey: [], distance: 0),
      Case(chosen: [7], rejected: [], rightKey: [0], wrongKey: [], distance: 1),
      Case(chosen: [], rejected: [7, 8], rightKey: [], wrongKey: [0, 1], distance: 2),
      Case(chosen: [7], rejected: [7], rightKey: [], wrongKey: [], distance: 0),
      Case(chosen: [7], rejected: [8], rightKey: [0], wrongKey: [0], distance: 1),
      Case(chosen: [1, 2, 3], rejected: [1, 2, 3], rightKey: [], wrongKey: [], distance: 0),
      Case(
        chosen: [1, 2, 3, 9], rejected: [1, 5, 3, 9], rightKey: [1], wrongKey: [1], distance: 1),
      // One of two equal tokens goes: the last, as the back-trace begins at the end.
      Case(chosen: [1, 4, 4], rejected: [1, 4], rightKey: [2], wrongKey: [], distance: 1),
      // Two minimum scripts: each side deletes its own last token first, so the masks are not each other's reverse.
      Case(chosen: [1, 2], rejected: [2, 1], rightKey: [1], wrongKey: [1], distance: 2),
    ])
  func byHand(_ c: Case) {
    let key = KeyTokens(chosen: c.chosen, rejected: c.rejected)
    #expect(key.chosen == c.rightKey)
    #expect(key.rejected == c.wrongKey)
    #expect(key.distance == c.distance)
  }

  /// Two sequences of up to `longest` tokens; half of the time the second is an edited copy of the first, as the
  /// sides of a dual pair are.
  private func pair(longest: Int, alphabet: Int, using random: inout SeededGenerator) -> (
    [Int], [Int]
  ) {
    let a = (0..<random.index(below: longest + 1)).map { _ in random.index(below: alphabet) }
    guard random.chance(0.5) else {
      return (a, (0..<random.index(below: longest + 1)).map { _ in random.index(below: alphabet) })
    }
    var b = a
    for _ in 0..<(1 + random.index(below: 8)) {
      let place = random.index(below: b.count + 1)
      if place == b.count || random.chance(0.3) {
        b.insert(random.index(below: alphabet), at: place)
      } else if random.chance(0.5) {
        b.remove(at: place)
      } else {
        b[place] = random.index(below: alphabet)
      }
    }
    return (a, b)
  }

  @Test(
    "and their distance equal the plain dynamic programme's, which trims nothing",
    arguments: [(longest: 4, pairs: 4000), (12, 2000), (70, 400), (140, 200), (200, 100)])
  func equalPlain(longest: Int, pairs: Int) {
    var random = SeededGenerator(seed: UInt64(longest))
    for _ in 0..<pairs {
      let (a, b) = pair(
        longest: longest, alphabet: [1, 2, 3, 10, 50_000].randomElement(using: &random)!,
        using: &random)
      let toWrong = PlainEditScript(from: a, to: b)
      let toRight = PlainEditScript(from: b, to: a)
      let key = KeyTokens(chosen: a, rejected: b)
      #expect(key.chosenMask == toWrong.deletesOrReplaces, "\(a) \(b)")
      #expect(key.rejectedMask == toRight.deletesOrReplaces, "\(a) \(b)")
      #expect(key.distance == toWrong.distance)
      let shared = KeyTokens(chosen: a, rejected: b, scripts: .shared)
      #expect(shared.chosenMask == toWrong.deletesOrReplaces, "\(a) \(b)")
      #expect(shared.rejectedMask == toWrong.insertsOrPuts, "\(a) \(b)")
      #expect(shared.distance == toWrong.distance)
    }
  }

  @Test(
    "are found for every length about the borders of a 64-bit word",
    arguments: [0, 1, 62, 63, 64, 65, 127, 128, 129, 192])
  func wordBorders(n: Int) {
    var random = SeededGenerator(seed: 5)
    for m in [1, 63, 64, 65, 128, 130] {
      let a = (0..<n).map { _ in random.index(below: 3) }
      let b = (0..<m).map { _ in random.index(below: 3) }
      let key = KeyTokens(chosen: a, rejected: b)
      #expect(key.chosenMask == PlainEditScript(from: a, to: b).deletesOrReplaces)
      #expect(key.rejectedMask == PlainEditScript(from: b, to: a).deletesOrReplaces)
    }
  }

  @Test("may be any integers, negative and huge ones too")
  func anyTokenIds() {
    let key = KeyTokens(chosen: [.min, -1, 0, .max], rejected: [.min, -2, 0, .max])
    #expect(key.chosen == [1] && key.rejected == [1])
  }

  @Test("make up the key share, over both sides")
  func share() {
    #expect(KeyTokens(chosen: [1, 2, 3, 4], rejected: [1, 2, 3, 5]).fraction == 0.25)
    #expect(KeyTokens(chosen: [], rejected: [5]).fraction == 1)
    #expect(KeyTokens(chosen: [], rejected: []).fraction == 0)
  }

  @Test("of the rejected side can be kept in their first run alone")
  func firstRun() {
    let key = KeyTokens(chosen: [1, 2, 3, 4, 5, 6], rejected: [1, 7, 8, 4, 9, 6])
    #expect(key.rejected == [1, 2, 4])
    #expect(key.keepingFirstRunOfRejected().rejected == [1, 2])
    #expect(key.keepingFirstRunOfRejected().chosen == key.chosen)
    let same = KeyTokens(chosen: [1], rejected: [1])
    #expect(same.keepingFirstRunOfRejected() == same)
  }

  @Test("carry α and β, other tokens of the right chain γ, other tokens of the wrong chain 0")
  func weights() {
    let key = KeyTokens(chosen: [1, 2, 3, 4], rejected: [1, 5, 3])
    let weights = KeyStepWeights(alpha: 2, beta: -0.5, gamma: 0.25)
    #expect(weights.chosen(key) == [0.25, 2, 0.25, 2])
    #expect(weights.rejected(key) == [0, -0.5, 0])
  }
}
