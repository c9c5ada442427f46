/// How a student that an arm trained is asked for its answer.
public struct ArmDecoding: Sendable, Hashable {
  /// Token ids before and after the prompt.
  public var before: [Int] = []
  public var after: [Int] = []
  /// What is put after a first response, its end left out, for the answer; nil where one response
  /// is all.
  public var continuation: [Int]?
  /// What stands before the response when it is read: the conclusion cue, where an answer alone is
  /// asked for.
  public var lead: [Int] = []
  /// The tokens that every prompt begins with, which stay before `before`.
  public var startTokens: [Int] = []

  public init(
    before: [Int] = [], after: [Int] = [], continuation: [Int]? = nil, lead: [Int] = [],
    startTokens: [Int] = []
  ) {
    self.before = before
    self.after = after
    self.continuation = continuation
    self.lead = lead
    self.startTokens = startTokens
  }

  /// `prompt` with what this puts before and after it.
  public func sequence(_ prompt: [Int]) -> [Int] {
    let start = prompt.starts(with: startTokens) ? startTokens : []
    return start + before + prompt.dropFirst(start.count) + after
  }

  /// The prompt as it is, and a chain with its answer.
  public static let plain = ArmDecoding()
}
