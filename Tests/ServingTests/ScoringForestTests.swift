import Distillation
import LanguageModel
import Randomness
import Serving
import TestSupport
import Testing

@Suite("A forest of sequences to be scored")
struct ScoringForestTests {
  @Test("holds each common start once, and scores each sequence as it would be alone")
  func scores() throws {
    let decoder = try TinyStudent.numbered().decoder
    let sequences = [
      [5, 6, 7, 8], [5, 6, 9], [5, 6], [5, 6, 7, 8], [9], [9, 5, 6, 7], [5, 6, 7], [7, 7, 7, 7, 7],
      [5], [5, 6, 7, 8, 9],
    ]
    let requests = sequences.enumerated().map { index, tokens in
      ScoringRequest(tokens: tokens, likeliest: index % 3, predictsNext: index % 2 == 0)
    }
    let forest = ScoringForest(requests)
    // 5 6 7 8 9, 9 after 5 6, 9 5 6 7 and 7 7 7 7 7; the leaves that predict what follows are no rows.
    let leaves = forest.trees.flatMap(\.segments).count { $0.tokens == [0] }
    #expect(forest.trees.map(\.tokenCount).reduce(0, +) - leaves == 15)
    #expect(forest.trees.count == 3)
    let pass = DecoderPass()
    let scores = forest.scores(pass.predictions(of: forest.trees, on: decoder, likeliest: 2))
    try #require(scores.count == sequences.count)
    for (request, found) in zip(requests, scores) {
      #expect(found.tokens.map(\.token) == Array(request.tokens.dropFirst()))
      #expect((found.next != nil) == request.predictsNext)
      let logits = Workers(count: 1).logits(of: request.tokens, on: decoder)
      for index in request.tokens.indices {
        let row = Array(logits.elements[(97 * index)..<(97 * (index + 1))])
        let best = row.indices.sorted { row[$0] > row[$1] }
        if index + 1 == request.tokens.count {
          if let next = found.next {
            #expect(next.likeliest.map(\.token) == Array(best.prefix(max(1, request.likeliest))))
          }
          continue
        }
        let loss = Workers(count: 1).losses(
          of: [
            PrefixTree(
              prompt: Array(request.tokens[...index]), response: [request.tokens[index + 1]],
              weights: [1])
          ], on: decoder)[0]
        let prediction = found.tokens[index]
        #expect(abs(Double(prediction.logProbability) + loss.loss) < 1e-5)
        #expect(prediction.likeliest.map(\.token) == Array(best.prefix(request.likeliest)))
        for candidate in prediction.likeliest where candidate.token == prediction.token {
          #expect(candidate.logProbability == prediction.logProbability)
        }
      }
    }
  }
}
