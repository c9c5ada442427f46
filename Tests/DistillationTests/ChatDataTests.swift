import ChatTemplates
import Distillation
import Files
import Foundation
import LanguageModel
import Reasoning
import TestSupport
import Testing
import Tokenizers

private func tokenizer(
  _ family: String, _ source: String?, plainText: Bool = false, bos: String? = nil,
  eos: String? = nil
) throws -> ExampleTokenizer {
  let template = try source.map {
    try ChatTemplate(source: $0, file: "chat.jinja", bosToken: bos, eosToken: eos)
  }
  return try ExampleTokenizer(
    Tokenizer(path: fixture("tokenizers/families/\(family)").path),
    chat: ChatSetting(template, rendersPlainText: plainText))
}

private func chain(
  _ messages: [(String, String)], trainsEarlierTurns: Bool = false
) -> ChainOfThought {
  let all = messages.map { Conversation.Message(role: $0.0, content: $0.1) }
  return ChainOfThought(
    questionID: "q", task: "t", prompt: "written out", text: " as text", origin: .recorded,
    conversation: Conversation(
      messages: all.dropLast(), response: all.last?.content,
      trainsEarlierTurns: trainsEarlierTurns))
}

private let chatML = """
  {%- for m in messages %}{{ '<|im_start|>' + m.role + '\\n' + m.content + '<|im_end|>\\n' }}{% endfor %}
  {%- if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}
  """

@Suite struct ChatDataTests {
  @Test("Ids, prompts and assistant masks are those of Transformers' apply_chat_template")
  func goldens() throws {
    let root = try JSONNode(path: fixture("chat-templates/tokens.json").path)
    for entry in try root.elements("entries") {
      let family = try entry.string("family")
      let tokenizer = try tokenizer(
        family, entry.string("template"), bos: entry.optionalString("bos"),
        eos: entry.optionalString("eos"))
      let messages = try entry.elements("messages").map {
        (try $0.string("role"), try $0.string("content"))
      }
      let found = try tokenizer.tokenize(
        [chain(messages, trainsEarlierTurns: true)], file: "chats")[0]
      let (ids, mask) = (try entry.integers("ids"), try entry.integers("mask"))
      let isDialogue = messages.count { $0.0 == "assistant" } > 1
      // The mask's last one is the token that ends the turn; what follows is never generated.
      let end = (mask.lastIndex(of: 1) ?? 0) + 1
      #expect(found.prompt + found.response == Array(ids[..<end]), "\(family)")
      var turns = [Int](repeating: 0, count: found.response.count)
      for index in found.turns.joined() { turns[index] = 1 }
      #expect(found.prompt.map { _ in 0 } + turns == Array(mask[..<end]), "\(family)")
      #expect(found.turns.count == (isDialogue ? 2 : 1))
      let last = try tokenizer.tokenize([chain(messages)], file: "chats")[0]
      #expect(try last.prompt == entry.integers("prompt"), "\(family)")
      #expect(last.prompt + last.response == Array(ids[..<end]), "\(family)")
      #expect(tokenizer.stopTokens.contains(last.response[last.response.count - 1]))
      let prompt = Prompt(
        id: "p", task: "t", text: "", goldAnswer: nil,
        conversation: Conversation(messages: chain(messages).conversation?.messages ?? []))
      let text = try #require(try tokenizer.rendered(prompt, file: "prompts", place: "prompt 1"))
      #expect(tokenizer.tokenizer.encode(text) == last.prompt)
    }
  }

  @Test(
    "Supervised fine-tuning weighs the tokens that the assistant writes, each alike, and no others")
  func weights() throws {
    let tokenizer = try tokenizer("qwen2", chatML)
    let messages = [("user", "Five?"), ("assistant", "Six."), ("user", "So?"), ("assistant", "no")]
    let found = try tokenizer.tokenize(
      [chain(messages, trainsEarlierTurns: true)], file: "chats")
    let weights = Objective.chainsOfThought(found).examples[0].tree.segments[1].weights
    let written = found[0].turns.joined().map { $0 }
    #expect(Set(weights.indices.filter { weights[$0] != 0 }) == Set(written))
    #expect(written.allSatisfy { weights[$0] == 1 / Float(written.count) })
    let texts = found[0].turns.map { tokenizer.tokenizer.decode(Array(found[0].response[$0])) }
    #expect(texts == ["Six.<|im_end|>", "no<|im_end|>"])
    #expect(found[0].source?.text == "no")
  }

  @Test(
    "Without a template a conversation is the text that it was written out as; so is a plain text")
  func plain() throws {
    let messages = [("user", "Five?"), ("assistant", "Six.")]
    let none = try tokenizer("qwen2", nil)
    let plain = none.tokenizer.encode("written out")
    #expect(try none.tokenize([chain(messages)], file: "f")[0].prompt == plain)
    var text = chain(messages)
    text.conversation = nil
    let chat = try tokenizer("qwen2", chatML)
    #expect(try chat.tokenize([text], file: "f")[0].prompt == plain)
    #expect(
      try chat.tokenize([text], file: "f")[0].response == chat.tokenizer.encode(" as text") + [
        chat.endOfSequence
      ])
    #expect(try chat.encodeQuestion("written out") == plain)
  }

  @Test("A plain prompt becomes one message of the user where plain texts are rendered")
  func renderedPlainText() throws {
    let tokenizer = try tokenizer("qwen2", chatML, plainText: true)
    var text = chain([("user", ""), ("assistant", "")])
    text.conversation = nil
    text.mistake = Mistake(kind: .logical, step: 0, range: 4..<8)
    let found = try tokenizer.tokenize([text], file: "f")[0]
    let prompt = "<|im_start|>user\nwritten out<|im_end|>\n<|im_start|>assistant\n"
    #expect(found.prompt == tokenizer.tokenizer.encode(prompt))
    #expect(found.source?.prompt == prompt)
    #expect(found.source?.text == "as text")
    // "text" begins one byte earlier than in " as text".
    #expect(found.source?.mistake?.range == 3..<7)
    #expect(try tokenizer.encodeQuestion("written out") == found.prompt)
  }

  @Test(
    "Prompt and response are encoded apart, as generation meets them, also where one text merges there"
  )
  func boundary() throws {
    let tokenizer = try tokenizer("qwen2", chatML)
    let found = try tokenizer.tokenize(
      [chain([("user", "Five?"), ("assistant", "\n\nSix.")])], file: "f")[0]
    let prompt = "<|im_start|>user\nFive?<|im_end|>\n<|im_start|>assistant\n"
    #expect(found.prompt == tokenizer.tokenizer.encode(prompt))
    #expect(found.response.dropLast() == tokenizer.tokenizer.encode("\n\nSix.")[...])
    #expect(
      tokenizer.tokenizer.decode(found.prompt + found.response) == prompt + "\n\nSix.<|im_end|>")
  }

  @Test("Encoded apart, prompt and response have other ids where a token would cross the boundary")
  func mergedBoundary() throws {
    let tokenizer = try tokenizer(
      "qwen2",
      """
      {% for m in messages %}{{ m.role + ':' + m.content + '<|im_end|>' }}{% endfor %}
      {%- if add_generation_prompt %}{{ 'assistant:' }}{% endif %}
      """)
    let found = try tokenizer.tokenize(
      [chain([("user", "Five?"), ("assistant", "\nSix.")])], file: "f")[0]
    let (prompt, response) = ("user:Five?<|im_end|>assistant:", "\nSix.<|im_end|>")
    let joined = tokenizer.tokenizer.encode(prompt + response)
    #expect(found.prompt == tokenizer.tokenizer.encode(prompt))
    #expect(found.response == tokenizer.tokenizer.encode(response))
    // ":\n" is one token of the vocabulary.
    #expect(joined.count == found.prompt.count + found.response.count - 1)
    #expect(joined.starts(with: found.prompt.dropLast()))
    #expect(tokenizer.tokenizer.decode(found.prompt + found.response) == prompt + response)
    #expect(tokenizer.tokenizer.decode(joined) == prompt + response)
  }

  @Test("Both responses of a pair follow the rendered prompt, and keep their texts")
  func pairs() throws {
    let tokenizer = try tokenizer("qwen2", chatML)
    let pair = DualChainOfThought(
      chosen: chain([("user", "Five?"), ("assistant", "Six.")]),
      rejected: chain([("user", "Five?"), ("assistant", "no")]), goldAnswer: nil)
    let found = try tokenizer.tokenize([pair], file: "f")[0]
    #expect(tokenizer.tokenizer.decode(found.chosen) == "Six.<|im_end|>")
    #expect(tokenizer.tokenizer.decode(found.rejected) == "no<|im_end|>")
    #expect(found.source?.chosen.text == "Six." && found.source?.rejected.text == "no")
    // The end of the turn is a unit of its own, and no part of the text.
    #expect(tokenizer.unitStarts(.sentence, of: found.chosen).last == found.chosen.count - 1)
    #expect(tokenizer.textEnds(of: found.chosen, in: "Six.").last == 4)
  }

  @Test(
    "A template that the data does not fit is an error with the file, the example and the reason",
    arguments: [
      // Thoughts of earlier turns are left out of the whole conversation.
      (
        """
        {% for m in messages %}{{ '<|im_start|>' + m.role + '\\n' }}
        {{ m.content if loop.last or m.role == 'user' else 'left out' }}{{ '<|im_end|>' }}{% endfor %}
        {% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}
        """, "the template changes earlier turns"
      ),
      // The generation prompt begins a thought that the answer has not.
      (
        """
        {% for m in messages %}{{ '<|im_start|>' + m.role + '\\n' + m.content + '<|im_end|>' }}{% endfor %}
        {% if add_generation_prompt %}{{ '<|im_start|>assistant\\n<think>' }}{% endif %}
        """, "in place of \"<think>"
      ),
      ("{% for m in messages %}{{ m.content + '<|im_start|>' }}{% endfor %}", "\"<|im_start|>\""),
      ("{{ raise_exception('no thanks') }}", "chat.jinja: line 1: expected messages that"),
    ])
  func refused(source: String, found: String) throws {
    let tokenizer = try tokenizer("qwen2", source)
    let messages = [("user", "Five?"), ("assistant", "Six."), ("user", "So?"), ("assistant", "no")]
    let error = #expect(throws: FileError.self) {
      try tokenizer.tokenize([chain(messages, trainsEarlierTurns: true)], file: "chats.jsonl")
    }
    #expect(error?.file == "chats.jsonl")
    #expect(error?.location == "chain 1 (q)")
    #expect(error?.found.contains(found) == true, "\(String(describing: error))")
  }

  @Test("A message that a template does not end is ended by the end of sequence")
  func withoutEnd() throws {
    let tokenizer = try tokenizer(
      "qwen2", "{% for m in messages %}{{ m.role + ': ' + m.content + '\\n' }}{% endfor %}")
    let found = try tokenizer.tokenize(
      [chain([("user", "Five?"), ("assistant", "Six.")])], file: "f")[0]
    #expect(
      found.response == tokenizer.tokenizer.encode("assistant: Six.\n") + [tokenizer.endOfSequence])
  }

  @Test("A model's template that cannot be parsed is an error only where a conversation needs it")
  func unreadable() throws {
    let folder = try TemporaryFolder()
    try folder.write("{% include 'x' %}", to: "chat_template.jinja")
    let setting = try ChatSetting(.conversations(), model: folder.path)
    let tokenizer = try ExampleTokenizer(
      Tokenizer(path: fixture("tokenizers/families/qwen2").path), chat: setting)
    var plain = chain([("user", "Five?"), ("assistant", "Six.")])
    let conversation = plain
    plain.conversation = nil
    #expect(try tokenizer.tokenize([plain], file: "f").count == 1)
    let error = #expect(throws: FileError.self) {
      try tokenizer.tokenize([conversation], file: "f")
    }
    #expect(error?.file.hasSuffix("chat_template.jinja") == true)
    #expect(throws: FileError.self) { try ChatSetting(.everything(file: nil), model: folder.path) }
    #expect(try ChatSetting(.none, model: folder.path).record == nil)
  }

  @Test("A template that is asked for and that the model does not have is an error")
  func missing() throws {
    let folder = try TemporaryFolder()
    #expect(throws: FileError.self) { try ChatSetting(.everything(file: nil), model: folder.path) }
    #expect(try ChatSetting(.conversations(), model: folder.path).record == nil)
  }

  @Test("Records name the template, plain texts that it renders, and the date if the text has one")
  func record() throws {
    func record(_ source: String, plainText: Bool = false) throws -> String? {
      var template = try ChatTemplate(source: source, file: "t", bosToken: nil, eosToken: nil)
      template.date = TemplateDate(year: 2025, month: 3, day: 14)
      return ChatSetting(template, rendersPlainText: plainText).record
    }
    let hash = SHA256.hex(of: Array("a".utf8))
    #expect(try record("a") == hash)
    #expect(try record("a", plainText: true) == hash + ", plain texts too")
    #expect(try record("{{ strftime_now('%d') }}")?.hasSuffix(", 2025-03-14") == true)
  }
}
