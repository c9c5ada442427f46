import Foundation
import TestSupport
import Testing

@Suite struct ScoreTests {
  private let outputs = fixture("reasoning/bbh-outputs.json").path
  private let solutions = fixture("reasoning/gsm8k-solutions.jsonl").path

  @Test(
    "score --json counts each file by the rule of its format, and with --per-item each response")
  func json() throws {
    let call = try keystep("score", "--format", "bbh", outputs, outputs, "--json")
    #expect(call.status == 0 && call.errors.isEmpty)
    let objects = try call.objects()
    try #require(objects.count == 2)
    for object in objects {
      #expect(object["file"] as? String == outputs)
      #expect(object["correct"] as? Int == 2 && object["total"] as? Int == 5)
      #expect(object["accuracy"] as? Double == 0.4 && object["unparsed"] as? Int == 2)
      let (low, high) = (object["low_95"] as? Double ?? 1, object["high_95"] as? Double ?? 0)
      #expect(low < 0.4 && 0.4 < high)
      #expect(object["majority_baseline"] is Double && object["published_agreement"] == nil)
    }
    let flexible = try keystep(
      "score", "--format", "bbh", outputs, "--match", "flexible", "--json", "--per-item")
    let lines = try flexible.objects()
    try #require(lines.count == 6)
    #expect(lines[5]["correct"] as? Int == 4)
    #expect(lines.dropLast().count { $0["is_correct"] as? Bool == true } == 4)
    #expect(lines[0]["id"] as? String == "bbh-outputs-0" && lines[0]["gold"] is String)
    let labelled = try keystep("score", "--format", "gsm8k-solutions", solutions, "--json")
      .objects()
    #expect(labelled[0]["published_agreement"] as? Int == labelled[0]["total"] as? Int)
  }

  @Test("score tells files, tasks and all of them apart, each with its interval and floor")
  func text() throws {
    let place = try Workplace()
    let file = try place.file(
      "mine.jsonl",
      """
      {"response": "the answer is B", "answer": "(B)", "task": "letters"}
      {"response": "#### 1,000", "answer": "1000", "task": "gsm8k"}
      {"response": "x ; ans 5", "answer": "4", "task": "arithmetic"}

      """)
    let call = try keystep("score", "--format", "jsonl", file, file)
    #expect(call.status == 0)
    #expect(call.lines.count == 10)
    #expect(call.lines[0].hasPrefix("\(file): 2 of 3 correct, accuracy 0.6667 (95 % interval 0.2"))
    #expect(call.lines[1].hasPrefix("  arithmetic: 0 of 1 correct, accuracy 0.0 "))
    #expect(call.lines[8].hasPrefix("all 2 files: 4 of 6 correct"))
    #expect(call.lines[8].hasSuffix("unparsed 0.0, majority baseline 1.0"))
    #expect(call.lines[9].hasPrefix("  mean of 3 tasks: 0.6667 (95 % interval "))
  }

  @Test("score names a file that is missing, empty or of another format")
  func errors() throws {
    let place = try Workplace()
    let empty = try place.file("empty.jsonl", "")
    for (format, file, text) in [
      ("bbh", place.path + "/no.json", "no such file"), ("jsonl", empty, "at least one response"),
      ("bbh", solutions, "the end of the JSON text"),
    ] {
      let call = try keystep("score", "--format", format, file)
      #expect(call.status == 1 && call.errors.contains(file) && call.errors.contains(text))
    }
    #expect(try keystep("score", "--format", "other", outputs).status == 2)
    #expect(try keystep("score", "--format", "bbh", outputs, "--match", "loose").status == 2)
  }
}

@Suite struct MistakesTests {
  private func line(_ chosen: String, _ rejected: String, _ mistake: String? = nil) -> String {
    #"{"prompt": "Q: 3 * 4 mod 7\nA:", "chosen": "\#(chosen)", "rejected": "\#(rejected)""#
      + (mistake.map { #", "mistake": "\#($0)""# } ?? "") + "}\n"
  }

  @Test("mistakes writes each pair's kind, keeps what is stated and scores the guess against it")
  func mistakes() throws {
    let place = try Workplace()
    let file = try place.file(
      "pairs.jsonl",
      line("3 * 4 = 5", "3 * 4 = 6") + line("3 * 4 = 5", "3 + 4 = 0")
        + line("3 * 4 = 5", "3 * 4 = 6", "calculation") + line("3 * 4 = 5", "five", "calculation")
        + line("3 * 4 = 5", "3 + 4 = 0", "logical") + line("3 * 4 = 5", "3 + 4 = 1", "knowledge")
        + line("3 * 4 = 5", "3 + 4 = 0", "unknown"))
    let output = place.path + "/out.jsonl"
    let call = try keystep("mistakes", "--pairs", file, "--output", output, "--json")
    #expect(call.status == 0 && call.errors.isEmpty)
    let object = try #require(try call.objects().first)
    for (key, count) in [
      ("pairs", 7), ("logical", 1), ("knowledge", 1), ("calculation", 3), ("unknown", 2),
      ("stated", 4),
    ] { #expect(object[key] as? Int == count, "\(key)") }
    for key in ["precision", "recall"] {
      let share = try #require(object[key] as? [String: Any])
      #expect(share["value"] as? Double == 0.5 && share["count"] as? Int == 2)
      #expect(share["low_95"] is Double && share["high_95"] is Double)
    }
    let kinds = try Call(status: 0, output: place.text("out.jsonl"), errors: "").objects()
      .map { $0["mistake"] as? String }
    #expect(
      kinds == [
        "calculation", "unknown", "calculation", "calculation", "logical", "knowledge", "unknown",
      ])
    let text = try keystep("mistakes", "--pairs", file)
    #expect(text.lines[0] == "7 pairs: logical 1, knowledge 1, calculation 3, unknown 2")
    #expect(text.lines.count == 4)
    // Where no kind is stated, there is nothing to score the guess against.
    let bare = try place.file("bare.jsonl", line("3 * 4 = 5", "3 * 4 = 6"))
    let object2 = try #require(try keystep("mistakes", "--pairs", bare, "--json").objects().first)
    #expect(object2["precision"] == nil && object2["calculation"] as? Int == 1)
  }
}
