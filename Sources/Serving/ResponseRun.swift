import LanguageModel
import Randomness

/// A token of a reply.
struct ReplyToken: Sendable {
  var id: Int
  /// Its bytes in the reply's text.
  var bytes: [UInt8]
  /// Nil where log-probabilities are not wanted, and for the first token of a prompt.
  var prediction: TokenPrediction?
}

/// A part of a reply. Those of one choice come in the order of its text.
enum ReplyPart: Sendable {
  /// The prompt, where it is echoed.
  case prompt(choice: Int, text: String, tokens: [ReplyToken])
  /// A new token with the text that is complete with it.
  case token(choice: Int, text: String, ReplyToken)
  /// The end, with the text that was held back.
  case ended(choice: Int, FinishReason, text: String)
}

extension ResponseRequest {
  /// The prompt of each choice.
  var choices: [Int] { prompts.indices.flatMap { Array(repeating: $0, count: settings.count) } }

  /// Computes the responses and calls `emit` with the parts of the reply. Throws `CancellationError` where the task is
  /// cancelled, and what `emit` throws.
  func run(
    _ model: ServedModel, _ engine: Engine, _ emit: (ReplyPart) async throws -> Void
  ) async throws {
    let scores = try await promptScores(engine)
    var pending: [(choice: Int, continuation: Engine.Continuation)] = []
    let shown = echoes ? prompts.map { ShownPrompt($0, model) } : []
    for (choice, index) in choices.enumerated() {
      let prompt = prompts[index].ids
      if echoes {
        try await emit(
          .prompt(
            choice: choice, text: shown[index].text,
            tokens: shown[index].tokens(prompt, scores?[index])))
      }
      var text = ResponseText(
        model.tokenizer, stops: settings.stops, ends: model.ends,
        after: echoes ? prompt.last : nil, held: echoes ? shown[index].incomplete : [])
      if maximumTokens[index] == 0 {
        try await emit(.ended(choice: choice, .length, text: text.rest()))
      } else if let next = scores?[index].next, let best = next.likeliest.first {
        let piece = text.append(best.token)
        let prediction = TokenPrediction(
          token: best.token, logProbability: best.logProbability,
          likeliest: Array(next.likeliest.prefix(likeliest ?? 0)))
        try await emit(
          .token(
            choice: choice, text: piece.text,
            ReplyToken(id: best.token, bytes: piece.bytes, prediction: prediction)))
        let isStopped = text.isStopped || settings.sampling.stop.contains(best.token)
        try await emit(.ended(choice: choice, isStopped ? .stop : .length, text: text.rest()))
      } else {
        var sampling = settings.sampling
        sampling.maximumNewTokens = maximumTokens[index]
        pending.append(
          (
            choice,
            Engine.Continuation(
              prompt: prompt, settings: sampling,
              generator: .sampling(seed: settings.seed, stream: String(choice)),
              likeliest: likeliest, text: text)
          ))
      }
    }
    for await event in engine.continuations(pending.map(\.continuation)) {
      switch event {
      case .piece(let index, let piece, let prediction):
        try await emit(
          .token(
            choice: pending[index].choice, text: piece.text,
            ReplyToken(id: piece.token, bytes: piece.bytes, prediction: prediction)))
      case .ended(let index, let reason, let rest):
        try await emit(.ended(choice: pending[index].choice, reason, text: rest))
      }
    }
    try Task.checkCancellation()
  }

  /// The scores of the prompts, where they are asked for. A single new token is read off them too, unless it is sampled.
  private func promptScores(_ engine: Engine) async throws -> [SequenceScores]? {
    guard echoes, let likeliest else { return nil }
    return try await engine.scores(
      of: zip(prompts, maximumTokens).map { prompt, maximum in
        ScoringRequest(
          tokens: prompt.ids, likeliest: likeliest,
          predictsNext: maximum == 1 && settings.sampling.temperature == 0)
      })
  }
}

/// The text of an echoed prompt.
struct ShownPrompt {
  var text: String
  /// The bytes of the last character, if the prompt ends within it.
  var incomplete: [UInt8]
  /// Those of each token in the text.
  private var bytes: [[UInt8]]

  init(_ prompt: PromptTokens, _ model: ServedModel) {
    // What the server has put before the text is no part of it.
    bytes =
      prompt.ids.prefix(prompt.added).map { _ in [] }
      + model.tokenizer.bytes(of: Array(prompt.ids.dropFirst(prompt.added)))
    let all = Array(bytes.joined())
    let tail = ResponseText.incompleteTail(all)
    text = String(decoding: all.dropLast(tail), as: UTF8.self)
    incomplete = Array(all.suffix(tail))
  }

  func tokens(_ ids: [Int], _ scores: SequenceScores?) -> [ReplyToken] {
    guard let scores else { return [] }
    return ids.indices.map { index in
      ReplyToken(
        id: ids[index], bytes: bytes[index],
        prediction: index == 0 ? nil : scores.tokens[index - 1])
    }
  }
}
