import AsyncHTTPClient
import Distillation
import Files
import Foundation
import LanguageModel
import Serving
import TestSupport
import Testing

@Suite("The completions endpoint", .timeLimit(.minutes(2)))
struct CompletionTests {
  private static let prompts = ["10 20 30", "40", "50 60 70 80", "11 12", "96 3 3"]

  /// What the engine itself makes of the prompts.
  private static func expected(
    _ prompts: [[Int]], temperature: Float = 0, maximum: Int, seed: UInt64 = 0
  ) throws -> [GeneratedSequence] {
    let student = try TinyStudent.numbered()
    return Generator(workers: 1, batch: 1).generate(
      prompts, on: student.decoder,
      SamplingSettings(
        temperature: temperature, maximumNewTokens: maximum, stop: student.stopTokens), seed: seed)
  }

  private static func text(_ tokens: [Int]) throws -> String {
    let student = try TinyStudent.numbered()
    return student.tokenizer.decode(
      tokens.filter { !student.stopTokens.contains($0) }, skippingSpecialTokens: true)
  }

  /// A token as replies write it: within a text.
  private static func name(_ id: Int) -> String {
    " " + ([0: "<unk>", 1: "<s>", 2: "</s>"][id] ?? "\(id)")
  }

  @Test(
    "Texts, strings and token ids get the continuations of the generator, sampled ones too",
    arguments: [Float(0), 0.9])
  func continuations(temperature: Float) async throws {
    let ids = Self.prompts.map { $0.split(separator: " ").compactMap { Int($0) } }
    let expected = try Self.expected(ids, temperature: temperature, maximum: 9, seed: 7)
    let strings = "[" + Self.prompts.map { "\"\($0)\"" }.joined(separator: ",") + "]"
    try await RunningServer.with(TinyStudent.numbered()) { server in
      for prompt in [strings, "\(ids)"] {
        let reply = try await server.post(
          #"{"model": "tiny", "prompt": \#(prompt), "max_tokens": 9, "seed": 7, "#
            + #""temperature": \#(temperature), "user": "me"}"#)
        #expect(reply.status == 200 && reply.contentType == "application/json", "\(reply.text)")
        let json = try reply.json()
        #expect(try json.string("object") == "text_completion")
        let choices = try json.elements("choices")
        try #require(choices.count == expected.count)
        for (index, (choice, sequence)) in zip(choices, expected).enumerated() {
          #expect(try choice.integer("index") == index)
          #expect(try choice.string("text") == Self.text(sequence.tokens))
          #expect(
            try choice.string("finish_reason") == (sequence.reason == .stop ? "stop" : "length"))
          #expect(choice.hasMember("logprobs") && choice["logprobs"] == nil)
        }
        let usage = try #require(try json.object("usage"))
        let (prompt, new) = (ids.joined().count, expected.map(\.tokens).joined().count)
        #expect(try usage.integer("prompt_tokens") == prompt)
        #expect(try usage.integer("completion_tokens") == new)
        #expect(try usage.integer("total_tokens") == prompt + new)
      }
      // A single list of ids, and a single text.
      for prompt in ["\(ids[0])", "\"\(Self.prompts[0])\""] {
        let json = try await server.post(
          #"{"prompt": \#(prompt), "max_tokens": 9, "seed": 7, "temperature": \#(temperature)}"#
        ).json()
        let choices = try json.elements("choices")
        #expect(choices.count == 1)
        #expect(try choices[0].string("text") == Self.text(expected[0].tokens))
      }
    }
  }

  @Test("An echo's log-probabilities are those of the engine's losses, with the token that follows")
  func echo() async throws {
    let ids = [[10, 20, 30, 44, 5], [10, 20, 31], [10, 20, 30, 44, 5], [17], [10, 20, 30]]
    let student = try TinyStudent.numbered()
    let losses = Workers(count: 1).losses(
      of: ids.map {
        PrefixTree([Segment(tokens: $0, weights: [0] + $0.dropFirst().map { _ in 1 })])
      }, on: student.decoder)
    let next = try Self.expected(ids, maximum: 1).map { $0.tokens[0] }
    try await RunningServer.with(TinyStudent.numbered()) { server in
      let json = try await server.post(
        #"{"prompt": \#(ids), "max_tokens": 1, "temperature": 0, "logprobs": 1, "echo": true}"#
      ).json()
      let choices = try json.elements("choices")
      try #require(choices.count == ids.count)
      for (index, choice) in choices.enumerated() {
        let text = try choice.string("text")
        #expect(try text == Self.text(ids[index] + [next[index]]))
        let logprobs = try #require(try choice.object("logprobs"))
        let values = try logprobs.elements("token_logprobs")
        let top = try logprobs.elements("top_logprobs")
        let tokens = try logprobs.strings("tokens")
        let offsets = try logprobs.integers("text_offset")
        // lm-evaluation-harness takes the last entry for the new token.
        try #require(
          [values.count, top.count, tokens.count, offsets.count]
            == Array(repeating: ids[index].count + 1, count: 4))
        #expect(values[0].isNull && top[0].isNull)
        for (place, (_, loss, _)) in losses[index].tokens.enumerated() {
          let value = try values[place + 1].number()
          #expect(abs(value + Double(loss.negativeLogLikelihood)) < 1e-5)
          let best = try top[place + 1].members().map { try $0.node.number() }
          // The token's own value is among them, the same number where it is the likeliest.
          #expect(best.contains(value))
          #expect((best.max() == value) == (loss.top == ids[index][place + 1]))
          #expect(best.count == (loss.top == ids[index][place + 1] ? 1 : 2))
        }
        #expect(tokens.last == Self.name(next[index]))
        for (token, offset) in zip(tokens, offsets).dropLast() {
          let rest = text.unicodeScalars.dropFirst(offset)
          #expect(
            rest.starts(with: (offset == 0 ? token.dropFirst() : token[...]).unicodeScalars),
            "\(token) at \(offset) of \(text)")
        }
      }
    }
  }

  @Test(
    "New tokens have the model's log-probabilities whatever the temperature, the likeliest first")
  func newTokens() async throws {
    let student = try TinyStudent.numbered()
    let prompt = [10, 20, 30]
    try await RunningServer.with(TinyStudent.numbered()) { server in
      let json = try await server.post(
        #"{"prompt": \#(prompt), "max_tokens": 5, "temperature": 1.3, "seed": 3, "logprobs": 4}"#
      ).json()
      let expected = try Self.expected([prompt], temperature: 1.3, maximum: 5, seed: 3)[0].tokens
      let logprobs = try #require(try json.elements("choices")[0].object("logprobs"))
      let values = try logprobs.elements("token_logprobs").map { try $0.number() }
      try #require(values.count == expected.count)
      // Offsets count from the start of the prompt.
      #expect(try logprobs.integers("text_offset")[0] == "10 20 30".count)
      for (index, token) in expected.enumerated() {
        let logits = Workers(count: 1).logits(
          of: prompt + expected[..<index], on: student.decoder)
        let last = logits.elements.suffix(97).map(Double.init)
        let logSum = log(last.reduce(0) { $0 + exp($1) })
        #expect(abs(values[index] - (last[token] - logSum)) < 1e-5)
        let best = last.indices.sorted { last[$0] > last[$1] }.prefix(4)
        let members = try logprobs.elements("top_logprobs")[index].members()
        #expect(members.prefix(4).map(\.key) == best.map(Self.name))
        for (member, id) in zip(members, best) {
          #expect(abs(try member.node.number() - (last[id] - logSum)) < 1e-5)
        }
      }
    }
  }

  @Test("Many requests at once get what each gets alone, generated, sampled or scored")
  func together() async throws {
    let bodies = (0..<24).map { number in
      let prompt = (0...(number % 7)).map { 3 + (number * 31 + $0 * 17) % 90 }
      return switch number % 3 {
      case 0: #"{"prompt": \#(prompt), "max_tokens": 12, "temperature": 0}"#
      case 1: #"{"prompt": \#(prompt), "max_tokens": 12, "seed": \#(number), "n": 2, "top_p": 0.9}"#
      default: #"{"prompt": \#(prompt), "max_tokens": 0, "echo": true, "logprobs": 2}"#
      }
    }
    func choices(_ reply: RunningServer.Reply) throws -> [JSONValue] {
      try reply.json().elements("choices").map(\.value)
    }
    try await RunningServer.with(TinyStudent.numbered(), batch: 5) { server in
      let together = try await withThrowingTaskGroup(of: (Int, RunningServer.Reply).self) { group in
        for (number, body) in bodies.enumerated() {
          group.addTask { (number, try await server.post(body)) }
        }
        return try await group.reduce(into: [:]) { $0[$1.0] = $1.1 }
      }
      for (number, body) in bodies.enumerated() {
        let alone = try await choices(server.post(body))
        let other = try choices(#require(together[number]))
        if number % 3 == 2 {
          // The rows of a pass are rounded by its size.
          let (a, b) = (numbers(in: .array(alone)), numbers(in: .array(other)))
          #expect(a.count == b.count && zip(a, b).allSatisfy { abs($0 - $1) < 1e-5 })
        } else {
          #expect(alone == other)
        }
      }
    }
  }

  /// All numbers of a JSON value in their order.
  private func numbers(in value: JSONValue) -> [Double] {
    switch value {
    case .integer(let number): [Double(number)]
    case .number(let number): [number]
    case .array(let values): values.flatMap(numbers)
    case .object(let members): members.map(\.value).flatMap(numbers)
    default: []
    }
  }

  @Test(
    "A stream's chunks are the parts of the whole reply, the numbers of tokens last where asked for"
  )
  func stream() async throws {
    let fields =
      #""prompt": ["10 20 30", "40"], "max_tokens": 8, "seed": 5, "logprobs": 1, "echo": true"#
    try await RunningServer.with(TinyStudent.numbered()) { server in
      let whole = try await server.post("{\(fields)}").json()
      let reply = try await server.post(
        "{\(fields), \"stream\": true, \"stream_options\": {\"include_usage\": true}}")
      #expect(reply.status == 200 && reply.contentType == "text/event-stream")
      let events = reply.text.components(separatedBy: "\n\n")
      #expect(events.suffix(2) == ["data: [DONE]", ""])
      var texts = ["", ""]
      var tokens: [[String]] = [[], []]
      var offsets: [[Int]] = [[], []]
      var reasons: [String?] = [nil, nil]
      var usage: JSONValue?
      for event in events.dropLast(2) {
        try #require(event.hasPrefix("data: "))
        let chunk = JSONNode(
          try JSONValue(event.dropFirst(6).utf8, file: "event"), file: "event")
        if let found = try chunk.object("usage") {
          #expect(try chunk.elements("choices").isEmpty && usage == nil)
          usage = found.value
        }
        for choice in try chunk.elements("choices") {
          let index = try choice.integer("index")
          #expect(reasons[index] == nil)
          texts[index] += try choice.string("text")
          tokens[index] += try choice.object("logprobs")?.strings("tokens") ?? []
          offsets[index] += try choice.object("logprobs")?.integers("text_offset") ?? []
          reasons[index] = try choice.optionalString("finish_reason")
        }
      }
      #expect(usage == whole["usage"]?.value)
      for (index, choice) in try whole.elements("choices").enumerated() {
        #expect(try texts[index] == choice.string("text"))
        #expect(try reasons[index] == choice.string("finish_reason"))
        let logprobs = try #require(try choice.object("logprobs"))
        #expect(try tokens[index] == logprobs.strings("tokens"))
        #expect(try offsets[index] == logprobs.integers("text_offset"))
      }
    }
  }

  @Test("A stop string ends a response before it, and a stop token without being seen")
  func stops() async throws {
    try await RunningServer.with(TinyStudent.numbered()) { server in
      func choice(_ stop: String) async throws -> JSONNode {
        try await server.post(
          #"{"prompt": "10 20 30", "max_tokens": 20, "temperature": 0, "stop": \#(stop)}"#
        ).json().elements("choices")[0]
      }
      let whole = try await choice("null")
      let words = try whole.string("text").split(separator: " ")
      try #require(words.count > 4)
      let stop = " \(words[3])"
      let cut = try await choice(#"["nothing", "\#(stop)"]"#)
      let end = try #require(try whole.string("text").range(of: stop)).lowerBound
      #expect(try cut.string("text") == whole.string("text")[..<end])
      #expect(try cut.string("finish_reason") == "stop")
      let none = try await choice(#""\#(words[0])""#)
      #expect(try none.string("text").isEmpty)
    }
  }

  @Test(
    "A request that cannot be met is refused in OpenAI's form, and names the field",
    arguments: [
      ("{", nil, "byte 1"), ("[]", nil, "an object"), ("{}", "prompt", "a string"),
      (#"{"prompt": []}"#, "prompt", "a string"), (#"{"prompt": ""}"#, "prompt", "one token"),
      (#"{"prompt": [[]]}"#, "prompt", "one token"),
      (#"{"prompt": [5, "x"]}"#, "prompt", "a whole number"),
      (#"{"prompt": ["5", 6]}"#, "prompt", "a string"),
      (#"{"prompt": [97]}"#, "prompt", "token ids from 0 to 96"),
      (#"{"prompt": [[5], [-1]]}"#, "prompt", "prompt[1]"),
      (#"{"prompt": "5", "max_tokens": 64}"#, "prompt", "context is 64 tokens"),
      (#"{"prompt": "5", "max_tokens": 9223372036854775807}"#, "prompt", "64 tokens"),
      (#"{"prompt": "5", "max_tokens": -1}"#, "max_tokens", "at least 0"),
      (#"{"prompt": "5", "max_tokens": "7"}"#, "max_tokens", "a whole number"),
      (#"{"prompt": "5", "temperature": -0.5}"#, "temperature", "from 0"),
      (#"{"prompt": "5", "temperature": 1e300}"#, "temperature", "to 100"),
      (#"{"prompt": "5", "top_p": 0}"#, "top_p", "above 0"),
      (#"{"prompt": "5", "n": 0}"#, "n", "from 1 to 128"),
      (#"{"prompt": "5", "logprobs": true}"#, "logprobs", "a whole number"),
      (#"{"prompt": "5", "logprobs": 101}"#, "logprobs", "to 100"),
      (#"{"prompt": "5", "stop": ["", "x"]}"#, "stop", "1 to 4096"),
      (#"{"prompt": "5", "stop": [5]}"#, "stop", "a string"),
      (#"{"prompt": "5", "suffix": "6"}"#, "suffix", "not supported"),
      (#"{"prompt": "5", "best_of": 4}"#, "best_of", "not supported"),
      (#"{"prompt": "5", "presence_penalty": 0.1}"#, "presence_penalty", "not supported"),
      (#"{"prompt": "5", "logit_bias": {"5": 1}}"#, "logit_bias", "not supported"),
      (#"{"prompt": "5", "max_token": 7}"#, "max_token", "Unknown field"),
      (#"{"prompt": "5", "stream_options": {"usage": true}}"#, "stream_options", "no such field"),
    ] as [(String, String?, String)])
  func refusals(body: String, param: String?, message: String) async throws {
    try await RunningServer.with(TinyStudent.numbered(), workers: 1) { server in
      let reply = try await server.post(body)
      #expect(reply.status == 400)
      let error = try #require(try reply.json().object("error"))
      #expect(try error.string("type") == "invalid_request_error")
      #expect(try error.optionalString("param") == param, "\(reply.text)")
      #expect(try error.string("message").contains(message), "\(reply.text)")
      #expect(error.hasMember("code"))
      // What asks for nothing is no reason.
      let other = try await server.post(
        #"{"prompt": "5", "max_tokens": 1, "suffix": null, "presence_penalty": 0.0, "#
          + #""logit_bias": {}, "best_of": 1, "metadata": {"a": "b"}}"#)
      #expect(other.status == 200, "\(other.text)")
    }
  }

  @Test("A request whose client is gone makes room for others", arguments: [true, false])
  func cancelled(isStreamed: Bool) async throws {
    try await RunningServer.with(TinyStudent.endless(), workers: 1, batch: 1) { server in
      // It would take hours.
      let endless = server.request(
        "/v1/completions", method: "POST",
        body: #"{"prompt": "5", "max_tokens": 1000000, "stream": \#(isStreamed), "temperature": 9}"#
      )
      let asking = Task {
        let response = try await HTTPClient.shared.execute(endless, timeout: .seconds(100))
        for try await _ in response.body where isStreamed { break }
      }
      if isStreamed {
        try await asking.value
      } else {
        // Given up before its reply, most likely while it is decoded.
        try await Task.sleep(for: .milliseconds(50))
        asking.cancel()
        _ = await asking.result
      }
      let reply = try await server.post(#"{"prompt": "6", "max_tokens": 3}"#)
      #expect(reply.status == 200, "\(reply.text)")
    }
  }

  @Test("Other paths, methods and models have errors in the same form; the model is listed")
  func paths() async throws {
    try await RunningServer.with(TinyStudent.numbered(), workers: 1) { server in
      let list = try await server.get("/v1/models").json()
      #expect(try list.string("object") == "list")
      let models = try list.elements("data")
      #expect(try models.map { try $0.string("id") } == ["tiny"])
      #expect(try models[0].integer("max_model_len") == 64)
      #expect(try await server.get("/v1/models/tiny").json().value == models[0].value)
      #expect(try await server.get("/health").status == 200)

      func error(_ reply: RunningServer.Reply) throws -> JSONNode {
        try #require(try reply.json().object("error"))
      }
      let unknown = try await server.get("/v1/embeddings")
      #expect(unknown.status == 404)
      #expect(try error(unknown).string("message").contains("/v1/completions"))
      let method = try await server.get("/v1/completions")
      #expect(method.status == 405 && method.allow == "POST")
      #expect(try error(method).string("message").contains("POST, not GET"))
      let deletion = try await server.get("/v1/models", method: "DELETE")
      #expect(deletion.status == 405 && deletion.allow == "GET")
      let model = try await server.post(#"{"model": "gpt-4o", "prompt": "5"}"#)
      #expect(model.status == 404)
      #expect(try error(model).string("code") == "model_not_found")
      let large = try await server.post(
        #"{"prompt": "\#(String(repeating: "5 ", count: 17 << 20))"}"#)
      #expect(large.status == 413)
      _ = try error(large)
    }
  }
}
