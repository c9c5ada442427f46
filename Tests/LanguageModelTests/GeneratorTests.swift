import CKernels
import Checkpoints
import Foundation
import LanguageModel
import LinearAlgebra
import Randomness
import Synchronization
import TestSupport
import Testing

/// Decoding with a cache against Transformers, and against itself in other batches.
@Suite struct GeneratorTests {
  /// Greedy continuations that Transformers gives; Tests/Fixtures/decoder/README.md.
  struct Reference: Decodable {
    var prompt: [Int]
    var continuation: [Int]
  }

  static func references(_ model: String) throws -> [Reference] {
    let data = try Data(contentsOf: fixture("decoder/greedy.json"))
    let all = try JSONDecoder().decode([String: [Reference]].self, from: data)
    return try #require(all[model])
  }

  static func decoder(_ name: String) throws -> Decoder {
    try Decoder(Checkpoint(path: fixture("decoder/" + name).path))
  }

  @Test(
    "Greedy continuations equal those of Transformers, in any batch and with one worker or two",
    arguments: DecoderGoldenTests.models, [(1, 1), (3, 1), (64, 1), (3, 2), (64, 2)])
  func greedy(model: String, sizes: (batch: Int, workers: Int)) throws {
    let references = try Self.references(model)
    let decoder = try Self.decoder(model)
    let generator = Generator(workers: sizes.workers, batch: sizes.batch)
    let results = generator.generate(
      references.map(\.prompt), on: decoder, SamplingSettings(maximumNewTokens: 20, stop: [2]))
    #expect(results.map(\.tokens) == references.map(\.continuation))
    for result in results {
      #expect(result.reason == (result.tokens.last == 2 ? .stop : .length))
    }
  }

  /// A model whose context is 24, with an adapter where asked for.
  static func tiny(adapted: Bool = false) throws -> Decoder {
    var generator = SeededGenerator(seed: 7)
    let configuration = ModelConfiguration(
      vocabularySize: 37, hiddenSize: 24, intermediateSize: 40, layerCount: 3, headCount: 4,
      keyValueHeadCount: 2, maximumPositions: 24)
    let decoder = try Decoder.random(
      configuration, initialisation: .orthogonal, using: &generator)
    guard adapted else { return decoder }
    let adapter = try LowRankAdapter(
      LowRankConfiguration(rank: 3, targets: Architecture.llama.family.projections),
      for: configuration,
      using: &generator)
    for value in adapter.parameters.buffer.floats.indices {
      adapter.parameters.buffer.floats[value] = 0.3 * Float(generator.normal())
    }
    return decoder.adapted(by: adapter)
  }

  static func prompts(_ lengths: [Int]) -> [[Int]] {
    var generator = SeededGenerator(seed: 11)
    return lengths.map { length in (0..<length).map { _ in generator.index(below: 37) } }
  }

  @Test(
    "The logits after each cached step equal those of a forward over the whole sequence",
    arguments: DecoderGoldenTests.models + ["tiny", "adapted"])
  func steps(model: String) throws {
    let decoder =
      ["tiny", "adapted"].contains(model)
      ? try Self.tiny(adapted: model == "adapted") : try Self.decoder(model)
    let c = decoder.configuration
    let context = min(c.maximumPositions, 40)
    let lengths = [1, 5, context / 2]
    var sequences = Self.prompts(lengths)
    let pass = DecoderPass()
    let caches = lengths.map { _ in KeyValueCache(c, context: context) }
    var hidden = pass.prefill(sequences, on: decoder, caches)
    while true {
      let logits = pass.logits(hidden, of: decoder)
      for (row, sequence) in sequences.enumerated() {
        let whole = Workers(count: 1).logits(of: sequence, on: decoder)
        let last = whole.elements.suffix(c.vocabularySize)
        let cached = UnsafeBufferPointer(start: logits.row(row), count: c.vocabularySize)
        #expect(relativeError(Array(cached), Array(last)) < 1e-4, "\(sequence.count) tokens")
        #expect(caches[row].count == sequence.count)
      }
      guard sequences[2].count < context else { break }
      let tokens = sequences.map { Int32(($0.count * 7 + $0[0]) % 37) }
      for row in sequences.indices { sequences[row].append(Int(tokens[row])) }
      hidden = pass.step(tokens, on: decoder, caches)
    }
  }

  @Test(
    "Sampled continuations do not depend on the batch, the workers or the other prompts",
    arguments: [false, true])
  func batches(adapted: Bool) throws {
    let decoder = try Self.tiny(adapted: adapted)
    let prompts = Self.prompts((0..<40).map { 1 + $0 % 13 })
    let settings = SamplingSettings(
      temperature: 1, topK: 20, topP: 0.95, maximumNewTokens: 15, stop: [3, 5])
    func run(_ prompts: [[Int]], _ batch: Int, _ workers: Int) -> [GeneratedSequence] {
      Generator(workers: workers, batch: batch).generate(prompts, on: decoder, settings, seed: 4)
    }
    let expected = run(prompts, 1, 1)
    #expect(Set(expected.map(\.reason)) == [.stop, .length, .context])
    for (prompt, result) in zip(prompts, expected) {
      let stops = result.tokens.firstIndex { settings.stop.contains($0) }
      switch result.reason {
      case .stop: #expect(stops == result.tokens.count - 1)
      case .length: #expect(stops == nil && result.tokens.count == 15)
      case .context: #expect(stops == nil && prompt.count + result.tokens.count == 24)
      }
    }
    for (batch, workers) in [(3, 1), (64, 1), (1, 2), (3, 2), (64, 2), (7, 3)] {
      #expect(run(prompts, batch, workers) == expected, "batch \(batch), \(workers) workers")
    }
    #expect(run(Array(prompts.prefix(9)), 4, 2) == Array(expected.prefix(9)))
    let other = Generator(workers: 1, batch: 8).generate(prompts, on: decoder, settings, seed: 5)
    #expect(other != expected)
  }

  @Test("A prompt that fills the context, no room for new tokens, no prompts")
  func edges() throws {
    let generator = Generator(workers: 2, batch: 4)
    let decoder = try Self.tiny()
    let settings = SamplingSettings(maximumNewTokens: 8)
    #expect(generator.generate([], on: decoder, settings) == [])
    let results = generator.generate(Self.prompts([24, 23, 16, 1]), on: decoder, settings)
    #expect(results.map(\.reason) == [.context, .context, .length, .length])
    #expect(results.map(\.tokens.count) == [0, 1, 8, 8])
    let none = generator.generate(
      Self.prompts([24, 3]), on: decoder, SamplingSettings(maximumNewTokens: 0))
    #expect(none == Array(repeating: GeneratedSequence(tokens: [], reason: .length), count: 2))
  }

  @Test("Progress counts every sequence once")
  func progress() throws {
    let counts = Mutex<[Int]>([])
    _ = Generator(workers: 2, batch: 3).generate(
      Self.prompts(Array(repeating: 4, count: 11)), on: try Self.tiny(),
      SamplingSettings(maximumNewTokens: 3)
    ) { count in counts.withLock { $0.append(count) } }
    #expect(counts.withLock { $0 } == Array(1...11))
  }

  /// Settings, and the probabilities they leave of softmax(ln [0.4, 0.3, 0.15, 0.1, 0.05]).
  static let shares: [(SamplingSettings, [Double])] = [
    (SamplingSettings(temperature: 1, maximumNewTokens: 1), [0.4, 0.3, 0.15, 0.1, 0.05]),
    (
      SamplingSettings(temperature: 0.5, maximumNewTokens: 1),
      [0.16, 0.09, 0.0225, 0.01, 0.0025].map { $0 / 0.285 }
    ),
    (SamplingSettings(temperature: 1, topK: 2, maximumNewTokens: 1), [4 / 7, 3 / 7, 0, 0, 0]),
    (SamplingSettings(temperature: 1, topK: 1, maximumNewTokens: 1), [1, 0, 0, 0, 0]),
    (
      SamplingSettings(temperature: 1, topK: 99, topP: 1, maximumNewTokens: 1),
      [0.4, 0.3, 0.15, 0.1, 0.05]
    ),
    (SamplingSettings(temperature: 1, topP: 0.6, maximumNewTokens: 1), [4 / 7, 3 / 7, 0, 0, 0]),
    (SamplingSettings(temperature: 1, topP: 1e-9, maximumNewTokens: 1), [1, 0, 0, 0, 0]),
    // The share is taken of what topK leaves: 0.4 / 0.85 is not half, 0.7 / 0.85 is above.
    (
      SamplingSettings(temperature: 1, topK: 3, topP: 0.5, maximumNewTokens: 1),
      [4 / 7, 3 / 7, 0, 0, 0]
    ),
    (SamplingSettings(temperature: 0, topK: 3, maximumNewTokens: 1), [1, 0, 0, 0, 0]),
  ]

  @Test("Tokens are drawn as often as their probabilities say", arguments: shares)
  func distribution(settings: SamplingSettings, expected: [Double]) {
    var generator = SeededGenerator(seed: 21)
    let draws = 40_000
    var counts = [Int](repeating: 0, count: 5)
    for _ in 0..<draws {
      var logits: [Float] = [0.4, 0.3, 0.15, 0.1, 0.05].map { Float(log($0)) + 2 }
      counts[logits.withUnsafeMutableBufferPointer { settings.token($0, &generator) }] += 1
    }
    for (count, share) in zip(counts, expected) {
      // Five standard deviations.
      let tolerance = 5 * (share * (1 - share) * Double(draws)).squareRoot()
      #expect(abs(Double(count) - share * Double(draws)) <= tolerance, "\(counts)")
    }
  }

  @Test("Equal logits: greedy takes the first, and as likely tokens are kept together")
  func ties() {
    var generator = SeededGenerator(seed: 2)
    func drawn(_ settings: SamplingSettings) -> Set<Int> {
      Set(
        (0..<200).map { _ in
          var logits: [Float] = [1, 3, 3, -.infinity, 3, 2]
          return logits.withUnsafeMutableBufferPointer { settings.token($0, &generator) }
        })
    }
    #expect(drawn(SamplingSettings(maximumNewTokens: 1)) == [1])
    #expect(drawn(SamplingSettings(temperature: 1, topK: 2, maximumNewTokens: 1)) == [1, 2, 4])
    #expect(drawn(SamplingSettings(temperature: 1, topP: 0.1, maximumNewTokens: 1)) == [1, 2, 4])
    #expect(drawn(SamplingSettings(temperature: 9, maximumNewTokens: 1)) == [0, 1, 2, 4, 5])
    #expect(drawn(SamplingSettings(temperature: 1e-4, maximumNewTokens: 1)) == [1, 2, 4])
  }

  @Test(
    "A product for few rows equals the plain one, and a row's result does not depend on the others",
    arguments: [1, 7, 16, 17, 32, 33, 50], [(1, 1), (5, 3), (16, 12), (33, 65), (128, 70)])
  func fewRows(rows: Int, sizes: (inputs: Int, outputs: Int)) {
    let (inputs, outputs) = sizes
    var generator = SeededGenerator(seed: UInt64(rows * 1000 + outputs))
    func noise(_ count: Int) -> FloatBuffer {
      let buffer = FloatBuffer(count: count)
      for i in 0..<count { buffer.base[i] = Float(generator.normal()) }
      return buffer
    }
    // Rows of x and y lie 2 and 3 floats further apart than they are long.
    let (x, weight) = (noise(rows * (inputs + 2)), noise(outputs * inputs))
    let (y, room) = (noise(rows * (outputs + 3)), FloatBuffer(count: 32 * inputs))
    func project(_ first: Int, _ count: Int, adding: Int32) {
      ks_project_few(
        x.base + first * (inputs + 2), inputs + 2, weight.base, y.base + first * (outputs + 3),
        outputs + 3, room.base, count, inputs, outputs, adding)
    }
    let before = Array(y.floats)
    for adding in [Int32(1), 0] {
      y.base.update(from: before, count: before.count)
      project(0, rows, adding: adding)
      for i in 0..<rows {
        for o in 0..<outputs + 3 {
          let place = i * (outputs + 3) + o
          guard o < outputs else {
            #expect(y.base[place] == before[place])
            continue
          }
          var (sum, magnitude) = (adding == 1 ? Double(before[place]) : 0, 0.0)
          magnitude = abs(sum)
          for j in 0..<inputs {
            let term = Double(x.base[i * (inputs + 2) + j]) * Double(weight.base[o * inputs + j])
            sum += term
            magnitude += abs(term)
          }
          // A rounding for each term.
          #expect(abs(Double(y.base[place]) - sum) <= Double(inputs + 1) * 0x1p-24 * magnitude)
        }
      }
    }
    let together = Array(y.floats)
    for i in 0..<rows { project(i, 1, adding: 0) }
    #expect(Array(y.floats) == together)
  }
}
