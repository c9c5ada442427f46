import Annotation
import Testing

@Suite("Budgets")
struct BudgetTests {
  @Test("A spent budget says what was spent, and of how much")
  func message() {
    let spent = BudgetSpent(budget: Budget(requests: 10), requests: 10, tokens: 512)
    #expect("\(spent)" == "the budget is spent: 10 of 10 requests, 512 tokens")
  }
}
