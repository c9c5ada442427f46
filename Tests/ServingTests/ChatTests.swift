import ChatTemplates
import Distillation
import Files
import LanguageModel
import Serving
import TestSupport
import Testing

@Suite("The chat completions endpoint", .timeLimit(.minutes(2)))
struct ChatTests {
  /// Each message between its role's number and 96; the start token is written by the template.
  private static func template() throws -> ChatTemplate {
    try ChatTemplate(
      source: """
        {{ bos_token }}{% for m in messages %}{% if m.role == 'tool' %}{{ raise_exception('no tools') }}{% endif %} \
        {{ 11 if m.role == 'user' else 12 }} {{ m.content }} 96{% endfor %}{% if add_generation_prompt %} 12\
        {% if shout %} 13{% endif %}{% endif %}
        """, file: "template", bosToken: "<s>", eosToken: "</s>")
  }

  private static let messages =
    #"[{"role": "system", "content": "20"}, {"role": "user", "content": "#
    + #"[{"type": "text", "text": "30 "}, {"type": "text", "text": "31"}]}]"#
  private static let path = "/v1/chat/completions"
  private static let prompt = [1, 12, 20, 96, 11, 30, 31, 96, 12]

  @Test("Messages are rendered by the template, and its special tokens become their ids once")
  func messages() async throws {
    let student = try TinyStudent.numbered()
    let expected = [Self.prompt, Self.prompt + [13]].map { prompt in
      Generator(workers: 1, batch: 1).generate(
        [prompt], on: student.decoder,
        SamplingSettings(maximumNewTokens: 7, stop: student.stopTokens))[0]
    }
    try await RunningServer.with(TinyStudent.numbered(), template: Self.template()) { server in
      for (fields, expected) in zip(
        ["", #","chat_template_kwargs": {"shout": true}"#], expected)
      {
        let body =
          #"{"messages": \#(Self.messages), "temperature": 0, "max_completion_tokens": 7, "#
          + #""logprobs": true, "top_logprobs": 2\#(fields)"#
        let json = try await server.post(body + "}", to: Self.path).json()
        #expect(try json.string("object") == "chat.completion")
        let choice = try json.elements("choices")[0]
        let message = try #require(try choice.object("message"))
        #expect(try message.string("role") == "assistant")
        let text = student.tokenizer.decode(expected.tokens, skippingSpecialTokens: true)
        #expect(try message.string("content") == text)
        #expect(
          try choice.string("finish_reason") == (expected.reason == .stop ? "stop" : "length"))
        #expect(
          try json.object("usage")?.integer("prompt_tokens")
            == Self.prompt.count + (fields.isEmpty ? 0 : 1))
        let content = try #require(try choice.object("logprobs")).elements("content")
        #expect(content.count == expected.tokens.count)
        for token in content {
          let top = try token.elements("top_logprobs")
          // Greedy: each is the likeliest.
          #expect(top.count == 2)
          #expect(try top[0].number("logprob") == token.number("logprob"))
          #expect(try top[0].string("token") == token.string("token"))
          #expect(
            try String(decoding: token.integers("bytes").map(UInt8.init), as: UTF8.self)
              == token.string("token"))
        }
        let stream = try await server.post(body + #", "stream": true}"#, to: Self.path)
        var (roles, streamed, reasons) = ([String](), "", [String]())
        for event in stream.text.components(separatedBy: "\n\n").dropLast(2) {
          let chunk = JSONNode(try JSONValue(event.dropFirst(6).utf8, file: "event"), file: "event")
          #expect(try chunk.string("object") == "chat.completion.chunk")
          let choice = try chunk.elements("choices")[0]
          let delta = try #require(try choice.object("delta"))
          if let role = try delta.optionalString("role") { roles.append(role) }
          streamed += try delta.optionalString("content") ?? ""
          if let reason = try choice.optionalString("finish_reason") { reasons.append(reason) }
        }
        #expect(roles == ["assistant"] && streamed == text)
        #expect(try reasons == [choice.string("finish_reason")])
      }
    }
  }

  @Test("Without a limit, a response may fill the context")
  func limit() async throws {
    try await RunningServer.with(TinyStudent.numbered(), template: Self.template()) { server in
      let json = try await server.post(
        #"{"messages": \#(Self.messages), "temperature": 5, "n": 8}"#, to: Self.path
      ).json()
      let usage = try #require(try json.object("usage"))
      #expect(try usage.integer("prompt_tokens") == Self.prompt.count)
      let reasons = try json.elements("choices").map { try $0.string("finish_reason") }
      #expect(reasons.count == 8)
      #expect(
        try usage.integer("completion_tokens") <= 8 * (64 - Self.prompt.count)
          && (reasons.contains("stop")
            || usage.integer("completion_tokens") == 8 * (64 - Self.prompt.count))
      )
    }
  }

  @Test(
    "Messages that cannot be rendered or do not fit are refused",
    arguments: [
      ("[]", "at least one message"), (#""hi""#, "an array"), (#"[{"content": "5"}]"#, "role"),
      (#"[{"role": "user", "content": 5}]"#, "a string"),
      (#"[{"role": "user", "content": [{"type": "image_url"}]}]"#, "only texts"),
      (#"[{"role": "tool", "content": "5"}]"#, "no tools"),
      (#"[{"role": "user", "content": "5", "tool_calls": [1]}]"#, "no such member"),
      (
        #"[{"role": "user", "content": "\#(String(repeating: "5 ", count: 60))"}]"#,
        "context is 64 tokens"
      ),
    ])
  func refusals(messages: String, message: String) async throws {
    try await RunningServer.with(TinyStudent.numbered(), template: Self.template()) { server in
      let reply = try await server.post(
        #"{"messages": \#(messages), "max_tokens": 1}"#, to: Self.path)
      #expect(reply.status == 400)
      let error = try #require(try reply.json().object("error"))
      #expect(try error.string("message").contains(message), "\(reply.text)")
      #expect(try error.string("param") == "messages")
    }
  }

  @Test("A model without a template has no chat")
  func withoutTemplate() async throws {
    try await RunningServer.with(TinyStudent.numbered()) { server in
      let reply = try await server.post(
        #"{"messages": \#(Self.messages)}"#, to: Self.path)
      #expect(reply.status == 400)
      #expect(try reply.json().object("error")?.string("code") == "no_chat_template")
    }
  }
}
