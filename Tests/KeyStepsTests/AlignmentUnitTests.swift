import KeySteps
import Testing

/// Units by hand: `right` is | 1 2 | 3 | 4 5 |, `wrong` | 1 2 | 9 | 4 6 | 7 |.
@Suite struct AlignmentUnitTests {
  private let chosen = [1, 2, 3, 4, 5]
  private let rejected = [1, 2, 9, 4, 6, 7]
  private let chosenUnits = [0, 2, 3]
  private let rejectedUnits = [0, 2, 3, 5]

  @Test("Units are aligned whole: one that differs in a token is a key unit with all its tokens")
  func units() {
    let key = KeyTokens(
      chosen: chosen, rejected: rejected, chosenUnits: chosenUnits, rejectedUnits: rejectedUnits)
    #expect(key.chosen == [2, 3, 4])
    #expect(key.rejected == [2, 3, 4, 5])
    #expect(key.distance == 3)
    #expect(key.chosenCount == 5 && key.rejectedCount == 6)
  }

  @Test("Units of one token each are the tokens themselves")
  func single() {
    let key = KeyTokens(
      chosen: chosen, rejected: rejected, chosenUnits: Array(chosen.indices),
      rejectedUnits: Array(rejected.indices)
    )
    #expect(key == KeyTokens(chosen: chosen, rejected: rejected))
  }

  @Test("Widened key tokens take the rest of their unit along, and no other")
  func widened() {
    let key = KeyTokens(chosen: chosen, rejected: rejected)
    #expect(key.chosen == [2, 4] && key.rejected == [2, 4, 5])
    let wide = key.widened(toChosenUnits: [0, 2, 3], rejectedUnits: [0, 3])
    #expect(wide.chosen == [2, 3, 4])
    #expect(wide.rejected == [0, 1, 2, 3, 4, 5])
    #expect(wide.distance == key.distance)
  }

  @Test("Empty sides have no units")
  func empty() {
    let key = KeyTokens(chosen: [], rejected: [4, 5], chosenUnits: [], rejectedUnits: [0])
    #expect(key.chosen.isEmpty && key.rejected == [0, 1])
    #expect(key.widened(toChosenUnits: [], rejectedUnits: [0, 1]).rejected == [0, 1])
  }
}
