import Foundation
import TestSupport
import Testing

@Suite struct TrainTests {
  @Test(
    "train prints a line of the agreed fields a step, and what it leaves answers prompts",
    arguments: ["sft", "krsl"], ["lora", "full"])
  func train(objective: String, tuning: String) throws {
    let place = try Workplace()
    let model = try numberedModel(in: place.path)
    let output = place.path + "/out"
    let call = try keystep(
      "train", "--model", model, "--pairs", place.pairs(somePairs), "--objective", objective,
      "--tuning", tuning, "--batch-size", "2", "--steps", "3", "--learning-rate", "1e-2",
      "--lora-rank", "4", "--lora-alpha", "8", "--lora-targets", "q_proj,v_proj,down_proj",
      "--no-shuffle", "--output", output, "--json")
    #expect(call.status == 0, "\(call.errors)")
    let objects = try call.objects()
    #expect(objects.map { $0["step"] as? Int } == [0, 1, 2])
    for object in objects {
      let fields = [
        "step", "loss", "seconds", "useful_tokens", "useful_tokens_per_second", "peak_rss_gib",
      ]
      #expect(Set(fields).isSubset(of: object.keys))
      #expect(fields.allSatisfy { object[$0] is NSNumber })
      #expect(object["peak_rss_gib"] as? Double ?? 0 > 0)
    }
    // Without an order of its own each step takes two examples: pairs count both sequences whole,
    // end of sequence included.
    let counts = somePairs.map { prompt, chosen, rejected in
      let (q, r, w) = (words(prompt), words(chosen) + 1, words(rejected) + 1)
      return objective == "sft" ? q + r : 2 * q + r + w
    }
    #expect(
      objects.map { $0["useful_tokens"] as? Int }
        == [counts[0] + counts[1], counts[2] + counts[3], counts[0] + counts[1]])

    let prompts = try place.file("prompts.jsonl", #"{"prompt": "10 11"}"#)
    let answer =
      tuning == "lora"
      ? try keystep(
        "generate", "--model", model, "--adapter", output, "--prompts", prompts,
        "--max-new-tokens", "5", "--json")
      : try keystep(
        "generate", "--model", output, "--prompts", prompts, "--max-new-tokens", "5", "--json")
    #expect(answer.status == 0 && answer.lines.count == 1, "\(answer.errors)")
    let trained = try keystep(
      "loss", "--model", tuning == "lora" ? model : output, "--pairs", place.path + "/pairs.jsonl",
      "--json")
    #expect(trained.status == 0)
  }

  @Test("stored weights and gradient checkpointing change no loss, bf16 changes it by rounding")
  func precision() throws {
    let place = try Workplace()
    let model = try numberedModel(in: place.path)
    let pairs = try place.pairs(somePairs)
    func losses(_ flags: String...) throws -> [Double] {
      let call = try runExecutable(
        executable("keystep"),
        [
          "train", "--model", model, "--pairs", pairs, "--objective", "krsl", "--batch-size", "2",
          "--steps", "3", "--learning-rate", "1e-2", "--lora-rank", "4", "--json",
        ] + flags)
      #expect(call.status == 0, "\(call.errors)")
      return try call.objects().compactMap { $0["loss"] as? Double }
    }
    let plain = try losses()
    #expect(plain.count == 3)
    #expect(try losses("--base-dtype", "stored") == plain)
    #expect(try losses("--gradient-checkpointing") == plain)
    let rounded = try losses("--precision", "bf16")
    #expect(rounded != plain && rounded.count == 3)
    for (a, b) in zip(rounded, plain) { #expect(abs(a - b) < 0.02 * abs(b)) }
    #expect(try losses("--precision", "bf16", "--base-dtype", "stored").count == 3)

    for (flags, text) in [
      (["--base-dtype", "stored", "--tuning", "full"], "--tuning full needs --base-dtype fp32"),
      (["--precision", "fp16"], "'fp32' and 'bf16'"),
    ] {
      let call = try runExecutable(
        executable("keystep"),
        ["train", "--model", model, "--pairs", pairs, "--objective", "krsl"] + flags)
      #expect(call.status == 2 && call.errors.contains(text), "\(call.errors)")
    }
  }

  private func words(_ text: String) -> Int { text.split(separator: " ").count }

  @Test("train takes chains, and a from-scratch student on the problems that the toolkit makes")
  func preset() throws {
    let place = try Workplace()
    let made = try keystep(
      "edit-data", "--teacher", "procedural", "--output", place.path, "--seed", "2",
      "--questions-count", "12", "--test", "3", "--validation", "3")
    #expect(made.status == 0 && made.lines.count == 4, "\(made.errors)")
    for part in ["train", "validation", "test", "out-of-domain"] {
      for kind in ["prompts", "chains", "pairs"] {
        #expect(
          FileManager.default.fileExists(atPath: "\(place.path)/\(part).\(kind).jsonl"))
      }
    }
    let call = try keystep(
      "train", "--preset", "procedural", "--tokenizer", place.path + "/tokenizer.json",
      "--chains", place.path + "/train.chains.jsonl", "--objective", "sft", "--tuning", "full",
      "--batch-size", "4", "--steps", "2", "--output", place.path + "/out")
    #expect(call.status == 0, "\(call.errors)")
    #expect(call.lines.count == 2 && call.lines[1].hasPrefix("step 2 of 2: loss "))
    let edit = try keystep(
      "train", "--model", place.path + "/out", "--tokenizer", place.path + "/tokenizer.json",
      "--pairs", place.path + "/train.pairs.jsonl", "--objective", "krsl", "--tuning", "full",
      "--batch-size", "4", "--steps", "2", "--output", place.path + "/edit")
    #expect(edit.status == 0 && edit.lines.count == 2, "\(edit.errors)")
    let scored = try keystep(
      "evaluate", "--model", place.path + "/edit", "--tokenizer", place.path + "/tokenizer.json",
      "--prompts", place.path + "/test.prompts.jsonl", "--max-new-tokens", "4", "--json")
    #expect(scored.status == 0, "\(scored.errors)")
  }

  @Test("Chains that are known to be incorrect are skipped and counted, unless they have weights")
  func incorrectChains() throws {
    let place = try Workplace()
    let model = try numberedModel(in: place.path)
    let chains = try place.file(
      "chains.jsonl",
      #"{"prompt": "10", "response": "20 21"}"# + "\n"
        + #"{"prompt": "11", "response": "22", "is_correct": false}"# + "\n"
        + #"{"prompt": "12", "response": "23", "is_correct": true}"# + "\n")
    func train(_ arguments: String...) throws -> Call {
      try runExecutable(
        executable("keystep"),
        [
          "train", "--model", model, "--chains", chains, "--objective", "sft", "--steps", "1",
          "--json",
        ] + arguments)
    }
    let call = try train()
    #expect(call.status == 0)
    #expect(call.errors.contains("\(chains): skipped 1 chains whose is_correct is false"))
    // One prompt and two responses of 3 and 2 tokens, each with its end of sequence.
    #expect(try call.objects()[0]["useful_tokens"] as? Int == 1 + 3 + 1 + 2)
    let weights = try place.file(
      "weights.jsonl",
      #"{"index": 0, "weights": [1, 1, 1]}"# + "\n" + #"{"index": 1, "weights": [-1, 0]}"# + "\n"
        + #"{"index": 2, "weights": [1, 1]}"# + "\n")
    let weighted = try train("--weights", weights)
    #expect(weighted.status == 0 && weighted.errors.isEmpty, "\(weighted.errors)")
  }

  @Test("An adapter is refused in a folder with a model before training, full weights replace it")
  func inPlace() throws {
    let place = try Workplace()
    let model = try numberedModel(in: place.path)
    let pairs = try place.pairs(somePairs)
    let weights = URL(fileURLWithPath: model + "/model.safetensors")
    let before = try Data(contentsOf: weights)
    func train(_ tuning: String) throws -> Call {
      try keystep(
        "train", "--model", model, "--pairs", pairs, "--objective", "sft", "--tuning", tuning,
        "--steps", "1", "--batch-size", "2", "--output", model)
    }
    let adapter = try train("lora")
    #expect(adapter.status == 1 && adapter.lines.isEmpty)
    #expect(
      adapter.errors.contains("\(weights.path): expected a folder without a model, for an adapter"))
    #expect(try Data(contentsOf: weights) == before)
    #expect(!FileManager.default.fileExists(atPath: model + "/adapter_config.json"))
    #expect(try train("full").status == 0)
    #expect(try Data(contentsOf: weights) != before)
  }

  @Test(
    "Examples that are all longer than the context are an error that names file, example and limit",
    arguments: ["sft", "krsl", "dpo", "answer-tokens"], ["pairs", "chains"])
  func allTooLong(objective: String, kind: String) throws {
    if kind == "chains", ["krsl", "dpo"].contains(objective) { return }
    let place = try Workplace()
    let model = try numberedModel(in: place.path)
    let long = Array(repeating: "5", count: 70).joined(separator: " ") + " the answer is 6"
    let file =
      kind == "pairs"
      ? try place.pairs([("3", long, "4 " + long), ("4", long, "4 " + long)])
      : try place.file("chains.jsonl", #"{"prompt": "3", "response": "\#(long)"}"#)
    let call = try keystep(
      "train", "--model", model, "--\(kind)", file, "--objective", objective, "--steps", "1",
      "--output", place.path + "/out")
    #expect(call.status == 1 && call.lines.isEmpty)
    // One token of the prompt, 74 of the response and the end of sequence.
    let example = kind == "pairs" ? "pair 1 (line 1), chosen" : "chain 1 (line 1)"
    #expect(
      call.errors.contains(
        "\(file): \(example): expected at most the 64 tokens of the model's context, found 76 tokens"
      ), "\(call.errors)")
    #expect(!FileManager.default.fileExists(atPath: place.path + "/out"))
  }

  @Test("A run that was killed goes on bit for bit")
  func resume() throws {
    let place = try Workplace()
    let model = try numberedModel(in: place.path)
    let file = try place.pairs(somePairs)
    func arguments(_ output: String) -> [String] {
      [
        "train", "--model", model, "--pairs", file, "--objective", "krsl", "--batch-size", "1",
        "--steps", "900", "--save-every", "100", "--learning-rate", "1e-4", "--lora-rank", "2",
        "--workers", "1", "--json", "--output", place.path + "/" + output,
      ]
    }
    let whole = try runExecutable(executable("keystep"), arguments("whole"))
    #expect(whole.status == 0 && whole.lines.count == 900)

    try killKeystep(afterLines: 150, arguments("killed"))
    let rest = try runExecutable(executable("keystep"), arguments("killed") + ["--resume"])
    #expect(rest.status == 0, "\(rest.errors)")
    #expect(rest.lines.count < 900 && rest.lines.count.isMultiple(of: 100))
    #expect(
      try place.contents("killed/adapter_model.safetensors")
        == place.contents("whole/adapter_model.safetensors"))
    let other = try runExecutable(
      executable("keystep"), arguments("killed") + ["--resume", "--weight-decay", "0.5"])
    #expect(other.status == 1 && other.errors.contains("training_state.safetensors"))
  }
}
