import Foundation
import TestSupport
import Testing

@Suite struct PairTests {
  private let solutions = fixture("reasoning/gsm8k-solutions.jsonl").path

  @Test(
    "pair writes preference pairs whose responses begin with one space, and counts what it drops")
  func pairs() throws {
    let place = try Workplace()
    let output = place.path + "/pairs.jsonl"
    let call = try keystep(
      "pair", "--format", "gsm8k-solutions", solutions, "--output", output)
    #expect(call.status == 0 && call.output.isEmpty)
    #expect(call.errors.hasPrefix("2 dual pairs; dropped: 1 questions without"))
    let written = try Call(status: 0, output: place.text("pairs.jsonl"), errors: "").objects()
    try #require(written.count == 2)
    for pair in written {
      let prompt = try #require(pair["prompt"] as? String)
      #expect(prompt.hasPrefix("Q: ") && prompt.hasSuffix("\nA:"))
      for side in ["chosen", "rejected"] {
        let text = try #require(pair[side] as? String)
        #expect(text.hasPrefix(" ") && !text.hasPrefix("  "))
      }
    }
    // The nearest wrong solution, not the longest.
    #expect((written[0]["rejected"] as? String)?.contains("1300") == true)
  }

  @Test(
    "Pairs go to a pipe and come from one",
    arguments: [
      "$keystep pair --format gsm8k-solutions $file",
      "$keystep pair --format gsm8k-solutions $file --output /dev/stdout",
      "$keystep pair --format gsm8k-solutions $file --output /dev/stdout | cat",
      "$keystep pair --format gsm8k-solutions /dev/stdin < $file",
      "cat $file | $keystep pair --format gsm8k-solutions /dev/stdin",
      "$keystep pair --format gsm8k-solutions <(cat $file)",
      "$keystep pair --format gsm8k-solutions $file --output >(cat); wait $!",
      "$keystep pair --format gsm8k-solutions $file > out; cat out",
      "mkfifo f; cat f & $keystep pair --format gsm8k-solutions $file --output f; wait",
    ])
  func pipes(line: String) throws {
    let place = try Workplace()
    let expected = try keystep(
      "pair", "--format", "gsm8k-solutions", solutions, "--output", place.path + "/pairs.jsonl")
    #expect(expected.status == 0)
    let call = try shell("file=\(solutions); " + line, in: place.path)
    #expect(call.status == 0, "\(call.errors)")
    #expect(try call.output == place.text("pairs.jsonl"))
    #expect(call.errors == expected.errors)
  }

  @Test("What stood in a file that is appended to stays")
  func appending() throws {
    let place = try Workplace()
    let call = try shell(
      "echo before > out; $keystep pair --format gsm8k-solutions \(solutions) >> out",
      in: place.path)
    #expect(call.status == 0)
    #expect(try place.text("out").hasPrefix("before\n{"))
    #expect(try place.text("out").split(separator: "\n").count == 3)
  }

  @Test("Pairs and prompts are read from pipes")
  func reading() throws {
    let place = try Workplace()
    let model = try numberedModel(in: place.path)
    let file = try place.pairs(somePairs)
    let whole = try keystep("align", "--tokenizer", model, "--pairs", file, "--json")
    for line in [
      "head -2 pairs.jsonl | $keystep align --tokenizer \(model) --pairs /dev/stdin --json",
      "$keystep align --tokenizer \(model) --pairs <(head -2 pairs.jsonl) --json",
    ] {
      let call = try shell(line, in: place.path)
      #expect(call.status == 0, "\(call.errors)")
      #expect(call.lines == Array(whole.lines.prefix(2)))
    }
    let prompts = try shell(
      #"$keystep generate --model \#(model) --max-new-tokens 2 --json --prompts <(echo '{"prompt": "5"}')"#,
      in: place.path)
    #expect(prompts.status == 0 && prompts.lines.count == 1, "\(prompts.errors)")
  }
}
