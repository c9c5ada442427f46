import Files
import LanguageModel

/// What a request asks to be computed, whichever endpoint it came to.
package struct ResponseRequest: Sendable {
  /// Where it came, which is how the reply looks.
  enum Form: Sendable { case completion, chat }

  var form: Form
  var prompts: [PromptTokens]
  /// The most new tokens for each prompt.
  var maximumTokens: [Int]
  var settings: ResponseSettings
  /// Whether a reply begins with its prompt.
  var echoes: Bool
  /// How many of the likeliest tokens are reported with each token; nil: no log-probabilities.
  var likeliest: Int?
}

extension ResponseRequest {
  private static let completionFields: Set<String> = [
    "prompt", "max_tokens", "echo", "logprobs", "add_special_tokens",
  ]

  /// OpenAI's.
  private static let usualMaximum = 16
  private static let mostPrompts = 2048

  /// A request to `/v1/completions`.
  package init(completion body: some Collection<UInt8>, _ model: ServedModel) throws(APIError) {
    let fields = try RequestFields(
      body, known: ResponseSettings.fields.union(Self.completionFields))
    try model.check(fields)
    form = .completion
    settings = try ResponseSettings(fields, ends: model.ends)
    echoes = try fields.bool("echo")
    likeliest = try fields.integer("logprobs", in: 0...100)
    let addsSpecialTokens = try fields.read { node throws(FileError) in
      try node.optionalBool("add_special_tokens")
    }
    let named = try fields.read { node throws(FileError) in
      try Self.prompts(node) { model.encode($0, addingSpecialTokens: addsSpecialTokens) }
    }
    guard named.count * settings.count <= Self.mostPrompts else {
      throw APIError(
        "prompt: expected at most \(Self.mostPrompts) responses, found \(named.count) prompts of "
          + "\(settings.count) each",
        param: "prompt")
    }
    let maximum = try fields.integer("max_tokens", in: 0...Int.max)
    prompts = named.map(\.tokens)
    maximumTokens = prompts.map {
      maximum ?? min(Self.usualMaximum, max(0, model.context - $0.ids.count))
    }
    for ((place, prompt), maximum) in zip(named, maximumTokens) {
      try model.check(prompt, place: place, maximum: maximum)
    }
  }

  /// The prompts with the place of each: a string, strings, token ids, or lists of token ids.
  private static func prompts(_ node: JSONNode, _ encode: (String) -> PromptTokens)
    throws(FileError) -> [(place: String, tokens: PromptTokens)]
  {
    let expected = "a string, an array of strings, an array of token ids, or an array of those"
    guard let prompt = node["prompt"] else { throw node.error("prompt", expected: expected) }
    if case .string(let text) = prompt.value { return [("prompt", encode(text))] }
    guard prompt.isArray else { throw prompt.error(expected: expected) }
    let elements = try prompt.elements()
    guard let first = elements.first else { throw prompt.error(expected: expected) }
    func place(_ index: Int) -> String { elements.count == 1 ? "prompt" : "prompt[\(index)]" }
    var prompts: [(String, PromptTokens)] = []
    switch first.value {
    case .string:
      for (index, element) in elements.enumerated() {
        prompts.append((place(index), encode(try element.string())))
      }
    case .array:
      for (index, element) in elements.enumerated() {
        var ids: [Int] = []
        for id in try element.elements() { ids.append(try id.integer()) }
        prompts.append((place(index), PromptTokens(ids: ids)))
      }
    default:
      prompts.append(("prompt", PromptTokens(ids: try node.integers("prompt"))))
    }
    return prompts
  }
}
