import ArgumentParser
import ChatTemplates
import Distillation
import Files
import Foundation
import Reasoning
import Tokenizers

struct RenderCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "render", abstract: "Show conversations as a chat template renders them.",
    discussion: """
      Each line of --messages is an object with messages, and where the template takes them tools (a \
      list) and chat_template_kwargs (an object of further variables), as in TRL. With --json a line for \
      each, {"index","text"}, or {"index","error"} for messages that the template refuses; else the first \
      of these ends the command.

      With --tokens a line of messages is shown as training on chains sees it: {"index","tokens",\
      "assistant_mask"}, the mask 1 for the tokens that the assistant writes, which carry weight.

      Example: keystep render --model models/SmolLM2-135M-Instruct.Q4_1.gguf --messages chats.jsonl \
      --add-generation-prompt
      """)

  @Option(help: "A .gguf file or a Hugging Face folder, for its chat template.")
  var model: String?
  @Option(
    help:
      "A template in Jinja, in place of the model's; with --model it sees the model's BOS and EOS.")
  var chatTemplate: String?
  @Option(help: "Conversations as JSON lines with messages.")
  var messages: String
  @Flag(help: "End with what comes before the assistant's next message.")
  var addGenerationPrompt = false
  @Option(help: "The date that the template writes, YYYY-MM-DD (default: today).")
  var templateDate: String?
  @Flag(help: "Show the token ids that training sees; needs --model and --json.")
  var tokens = false
  @Flag(help: "Print JSON lines.")
  var json = false

  private struct Line: Encodable {
    var index: Int
    var text: String?
    var error: String?
    var tokens: [Int]?
    var assistantMask: [Int]?
  }

  func validate() throws {
    var problems: [String] = []
    if model == nil, chatTemplate == nil { problems.append("give --model or --chat-template") }
    if tokens, model == nil { problems.append("--tokens needs --model, for its tokenizer") }
    if tokens, !json { problems.append("--tokens needs --json") }
    if tokens, addGenerationPrompt {
      problems.append("--add-generation-prompt: expected only without --tokens")
    }
    if let templateDate, TemplateDate(templateDate) == nil {
      problems.append("--template-date must be a date such as 2025-03-14, not \(templateDate)")
    }
    if !problems.isEmpty { throw ValidationError(problems.joined(separator: "; ")) }
  }

  private func template() throws -> ChatTemplate {
    var found =
      try chatTemplate.map { try ChatTemplate.ofFile($0, model: model) }
      ?? ChatTemplate.ofModel(model ?? "")
    if let date = templateDate.flatMap({ TemplateDate($0) }) { found?.date = date }
    guard let found else {
      throw FileError(file: model ?? "", expected: "a model with a chat template", found: "none")
    }
    return found
  }

  func run() throws {
    if tokens { return try showTokens() }
    let lines = try JSONLinesFile.objects(of: messages)
    let template = try template()
    var refused = 0
    for (index, line) in lines.enumerated() {
      var variables: [String: JSONValue] = [:]
      if let more = try line.object("chat_template_kwargs") {
        for (name, node) in try more.members() { variables[name] = node.value }
      }
      variables["tools"] = line["tools"]?.value
      let conversation = line.child("messages")
      guard conversation.isArray else { throw line.error("messages", expected: "an array") }
      do {
        let text = try template.render(
          json: conversation, addingGenerationPrompt: addGenerationPrompt, variables: variables)
        if json {
          try printJSONLine(Line(index: index, text: text))
        } else {
          print(isatty(STDOUT_FILENO) == 1 ? TerminalText.shown(text) : text)
        }
      } catch {
        guard json else {
          throw line.error(
            expected: "messages that the chat template renders", found: "an error: \(error)")
        }
        refused += 1
        try printJSONLine(Line(index: index, error: "\(error)"))
      }
    }
    if refused > 0 {
      StandardError.line("\(refused) of \(lines.count) conversations were refused")
    }
  }

  private func showTokens() throws {
    let chains = try JSONLines.chains(at: messages)
    let tokenizer = try ExampleTokenizer(
      Tokenizer(path: model ?? ""), chat: ChatSetting(template(), rendersPlainText: true))
    for (index, chain) in try tokenizer.tokenize(chains, file: messages).enumerated() {
      var mask = [Int](repeating: 0, count: chain.tokenCount)
      for turn in chain.turns {
        for position in turn { mask[chain.prompt.count + position] = 1 }
      }
      try printJSONLine(
        Line(index: index, tokens: chain.prompt + chain.response, assistantMask: mask))
    }
  }
}
