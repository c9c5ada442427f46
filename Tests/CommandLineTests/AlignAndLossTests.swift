import Foundation
import TestSupport
import Testing

@Suite struct AlignTests {
  private struct Line: Decodable, Equatable {
    var index: Int
    var promptTokens: [Int]
    var chosenTokens: [Int]
    var rejectedTokens: [Int]
    var chosenKey: [Int]
    var rejectedKey: [Int]
    var distance: Int
  }

  private func lines(_ call: Call) throws -> [Line] {
    let decoder = JSONDecoder()
    decoder.keyDecodingStrategy = .convertFromSnakeCase
    return try call.lines.map { try decoder.decode(Line.self, from: Data($0.utf8)) }
  }

  /// A replacement, a deletion, an exchange (where the ties of the back-trace show), and equal
  /// sides.
  private let pairs = [
    ("3 4", "10 11 12 13", "10 11 14 13"), ("3", "5 6 7", "5 7"), ("4", "5 6", "6 5"),
    ("5", "9 9", "9 9"),
  ]

  @Test("align --json gives the tokens and key tokens worked out by hand, and no other field")
  func json() throws {
    let place = try Workplace()
    let model = try numberedModel(in: place.path)
    let file = try place.pairs(pairs)
    let call = try keystep("align", "--tokenizer", model, "--pairs", file, "--json")
    #expect(call.status == 0 && call.errors.isEmpty)
    var expected = [
      Line(
        index: 0, promptTokens: [3, 4], chosenTokens: [10, 11, 12, 13, 2],
        rejectedTokens: [10, 11, 14, 13, 2], chosenKey: [2], rejectedKey: [2], distance: 1),
      Line(
        index: 1, promptTokens: [3], chosenTokens: [5, 6, 7, 2], rejectedTokens: [5, 7, 2],
        chosenKey: [1], rejectedKey: [], distance: 1),
      Line(
        index: 2, promptTokens: [4], chosenTokens: [5, 6, 2], rejectedTokens: [6, 5, 2],
        chosenKey: [1], rejectedKey: [1], distance: 2),
      Line(
        index: 3, promptTokens: [5], chosenTokens: [9, 9, 2], rejectedTokens: [9, 9, 2],
        chosenKey: [], rejectedKey: [], distance: 0),
    ]
    #expect(try lines(call) == expected)
    for object in try call.objects() {
      #expect(
        Set(object.keys) == [
          "index", "prompt_tokens", "chosen_tokens", "rejected_tokens", "chosen_key",
          "rejected_key", "distance",
        ])
    }
    // From one script, what is inserted is the wrong side's.
    expected[2].rejectedKey = [0]
    #expect(
      try lines(
        keystep("align", "--tokenizer", model, "--pairs", file, "--json", "--shared-script"))
        == expected)
  }

  @Test("Where the output is no terminal or NO_COLOR is set, key tokens stand in brackets")
  func plain() throws {
    let place = try Workplace()
    let model = try numberedModel(in: place.path)
    let file = try place.pairs(pairs)
    for environment in [[:], ["NO_COLOR": "1"]] {
      let call = try keystep(
        "align", "--tokenizer", model, "--pairs", file, environment: environment)
      #expect(call.status == 0)
      #expect(!call.output.contains("\u{1B}"))
      #expect(
        Array(call.lines.prefix(3)) == [
          "pair 0 (line 1): distance 1, key tokens 20.0 %",
          "  chosen   10 11[ 12] 13 </s>",
          "  rejected 10 11[ 14] 13 </s>",
        ])
      #expect(call.lines.count == 12)
    }
  }

  @Test("align --model without --json or --html takes the model's tokenizer, and no adapter")
  func model() throws {
    let place = try Workplace()
    let model = try numberedModel(in: place.path)
    let file = try place.pairs(pairs)
    let call = try keystep("align", "--model", model, "--pairs", file)
    #expect(call.status == 0)
    #expect(call.output == (try keystep("align", "--tokenizer", model, "--pairs", file)).output)
    let adapted = try keystep("align", "--model", model, "--adapter", model, "--pairs", file)
    #expect(adapted.status != 0 && adapted.errors.contains("--adapter needs --html or --json"))
  }

  @Test("align --html writes one page, with log-probabilities where a model is given")
  func page() throws {
    let place = try Workplace()
    let model = try numberedModel(in: place.path)
    let file = try place.pairs(pairs)
    let html = place.path + "/pairs.html"
    let call = try keystep(
      "align", "--tokenizer", model, "--pairs", file, "--html", html, "--alpha", "3", "--beta", "-2"
    )
    #expect(call.status == 0 && call.output.isEmpty && call.errors.isEmpty)
    let plain = try place.text("pairs.html")
    #expect(plain.hasPrefix("<!DOCTYPE html>") && plain.hasSuffix("</html>\n"))
    #expect(plain.contains(#"data-key="3.0""#) && plain.contains(#"data-key="-2.0""#))
    #expect(plain.contains("pairs.jsonl") && !plain.contains("data-p"))
    let scored = try keystep("align", "--model", model, "--pairs", file, "--html", html, "--json")
    #expect(scored.status == 0 && scored.lines.count == 4)
    let logProbs = try #require(try scored.objects()[1]["chosen_log_probs"] as? [Double])
    #expect(logProbs.count == 4 && logProbs.allSatisfy { $0 < 0 })
    #expect(try place.text("pairs.html").contains("data-p=\"-"))
    for arguments in [
      ["--pairs", file],
      ["--pairs", file, "--tokenizer", model, "--html", html, "--adapter", model],
    ] {
      #expect(try runExecutable(executable("keystep"), ["align"] + arguments).status == 2)
    }
    let nowhere = place.path + "/no/where.html"
    let failed = try keystep("align", "--tokenizer", model, "--pairs", file, "--html", nowhere)
    #expect(failed.status == 1 && failed.errors.contains(nowhere))
  }
}

@Suite struct LossTests {
  private func words(_ ids: [Float]) -> String {
    ids.filter { $0 != 2 }.map { "\(Int($0))" }.joined(separator: " ")
  }

  @Test("loss --json gives PyTorch's numbers for a dual pair, and the mean over pairs")
  func goldens() throws {
    let goldens = try Goldens("decoder/dual.safetensors")
    let settings = goldens["settings"]
    let place = try Workplace()
    let pair = (words(goldens["prompt"]), words(goldens["right"]), words(goldens["wrong"]))
    let call = try keystep(
      "loss", "--model", numberedModel(in: place.path),
      "--pairs", place.pairs([pair, ("3", "4 5", "4 6"), pair]), "--alpha", "\(settings[0])",
      "--beta", "\(settings[1])", "--gamma", "\(settings[2])", "--json")
    #expect(call.status == 0 && call.errors.isEmpty)
    let objects = try call.objects()
    try #require(objects.count == 4)
    func number(_ index: Int, _ key: String) throws -> Double {
      try #require(objects[index][key] as? Double)
    }
    for index in [0, 2] {
      for (key, golden) in [
        ("chosen_loss", "right_loss"), ("rejected_loss", "wrong_loss"), ("loss", "loss"),
      ] {
        let expected = Double(goldens[golden][0])
        let found = try number(index, key)
        #expect(abs(found - expected) < 1e-5 * abs(expected), "\(key)")
      }
    }
    for index in 0..<3 {
      #expect(Set(objects[index].keys) == ["index", "chosen_loss", "rejected_loss", "loss"])
      #expect(objects[index]["index"] as? Int == index)
      let sum = try number(index, "chosen_loss") + number(index, "rejected_loss")
      let loss = try number(index, "loss")
      #expect(abs(sum - loss) < 1e-9)
    }
    #expect(Set(objects[3].keys) == ["pairs", "loss"] && objects[3]["pairs"] as? Int == 3)
    let mean = try (0..<3).map { try number($0, "loss") }.reduce(0, +) / 3
    let total = try number(3, "loss")
    #expect(abs(mean - total) < 1e-9)
  }

  @Test("The weights are the paper's where they are left out")
  func defaults() throws {
    let place = try Workplace()
    let model = try numberedModel(in: place.path)
    let file = try place.pairs(somePairs)
    let plain = try keystep("loss", "--model", model, "--pairs", file, "--json")
    let said = try keystep(
      "loss", "--model", model, "--pairs", file, "--json", "--alpha=1", "--beta=-0.025",
      "--gamma=0")
    #expect(plain.status == 0 && plain.output == said.output && plain.lines.count == 5)
  }
}
