import ChatTemplates
import Distillation
import Files
import LanguageModel
import Tokenizers

/// A student as a server shows it.
public struct ServedModel: Sendable {
  /// Its id in `/v1/models`.
  public let name: String
  /// Where it was read from, which requests may name as well.
  let origin: String
  let decoder: FrozenDecoder
  let tokenizer: Tokenizer
  /// Whether prompts that are texts get the tokenizer's start tokens, if a request does not say.
  let includesSpecialTokens: Bool
  /// Every token that ends a response.
  let ends: Set<Int>

  /// What makes prompts of messages; nil where there is no chat.
  let chatTemplate: ChatTemplate?

  /// - Parameters:
  ///   - name: The id; if nil, the last part of the student's path without `.gguf` and `.safetensors`.
  ///   - chatTemplate: What makes prompts of messages; without one, there is no chat.
  public init(
    _ student: sending Student, name: String? = nil, chatTemplate: ChatTemplate? = nil
  ) {
    self.chatTemplate = chatTemplate
    origin = student.origin
    self.name = name ?? Self.name(of: student.origin)
    tokenizer = student.tokenizer
    includesSpecialTokens = student.includesSpecialTokens
    ends = student.stopTokens
    decoder = FrozenDecoder(student.decoder)
  }

  private static func name(of path: String) -> String {
    let last = path.split(separator: "/").last.map(String.init) ?? path
    for ending in [".gguf", ".safetensors"] where last.hasSuffix(ending) {
      return String(last.dropLast(ending.count))
    }
    return last
  }

  /// The most tokens of a sequence.
  var context: Int { decoder.configuration.maximumPositions }

  /// Throws where a request names another model.
  func check(_ fields: RequestFields) throws(APIError) {
    let asked = try fields.read { node throws(FileError) in try node.optionalString("model") }
    guard let asked, asked != name, asked != origin else { return }
    throw APIError(
      "The model \"\(asked)\" does not exist. This server has \"\(name)\".", param: "model",
      code: "model_not_found", status: .notFound)
  }
}

/// A prompt as token ids.
struct PromptTokens: Sendable {
  var ids: [Int]
  /// How many of the first ones the server has put before the prompt's text.
  var added = 0
}

extension ServedModel {
  /// A prompt's text as token ids.
  func encode(_ text: String, addingSpecialTokens: Bool?) -> PromptTokens {
    let ids = tokenizer.encode(text)
    let all = tokenizer.encodePrompt(
      text, includesSpecialTokens: addingSpecialTokens ?? includesSpecialTokens)
    return PromptTokens(ids: all, added: all.count - ids.count)
  }

  /// Throws where the prompt at `place` in the request cannot be given to the model with `maximum` new tokens.
  func check(_ prompt: PromptTokens, place: String, maximum: Int) throws(APIError) {
    guard !prompt.ids.isEmpty else {
      throw APIError("\(place): expected at least one token, found none", param: place.field)
    }
    let vocabulary = decoder.configuration.vocabularySize
    if let id = prompt.ids.first(where: { !(0..<vocabulary).contains($0) }) {
      throw APIError(
        "\(place): expected token ids from 0 to \(vocabulary - 1), found \(id)", param: place.field)
    }
    guard prompt.ids.count <= context, maximum <= context - prompt.ids.count else {
      throw APIError(
        "\(place): the model's context is \(context) tokens, but the prompt has "
          + "\(prompt.ids.count) and the response may have \(maximum).",
        param: place.field, code: "context_length_exceeded")
    }
  }
}

extension String {
  /// `prompt` of `prompt[3]`.
  fileprivate var field: String { String(prefix { $0 != "[" }) }
}
