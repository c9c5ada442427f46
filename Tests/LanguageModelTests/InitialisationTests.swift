import Checkpoints
import LanguageModel
import LinearAlgebra
import Randomness
import TestSupport
import Testing

/// How from-scratch models and adapters start.
@Suite struct InitialisationTests {
  static let configuration = ModelConfiguration(
    architecture: .qwen2, vocabularySize: 300, hiddenSize: 48, intermediateSize: 80, layerCount: 2,
    headCount: 4, keyValueHeadCount: 2, tiesEmbeddings: false)

  private func decoder(
    _ initialisation: Decoder.Initialisation, seed: UInt64 = 1, stream: String = "initialisation"
  ) throws -> Decoder {
    var generator = SeededGenerator(seed: seed, stream: stream)
    return try .random(Self.configuration, initialisation: initialisation, using: &generator)
  }

  @Test(
    "A seed's parameters are the same each time, and another seed's or stream's are others",
    arguments: Decoder.Initialisation.allCases)
  func seeds(initialisation: Decoder.Initialisation) throws {
    let first = try decoder(initialisation).parameters.values
    #expect(try decoder(initialisation).parameters.values == first)
    for other in [
      try decoder(initialisation, seed: 2), try decoder(initialisation, stream: "dropout"),
    ] {
      let values = other.parameters.values
      // Norms and biases alone are equal.
      let equal = zip(first, values).count { $0 == $1 }
      let vectors = other.parameters.slots.filter { $0.shape.count == 1 }.reduce(0) {
        $0 + $1.count
      }
      #expect(equal <= vectors + 10)
    }
  }

  @Test("What is drawn from one stream leaves the others as they were")
  func streams() throws {
    var dropout = SeededGenerator(seed: 1, stream: "dropout")
    var initialisation = SeededGenerator(seed: 1, stream: "initialisation")
    for _ in 0..<1000 { _ = dropout.next() }
    let decoder = try Decoder.random(Self.configuration, using: &initialisation)
    #expect(
      try decoder.parameters.values
        == self.decoder(.normal).parameters.values)
    // Streams share no run of numbers: none of one's thousand stands among the other's.
    var again = SeededGenerator(seed: 1, stream: "initialisation")
    var other = SeededGenerator(seed: 1, stream: "dropout")
    let numbers = Set((0..<1000).map { _ in again.next() })
    #expect((0..<1000).allSatisfy { _ in !numbers.contains(other.next()) })
  }

  @Test("Norms start at one, biases at zero, embeddings and projections with deviation 0.02")
  func normal() throws {
    let parameters = try decoder(.normal).parameters
    for slot in parameters.slots {
      let values = parameters.values(slot.name).map(Double.init)
      if slot.name.hasSuffix("norm.weight") {
        #expect(values.allSatisfy { $0 == 1 }, "\(slot.name)")
      } else if slot.name.hasSuffix("bias") {
        #expect(values.allSatisfy { $0 == 0 }, "\(slot.name)")
      } else {
        // Five standard errors of a mean and of a deviation.
        let n = Double(values.count)
        let mean = values.reduce(0, +) / n
        let deviation = (values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / n).squareRoot()
        #expect(abs(mean) < 5 * 0.02 / n.squareRoot(), "\(slot.name)")
        #expect(abs(deviation - 0.02) < 5 * 0.02 / (2 * n).squareRoot(), "\(slot.name)")
      }
    }
  }

  @Test(
    "Orthogonal projections have orthonormal rows or columns, whichever are fewer, times 1/√3")
  func orthogonal() throws {
    let parameters = try decoder(.orthogonal).parameters
    for slot in parameters.slots where slot.name.contains("_proj.weight") {
      let matrix = Matrix(
        rows: slot.shape[0], columns: slot.shape[1], elements: parameters.values(slot.name))
      let isTall = matrix.rows > matrix.columns
      let gram: Matrix<Float> = .product(
        matrix, transposingLeft: isTall, matrix, transposingRight: !isTall)
      let identity = Matrix<Float>.identity(gram.rows).elements
      let worst = zip(gram.elements, identity).map { abs($0 - $1 / 3) }.max() ?? .nan
      #expect(worst < 1e-5, "\(slot.name)")
    }
    // The embeddings start as they do without it.
    let embedding = parameters.values("model.embed_tokens.weight").map(Double.init)
    let meanSquare = embedding.reduce(0) { $0 + $1 * $1 } / Double(embedding.count)
    #expect(abs(meanSquare.squareRoot() - 0.02) < 1e-3)
  }

  @Test("An adapter starts with A even within 1/√in and B zero, so that it changes nothing yet")
  func adapter() throws {
    let base = try decoder(.orthogonal)
    let configuration = LowRankConfiguration(
      rank: 8, alpha: 16, dropout: 0, targets: Architecture.llama.family.projections)
    var generators = [1, 1, 2].map { SeededGenerator(seed: $0, stream: "adapter") }
    let adapters = try generators.indices.map {
      try LowRankAdapter(configuration, for: Self.configuration, using: &generators[$0])
    }
    let values = adapters.map { $0.parameters.values }
    #expect(values[0] == values[1] && values[0] != values[2])
    #expect(adapters[0].parameters.slots.count == 2 * 7 * 2)
    for slot in adapters[0].parameters.slots {
      let values = adapters[0].parameters.values(slot.name)
      if slot.name.hasSuffix("lora_B.weight") {
        #expect(values.allSatisfy { $0 == 0 }, "\(slot.name)")
      } else {
        let bound = 1 / Float(slot.shape[1]).squareRoot()
        #expect(values.allSatisfy { abs($0) <= bound }, "\(slot.name)")
        #expect(values.contains { $0 > 0.9 * bound } && values.contains { $0 < -0.9 * bound })
      }
    }
    let workers = Workers(count: 1)
    let tokens = [1, 7, 20, 299]
    #expect(
      workers.logits(of: tokens, on: base.adapted(by: adapters[0]))
        == workers.logits(of: tokens, on: base))
  }
}
