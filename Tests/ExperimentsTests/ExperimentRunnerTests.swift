import Evaluation
import Experiments
import Foundation
import Statistics
import Testing

@Suite struct ExperimentRunnerTests {
  /// A run's arm, rate and seed.
  private static func label(_ run: RunSettings) -> String {
    "\(run.arm) \(run.values["rate"]?.description ?? "-") \(run.seed)"
  }

  private func run(
    _ experiment: Experiment, in folder: TemporaryFolder, _ arguments: String...
  ) -> Int32 {
    experiment.run(
      arguments + ["--output", folder.path + "/toy.csv"], folder: folder.path + "/runs")
  }

  @Test("A run's identity changes with any setting or checksum, and with nothing else")
  func identity() {
    let settings = RunSettings(["arm": .text("with"), "rate": .number(0.5), "seed": .integer(1)])
    let sums = ["data": "abc", "model": "def"]
    let identity = RecordStore.identity("toy", settings, sums)
    // SHA-256 of the name, the settings' lines and the checksums' lines, by sha256sum: it must not
    // change unawares, or finished runs would be made again.
    #expect(settings.canonicalText == "arm=with\nrate=0.5\nseed=1\n")
    #expect(identity == "42bb29439168b384")
    var same = RunSettings(["seed": .integer(1)])
    same.values["rate"] = .number(0.5)
    same.values["arm"] = .text("with")
    #expect(RecordStore.identity("toy", same, ["model": "def", "data": "abc"]) == identity)
    // A number is one value however it is held.
    same.values["seed"] = .number(1)
    #expect(RecordStore.identity("toy", same, sums) == identity)

    var others = [
      RecordStore.identity("toys", settings, sums), RecordStore.identity("toy", settings, [:]),
      RecordStore.identity("toy", settings, ["data": "abd", "model": "def"]),
    ]
    for (name, value) in [
      ("arm", SettingValue.text("without")), ("rate", .number(0.50000001)), ("seed", .integer(2)),
      ("more", .integer(0)),
    ] {
      var changed = settings
      changed.values[name] = value
      others.append(RecordStore.identity("toy", changed, sums))
    }
    #expect(Set(others + [identity]).count == others.count + 1)
  }

  @Test("A rerun makes only what is missing, failed or damaged, and the CSV is whole each time")
  func resume() throws {
    let folder = try TemporaryFolder()
    let log = Log()
    let experiment = toyExperiment { context in
      let label = Self.label(context.settings)
      log.add(label)
      // The first time, one of the runs fails.
      if label == "with 0.2 1", log.all.count <= 6 { throw Mishap() }
      return [Metric("score", unit: "share", value: 0.5)]
    }
    #expect(run(experiment, in: folder) == 1)
    #expect(log.all.count == 6)
    #expect(folder.names("runs/toy", ending: ".json").count == 6)
    #expect(try folder.text("toy.csv").split(separator: "\n").count == 1 + 5)

    #expect(run(experiment, in: folder) == 0)
    #expect(log.all.dropFirst(6) == ["with 0.2 1"])
    #expect(try folder.text("toy.csv").split(separator: "\n").count == 1 + 6)
    #expect(run(experiment, in: folder) == 0)
    #expect(log.all.count == 7)

    // A record that is cut off, and one that is something else altogether.
    let names = folder.names("runs/toy", ending: ".json")
    try folder.write(
      String(folder.text("runs/toy/" + names[0]).dropLast(20)), to: "runs/toy/" + names[0])
    try folder.write("[]", to: "runs/toy/" + names[1])
    #expect(run(experiment, in: folder) == 0)
    #expect(log.all.count == 9)
    #expect(try folder.text("toy.csv").split(separator: "\n").count == 1 + 6)
    // Nothing half-written stays behind.
    #expect(folder.names("runs/toy", ending: ".json") == names)
    #expect(folder.names("runs/toy").allSatisfy { $0.hasSuffix(".json") })

    // A file's path makes no other run, for its content does.
    #expect(run(experiment, in: folder, "--pairs", "elsewhere/some.jsonl") == 0)
    #expect(log.all.count == 9)
    // Another seed is another run.
    #expect(run(experiment, in: folder, "--seeds", "0,1,2", "--arms", "without") == 0)
    #expect(log.all.dropFirst(9) == ["without - 2"])
  }

  private struct Mishap: Error, CustomStringConvertible { let description = "a mishap" }

  @Test("A record holds the settings, the code, the machine, and every figure with its outcomes")
  func record() throws {
    let folder = try TemporaryFolder()
    let experiment = toyExperiment(checksums: ["data": "abc"]) { _ in
      [
        Metric(
          split: "test", "accuracy", unit: "share", .share(1, of: 3),
          items: MetricItems([(id: "a", isTrue: true), (id: "b", isTrue: false)])),
        Metric("over nothing", unit: "nats", value: .nan),
        Metric("too much", unit: "nats", value: -.infinity),
      ]
    }
    #expect(run(experiment, in: folder, "--seeds", "1", "--arms", "without") == 0)
    let options = try ExperimentOptions(
      ["--seeds", "1", "--arms", "without"], for: experiment, cores: 1)
    let settings = try #require(experiment.plan(options).first)
    let identity = RecordStore.identity("toy", settings, ["data": "abc"])
    let store = RecordStore(folder: folder.path + "/runs/toy")
    let record = try #require(store.finished(identity))
    #expect(record.settings == settings.values && record.checksums == ["data": "abc"])
    #expect(record.identity == identity && record.failure == nil && record.experiment == "toy")
    #expect(Set(["processor", "blas_core", "blas_threads"]).isSubset(of: record.machine.keys))
    #expect(
      record.metrics[0].items?.ids == ["a", "b"] && record.metrics[0].items?.values == [1, 0])
    #expect(record.metrics[0].low == Estimate.share(1, of: 3).low && record.metrics[0].count == 3)
    #expect(record.metrics[1].value.isNaN && record.metrics[2].value == -.infinity)
    #expect(record.scoring == RunRecord.scoringRule)

    // One that was written before records said so is read all the same.
    let lines = try folder.text("runs/toy/\(identity).json").split(separator: "\n")
    try folder.write(
      lines.filter { !$0.contains("\"scoring\"") }.joined(separator: "\n"),
      to: "runs/toy/\(identity).json")
    #expect(try #require(store.finished(identity)).scoring == nil)

    var failed = record
    failed.failure = "a mishap"
    try store.write(failed)
    #expect(store.finished(identity) == nil)
    #expect(store.finished("none") == nil)
  }

  @Test("An interrupted experiment keeps what is finished, says so, and goes on later")
  func interruption() throws {
    let folder = try TemporaryFolder()
    let log = Log()
    let experiment = toyExperiment { context in
      log.add(Self.label(context.settings))
      if log.all.count == 3 { throw CancellationError() }
      return [Metric("score", unit: "share", value: 0.5)]
    }
    #expect(run(experiment, in: folder, "--jobs", "1") == 1)
    #expect(log.all.count == 3)
    #expect(folder.names("runs/toy", ending: ".json").count == 2)
    #expect(try folder.text("toy.csv").split(separator: "\n").count == 1 + 2)
    #expect(run(experiment, in: folder, "--jobs", "1") == 0)
    #expect(log.all.count == 3 + 4)
    #expect(log.all[2] == log.all[3])
  }

  @Test("Where no run finished there is no CSV, and one that was there stays")
  func nothing() throws {
    let folder = try TemporaryFolder()
    try folder.write("before\n", to: "toy.csv")
    #expect(run(toyExperiment { _ in throw Mishap() }, in: folder) == 1)
    #expect(try folder.text("toy.csv") == "before\n")
  }

  @Test("A dry run, a call for help and a call that makes no sense run nothing")
  func noRuns() throws {
    let folder = try TemporaryFolder()
    let log = Log()
    let experiment = toyExperiment { _ in
      log.add("run")
      return []
    }
    #expect(run(experiment, in: folder, "--dry-run") == 0)
    #expect(run(experiment, in: folder, "--help") == 0)
    #expect(run(experiment, in: folder, "--rates", "1") == 2)
    #expect(log.all.isEmpty && folder.names().isEmpty)
  }

  @Test("An error of the preparation is status 1, before any run")
  func preparation() throws {
    let folder = try TemporaryFolder()
    let toy = toyExperiment()
    let experiment = Experiment(
      name: "toy", question: "", arms: toy.arms, reference: "with", settings: toy.settings,
      seeds: 1, summary: [], example: ""
    ) { _ in throw Mishap() }
    #expect(run(experiment, in: folder) == 1)
    #expect(folder.names().isEmpty)
  }

  @Test("Runs side by side each use their share of the threads, and a stage of all is made once")
  func stages() throws {
    let folder = try TemporaryFolder()
    let log = Log()
    let experiment = toyExperiment { context in
      log.add("threads \(context.threads)")
      let key = RunSettings(["seed": .integer(Int(context.settings.seed))])
      let path = try context.stage("stage", key, checksums: [:]) { folder in
        log.add("make \(context.settings.seed)")
        try "made".write(toFile: folder + "/x", atomically: true, encoding: .utf8)
      }
      let text = try String(contentsOfFile: path + "/x", encoding: .utf8)
      #expect(text == "made")
      return []
    }
    #expect(run(experiment, in: folder, "--jobs", "3") == 0)
    #expect(log.all.filter { $0.hasPrefix("make") }.sorted() == ["make 0", "make 1"])
    #expect(log.all.filter { $0 == "threads 1" }.count == 6)
    #expect(run(experiment, in: folder, "--jobs", "4", "--seeds", "7,8", "--arms", "without") == 0)
    #expect(log.all.filter { $0 == "threads 2" }.count == 2)
  }
}
