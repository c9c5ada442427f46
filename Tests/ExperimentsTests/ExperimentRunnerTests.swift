import Experiments
import Files
import Foundation
import Statistics
import TestSupport
import Testing

@Suite struct ExperimentRunnerTests {
  /// A run's arm, rate and seed.
  private static func label(_ run: RunSettings) -> String {
    "\(run.arm) \(run["rate"]?.description ?? "-") \(run.seed)"
  }

  private func run(
    _ experiment: Experiment, in folder: TemporaryFolder, _ arguments: String...
  ) -> Int32 {
    experiment.run(
      arguments + ["--output", folder.path + "/toy.csv"], folder: folder.path + "/runs")
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
      return [Metric(.score, unit: .fraction, value: 0.5)]
    }
    #expect(run(experiment, in: folder) == 1)
    #expect(log.all.count == 6)
    #expect(folder.names("runs/toy/records", ending: ".json").count == 6)
    #expect(try folder.text("toy.csv").split(separator: "\n").count == 1 + 5)

    #expect(run(experiment, in: folder) == 0)
    #expect(log.all.dropFirst(6) == ["with 0.2 1"])
    #expect(try folder.text("toy.csv").split(separator: "\n").count == 1 + 6)
    #expect(run(experiment, in: folder) == 0)
    #expect(log.all.count == 7)

    // A record that is cut off, and one that is something else altogether.
    let names = folder.names("runs/toy/records", ending: ".json")
    try folder.write(
      String(folder.text("runs/toy/records/" + names[0]).dropLast(20)),
      to: "runs/toy/records/" + names[0])
    try folder.write("[]", to: "runs/toy/records/" + names[1])
    #expect(run(experiment, in: folder) == 0)
    #expect(log.all.count == 9)
    #expect(try folder.text("toy.csv").split(separator: "\n").count == 1 + 6)
    // Nothing half-written stays behind, and what was damaged is set aside.
    #expect(folder.names("runs/toy/records", ending: ".json") == names)
    #expect(
      folder.names("runs/toy/records") == (names + names[...1].map { $0 + ".damaged" }).sorted())
    #expect(folder.names("runs/toy") == ["plan.json", "records"])

    // A file's path makes no other run, for its content does.
    #expect(run(experiment, in: folder, "--pairs", "elsewhere/some.jsonl") == 0)
    #expect(log.all.count == 9)
    // Another seed is another run.
    #expect(run(experiment, in: folder, "--seeds", "0,1,2", "--arms", "without") == 0)
    #expect(log.all.dropFirst(9) == ["without - 2"])
  }

  private struct Mishap: Error, CustomStringConvertible { let description = "a mishap" }

  @Test("A record holds what its rows of the CSV are made of, and is read back whole")
  func record() throws {
    let folder = try TemporaryFolder()
    let experiment = toyExperiment(checksums: ["data": "abc"]) { _ in
      [
        Metric(
          split: "test", .accuracy, group: "a task", unit: .fraction, .share(1, of: 2),
          items: MetricItems([(id: "a", isTrue: true), (id: "b", isTrue: false)])),
        Metric(MetricName("over_nothing"), unit: .nats, value: .nan),
        Metric(MetricName("too_much"), unit: .nats, value: -.infinity),
      ]
    }
    let arguments = ["--seeds", "1", "--arms", "without", "--pairs", "some/where/x.jsonl"]
    #expect(
      experiment.run(
        arguments + ["--output", folder.path + "/toy.csv"], folder: folder.path + "/runs") == 0)
    let plan = try Plan(path: folder.path + "/runs/toy/plan.json")
    let run = try #require(plan.runs.first)
    let store = RecordStore(folder: folder.path + "/runs/toy/records")
    let record = try #require(try store.finished(run, of: plan))
    #expect(
      record.settings.map(\.name) == ["rate", "batch_size", "mode", "data_seed", "pairs", "model"])
    #expect(
      record.settings.map { $0.value?.description } == [nil, "8", "plain", "1", "x.jsonl", nil])
    #expect(record.provenance == plan.provenance(of: run.settings))
    #expect(record.provenance.parts["sha256 data"] == "abc")
    #expect(record.provenance.parts["code"]?.isEmpty == false)
    #expect(record.provenance.parts["setting pairs"] == nil)
    #expect(record.provenance.parts["precision"] == "double" && record.machine["blas"] == "toy")
    #expect(record.id == record.provenance.id && record.failure == nil && record.seed == 0)
    #expect(record.experiment == "toy" && record.arm == "without")
    #expect(record.machine["processor"] != nil && record.machine["cores"] != nil)
    let accuracy = record.metrics[0]
    #expect(accuracy.key == MetricKey("test", .accuracy, group: "a task"))
    #expect(accuracy.items?.ids == ["a", "b"] && accuracy.items?.values == [1, 0])
    #expect(accuracy.low == Estimate.share(1, of: 2).low && accuracy.count == 2)
    #expect(record.metrics[1].value.isNaN && record.metrics[2].value == -.infinity)

    var failed = record
    failed.failure = "a mishap"
    try FileManager.default.removeItem(atPath: store.path(run.id))
    try store.write(failed, of: plan)
    #expect(try store.finished(run, of: plan) == nil)
    #expect(try store.finished(plan).isEmpty)

    // A record that is of another run is no result of this one.
    var other = record
    other.provenance = Provenance(of: "experiment toy", code: "other", inputs: [:], settings: [:])
    try store.write(other, of: plan)
    let error = #expect(throws: FileError.self) { try store.finished(run, of: plan) }
    for part in ["code=other", "setting mode=plain", "sha256 data=abc", "\(run.id).json"] {
      #expect(error?.description.contains(part) == true, "\(part)")
    }
  }

  @Test("The runs of a plan are executed one by one, in any order, and collected")
  func steps() throws {
    let folder = try TemporaryFolder()
    let log = Log()
    func experiment(_ data: String = "abc") -> Experiment {
      toyExperiment(checksums: ["data": data]) { context in
        log.add(Self.label(context.settings))
        return [Metric(.score, unit: .fraction, value: 0.5)]
      }
    }
    func call(_ arguments: String..., data: String = "abc") -> Int32 {
      experiment(data).run(arguments, folder: folder.path + "/runs")
    }
    let output = folder.path + "/toy.csv"
    #expect(call("plan", "--rate", "0.5", "--output", output) == 0)
    #expect(log.all.isEmpty && folder.names("runs/toy/records").isEmpty)
    let plan = try Plan(path: folder.path + "/runs/toy/plan.json")
    #expect(
      plan.runs.map(\.label) == ["with seed 0", "with seed 1", "without seed 0", "without seed 1"])
    #expect(call("collect") == 1 && folder.names(ending: ".csv").isEmpty)
    for run in plan.runs.reversed().dropLast() { #expect(call("run", run.id) == 0) }
    #expect(log.all == ["without - 1", "without - 0", "with 0.5 1"])
    #expect(call("run", plan.runs[3].id) == 0 && log.all.count == 3)
    // Not all of them are there: the CSV has those that are.
    #expect(call("collect") == 1)
    #expect(try folder.text("toy.csv").split(separator: "\n").count == 1 + 3)

    // Data that changed since the plan was made.
    #expect(call("run", plan.runs[0].id, data: "abd") == 1 && log.all.count == 3)
    #expect(call("run", "nowhere") == 1)
    #expect(call("run", plan.runs[0].id, "--jobs", "2") == 0 && call("collect") == 0)
    let csv = try folder.text("toy.csv")
    // The same as of one call.
    #expect(call("--rate", "0.5", "--output", output) == 0 && log.all.count == 4)
    #expect(try folder.text("toy.csv") == csv)
  }

  @Test("A run has the settings that the plan's flags give, whatever else its plan says of them")
  func damagedPlan() throws {
    let folder = try TemporaryFolder()
    let log = Log()
    let experiment = toyExperiment { context in
      log.add(Self.label(context.settings))
      return [Metric(.score, unit: .fraction, value: 0.5)]
    }
    func call(_ arguments: String...) -> Int32 {
      experiment.run(arguments, folder: folder.path + "/runs")
    }
    #expect(call("plan", "--rate", "0.5", "--output", folder.path + "/toy.csv") == 0)
    let path = folder.path + "/runs/toy/plan.json"
    let text = try folder.text("runs/toy/plan.json")
    let plan = try Plan(path: path)
    // Of another type, but with the same text and so the same id.
    for (old, new) in [(#""rate": 0.5"#, #""rate": "0.5""#), (#""seed": 1"#, #""seed": "1""#)] {
      #expect(text.contains(old))
      try folder.write(text.replacing(old, with: new), to: "runs/toy/plan.json")
      #expect(call("run", plan.runs[log.all.count].id) == 0)
    }
    #expect(log.all == ["with 0.5 0", "with 0.5 1"])
    // One that the flags do not give.
    let id = plan.runs[2].id
    let other = String(id.reversed())
    try folder.write(text.replacing(id, with: other), to: "runs/toy/plan.json")
    #expect(call("run", other) == 1 && log.all.count == 2)
    try folder.write(text.replacing(id, with: "../../secret"), to: "runs/toy/plan.json")
    let error = #expect(throws: FileError.self) { try Plan(path: path) }
    #expect(error?.location == "runs[2].id")
  }

  @Test("An interrupted experiment keeps what is finished, says so, and goes on later")
  func interruption() throws {
    let folder = try TemporaryFolder()
    let log = Log()
    let experiment = toyExperiment { context in
      log.add(Self.label(context.settings))
      if log.all.count == 3 { throw CancellationError() }
      return [Metric(.score, unit: .fraction, value: 0.5)]
    }
    #expect(run(experiment, in: folder, "--jobs", "1") == 1)
    #expect(log.all.count == 3)
    #expect(folder.names("runs/toy/records", ending: ".json").count == 2)
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

  @Test("Runs side by side each have their own threads, and a stage of all is made once")
  func stages() throws {
    let folder = try TemporaryFolder()
    let log = Log()
    let experiment = toyExperiment { context in
      log.add("threads \(context.threads)")
      let stage = context.stage("stage", reads: ["seed"], inputs: ["kind": "a"])
      let path = try stage.folder { folder in
        log.add("make \(stage.settings.seed)")
        try "made".write(toFile: folder + "/x", atomically: true, encoding: .utf8)
      }
      let text = try String(contentsOfFile: path + "/x", encoding: .utf8)
      #expect(text == "made")
      return [Metric(.score, unit: .fraction, value: 0.5)]
    }
    #expect(run(experiment, in: folder, "--jobs", "3") == 0)
    #expect(log.all.filter { $0.hasPrefix("make") }.sorted() == ["make 0", "make 1"])
    #expect(log.all.filter { $0 == "threads 1" }.count == 6)
    // Few runs do not get more threads, which would change their last digits.
    #expect(run(experiment, in: folder, "--jobs", "4", "--seeds", "7,8", "--arms", "without") == 0)
    #expect(log.all.filter { $0 == "threads 1" }.count == 8)
    #expect(run(experiment, in: folder, "--workers", "2", "--seeds", "1", "--arms", "without") == 0)
    #expect(log.all.filter { $0 == "threads 2" }.count == 1)
  }
}
