import Distillation
import Files
import Foundation
import LanguageModel
import Reasoning
import Testing

/// Segments and weights worked out by hand; λ = 0.25.
@Suite struct ChainArmTests {
  let teachings: Teachings
  let options: ObjectiveOptions

  init() throws {
    teachings = try Teachings()
    var options = ObjectiveOptions()
    options.lambda = 0.25
    self.options = options
  }

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
      try teachings.segments(.multiTaskRationale, options),
      [
        ([10, 11], nil, [0, 0]),
        ([50, 20, 21, 2], 0, [0, 0.25, 0.25, 0.25]),
        ([51, 22, 2], 0, [0, 0.125, 0.125]),
      ])
    #expect(
      try teachings.objective(.multiTaskRationale, options).examples[0].usefulTokens == 6 + 5)
  }

  @Test("MT-CoT: the whole chain, and the answer")
  func chain() throws {
    let each: Float = 0.75 / 5
    expect(
      try teachings.segments(.multiTaskChain, options),
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
      try teachings.segments(.multiTaskAnswerFirst, options),
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
      try teachings.segments(.scott, options),
      [
        ([57, 10, 11], nil, [0, 0, 0]),
        ([20, 21, 90, 22, 2], 0, Array(repeating: each, count: 5)),
        ([58, 10, 11, 20, 23, 24, 60, 61], nil, Array(repeating: 0, count: 8)),
        ([25, 2], 2, [0.125, 0.125]),
      ])
    #expect(try teachings.objective(.scott).examples.count == 2)
    #expect(
      try ObjectiveName.scott.objective(teachings.data.withoutRectified) {
        throw CancellationError()
      }.examples.count == 1)
  }

  @Test("CasCoD: rationale with its end, then the answer given the rationale, computed once")
  func cascade() throws {
    expect(
      try teachings.segments(.cascade, options),
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
    let cues = try TokenizedCues(teachings.data.cues("t"), teachings.data.tokenizer)
    #expect(ArmName.edit.decoding(cues) == .plain && ArmName.standardCoT.decoding(cues) == .plain)
    #expect(ArmName.answerSFT.decoding(cues).lead == [60, 61])
    #expect(ArmName.multiTaskRationale.decoding(cues).after == [51])
    #expect(ArmName.multiTaskChain.decoding(cues).after == [52, 54])
    #expect(ArmName.scott.decoding(cues).before == [57])
    let cascade = ArmName.cascade.decoding(cues)
    #expect(cascade.after == [59] && cascade.continuation == [60, 61] && cascade.lead.isEmpty)
  }

  @Test("Stages take rectified chains where their arm has them", arguments: ArmName.allCases)
  func stages(arm: ArmName) throws {
    let stages = arm.stages
    #expect((1...2).contains(stages.count))
    for stage in stages {
      let data = stage.data(teachings.data)
      #expect(data.rectified.isEmpty != stage.includesRectified)
      let objective = try stage.objective.objective(data) {
        ReferenceModels(student: try tinyDecoder(), workers: Workers(count: 1))
      }
      #expect(objective.examples.count == (stage.includesRectified ? 2 : 1))
    }
  }

  @Test("A chain without its cue, cues that cannot be told apart, and a full context are errors")
  func errors() throws {
    var data = teachings.data
    data.correct[0].text = " 20 21 22"
    let missing = #expect(throws: FileError.self) {
      try ObjectiveName.cascade.objective(data) { throw CancellationError() }
    }
    #expect(missing?.description.contains("teachings, chain 1 (q)") == true)
    data = teachings.data
    var cues = data.cues("t")
    cues.rationale = cues.answer
    data.cues = { [cues] _ in cues }
    #expect(throws: FileError.self) {
      try ObjectiveName.multiTaskRationale.objective(data) { throw CancellationError() }
    }
    data = teachings.data
    data.tokenizer = try ExampleTokenizer(data.tokenizer.tokenizer, maximumTokens: 10)
    #expect(throws: FileError.self) {
      try ObjectiveName.cascade.objective(data) { throw CancellationError() }
    }
    #expect(
      try ObjectiveName.chains.objective(data) { throw CancellationError() }.examples.count == 2)
    let foreign = try ExampleTokenizer(data.tokenizer.tokenizer, vocabularySize: 61)
    let unknown = #expect(throws: FileError.self) {
      try TokenizedCues(teachings.data.cues("t"), foreign)
    }
    #expect(unknown?.description.contains("cue \" 60 61\"") == true)
  }

  @Test("Each chain is taken apart by the rule and with the cues of its own task")
  func mixedTasks() throws {
    var data = teachings.data
    data.correct.append(data.correct[0])
    data.correct[1].task = "other"
    data.correct[1].text = " 20 21 80 22"
    let (rule, cues) = (data.rule, data.cues)
    data.rule = { $0 == "other" ? AnswerRule(cue: "80 ", occurrence: .last) : rule($0) }
    data.cues = { task in
      var own = cues(task)
      if task == "other" { own.conclusion = " 70 71" }
      return own
    }
    let pieces = try data.pieces(of: data.correct)
    #expect(pieces.map(\.cue) == [[90], [80]] && pieces.map(\.answer) == [[22], [22]])
    #expect(pieces.map(\.cues.conclusion) == [[60, 61], [70, 71]])
    // Rationale, its end, conclusion cue and answer of CasCoD.
    let examples = Objective.cascade(pieces).examples
    #expect(examples.map { $0.tree.segments[3].tokens } == [[60, 61, 22, 2], [70, 71, 22, 2]])
  }

  @Test("The answer's tokens alone count after the chain")
  func answerTokens() throws {
    expect(
      try teachings.segments(.answerTokens),
      [([10, 11, 20, 21, 90], nil, [0, 0, 0, 0, 0]), ([22, 2], 0, [0.5, 0.5])])
  }

  @Test("Prompt and response have weights of their own, over the tokens that have one")
  func promptAndResponse() throws {
    var options = options
    (options.promptWeight, options.responseWeight) = (0.5, 2)
    expect(
      try teachings.segments(.promptWeighted, options),
      [
        ([10, 11], nil, [0, 0.5 / 6]),
        ([20, 21, 90, 22, 2], 0, Array(repeating: 2.0 / 6, count: 5)),
      ])
    options.promptWeight = 0
    #expect(
      try teachings.segments(.promptWeighted, options)[1].weights
        == Array(repeating: 0.4, count: 5))
  }

  @Test("The controls of KRSL: one side alone, and all tokens")
  func controls() throws {
    var options = options
    options.weights = .init(alpha: 1, beta: -0.5, gamma: 0.1)
    // Right 20 | 21 90 22 2, wrong 20 | 23 24 90 25 2.
    let chosen = try teachings.segments(.chosenOnly, options)
    #expect(chosen[1].weights.contains { $0 > 0 } && chosen[2].weights.allSatisfy { $0 == 0 })
    let rejected = try teachings.segments(.rejectedOnly, options)
    #expect(rejected[1].weights.allSatisfy { $0 == 0 } && rejected[2].weights.contains { $0 < 0 })
    let all = try teachings.segments(.allTokens, options)
    #expect(all[0].weights == [0, 0, Float(1) / 5 + Float(-0.5) / 6])
    #expect(all[1].weights == Array(repeating: 0.2, count: 4))
    #expect(all[2].weights == Array(repeating: -0.5 / 6, count: 5))
  }
}
