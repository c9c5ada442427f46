import ArgumentParser
import Distillation
import Evaluation
import Experiments
import Files
import Foundation
import LanguageModel
import LinearAlgebra
import Randomness
import Recipes

struct Reproducibility: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract:
      "What equal seeds give: twice alike, and with other workers, cores and precision; as CSV.",
    discussion: """
      The embedded student is trained on procedural problems, stage 1 and then KRSL, and answers test \
      questions. Each row compares a student with that of one worker, in fp32, on the kernels that \
      KeyStep chooses. Every student is trained twice, each time in a process of its own; bits that \
      differ between the two end the measurement with exit status 1, after the CSV was written. The \
      row of another seed shows what a number of other answers amounts to.
      """)

  @Option(help: "The CSV.")
  var output = "results/reproducibility.csv"
  @Option(help: "Cores for KEYSTEP_BLAS_CORE, separated by commas.")
  var cores = "Prescott,Nehalem,Haswell,Zen,SkylakeX"
  @OptionGroup var lengths: Lengths

  struct Lengths: ParsableArguments {
    @Option(help: "Steps of stage 1.")
    var firstSteps = 200
    @Option(help: "Steps of KRSL.")
    var secondSteps = 60
    @Option(help: "The step, counted from 1, at which a loss is compared beside the last one.")
    var lossStep = 60
    @Option var trainQuestions = 4000
    @Option var testQuestions = 200

    var arguments: [String] {
      [
        "--first-steps", "\(firstSteps)", "--second-steps", "\(secondSteps)",
        "--loss-step", "\(lossStep)", "--train-questions", "\(trainQuestions)",
        "--test-questions", "\(testQuestions)",
      ]
    }

    func validate() throws {
      guard firstSteps >= 1, secondSteps >= 1, (1...firstSteps + secondSteps).contains(lossStep)
      else {
        throw ValidationError("steps of both stages, and a loss step among them, are needed")
      }
    }
  }

  /// What a student is trained with.
  private struct Conditions {
    var workers = 1
    var precision = Precision.fp32
    /// What KEYSTEP_BLAS_CORE says; nil for KeyStep's own choice.
    var core: String?
    var seed = 1
  }

  private static let header = [
    "workers", "precision", "core", "kernel", "seed", "equal_bits_when_repeated",
    "equal_bits_to_reference", "weights_after_1_step", "weights_at_end", "loss_step", "loss",
    "loss_difference", "last_step", "last_loss", "last_loss_difference", "questions", "accuracy",
    "other_responses", "other_answers", "other_verdicts", "processor", "commit",
  ]

  func run() throws {
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent(
      "keystep-reproducibility-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }

    let wide = Set(["SkylakeX", "Cooperlake", "SapphireRapids"])
    let named = cores.split(separator: ",").map(String.init)
    let conditions =
      [1, 2, 4].map { Conditions(workers: $0) }
      + named.filter { Processor.hasAVX512 || !wide.contains($0) }.map { Conditions(core: $0) }
      + [1, 2].map { Conditions(workers: $0, precision: .bf16) } + [Conditions(seed: 2)]
    let about = [Machine.description()["processor"] ?? "", CodeVersion().citation]
    var rows = [Self.header]
    var reference: TrainedStudent?
    var differing: [String] = []
    for (index, conditions) in conditions.enumerated() {
      let student = try train(conditions, folder.appendingPathComponent("\(index)"))
      let again = try train(conditions, folder.appendingPathComponent("\(index)-again"))
      let repeats = student.results == again.results
      let row = try row(conditions, student, repeats: repeats, comparedWith: reference ?? student)
      rows.append(row + about)
      FileHandle.standardOutput.write(Data((row.joined(separator: ",") + "\n").utf8))
      if !repeats { differing.append("row \(index + 1)") }
      reference = reference ?? student
    }
    try AtomicFile.write(CSV.text(rows), to: output)
    print("CSV: \(output)")
    guard differing.isEmpty else {
      throw ValidationError(
        "\(output): expected equal bits of equal settings, found others in "
          + differing.joined(separator: ", "))
    }
  }

  /// Trains a student in a process of its own.
  private func train(_ conditions: Conditions, _ folder: URL) throws -> TrainedStudent {
    let line = try outputOfBench(
      [
        "train-student", "--folder", folder.path, "--workers", "\(conditions.workers)",
        "--precision", conditions.precision.rawValue, "--seed", "\(conditions.seed)",
      ] + lengths.arguments,
      environment: ["KEYSTEP_BLAS_CORE": conditions.core])
    return try JSONDecoder().decode(TrainedStudent.self, from: line)
  }

  private func row(
    _ conditions: Conditions, _ student: TrainedStudent, repeats: Bool,
    comparedWith reference: TrainedStudent
  ) throws -> [String] {
    let count = lengths.firstSteps + lengths.secondSteps
    let (kernel, student, reference) = (student.kernel, student.results, reference.results)
    func difference(_ step: Int) -> String {
      "\(abs(student.losses[step - 1] / reference.losses[step - 1] - 1))"
    }
    func other<Value: Equatable>(_ values: (TrainedStudent.Results) -> [Value]) -> String {
      "\(zip(values(student), values(reference)).count { $0 != $1 })"
    }
    return [
      "\(conditions.workers)", conditions.precision.rawValue, conditions.core ?? "",
      kernel, "\(conditions.seed)", "\(repeats)", "\(student == reference)",
      "\(try student.afterOneStep.difference(to: reference.afterOneStep))",
      "\(try student.atEnd.difference(to: reference.atEnd))", "\(lengths.lossStep)",
      "\(student.losses[lengths.lossStep - 1])", difference(lengths.lossStep), "\(count)",
      "\(student.losses[count - 1])", difference(count), "\(student.responses.count)",
      "\(Double(student.verdicts.count { $0 }) / Double(max(1, student.verdicts.count)))",
      other(\.responses), other(\.answers), other(\.verdicts),
    ]
  }
}

/// What one training gave, and what computed its products.
private struct TrainedStudent: Codable {
  /// Equal if all bits are.
  struct Results: Codable, Equatable {
    /// That of each step.
    var losses: [Double]
    var afterOneStep, atEnd: WeightFile
    var responses: [String]
    /// What was read of each response; empty where nothing was.
    var answers: [String]
    var verdicts: [Bool]
  }

  var kernel: String
  var results: Results
}

/// A student's weights as single precision floats, one tensor after the other, in a file.
private struct WeightFile: Codable, Equatable {
  var path: String
  var sha256: String
  /// The floats of each tensor.
  var counts: [Int]

  init(_ parameters: ParameterStore, path: String) throws {
    let bytes = [UInt8](
      UnsafeRawBufferPointer(UnsafeBufferPointer(parameters.buffer.floats)))
    try AtomicFile.write(bytes, to: path)
    self.path = path
    sha256 = SHA256.hex(of: bytes)
    counts = parameters.slots.map(\.count)
  }

  static func == (a: WeightFile, b: WeightFile) -> Bool { a.sha256 == b.sha256 }

  private func floats() throws -> [Float] {
    try Data(contentsOf: URL(fileURLWithPath: path)).withUnsafeBytes {
      Array($0.bindMemory(to: Float.self))
    }
  }

  /// The largest difference of an element, relative to the largest element of its tensor; over all tensors.
  func difference(to other: WeightFile) throws -> Double {
    let (own, others) = (try floats(), try other.floats())
    var start = 0
    return counts.reduce(0) { largest, count in
      defer { start += count }
      var (difference, scale): (Float, Float) = (0, 0)
      for index in start..<start + count {
        difference = max(difference, abs(own[index] - others[index]))
        scale = max(scale, abs(others[index]))
      }
      return max(largest, scale == 0 ? 0 : Double(difference / scale))
    }
  }
}

/// One training of `Reproducibility`; prints what it gave as JSON.
struct TrainStudent: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "One training of `reproducibility`.", shouldDisplay: false)

  @Option var folder: String
  @Option var workers: Int
  @Option var precision: Precision
  @Option var seed: UInt64
  @OptionGroup var lengths: Reproducibility.Lengths

  func run() throws {
    let data = try ExperimentData(
      procedural: .init(
        trainQuestions: lengths.trainQuestions, validationQuestions: 0,
        testQuestions: lengths.testQuestions, outOfDomainQuestions: 0, seed: 1),
      folder: folder)
    var generator = SeededGenerator(seed: seed, stream: "initialisation")
    let decoder = try Decoder.random(
      StudentPreset.procedural.configuration(
        vocabularySize: data.tokenizer.tokenizer.vocabularySize), using: &generator)
    let workers = Workers(count: workers, precision: precision)
    var losses: [Double] = []

    // As the embedded experiments train, on fewer steps.
    let first = Trainer(
      decoder, .chainsOfThought(data.trainingSets[0].chains),
      TrainingSettings(
        learningRate: 2e-3,
        schedule: .cosine(warmUp: min(30, lengths.firstSteps / 10), floor: 0.05),
        optimiser: AdamWSettings(beta2: 0.98, weightDecay: 0.01),
        length: .steps(lengths.firstSteps),
        batchSize: 16, clipNorm: 1, seed: seed &* 2 &+ 1), workers: workers)
    losses.append(try first.step().loss)
    let afterOneStep = try WeightFile(decoder.trainable, path: folder + "/after-one-step")
    while first.nextStep < first.stepCount { losses.append(try first.step().loss) }
    let second = Trainer(
      decoder, .keySteps(data.trainingSets[0].pairs),
      TrainingSettings(
        learningRate: 1e-4, optimiser: AdamWSettings(beta2: 0.98),
        length: .steps(lengths.secondSteps), batchSize: 16, clipNorm: 1, seed: seed &* 2 &+ 2),
      workers: workers)
    while second.nextStep < second.stepCount { losses.append(try second.step().loss) }

    var settings = EvaluationSettings()
    settings.maximumNewTokens = 120
    settings.batch = 64
    let evaluator = Evaluator(decoder, data.tokenizer, settings, workers: workers)
    let questions = data.tests[0].questions
    let responses = try evaluator.responses(to: questions)
    let items = evaluator.judged(responses, to: questions).score.items
    let results = TrainedStudent.Results(
      losses: losses, afterOneStep: afterOneStep,
      atEnd: try WeightFile(decoder.trainable, path: folder + "/at-end"),
      responses: responses.map(\.text),
      answers: items.map { $0.answer ?? "" }, verdicts: items.map(\.isCorrect))
    FileHandle.standardOutput.write(
      try JSONEncoder().encode(TrainedStudent(kernel: kernel(precision), results: results)))
  }
}
