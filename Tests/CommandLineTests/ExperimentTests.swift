import Foundation
import TestSupport
import Testing

/// Each experiment's executable.
@Suite struct ExperimentTests {
  private static let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
    .appendingPathComponent("../../experiments").standardizedFileURL

  /// The folders under `experiments/`.
  static var names: [String] {
    let names = (try? FileManager.default.contentsOfDirectory(atPath: folder.path)) ?? []
    return names.filter {
      FileManager.default.fileExists(atPath: folder.path + "/\($0)/main.swift")
    }.sorted()
  }

  @Test("There are the experiments that the paper and the later literature ask for")
  func all() {
    #expect(
      Self.names == [
        "adapter-spectrum", "alignment-granularity", "baselines", "big-bench-hard", "components",
        "data-size", "dose", "key-step-ratio", "key-token-validity", "mistake-kinds",
        "mistake-or-consequence", "student-size", "token-rules",
      ])
  }

  @Test(
    "A smoke run leaves a CSV with every arm, and the same call again has nothing to do",
    arguments: ExperimentTests.names)
  func smoke(name: String) throws {
    let place = try Workplace()
    let call = try runExecutable(executable(name), ["--smoke"], in: place.path)
    #expect(call.status == 0, "\(call.errors)")
    let csv = try place.text("results/scratch/\(name).csv")
    let arms = Set(
      csv.split(separator: "\n").dropFirst().map { $0.split(separator: ",")[2] })
    // The one that trains no student measures something else.
    let figure =
      name == "key-token-validity"
      ? ",key_tokens_in_mistake,simulated,fraction," : ",out of domain,accuracy,,fraction,"
    #expect(arms.count > 1 && csv.contains(figure))
    let planned = try #require(call.output.firstMatch(of: /\n  (\d+) runs \(/)).1
    #expect(call.output.contains("CSV: results/scratch/\(name).csv (\(planned) runs)"))
    if name != "key-token-validity" {
      let page = "results/scratch/\(name).html"
      #expect(call.output.hasSuffix("\nHTML: \(page)\n") && call.output.contains("\nReport: "))
      #expect(try place.text(page).contains("<section id=\"chains\""))
      // A run keeps its responses to each test.
      let folder = "\(place.path)/runs/\(name)/responses"
      let runs = try FileManager.default.contentsOfDirectory(atPath: folder)
      #expect(runs.count == Int(planned))
      let kept = try place.text("runs/\(name)/responses/\(runs[0])/in-domain.jsonl")
      #expect(kept.split(separator: "\n").count == 16 && kept.hasPrefix("{\"id\":\"test-"))
    }
    let again = try runExecutable(executable(name), ["--smoke"], in: place.path)
    #expect(again.status == 0 && again.output.contains("\(planned) finished before"))
    #expect(try place.text("results/scratch/\(name).csv") == csv)
  }

  @Test(
    "Projections that the student does not have are refused when the sweep is planned",
    arguments: [
      ("key-step-ratio", "--lora-targets", "q_proj,q_proj+qkv_proj", true),
      ("adapter-spectrum", "--adapter-targets", "qkv_proj", true),
      ("adapter-spectrum", "--adapter-targets", "q_proj,gate_up_proj", false),
    ])
  func projections(name: String, flag: String, value: String, isPretrained: Bool) throws {
    let place = try Workplace()
    var arguments = ["plan", flag, value]
    if isPretrained {
      arguments += try [
        "--model", numberedModel(in: place.path), "--pairs", place.pairs(somePairs),
      ]
    }
    let call = try runExecutable(executable(name), arguments, in: place.path)
    #expect(call.status == 1 && call.output.isEmpty)
    #expect(
      call.errors.hasPrefix(
        "\(name): \(flag): expected projections of the student: q_proj, k_proj, v_proj, o_proj, "
          + "gate_proj, up_proj, down_proj, found "), "\(call.errors)")
    #expect(!FileManager.default.fileExists(atPath: place.path + "/runs/\(name)/plan.json"))
  }

  @Test("A sharded checkpoint is trained and scored as the same one in a single file")
  func sharded() throws {
    var tables: [[String]] = []
    for isSharded in [false, true] {
      let place = try Workplace()
      let model = try numberedModel(in: place.path)
      if isSharded { try splitIntoShards(model) }
      let pairs = (0..<12).map { ("\(10 + $0) 4", "5 \(30 + $0)", "6 \(31 + $0)") }
      let call = try runExecutable(
        executable("key-step-ratio"),
        [
          "--smoke", "--model", model, "--pairs", place.pairs(pairs), "--validation-questions", "2",
          "--test-questions", "4", "--max-new-tokens", "4", "--stage1-steps", "2",
          "--stage2-steps", "2", "--lora-rank", "2", "--batch-size", "2", "--jobs", "1", "--output",
          "sharded.csv",
        ], in: place.path)
      #expect(call.status == 0, "\(call.errors)")
      let csv = try place.text("sharded.csv")
      let rows = csv.split(separator: "\n").map {
        $0.split(separator: ",", omittingEmptySubsequences: false)
      }
      let metric = try #require(rows[0].firstIndex(of: "metric"))
      let columns = try ["arm", "split", "metric", "value"].map { name in
        try #require(rows[0].firstIndex { $0 == name })
      }
      tables.append(
        rows.filter { !$0[metric].contains("speed") }.map { row in
          columns.map { String(row[$0]) }.joined(separator: ",")
        })
    }
    #expect(tables[0].contains { $0.contains("in domain,pairwise_accuracy,") })
    #expect(tables[0] == tables[1])
  }

  @Test(
    "Its README has its question and all its arms, and its help an example",
    arguments: ExperimentTests.names)
  func readme(name: String) throws {
    let readme = try String(
      contentsOf: Self.folder.appendingPathComponent("\(name)/README.md"), encoding: .utf8)
    for heading in ["# \(name)", "## Prediction", "## Command", "## Cost", "## Result"] {
      #expect(readme.contains(heading + "\n"), "\(heading)")
    }
    let question = readme.split(separator: "\n").first { !$0.hasPrefix("#") } ?? ""
    let checkpoint = ["--model=x", "--help"]
    for arguments in [["--help"], checkpoint] {
      let help = try runExecutable(executable(name), arguments)
      #expect(help.status == 0 && help.output.contains("make experiment NAME=\(name)"))
      #expect(help.output.hasPrefix("\(name): \(question)\n"))
      let arms = help.output.split(separator: "\n", omittingEmptySubsequences: false)
        .drop { $0 != "Arms" }.dropFirst().prefix { !$0.isEmpty }
      for arm in arms {
        let arm = arm.trimmingPrefix("  ").split(separator: "  ")[0]
        #expect(readme.contains("`\(arm)`"), "\(arm)")
      }
    }
  }
}
