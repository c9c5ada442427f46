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

/// Students asked as their arms are, against prompts put together by hand.
@Suite struct ArmTests {
  /// The words of the procedural tasks' cues in the numbered model, by the ids that they stand for.
  private static let cueWords = [90: "now", 91: "ans", 92: ";", 93: "is"]

  private let place: Workplace
  private let model: String

  init() throws {
    place = try Workplace()
    model = try numberedModel(in: place.path)
    var tokenizer = try String(contentsOfFile: model + "/tokenizer.json", encoding: .utf8)
    for (id, word) in Self.cueWords {
      tokenizer = tokenizer.replacing("\"\(id)\":", with: "\"\(word)\":")
    }
    try tokenizer.write(toFile: model + "/tokenizer.json", atomically: true, encoding: .utf8)
  }

  private func words(_ tokens: [Int]) -> String {
    tokens.map { Self.cueWords[$0] ?? ["<unk>", "<s>", "</s>"].dropFirst($0).first ?? "\($0)" }
      .joined(separator: " ")
  }

  private func generate(_ prompts: [String], _ arguments: String...) throws
    -> [(prompt: [Int], tokens: [Int], text: String)]
  {
    let file = try place.file(
      "prompts.jsonl",
      prompts.map { #"{"prompt": "\#($0)", "task": "boolean"}"# }.joined(separator: "\n"))
    let call = try runExecutable(
      executable("keystep"),
      ["generate", "--model", model, "--prompts", file, "--max-new-tokens", "6", "--json"]
        + arguments)
    #expect(call.status == 0, "\(call.errors)")
    return try call.objects().map { object in
      (
        prompt: try #require(object["prompt_tokens"] as? [Int]),
        tokens: try #require(object["tokens"] as? [Int]),
        text: try #require(object["text"] as? String)
      )
    }
  }

  @Test(
    "--arm asks with the cues that the arm's student was trained with",
    arguments: [
      ("edit", "", "", [Int]()), ("std-cot", "", "", []), ("answer-sft", "", "", [91]),
      ("mt-re", "", " ans", [91]), ("mt-cot", "", " ; ans", [91]), ("mt-ra", "", " ; ans", [91]),
      ("scott", "now ", "", []),
    ])
  func cues(arm: String, before: String, after: String, lead: [Int]) throws {
    let prompts = ["10 11", "36 48 75 28"]
    let asked = try generate(prompts, "--arm", arm)
    let byHand = try generate(prompts.map { before + $0 + after })
    #expect(asked.map(\.prompt) == byHand.map(\.prompt))
    #expect(asked.map(\.tokens) == byHand.map { lead + $0.tokens })
  }

  @Test("--arm cascod asks for the rationale, then for the answer after it, and joins them")
  func twoPasses() throws {
    let prompts = ["10 11", "36 48 75 28"]
    let asked = try generate(prompts, "--arm", "cascod")
    let first = try generate(prompts.map { $0 + " now" })
    let rationales = first.map { $0.tokens.filter { $0 != 2 } }
    let second = try generate(
      zip(first, rationales).map { "\(words($0.prompt + $1)) ans" })
    #expect(asked.map(\.prompt) == first.map(\.prompt))
    #expect(asked.map(\.tokens) == zip(rationales, second).map { $0 + [91] + $1.tokens })
  }

  @Test(
    "evaluate scores what the student answers as its arm, and names the arm",
    arguments: ["mt-re", "cascod"])
  func evaluate(arm: String) throws {
    // What the arm's student answers is the gold answer; asked plainly, it writes no cue for it.
    let text = try generate(["10 11"], "--arm", arm)[0].text
    let gold = try #require(text.components(separatedBy: "ans ").last)
    let prompts = try place.file(
      "gold.jsonl", #"{"prompt": "10 11", "task": "boolean", "answer": "\#(gold)"}"#)
    func evaluate(_ arguments: [String]) throws -> Call {
      let call = try runExecutable(
        executable("keystep"),
        ["evaluate", "--model", model, "--prompts", prompts, "--max-new-tokens", "6"] + arguments)
      #expect(call.status == 0, "\(call.errors)")
      return call
    }
    for (name, arguments, accuracy) in [(arm, ["--arm", arm], 1.0), ("plain", [], 0)] {
      let objects = try evaluate(arguments + ["--json"]).objects()
      #expect(objects.map { $0["arm"] as? String } == [name, name, name])
      #expect(objects.map { $0["match"] as? String } == ["by-task", "by-task", "by-task"])
      #expect(objects.map { $0["value"] as? Double } == [accuracy, 1 - accuracy, 1])
    }
    #expect(try evaluate(["--arm", arm]).output.hasPrefix("asked as \(arm), "))
    #expect(try evaluate([]).output.hasPrefix("asked plainly, "))
  }

  @Test("A name of no arm is a usage error that lists the names, and --arm goes with prompts")
  func errors() throws {
    for command in ["generate", "evaluate"] {
      let call = try keystep(command, "--model", model, "--prompts", "x", "--arm", "mt-er")
      #expect(call.status == 2 && call.output.isEmpty)
      for name in ["mt-er", "answer-sft", "mt-re", "mt-ra", "scott", "cascod", "edit-all-tokens"] {
        #expect(call.errors.contains(name), "\(name) is not in \(call.errors)")
      }
      #expect(try keystep(command, "--help").output.contains("--arm"))
    }
    let call = try keystep("evaluate", "--model", model, "--pairs", "x", "--arm", "mt-re")
    #expect(call.status == 2 && call.errors.contains("--prompts"))
    // These words are no cues that the numbered model's tokenizer could tell apart.
    let prompts = try place.file("words.jsonl", #"{"prompt": "10 11", "answer": "12"}"#)
    let unknown = try keystep("evaluate", "--model", model, "--prompts", prompts, "--arm", "mt-re")
    #expect(unknown.status == 1 && unknown.errors.contains("Rationale:"), "\(unknown.errors)")
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
    #expect(
      names == [
        "accuracy", "unparsed", "majority_baseline", "pairwise_accuracy", "key_token_accuracy",
        "key_token_nll", "other_token_nll",
      ])
    for (index, object) in objects.enumerated() {
      let isBaseline = index == 2
      let keys: Set = ["metric", "unit", "value"]
      #expect(
        Set(object.keys)
          == keys.union(isBaseline ? [] : ["low_95", "high_95", "count"])
          .union(index < 3 ? ["arm", "match"] : []))
      let value = try #require(object["value"] as? Double)
      if isBaseline { continue }
      let low = try #require(object["low_95"] as? Double)
      let high = try #require(object["high_95"] as? Double)
      #expect(low <= value && value <= high)
    }
    #expect(objects.compactMap { $0["count"] as? Int } == [2, 2, 4, 4, 4, 4])
  }

  @Test(
    "evaluate reports several tasks one by one, micro and macro, each by its own rule or --match")
  func tasks() throws {
    let place = try Workplace()
    let model = try numberedModel(in: place.path)
    let asked = try place.file("asked.jsonl", #"{"prompt": "10 11"}"#)
    let generated = try keystep(
      "generate", "--model", model, "--prompts", asked, "--max-new-tokens", "6", "--json")
    let words = (try generated.objects()[0]["text"] as? String ?? "").split(separator: " ")
    let last = String(try #require(words.last))
    let prompts = try place.file(
      "prompts.jsonl",
      #"{"prompt": "10 11", "answer": "\#(last)", "task": "pens"}"# + "\n"
        + #"{"prompt": "10 11", "answer": \#(last), "task": "arithmetic"}"#)
    func evaluate(_ arguments: String...) throws -> [[String: Any]] {
      let call = try runExecutable(
        executable("keystep"),
        ["evaluate", "--model", model, "--prompts", prompts, "--max-new-tokens", "6", "--json"]
          + arguments)
      #expect(call.status == 0, "\(call.errors)")
      return try call.objects()
    }
    let objects = try evaluate()
    #expect(
      objects.compactMap { $0["metric"] as? String } == [
        "accuracy", "unparsed", "majority_baseline", "macro_accuracy", "macro_unparsed",
        "macro_majority_baseline", "accuracy", "unparsed", "majority_baseline", "accuracy",
        "unparsed", "majority_baseline",
      ])
    #expect(
      objects.map { $0["task"] as? String }.suffix(6).compactMap(\.self)
        == ["arithmetic", "arithmetic", "arithmetic", "pens", "pens", "pens"])
    // The procedural task needs its cue, the other one only the value.
    let accuracies = objects.enumerated().filter { $0.offset % 3 == 0 }
    #expect(accuracies.map { $0.element["value"] as? Double } == [0.5, 0.5, 0, 1])
    let flexible = try evaluate("--match", "flexible")
    #expect(flexible[0]["value"] as? Double == 1 && flexible[0]["match"] as? String == "flexible")
    #expect(try evaluate("--match", "strict")[0]["value"] as? Double == 0)
  }

  @Test("evaluate names the prompt without an answer, and scores pairs beside it")
  func noAnswer() throws {
    let place = try Workplace()
    let model = try numberedModel(in: place.path)
    let prompts = try place.file(
      "prompts.jsonl", #"{"prompt": "10", "answer": "5"}"# + "\n" + #"{"prompt": "10 11"}"#)
    let alone = try keystep("evaluate", "--model", model, "--prompts", prompts)
    #expect(
      alone.status == 1 && alone.errors.contains("\(prompts): line 2: expected an \"answer\""))
    let both = try keystep(
      "evaluate", "--model", model, "--prompts", prompts, "--pairs", place.pairs(somePairs),
      "--json")
    #expect(both.status == 0 && both.errors.contains("\(prompts): no accuracy: 1 questions"))
    #expect(try both.objects().count == 4)
    let blank = try place.file("blank.jsonl", #"{"prompt": "10", "answer": " "}"#)
    let refused = try keystep("evaluate", "--model", model, "--prompts", blank)
    #expect(refused.status == 1 && refused.errors.contains("\(blank): line 1, answer: expected"))
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
