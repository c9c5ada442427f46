import Reasoning
import Testing

@Suite("ROUGE-2")
struct BigramOverlapTests {
  @Test(
    "is F1 over shared bigrams",
    arguments: [
      ("the cat sat", "the cat sat", 1.0),
      // "the cat" of 3 and 2 bigrams.
      ("the cat sat down", "the cat ran", 0.4),
      // Case and punctuation do not count; numbers do.
      ("6 * 12 = 72.", "6 * 12 = 62.", 0.5),
      // "a a" twice in one, three times in the other: shared twice.
      ("a a a", "a a a a", 0.8),
      ("one", "one", 0.0), ("", "a b", 0.0), ("a b", "b a", 0.0),
    ] as [(String, String, Double)])
  func f1(a: String, b: String, expected: Double) {
    #expect(abs(BigramOverlap.f1(a, b) - expected) < 1e-12)
    #expect(BigramOverlap.f1(a, b) == BigramOverlap.f1(b, a))
  }
}
