import Checkpoints
import Distillation
import Experiments
import Files
import LanguageModel
import Parameters
import Randomness

/// One run of `keystep train`: what is made of its flags, and how it goes.
struct TrainingRun {
  let command: TrainCommand
  let student: Student
  let examples: Examples
  /// Those of validation; nil where there are none.
  let validationExamples: Examples?
  let trainer: Trainer
  let limit: LengthLimit
  /// The most memory that was resident before the trainer was made: program, tokenizer, data and weights.
  let residentBefore: Double

  /// Reads the student, the examples and the reference models. Nothing is written.
  init(_ command: TrainCommand) throws {
    self.command = command
    let options = command.objective
    let entry = options.objective
    var generator = SeededGenerator(seed: command.steps.seed, stream: "initialisation")
    let plain = try command.student.load(command.compute.baseWeights, using: &generator)
    let student = try command.tuning.adapted(plain, using: &generator)
    self.student = student
    let values = try options.values(hasWeights: command.examples.weightsFile != nil)
    limit = try command.examples.limit(for: student)

    let tokenizer = try student.exampleTokenizer()
    // Objectives are made before training, so that a reference that is the student itself is the untrained one.
    var models: ReferenceModels?
    func objective(_ examples: Examples, _ files: ExampleFiles) throws -> Objective {
      let objective = try examples.objective(
        entry, values, weights: files.weights, seed: command.steps.seed
      ) {
        let made = try models ?? options.models(student, plain, command.compute.team)
        models = made
        return made
      }
      try Self.check(objective, files, entry)
      return objective
    }
    let files = command.examples.files
    examples = try files.read(tokenizer, limit)
    let objectiveOfRun = try objective(examples, files)
    let validationFiles = command.validation.files
    validationExamples =
      validationFiles.isGiven ? try validationFiles.read(tokenizer, limit) : nil
    let validationObjective = try validationExamples.map { try objective($0, validationFiles) }
    models = nil

    residentBefore = peakResidentGiB()
    let settings = command.steps.settings(entry.stage)
    let workers = command.compute.team(recomputingActivations: command.gradientCheckpointing)
    var validation: Validation?
    if command.validation.isGiven {
      let count = objectiveOfRun.examples.count
      validation = Validation(
        try command.validation.settings(
          stepsPerEpoch: settings.stepsPerEpoch(exampleCount: count),
          stepCount: settings.stepCount(exampleCount: count)),
        measure: try command.validation.measure(
          student, validationObjective, validationExamples?.kept.pairs ?? [],
          KeyTokenChoice(values), asking: entry, workers))
    }
    trainer = Trainer(
      student.decoder, objectiveOfRun, settings, workers: workers, validation: validation)
  }

  private static func check(_ objective: Objective, _ files: ExampleFiles, _ entry: ObjectiveEntry)
    throws
  {
    guard !objective.examples.isEmpty else {
      throw FileError(nothingIn: files.path, expected: "example to train on")
    }
    guard objective.hasWeights else {
      throw FileError(
        file: files.weights ?? files.path,
        expected: "an example with a token of a weight other than 0",
        found: "none in \(objective.examples.count)"
          + (entry.data == .pairs && files.weights == nil
            ? " (has each pair the same text as chosen and as rejected?)" : ""))
    }
  }

  /// Trains without leaving anything but what is printed.
  func train() throws {
    let report = TrainingReport(self)
    try trainer.run(report: report.show)
    report.showEnd()
  }

  /// Trains and writes the student to the folder `output`, with the state of the run and its learning curve.
  func train(to output: String) throws {
    let report = TrainingReport(self)
    let checkpoints = command.saving.checkpoints(in: output, try provenance())
    // A folder that cannot be written is found before any work is lost.
    try student.checkWritable(to: output)
    if command.saving.resume, try !trainer.restore(from: checkpoints) {
      throw FileError(
        file: checkpoints.path, expected: "the state of a run that was saved", found: "none")
    }
    // What is printed is the lesser part of what this command leaves.
    StandardStreams.ignoreBrokenPipes()
    Interruption.watch()
    var unprinted: (any Error)?
    try trainer.run(
      saving: checkpoints,
      report: { step in
        do { try report.show(step) } catch { unprinted = unprinted ?? error }
      }, shouldStop: { Interruption.isRequested })
    guard trainer.isFinished else {
      var words = CommandLine.arguments
      if !command.saving.resume { words.append("--resume") }
      throw Interrupted(
        description: """
          interrupted after step \(trainer.nextStep) of \(trainer.stepCount); to go on: \
          \(ShellCommand.line(words))
          """)
    }
    // Once the state is saved, a folder that cannot take the student costs no training.
    try trainer.save(to: checkpoints)
    report.showEnd()
    let written = trainer.useBest()
    try student.write(to: output)
    try report.write(to: output, writtenStep: written)
    try FileContents.remove(checkpoints.previousPath)
    if let unprinted { throw unprinted }
  }

  private struct Interrupted: Error, CustomStringConvertible { let description: String }

  /// What a resumed run must share beside settings, adapter, workers and examples.
  private func provenance() throws -> [String: String] {
    let options = command.objective
    let parameters = try options.values(hasWeights: command.examples.weightsFile != nil).values
    var provenance = [
      "objective": options.objective.name,
      "parameters": parameters.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }
        .joined(separator: ", "),
      "tuning": command.tuning.tuning.rawValue,
      "adapter start": (command.tuning.loraInit ?? .noise).rawValue,
    ]
    if let model = command.student.model {
      provenance["sha256 model"] = try Checkpoint.checksum(at: model)
    }
    provenance["preset"] = command.student.preset?.rawValue
    provenance["chat template"] = examples.kept.chatTemplate
    return try provenance.merging(command.validation.provenance()) { own, _ in own }
  }
}
