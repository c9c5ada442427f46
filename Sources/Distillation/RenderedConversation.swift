import ChatTemplates
import Files
import Reasoning
import Tokenizers

/// A conversation as the text that a student reads and writes.
///
/// The prompt is the template over the messages before the response, with the generation prompt: what
/// the student is given when it answers. The response is what the template adds for the assistant's
/// message, up to and with the first token after it that ends generation. What the template writes after
/// that token (the newline of ChatML) is never generated, and is left out.
struct RenderedConversation {
  /// What the assistant writes.
  struct Turn {
    /// What stands between the turn before it, its end included, and this one; empty for the first.
    var before: String
    var text: String
    /// The token that ends it.
    var end: Int
  }

  var prompt: String
  /// At least one.
  var turns: [Turn]

  /// `chain` with the texts that were rendered; the text is that of the last turn.
  func source(_ chain: ChainOfThought) -> ChainOfThought {
    var chain = chain
    let text = turns[turns.count - 1].text
    if let range = chain.mistake?.range {
      // The place of the mistake moves with the white space that a plain response began with.
      let dropped = chain.text.utf8.count - text.utf8.count
      let isSame = dropped >= 0 && chain.text.utf8.dropFirst(dropped).elementsEqual(text.utf8)
      chain.mistake?.range =
        isSame && range.lowerBound >= dropped
        ? range.lowerBound - dropped..<range.upperBound - dropped : nil
    }
    (chain.prompt, chain.text) = (prompt, text)
    return chain
  }
}

extension ExampleTokenizer {
  /// The prompt rendered with the chat template; nil where it stays as it is.
  public func rendered(_ prompt: Prompt, file: String, place: String) throws -> String? {
    guard let template = try chat.template(isConversation: prompt.conversation != nil) else {
      return nil
    }
    let messages =
      prompt.conversation?.messages.map(ChatMessage.init)
      ?? [ChatMessage(role: "user", content: prompt.text)]
    return try render(template, messages, isPrompt: true, file: file, place: place)
  }

  /// The token ids of a plain prompt: rendered with the chat template where plain texts are, else those
  /// of `encodePrompt`. Throws where the template does not render it.
  public func encodeQuestion(_ text: String) throws(FileError) -> [Int] {
    guard let template = try chat.template(isConversation: false) else { return encodePrompt(text) }
    return tokenizer.encode(
      try template.render([ChatMessage(role: "user", content: text)], addingGenerationPrompt: true))
  }

  /// Whether a text with this conversation, or a plain one, is rendered with the chat template.
  public func renders(_ conversation: Conversation?) -> Bool {
    (try? chat.template(isConversation: conversation != nil)) != nil
  }

  func rendered(
    _ chain: ChainOfThought, file: String, place: String
  ) throws -> RenderedConversation? {
    guard let template = try chat.template(isConversation: chain.conversation != nil) else {
      return nil
    }
    // The space that separates a plain response from its prompt is the template's matter now.
    let conversation =
      chain.conversation
      ?? Conversation(
        messages: [Conversation.Message(role: "user", content: chain.prompt)],
        response: String(chain.text.drop(while: \.isWhitespace)))
    let messages =
      conversation.messages.map(ChatMessage.init)
      + [ChatMessage(role: "assistant", content: conversation.response ?? "")]
    let firstUser = messages.firstIndex { $0.role == "user" } ?? 0
    let turns = messages.indices.filter { index in
      index == messages.count - 1
        || conversation.trainsEarlierTurns && messages[index].role == "assistant"
          && index > firstUser
    }
    let whole = try render(template, messages, isPrompt: false, file: file, place: place)
    var result: RenderedConversation?
    // Up to where `whole` has been split, in bytes of UTF-8.
    var position = 0
    for index in turns {
      let prompt = try render(
        template, Array(messages[..<index]), isPrompt: true, file: file, place: place)
      let answered =
        index == messages.count - 1
        ? whole
        : try render(template, Array(messages[...index]), isPrompt: false, file: file, place: place)
      guard answered.utf8.starts(with: prompt.utf8), whole.utf8.starts(with: prompt.utf8) else {
        throw boundaryError(whole, prompt, file: file, place: place)
      }
      let added = String(decoding: answered.utf8.dropFirst(prompt.utf8.count), as: UTF8.self)
      let (text, end, length) = try turn(added, file: file, place: place)
      let stop = prompt.utf8.count + length
      guard whole.utf8.prefix(stop).elementsEqual(answered.utf8.prefix(stop)) else {
        throw boundaryError(whole, answered, file: file, place: place)
      }
      let before = String(decoding: prompt.utf8.dropFirst(position), as: UTF8.self)
      if result == nil {
        result = RenderedConversation(
          prompt: prompt, turns: [.init(before: "", text: text, end: end)])
      } else {
        result?.turns.append(.init(before: before, text: text, end: end))
      }
      position = stop
    }
    return result
  }

  private func render(
    _ template: ChatTemplate, _ messages: [ChatMessage], isPrompt: Bool, file: String, place: String
  ) throws -> String {
    do throws(FileError) {
      return try template.render(messages, addingGenerationPrompt: isPrompt)
    } catch {
      throw FileError(
        file: file, location: place, expected: "messages that the chat template renders",
        found: "an error: \(error)")
    }
  }

  private func boundaryError(
    _ whole: String, _ start: String, file: String, place: String
  ) -> FileError {
    let same = zip(whole.utf8, start.utf8).prefix { $0 == $1 }.count
    func rest(_ text: String) -> String {
      String(decoding: text.utf8.dropFirst(same).prefix(40), as: UTF8.self)
    }
    return FileError(
      file: file, location: place,
      expected:
        "a chat template whose text of the whole conversation begins with that of its turns",
      found:
        "\"\(rest(whole))…\" in place of \"\(rest(start))…\" after \(same) bytes: the template changes earlier "
        + "turns or the prompt; use another with --chat-template, or --no-chat-template")
  }

  /// What the assistant writes of `added`, what the template adds for its message: the text, the token
  /// that ends it, and how many bytes both have.
  private func turn(
    _ added: String, file: String, place: String
  ) throws -> (text: String, end: Int, length: Int) {
    let ends = stopTokens.compactMap { id in
      tokenizer.token(of: id).map { (id: id, text: Array($0.utf8)) }
    }
    .filter { !$0.text.isEmpty }
    var bytes = Array(added.utf8)[...]
    var found: (end: Int, length: Int)?
    func trimmed(_ bytes: ArraySlice<UInt8>) -> ArraySlice<UInt8> {
      var bytes = bytes
      while let last = bytes.last, last == 0x20 || (0x09...0x0D).contains(last) {
        bytes.removeLast()
      }
      return bytes
    }
    // Of several tokens that end generation, it stops at the first.
    while true {
      let rest = trimmed(bytes)
      guard
        let end = ends.filter({ rest.suffix($0.text.count).elementsEqual($0.text) })
          .max(by: { $0.text.count < $1.text.count })
      else { break }
      found = (end.id, rest.count)
      bytes = rest.dropLast(end.text.count)
    }
    if let found {
      return (String(decoding: bytes, as: UTF8.self), found.end, found.length)
    }
    // A template without a mark after the assistant's message: the end of sequence ends it.
    if let last = tokenizer.encode(String(decoding: trimmed(bytes), as: UTF8.self)).last,
      tokenizer.isSpecial(last)
    {
      throw FileError(
        file: file, location: place,
        expected:
          "a chat template that ends the assistant's message with a token that ends generation",
        found: "\"\(tokenizer.token(of: last) ?? "")\"")
    }
    return (added, endOfSequence, added.utf8.count)
  }
}

extension ChatMessage {
  fileprivate init(_ message: Conversation.Message) {
    self.init(role: message.role, content: message.content)
  }
}
