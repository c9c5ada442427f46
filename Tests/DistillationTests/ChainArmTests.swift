import Distillation
import Files
import Foundation
import LanguageModel
import Parameters
import Reasoning
import Testing
import Tokenizers

/// Segments and weights worked out by hand; λ = 0.25.
@Suite struct ChainArmTests {
  let teachings: Teachings
  let lambda: [String: Parameter.Value] = ["lambda": .number(0.25)]

  init() throws { teachings = try Teachings() }

  private func expect(
    _ segments: [Segment], _ expected: [(tokens: [Int], parent: Int?, weights: [Float])],
    sourceLocation: SourceLocation = #_sourceLocation
  ) {
    #expect(segments.map(\.tokens) == expected.map(\.tokens), sourceLocation: sourceLocation)
    #expect(segments.map(\.parent) == expected.map(\.parent), sourceLocation: sourceLocation)
    #expect(segments.map(\.weights) == expected.map(\.weights), sourceLocation: sourceLocation)
  }

  @Test("Answer SFT predicts the answer alone")
  func answers() throws {
    expect(
      try teachings.segments(.answers),
      [([10, 11], nil, [0, 0]), ([22, 2], 0, [0.5, 0.5])])
  }

  @Test("MT-Re: rationale by one cue and answer by the other, each the mean over its tokens")
  func rationale() throws {
    expect(
      try teachings.segments(.multiTaskRationale, lambda),
      [
        ([10, 11], nil, [0, 0]),
        ([50, 20, 21, 2], 0, [0, 0.25, 0.25, 0.25]),
        ([51, 22, 2], 0, [0, 0.125, 0.125]),
      ])
    #expect(
      try teachings.objective(.multiTaskRationale, lambda).examples[0].usefulTokens == 6 + 5)
  }

  @Test("MT-CoT: the whole chain, and the answer")
  func chain() throws {
    let each: Float = 0.75 / 5
    expect(
      try teachings.segments(.multiTaskChain, lambda),
      [
        ([10, 11], nil, [0, 0]),
        ([52, 53, 20, 21, 90, 22, 2], 0, [0, 0, each, each, each, each, each]),
        ([52, 54, 22, 2], 0, [0, 0, 0.125, 0.125]),
      ])
  }

  @Test("MT-Ra: the answer and then why, and the answer")
  func answerFirst() throws {
    let each: Float = 0.75 / 6
    expect(
      try teachings.segments(.multiTaskAnswerFirst, lambda),
      [
        ([10, 11], nil, [0, 0]),
        ([52, 53, 55, 22, 56, 20, 21, 2], 0, [0, 0] + Array(repeating: each, count: 6)),
        ([52, 54, 22, 2], 0, [0, 0, 0.125, 0.125]),
      ])
  }

  @Test("SCOTT: the right chain, and the wrong answer alone after the wrong rationale")
  func scott() throws {
    let each: Float = 0.75 / 5
    expect(
      try teachings.segments(.scott, lambda),
      [
        ([57, 10, 11], nil, [0, 0, 0]),
        ([20, 21, 90, 22, 2], 0, Array(repeating: each, count: 5)),
        ([58, 10, 11, 20, 23, 24, 60, 61], nil, Array(repeating: 0, count: 8)),
        ([25, 2], 2, [0.125, 0.125]),
      ])
    #expect(try teachings.objective(.scott).examples.count == 2)
    #expect(
      try teachings.objective(.scott, on: teachings.data.withoutRectified).examples.count == 1)
  }

  @Test("CasCoD: rationale with its end, then the answer given the rationale, computed once")
  func cascade() throws {
    expect(
      try teachings.segments(.cascade, lambda),
      [
        ([10, 11, 59], nil, [0, 0, 0]),
        ([20, 21], 0, [0.25, 0.25]),
        ([2], 1, [0.25]),
        ([60, 61, 22, 2], 1, [0, 0, 0.125, 0.125]),
      ])
    #expect(try teachings.objective(.cascade).examples[0].usefulTokens == 6 + 9)
  }

  @Test("An arm's student is asked as it was trained")
  func decoding() throws {
    let cues = try teachings.data.tokenizedCues(forTask: "t")
    #expect(
      TrainingArm.edit.decoding(cues) == .plain && TrainingArm.standardCoT.decoding(cues) == .plain)
    #expect(TrainingArm.answerSFT.decoding(cues).lead == [60, 61])
    #expect(TrainingArm.multiTaskRationale.decoding(cues).after == [51])
    #expect(TrainingArm.multiTaskChain.decoding(cues).after == [52, 54])
    #expect(TrainingArm.scott.decoding(cues).before == [57])
    let cascade = TrainingArm.cascade.decoding(cues)
    #expect(cascade.after == [59] && cascade.continuation == [60, 61] && cascade.lead.isEmpty)
  }

  @Test("Stages take rectified chains where their arm has them", arguments: TrainingArm.all)
  func stages(arm: TrainingArm) throws {
    let stages = arm.stages
    #expect((1...2).contains(stages.count))
    for stage in stages {
      let data = stage.data(teachings.data)
      #expect(data.rectified.isEmpty != stage.includesRectified)
      let objective = try teachings.objective(stage.objective, on: data)
      #expect(objective.examples.count == (stage.includesRectified ? 2 : 1))
    }
  }

  @Test("A chain without its cue, cues that cannot be told apart, and a full context are errors")
  func errors() throws {
    var data = teachings.data
    data.correct[0].source?.text = " 20 21 22"
    let missing = #expect(throws: FileError.self) { try teachings.objective(.cascade, on: data) }
    #expect(missing?.description.contains("teachings.jsonl: chain 1 (q)") == true)
    data = teachings.data
    data.cues = { _ in
      var cues = ArmCues.inWords
      cues.rationale = cues.answer
      return cues
    }
    let same = #expect(throws: FileError.self) {
      try teachings.objective(.multiTaskRationale, on: data)
    }
    #expect(same?.file == data.tokenizer.tokenizer.file)
    data = teachings.data
    data.tokenizer = try ExampleTokenizer(data.tokenizer.tokenizer, maximumTokens: 10)
    #expect(throws: FileError.self) { try teachings.objective(.cascade, on: data) }
    #expect(try teachings.objective(.chains, on: data).examples.count == 2)
    data.tokenizer = try ExampleTokenizer(data.tokenizer.tokenizer, vocabularySize: 61)
    let unknown = #expect(throws: FileError.self) { try data.tokenizedCues(forTask: "t") }
    #expect(unknown?.description.contains("cue \" 60 61\"") == true)
    #expect(unknown?.file == data.tokenizer.tokenizer.file)
  }

  @Test("Each chain is split by the rule and asked with the cues of its own task")
  func mixedTasks() throws {
    var data = teachings.data
    data.rectified = data.rectified.map { chain in
      var chain = chain
      chain.source?.task = "other"
      chain.source?.text = " 30 91 22"
      return chain
    }
    let (rule, cues) = (data.rule, data.cues)
    data.rule = { $0 == "other" ? AnswerRule(cue: "91 ", occurrence: .last) : rule($0) }
    data.cues = { task in
      var cues = cues(task)
      if task == "other" { cues.conclusion = " 70" }
      return cues
    }
    let examples = try teachings.objective(.cascade, lambda, on: data).examples
    #expect(examples[0].tree.segments[3].tokens == [60, 61, 22, 2])
    #expect(examples[1].tree.segments[1].tokens == [30])
    #expect(examples[1].tree.segments[3].tokens == [70, 22, 2])
    #expect(data.tasks == ["other", "t"])
  }

  @Test("The answer's tokens alone count after the chain")
  func answerTokens() throws {
    expect(
      try teachings.segments(.answerTokens),
      [([10, 11, 20, 21, 90], nil, [0, 0, 0, 0, 0]), ([22, 2], 0, [0.5, 0.5])])
  }

  @Test("Prompt and response have weights of their own, over the tokens that have one")
  func promptAndResponse() throws {
    let weights: [String: Parameter.Value] = [
      "prompt_weight": .number(0.5), "response_weight": .integer(2),
    ]
    expect(
      try teachings.segments(.promptWeighted, weights),
      [
        ([10, 11], nil, [0, 0.5 / 6]),
        ([20, 21, 90, 22, 2], 0, Array(repeating: 2.0 / 6, count: 5)),
      ])
    #expect(
      try teachings.segments(.promptWeighted, ["prompt_weight": .integer(0)])[1].weights
        == Array(repeating: 0.2, count: 5))
  }

  @Test("The controls of KRSL: one side alone, and all tokens")
  func controls() throws {
    let weights: [String: Parameter.Value] = [
      "alpha": .integer(1), "beta": .number(-0.5), "gamma": .number(0.1),
    ]
    // Right 20 | 21 90 22 2, wrong 20 | 23 24 90 25 2.
    let chosen = try teachings.segments(.chosenOnly, weights)
    #expect(chosen[1].weights.contains { $0 > 0 } && chosen[2].weights.allSatisfy { $0 == 0 })
    let rejected = try teachings.segments(.rejectedOnly, weights)
    #expect(rejected[1].weights.allSatisfy { $0 == 0 } && rejected[2].weights.contains { $0 < 0 })
    let all = try teachings.segments(.allTokens, weights)
    #expect(all[0].weights == [0, 0, Float(1) / 5 + Float(-0.5) / 6])
    #expect(all[1].weights == Array(repeating: 0.2, count: 4))
    #expect(all[2].weights == Array(repeating: -0.5 / 6, count: 5))
  }
}
