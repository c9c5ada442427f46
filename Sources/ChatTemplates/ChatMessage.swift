/// One message of a conversation.
public struct ChatMessage: Sendable, Hashable {
  /// "system", "user", "assistant", or another role that the template knows.
  public var role: String
  public var content: String

  public init(role: String, content: String) {
    self.role = role
    self.content = content
  }
}
