import Distillation
import LanguageModel

/// What a student answers to a prompt, asked as its arm is.
public struct ArmResponse: Sendable, Hashable {
  /// The prompt with the arm's cues.
  public var prompt: [Int]
  /// The response as it is to be read: the arm's lead, then what was generated; CasCoD's rationale
  /// without its end, the conclusion cue and the answer.
  public var tokens: [Int]
  /// Why the last of what was generated ended.
  public var reason: GeneratedSequence.Reason
}

extension Generator {
  /// The response to each of `prompts`, asked as its `decoding` says, in their order.
  ///
  /// Where an arm has two responses, each may be as long as `settings` say, and each draws from a
  /// stream of its own. Nothing is generated after what is beyond the model's context: a prompt with
  /// its cues, or that with a first response.
  ///
  /// Precondition: no prompt is empty, and all tokens are in the vocabulary.
  public func responses(
    to prompts: [(tokens: [Int], decoding: ArmDecoding)], on decoder: Decoder,
    _ settings: SamplingSettings, seed: UInt64 = 0
  ) -> [ArmResponse] {
    var responses = prompts.map { tokens, decoding in
      ArmResponse(
        prompt: decoding.sequence(tokens), tokens: [], reason: .context)
    }
    /// Generates on from the responses `indices` as they are.
    func extend(_ indices: [Int], stream: String = "") {
      let sequences = indices.map {
        (index: $0, tokens: responses[$0].prompt + responses[$0].tokens)
      }
      .filter { $0.tokens.count <= decoder.configuration.maximumPositions }
      let found = generate(
        sequences.map(\.tokens), on: decoder, settings, seed: seed,
        streams: sequences.map { "\($0.index)\(stream)" })
      for (sequence, answer) in zip(sequences, found) {
        responses[sequence.index].tokens += answer.tokens
        responses[sequence.index].reason = answer.reason
      }
    }
    extend(Array(prompts.indices))
    var continued: [Int] = []
    for (index, prompt) in prompts.enumerated() {
      guard let continuation = prompt.decoding.continuation else { continue }
      if responses[index].reason == .stop { responses[index].tokens.removeLast() }
      responses[index].tokens += continuation
      responses[index].reason = .context
      continued.append(index)
    }
    extend(continued, stream: " continued")
    for (index, prompt) in prompts.enumerated() {
      responses[index].tokens = prompt.decoding.lead + responses[index].tokens
    }
    return responses
  }
}
