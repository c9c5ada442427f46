import Experiments
import Foundation
import Statistics
import TestSupport
import Testing

/// The CSV that is written of records, and the summary of it.
@Suite struct SummaryTests {
  /// The CSV of `experiment`'s finished runs, and their summary.
  private func results(_ experiment: Experiment, _ arguments: String...) throws -> (
    csv: String, summary: String
  ) {
    let folder = try TemporaryFolder()
    let path = folder.path + "/new/toy.csv"
    _ = experiment.run(arguments + ["--output", path], folder: folder.path + "/runs")
    let plan = try Plan(path: folder.path + "/runs/toy/plan.json")
    #expect(folder.names("new") == ["toy.csv"])
    return (try folder.text("new/toy.csv"), try Summary(ResultFile(path: path), plan).text)
  }

  @Test("The CSV has a row for each run and metric, the plan's columns, empty cells and quotes")
  func csv() throws {
    let csv = try results(
      toyExperiment { _ in
        [
          Metric(split: "in, out", MetricName("a \"b\"\nc"), unit: .nats, value: -0.025),
          Metric(
            split: "test", .accuracy, group: "sums", unit: .fraction, .share(1, of: 4),
            items: MetricItems(["d", "b", "a", "c"].map { (id: $0, isTrue: $0 == "b") })),
        ]
      }, "--seeds", "1", "--rate", "0.1"
    ).csv
    let header =
      "experiment,run,arm,rate,batch_size,mode,data_seed,pairs,model,seed,split,metric,group,unit,"
      + "value,low_95,high_95,count,items,run_seconds,commit\n"
    #expect(csv.hasPrefix(header))
    let rows = csv.dropFirst(header.count).split(separator: "\n")
    // The line break within quotes makes two lines of each first row.
    try #require(rows.count == 2 * 3)
    let start = rows[0].split(separator: ",", omittingEmptySubsequences: false)
    #expect(start[0] == "toy" && start[1].count == 16)
    #expect(rows[0].hasSuffix(",with,0.1,8,plain,1,,,0,\"in, out\",\"a \"\"b\"\""))
    #expect(rows[1].hasPrefix("c\",,nats,-0.025,,,,"))
    let share = Estimate.share(1, of: 4)
    #expect(
      rows[2].contains(",test,accuracy,sums,fraction,0.25,\(share.low),\(share.high),4,0100,"))
    // The arm that has no rate has an empty cell there.
    #expect(rows[3].contains(",without,,8,plain,1,,,0,"))
    #expect(rows[5].split(separator: ",", omittingEmptySubsequences: false).count == 21)
  }

  /// The lines of a summary with single spaces.
  private func lines(_ text: String) -> [String] {
    text.split(separator: "\n").map { $0.split(separator: " ").joined(separator: " ") }
  }

  @Test("The summary's differences to the reference arm are paired by seed")
  func summary() throws {
    // Seeds differ by far more than arms do; only the pairing shows the difference.
    let experiment = toyExperiment { context in
      let seed = Double(context.settings.seed)
      let rate = context.settings.arm == "with" ? context.settings.number("rate") : 0
      return [Metric(.score, unit: .fraction, value: 0.1 * seed + rate + 0.001 * seed * rate)]
    }
    let lines = lines(try results(experiment, "--seeds", "3").summary)
    try #require(lines.count == 4)
    #expect(lines[0] == "score mean 95 % minus without, points 95 % seeds")
    #expect(lines[1].hasPrefix("with rate=0.1 20.0 %") && lines[1].hasSuffix("3"))
    #expect(lines[1].contains("+10.0 +10.0 … +10.0"))
    #expect(lines[2].contains("30.0 %") && lines[2].contains("+20.0 +20.0 … +20.1"))
    // t of 2 degrees of freedom is 4.303, and 4.303 · 0.1 / √3 = 0.248.
    #expect(lines[3] == "without 10.0 % -14.8 % … 34.8 % 3")
  }

  @Test(
    "An accuracy has Wilson's interval and the majority baseline, and its difference that over questions"
  )
  func accuracy() throws {
    let toy = toyExperiment { context in
      let isRight = { (index: Int) in context.settings.arm == "with" ? index < 3 : index < 1 }
      return [
        Metric(
          split: "test", .accuracy, unit: .fraction,
          .share(context.settings.arm == "with" ? 3 : 1, of: 4),
          items: MetricItems((0..<4).map { (id: "\($0)", isTrue: isRight($0)) })),
        Metric(split: "test", .majorityBaseline, unit: .fraction, value: 0.25),
      ]
    }
    let experiment = Experiment(
      name: "toy", question: "", arms: toy.arms, reference: "without", settings: toy.settings,
      seeds: 1, summary: [MetricKey("test", .accuracy)], example: "", prepare: toy.prepare)
    let lines = lines(try results(experiment, "--rate", "0.1").summary)
    #expect(lines[0].hasPrefix("test accuracy (majority baseline 25.0 %) mean"))
    let wilson = Estimate.share(3, of: 4)
    let difference = MeanDifference([[1, 1, 1, 0]], minus: [[1, 0, 0, 0]]).interval()
    func percent(_ value: Double) -> String { String(format: "%.1f", 100 * value) }
    #expect(
      lines[1]
        == "with 75.0 % \(percent(wilson.low)) % … \(percent(wilson.high)) % +50.0 "
        + "\(percent(difference.low)) … +\(percent(difference.high)) 1")
  }

  @Test("A summary pairs only the seeds that both arms have")
  func unpaired() throws {
    let experiment = toyExperiment { context in
      if context.settings.arm == "without", context.settings.seed == 0 { throw CancellationError() }
      return [Metric(.score, unit: .nats, value: Double(context.settings.seed))]
    }
    // With one run at a time, the cancelled one is the last to be made but for seed 1.
    let lines = lines(
      try results(experiment, "--rate", "0.1", "--jobs", "1", "--seeds", "1,0").summary)
    try #require(lines.count == 3)
    // Seeds 1 and 0 have the mean 0.5; seed 1 alone has the difference 0.
    #expect(lines[1].contains("0.5000") && lines[1].hasSuffix("0.0000 – 2"))
    #expect(lines[2].hasPrefix("without 1.0000 – ") && lines[2].hasSuffix("1"))
  }

  @Test("A point is compared with the reference's with the settings that both have")
  func reference() throws {
    let experiment = Experiment(
      name: "toy", question: "", arms: [Arm("base", help: ""), Arm("new", help: "")],
      reference: "base",
      settings: [Setting("size", .integer(0...9), [.integer(1), .integer(2)], help: "")],
      seeds: 1, summary: [MetricKey(.score)], example: ""
    ) { _ in
      Prepared(checksums: [:]) { run in
        let gain = run.settings.arm == "new" ? 0.5 : 0
        return [
          Metric(.score, unit: .nats, value: Double(10 * run.settings.integer("size")) + gain)
        ]
      }
    }
    let lines = lines(try results(experiment).summary)
    for size in [1, 2] {
      let line = lines.first { $0.hasPrefix("new size=\(size)") }
      #expect(line?.contains("+0.5000") == true, "\(line ?? "")")
    }
  }
}
