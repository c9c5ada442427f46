import Foundation
import TestSupport
import Testing

/// Validation, the best student, early stopping, length limits and dry runs of `keystep train`.
@Suite struct TrainWorkflowTests {
  private let held = [
    ("10 12", "20 21 22", "20 24 22"), ("13 14", "30 31", "32 33"),
  ]

  private func train(_ place: Workplace, _ more: String...) throws -> Call {
    try train(place, more)
  }

  private func train(_ place: Workplace, _ more: [String]) throws -> Call {
    try runExecutable(executable("keystep"), arguments(place, more))
  }

  private func arguments(_ place: Workplace, _ more: [String]) throws -> [String] {
    let model = place.path + "/numbered"
    if !FileManager.default.fileExists(atPath: model) {
      let made = try numberedModel(in: place.path)
      try FileManager.default.moveItem(atPath: made, toPath: model)
    }
    return [
      "train", "--model", model, "--pairs", try place.pairs(somePairs), "--objective", "krsl",
      "--batch-size", "2", "--lora-rank", "2", "--workers", "1",
    ] + more
  }

  private func summary(_ place: Workplace, _ folder: String) throws -> [String: Any] {
    try #require(
      JSONSerialization.jsonObject(with: place.contents("\(folder)/training_summary.json"))
        as? [String: Any])
  }

  @Test("Validation has the loss of keystep loss and the key-token metrics of keystep evaluate")
  func figures() throws {
    let place = try Workplace()
    let file = try place.pairs(held, name: "held.jsonl")
    let prompts = try place.file(
      "prompts.jsonl",
      #"{"prompt": "10", "answer": "20"}"# + "\n" + #"{"prompt": "11", "answer": "21"}"# + "\n")
    let call = try train(
      place, "--steps", "4", "--learning-rate", "1e-2", "--validation-pairs", file,
      "--validation-prompts", prompts, "--validation-max-new-tokens", "4",
      "--validation-interval", "2", "--output", place.path + "/out", "--json")
    #expect(call.status == 0, "\(call.errors)")
    let lines = try call.objects()
    #expect(lines.map { $0["validation_loss"] != nil } == [false, true, false, true])
    let last = lines[3]
    let (model, adapter) = (place.path + "/numbered", place.path + "/out")
    let loss = try keystep(
      "loss", "--model", model, "--adapter", adapter, "--pairs", file, "--json")
    let expected = try #require(loss.objects().last?["loss"] as? Double)
    let found = try #require(last["validation_loss"] as? Double)
    #expect(abs(found - expected) < 1e-6 * abs(expected))
    let evaluated = try keystep(
      "evaluate", "--model", model, "--adapter", adapter, "--pairs", file, "--prompts", prompts,
      "--max-new-tokens", "4", "--json")
    #expect(evaluated.status == 0, "\(evaluated.errors)")
    let metrics = try evaluated.objects().filter { $0["metric"] as? String != "majority_baseline" }
    #expect(metrics.count >= 6)
    for metric in metrics {
      let name = try #require(metric["metric"] as? String)
      let value = try #require(metric["value"] as? Double, "\(name)")
      let own = try #require(last["validation_\(name)"] as? Double, "\(name)")
      #expect(abs(own - value) < 1e-6 * max(1, abs(value)), "\(name)")
    }
    // The same are columns of the curve.
    let curve = try place.text("out/steps.csv").split(separator: "\n").map {
      $0.split(separator: ",", omittingEmptySubsequences: false).map(String.init)
    }
    let column = try #require(curve[0].firstIndex(of: "validation_loss"))
    #expect(
      curve.dropFirst().map { $0.count > column && !$0[column].isEmpty } == [
        false, true, false, true,
      ])
    #expect(Float(curve[4][column]) == Float(found))
    for name in ["validation_chosen_nll", "validation_rejected_nll", "validation_accuracy"] {
      #expect(curve[0].contains(name) && last[name] is NSNumber)
    }
  }

  @Test("The student of the best validation is written, and a killed run ends with the same bits")
  func bestAfterKill() throws {
    let place = try Workplace()
    // What training makes less likely: after some steps the loss on it rises.
    let file = try place.pairs(somePairs.map { ($0.0, $0.2, $0.1) }, name: "held.jsonl")
    func flags(_ output: String) -> [String] {
      [
        "--steps", "400", "--learning-rate", "3e-3", "--validation-pairs", file,
        "--validation-interval", "5", "--keep-best", "--early-stopping-patience", "30",
        "--save-every", "10", "--output", place.path + "/" + output, "--json",
      ]
    }
    let whole = try train(place, flags("whole"))
    #expect(whole.status == 0, "\(whole.errors)")
    let record = try summary(place, "whole")
    let best = try #require(record["best_step"] as? Int)
    #expect(record["stopped_early"] as? Bool == true && record["written_step"] as? Int == best)
    #expect(record["steps"] as? Int == best + 150 && whole.lines.count == best + 150)
    #expect(whole.errors.contains("stopped after step \(best + 150) of 400"))
    #expect(whole.errors.contains("the student after step \(best) is written"))

    try killKeystep(afterLines: 60, arguments(place, flags("killed")))
    let rest = try train(place, flags("killed") + ["--resume"])
    #expect(rest.status == 0 && rest.lines.count < whole.lines.count, "\(rest.errors)")
    for name in ["adapter_model.safetensors", "training_summary.json", "steps.csv"] {
      #expect(try place.contents("killed/\(name)") == place.contents("whole/\(name)"), "\(name)")
    }
    // Once more there is nothing to do.
    let again = try train(place, flags("killed") + ["--resume"])
    #expect(again.status == 0 && again.lines.isEmpty)
    #expect(
      try place.contents("killed/adapter_model.safetensors")
        == place.contents("whole/adapter_model.safetensors"))

    // The best one is that of a run that ends there.
    let short = try train(
      place, "--steps", "\(best)", "--learning-rate", "3e-3", "--output", place.path + "/short")
    #expect(short.status == 0)
    #expect(
      try place.contents("short/adapter_model.safetensors")
        == place.contents("whole/adapter_model.safetensors"))
  }

  @Test("Examples over the length limit are named and refused, or skipped, counted and recorded")
  func lengths() throws {
    let place = try Workplace()
    // Prompt, longer side and end of sequence: 6, 7, 6 and 4 tokens.
    let refused = try train(place, "--steps", "1", "--max-length", "5")
    #expect(refused.status == 1 && refused.lines.isEmpty)
    #expect(
      refused.errors.contains(
        "pairs.jsonl: pair 1 (line 1), chosen: expected at most the 5 tokens of --max-length, found 6 tokens"
      ), "\(refused.errors)")
    let skipping = ["--max-length", "6", "--over-length", "skip"]
    let held = try place.pairs(held + [("1", "2 3 4 5 6 7 8", "9")], name: "held.jsonl")
    let call = try train(
      place,
      ["--steps", "2", "--no-shuffle", "--json", "--validation-pairs", held] + skipping
        + ["--output", place.path + "/out"])
    #expect(call.status == 0, "\(call.errors)")
    #expect(
      call.errors.contains(
        "pairs.jsonl: skipped 1 of 4 examples, longer than the 6 tokens of --max-length: line 2 (7 tokens)"
      ), "\(call.errors)")
    #expect(call.errors.contains("held.jsonl: skipped 1 of 3 examples"), "\(call.errors)")
    // Both sequences of each pair, whole: 12 and 11 tokens; 8.
    #expect(try call.objects().map { $0["useful_tokens"] as? Int } == [23, 8])
    let record = try summary(place, "out")
    #expect(record["max_length"] as? Int == 6 && record["examples"] as? Int == 3)
    let skipped = try #require(record["skipped_examples"] as? [[String: Any]])
    #expect(skipped.count == 1 && skipped[0]["id"] as? String == "line 2")
    #expect(skipped[0]["tokens"] as? Int == 7)
    #expect((record["skipped_validation_examples"] as? [Any])?.count == 1)

    let none = try train(place, "--steps", "1", "--max-length", "3", "--over-length", "skip")
    #expect(none.status == 1)
    #expect(none.errors.contains("4 longer ones, the shortest with 4"), "\(none.errors)")
    let above = try train(place, "--steps", "1", "--max-length", "65")
    #expect(above.status == 1)
    #expect(
      above.errors.contains("a --max-length of at most the 64 tokens of the model's context"))
  }

  @Test("Weights refer to the lines of the file, skipped ones included")
  func weightsOfSkipped() throws {
    let place = try Workplace()
    let weights = try place.file(
      "weights.jsonl",
      somePairs.enumerated().map { index, pair in
        func ones(_ text: String) -> [Int] { text.split(separator: " ").map { _ in 1 } + [1] }
        return
          #"{"index": \#(index), "chosen_weights": \#(ones(pair.1)), "rejected_weights": \#(ones(pair.2))}"#
          + "\n"
      }.joined())
    let call = try train(
      place, "--weights", weights, "--steps", "2", "--no-shuffle", "--json", "--max-length", "6",
      "--over-length", "skip")
    #expect(call.status == 0, "\(call.errors)")
    #expect(try call.objects().map { $0["useful_tokens"] as? Int } == [23, 8])
  }

  @Test("A dry run counts tokens, steps, parameters, memory and time, and writes nothing")
  func dryRun() throws {
    let place = try Workplace()
    let held = try place.pairs(held, name: "held.jsonl")
    let flags = [
      "--epochs", "3", "--validation-pairs", held, "--keep-best", "--output", place.path + "/out",
      "--dry-run",
    ]
    let call = try train(place, flags + ["--json"])
    #expect(call.status == 0, "\(call.errors)")
    #expect(!FileManager.default.fileExists(atPath: place.path + "/out"))
    let cost = try #require(call.objects().first)
    #expect(try call.objects().count == 1)
    func count(_ name: String) -> Int? { cost[name] as? Int }
    #expect(count("examples") == 4 && count("steps") == 6 && count("steps_per_epoch") == 2)
    // Prompts 2 + 3 + 1 + 2, responses with their ends 4 + 4, 3 + 4, 5 + 4, 2 + 2.
    #expect(count("prompt_tokens") == 8 && count("response_tokens") == 28)
    #expect(count("sequence_tokens") == 2 * 8 + 28)
    let computed = try #require(count("computed_tokens"))
    #expect(computed > 8 && computed < 28)
    #expect(count("validations") == 3 && (cost["validation_seconds"] as? Double ?? 0) > 0)
    let trained = try #require(count("trainable_parameters"))
    #expect(count("gradients_bytes") == 4 * trained && count("optimiser_bytes") == 8 * trained)
    #expect(count("best_bytes") == 4 * trained)
    let parts = ["weights", "gradients", "optimiser", "best", "activations", "other"]
    #expect(count("memory_bytes") == parts.compactMap { count("\($0)_bytes") }.reduce(0, +))
    #expect(cost["seconds"] as? Double ?? 0 > 0)

    let text = try train(place, flags)
    #expect(text.status == 0)
    #expect(
      text.lines.map { $0.prefix { $0 != " " } }
        == ["examples", "tokens", "steps", "a", "parameters", "memory", "time"])
    #expect(text.output.contains("6 of up to 2 examples: 3 epochs of 2"))
  }

  @Test(
    "All that is wrong with the flags of validation is said at once",
    arguments: [
      (["--keep-best"], ["--keep-best needs --validation-pairs", "--keep-best needs --output"]),
      (
        ["--validation-interval", "0", "--early-stopping-threshold=-1"],
        [
          "--validation-interval, --early-stopping-threshold need --validation-pairs",
          "--validation-interval must be 1 or more, not 0",
          "--early-stopping-threshold needs --early-stopping-patience",
          "--early-stopping-threshold must be a finite number, 0 or more, not -1.0",
        ]
      ),
      (
        ["--validation-chains", "x", "--validation-pairs", "y", "--early-stopping-patience", "0"],
        [
          "--validation-pairs or --validation-chains, not both", "krsl needs --validation-pairs",
          "--early-stopping-patience must be 1 or more, not 0",
        ]
      ),
      (
        ["--validation-prompts", "x", "--validation-metric", "loss", "--max-length", "0"],
        [
          "--validation-metric loss needs --validation-pairs or --validation-chains",
          "--max-length must be 1 or more, not 0",
        ]
      ),
      (
        ["--validation-pairs", "x", "--validation-metric", "accuracy", "--dry-run", "--resume"],
        [
          "--validation-metric accuracy needs --validation-prompts",
          "--dry-run goes without --resume",
        ]
      ),
      (["--validation-pairs", "x", "--weights", "y"], ["validation needs --validation-weights"]),
      (
        ["--validation-max-new-tokens", "3", "--validation-weights", "y"],
        [
          "--validation-max-new-tokens needs --validation-prompts",
          "--validation-weights needs --validation-pairs",
        ]
      ),
      (["--validation-metric", "f1", "--validation-pairs", "x"], ["key_token_nll"]),
    ])
  func flags(flags: [String], texts: [String]) throws {
    let place = try Workplace()
    let call = try train(place, flags)
    #expect(call.status == 2 || call.status == 64, "\(call.status)")
    #expect(call.output.isEmpty)
    for text in texts { #expect(call.errors.contains(text), "\(text) is not in \(call.errors)") }
  }

  @Test(
    "A run without a step to validate is refused before it starts, and so are prompts without answers"
  )
  func neverValidated() throws {
    let place = try Workplace()
    let held = try place.pairs(held, name: "held.jsonl")
    let output = place.path + "/out"
    let call = try train(
      place, "--steps", "1", "--validation-pairs", held, "--output", output)
    #expect(call.status == 1 && call.lines.isEmpty)
    #expect(
      call.errors.contains(
        "expected a --validation-interval of at most the run's 1 steps, found none, which is an epoch of 2 steps"
      ), "\(call.errors)")
    let prompts = try place.file("prompts.jsonl", #"{"prompt": "10"}"#)
    let unanswered = try train(place, "--steps", "2", "--validation-prompts", prompts)
    #expect(unanswered.status == 1 && unanswered.lines.isEmpty)
    #expect(unanswered.errors.contains("prompts.jsonl: line 1: expected an \"answer\""))
    #expect(!FileManager.default.fileExists(atPath: output))
  }
}
