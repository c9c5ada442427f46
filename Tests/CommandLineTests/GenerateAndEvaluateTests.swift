import Foundation
import TestSupport
import Testing

@Suite struct GenerateTests {
  @Test(
    "generate --json continues prompts as Transformers does, in any batch", arguments: [1, 2, 32])
  func greedy(batch: Int) throws {
    let goldens =
      try JSONSerialization.jsonObject(with: Data(contentsOf: fixture("decoder/greedy.json")))
      as? [String: [[String: [Int]]]]
    let rows = try #require(goldens?["tied"])
    let place = try Workplace()
    let prompts = rows.map { row in
      #"{"prompt": "\#((row["prompt"] ?? []).map(String.init).joined(separator: " "))"}"#
    }
    let call = try keystep(
      "generate", "--model", numberedModel(in: place.path),
      "--prompts", place.file("prompts.jsonl", prompts.joined(separator: "\n")),
      "--batch", "\(batch)", "--max-new-tokens", "20", "--json")
    #expect(call.status == 0, "\(call.errors)")
    let objects = try call.objects()
    try #require(objects.count == rows.count)
    for (index, (object, row)) in zip(objects, rows).enumerated() {
      #expect(Set(object.keys) == ["index", "prompt_tokens", "tokens", "text", "reason"])
      #expect(object["index"] as? Int == index)
      #expect(object["prompt_tokens"] as? [Int] == row["prompt"])
      let continuation = row["continuation"] ?? []
      #expect(object["tokens"] as? [Int] == continuation)
      let ended = continuation.last == 2
      #expect(object["reason"] as? String == (ended ? "stop" : "length"))
      #expect(
        object["text"] as? String
          == continuation.filter { $0 > 2 }.map(String.init).joined(separator: " "))
    }
  }

  @Test("Drawn answers are those of their seed")
  func sampled() throws {
    let place = try Workplace()
    let model = try numberedModel(in: place.path)
    let prompts = try place.file("prompts.jsonl", #"{"prompt": "10 11"}"#)
    func answer(_ seed: Int) throws -> String {
      let call = try keystep(
        "generate", "--model", model, "--prompts", prompts, "--temperature", "1.5", "--top-k", "50",
        "--top-p", "0.99", "--seed", "\(seed)", "--max-new-tokens", "12", "--json")
      #expect(call.status == 0)
      return call.output
    }
    #expect(try answer(1) == answer(1))
    #expect(try answer(1) != answer(2))
  }
}

@Suite struct EvaluateTests {
  @Test("evaluate --json gives accuracy and the key-step metrics with their intervals")
  func json() throws {
    let place = try Workplace()
    let prompts = try place.file(
      "prompts.jsonl",
      #"{"prompt": "10 11", "answer": "12"}"# + "\n" + #"{"prompt": "13", "answer": "14"}"#)
    let call = try keystep(
      "evaluate", "--model", numberedModel(in: place.path), "--prompts", prompts,
      "--pairs", place.pairs(somePairs), "--max-new-tokens", "6", "--json")
    #expect(call.status == 0, "\(call.errors)")
    let objects = try call.objects()
    let names = objects.compactMap { $0["metric"] as? String }
    #expect(names.count == 6 && names[0].hasPrefix("accuracy") && names[1].hasPrefix("unparsed"))
    #expect(
      names.dropFirst(2) == [
        "prefers right chain", "key tokens top-1", "key tokens -log p", "other tokens -log p",
      ])
    for object in objects {
      #expect(Set(object.keys) == ["metric", "unit", "value", "low_95", "high_95", "count"])
      let value = try #require(object["value"] as? Double)
      let low = try #require(object["low_95"] as? Double)
      let high = try #require(object["high_95"] as? Double)
      #expect(low <= value && value <= high)
    }
    #expect(objects.map { $0["count"] as? Int } == [2, 2, 4, 4, 4, 4])
  }
}

@Suite struct InfoTests {
  @Test("info names architecture, shape, types and tokenizer, and with --tensors every tensor")
  func info() throws {
    let place = try Workplace()
    let model = try numberedModel(in: place.path)
    let call = try keystep("info", model)
    #expect(call.status == 0, "\(call.errors)")
    for text in [
      "llama", "layers         2", "hidden size    32", "vocabulary     97, tied",
      "context        64", "of F32", "97 tokens", "ends with    2 </s>",
    ] { #expect(call.output.contains(text), "\(text)") }
    #expect(
      try keystep("info", model, "--tensors").output.contains(
        "model.embed_tokens.weight  97 × 32  F32"))
  }
}
