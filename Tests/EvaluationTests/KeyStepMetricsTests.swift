import Checkpoints
import Distillation
import Evaluation
import Foundation
import LanguageModel
import Randomness
import Statistics
import TestSupport
import Testing

@Suite struct KeyStepMetricsTests {
  /// Pairs of ids below 97: some with a common start, one whose sides part at once, one all of
  /// whose right tokens are key tokens, and one whose right side has none.
  private static let pairs: [TokenizedPair] = {
    var generator = SeededGenerator(seed: 11, stream: "pairs")
    func tokens(_ count: Int) -> [Int] { (0..<count).map { _ in 3 + generator.index(below: 94) } }
    var pairs = (0..<6).map { index in
      let start = tokens(index)
      return TokenizedPair(
        id: "pair \(index)", prompt: tokens(1 + index), chosen: start + tokens(5 + index) + [2],
        rejected: start + tokens(9 - index) + [2])
    }
    pairs.append(TokenizedPair(id: "all", prompt: tokens(3), chosen: [7, 2], rejected: [8, 9]))
    pairs.append(
      TokenizedPair(id: "longer", prompt: [5], chosen: [6, 7, 2], rejected: [6, 7, 8, 2]))
    return pairs
  }()

  private func decoder() throws -> Decoder {
    try Decoder(Checkpoint(path: fixture("decoder/tied").path))
  }

  @Test("A rejected token's repetition is predicted right after it")
  func repeats() throws {
    let decoder = try decoder()
    let repeats = try PairLosses.repeats(
      of: Self.pairs, on: decoder, workers: Workers(count: 2))
    for (pair, found) in zip(Self.pairs, repeats) {
      #expect(found.count == pair.rejected.count)
      for (index, value) in found.enumerated() {
        let expected = plain(
          pair.prompt, pair.rejected[...index] + [pair.rejected[index]], decoder)[index + 1].nll
        #expect(abs(Double(value) - expected) < 1e-4 * max(1, expected), "\(pair.id) \(index)")
      }
    }
  }

  /// Each response token's -log p in Double, and whether it is the likeliest, from the logits of
  /// the whole sequence.
  private func plain(_ prompt: [Int], _ response: [Int], _ decoder: Decoder) -> [(
    nll: Double, isTop: Bool
  )] {
    let logits = Workers(count: 1).logits(of: prompt + response, on: decoder)
    return response.indices.map { index in
      let row = (0..<logits.columns).map { Double(logits[prompt.count + index - 1, $0]) }
      let top = row.max() ?? 0
      let total = row.reduce(0) { $0 + exp($1 - top) }
      return (log(total) + top - row[response[index]], row[response[index]] == top)
    }
  }

  @Test(
    "A pair's scores equal a plain computation from the logits of its two whole sequences",
    arguments: [KeyTokenChoice(), KeyTokenChoice(sharesScript: true)])
  func scores(choice: KeyTokenChoice) throws {
    let decoder = try decoder()
    let scores = try PairScore.scores(
      of: Self.pairs, on: decoder, workers: Workers(count: 2), choice: choice)
    #expect(scores.map(\.id) == Self.pairs.map(\.id))
    for (pair, score) in zip(Self.pairs, scores) {
      let chosen = plain(pair.prompt, pair.chosen, decoder)
      let rejected = plain(pair.prompt, pair.rejected, decoder)
      let (rightMean, wrongMean) = (-chosen.map(\.nll).mean, -rejected.map(\.nll).mean)
      #expect(abs(score.chosenLogLikelihood - rightMean) < 1e-5)
      #expect(abs(score.rejectedLogLikelihood - wrongMean) < 1e-5)
      #expect(score.prefersChosen == (rightMean > wrongMean))
      let keys = Set(pair.keyTokens(choice).chosen)
      for (tally, isKey) in [(score.key, true), (score.other, false)] {
        let tokens = chosen.indices.filter { keys.contains($0) == isKey }.map { chosen[$0] }
        #expect(tally.count == tokens.count, "\(pair.id)")
        #expect(tally.top1 == tokens.count { $0.isTop }, "\(pair.id)")
        #expect(
          abs(tally.negativeLogLikelihood - tokens.map(\.nll).reduce(0, +)) < 1e-4, "\(pair.id)")
      }
    }
    // The pairs are such that neither answer is empty.
    #expect(scores.contains { $0.prefersChosen } && scores.contains { !$0.prefersChosen })
    #expect(scores.contains { $0.key.count == 0 } && scores.contains { $0.other.count == 0 })
  }

  @Test("The metrics are sums over the tokens of all pairs, a share of the pairs, and count pairs")
  func metrics() throws {
    let scores = try PairScore.scores(
      of: Self.pairs, on: decoder(), workers: Workers(count: 1))
    let metrics = KeyStepMetrics(scores)
    let preferred = scores.count { $0.prefersChosen }
    #expect(metrics.prefersChosen == .share(preferred, of: scores.count))
    func total(_ value: (PairScore) -> Double) -> Double { scores.map(value).reduce(0, +) }
    let key = total { Double($0.key.count) }
    #expect(metrics.keyTop1.value == total { Double($0.key.top1) } / key)
    #expect(
      abs(metrics.keyNegativeLogLikelihood.value - total { $0.key.negativeLogLikelihood } / key)
        < 1e-12)
    let other = total { Double($0.other.count) }
    #expect(
      abs(
        metrics.otherNegativeLogLikelihood.value - total { $0.other.negativeLogLikelihood } / other)
        < 1e-12)
    for estimate in [
      metrics.keyTop1, metrics.keyNegativeLogLikelihood, metrics.otherNegativeLogLikelihood,
    ] {
      #expect(estimate.count == scores.count)
      #expect(estimate.low <= estimate.value && estimate.value <= estimate.high)
    }
  }

  @Test("No pairs have no value, and a likelihood that is no number is an error naming the pair")
  func edges() throws {
    let metrics = KeyStepMetrics([])
    #expect(metrics.prefersChosen.value.isNaN && metrics.keyTop1.value.isNaN)
    let decoder = try decoder()
    decoder.parameters["model.norm.weight"][0] = .nan
    let error = #expect(throws: EvaluationError.self) {
      try PairScore.scores(of: Self.pairs, on: decoder, workers: Workers(count: 1))
    }
    #expect(error?.example == "pair 0")
  }

  @Test("A ratio and its interval are those worked out by hand")
  func ratio() {
    // y = 1, 2, 6 over x = 2, 4, 6: r = 9/12 = 0.75, residuals y - r x = -0.5, -1, 1.5, whose
    // squares add up to 3.5; √(3.5 / 2) / (√3 · 4) = 0.19094065; t of 2 degrees of freedom at
    // 97.5 % is 4.30265273.
    let ratio = Estimate.ratio(of: [1, 2, 6], over: [2, 4, 6])
    #expect(ratio.value == 0.75 && ratio.count == 3)
    #expect(abs(ratio.high - 0.75 - 0.82155130) < 1e-7)
    #expect(abs(0.75 - ratio.low - 0.82155130) < 1e-7)
    // In proportion, nothing is left over.
    let exact = Estimate.ratio(of: [1, 2, 3], over: [2, 4, 6])
    #expect(abs(exact.low - 0.5) < 1e-15 && abs(exact.high - 0.5) < 1e-15)
    // A cluster without tokens says nothing of the ratio.
    #expect(Estimate.ratio(of: [1, 2, 6, 0], over: [2, 4, 6, 0]).value == 0.75)
  }

  @Test("A ratio of one cluster has no bounds, and one over nothing no value")
  func ratioEdges() {
    let one = Estimate.ratio(of: [3], over: [4])
    #expect(one.value == 0.75 && one.low == -.infinity && one.high == .infinity)
    for empty in [Estimate.ratio(of: [], over: []), .ratio(of: [0, 0], over: [0, 0])] {
      #expect(empty.value.isNaN && empty.low == -.infinity && empty.high == .infinity)
    }
  }
}
