import KeySteps
import TestSupport
import Testing

/// Padded sequences. The expected values are those of `levenshtein_operations_tokens` in
/// `edit_dis_precal.py` of https://github.com/C-W-D/CasCoD at 3468d15, called with the prompt 1 1
/// before both responses; the lengths here are those without it.
@Suite struct AlignmentScopeTests {
  struct Case: Sendable, CustomTestStringConvertible {
    var chosen, rejected: [Int]
    var length: Int
    var keys: (chosen: [Int], rejected: [Int])
    var distance: Int
    var testDescription: String { "\(chosen) and \(rejected) in \(length) tokens" }
  }

  private static let cases = [
    // 2 more rejected tokens: all from 6 on is replaced, 6 2 <pad> <pad> by 8 9 10 2 but for 7.
    Case(
      chosen: [5, 6, 7, 2], rejected: [5, 8, 7, 9, 10, 2], length: 10,
      keys: ([1, 3], [1, 3, 4, 5]), distance: 4),
    // An insertion costs a deletion of padding beside it, and marks no other token.
    Case(
      chosen: [5, 6, 7, 2], rejected: [5, 6, 9, 7, 2], length: 8, keys: ([], [2]), distance: 2),
    // No padding: the rejected end is cut, so the chosen end has no counterpart.
    Case(
      chosen: [5, 6, 7, 8, 2], rejected: [5, 9, 6, 7, 8, 2], length: 5, keys: ([4], [1]),
      distance: 2),
    Case(
      chosen: [4, 3, 5, 2], rejected: [9, 8, 3, 7, 2], length: 7, keys: ([0, 2], [0, 1, 3]),
      distance: 4),
    Case(
      chosen: [1, 2], rejected: [1, 3, 4, 5, 2], length: 6, keys: ([1], [1, 2, 3, 4]),
      distance: 4),
  ]

  @Test("Padded sequences have the key tokens of the released code", arguments: cases)
  func padded(one: Case) {
    let key = KeyTokens(chosen: one.chosen, rejected: one.rejected, paddedTo: one.length)
    #expect(key.chosen == one.keys.chosen && key.rejected == one.keys.rejected)
    #expect(key.distance == one.distance)
    #expect(key.chosenCount == one.chosen.count && key.rejectedCount == one.rejected.count)
    // Both sides' masks are those of the plain script over the padded sequences.
    func padded(_ tokens: [Int]) -> [Int] {
      Array((tokens + Array(repeating: 0, count: one.length)).prefix(one.length))
    }
    let script = PlainEditScript(from: padded(one.chosen), to: padded(one.rejected))
    #expect(
      Array(script.deletesOrReplaces.prefix(one.chosen.count))
        == Array(key.chosenMask.prefix(one.length)))
  }

  @Test("Equal responses have no key tokens, nor has what does not fit")
  func none() {
    let same = KeyTokens(chosen: [5, 6, 2], rejected: [5, 6, 2], paddedTo: 9)
    #expect(same.chosen.isEmpty && same.rejected.isEmpty && same.distance == 0)
    let cut = KeyTokens(chosen: [5, 6, 2], rejected: [7, 2], paddedTo: 0)
    #expect(cut.chosen.isEmpty && cut.rejected.isEmpty && cut.chosenCount == 3)
  }

  @Test("Units are aligned whole, each padding token by itself")
  func units() {
    // | 5 | 6 7 | 2 | and | 5 | 2 | in 6 tokens: five units and six.
    let fewer = KeyTokens(
      chosen: [5, 6, 7, 2], rejected: [5, 2], chosenUnits: [0, 1, 3], rejectedUnits: [0, 1],
      paddedTo: 6)
    #expect(fewer.chosen == [1, 2] && fewer.rejected.isEmpty && fewer.distance == 3)
    // | 5 | 6 7 | 2 | and | 5 | 8 | 9 | 2 |.
    let asMany = KeyTokens(
      chosen: [5, 6, 7, 2], rejected: [5, 8, 9, 2], chosenUnits: [0, 1, 3],
      rejectedUnits: [0, 1, 2, 3], paddedTo: 6)
    #expect(asMany.chosen == [1, 2] && asMany.rejected == [1, 2] && asMany.distance == 2)
  }
}
