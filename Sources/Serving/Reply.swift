import Files
import Foundation
import LanguageModel
import Tokenizers

/// The JSON of the replies to one request.
struct Reply {
  private let request: ResponseRequest
  private let model: ServedModel
  private let id: String
  private let created: Int
  private var choices: [Choice]

  private struct Choice {
    var text = ""
    var tokens: [ReplyToken] = []
    var newTokens = 0
    var finish: FinishReason?
    /// Unicode scalars of prompt and response before the next token.
    var offset = 0
    /// Whether its role was sent.
    var hasBegun = false
  }

  init(_ request: ResponseRequest, _ model: ServedModel) {
    (self.request, self.model) = (request, model)
    let random = (0..<12).map { _ in UInt8.random(in: 0...255) }
    id =
      (request.form == .chat ? "chatcmpl-" : "cmpl-")
      + random.map { String(format: "%02x", $0) }.joined()
    created = Int(Date().timeIntervalSince1970)
    choices = request.choices.map { prompt in
      var choice = Choice()
      // Offsets count from the start of the prompt, whether or not it is echoed.
      if !request.echoes, request.likeliest != nil, request.form == .completion {
        choice.offset = ShownPrompt(request.prompts[prompt], model).text.unicodeScalars.count
      }
      return choice
    }
  }

  // MARK: Whole

  mutating func add(_ part: ReplyPart) {
    switch part {
    case .prompt(let choice, let text, let tokens):
      choices[choice].text += text
      choices[choice].tokens += tokens
    case .token(let choice, let text, let token):
      choices[choice].text += text
      choices[choice].tokens.append(token)
      choices[choice].newTokens += 1
    case .ended(let choice, let reason, let text):
      choices[choice].text += text
      choices[choice].finish = reason
    }
  }

  mutating func whole() -> JSONValue {
    var values: [JSONValue] = []
    for index in choices.indices {
      let choice = choices[index]
      let content: (String, JSONValue) =
        switch request.form {
        case .completion: ("text", .string(choice.text))
        case .chat:
          (
            "message",
            .members([
              ("role", .string("assistant")), ("content", .string(choice.text)),
              ("refusal", .null),
            ])
          )
        }
      values.append(
        .members([
          ("index", .integer(index)), content,
          ("logprobs", logProbabilities(choice.tokens, of: index)),
          ("finish_reason", finish(choice.finish)),
        ]))
    }
    return envelope(
      request.form == .chat ? "chat.completion" : "text_completion", values, usage: usage)
  }

  // MARK: In parts

  /// The chunks of a stream that `part` gives.
  mutating func chunks(_ part: ReplyPart) -> [JSONValue] {
    switch part {
    case .prompt(let choice, let text, let tokens):
      return [chunk(choice, text, tokens)]
    case .token(let choice, let text, let token):
      choices[choice].newTokens += 1
      // Nothing can be seen of a token whose character is incomplete.
      return text.isEmpty && request.likeliest == nil ? [] : [chunk(choice, text, [token])]
    case .ended(let choice, let reason, let text):
      return [chunk(choice, text, [], finish: reason)]
    }
  }

  /// The last chunk, with the numbers of tokens, where it is asked for.
  func usageChunk() -> JSONValue? {
    request.settings.streamsUsage ? envelope(chunkObject, [], usage: usage) : nil
  }

  private var chunkObject: String {
    request.form == .chat ? "chat.completion.chunk" : "text_completion"
  }

  private mutating func chunk(
    _ index: Int, _ text: String, _ tokens: [ReplyToken], finish reason: FinishReason? = nil
  ) -> JSONValue {
    var members: [(String, JSONValue)] = [("index", .integer(index))]
    switch request.form {
    case .completion: members.append(("text", .string(text)))
    case .chat:
      var delta: [(String, JSONValue)] = []
      if !choices[index].hasBegun { delta.append(("role", .string("assistant"))) }
      if !choices[index].hasBegun || !text.isEmpty { delta.append(("content", .string(text))) }
      members.append(("delta", .members(delta)))
    }
    choices[index].hasBegun = true
    members.append(
      ("logprobs", tokens.isEmpty ? .null : logProbabilities(tokens, of: index)))
    members.append(("finish_reason", finish(reason)))
    return envelope(chunkObject, [.members(members)], usage: nil)
  }

  // MARK: Members

  private func envelope(_ object: String, _ choices: [JSONValue], usage: JSONValue?) -> JSONValue {
    var members: [(String, JSONValue)] = [
      ("id", .string(id)), ("object", .string(object)), ("created", .integer(created)),
      ("model", .string(model.name)), ("choices", .array(choices)),
    ]
    if let usage { members.append(("usage", usage)) }
    return .members(members)
  }

  /// Prompts are counted once, however many responses each has; so are the tokens that end responses.
  private var usage: JSONValue {
    let prompt = request.prompts.reduce(0) { $0 + $1.ids.count }
    let new = choices.reduce(0) { $0 + $1.newTokens }
    return .members([
      ("prompt_tokens", .integer(prompt)), ("completion_tokens", .integer(new)),
      ("total_tokens", .integer(prompt + new)),
    ])
  }

  private func finish(_ reason: FinishReason?) -> JSONValue {
    reason.map { .string($0.rawValue) } ?? .null
  }

  private mutating func logProbabilities(_ tokens: [ReplyToken], of choice: Int) -> JSONValue {
    guard request.likeliest != nil else { return .null }
    switch request.form {
    case .chat:
      return .members([
        ("content", .array(tokens.map(chatEntry))), ("refusal", .null),
      ])
    case .completion:
      var offsets: [JSONValue] = []
      for token in tokens {
        offsets.append(.integer(choices[choice].offset))
        choices[choice].offset += token.bytes.count { $0 & 0xC0 != 0x80 }
      }
      return .members([
        ("tokens", .array(tokens.map { .string(name($0.id)) })),
        (
          "token_logprobs",
          .array(tokens.map { $0.prediction.map { .float($0.logProbability) } ?? .null })
        ),
        ("top_logprobs", .array(tokens.map { $0.prediction.map(top) ?? .null })),
        ("text_offset", .array(offsets)),
      ])
    }
  }

  /// The likeliest tokens with the one that stands there. Of tokens that read alike the likeliest is there.
  private func top(_ prediction: TokenPrediction) -> JSONValue {
    var members: [(String, JSONValue)] = []
    var names: Set<[UInt8]> = []
    let own = TokenPrediction.Candidate(
      token: prediction.token, logProbability: prediction.logProbability)
    for candidate in prediction.likeliest + [own] {
      let name = name(candidate.token)
      if names.insert(Array(name.utf8)).inserted {
        members.append((name, .float(candidate.logProbability)))
      }
    }
    return .members(members)
  }

  private func chatEntry(_ token: ReplyToken) -> JSONValue {
    guard let prediction = token.prediction else { return .null }
    func entry(_ id: Int, _ logProbability: Float) -> [(String, JSONValue)] {
      [
        ("token", .string(name(id))), ("logprob", .float(logProbability)),
        ("bytes", .array(bytes(id).map { .integer(Int($0)) })),
      ]
    }
    let likeliest = prediction.likeliest.map {
      JSONValue.members(entry($0.token, $0.logProbability))
    }
    return .members(
      entry(token.id, prediction.logProbability) + [("top_logprobs", .array(likeliest))])
  }

  /// The bytes of a token within a text.
  private func bytes(_ id: Int) -> [UInt8] { model.tokenizer.bytes(of: [id, id])[1] }

  /// A token's text within a text, or `bytes:\xe2\x80` where that is no UTF-8, as OpenAI writes it.
  private func name(_ id: Int) -> String {
    let bytes = bytes(id)
    return String(validating: bytes, as: UTF8.self)
      ?? "bytes:" + bytes.map { String(format: "\\x%02x", $0) }.joined()
  }
}
