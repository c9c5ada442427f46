import Files

/// A model's chat template: what turns the messages of a conversation into the text that the model was trained on.
///
/// The template is Jinja, as in Transformers' `apply_chat_template`, and gives the same text: the environment is Jinja2's
/// sandbox with `trim_blocks` and `lstrip_blocks`, the loop controls, `tojson` without HTML escapes, `raise_exception`,
/// `strftime_now` and `{% generation %}`. It is parsed once; rendering is safe from several threads.
///
/// A template may come from a stranger. It reaches nothing but its messages and variables, and its work, output and
/// nesting are bounded.
///
/// Source: `transformers/utils/chat_template_utils.py`, and Jinja2 3.1.
public struct ChatTemplate: Sendable {
  /// The template's text.
  public let source: String
  /// Where it was read from, which errors name.
  public let file: String
  /// What the template sees as `bos_token` and `eos_token`; undefined there if nil.
  public let bosToken, eosToken: String?
  /// What `strftime_now` gives: the time when the template was read, unless it is set.
  public var date: TemplateDate

  private let parsed: ParsedTemplate

  /// Parses `source`. Throws a `FileError` with the line of what Jinja2 refuses, or of what chat templates do not use and
  /// this library does not know.
  public init(source: String, file: String, bosToken: String?, eosToken: String?) throws(FileError)
  {
    (self.source, self.file, self.bosToken, self.eosToken) = (source, file, bosToken, eosToken)
    parsed = try TemplateParser.parse(source, file: file)
    date = .now
  }

  /// Whether the text depends on `date`.
  public var usesDate: Bool {
    source.contains(WellKnownName.strftimeNow.rawValue)
  }

  /// Whether the template marks what the assistant says by `{% generation %}`.
  public var marksGeneration: Bool { parsed.marksGeneration }

  /// The text of `messages`.
  ///
  /// - Parameters:
  ///   - messages: the conversation from its start.
  ///   - addingGenerationPrompt: whether the text ends in what comes before the assistant's next message.
  ///   - variables: further variables of the template, such as `enable_thinking`.
  ///
  /// Throws a `FileError` with the template's line, and with the message of its `raise_exception` where it refuses the
  /// messages.
  public func render(
    _ messages: [ChatMessage], addingGenerationPrompt: Bool, variables: [String: JSONValue] = [:]
  ) throws(FileError) -> String {
    try renderMarkingGeneration(
      messages, addingGenerationPrompt: addingGenerationPrompt, variables: variables
    ).text
  }

  /// The text of `messages`, and the parts of it that the template's `{% generation %}` blocks made, in bytes of UTF-8.
  public func renderMarkingGeneration(
    _ messages: [ChatMessage], addingGenerationPrompt: Bool, variables: [String: JSONValue] = [:]
  ) throws(FileError) -> (text: String, generated: [Range<Int>]) {
    try render(
      .list(messages.map(TemplateValue.init)), addingGenerationPrompt: addingGenerationPrompt,
      variables: variables)
  }

  /// The text of messages that are any JSON: with lists of parts, tool calls and other members. `messages` must be an
  /// array of objects.
  public func render(
    json messages: JSONNode, addingGenerationPrompt: Bool, variables: [String: JSONValue] = [:]
  ) throws(FileError) -> String {
    for message in try messages.elements() where !message.isObject {
      throw message.error(expected: "a message, an object with \"role\" and \"content\"")
    }
    return try render(
      TemplateValue(messages.value), addingGenerationPrompt: addingGenerationPrompt,
      variables: variables
    ).text
  }

  private func render(
    _ messages: TemplateValue, addingGenerationPrompt: Bool, variables: [String: JSONValue]
  ) throws(FileError) -> (text: String, generated: [Range<Int>]) {
    var values: [(name: String, value: TemplateValue)] = [
      (WellKnownName.messages.rawValue, messages),
      (WellKnownName.addGenerationPrompt.rawValue, .bool(addingGenerationPrompt)),
      (WellKnownName.tools.rawValue, .none),
      (WellKnownName.documents.rawValue, .none),
    ]
    for (name, token) in [(WellKnownName.bosToken, bosToken), (.eosToken, eosToken)] {
      if let token { values.append((name.rawValue, .text(token))) }
    }
    for (name, value) in variables.sorted(by: { $0.key < $1.key }) {
      values.append((name, TemplateValue(value)))
    }
    let interpreter = TemplateInterpreter(parsed, date: date)
    try interpreter.render(values)
    return (PythonText.string(interpreter.output), interpreter.generated)
  }
}
