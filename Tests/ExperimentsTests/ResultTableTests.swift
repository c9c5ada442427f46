import Evaluation
import Experiments
import Foundation
import Statistics
import Testing

@Suite struct ResultTableTests {
  /// The table of `experiment`'s finished runs.
  private func table(_ experiment: Experiment, _ arguments: String...) throws -> ResultTable {
    let folder = try TemporaryFolder()
    _ = experiment.run(
      arguments + ["--output", folder.path + "/toy.csv"], folder: folder.path + "/runs")
    let options = try ExperimentOptions(arguments, for: experiment, cores: 1)
    let store = RecordStore(folder: folder.path + "/runs/toy")
    let records = experiment.plan(options).compactMap {
      store.finished(RecordStore.identity("toy", $0, [:]))
    }
    let table = ResultTable(experiment, options, records)
    #expect(try folder.text("toy.csv") == table.csv)
    return table
  }

  @Test("The CSV has a row for each run and metric, fixed columns, empty cells and quotes")
  func csv() throws {
    let table = try table(
      toyExperiment { _ in
        [
          Metric(split: "in, out", "a \"b\"\nc", unit: "nats", value: -0.025),
          Metric(
            split: "test", "accuracy", unit: "share", .share(1, of: 4),
            items: MetricItems(["d", "b", "a", "c"].map { (id: $0, isTrue: $0 == "b") })),
        ]
      }, "--seeds", "1", "--rate", "0.1")
    let csv = table.csv
    let header =
      "experiment,run,arm,rate,batch_size,mode,data_seed,pairs,seed,split,metric,unit,value,"
      + "low_95,high_95,count,items,run_seconds,commit\n"
    #expect(csv.hasPrefix(header))
    let rows = csv.dropFirst(header.count).split(separator: "\n")
    // The line break within quotes makes two lines of each first row.
    try #require(rows.count == 2 * 3)
    let start = rows[0].split(separator: ",", omittingEmptySubsequences: false)
    #expect(start[0] == "toy" && start[1].count == 16)
    #expect(rows[0].hasSuffix(",with,0.1,8,plain,1,,0,\"in, out\",\"a \"\"b\"\""))
    #expect(rows[1].hasPrefix("c\",nats,-0.025,,,,"))
    let share = Estimate.share(1, of: 4)
    #expect(
      rows[2].contains(",test,accuracy,share,0.25,\(share.low),\(share.high),4,0100,"))
    // The arm that has no rate has an empty cell there.
    #expect(rows[3].contains(",without,,8,plain,1,,0,"))
    #expect(rows[5].split(separator: ",", omittingEmptySubsequences: false).count == 19)
  }

  @Test("The CSV is moved into place whole, and its folder made where it is missing")
  func file() throws {
    let folder = try TemporaryFolder()
    let table = try table(toyExperiment())
    let path = folder.path + "/new/toy.csv"
    try table.write(to: path)
    try table.write(to: path)
    #expect(try folder.text("new/toy.csv") == table.csv)
    #expect(folder.names("new") == ["toy.csv"])
    try folder.write("a file", to: "blocked")
    #expect(throws: (any Error).self) { try table.write(to: folder.path + "/blocked/toy.csv") }
  }

  @Test("The summary takes differences to the reference arm seed by seed")
  func summary() throws {
    // Seeds differ by far more than arms do; only the pairing shows the difference.
    let experiment = toyExperiment { context in
      let seed = Double(context.settings.seed)
      let rate = context.settings.arm == "with" ? context.settings.number("rate") : 0
      return [Metric("score", unit: "share", value: 0.1 * seed + rate + 0.001 * seed * rate)]
    }
    let summary = try table(experiment, "--seeds", "3").summary
    let lines = summary.split(separator: "\n").map(String.init)
      .map { $0.split(separator: " ").joined(separator: " ") }
    try #require(lines.count == 4)
    #expect(lines[0].hasPrefix("score") && lines[0].contains("minus without"))
    #expect(lines[1].hasPrefix("with rate=0.1") && lines[1].hasSuffix("3"))
    #expect(lines[1].contains("20.0 %") && lines[1].contains("+10.0 % +10.0 % … +10.0 %"))
    #expect(lines[2].contains("30.0 %") && lines[2].contains("+20.0 % +20.0 % … +20.1 %"))
    // t of 2 degrees of freedom is 4.303, and 4.303 · 0.1 / √3 = 0.248.
    #expect(lines[3].hasPrefix("without") && lines[3].contains("10.0 % -14.8 % … 34.8 %"))
  }

  @Test("A summary pairs only the seeds that both arms have")
  func unpaired() throws {
    let experiment = toyExperiment { context in
      if context.settings.arm == "without", context.settings.seed == 0 { throw CancellationError() }
      return [Metric("score", unit: "nats", value: Double(context.settings.seed))]
    }
    // With one run at a time, the cancelled one is the last to be made but for seed 1.
    let summary = try table(experiment, "--rate", "0.1", "--jobs", "1", "--seeds", "1,0").summary
    let lines = summary.split(separator: "\n").map(String.init)
      .map { $0.split(separator: " ").joined(separator: " ") }
    try #require(lines.count == 3)
    // Seeds 1 and 0 have the mean 0.5; seed 1 alone has the difference 0.
    #expect(lines[1].contains("0.500") && lines[1].hasSuffix("0.000 one seed 2"))
    #expect(lines[2].hasPrefix("without") && lines[2].contains("one seed"))
  }
}
