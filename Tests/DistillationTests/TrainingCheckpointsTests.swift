import Checkpoints
import Distillation
import Files
import Foundation
import LanguageModel
import Randomness
import TestSupport
import Testing

@Suite struct TrainingCheckpointsTests {
  private struct Settings {
    var adapted = true
    var alpha: Float = 8
    var workers = 1
    var schedule = LearningRateSchedule.exponentialPerEpoch(factor: 0.5)
    var length = TrainingSettings.Length.steps(7)
    var learningRate = 1e-2
    var nonFiniteStep = NonFiniteStep.stop
  }

  /// Steps over six random pairs in batches of two.
  private func trainer(_ settings: Settings = Settings()) throws -> Trainer {
    var generator = SeededGenerator(seed: 5)
    func tokens(_ count: Int) -> [Int] { (0..<count).map { _ in generator.index(below: 90) } }
    let pairs = (0..<6).map { index in
      let start = tokens(2)
      return TokenizedPair(
        id: "pair \(index)", prompt: tokens(3), chosen: start + tokens(4),
        rejected: start + tokens(5))
    }
    var decoder = try Decoder(Checkpoint(path: fixture("decoder/untied").path))
    if settings.adapted {
      decoder = decoder.adapted(
        by: try LowRankAdapter(
          LowRankConfiguration(rank: 4, alpha: settings.alpha, dropout: 0.1),
          for: decoder.configuration, using: &generator))
    }
    return Trainer(
      decoder, .keySteps(pairs),
      TrainingSettings(
        learningRate: settings.learningRate, schedule: settings.schedule, length: settings.length,
        batchSize: 2, clipNorm: 1, seed: 3, nonFiniteStep: settings.nonFiniteStep),
      workers: Workers(count: settings.workers))
  }

  private func floats(_ trainer: Trainer) -> [Float] {
    Array(trainer.decoder.trainable.buffer.floats)
  }

  private func checkpoints(_ folder: TemporaryFolder) -> TrainingCheckpoints {
    TrainingCheckpoints(
      path: folder.path + "/work/state.safetensors", provenance: ["run": "a"], interval: .steps(2))
  }

  @Test("A run that ends at any step goes on bit for bit, with what its steps amount to")
  func everyStep() throws {
    let whole = try trainer()
    try whole.run()
    for end in 0...7 {
      let folder = try TemporaryFolder()
      let first = try trainer()
      var steps = 0
      try first.run(
        saving: checkpoints(folder), report: { _ in steps += 1 }, shouldStop: { steps == end })
      let second = try trainer()
      // A run that was stopped before its end saved its state, any other one after each second step.
      #expect(try second.restore(from: checkpoints(folder)))
      #expect(second.nextStep == (end < 7 ? end : 6))
      try second.run(saving: checkpoints(folder))
      #expect(floats(second) == floats(whole))
      #expect(second.curve.table == whole.curve.table)
      #expect(
        try LearningCurve(path: folder.path + "/work/state.steps.csv").table == whole.curve.table)
      var totals = second.totals
      #expect(totals.seconds > 0)
      totals.seconds = whole.totals.seconds
      #expect(totals == whole.totals && totals.updates == 7 && totals.firstLoss != totals.lastLoss)
    }
  }

  @Test("A learning curve has a row for each step, with what was measured after it")
  func curve() throws {
    let folder = try TemporaryFolder()
    let trainer = try trainer()
    var reports: [StepReport] = []
    try trainer.run(
      saving: checkpoints(folder),
      report: { report in
        reports.append(report)
        if report.step == 3 { trainer.note([("validation_accuracy", 0.25)]) }
      })
    let table = trainer.curve.table
    #expect(
      table[0] == [
        "step", "epoch", "loss", "learning_rate", "gradient_norm", "chosen_nll", "rejected_nll",
        "validation_accuracy",
      ])
    #expect(table.count == 8)
    for (row, report) in zip(table.dropFirst(), reports) {
      #expect(row[0] == "\(report.step + 1)" && row[1] == "\(report.epoch + 1)")
      #expect(Float(row[2]) == Float(report.loss) && Float(row[4]) == Float(report.gradientNorm))
      #expect(Float(row[3]) == Float(report.learningRate))
      #expect(Float(row[5]) == report.likelihood.chosen.map { Float($0) })
      #expect(Float(row[6]) == report.likelihood.rejected.map { Float($0) })
      #expect(row[7] == (report.step == 3 ? "0.25" : ""))
    }
  }

  @Test("A run whose learning curve is damaged goes on, and the curve begins where it does")
  func damagedCurve() throws {
    let folder = try TemporaryFolder()
    let first = try trainer()
    var steps = 0
    try first.run(
      saving: checkpoints(folder), report: { _ in steps += 1 }, shouldStop: { steps == 4 })
    let header = LearningCurve().csv
    for damaged in [
      "step,loss\n1,", header + "1,1,0.5\n", header + "1e30,1,0.5,1,1,1,1\n",
      header + ",1,0.5,1,1,1,1\n", header + "1,0.5,0.5,1,1,1,1\n",
    ] {
      try folder.write(damaged, to: "work/state.steps.csv")
      let second = try trainer()
      #expect(try second.restore(from: checkpoints(folder)))
      try second.run()
      #expect(second.curve.table.dropFirst().map { $0[0] } == ["5", "6", "7"])
    }
  }

  @Test("A damaged state is not used: the one before takes its place, or the run begins anew")
  func damaged() throws {
    let whole = try trainer()
    try whole.run()
    let damages: [(String, (Data) -> Data)] = [
      ("cut", { $0.prefix($0.count / 2) }), ("empty", { _ in Data() }),
      (
        "one bit",
        { data in
          var data = data
          data[data.count - 5] ^= 1
          return data
        }
      ),
      (
        "the steps",
        { data in
          var data = data
          if let range = data.range(of: Data("\"steps\":\"4\"".utf8)) {
            data.replaceSubrange(range, with: Data("\"steps\":\"3\"".utf8))
          }
          return data
        }
      ),
    ]
    for (name, damage) in damages {
      let folder = try TemporaryFolder()
      let first = try trainer()
      try first.run(saving: checkpoints(folder), shouldStop: { first.nextStep == 4 })
      #expect(
        folder.names("work") == [
          "state.previous.safetensors", "state.safetensors", "state.steps.csv",
        ])
      let path = URL(fileURLWithPath: checkpoints(folder).path)
      let before = try Data(contentsOf: path)
      #expect(damage(before) != before)
      try damage(before).write(to: path)
      let second = try trainer()
      #expect(try second.restore(from: checkpoints(folder)) && second.nextStep == 4, "\(name)")
      try second.run(saving: checkpoints(folder))
      #expect(floats(second) == floats(whole), "\(name)")
      // Both damaged.
      let (last, previous) = (checkpoints(folder).path, checkpoints(folder).previousPath)
      for path in [last, previous] {
        try damage(before).prefix(100).write(to: URL(fileURLWithPath: path))
      }
      let third = try trainer()
      #expect(try !third.restore(from: checkpoints(folder)) && third.nextStep == 0, "\(name)")
      #expect(folder.names("work") == ["state.steps.csv"])
    }
  }

  @Test(
    "A finished run is continued for more steps or epochs, as if it had been longer from the start")
  func longer() throws {
    let folder = try TemporaryFolder()
    for (short, long) in [
      (TrainingSettings.Length.steps(4), TrainingSettings.Length.steps(8)),
      (.epochs(1), .epochs(3)), (.steps(4), .epochs(2)),
    ] {
      for schedule in [LearningRateSchedule.constant, .exponentialPerEpoch(factor: 0.5)] {
        let first = try trainer(Settings(schedule: schedule, length: short))
        try first.run()
        try first.save(to: checkpoints(folder))
        let second = try trainer(Settings(schedule: schedule, length: long))
        #expect(try second.restore(from: checkpoints(folder)))
        try second.run()
        let whole = try trainer(Settings(schedule: schedule, length: long))
        try whole.run()
        #expect(floats(second) == floats(whole) && floats(second) != floats(first))
      }
    }
    // Not to fewer than it has taken.
    let shorter = try trainer(Settings(length: .steps(2)))
    let first = try trainer(Settings(length: .steps(4)))
    try first.run()
    try first.save(to: checkpoints(folder))
    let error = #expect(throws: FileError.self) { try shorter.restore(from: checkpoints(folder)) }
    #expect(
      error?.description.hasSuffix(
        "steps: expected at most the 2 steps of this run, found 4 steps taken") == true)
    // A schedule that falls to its end would have fallen otherwise.
    let cosine = LearningRateSchedule.cosine(warmUp: 1, floor: 0)
    let fixed = try trainer(Settings(schedule: cosine, length: .steps(4)))
    try fixed.run()
    try fixed.save(to: checkpoints(folder))
    let other = try trainer(Settings(schedule: cosine, length: .steps(5)))
    let refused = #expect(throws: FileError.self) { try other.restore(from: checkpoints(folder)) }
    #expect(refused?.location == "setting length")
    #expect(refused?.expected.contains("whose length cannot change") == true)
  }

  @Test("A state of other workers, another adapter or another run is refused with what differs")
  func identity() throws {
    let folder = try TemporaryFolder()
    let first = try trainer()
    _ = try first.step()
    try first.save(to: checkpoints(folder))
    for (settings, location) in [
      (Settings(workers: 2), "workers"), (Settings(alpha: 16), "adapter alpha"),
      (Settings(learningRate: 1e-3), "setting learningRate"),
      (Settings(nonFiniteStep: .skip), "setting nonFiniteStep"),
    ] {
      let other = try trainer(settings)
      let error = #expect(throws: FileError.self) { try other.restore(from: checkpoints(folder)) }
      #expect(error?.location == location && other.nextStep == 0)
    }
    for provenance in [["run": "b"], ["run": "a", "data": "x"], [:]] {
      var others = checkpoints(folder)
      others.provenance = provenance
      let error = #expect(throws: FileError.self) { try first.restore(from: others) }
      #expect(error?.location == (provenance["data"] == nil ? "run" : "data"))
    }
    // What is refused stays.
    #expect(folder.names("work") == ["state.safetensors", "state.steps.csv"])
  }

  @Test("States are due by time, and so seldom that saving costs at most a hundredth")
  func timer() {
    let start = ContinuousClock.now
    func at(_ seconds: Double) -> ContinuousClock.Instant { start.advanced(by: .seconds(seconds)) }
    var timer = SavingTimer(.time(.seconds(60)), now: start)
    #expect(!timer.isDue(after: 1, now: at(59)) && timer.isDue(after: 1, now: at(60)))
    timer.saved(in: .milliseconds(100), now: at(60))
    #expect(!timer.isDue(after: 2, now: at(119)) && timer.isDue(after: 2, now: at(120)))
    timer.saved(in: .seconds(2), now: at(122))
    #expect(!timer.isDue(after: 3, now: at(321)) && timer.isDue(after: 3, now: at(322)))
    var always = SavingTimer(.time(.zero), now: start)
    always.saved(in: .seconds(9), now: start)
    #expect(always.isDue(after: 1, now: start))
    let counted = SavingTimer(.steps(3), now: start)
    #expect((1...6).filter { counted.isDue(after: $0, now: start) } == [3, 6])
  }

  @Test("A state that cannot be saved does not end the run")
  func unwritable() throws {
    let folder = try TemporaryFolder()
    try folder.write("", to: "file")
    var checkpoints = checkpoints(folder)
    checkpoints.path = folder.path + "/file/state.safetensors"
    let whole = try trainer()
    try whole.run()
    let other = try trainer()
    try other.run(saving: checkpoints)
    #expect(floats(other) == floats(whole))
    // One that is to stop would lose its work, and says so.
    let stopped = try trainer()
    #expect(throws: FileError.self) {
      try stopped.run(saving: checkpoints, shouldStop: { stopped.nextStep == 1 })
    }
  }

  // MARK: Numbers that are not finite

  @Test("Parameters that are not finite after the last update are an error, and are not saved")
  func lastUpdate() throws {
    let folder = try TemporaryFolder()
    let trainer = try trainer(Settings(length: .steps(1), learningRate: 1e308))
    let error = #expect(throws: TrainingError.self) { try trainer.run() }
    #expect(error?.step == 0 && error?.quantity.hasPrefix("parameters' norm") == true)
    #expect(error?.description.hasPrefix("step 1: the parameters' norm") == true)
    #expect(throws: TrainingError.self) { try trainer.save(to: checkpoints(folder)) }
    #expect(folder.names("work") == ["state.steps.csv"])
  }

  /// A trainer whose pair 3 has an infinite loss, as a weight beyond the range of a Float gives it.
  private func spoiled(_ settings: Settings) throws -> Trainer {
    let trainer = try trainer(settings)
    var objective = trainer.objective
    let segment = objective.examples[3].tree.segments.count - 1
    objective.examples[3].tree.segments[segment].weights[0] = .infinity
    return Trainer(trainer.decoder, objective, trainer.settings, workers: trainer.workers)
  }

  @Test(
    "A step without a finite loss is named with its example, and skipped where that is asked for")
  func skip() throws {
    let stopping = try spoiled(Settings())
    let error = #expect(throws: TrainingError.self) { try stopping.run() }
    #expect(error?.examples == ["pair 3"] && error?.quantity == "loss")
    let steps = stopping.nextStep
    #expect(error?.description.hasPrefix("step \(steps + 1): the loss is ") == true)
    #expect(error?.description.hasSuffix(", examples pair 3") == true)

    // The pair comes once in each epoch of three steps.
    for (handling, factors) in [
      (NonFiniteStep.skip, [1, 1, 1, 1, 1, 1, 1]), (.reduceRate, [1, 0.5, 0.25]),
    ] {
      let trainer = try spoiled(
        Settings(schedule: .constant, length: .steps(9), nonFiniteStep: handling))
      var reports: [StepReport] = []
      var before = floats(trainer)
      try trainer.run(report: { report in
        let after = floats(trainer)
        #expect((after == before) == (report.skipped != nil))
        before = after
        reports.append(report)
      })
      let skipped = reports.filter { $0.skipped != nil }
      #expect(skipped.count == 3 && skipped.allSatisfy { $0.skipped?.examples == ["pair 3"] })
      #expect(trainer.totals.skippedSteps == 3 && trainer.totals.updates == 6)
      #expect(trainer.totals.lastLoss.isFinite && trainer.totals.meanGradientNorm.isFinite)
      #expect(!before.contains { !$0.isFinite })
      for (report, factor) in zip(skipped, factors) {
        #expect(report.learningRate == 1e-2 * factor)
      }
      // It goes on as it was, the reduced rate included.
      let folder = try TemporaryFolder()
      let half = try spoiled(
        Settings(schedule: .constant, length: .steps(9), nonFiniteStep: handling))
      try half.run(saving: checkpoints(folder), shouldStop: { half.nextStep == 5 })
      let rest = try spoiled(
        Settings(schedule: .constant, length: .steps(9), nonFiniteStep: handling))
      #expect(try rest.restore(from: checkpoints(folder)))
      try rest.run()
      #expect(floats(rest) == before)
    }
  }

  @Test("A run in which no step has a finite loss any more ends")
  func hopeless() throws {
    let trainer = try trainer(
      Settings(adapted: false, length: .steps(1000), nonFiniteStep: .skip))
    trainer.decoder.trainable["model.norm.weight"][0] = .infinity
    trainer.decoder.trainable.didChange()
    let error = #expect(throws: TrainingError.self) { try trainer.run() }
    #expect(error?.step == 10)
  }

  @Test("A checkpoint or an adapter with numbers that are not finite is refused with the tensor")
  func spoiledFiles() throws {
    let folder = try TemporaryFolder()
    let path = try numberedModel(in: folder.path)
    let student = try Student(path: path)
    student.decoder.trainable["model.norm.weight"][3] = .nan
    try student.decoder.write(to: path)
    for weights in Decoder.WeightForm.allCases {
      let error = #expect(throws: FileError.self) { try Student(path: path, weights: weights) }
      #expect(error?.location == "tensor model.norm.weight" && error?.found == "nan at 3")
      #expect(error?.file == path + "/model.safetensors")
    }
    student.decoder.trainable["model.norm.weight"][3] = 1
    student.decoder.trainable["model.layers.1.mlp.up_proj.weight"][5] = -.infinity
    try student.decoder.write(to: path)
    for weights in Decoder.WeightForm.allCases {
      let error = #expect(throws: FileError.self) { try Student(path: path, weights: weights) }
      #expect(error?.location == "tensor model.layers.1.mlp.up_proj.weight")
      #expect(error?.found == "-inf at 5")
    }

    student.decoder.trainable["model.layers.1.mlp.up_proj.weight"][5] = 0
    try student.decoder.write(to: path)
    var adapted = try Student(path: path)
    var generator = SeededGenerator(seed: 1)
    let adapter = try LowRankAdapter(
      LowRankConfiguration(rank: 2), for: adapted.decoder.configuration, using: &generator)
    let name = "model.layers.0.self_attn.q_proj.lora_B.weight"
    adapter.parameters[name][1] = .infinity
    adapted.decoder = adapted.decoder.adapted(by: adapter)
    try adapted.write(to: folder.path + "/adapter")
    let error = #expect(throws: FileError.self) {
      try Student(path: path).adapted(from: folder.path + "/adapter")
    }
    #expect(error?.location == "tensor base_model.model.\(name)" && error?.found == "inf at 1")
  }

  @Test("A count of a state that could overflow, and a sum that is no number, are refused")
  func wrongCounts() throws {
    let folder = try TemporaryFolder()
    let saved = try trainer()
    _ = try saved.step()
    let path = folder.path + "/state.safetensors"
    try saved.save(to: path)
    let file = try SafetensorsFile(path: path)
    for (key, value) in [
      ("useful_tokens", "9223372036854775807"), ("optimiser_steps", "-1"), ("updates", "1e3"),
      ("last_loss", "nan"), ("chosen_collapse", "-2"),
    ] {
      let metadata = file.metadata.merging([key: value]) { $1 }
      let error = #expect(throws: FileError.self) {
        try trainer().restore(metadata, file.tensorsByName, file: path, provenance: [:])
      }
      #expect(error?.location == key && error?.found == value)
    }
    let other = try trainer()
    try other.restore(file.metadata, file.tensorsByName, file: path, provenance: [:])
    #expect(other.totals == saved.totals)
  }
}
