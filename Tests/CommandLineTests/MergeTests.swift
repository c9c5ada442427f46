import Checkpoints
import Foundation
import TestSupport
import Testing

@Suite struct MergeTests {
  /// A small decoder with the tokenizer of the fixture `smollm2`, as a Hugging Face folder.
  private func model(in place: Workplace) throws -> String {
    let folder = place.path + "/model"
    let configuration = ModelConfiguration(
      vocabularySize: 1000, hiddenSize: 32, intermediateSize: 64, layerCount: 2, headCount: 4,
      keyValueHeadCount: 2, maximumPositions: 64)
    var state: UInt64 = 1
    let tensors = configuration.tensorShapes.map { name, shape in
      TensorSource(
        name: name, shape: shape,
        values: (0..<shape.reduce(1, *)).map { _ in
          state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
          let uniform = Float(state >> 40) / 0x1p24 - 0.5
          return shape.count == 1 ? 1 + 0.1 * uniform : uniform
        })
    }
    try Checkpoint.writeHuggingFace(configuration, tensors: tensors, to: folder)
    try FileManager.default.copyItem(
      at: fixture("tokenizers/smollm2/tokenizer.json"),
      to: URL(fileURLWithPath: folder + "/tokenizer.json"))
    for (name, text) in [
      (
        "tokenizer_config.json",
        #"{"bos_token": "<|im_start|>", "eos_token": "<|im_end|>", "chat_template": "{{ x }}"}"#
      ), ("generation_config.json", #"{"eos_token_id": 2, "temperature": 0.5}"#),
    ] {
      _ = try place.file("model/" + name, text)
    }
    return folder
  }

  /// The model, an adapter that was trained on it, and prompts.
  private func trained(in place: Workplace) throws -> (model: String, adapter: String) {
    let model = try model(in: place)
    let pairs = try place.pairs([
      ("The answer", " is yes.", " is no."), ("Two and two", " are four.", " are five."),
    ])
    let call = try keystep(
      "train", "--model", model, "--pairs", pairs, "--objective", "sft", "--steps", "3",
      "--learning-rate", "1e-2", "--lora-rank", "2", "--lora-dropout", "0", "--output",
      place.path + "/adapter")
    #expect(call.status == 0, "\(call.errors)")
    _ = try place.file(
      "prompts.jsonl", #"{"prompt": "The answer"}"# + "\n" + #"{"prompt": "Two apples and"}"# + "\n"
    )
    return (model, place.path + "/adapter")
  }

  private func continuations(_ place: Workplace, _ arguments: String...) throws -> [[Int]] {
    let call = try runExecutable(
      executable("keystep"),
      ["generate", "--prompts", place.path + "/prompts.jsonl", "--max-new-tokens", "12", "--json"]
        + arguments)
    #expect(call.status == 0, "\(call.errors)")
    return try call.objects().compactMap { $0["tokens"] as? [Int] }
  }

  @Test(
    "A merged model continues prompts as the adapted one does, as a folder and as a GGUF, which becomes a folder again"
  )
  func continuations() throws {
    let place = try Workplace()
    let (model, adapter) = try trained(in: place)
    let expected = try continuations(place, "--model", model, "--adapter", adapter)
    #expect(expected.count == 2 && expected[0].count == 12)
    #expect(try continuations(place, "--model", model) != expected)
    let (folder, gguf, back) = (
      place.path + "/merged", place.path + "/merged.gguf", place.path + "/back"
    )
    for arguments in [
      ["--model", model, "--adapter", adapter, "--output", folder],
      ["--model", model, "--adapter", adapter, "--output", gguf],
      ["--model", gguf, "--output", back],
    ] {
      let call = try runExecutable(executable("keystep"), ["merge"] + arguments)
      #expect(call.status == 0 && call.output.contains("rounding  0 of the norm"), "\(call.errors)")
    }
    for path in [folder, gguf, back] {
      #expect(try continuations(place, "--model", path) == expected, "\(path)")
    }
    // What lies beside a model goes with it.
    #expect(try place.text("merged/generation_config.json").contains("temperature"))
    for path in ["merged", "back"] {
      #expect(try place.text("\(path)/tokenizer_config.json").contains("{{ x }}"))
      #expect(try place.text("\(path)/generation_config.json").contains("eos_token_id"))
    }
    let metadata = try GGUFFile(path: gguf).metadata
    #expect(metadata["tokenizer.chat_template"] == .string("{{ x }}"))
    #expect(metadata["general.name"] == .string("model"))
    #expect(
      try place.contents("back/model.safetensors") == place.contents("merged/model.safetensors"))
  }

  @Test("How far the written weights and logits are from what was trained is reported")
  func report() throws {
    let place = try Workplace()
    let (model, adapter) = try trained(in: place)
    var roundings: [Double] = []
    for (dtype, name) in [("fp32", "a"), ("fp16", "b"), ("bf16", "c"), ("q8_0", "d.gguf")] {
      let call = try keystep(
        "merge", "--model", model, "--adapter", adapter, "--output", "\(place.path)/\(name)",
        "--dtype", dtype, "--prompts", place.path + "/prompts.jsonl", "--json")
      #expect(call.status == 0, "\(call.errors)")
      let report = try #require(try call.objects().first)
      #expect(report["dtype"] as? String == dtype)
      #expect(report["format"] as? String == (name.hasSuffix("gguf") ? "gguf" : "huggingface"))
      #expect(report["base_types"] as? [String: Int] == ["F32": 20])
      #expect((report["update"] as? Double ?? 0) > 1e-4)
      roundings.append(try #require(report["rounding"] as? Double))
      let logits = try #require(report["logits"] as? [String: Any])
      let difference = try #require(logits["largest_difference"] as? Double)
      #expect(dtype == "fp32" ? difference < 1e-4 : difference > 1e-5, "\(dtype) \(difference)")
      #expect((logits["mean_kl"] as? Double ?? 1) < 0.05)
      #expect((logits["tokens"] as? Int ?? 0) > 4)
    }
    #expect(roundings[0] == 0)
    // Half a step of the last bit: 11 bits, then 8, and of Q8_0 the 254th part of a block's largest number.
    for (rounding, range) in zip(roundings.dropFirst(), [5e-5...2.5e-4, 5e-4...2e-3, 1e-3...8e-3]) {
      #expect(range.contains(rounding), "\(rounding)")
    }
  }

  @Test("What cannot be written is refused before anything is")
  func refused() throws {
    let place = try Workplace()
    let (model, adapter) = try trained(in: place)
    let words = try numberedModel(in: place.path)
    try FileManager.default.createDirectory(
      atPath: place.path + "/folder.gguf", withIntermediateDirectories: true)
    let gguf = try place.file("old.gguf", "old")
    let file = try place.file("file", "x")
    func expect(
      _ status: Int32, _ text: String, _ arguments: String..., from: String? = nil
    ) throws {
      let call = try runExecutable(
        executable("keystep"), ["merge", "--model", from ?? model] + arguments)
      #expect(call.status == status && call.errors.contains(text), "\(arguments) \(call.errors)")
      #expect(call.output.isEmpty)
    }
    let new = place.path + "/new"
    try expect(2, "ends in .gguf", "--output", new, "--dtype", "q8_0")
    try expect(2, "'fp32', 'fp16', 'bf16' or 'q8_0'", "--output", new, "--dtype", "int4")
    try expect(1, "found a folder", "--output", place.path + "/folder.gguf")
    try expect(1, "--overwrite", "--output", gguf)
    try expect(1, "expected a folder", "--output", file)
    try expect(1, "another --output", "--output", model + "/", "--overwrite")
    try expect(1, "another --output", "--adapter", adapter, "--output", adapter, "--overwrite")
    try expect(1, "model.type: expected BPE", "--output", new + ".gguf", from: words)
    try expect(
      1, "target module", "--adapter", fixture("decoder/lora-phi3").path, "--output", new)
    #expect(try place.text("old.gguf") == "old")
    #expect(!FileManager.default.fileExists(atPath: new + ".gguf"))
    #expect(!FileManager.default.fileExists(atPath: new + "/model.safetensors"))
    let call = try keystep("merge", "--model", model, "--output", gguf, "--overwrite")
    #expect(call.status == 0, "\(call.errors)")
    #expect(try place.contents("old.gguf").starts(with: Data("GGUF".utf8)))
  }
}
