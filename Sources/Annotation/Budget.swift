import Synchronization
import Teachers

/// What a run may spend on a teacher.
public struct Budget: Hashable, Sendable {
  /// The most requests that are sent, those that are tried again included; nil for any number.
  public var requests: Int?
  /// The most tokens, read and written; no request is sent once they are spent.
  public var tokens: Int?

  public init(requests: Int? = nil, tokens: Int? = nil) {
    self.requests = requests
    self.tokens = tokens
  }
}

/// That a budget is spent: nothing more is asked for, and what was answered is kept.
public struct BudgetSpent: Error, Hashable, CustomStringConvertible {
  public var budget: Budget
  public var requests: Int
  public var tokens: Int

  public init(budget: Budget, requests: Int, tokens: Int) {
    self.budget = budget
    self.requests = requests
    self.tokens = tokens
  }

  public var description: String {
    func limit(_ count: Int?) -> String { count.map { " of \($0)" } ?? "" }
    return "the budget is spent: \(requests)\(limit(budget.requests)) requests, "
      + "\(tokens)\(limit(budget.tokens)) tokens"
  }
}

/// What was spent of a budget, over all that share it.
///
/// Whoever sends requests draws on it before each, so that no more are sent than the budget holds,
/// however many ask at the same time.
public final class Spending: Sendable {
  /// The spending that the question now being asked belongs to: a teacher that tries again draws on
  /// it for each further request.
  @TaskLocal static var current: Spending?

  public let budget: Budget
  private let spent = Mutex((requests: 0, tokens: 0))

  public init(_ budget: Budget = Budget()) {
    self.budget = budget
  }

  /// Requests that were sent, and tokens read and written in the answers that came.
  public var total: (requests: Int, tokens: Int) { spent.withLock { $0 } }

  /// Draws one request. Throws `BudgetSpent`, and draws none, where the budget holds no more.
  public func drawRequest() throws {
    try spent.withLock { spent in
      if let most = budget.requests, spent.requests >= most { throw exhausted(spent) }
      if let most = budget.tokens, spent.tokens >= most { throw exhausted(spent) }
      spent.requests += 1
    }
  }

  /// Counts the tokens of an answer that came.
  public func count(_ answer: TeacherAnswer) {
    let tokens = (answer.promptTokens ?? 0) + (answer.completionTokens ?? 0)
    spent.withLock { $0.tokens += tokens }
  }

  private func exhausted(_ spent: (requests: Int, tokens: Int)) -> BudgetSpent {
    BudgetSpent(budget: budget, requests: spent.requests, tokens: spent.tokens)
  }
}
