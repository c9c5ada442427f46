import KeySteps
import Testing

/// Units by hand: `right` is | 1 2 | 3 | 4 5 |, `wrong` | 1 2 | 9 | 4 6 | 7 |.
@Suite struct AlignmentUnitTests {
  private let right = [1, 2, 3, 4, 5]
  private let wrong = [1, 2, 9, 4, 6, 7]
  private let rightUnits = [0, 2, 3]
  private let wrongUnits = [0, 2, 3, 5]

  @Test("Units are aligned whole: one that differs in a token is a key unit with all its tokens")
  func units() {
    let key = KeyTokens(
      right: right, wrong: wrong, rightUnits: rightUnits, wrongUnits: wrongUnits)
    #expect(key.right == [2, 3, 4])
    #expect(key.wrong == [2, 3, 4, 5])
    #expect(key.distance == 3)
    #expect(key.rightCount == 5 && key.wrongCount == 6)
  }

  @Test("Units of one token each are the tokens themselves")
  func single() {
    let key = KeyTokens(
      right: right, wrong: wrong, rightUnits: Array(right.indices), wrongUnits: Array(wrong.indices)
    )
    #expect(key == KeyTokens(right: right, wrong: wrong))
  }

  @Test("Widened key tokens take the rest of their unit along, and no other")
  func widened() {
    let key = KeyTokens(right: right, wrong: wrong)
    #expect(key.right == [2, 4] && key.wrong == [2, 4, 5])
    let wide = key.widened(toRightUnits: [0, 2, 3], wrongUnits: [0, 3])
    #expect(wide.right == [2, 3, 4])
    #expect(wide.wrong == [0, 1, 2, 3, 4, 5])
    #expect(wide.distance == key.distance)
  }

  @Test("Empty sides have no units")
  func empty() {
    let key = KeyTokens(right: [], wrong: [4, 5], rightUnits: [], wrongUnits: [0])
    #expect(key.right.isEmpty && key.wrong == [0, 1])
    #expect(key.widened(toRightUnits: [], wrongUnits: [0, 1]).wrong == [0, 1])
  }
}
