import Foundation
import TestSupport
import Testing

/// `train` with each of its objectives.
@Suite struct TrainObjectiveTests {
  private static let ofChains = [
    "sft", "answer-sft", "mt-re", "mt-cot", "mt-ra", "cascod", "dft", "entropy", "rho-1",
    "answer-tokens", "prompt-weighted",
  ]
  private static let ofPairs = [
    "scott", "krsl", "random-positions", "all-tokens", "right-only", "wrong-only", "unlikelihood",
    "clipped", "dpo", "dpop", "step-dpo", "cdpo", "redi",
  ]

  @Test("Every objective takes a step on procedural pairs, those of chains on chains too")
  func objectives() throws {
    let place = try Workplace()
    #expect(
      try keystep(
        "edit-data", "--teacher", "procedural", "--output", place.path, "--questions-count", "8",
        "--test", "1", "--validation", "1"
      ).status == 0)
    let pairs = ["--pairs", place.path + "/train.pairs.jsonl"]
    let chains = ["--chains", place.path + "/train.chains.jsonl"]
    let reference = place.path + "/reference"
    func train(_ arguments: [String]) throws -> Call {
      try runExecutable(
        executable("keystep"),
        [
          "train", "--preset", "procedural", "--tokenizer", place.path + "/tokenizer.json",
          "--batch-size", "3", "--steps", "2", "--lora-rank", "2", "--workers", "1", "--json",
        ] + arguments)
    }
    let made = try train(
      chains + ["--objective", "sft", "--tuning", "full", "--output", reference])
    #expect(made.status == 0, "\(made.errors)")
    let references = ["--reference", reference, "--negative-reference", reference]
    for name in Self.ofChains + Self.ofPairs {
      for data in Self.ofChains.contains(name) ? [pairs, chains] : [pairs] {
        let call = try train(data + references + ["--objective", name])
        #expect(call.status == 0, "\(name): \(call.errors)")
        let losses = try call.objects().compactMap { $0["loss"] as? Double }
        #expect(losses.count == 2 && losses.allSatisfy { $0 != 0 }, "\(name)")
      }
    }
    let help = try keystep("train", "--help")
    for name in Self.ofChains + Self.ofPairs {
      #expect(help.output.contains("  \(name): "), "\(name)")
    }
  }

  @Test("Chains that are known to be incorrect are skipped and counted")
  func incorrectChains() throws {
    let place = try Workplace()
    let model = try numberedModel(in: place.path)
    let correct = #"{"prompt": "3", "response": "4 5", "is_correct": true}"# + "\n"
    let incorrect = #"{"prompt": "3", "response": "6 7", "is_correct": false}"# + "\n"
    func train(_ lines: String) throws -> Call {
      try keystep(
        "train", "--model", model, "--chains", place.file("chains.jsonl", lines), "--objective",
        "sft", "--steps", "1", "--batch-size", "1", "--lora-rank", "2", "--json")
    }
    let (all, plain) = (try train(incorrect + correct), try train(correct))
    #expect(all.status == 0 && all.errors.contains("skipped 1 chains"), "\(all.errors)")
    #expect(plain.status == 0 && plain.errors.isEmpty)
    let losses = try [all, plain].map { try $0.objects().first?["loss"] as? Double }
    #expect(losses[0] != nil && losses[0] == losses[1])
    let none = try train(incorrect)
    #expect(none.status == 1 && none.errors.contains("chains.jsonl"))
  }

  @Test("objectives prints the tables of docs/objectives.md")
  func objectiveTables() throws {
    let call = try keystep("objectives")
    #expect(call.status == 0 && call.lines.contains { $0.hasPrefix("| `krsl` |") })
  }

  @Test("Units of alignment change the loss, and their names are checked")
  func units() throws {
    let place = try Workplace()
    let model = try numberedModel(in: place.path)
    let pairs = try place.pairs(somePairs)
    let losses = try ["token", "word", "sentence", "step"].map { unit in
      try keystep(
        "loss", "--model", model, "--pairs", pairs, "--beta", "-0.5", "--alignment-unit", unit,
        "--json"
      ).objects().last?["loss"] as? Double
    }
    // Each token of this tokenizer is a word, each response but its end a sentence; where the wrong
    // side only leaves a token out, it has no key token whose sentence a step could mark.
    #expect(losses[0] == losses[1] && losses[0] != losses[3] && losses[2] != losses[3])
    let call = try keystep(
      "align", "--tokenizer", model, "--pairs", pairs, "--alignment-unit", "line")
    #expect(call.status == 2 && call.errors.contains("token"))
  }

  @Test("Weights from a file give the loss they spell, and are held to the tokens' number")
  func weights() throws {
    let place = try Workplace()
    let model = try numberedModel(in: place.path)
    let pairs = try place.pairs(somePairs)
    func train(_ arguments: String...) throws -> Call {
      try runExecutable(
        executable("keystep"),
        [
          "train", "--model", model, "--pairs", pairs, "--steps", "1", "--batch-size", "4",
          "--lora-rank", "2", "--lora-dropout", "0", "--json",
        ] + arguments)
    }
    func loss(_ call: Call) throws -> Double {
      #expect(call.status == 0, "\(call.errors)")
      return try #require(call.objects().first?["loss"] as? Double)
    }
    func ones(_ text: String, _ value: Int = 1) -> String {
      (0...text.split(separator: " ").count).map { _ in "\(value)" }.joined(separator: ",")
    }
    let file = try place.file(
      "weights.jsonl",
      somePairs.enumerated().map {
        #"{"index": \#($0), "chosen_weights": [\#(ones($1.1))]}"# + "\n"
      }.joined())
    let plain = try loss(train("--objective", "sft"))
    #expect(abs(try loss(train("--objective", "krsl", "--weights", file)) - plain) < 1e-6)
    let chains = try place.file(
      "chains.jsonl",
      somePairs.enumerated().map {
        #"{"id": "line \#($0 + 1)", "weights": [\#(ones($1.1, 2))]}"# + "\n"
      }
      .joined())
    #expect(abs(try loss(train("--objective", "sft", "--weights", chains)) - 2 * plain) < 1e-5)

    let bad = try place.file("bad.jsonl", #"{"index": 1, "chosen_weights": [1]}"#)
    let call = try train("--objective", "krsl", "--weights", bad)
    #expect(call.status == 1)
    for text in [bad, "line 1", "3 chosen_weights", "found 1"] {
      #expect(call.errors.contains(text), "\(call.errors)")
    }
    let rejected = try train("--objective", "dpo", "--weights", file)
    #expect(rejected.status == 2 && rejected.errors.contains("--weights"))
  }

  @Test("LoRA from principal singular values is written with twice the rank, and read again")
  func pissa() throws {
    let place = try Workplace()
    let model = try numberedModel(in: place.path)
    let pairs = try place.pairs(somePairs)
    let output = place.path + "/out"
    func train(_ arguments: String...) throws -> Call {
      try runExecutable(
        executable("keystep"),
        [
          "train", "--model", model, "--pairs", pairs, "--objective", "sft", "--lora-init",
          "pissa", "--json",
        ] + arguments)
    }
    // Without a step, what is written changes nothing.
    func loss(_ arguments: String...) throws -> Double {
      let call = try runExecutable(
        executable("keystep"), ["loss", "--model", model, "--pairs", pairs, "--json"] + arguments)
      return try #require(call.objects().last?["loss"] as? Double)
    }
    let still = try train(
      "--lora-rank", "4", "--learning-rate", "0", "--weight-decay", "0", "--steps", "1",
      "--output", output)
    #expect(still.status == 0, "\(still.errors)")
    let config = try place.text("out/adapter_config.json").filter { !$0.isWhitespace }
    #expect(config.contains("\"r\":8,") && config.contains("\"lora_alpha\":64,"))
    #expect(abs(try loss("--adapter", output) - loss()) < 1e-5)
    let moved = try train(
      "--lora-rank", "4", "--learning-rate", "1e-2", "--steps", "3", "--output", output)
    #expect(moved.status == 0)
    #expect(abs(try loss("--adapter", output) - loss()) > 1e-3)
    let large = try train("--lora-rank", "4000", "--steps", "1")
    #expect(large.status == 1 && large.errors.contains("q_proj: expected a rank from 1 to"))
  }

  @Test("Stage 2 continues an adapter, or trains a fresh one on the weights with it merged")
  func secondStage() throws {
    let place = try Workplace()
    let model = try numberedModel(in: place.path)
    let pairs = try place.pairs(somePairs)
    func train(_ objective: String, _ arguments: String...) throws -> [Double] {
      let call = try runExecutable(
        executable("keystep"),
        [
          "train", "--pairs", pairs, "--objective", objective, "--learning-rate", "1e-2",
          "--steps", "2", "--batch-size", "9", "--json",
        ] + arguments)
      #expect(call.status == 0, "\(call.errors)")
      return try call.objects().compactMap { $0["loss"] as? Double }
    }
    let (first, merged) = (place.path + "/stage1", place.path + "/merged")
    let start = try train(
      "sft", "--model", model, "--lora-rank", "2", "--lora-dropout", "0", "--output", first)
    let continued = try train("sft", "--model", model, "--adapter", first)
    let merge = try keystep(
      "merge", "--model", model, "--adapter", first, "--output", merged)
    #expect(merge.status == 0, "\(merge.errors)")
    let fresh = try train(
      "sft", "--model", merged, "--lora-rank", "2", "--lora-dropout", "0", "--output",
      place.path + "/stage2")
    // Both begin where stage 1 ended, and then go different ways.
    #expect(continued.count == 2 && fresh.count == 2)
    #expect(abs(continued[0] - start[0]) > 1e-6 && abs(continued[0] - fresh[0]) < 1e-4)
    #expect(continued[1] != fresh[1])
  }

  @Test(
    "A model that an objective compares with is asked for, and must fit",
    arguments: [
      (["--objective", "rho-1"], "--reference"), (["--objective", "cdpo"], "--negative-reference"),
      (["--objective", "ppo"], "step-dpo"),
      (["--objective", "mt-re", "--lambda", "2"], "--lambda"),
      (["--objective", "entropy", "--kept-fraction", "0"], "--kept-fraction"),
      (
        ["--objective", "entropy", "--alpha", "1"],
        "entropy does not have it; it has --kept-fraction"
      ),
      (["--objective", "sft", "--alpha", "1"], "sft does not have it; it has --chains-per-mean"),
      (["--objective", "krsl", "--bta", "-1"], "did you mean --beta?"),
      (["--objective", "krsl", "--step", "5"], "did you mean --steps?"),
      (["--objective", "krsl", "--weights", "x", "--beta", "-1"], "krsl with --weights does not"),
      (["--objective", "krsl", "--steps", "0", "--beta", "low"], "found \"low\""),
      (["--objective", "krsl", "--steps", "0", "--beta", "low"], "--steps must be 1 or more"),
      (["--objective", "sft", "--lora-init", "svd"], "pissa"),
      (["--objective", "scott", "--chains", "x"], "--pairs"),
    ])
  func refused(arguments: [String], text: String) throws {
    let data = arguments.contains("--chains") ? [] : ["--pairs", "x"]
    let call = try runExecutable(
      executable("keystep"), ["train", "--model", "x"] + data + arguments)
    #expect(call.status == 2 && call.errors.contains(text), "\(call.errors)")
  }
}
