import Distillation
import Files
import Foundation
import LanguageModel
import Reasoning
import Testing

@Suite struct WeightSidecarTests {
  private let pairs = [
    TokenizedPair(id: "a", prompt: [1, 2], chosen: [5, 6, 0], rejected: [5, 7]),
    TokenizedPair(id: "b", prompt: [1], chosen: [8], rejected: [9, 0]),
  ]
  private let chains = [TokenizedChain(id: "a", prompt: [1, 2], response: [5, 6, 7, 0])]

  private func objective(_ text: String, ofChains: Bool = false) throws -> Objective {
    let path = NSTemporaryDirectory() + "keystep-\(UUID().uuidString).jsonl"
    try text.write(toFile: path, atomically: true, encoding: .utf8)
    defer { try? FileManager.default.removeItem(atPath: path) }
    let lines = try JSONLines.tokenWeights(at: path)
    return ofChains
      ? try .weighted(chains, by: lines, file: "weights.jsonl")
      : try .weighted(pairs, by: lines, file: "weights.jsonl")
  }

  @Test("Weights find their pair by id or index, each side over its own length")
  func pairWeights() throws {
    let objective = try objective(
      """
      {"index": 1, "rejected_weights": [-1, 0.5]}
      {"id": "a", "chosen_weights": [0.75, 3, 0], "rejected_weights": [0.5, -2]}
      """)
    let first = objective.examples[0].tree.segments
    #expect(first.map(\.tokens) == [[1, 2, 5], [6, 0], [7]])
    #expect(first.map(\.weights) == [[0, 0, 0.5], [1, 0], [-1]])
    #expect(objective.examples[1].tree.segments.map(\.weights) == [[0], [0], [-0.5, 0.25]])
  }

  @Test("A chain's weights go over its length too")
  func chainWeights() throws {
    let objective = try objective(#"{"id": "a", "weights": [0, 4, -2, 1]}"#, ofChains: true)
    #expect(objective.examples[0].tree.segments[1].weights == [0, 1, -0.5, 0.25])
  }

  @Test(
    "What does not fit is an error that names file, line, and what was expected and found",
    arguments: [
      (
        #"{"index": 0, "chosen_weights": [1, 2]}"#,
        "weights.jsonl: line 1: expected 3 chosen_weights, one for each token of a, found 2"
      ),
      (
        "{\"index\": 1, \"chosen_weights\": [1]}\n\n{\"id\": \"a\", \"rejected_weights\": [1]}",
        "weights.jsonl: line 3: expected 2 rejected_weights, one for each token of a, found 1"
      ),
      (
        #"{"index": 2, "chosen_weights": [1]}"#,
        "weights.jsonl: line 1: expected an index from 0 to 1, found 2"
      ),
      (
        #"{"id": "c", "chosen_weights": [1]}"#,
        #"weights.jsonl: line 1: expected the id of one example, found "c", which 0 examples have"#
      ),
      (
        "{\"index\": 1, \"chosen_weights\": [1]}\n{\"id\": \"b\", \"chosen_weights\": [1]}",
        "weights.jsonl: line 2: expected one line for each example, found b again, after line 1"
      ),
      (
        #"{"index": 1, "chosen_weights": [1]}"#, "weights.jsonl: expected a line for a, found none"
      ),
      (#"{"chosen_weights": [1]}"#, "line 1: expected either \"id\" or \"index\", found neither"),
      (#"{"index": 0, "id": "a"}"#, "expected either \"id\" or \"index\", found both"),
      (#"{"index": 0}"#, "of a pair, found neither"),
      (#"{"index": 0, "weights": [true]}"#, "weights[0]: expected a number"),
      (#"{"index": 0, "chosen_weights": [1e300, 0, 0]}"#, "expected finite chosen_weights"),
    ])
  func errors(text: String, message: String) {
    let error = #expect(throws: FileError.self) { try objective(text) }
    #expect(
      error?.description.hasSuffix(message) == true || error?.description.contains(message) == true,
      "\(String(describing: error))")
  }
}
