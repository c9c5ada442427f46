import Checkpoints
import Distillation
import Foundation
import LanguageModel
import Parameters
import Randomness
import Reasoning
import TestSupport
import Tokenizers

/// Chains in the words of the numbered model, whose ids are the words: prompt 10 11; right chain
/// 20 21, cue 90, answer 22; wrong chain 20 23 24, cue 90, answer 25. 2 ends a sequence.
struct Teachings {
  let folder = NSTemporaryDirectory() + "keystep-\(UUID().uuidString)"
  var data: TrainingData

  init() throws {
    let tokenizer = try ExampleTokenizer(Tokenizer(path: numberedModel(in: folder)))
    try FileManager.default.removeItem(atPath: folder)
    func chain(_ text: String, _ origin: ChainOfThought.Origin) -> ChainOfThought {
      ChainOfThought(questionID: "q", task: "t", prompt: "10 11", text: text, origin: origin)
    }
    let correct = chain(" 20 21 90 22", .original)
    var cues = ArmCues.inWords
    (cues.rationale, cues.answer) = (" 50", " 51")
    (cues.explanation, cues.prediction) = (" 52 53", " 52 54")
    (cues.answerFirst, cues.because) = (" 55", " 56")
    (cues.factual, cues.counterfactual) = ("57 ", "58 ")
    (cues.cascade, cues.conclusion) = (" 59", " 60 61")
    let pairs = [
      DualChainOfThought(
        chosen: correct, rejected: chain(" 20 23 24 90 25", .corrupted), goldAnswer: "22"),
      DualChainOfThought(
        chosen: chain(" 30 90 22", .rectified), rejected: chain(" 31 90 32", .original),
        goldAnswer: "22"),
    ]
    let file = "teachings.jsonl"
    data = TrainingData(
      correct: try tokenizer.tokenize([correct], file: file),
      rectified: try tokenizer.tokenize([chain(" 30 90 22", .rectified)], file: file),
      pairs: try tokenizer.tokenize(pairs, file: file), tokenizer: tokenizer,
      rule: { _ in AnswerRule(cue: "90 ", occurrence: .last) }, cues: { [cues] _ in cues },
      file: file)
  }

  /// The segments of the first example of `entry`.
  func segments(_ entry: ObjectiveEntry, _ parameters: [String: Parameter.Value] = [:]) throws
    -> [Segment]
  {
    try objective(entry, parameters).examples[0].tree.segments
  }

  /// `entry` on these chains or on `data`; its models are all the same.
  func objective(
    _ entry: ObjectiveEntry, _ parameters: [String: Parameter.Value] = [:],
    on data: TrainingData? = nil
  ) throws -> Objective {
    try entry.objective(data ?? self.data, parameters) {
      let model = try tinyDecoder()
      return ReferenceModels(
        student: model, positive: model, negative: model, workers: Workers(count: 1))
    }
  }
}

/// A model of 97 tokens with noise in every parameter.
func tinyDecoder(seed: UInt64 = 1) throws -> Decoder {
  var generator = SeededGenerator(seed: seed, stream: "initialisation")
  let configuration = ModelConfiguration(
    vocabularySize: 97, hiddenSize: 12, intermediateSize: 14, layerCount: 2, headCount: 2,
    maximumPositions: 64, tiesEmbeddings: false)
  let decoder = try Decoder.random(configuration, using: &generator)
  for slot in decoder.parameters.slots where slot.shape.count == 2 {
    let values = decoder.parameters[slot.name]
    for i in values.indices { values[i] = 0.4 * Float(generator.normal()) }
  }
  return decoder
}

extension PlainDecoder {
  /// The plain twin of a model without adapter or rotary scaling.
  init(_ decoder: Decoder) {
    let c = decoder.configuration
    self.init(
      layers: c.layerCount, heads: c.headCount, keyValueHeads: c.keyValueHeadCount,
      headDimension: c.headDimension, epsilon: Double(c.rmsNormEpsilon), ropeTheta: c.ropeTheta,
      ropeScaling: nil, lowRankScale: 0,
      parameters: Dictionary(
        uniqueKeysWithValues: decoder.parameters.slots.map { slot in
          (slot.name, decoder.parameters[slot.name].map(Double.init))
        }))
  }

  /// -log p of every token of `response` after `prompt`.
  func losses(_ prompt: [Int], _ response: [Int]) -> [Double] {
    predictions(of: prompt + response).suffix(response.count).map(\.negativeLogLikelihood)
  }
}
