import Experiments
import Files
import Foundation
import Statistics
import TestSupport
import Testing

@Suite struct ResultFileTests {
  private static let header =
    "experiment,run,arm,beta,seed,split,metric,unit,value,low_95,high_95,count,items,run_seconds,commit"

  private func read(_ text: String) throws -> ResultFile {
    let folder = try TemporaryFolder()
    try folder.write(text, to: "some.csv")
    return try ResultFile(path: folder.path + "/some.csv")
  }

  @Test("What an experiment writes is read back, quotes, empty cells and items included")
  func roundTrip() throws {
    let folder = try TemporaryFolder()
    let experiment = toyExperiment { _ in
      [
        Metric(MetricName("loss"), unit: .nats, value: .nan),
        Metric(
          split: "in, \"one\"\ndomain", .accuracy, unit: .fraction, .share(1, of: 3),
          items: MetricItems(["a", "b", "c"].map { (id: $0, isTrue: $0 == "b") })),
        Metric(
          split: "test", .keyTokenNLL, group: "a task", unit: .nats,
          .ratio(of: [1.23456, 3], over: [2, 4]),
          items: MetricItems([
            (id: "a", value: 1.23456, weight: 2), (id: "b", value: 3, weight: 4),
          ])),
      ]
    }
    let path = folder.path + "/toy.csv"
    #expect(experiment.run(["--output", path], folder: folder.path + "/runs") == 0)
    let file = try ResultFile(path: path)
    #expect(file.experiment == "toy" && file.hasItems && file.sha256.count == 64)
    #expect(file.settings == ["rate", "batch_size", "mode", "data_seed", "pairs", "model"])
    #expect(file.runs.map(\.arm) == ["with", "with", "with", "with", "without", "without"])
    #expect(file.runs.map(\.seed) == [0, 1, 0, 1, 0, 1])
    let run = file.runs[0]
    #expect(
      run.settings == ["rate": "0.1", "batch_size": "8", "mode": "plain", "data_seed": "1"])
    #expect(file.runs[4].settings["rate"] == nil)
    let accuracy = try #require(run.figure("in, \"one\"\ndomain", .accuracy))
    #expect(accuracy.value == 1.0 / 3 && accuracy.count == 3)
    #expect(accuracy.items == ResultFile.Items(values: [0, 1, 0], weights: [1, 1, 1]))
    let tokens = try #require(run.figure("test", .keyTokenNLL, group: "a task"))
    #expect(tokens.items == ResultFile.Items(values: [1.235, 3], weights: [2, 4]))
    #expect(run.figure("", MetricName("loss")) == nil)
    #expect(run.figures.contains { $0.key.name.rawValue == "loss" && $0.value.value.isNaN })
  }

  @Test("Lines may end as on Windows, and the last one without an end; a CSV may lack items")
  func forms() throws {
    let file = try read(
      Self.header.replacing(",items", with: "") + "\r\n"
        + "e,r,a,,0,test,accuracy,share,0.5,,,2,1,c\r\n\r\ne,r,a,,0,\"test\",\"a, b\",nats,1,,,,1,c"
    )
    #expect(file.runs.count == 1 && !file.hasItems)
    #expect(file.runs[0].figure("test", MetricName("a, b"))?.value == 1)
    #expect(file.runs[0].figure("test", .accuracy)?.items == nil)
  }

  @Test(
    "What is wrong is named with its line, what was expected and what was found",
    arguments: [
      ("a,b\n1,2\n", "line 1", "experiment, run, arm", "a,b"),
      ("", "line 1", "experiment", "found "),
      ("HEADER\n", "some.csv", "at least one run", "none"),
      ("HEADER\ne,r,a\n", "line 2", "15 fields", "3"),
      ("HEADER\ne,r,a,0,x,test,m,nats,1,,,,,1,c\n", "line 2", "whole number as seed", "\"x\""),
      ("HEADER\ne,r,a,=2,0,test,m,nats,1,,,,,1,c\n", "line 2", "as beta", "\"=2\""),
      ("HEADER\ne,r,@a,0,0,test,m,nats,1,,,,,1,c\n", "line 2", "as arm", "\"@a\""),
      ("HEADER\ne,r,a,0,0,test,m,nats,low,,,,,1,c\n", "line 2", "number as value", "\"low\""),
      ("HEADER\ne,r,a,0,0,test,m,share,1.5,,,,,1,c\n", "line 2", "from 0 to 1", "1.5"),
      ("HEADER\ne,r,a,0,0,test,m,nats,1,,,two,,1,c\n", "line 2", "as count", "\"two\""),
      ("HEADER\ne,r,a,0,0,test,m,nats,1,,,-2,,1,c\n", "line 2", "as count", "\"-2\""),
      ("HEADER\ne,r,a,0,0,test,m,share,0.5,,,2,012,1,c\n", "line 2", "items as 0110", "\"012\""),
      ("HEADER\ne,r,a,0,0,test,m,nats,1,,,2,1/2 3,1,c\n", "line 2", "items as 0110", "1/2 3"),
      ("HEADER\ne,r,a,0,0,test,m,share,0.5,,,3,01,1,c\n", "line 2", "3 items", "2"),
      ("HEADER\ne,r,a,0,0,test,m,share,0.5,,,3,011,1,c\n", "line 2", "value 0.5", "\"011\""),
      ("HEADER\ne,r,a,0,0,test,m,nats,1,,,2,1/2 1/1,1,c\n", "line 2", "value 1.0", "1/2 1/1"),
      (
        "HEADER\ne,r,a,0,0,t,m,nats,1,,,,,1,c\ne,r,a,0,0,t,m,nats,1,,,,,1,c\n", "line 3",
        "one row for each run, split, metric and group", "second t m of run r, after line 2"
      ),
      (
        "HEADER\ne,r,a,0,0,t,m,nats,1,,,,,1,c\ne,s,a,0,0,t,m,nats,1,,,,,1,c\n", "line 3",
        "one run for each arm, settings and seed", "run s"
      ),
      (
        "HEADER\ne,r,a,0,0,t,m,nats,1,,,,,1,c\ne,r,b,0,0,t,n,nats,1,,,,,1,c\n", "line 3",
        "as in line 2", "others"
      ),
      ("HEADER\ne,r,\"a\nb,0,0,t,m,nats,1,,,,,1,c\n", "line 2", "closing quotes", "the end"),
      ("HEADER\ne,r,\"a\"b,0,0,t,m,nats,1,,,,,1,c\n", "line 2", "quotes around", "\"a\""),
      ("HEADER\ne,r,a\"b\",0,0,t,m,nats,1,,,,,1,c\n", "line 2", "quotes around", "\"a\""),
    ])
  func damage(text: String, place: String, expected: String, found: String) throws {
    let error = #expect(throws: FileError.self) {
      try read(text.replacing("HEADER", with: Self.header))
    }
    let message = error?.description ?? ""
    for part in [place, expected, found] {
      #expect(message.contains(part), "\(part) is not in \(message)")
    }
  }

  @Test(
    "Metrics and units of earlier files are read under their present names",
    arguments: [
      ("accuracy", "share", MetricName.accuracy, "", MetricUnit.fraction),
      ("accuracy: arithmetic", "share", .accuracy, "arithmetic", .fraction),
      ("guessing floor", "share", .majorityBaseline, "", .fraction),
      ("guessing floor: boolean", "share", .majorityBaseline, "boolean", .fraction),
      ("prefers right chain", "share", .pairwiseAccuracy, "", .fraction),
      ("key tokens top-1", "share", .keyTokenAccuracy, "", .fraction),
      ("key tokens -log p", "nats", .keyTokenNLL, "", .nats),
      ("other tokens -log p", "nats", .otherTokenNLL, "", .nats),
      ("stage 2 first loss", "nats", .firstLoss("stage 2"), "", .nats),
      (
        "stage 2 last gradient norm, wrong tokens", "nats",
        .rejectedGradientNorm("stage 2", "last"), "", .nats
      ),
      ("stage 2 speed", "useful tokens/s", .speed("stage 2"), "", .tokensPerSecond),
      ("stage 2 key tokens", "share", .stage2KeyTokens, "", .fraction),
      (
        "effective rank: layer 2 v_proj", "directions", .effectiveRank, "layer 2 v_proj",
        .directions
      ),
      ("overlap with stage 1, inputs", "share", .inputOverlap, "", .fraction),
      ("singular values: layer 0 q_proj", "weight", .singularValues, "layer 0 q_proj", .weight),
    ])
  func earlier(
    metric: String, unit: String, name: MetricName, group: String, present: MetricUnit
  ) throws {
    let file = try read(Self.header + "\ne,r,a,0,0,t,\"\(metric)\",\(unit),0.5,,,,,1,c\n")
    let figure = try #require(file.runs[0].figure("t", name, group: group))
    #expect(figure.value == 0.5 && figure.unit == present)
    // As they are now, with a column for the group.
    let header = Self.header.replacing("metric,", with: "metric,group,")
    let now = try read(
      header + "\ne,r,a,0,0,t,\(name),\(group),\(present.rawValue),0.5,,,,,1,c\n")
    #expect(now.runs[0].figure("t", name, group: group)?.unit == present)
  }

  @Test("Items that share an id are all kept, so that the file fits its counts")
  func repeatedIDs() throws {
    let folder = try TemporaryFolder()
    let experiment = toyExperiment { _ in
      let items = MetricItems([
        (id: "q", isTrue: true), (id: "p", isTrue: false), (id: "q", isTrue: false),
        (id: "q", isTrue: true),
      ])
      #expect(items.ids == ["p", "q", "q (2)", "q (3)"])
      return [
        Metric(split: "test", .accuracy, unit: .fraction, .share(2, of: 4), items: items)
      ]
    }
    let path = folder.path + "/toy.csv"
    #expect(experiment.run(["--output", path], folder: folder.path + "/runs") == 0)
    let figure = try ResultFile(path: path).runs[0].figure("test", .accuracy)
    #expect(figure?.items?.values == [0, 1, 0, 1])
  }
}
