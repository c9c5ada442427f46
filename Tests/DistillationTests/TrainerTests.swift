import Checkpoints
import Distillation
import Files
import Foundation
import KeySteps
import LanguageModel
import Randomness
import TestSupport
import Testing

@Suite struct TrainerTests {
  @Test(
    "A run that was stopped, saved and gone on with ends as one that was not, bit for bit",
    arguments: [false, true])
  func resume(adapted: Bool) throws {
    let path = NSTemporaryDirectory() + "keystep-\(UUID().uuidString)/state.safetensors"
    defer {
      try? FileManager.default.removeItem(
        at: URL(fileURLWithPath: path).deletingLastPathComponent())
    }
    let whole = try trainer(adapted)
    try whole.run()
    let first = try trainer(adapted)
    try first.run(shouldStop: { first.nextStep == 4 })
    try first.save(to: path)
    let second = try trainer(adapted)
    try second.restore(from: path)
    #expect(second.nextStep == 4)
    var reports: [StepReport] = []
    try second.run(report: { reports.append($0) })
    #expect(reports.map(\.step) == Array(4..<9))
    #expect(
      Array(second.decoder.trainable.buffer.floats) == Array(whole.decoder.trainable.buffer.floats))
    #expect(
      Array(second.decoder.trainable.buffer.floats) != Array(first.decoder.trainable.buffer.floats))

    // A run with other settings or examples, or of another objective, does not go on from it.
    let other = try trainer(adapted, learningRate: 1e-4)
    let error = #expect(throws: FileError.self) { try other.restore(from: path) }
    #expect(error?.location == "setting learningRate" && other.nextStep == 0)
    var changed = first.objective
    changed.examples[1].tree.segments[1].weights[0] += 0.5
    let others = Trainer(
      first.decoder, changed, first.settings, workers: Workers(count: 2))
    #expect(
      #expect(throws: FileError.self) { try others.restore(from: path) }?.location
        == "sha256 examples")
    try first.save(to: path, provenance: ["objective": "krsl", "beta": "-0.1"])
    let named = #expect(throws: FileError.self) {
      try second.restore(from: path, provenance: ["objective": "dpo", "beta": "-0.1"])
    }
    #expect(
      named?.description
        == "\(path): objective: expected objective=dpo, found objective=krsl")
    if adapted {
      let other = try trainer(adapted, dropout: 0.2)
      let error = #expect(throws: FileError.self) { try other.restore(from: path) }
      #expect(error?.location == "adapter dropout, beta, dropout, objective")
    }
  }

  @Test("An objective that compares with the epoch before has its losses, after a restart too")
  func epochBefore() throws {
    let path = NSTemporaryDirectory() + "keystep-\(UUID().uuidString)/state.safetensors"
    defer {
      try? FileManager.default.removeItem(
        at: URL(fileURLWithPath: path).deletingLastPathComponent())
    }
    let chains = try Teachings().data.chains
    let workers = Workers(count: 1)
    func trainer() throws -> Trainer {
      Trainer(
        try tinyDecoder(seed: 5), .gainWeighted(chains, alpha: 1.5, beta: 5),
        TrainingSettings(
          learningRate: 1e-2, length: .epochs(3), batchSize: 1, shuffles: false), workers: workers)
    }
    let whole = try trainer()
    let trees = Objective.chainsOfThought(chains).examples.map(\.tree)
    var before = chains.map { _ in Double?.none }
    for _ in 0..<3 {
      for index in chains.indices {
        let loss = workers.losses(of: [trees[index]], on: whole.decoder)[0].loss
        let weight = before[index].map { min(max(1.5 / (1 + exp(5 * ($0 - loss))), 0.5), 5) } ?? 1
        #expect(abs(try whole.step().loss - weight * loss) < 1e-4 * loss)
        before[index] = loss
      }
    }

    let first = try trainer()
    for _ in 0..<3 { _ = try first.step() }
    try first.save(to: path)
    let second = try trainer()
    try second.restore(from: path)
    for _ in 0..<3 { _ = try second.step() }
    #expect(
      Array(second.decoder.trainable.buffer.floats) == Array(whole.decoder.trainable.buffer.floats))
  }

  @Test("Batches of one example and of many give the same step")
  func accumulation() throws {
    let one = try trainer(false, batchSize: 8, tokensPerPass: 1)
    let many = try trainer(false, batchSize: 8, tokensPerPass: 4096)
    let (a, b) = (try one.step(), try many.step())
    #expect(abs(a.loss - b.loss) < 1e-6 * abs(b.loss))
    #expect(
      relativeError(one.decoder.trainable.buffer.floats, many.decoder.trainable.buffer.floats)
        < 1e-6)
  }

  @Test("Another seed draws another order and other masks, and one seed always the same")
  func seeds() throws {
    let losses = try [UInt64(1), 1, 2].map { seed in
      let trainer = try trainer(true, seed: seed)
      return try (0..<3).map { _ in try trainer.step().loss }
    }
    #expect(losses[0] == losses[1])
    #expect(losses[0] != losses[2])
  }

  @Test(
    "A loss that is no number stops the run, names the step and the examples, and leaves the parameters be"
  )
  func notFinite() throws {
    let trainer = try trainer(false)
    _ = try trainer.step()
    let norm = trainer.decoder.parameters["model.norm.weight"]
    norm[0] = .infinity
    let before = trainer.decoder.parameters["model.embed_tokens.weight"].map(\.bitPattern)
    let error = #expect(throws: TrainingError.self) { try trainer.step() }
    #expect(error?.step == 1)
    #expect(error?.examples.isEmpty == false)
    #expect(error?.examples.allSatisfy { $0.hasPrefix("pair") } == true)
    #expect(trainer.nextStep == 1)
    #expect(trainer.decoder.parameters["model.embed_tokens.weight"].map(\.bitPattern) == before)
  }

  @Test("Schedules start, fall and end where they should")
  func schedules() {
    let cosine = LearningRateSchedule.cosine(warmUp: 4, floor: 0.05)
    let factors = (0..<20).map { cosine.factor(step: $0, of: 20, epoch: 0) }
    #expect(factors[0] == 0.25 && factors[3] == 1 && factors[4] == 1)
    #expect(abs(factors[19] - 0.05) < 1e-12)
    #expect(zip(factors[4...], factors[5...]).allSatisfy { $0 >= $1 })
    let falling = LearningRateSchedule.exponentialPerEpoch(factor: 0.95)
    #expect(falling.factor(step: 30, of: 90, epoch: 2) == 0.95 * 0.95)
  }

  @Test("An adapter and a model that were written are read again as they were")
  func files() throws {
    let folder = NSTemporaryDirectory() + "keystep-\(UUID().uuidString)"
    defer { try? FileManager.default.removeItem(atPath: folder) }
    let trainer = try trainer(true)
    try trainer.run()
    let adapter = try #require(trainer.decoder.adapter)
    try adapter.write(to: folder + "/adapter", baseModel: "untied")
    let read = try LowRankAdapter(
      PEFTAdapter(folder: folder + "/adapter"), for: trainer.decoder.configuration, file: folder)
    #expect(read.configuration.targets == adapter.configuration.targets)
    #expect(Array(read.parameters.buffer.floats) == Array(adapter.parameters.buffer.floats))
    try trainer.decoder.write(to: folder + "/model")
    let model = try Decoder(Checkpoint(path: folder + "/model"))
    #expect(
      Array(model.parameters.buffer.floats) == Array(trainer.decoder.parameters.buffer.floats))
  }

  /// Nine steps (three epochs of eight pairs in batches of three) over random pairs.
  private func trainer(
    _ adapted: Bool, learningRate: Double = 1e-3, dropout: Float = 0.1, batchSize: Int = 3,
    seed: UInt64 = 7,
    tokensPerPass: Int = 24
  ) throws -> Trainer {
    var generator = SeededGenerator(seed: 3)
    func tokens(_ count: Int) -> [Int] { (0..<count).map { _ in generator.index(below: 90) } }
    let pairs = (0..<8).map { index in
      let start = tokens(3)
      return TokenizedPair(
        id: "pair \(index)", prompt: tokens(4), chosen: start + tokens(5),
        rejected: start + tokens(6))
    }
    var decoder = try Decoder(Checkpoint(path: fixture("decoder/untied").path))
    if adapted {
      decoder = decoder.adapted(
        by: try LowRankAdapter(
          LowRankConfiguration(rank: 4, dropout: dropout), for: decoder.configuration,
          using: &generator))
    }
    let settings = TrainingSettings(
      learningRate: learningRate, schedule: .cosine(warmUp: 2, floor: 0.1),
      optimiser: AdamWSettings(weightDecay: 0.01), length: .epochs(3), batchSize: batchSize,
      clipNorm: 1, seed: seed)
    return Trainer(
      decoder, .keySteps(pairs, weights: KeyStepWeights(beta: -0.5, gamma: 0.1)), settings,
      workers: Workers(count: 2, tokensPerPass: tokensPerPass))
  }
}
