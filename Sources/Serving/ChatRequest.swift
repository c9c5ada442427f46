import ChatTemplates
import Files

extension ResponseRequest {
  private static let chatFields: Set<String> = [
    "messages", "max_tokens", "max_completion_tokens", "logprobs", "top_logprobs",
    "chat_template_kwargs",
  ]

  /// A request to `/v1/chat/completions`.
  package init(chat body: some Collection<UInt8>, _ model: ServedModel) throws(APIError) {
    let fields = try RequestFields(body, known: ResponseSettings.fields.union(Self.chatFields))
    try model.check(fields)
    form = .chat
    settings = try ResponseSettings(fields, ends: model.ends)
    echoes = false
    let isReported = try fields.bool("logprobs")
    let top = try fields.integer("top_logprobs", in: 0...20)
    if top != nil, !isReported {
      throw APIError("top_logprobs: expected \"logprobs\": true beside it", param: "top_logprobs")
    }
    likeliest = isReported ? top ?? 0 : nil
    guard let template = model.chatTemplate else {
      throw APIError(
        "messages: the model \"\(model.name)\" has no chat template; use /v1/completions",
        param: "messages", code: "no_chat_template")
    }
    let messages = try fields.read { node throws(FileError) in try Self.messages(node) }
    let variables = try fields.read { node throws(FileError) in
      try node.object("chat_template_kwargs")?.members() ?? []
    }
    let text: String
    do throws(FileError) {
      text = try template.render(
        messages, addingGenerationPrompt: true,
        variables: Dictionary(
          variables.map { ($0.key, $0.node.value) }, uniquingKeysWith: { $1 }))
    } catch {
      throw APIError(
        "messages: the chat template cannot render them: expected \(error.expected), "
          + "found \(error.found)", param: "messages")
    }
    // The template writes the start tokens that it wants.
    let prompt = PromptTokens(ids: model.tokenizer.encode(text))
    let older = try fields.integer("max_tokens", in: 0...Int.max)
    let maximum = try fields.integer("max_completion_tokens", in: 0...Int.max) ?? older
    try model.check(prompt, place: "messages", maximum: maximum ?? 1)
    prompts = [prompt]
    maximumTokens = [maximum ?? model.context - prompt.ids.count]
  }

  /// The messages with their texts; the parts of one that is given in parts are joined.
  private static func messages(_ node: JSONNode) throws(FileError) -> [ChatMessage] {
    var messages: [ChatMessage] = []
    for message in try node.elements("messages") {
      for (key, member) in try message.members()
      where !["role", "content", "name"].contains(key) && !member.isNull {
        throw member.error(expected: "no such member: only \"role\", \"content\" and \"name\"")
      }
      let content = message.child("content")
      var text = ""
      if content.isArray {
        for part in try content.elements() {
          guard try part.string("type") == "text" else {
            throw part.error("type", expected: "\"text\": only texts are supported")
          }
          text += try part.string("text")
        }
      } else {
        text = try message.string("content")
      }
      messages.append(ChatMessage(role: try message.string("role"), content: text))
    }
    guard !messages.isEmpty else {
      throw node.error("messages", expected: "at least one message")
    }
    return messages
  }
}
