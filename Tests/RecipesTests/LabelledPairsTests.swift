import Distillation
import Experiments
import Files
import Recipes
import TestSupport
import Testing
import Tokenizers

@Suite struct LabelledPairsTests {
  @Test("A simulated teacher's key tokens begin in the step in which it went wrong")
  func simulated() throws {
    let folder = try TemporaryFolder()
    let pairs = try LabelledPairs.simulated(questions: 40, seed: 1, folder: folder.path)
    let metrics = pairs.metrics(of: KeyTokenChoice(), source: "simulated")
    func value(_ name: MetricName) -> Double? {
      metrics.first { $0.key == MetricKey(name, group: "simulated") }?.value
    }
    #expect(pairs.pairs.count == 40)
    #expect(value(.firstRunInMistake) == 1 && value(.mistakeRecall) == 1)
    #expect(value(.keyTokensBeforeMistake) == 0)
    let parts = [MetricName.keyTokensInMistake, .keyTokensAfterMistake].compactMap(value)
    #expect(parts.count == 2 && abs(parts.reduce(0, +) - 1) < 1e-12)
  }

  @Test("A file without a chain that can be put right is an error that names it")
  func nothing() throws {
    let folder = try TemporaryFolder()
    try folder.write(
      #"{"input": "q", "steps": ["a"], "target": "b", "mistake_index": 0}"#, to: "sorting.jsonl")
    let path = folder.path + "/sorting.jsonl"
    let tokenizer = try ExampleTokenizer(Tokenizer(path: numberedModel(in: folder.path)))
    let error = #expect(throws: FileError.self) { try LabelledPairs.corrected(path, tokenizer) }
    #expect(error?.description.contains(path) == true)
  }
}
