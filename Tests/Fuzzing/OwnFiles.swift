import Annotation
import Checkpoints
import Distillation
import Experiments
import Files
import Foundation
import LanguageModel
import Randomness
import Reasoning
import Teachers

/// The files that this project writes and reads again: of a sweep, of training, of annotation.
///
/// Those with a checksum are given the right one after they were damaged, since nothing else of them would be read.
enum OwnFiles {}

extension Reader {
  static let own: [Reader] = [
    Reader(
      name: "plan", seeds: ["plan.json"], file: "sweep/plan.json", prepare: OwnFiles.makeSweep
    ) { folder in
      let plan = try Plan(path: folder + "/sweep/plan.json")
      _ = try? ExperimentOptions(plan.flags, for: OwnFiles.sweep, cores: 2)
      for run in plan.runs { _ = plan.provenance(of: run.settings).id }
      _ = try OwnFiles.status(folder)
    },
    Reader(
      name: "record", seeds: ["record.json"], file: "x.json", prepare: OwnFiles.makeSweep
    ) { folder in
      let id = try Plan(path: folder + "/sweep/plan.json").runs[0].id
      try OwnFiles.renewChecksum(
        folder + "/x.json", to: RecordStore(folder: folder + "/sweep/records").path(id))
      _ = try OwnFiles.status(folder)
    },
    Reader(
      name: "claim", seeds: ["claim.json"], file: "x.json", prepare: OwnFiles.makeSweep
    ) { folder in
      let path = folder + "/sweep/claims"
      try FileContents.removeFolder(path)
      let id = try Plan(path: folder + "/sweep/plan.json").runs[1].id
      try AtomicFile.write(FileContents.bytes(of: folder + "/x.json"), to: "\(path)/\(id).claim-1")
      _ = try OwnFiles.status(folder)
      let claims = ClaimFolder(folder: path, expiry: .milliseconds(50))
      _ = try claims.holder(of: id)
      try claims.claim(id)?.finish()
    },
    Reader(
      name: "submitted-tasks", seeds: ["tasks.txt"], file: "sweep/slurm/1-abcdef/runs.txt",
      prepare: OwnFiles.makeSweep
    ) { folder in
      _ = try OwnFiles.status(folder)
    },
    Reader(
      name: "slurm-defaults", seeds: ["slurm.defaults"], file: "slurm.defaults",
      prepare: OwnFiles.makeDefaults
    ) { folder in
      let path = folder + "/slurm.defaults"
      _ = try? SlurmOptions(
        line: String(decoding: FileContents.bytes(of: path), as: UTF8.self), defaults: path)
      _ = try SlurmOptions(line: "", defaults: path)
    },
    Reader(
      name: "stage-provenance", seeds: ["provenance.json"], file: "x.json",
      prepare: OwnFiles.makeStage
    ) { folder in
      let stage = try OwnFiles.freshStage(folder)
      try AtomicFile.write(
        FileContents.bytes(of: folder + "/x.json"), to: stage + "/provenance.json")
      var sums = ""
      for name in ["provenance.json", "weights.txt"] {
        sums += "\(try SHA256.hex(ofFileAt: "\(stage)/\(name)"))  \(name)\n"
      }
      try AtomicFile.write(sums, to: stage + "/SHA256SUMS")
      try OwnFiles.readStage(folder)
    },
    Reader(
      name: "stage-checksums", seeds: ["SHA256SUMS"], file: "x.txt", prepare: OwnFiles.makeStage
    ) { folder in
      let stage = try OwnFiles.freshStage(folder)
      try AtomicFile.write(FileContents.bytes(of: folder + "/x.txt"), to: stage + "/SHA256SUMS")
      try OwnFiles.readStage(folder)
    },
    Reader(
      name: "training-state", seeds: ["state.safetensors"], file: "x.safetensors",
      prepare: OwnFiles.makeState
    ) { folder in
      let path = folder + "/x.safetensors"
      let trainer = try OwnFiles.trainer()
      do {
        try trainer.restore(from: path, provenance: ["run": "a"])
      } catch {
        // Without its checksum.
        let file = try SafetensorsFile(path: path)
        try trainer.restore(
          file.metadata, file.tensorsByName, file: path, provenance: ["run": "a"])
      }
      if trainer.nextStep < trainer.stepCount { _ = try trainer.step() }
    },
    Reader(
      name: "training-curve", seeds: ["state.steps.csv"], file: "x.csv", prepare: OwnFiles.makeState
    ) { folder in
      _ = try LearningCurve(path: folder + "/x.csv").csv
    },
    Reader(
      name: "run-curve", seeds: ["curve.csv"], file: "x.csv", prepare: OwnFiles.makeSweep
    ) { folder in
      let id = try Plan(path: folder + "/sweep/plan.json").runs[0].id
      try AtomicFile.write(
        FileContents.bytes(of: folder + "/x.csv"), to: "\(folder)/sweep/steps/\(id).csv")
      _ = try OwnFiles.withoutOutput { OwnFiles.sweep.run(["collect"], folder: folder) }
    },
    Reader(
      name: "annotation-store", seeds: ["store.sqlite"], file: "x.sqlite",
      prepare: OwnFiles.makeStore
    ) { folder in
      let path = folder + "/x.sqlite"
      for ending in ["-wal", "-shm", "-journal"] { try FileContents.remove(path + ending) }
      let store = try AnnotationStore(path: path)
      for number in 0..<3 { _ = try? store.answer(OwnFiles.key(number)) }
      let key = OwnFiles.key(3)
      if case .granted = try store.claim(key) {
        try store.record(TeacherAnswer(texts: ["It is 3."]), for: key, seconds: 1)
      }
      _ = try store.answer(key)
    },
  ]
}

extension OwnFiles {
  // MARK: A sweep

  /// Two runs that take no time.
  static let sweep = Experiment(
    name: "sweep", question: "Is it read?",
    arms: [Arm("with", help: ""), Arm("without", without: ["rate"], help: "")],
    reference: "without",
    settings: [
      Setting("rate", .number(-1...1), [.number(0.1)], help: ""),
      Setting("mode", .choice(["plain", "fast"]), [.text("plain")], help: ""),
      Setting("pairs", .file, [], isAxis: false, help: ""),
    ],
    seeds: 1, summary: [MetricKey("test", .accuracy)], example: "sweep --rate 0.1"
  ) { _ in
    Prepared(checksums: ["data": "0"], conditions: ["precision": "double"]) { run in
      run.keep(
        curve: [["step", "loss", "learning_rate"], ["1", "0.5", "1e-4"], ["9", "0.25", ""]],
        of: "stage 2")
      var metric = Metric(split: "test", .accuracy, unit: .fraction, value: 0.5)
      metric.count = 2
      metric.items = MetricItems([(id: "a", isTrue: true), (id: "b", isTrue: false)])
      return [metric, Metric(.lastLoss("stage 2"), unit: .nats, value: .nan)]
    }
  }

  /// Fills `folder` with the finished sweep, and copies of its plan, of a record, a learning curve and a claim.
  static let makeSweep: @Sendable (String) throws -> Void = { folder in
    let status = try withoutOutput {
      sweep.run(["--output=\(folder)/sweep.csv", "--jobs=1"], folder: folder)
    }
    guard status == 0 else {
      throw FileError(file: folder, expected: "a finished sweep", found: "status \(status)")
    }
    let plan = try Plan(path: folder + "/sweep/plan.json")
    func copy(_ path: String, _ name: String) throws {
      try AtomicFile.write(FileContents.bytes(of: path), to: "\(folder)/\(name)")
    }
    try copy(folder + "/sweep/plan.json", "plan.json")
    try copy(RecordStore(folder: folder + "/sweep/records").path(plan.runs[0].id), "record.json")
    try copy("\(folder)/sweep/steps/\(plan.runs[0].id).csv", "curve.csv")
    let claims = ClaimFolder(folder: folder + "/claims")
    let claim = try claims.claim("x")
    try copy(folder + "/claims/x.claim-1", "claim.json")
    claim?.finish()
    try AtomicFile.write(
      plan.runs.map { $0.id + "\n" }.joined() + "run stage\n", to: folder + "/tasks.txt")
    try AtomicFile.makeFolder(folder + "/sweep/slurm/1-abcdef/log")
  }

  static func status(_ folder: String) throws -> String {
    try SweepStatus("sweep", root: folder, searchPath: "").text
  }

  /// Writes the object of the JSON file at `path` to `target`, with the checksum of what is in it now; what is no object
  /// as it is.
  static func renewChecksum(_ path: String, to target: String) throws {
    let bytes = try FileContents.bytes(of: path)
    guard let value = try? JSONValue(bytes, file: path), case .object(let members) = value else {
      return try AtomicFile.write(bytes, to: target)
    }
    let content = JSONValue.object(members.filter { $0.key != "sha256" })
    try AtomicFile.write(content.withChecksum().text(), to: target)
  }

  /// What `body` returns; what it prints goes nowhere.
  static func withoutOutput<Result>(_ body: () throws -> Result) throws -> Result {
    fflush(nil)
    let null = open("/dev/null", O_WRONLY)
    let streams = [STDOUT_FILENO, STDERR_FILENO].map { (number: $0, saved: dup($0)) }
    for stream in streams { dup2(null, stream.number) }
    close(null)
    defer {
      fflush(nil)
      for stream in streams {
        dup2(stream.saved, stream.number)
        close(stream.saved)
      }
    }
    return try body()
  }

  static let slurmDefaults = """
    # of the cluster
    partition = cpu
    time = 4:00:00
    cpus-per-task = 4
    #SBATCH --exclusive --mem "8 G"
    setup = module load gcc 'openblas'
    run-with = apptainer exec key\\ step.sif

    """

  /// A file of options of sbatch in `folder`.
  static let makeDefaults: @Sendable (String) throws -> Void = { folder in
    try AtomicFile.write(slurmDefaults, to: folder + "/slurm.defaults")
  }

  // MARK: A stage

  private static let stage = Provenance(
    of: "stage", code: "0", inputs: ["sha256 data": "1"], settings: ["rate": .number(0.5)])

  /// Fills `folder` with a shared stage, and copies of its provenance and checksums.
  static let makeStage: @Sendable (String) throws -> Void = { folder in
    let path = try StageStore(folder: folder + "/stages").stage(stage) { path in
      try AtomicFile.write("weights\n", to: path + "/weights.txt")
    }
    for name in ["provenance.json", "weights.txt", "SHA256SUMS"] {
      try AtomicFile.write(FileContents.bytes(of: "\(path)/\(name)"), to: "\(folder)/\(name)")
    }
  }

  /// The stage's folder as `makeStage` left it.
  static func freshStage(_ folder: String) throws -> String {
    try FileContents.removeFolder(folder + "/stages")
    let path = "\(folder)/stages/\(stage.id)"
    for name in ["provenance.json", "weights.txt", "SHA256SUMS"] {
      try AtomicFile.write(FileContents.bytes(of: "\(folder)/\(name)"), to: "\(path)/\(name)")
    }
    return path
  }

  static func readStage(_ folder: String) throws {
    _ = try StageStore(folder: folder + "/stages", expiry: .milliseconds(50)).stage(stage) { _ in
      throw CancellationError()
    }
  }

  // MARK: Training

  static let pairs = [
    TokenizedPair(id: "a", prompt: [1, 2], chosen: [3, 4, 5], rejected: [3, 6, 5]),
    TokenizedPair(id: "b", prompt: [7], chosen: [8, 2], rejected: [9, 1, 2]),
  ]

  static func trainer() throws -> Trainer {
    var generator = SeededGenerator(seed: 1)
    let decoder = try Decoder.random(
      ModelConfiguration(
        vocabularySize: 10, hiddenSize: 8, intermediateSize: 8, layerCount: 1, headCount: 1),
      using: &generator)
    return Trainer(
      decoder, .keySteps(pairs),
      TrainingSettings(learningRate: 1e-3, length: .steps(5), batchSize: 1, clipNorm: 1),
      workers: Workers(count: 1))
  }

  /// The state and the learning curve of a trainer after a step in `folder`.
  static let makeState: @Sendable (String) throws -> Void = { folder in
    let trainer = try trainer()
    _ = try trainer.step()
    try trainer.save(
      to: TrainingCheckpoints(path: folder + "/state.safetensors", provenance: ["run": "a"]))
  }

  // MARK: Annotation

  static let question = Question(id: "1", task: "gsm8k", text: "What is 2 + 2?", answer: "4")

  static func key(_ number: Int) -> AnnotationKey {
    AnnotationKey(
      teacher: "a teacher",
      prompt: TeacherPrompt(step: .annotate, question: question, text: "\(number)"),
      sampling: TeacherSampling(temperature: 0, maximumTokens: 8))
  }

  /// A store of three answers in `folder`.
  static let makeStore: @Sendable (String) throws -> Void = { folder in
    let store = try AnnotationStore(path: folder + "/store.sqlite")
    for number in 0..<3 {
      try store.record(
        TeacherAnswer(texts: ["It is \(number)."], promptTokens: 7, ending: .complete),
        for: key(number), seconds: 0.5)
    }
  }
}
