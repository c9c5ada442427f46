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

  public var description: String {
    func limit(_ count: Int?) -> String { count.map { " of \($0)" } ?? "" }
    return "the budget is spent: \(requests)\(limit(budget.requests)) requests, "
      + "\(tokens)\(limit(budget.tokens)) tokens"
  }
}
