import Foundation
import TestSupport
import Testing

/// A chat template over the words of the numbered model: 5 before the user's messages, 6 before the assistant's, 2 (the end
/// of sequence) after these.
private let template = """
  {% for m in messages %}
  {{ '5 ' + m.content if m.role == 'user' else '6 ' + m.content + ' </s>' }}
  {{ ' ' }}{% endfor %}
  {% if add_generation_prompt %}{{ '6 ' }}{% endif %}
  """

private let conversation =
  #"[{"role": "user", "content": "10 11"}, {"role": "assistant", "content": "12"}, {"role": "user", "content": "13"}]"#

@Suite struct RenderTests {
  private let place: Workplace

  init() throws { place = try Workplace() }

  @Test("render writes conversations as the template has them, with further variables")
  func texts() throws {
    let source =
      #"{% for m in messages %}[{{ m.content }}]{% endfor %}{{ tools | tojson }}{{ mood }}"#
    let lines = """
      {"messages": [{"role": "user", "content": "a\\nb"}], "tools": [1], "chat_template_kwargs": {"mood": "!"}}
      {"messages": []}
      """
    let call = try keystep(
      "render", "--chat-template", place.file("chat.jinja", source),
      "--messages", place.file("chats.jsonl", lines))
    #expect(call.status == 0, "\(call.errors)")
    #expect(call.output == "[a\nb][1]!\nnull\n")
  }

  @Test(
    "render --json goes on after messages that the template refuses; without it they end the command"
  )
  func refused() throws {
    let source =
      "{{ messages[0].content }}{% if not messages %}{{ raise_exception('empty') }}{% endif %}"
    let chat = try place.file("chat.jinja", source)
    let lines = try place.file(
      "chats.jsonl",
      #"{"messages": []}"# + "\n" + #"{"messages": [{"role": "user", "content": "a"}]}"#)
    let call = try keystep("render", "--chat-template", chat, "--messages", lines, "--json")
    #expect(call.status == 0)
    let objects = try call.objects()
    #expect((objects[0]["error"] as? String)?.contains("chat.jinja: line 1") == true)
    #expect(objects[1]["text"] as? String == "a")
    let plain = try keystep("render", "--chat-template", chat, "--messages", lines)
    #expect(plain.status == 1)
    #expect(
      plain.errors.contains("chats.jsonl: line 1: expected messages that the chat template renders")
    )
  }

  @Test("Wrong flags of render and of chat templates are refused, all at once")
  func flags() throws {
    let render = try keystep("render", "--messages", "none.jsonl", "--template-date", "2025-02-30")
    #expect(render.status == 2)
    #expect(render.errors.contains("--model or --chat-template"))
    #expect(render.errors.contains("2025-02-30"))
    let generate = try keystep(
      "generate", "--model", "m", "--prompts", "p", "--chat-template", "model", "--no-chat-template"
    )
    #expect(generate.status == 2)
    #expect(generate.errors.contains("--chat-template or --no-chat-template, not both"))
  }

  private func run(_ arguments: [String]) throws -> Call {
    try runExecutable(executable("keystep"), arguments)
  }

  private func model() throws -> String {
    let model = try numberedModel(in: place.path)
    try template.write(toFile: model + "/chat_template.jinja", atomically: true, encoding: .utf8)
    return model
  }

  @Test(
    "generate renders messages with the model's template, and plain prompts where that is asked for"
  )
  func generate() throws {
    let model = try model()
    let prompts = try place.file(
      "prompts.jsonl", "{\"prompt\": \(conversation)}\n{\"prompt\": \"14 15\"}")
    func tokens(_ flags: [String]) throws -> [[Int]] {
      let call = try run(
        [
          "generate", "--model", model, "--prompts", prompts, "--max-new-tokens", "1", "--json",
        ]
          + flags)
      #expect(call.status == 0, "\(call.errors)")
      return try call.objects().map { $0["prompt_tokens"] as? [Int] ?? [] }
    }
    let rendered = [5, 10, 11, 6, 12, 2, 5, 13, 6]
    #expect(try tokens([]) == [rendered, [14, 15]])
    #expect(try tokens(["--chat-template", "model"]) == [rendered, [5, 14, 15, 6]])
    let other = try place.file("other.jinja", "{{ '7 ' + messages[0].content }}")
    #expect(try tokens(["--chat-template", other]) == [[7, 10, 11], [7, 14, 15]])
    #expect(try tokens(["--no-chat-template"])[1] == [14, 15])
  }

  @Test(
    "render --tokens shows what training on a conversation sees: every assistant message has weight"
  )
  func tokens() throws {
    let lines = """
      {"messages": [{"role": "user", "content": "10"}, {"role": "assistant", "content": "12"}, \
      {"role": "user", "content": "13"}, {"role": "assistant", "content": "14 15"}]}
      """
    let call = try keystep(
      "render", "--model", model(), "--messages", place.file("chats.jsonl", lines), "--tokens",
      "--json")
    #expect(call.status == 0, "\(call.errors)")
    let object = try #require(try call.objects().first)
    #expect(object["tokens"] as? [Int] == [5, 10, 6, 12, 2, 5, 13, 6, 14, 15, 2])
    #expect(object["assistant_mask"] as? [Int] == [0, 0, 0, 1, 1, 0, 0, 0, 1, 1, 1])
  }

  @Test("train trains on conversations, and resumes only with the template that it began with")
  func train() throws {
    let model = try model()
    let line =
      #"{"messages": [{"role": "user", "content": "10"}, {"role": "assistant", "content": "12"}]}"#
    let chains = try place.file("chats.jsonl", line)
    let base = [
      "train", "--model", model, "--chains", chains, "--objective", "sft", "--batch-size", "1",
      "--learning-rate", "1e-3", "--output", place.path + "/trained", "--json",
    ]
    let first = try run(base + ["--steps", "1"])
    #expect(first.status == 0, "\(first.errors)")
    #expect(try first.objects().first?["useful_tokens"] as? Int == 5)
    let other = try place.file("other.jinja", template + " ")
    let changed = try run(base + ["--steps", "2", "--resume", "--chat-template", other])
    #expect(changed.status == 1)
    #expect(changed.errors.contains("chat template"), "\(changed.errors)")
    #expect(try run(base + ["--steps", "2", "--resume"]).status == 0)
  }
}
