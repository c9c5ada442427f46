import Files

/// A conversation as a data file gives it, for a model's chat template.
public struct Conversation: Hashable, Codable, Sendable {
  public struct Message: Hashable, Codable, Sendable {
    /// "system", "user" or "assistant".
    public var role: String
    public var content: String

    public init(role: String, content: String) {
      self.role = role
      self.content = content
    }
  }

  /// The messages before the response.
  public var messages: [Message]
  /// The assistant's message that follows; nil where it is to be generated.
  public var response: String?
  /// Whether the assistant's earlier messages are trained on too: those of a line of `messages`, but
  /// not those of a prompt.
  public var trainsEarlierTurns: Bool

  public init(messages: [Message], response: String? = nil, trainsEarlierTurns: Bool = false) {
    self.messages = messages
    self.response = response
    self.trainsEarlierTurns = trainsEarlierTurns
  }
}

/// A message of conversational data: `{"role", "content"}` as OpenAI and TRL write it, or
/// ShareGPT's `{"from", "value"}`.
///
/// The content is a text or a list of parts `{"type": "text", "text"}`, which are joined. Anything
/// else (images, tool calls, roles of tools) is refused.
struct Message: Hashable {
  enum Role: String, Hashable { case system, user, assistant }

  var role: Role
  var text: String

  /// The message for a chat template.
  var forTemplate: Conversation.Message {
    Conversation.Message(role: role.rawValue, content: text)
  }

  init(_ node: JSONNode) throws(FileError) {
    let isShareGPT = node["role"] == nil && node["from"] != nil
    let (roleKey, contentKey) = isShareGPT ? ("from", "value") : ("role", "content")
    switch try node.string(roleKey) {
    case "system", "developer": role = .system
    case "user", "human": role = .user
    case "assistant", "gpt": role = .assistant
    default:
      throw node.error(roleKey, expected: "the role of a system, user or assistant message")
    }
    if let calls = node["tool_calls"], calls.value != .array([]) {
      throw calls.error(expected: "a message without tool calls")
    }
    guard node[contentKey]?.isArray == true else {
      text = try node.filledString(contentKey)
      return
    }
    text = ""
    for part in try node.elements(contentKey) {
      guard try part.string("type") == "text" else {
        throw part.error("type", expected: "a part of the type \"text\"")
      }
      text += try part.string("text")
    }
    guard text.contains(where: { !$0.isWhitespace }) else {
      throw node.error(contentKey, expected: "text")
    }
  }

  /// The messages of an array, or the one of an object.
  static func list(_ node: JSONNode) throws(FileError) -> [Message] {
    if node.isObject { return [try Message(node)] }
    var messages: [Message] = []
    for element in try node.elements() { messages.append(try Message(element)) }
    return messages
  }
}

/// A prompt given as text or as messages, which are written out as plain text: how they are read where no chat template
/// is applied.
///
/// One user message is its content. A system message comes before it, with an empty line between
/// them. If there are earlier turns, each message begins with `User: ` or `Assistant: ` and the
/// prompt ends with `Assistant:`.
package struct PromptText: Hashable {
  /// What comes before the last user message: system messages and earlier turns.
  package var preamble = ""
  /// The last user message, or the whole of a plain text.
  package var question: String
  /// What comes after it.
  package var ending = ""

  package var text: String { preamble + question + ending }

  init(_ text: String) { question = text }

  /// `messages` stand at `node`. Throws if the last of them is not the user's.
  init(_ messages: [Message], at node: JSONNode) throws(FileError) {
    guard let last = messages.last, last.role == .user else {
      throw node.error(
        expected: "messages of which the last is the user's",
        found: messages.isEmpty ? "no messages" : "another at the end")
    }
    let isDialogue = messages.count { $0.role != .system } > 1
    for message in messages.dropLast() {
      switch message.role {
      case .system: preamble += message.text
      case .user: preamble += "User: " + message.text
      case .assistant: preamble += "Assistant: " + message.text
      }
      preamble += "\n\n"
    }
    question = last.text
    if isDialogue {
      preamble += "User: "
      ending = "\n\nAssistant:"
    }
  }
}

/// One response, given as text or as messages, of which those before the last repeat the prompt.
private struct ResponseText {
  var text: String
  /// Whether the text is a message's, which does not begin with the space after its prompt.
  var isMessage = false
  /// The messages before it; empty if there are none.
  var prompt: [Message] = []

  init(_ line: JSONNode, _ key: String) throws(FileError) {
    guard let node = line[key], node.isArray || node.isObject else {
      text = try line.filledString(key)
      return
    }
    var messages = try Message.list(node)
    guard let last = messages.popLast(), last.role == .assistant else {
      throw node.error(
        expected: "messages of which the last is the assistant's",
        found: messages.isEmpty ? "no messages" : "another at the end")
    }
    (text, isMessage, prompt) = (last.text, true, messages)
  }

  /// The text as it follows `prompt`: a message's with a space between the two, unless one of them
  /// has white space there.
  func following(_ prompt: PromptText) -> String {
    let isApart =
      prompt.text.last?.isWhitespace != false || text.first?.isWhitespace != false || !isMessage
    return isApart ? text : " " + text
  }
}

/// A prompt and its responses as a line of a data file gives them, in any of the forms that
/// `JSONLines` describes.
package struct Exchange {
  package var prompt: PromptText
  package var responses: [String]
  /// The messages of a conversational line before its responses, and what each response says; nil if
  /// the line is plain text.
  private var messages: [Conversation.Message]?
  private var contents: [String]
  private var isWhole = false

  /// The conversation that ends in the response at `index`, or that is to be continued if there is none; nil if the line
  /// is plain text.
  package func conversation(_ index: Int? = nil) -> Conversation? {
    messages.map {
      Conversation(
        messages: $0, response: index.map { contents[$0] }, trainsEarlierTurns: isWhole)
    }
  }

  /// Reads the responses at `keys`, and the prompt at `promptKey`, at `conversations` or in the
  /// messages before the responses.
  package init(_ line: JSONNode, promptKey: String, responses keys: [String]) throws(FileError) {
    // Typed throws do not go through `map`.
    var found: [ResponseText] = []
    for key in keys { found.append(try ResponseText(line, key)) }
    let shared = found.first?.prompt ?? []
    for (key, response) in zip(keys, found) where response.prompt != shared {
      throw line.error(
        key, expected: "the messages of \"\(keys[0])\" before its last one")
    }
    let node = line[promptKey] ?? line["conversations"]
    let prompt: PromptText
    var messages = shared.isEmpty ? nil : shared.map(\.forTemplate)
    if shared.isEmpty {
      if let node, node.isArray {
        let list = try Message.list(node)
        prompt = try PromptText(list, at: node)
        messages = list.map(\.forTemplate)
      } else {
        prompt = PromptText(try line.filledString(promptKey))
        if found.contains(where: \.isMessage) {
          messages = [Conversation.Message(role: "user", content: prompt.text)]
        }
      }
    } else {
      prompt = try PromptText(shared, at: line.child(keys[0]))
      if let node {
        let isSame =
          node.isArray ? try Message.list(node) == shared : try node.string() == prompt.question
        guard isSame else {
          throw node.error(expected: "the prompt that the messages of \"\(keys[0])\" begin with")
        }
      }
    }
    if found.count > 1, found.allSatisfy({ $0.text.hasPrefix(prompt.text) }) {
      throw line.error(
        keys[0], expected: "a response without its prompt",
        found: "one that begins with \"\(promptKey)\"")
    }
    self.prompt = prompt
    self.messages = messages
    responses = found.map { $0.following(prompt) }
    contents = found.map(\.text)
  }

  /// Reads a whole conversation, of which the last message is the response.
  package init(conversation key: String, of line: JSONNode) throws(FileError) {
    let response = try ResponseText(line, key)
    prompt = try PromptText(response.prompt, at: line.child(key))
    responses = [response.following(prompt)]
    messages = response.prompt.map(\.forTemplate)
    contents = [response.text]
    isWhole = true
  }
}

extension JSONNode {
  /// The gold answer at `key`, a text or a number; nil where it is absent or null. Of a solution in
  /// GSM8K's form it is what follows the last `#### `.
  ///
  /// Throws if it is blank.
  package func optionalGoldAnswer(_ key: String) throws(FileError) -> String? {
    guard let node = self[key] else { return nil }
    let text: String
    switch node.value {
    case .string(let value): text = value
    case .integer, .number: text = node.value.text()
    default: throw node.error(expected: "a text or a number")
    }
    let answer = text.ranges(of: "#### ").last.map { text[$0.upperBound...].trimmingSpace() }
    guard (answer ?? text).contains(where: { !$0.isWhitespace }) else {
      throw node.error(
        expected: "an answer", found: text.isEmpty ? "an empty string" : "no answer in \"\(text)\"")
    }
    return answer ?? text
  }

  /// The gold answer at `key`. Throws if there is none, or a blank one.
  package func goldAnswer(_ key: String) throws(FileError) -> String {
    guard let answer = try optionalGoldAnswer(key) else { return try filledString(key) }
    return answer
  }
}

/// The ids of a file's items, each of which must be its own.
package struct UniqueIDs {
  private var places: [String: String] = [:]

  package init() {}

  /// Throws if an earlier item has the id of the item at `node`.
  package mutating func add(_ id: String, at node: JSONNode) throws(FileError) {
    if let earlier = places.updateValue(node.location ?? "", forKey: id) {
      throw node.child("id").error(
        expected: "an id of its own", found: "\"\(id)\", which \(earlier) has too")
    }
  }
}
