import ChatTemplates
import Files
import TestSupport
import Testing

/// What Jinja2 makes of templates; see `Tests/Fixtures/chat-templates/make.py`.
@Suite struct TemplateGoldenTests {
  @Test("Templates give the text that Jinja2 gives, and an error where it raises one")
  func goldens() throws {
    let root = try JSONNode(path: fixture("chat-templates/templates.json").path)
    let conversations = try root.elements("conversations")
    let variables = try root.elements("variables")
    var texts = 0
    for entry in try root.elements("entries") {
      let source = try entry.string("template")
      let conversation = conversations[try entry.integer("conversation")]
      var more: [String: JSONValue] = [:]
      for (name, node) in try variables[try entry.integer("variables")].members() {
        more[name] = node.value
      }
      let rendered = Result {
        var template = try ChatTemplate(
          source: source, file: "chat.jinja", bosToken: "<s>", eosToken: "</s>")
        template.date = TemplateDate(year: 2025, month: 3, day: 4, hour: 13, minute: 5, second: 6)
        return try template.render(
          json: conversation, addingGenerationPrompt: false, variables: more)
      }
      switch (rendered, try entry.optionalString("text")) {
      case (.success(let text), let expected?):
        // By bytes: `String` takes "é" of one scalar and of two for the same.
        #expect(Array(text.utf8) == Array(expected.utf8), "of \(source)")
        texts += 1
      case (.failure(let error), nil): #expect(error is FileError)
      case (.success(let text), nil):
        Issue.record("\(source): expected \(try entry.string("error")), found \"\(text)\"")
      case (.failure(let error), let expected?):
        Issue.record("\(source): expected \"\(expected)\", found the error \(error)")
      }
    }
    #expect(texts > 150)
  }
}

@Suite struct ChatTemplateTests {
  private let chatML = """
    {% for message in messages %}
    {{ '<|im_start|>' + message.role + '\\n' }}{% if message.role == 'assistant' %}{% generation %}
    {{ message.content + '<|im_end|>\\n' }}{% endgeneration %}{% else %}
    {{ message.content + '<|im_end|>\\n' }}{% endif %}{% endfor %}
    {% if add_generation_prompt %}
    {{ '<|im_start|>assistant\\n' }}{% endif %}
    """
  private let messages = [
    ChatMessage(role: "user", content: "Zoë?"), ChatMessage(role: "assistant", content: "Yes."),
    ChatMessage(role: "user", content: "And?"), ChatMessage(role: "assistant", content: ""),
  ]

  @Test("Messages are rendered with and without a generation prompt")
  func rendering() throws {
    let template = try ChatTemplate(
      source: chatML, file: "chat.jinja", bosToken: nil, eosToken: nil)
    let start = "<|im_start|>user\nZoë?<|im_end|>\n"
    #expect(try template.render([messages[0]], addingGenerationPrompt: false) == start)
    #expect(
      try template.render([messages[0]], addingGenerationPrompt: true) == start
        + "<|im_start|>assistant\n")
  }

  @Test("The parts of generation blocks are given in bytes")
  func generated() throws {
    let template = try ChatTemplate(
      source: chatML, file: "chat.jinja", bosToken: nil, eosToken: nil)
    let (text, ranges) = try template.renderMarkingGeneration(
      messages, addingGenerationPrompt: false)
    let bytes = Array(text.utf8)
    #expect(
      ranges.map { String(decoding: bytes[$0], as: UTF8.self) } == [
        "Yes.<|im_end|>\n", "<|im_end|>\n",
      ])
    #expect(template.marksGeneration)
    #expect(
      try !ChatTemplate(source: "{{ 'generation' }}", file: "t", bosToken: nil, eosToken: nil)
        .marksGeneration)
  }

  @Test(
    "A folder's template is chat_template.jinja, then that of tokenizer_config.json, by name the default one"
  )
  func folders() throws {
    let folder = try TemporaryFolder()
    #expect(try ChatTemplate.ofModel(folder.path) == nil)
    func rendered() throws -> String? {
      try ChatTemplate.ofModel(folder.path)?.render([], addingGenerationPrompt: false)
    }
    try folder.write(
      #"{"bos_token": {"content": "<s>"}, "eos_token": "</s>", "chat_template": [{"name": "tool_use", "template": "t"}, {"name": "default", "template": "d{{ bos_token }}{{ eos_token }}"}]}"#,
      to: "tokenizer_config.json")
    #expect(try rendered() == "d<s></s>")
    try folder.write(#"{"chat_template": "j{{ bos_token }}"}"#, to: "chat_template.json")
    #expect(try rendered() == "j<s>")
    try folder.write("f{{ eos_token }}\n", to: "chat_template.jinja")
    #expect(try rendered() == "f</s>")
    #expect(
      try ChatTemplate.ofModel(folder.path + "/model.safetensors")?.source == "f{{ eos_token }}\n")
    try folder.write("\n{{ nothing.here }}", to: "chat_template.jinja")
    let error = #expect(throws: FileError.self) { try rendered() }
    #expect(error?.file.hasSuffix("chat_template.jinja") == true)
    #expect(error?.location == "line 2")
  }

  @Test("Named templates without one called default are refused with their names")
  func named() throws {
    let folder = try TemporaryFolder()
    try folder.write(
      #"{"chat_template": [{"name": "rag", "template": "t"}]}"#, to: "tokenizer_config.json")
    let error = #expect(throws: FileError.self) { try ChatTemplate.ofModel(folder.path) }
    #expect(error?.found == "\"rag\"")
  }

  @Test("The date is what the template is given, and is read from text")
  func date() throws {
    var template = try ChatTemplate(
      source: "{{ strftime_now('%A, %d %B %Y') }}", file: "t", bosToken: nil, eosToken: nil)
    #expect(template.usesDate)
    template.date = try #require(TemplateDate("2024-02-29"))
    #expect(try template.render([], addingGenerationPrompt: false) == "Thursday, 29 February 2024")
    #expect(template.date.isoDate == "2024-02-29")
    for text in ["2023-02-29", "2024-13-01", "2024-1-01", "24-01-01", "2024-01-01x", ""] {
      #expect(TemplateDate(text) == nil)
    }
  }
}
