import Checkpoints
import Distillation
import Evaluation
import LanguageModel
import TestSupport
import Testing

/// A student asked by its arm, against sequences put together by hand; ids below 97, a context of 64.
@Suite struct ArmResponseTests {
  private let decoder: Decoder
  private let prompts = [[90], [8, 26, 34, 71, 19, 45, 80, 41, 22, 12, 45, 64, 85]]

  init() throws { decoder = try Decoder(Checkpoint(path: fixture("decoder/tied").path)) }

  /// Its continuations of the second prompt begin 58 74 8: 8 ends them.
  private func settings(temperature: Float = 0) -> SamplingSettings {
    SamplingSettings(temperature: temperature, maximumNewTokens: 6, stop: [8])
  }

  private func responses(_ prompts: [(tokens: [Int], decoding: ArmDecoding)]) -> [ArmResponse] {
    Generator(workers: 2, batch: 4).responses(to: prompts, on: decoder, settings())
  }

  /// What follows `tokens` alone.
  private func continuation(_ tokens: [Int]) -> GeneratedSequence {
    Generator(workers: 1, batch: 1).generate([tokens], on: decoder, settings())[0]
  }

  @Test("Cues stand about the prompt and a lead before what is read, for each prompt its own")
  func cues() {
    var cued = ArmDecoding.plain
    (cued.before, cued.after, cued.lead) = ([5], [6, 7], [9, 10])
    let responses = responses(
      prompts.map { (tokens: $0, decoding: cued) }
        + prompts.map { (tokens: $0, decoding: .plain) })
    let asked = prompts.map { [5] + $0 + [6, 7] }
    #expect(responses.map(\.prompt) == asked + prompts)
    let found = (asked + prompts).map(continuation)
    #expect(
      responses.map(\.tokens) == found[..<2].map { [9, 10] + $0.tokens } + found[2...].map(\.tokens)
    )
    #expect(responses.map(\.reason) == found.map(\.reason))
    #expect(found[3].tokens == [58, 74, 8] && found[3].reason == .stop)
  }

  @Test("A second response continues the first, whose end is left out, after the cue for it")
  func twoPasses() {
    var cascade = ArmDecoding.plain
    cascade.continuation = [60, 61]
    for after in [[], [59]] {
      cascade.after = after
      let responses = responses(prompts.map { (tokens: $0, decoding: cascade) })
      for (prompt, response) in zip(prompts, responses) {
        let chain = continuation(prompt + after).tokens.filter { $0 != 8 } + [60, 61]
        let answer = continuation(prompt + after + chain)
        #expect(response.prompt == prompt + after)
        #expect(response.tokens == chain + answer.tokens && response.reason == answer.reason)
      }
    }
  }

  @Test("Plain responses are those of the generator, drawn ones too")
  func drawn() {
    let generator = Generator(workers: 1, batch: 2)
    let found = generator.generate(prompts, on: decoder, settings(temperature: 1.5), seed: 3)
    let responses = generator.responses(
      to: prompts.map { (tokens: $0, decoding: .plain) }, on: decoder, settings(temperature: 1.5),
      seed: 3)
    #expect(responses.map(\.tokens) == found.map(\.tokens))
  }

  @Test("Nothing is generated after what is beyond the model's context")
  func context() {
    var cued = ArmDecoding.plain
    (cued.after, cued.lead) = ([6, 7], [9])
    var cascade = ArmDecoding.plain
    cascade.continuation = Array(repeating: 60, count: 64)
    let responses = responses([
      (tokens: Array(repeating: 5, count: 63), decoding: cued), (tokens: [90], decoding: cascade),
    ])
    #expect(responses[0].prompt.count == 65 && responses[0].tokens == [9])
    #expect(responses[1].tokens == continuation([90]).tokens + Array(repeating: 60, count: 64))
    #expect(responses.map(\.reason) == [.context, .context])
  }
}
