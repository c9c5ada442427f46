import Checkpoints
import Distillation
import Files
import Foundation
import LanguageModel
import Randomness
import TestSupport
import Testing

@Suite struct ValidationTests {
  /// Six random pairs that `seed` draws.
  private func pairs(_ seed: UInt64) -> [TokenizedPair] {
    var generator = SeededGenerator(seed: seed)
    func tokens(_ count: Int) -> [Int] { (0..<count).map { _ in generator.index(below: 90) } }
    return (0..<6).map { index in
      let start = tokens(2)
      return TokenizedPair(
        id: "pair \(index)", prompt: tokens(3), chosen: start + tokens(4),
        rejected: start + tokens(5))
    }
  }

  /// Steps over six pairs in batches of two, validated by the loss on six others, or by `values` one after the other
  /// with `lossScale` times that loss added.
  private func trainer(
    _ settings: ValidationSettings?, steps: Int = 8, values: [Double]? = nil,
    lossScale: Double = 0, adapted: Bool = true
  ) throws -> Trainer {
    var generator = SeededGenerator(seed: 5)
    var decoder = try Decoder(Checkpoint(path: fixture("decoder/untied").path))
    if adapted {
      decoder = decoder.adapted(
        by: try LowRankAdapter(
          LowRankConfiguration(rank: 4, alpha: 8, dropout: 0.1), for: decoder.configuration,
          using: &generator))
    }
    let workers = Workers(count: 1)
    let held = Objective.keySteps(pairs(9))
    var trainer: Trainer?
    let validation = settings.map { settings in
      Validation(settings) {
        let figures = held.figures(on: decoder, workers: workers)
        guard let values, let trainer else { return figures }
        let value = values[trainer.nextStep / settings.interval - 1]
        return [("loss", lossScale == 0 ? value : value + lossScale * figures[0].value)]
      }
    }
    let made = Trainer(
      decoder, .keySteps(pairs(5)),
      TrainingSettings(learningRate: 1e-2, length: .steps(steps), batchSize: 2, seed: 3),
      workers: workers, validation: validation)
    trainer = made
    return made
  }

  private func floats(_ trainer: Trainer) -> [Float] {
    Array(trainer.decoder.trainable.buffer.floats)
  }

  private func checkpoints(_ folder: TemporaryFolder) -> TrainingCheckpoints {
    TrainingCheckpoints(path: folder.path + "/state.safetensors", interval: .steps(2))
  }

  @Test("The validation loss is the weighted sum over each pair's tokens, averaged over the pairs")
  func loss() throws {
    let decoder = try tinyDecoder()
    let plain = PlainDecoder(decoder)
    let pairs = pairs(9)
    let (alpha, beta) = (1.0, -0.025)
    var (loss, chosen, rejected) = (0.0, [Double](), [Double]())
    for pair in pairs {
      let keys = pair.keyTokens()
      for (isKey, value) in zip(keys.chosenMask, plain.losses(pair.prompt, pair.chosen))
      where isKey {
        loss += alpha * value / Double(pair.chosen.count)
        chosen.append(value)
      }
      for (isKey, value) in zip(keys.rejectedMask, plain.losses(pair.prompt, pair.rejected))
      where isKey {
        loss += beta * value / Double(pair.rejected.count)
        rejected.append(value)
      }
    }
    func mean(_ values: [Double]) -> Double { values.reduce(0, +) / Double(values.count) }
    let expected = [
      "loss": loss / Double(pairs.count), "chosen_nll": mean(chosen),
      "rejected_nll": mean(rejected),
    ]
    let figures = Objective.keySteps(pairs).figures(on: decoder, workers: Workers(count: 2))
    #expect(figures.map(\.name) == ["loss", "chosen_nll", "rejected_nll"])
    for (name, value) in figures {
      #expect(abs(value - (expected[name] ?? .nan)) < 1e-5 * abs(value), "\(name)")
    }
  }

  @Test("Groups of chains are averaged token by token, as in a step")
  func groups() throws {
    let decoder = try tinyDecoder()
    let plain = PlainDecoder(decoder)
    let chains = pairs(9).enumerated().map { index, pair in
      TokenizedChain(
        id: pair.id, prompt: pair.prompt, response: Array(pair.chosen.prefix(1 + index)))
    }
    var objective = Objective.chainsOfThought(chains)
    objective.examplesPerMean = 4
    let means = [chains.prefix(4), chains.dropFirst(4)].map { group in
      let losses = group.flatMap { plain.losses($0.prompt, $0.response) }
      return losses.reduce(0, +) / Double(losses.count)
    }
    let found = objective.figures(on: decoder, workers: Workers(count: 1))[0].value
    #expect(abs(found - (means[0] + means[1]) / 2) < 1e-5 * found)
  }

  @Test("An objective that compares with the epoch before is validated as in its first epoch")
  func epochBefore() throws {
    let decoder = try tinyDecoder()
    let chains = pairs(9).map(\.chosenChain)
    let workers = Workers(count: 1)
    #expect(
      Objective.gainWeighted(chains).figures(on: decoder, workers: workers)[0].value
        == Objective.chainsOfThought(chains).figures(on: decoder, workers: workers)[0].value)
  }

  @Test("Validation changes no step, and is a column of the learning curve")
  func curve() throws {
    let plain = try trainer(nil)
    try plain.run()
    let validated = try trainer(ValidationSettings(interval: 3))
    var reports: [StepReport] = []
    try validated.run(report: { reports.append($0) })
    #expect(floats(validated) == floats(plain))
    #expect(reports.map { $0.validation.isEmpty } == (1...8).map { ![3, 6].contains($0) })
    let table = validated.curve.table
    #expect(
      table[0].suffix(3)
        == ["validation_loss", "validation_chosen_nll", "validation_rejected_nll"])
    for (row, report) in zip(table.dropFirst(), reports) {
      #expect(row[7] == (report.validation.first.map { "\(Float($0.value))" } ?? ""))
    }
    #expect(table.map { Array($0.prefix(7)) } == plain.curve.table)
  }

  // The counter and the best value as EarlyStoppingCallback and Trainer of Transformers have them.
  @Test(
    "A run ends where patience runs out, and the first of the best validations is known",
    arguments: [
      // values, patience, threshold, steps taken, best step
      ([5, 4, 4, 3, 3.5, 3.2, 1], 2, 0, 6, 4),
      ([5, 4, 4, 4, 4, 4, 4], 3, 0, 5, 2),
      ([5, 4.95, 4.9, 4.85, 4.8, 1, 1], 3, 0.2, 4, 4),
      // Each is better than the best one, which it becomes, but by no more than the threshold.
      ([5, 4.5, 4, 3.5, 3, 2.5, 2], 9, 0.5, 7, 7),
      ([5, 4, 3, 2, 1, 0, -1], 1, 0, 7, 7),
      ([5, 6, 4, 4, 4, 4, 4], 1, 0, 2, 1),
      ([.nan, .infinity, 2, .nan, 3, 3, 3], 3, 0, 6, 3),
    ] as [([Double], Int, Double, Int, Int)])
  func patience(values: [Double], patience: Int, threshold: Double, steps: Int, best: Int) throws {
    let trainer = try trainer(
      ValidationSettings(interval: 1, patience: patience, threshold: threshold), steps: 7,
      values: values)
    try trainer.run()
    #expect(trainer.nextStep == steps)
    #expect(trainer.validations.best == .init(step: best, value: values[best - 1]))
    #expect(trainer.isFinished && trainer.hasStoppedEarly == (steps < 7))
    // There is nothing left to do.
    try trainer.run(report: { _ in Issue.record("a step after the end") })
  }

  @Test("Of accuracies the highest is the best")
  func higher() {
    let settings = ValidationSettings(interval: 2, metric: .accuracy, patience: 2)
    var history = ValidationHistory()
    #expect(
      [0.25, 0.5, 0.5, 0.75, 0.5].enumerated().map {
        history.add($1, step: 2 * ($0 + 1), settings)
      } == [true, true, false, true, false])
    #expect(history.best == .init(step: 8, value: 0.75) && history.withoutImprovement == 1)
    for metric in ValidationMetric.allCases {
      #expect(metric.isHigherBetter == metric.rawValue.hasSuffix("accuracy"))
    }
  }

  @Test(
    "The parameters of the best validation are those of a run that ends there",
    arguments: [true, false])
  func best(adapted: Bool) throws {
    let settings = ValidationSettings(interval: 2, keepsBest: true)
    let trainer = try trainer(settings, values: [3, 1, 2, 2], adapted: adapted)
    try trainer.run()
    let last = floats(trainer)
    #expect(trainer.useBest() == 4)
    let short = try self.trainer(nil, steps: 4, adapted: adapted)
    try short.run()
    #expect(floats(trainer) == floats(short) && last != floats(short))
    // None was finite: the last ones stay.
    let none = try self.trainer(settings, values: [.nan, .nan, .nan, .nan], adapted: adapted)
    try none.run()
    #expect(none.useBest() == 8 && floats(none) == last)
  }

  @Test("A run that ends at any step goes on to the same best step, early end and bits")
  func everyStep() throws {
    let settings = ValidationSettings(interval: 1, patience: 3, keepsBest: true)
    func trainer() throws -> Trainer {
      try self.trainer(
        settings, steps: 30, values: [4, 3, 2, 1, 0, 1, 2, 3], lossScale: 1e-3)
    }
    let whole = try trainer()
    try whole.run()
    let end = whole.nextStep
    let best = try #require(whole.validations.best)
    #expect(whole.hasStoppedEarly && end == 8 && best.step == 5 && best.value != 0)
    let last = floats(whole)
    whole.useBest()
    for stop in 0...end {
      let folder = try TemporaryFolder()
      let first = try trainer()
      var steps = 0
      try first.run(
        saving: checkpoints(folder), report: { _ in steps += 1 }, shouldStop: { steps == stop })
      if stop == end { try first.save(to: checkpoints(folder)) }
      let second = try trainer()
      #expect(try second.restore(from: checkpoints(folder)))
      #expect(second.nextStep == stop && second.hasStoppedEarly == (stop == end))
      try second.run(saving: checkpoints(folder))
      #expect(second.nextStep == end && second.validations == whole.validations)
      #expect(floats(second) == last && second.curve.table == whole.curve.table)
      #expect(second.useBest() == best.step && floats(second) == floats(whole))
    }
  }

  @Test("A state of another validation, or of none, is refused with what differs")
  func identity() throws {
    let folder = try TemporaryFolder()
    let first = try trainer(ValidationSettings(interval: 2, patience: 1))
    _ = try first.step()
    try first.save(to: checkpoints(folder))
    for (settings, location) in [
      (ValidationSettings(interval: 3, patience: 1), "validation interval"),
      (ValidationSettings(interval: 2, metric: .accuracy, patience: 1), "validation metric"),
      (ValidationSettings(interval: 2, patience: 2), "validation patience"),
      (ValidationSettings(interval: 2), "validation patience"),
      (ValidationSettings(interval: 2, patience: 1, threshold: 0.5), "validation threshold"),
      (ValidationSettings(interval: 2, patience: 1, keepsBest: true), "validation keepsBest"),
    ] {
      let error = #expect(throws: FileError.self) {
        try trainer(settings).restore(from: checkpoints(folder))
      }
      #expect(error?.location == location)
    }
    let none = #expect(throws: FileError.self) {
      try trainer(nil).restore(from: checkpoints(folder))
    }
    #expect(none?.location?.contains("validation interval") == true)
  }

  @Test("A validation without the figure that it is compared by is an error with those it has")
  func missingFigure() throws {
    let trainer = try trainer(ValidationSettings(interval: 2, metric: .accuracy))
    let error = #expect(throws: MissingFigureError.self) { try trainer.run() }
    #expect(
      error?.description
        == "validation: expected a figure accuracy, found loss, chosen_nll, rejected_nll")
  }
}
