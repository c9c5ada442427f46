import Checkpoints
import Files
import Foundation
import Testing

/// Which files a model or an adapter is read from, and which are left after it was written.
@Suite struct CheckpointFilesTests {
  /// Calls `body` with a copy of fixture `name`.
  private func withCopy<Result>(of name: String, _ body: (String) throws -> Result) throws -> Result
  {
    try withFolder { folder in
      let copy = folder + "/copy"
      try FileManager.default.copyItem(atPath: "\(fixtures)/\(name)", toPath: copy)
      return try body(copy)
    }
  }

  private func names(_ files: [String]) -> [String] {
    files.map { String($0.split(separator: "/").last ?? "") }.sorted()
  }

  /// The tensors of `checkpoint`, their numbers times `factor`.
  private func tensors(_ checkpoint: Checkpoint, times factor: Float = 1) throws -> [TensorSource] {
    try checkpoint.tensors.map { tensor in
      TensorSource(
        name: tensor.name, shape: tensor.shape,
        values: try checkpoint.read(tensor.name).map { factor * $0 })
    }
  }

  @Test(
    "A model is read from its weights with their index, its configuration and its tokenizer",
    arguments: [
      (
        "llama", "",
        [
          "config.json", "generation_config.json", "model-00001-of-00002.safetensors",
          "model-00002-of-00002.safetensors", "model.safetensors.index.json", "tokenizer.json",
        ]
      ),
      (
        "qwen2", "",
        ["config.json", "generation_config.json", "model.safetensors", "tokenizer.json"]
      ),
      (
        "qwen2", "/model.safetensors",
        ["config.json", "generation_config.json", "model.safetensors", "tokenizer.json"]
      ),
      (
        "adapter", "",
        [
          "adapter_config.json", "adapter_model.safetensors", "generation_config.json",
          "tokenizer.json",
        ]
      ),
    ])
  func files(fixture: String, path: String, expected: [String]) throws {
    try withCopy(of: fixture) { folder in
      for name in ["tokenizer.json", "generation_config.json", "README.md", "trainer_state.json"] {
        try write(Array("{}".utf8), "\(folder)/\(name)")
      }
      let files = try Checkpoint.files(at: folder + path)
      #expect(names(files) == expected)
      let sum = try Checkpoint.checksum(at: folder + path)
      let lines = try files.sorted().map { file in
        "\(try SHA256.hex(ofFileAt: file))  \(names([file])[0])\n"
      }
      #expect(sum == SHA256.hex(of: lines.joined()))
      for file in files where !file.hasSuffix("index.json") {
        let before = try bytes(of: file)
        try write(before + [32], file)
        #expect(try Checkpoint.checksum(at: folder + path) != sum, "\(file)")
        try write(before, file)
      }
      try write([], folder + "/README.md")
      #expect(try Checkpoint.checksum(at: folder + path) == sum)
    }
  }

  @Test("A GGUF is one file, and its checksum that of the file")
  func gguf() throws {
    let path = fixtures + "/llama.gguf"
    #expect(try Checkpoint.files(at: path) == [path])
    #expect(try Checkpoint.checksum(at: path) == SHA256.hex(ofFileAt: path))
    #expect(throws: FileError.self) { try Checkpoint.files(at: fixtures + "/none") }
  }

  @Test("A model's folder in the cache of Hugging Face's hub is the snapshot that refs/main names")
  func hubCache() throws {
    try withFolder { folder in
      let cached = folder + "/models--someone--tiny"
      let files = FileManager.default
      for (commit, fixture) in [("0a1b", "qwen2"), ("9f8e", "mistral")] {
        try files.createDirectory(
          atPath: cached + "/snapshots/" + commit, withIntermediateDirectories: true)
        // Files of the cache are links to blobs.
        for name in ["config.json", "model.safetensors"] {
          try files.createSymbolicLink(
            atPath: "\(cached)/snapshots/\(commit)/\(name)",
            withDestinationPath: "\(fixtures)/\(fixture)/\(name)")
        }
      }
      try files.createDirectory(atPath: cached + "/refs", withIntermediateDirectories: true)
      #expect { try Checkpoint(path: cached) } throws: { "\($0)".contains("refs/main") }
      try write(Array("9f8e\n".utf8), cached + "/refs/main")
      #expect(try Checkpoint(path: cached).configuration.architecture == .mistral)
      #expect(
        try Checkpoint.checksum(at: cached)
          == Checkpoint.checksum(at: fixtures + "/mistral/model.safetensors"))
      #expect(
        try Checkpoint.files(at: cached).allSatisfy { $0.hasPrefix(cached + "/snapshots/9f8e/") })
      try write(Array("9f8f".utf8), cached + "/refs/main")
      let error = #expect(throws: FileError.self) { try Checkpoint(path: cached) }
      #expect(error?.found == "\"9f8f\", beside 0a1b, 9f8e")
    }
  }

  @Test("model.safetensors is read where shards with an index lie beside it, as in Transformers")
  func bothForms() throws {
    try withCopy(of: "llama") { folder in
      let shards = try Checkpoint(path: folder)
      let name = "model.norm.weight"
      let before = try shards.read(name)
      try SafetensorsFile.save(
        tensors(shards, times: 1.5), metadata: [:], to: folder + "/model.safetensors")
      #expect(try Checkpoint(path: folder).read(name) == before.map { 1.5 * $0 })
      #expect(
        try names(Checkpoint.files(at: folder)) == ["config.json", "model.safetensors"])
    }
  }

  @Test(
    "Writing a model removes the index, the shards and the adapter of another, and nothing else")
  func staleFiles() throws {
    try withCopy(of: "llama") { folder in
      let old = try Checkpoint(path: folder)
      for name in ["adapter_config.json", "adapter_model.safetensors"] {
        try write(bytes(of: "\(fixtures)/adapter/\(name)"), "\(folder)/\(name)")
      }
      for name in ["tokenizer.json", "notes.safetensors", "model-1-of-2.safetensors"] {
        try write([1], "\(folder)/\(name)")
      }
      try Checkpoint.writeHuggingFace(
        old.configuration, tensors: tensors(old, times: 2), to: folder)
      #expect(
        try FileManager.default.contentsOfDirectory(atPath: folder).sorted() == [
          "config.json", "model-1-of-2.safetensors", "model.safetensors", "notes.safetensors",
          "tokenizer.json",
        ])
      #expect(
        try Checkpoint(path: folder).read("lm_head.weight")
          == Checkpoint(path: fixtures + "/llama").read("lm_head.weight").map { 2 * $0 })
    }
  }

  @Test(
    "An adapter is not written beside a model's weights, which stay; over another adapter it is",
    arguments: ["llama", "qwen2", "adapter"])
  func adapterBesideModel(fixture: String) throws {
    let adapter = try PEFTAdapter(folder: fixtures + "/adapter")
    try withCopy(of: fixture) { folder in
      let before = try FileManager.default.contentsOfDirectory(atPath: folder).sorted()
      guard fixture != "adapter" else {
        var other = adapter
        other.alpha = 7
        try other.write(to: folder)
        #expect(try PEFTAdapter(folder: folder).alpha == 7)
        return
      }
      let error = #expect(throws: FileError.self) { try adapter.write(to: folder) }
      let name = fixture == "llama" ? "model.safetensors.index.json" : "model.safetensors"
      #expect(
        error?.description
          == "\(folder)/\(name): expected a folder without a model, for an adapter, found the weights of a model"
      )
      #expect(try FileManager.default.contentsOfDirectory(atPath: folder).sorted() == before)
    }
  }

  @Test(
    "Embedding and output are tied as in Transformers: not where both are stored and differ",
    arguments: ["equal", "different", "output alone"])
  func tying(stored: String) throws {
    try withCopy(of: "qwen2") { folder in
      let plain = try Checkpoint(path: folder)
      #expect(plain.configuration.tiesEmbeddings)
      let (input, output) = ("model.embed_tokens.weight", "lm_head.weight")
      let embedding = try plain.read(input)
      var sources = try tensors(plain)
      let index = try #require(sources.firstIndex { $0.name == input })
      let shape = sources[index].shape
      let other = stored == "different" ? embedding.map { $0 + 1 } : embedding
      sources.append(TensorSource(name: output, shape: shape, values: other))
      if stored == "output alone" { sources.remove(at: index) }
      try SafetensorsFile.save(sources, metadata: [:], to: folder + "/model.safetensors")
      let read = try Checkpoint(path: folder)
      #expect(read.configuration.tiesEmbeddings == (stored != "different"))
      #expect(try read.read(input) == embedding)
      if stored == "different" { #expect(try read.read(output) == other) }
    }
  }

  /// `adapter_config.json` of the fixture with `key` set to `value`.
  private func adapter(_ key: String, _ value: String, in folder: String) throws -> PEFTAdapter {
    let path = folder + "/adapter_config.json"
    var json = try #require(
      try JSONSerialization.jsonObject(with: Data(bytes(of: path))) as? [String: Any])
    json[key] = try JSONSerialization.jsonObject(
      with: Data(value.utf8), options: .fragmentsAllowed)
    // Patterns count in the order of their keys.
    try write(
      [UInt8](try JSONSerialization.data(withJSONObject: json, options: .sortedKeys)), path)
    return try PEFTAdapter(folder: folder)
  }

  @Test(
    "A key that changes what an adapter computes, or that is not known, is refused by its name",
    arguments: [
      ("init_lora_weights", #""pissa""#), ("init_lora_weights", #""pissa_niter_4""#),
      ("init_lora_weights", #""olora""#), ("init_lora_weights", #""loftq""#),
      ("init_lora_weights", #""corda""#), ("init_lora_weights", #""lora_ga""#),
      ("init_lora_weights", #""mica""#), ("alora_invocation_tokens", "[28, 198]"),
      ("use_dora", "true"), ("use_qalora", "true"), ("lora_bias", "true"),
      ("fan_in_fan_out", "true"), ("modules_to_save", #"["lm_head"]"#),
      ("layer_replication", "[[0, 1]]"), ("trainable_token_indices", "[1]"),
      ("target_parameters", #"["w"]"#), ("megatron_config", #"{"a": 1}"#),
      ("arrow_config", #"{"a": 1}"#), ("kasa_config", #"{"a": 1}"#),
      ("velora_config", #"{"a": 1}"#), ("monteclora_config", #"{"a": 1}"#),
      ("use_bdlora", #"{"a": 1}"#), ("ensure_weight_tying", "true"), ("bias", #""all""#),
      ("lora_dropout", "1.0"), ("lora_dropout", "-0.1"), ("peft_type", #""LOHA""#), ("r", "0"),
      ("of_the_future", "false"), ("of_the_future", "0"), ("of_the_future", "{}"),
    ])
  func refusedAdapters(key: String, value: String) throws {
    try withCopy(of: "adapter") { folder in
      let error = #expect(throws: FileError.self) { try adapter(key, value, in: folder) }
      #expect(error?.location == key)
      #expect(error?.file == folder + "/adapter_config.json")
    }
  }

  @Test(
    "A pattern or a layer that PEFT would not take is refused with its place",
    arguments: [
      ("rank_pattern", #"{"q_proj": 0}"#, "rank_pattern.q_proj: expected a positive number"),
      ("rank_pattern", #"{"q_proj": 1.5}"#, "rank_pattern.q_proj"),
      ("rank_pattern", #"["q_proj"]"#, "rank_pattern"),
      ("rank_pattern", #"{"(q_proj": 2}"#, "expected a regular expression, found \"(q_proj\""),
      ("rank_pattern", #"{"q_proj": 4}"#, "q_proj.lora_A.weight: expected shape [4, in], found"),
      ("alpha_pattern", #"{"q_proj": "a"}"#, "alpha_pattern.q_proj"),
      ("layers_to_transform", "1", "expected one of a layer that layers_to_transform names"),
      ("layers_to_transform", #""all""#, "layers_to_transform"),
      ("layers_to_transform", "[true]", "layers_to_transform[0]"),
    ])
  func refusedPatterns(key: String, value: String, message: String) throws {
    try withCopy(of: "adapter") { folder in
      let error = #expect(throws: FileError.self) { try adapter(key, value, in: folder) }
      #expect(error?.description.contains(message) == true, "\(error?.description ?? "")")
    }
  }

  @Test("Beside layers, target_modules and layers_pattern count as in PEFT")
  func layers() throws {
    try withCopy(of: "adapter") { folder in
      #expect(try adapter("layers_to_transform", "[0, 7, 0]", in: folder).layers == [0, 7])
      #expect(try adapter("layers_pattern", #"["h", "layers"]"#, in: folder).layers == [0, 7])
      #expect(throws: FileError.self) { try adapter("layers_pattern", #""blocks""#, in: folder) }
      #expect(throws: FileError.self) { try adapter("layers_pattern", #""(""#, in: folder) }
      _ = try adapter("layers_pattern", "[]", in: folder)
      // Of modules that are named in full, the layer does not count.
      let names = ["q", "v"].map { "\"model.layers.0.self_attn.\($0)_proj\"" }
      _ = try adapter("target_modules", "[\(names.joined(separator: ","))]", in: folder)
      #expect(try adapter("layers_to_transform", "[3]", in: folder).layers == [3])
      let error = #expect(throws: FileError.self) {
        try adapter("target_modules", #"".*_proj""#, in: folder)
      }
      #expect(error?.location == "layers_to_transform")
    }
  }

  /// Source: `get_pattern_key` in peft: `re.match(rf"(.*\.)?({key})$", module)`.
  @Test(
    "A pattern matches a module's whole name or its end after a dot, and the first counts",
    arguments: [
      (#"{"q_proj": 6}"#, 6.0), (#"{"proj": 6}"#, 4), (#"{"self_attn.q_proj": 6}"#, 6),
      (#"{"layers.0": 6}"#, 4), (#"{"model.layers.0.self_attn.q_proj": 6}"#, 6),
      (#"{"[qk]_proj": 6, "q_proj": 7}"#, 6), (#"{"v_proj|q_proj": 6}"#, 6),
      (#"{".*attn.*": 6}"#, 6), (#"{"layers\\.\\d\\.self_attn\\.q_proj": 6}"#, 6),
      (#"{"Q_proj": 6}"#, 4), (#"{"q_proj": 6.5}"#, 6.5), (#"{"^q_proj": 6}"#, 4), ("null", 4),
    ])
  func patternKeys(patterns: String, alpha: Double) throws {
    try withCopy(of: "adapter") { folder in
      let adapter = try adapter("alpha_pattern", patterns, in: folder)
      let factors = try #require(adapter.factors.first { $0.module.hasSuffix("q_proj") })
      #expect(factors.alpha ?? adapter.alpha == alpha)
    }
  }

  /// Source: `LoraLayer.update_layer` in peft: `lora_alpha / math.sqrt(r)`.
  @Test("A rank-stabilized adapter is a plain one with alpha times the root of the rank")
  func rankStabilized() throws {
    try withCopy(of: "adapter") { folder in
      let plain = try PEFTAdapter(folder: folder)
      let found = try adapter("use_rslora", "true", in: folder)
      #expect(found.rank == plain.rank && found.factors.count == plain.factors.count)
      #expect(
        found.alpha / Double(found.rank) == plain.alpha * Double(plain.rank).squareRoot()
          / Double(plain.rank))
      #expect(try adapter("use_rslora", "false", in: folder).alpha == plain.alpha)
    }
  }

  @Test(
    "What changes nothing is read",
    arguments: [
      ("init_lora_weights", "true"), ("init_lora_weights", #""gaussian""#),
      ("init_lora_weights", #""orthogonal""#), ("init_lora_weights", #""eva""#),
      ("layers_pattern", #""layers""#), ("loftq_config", #"{"loftq_bits": 4}"#),
      ("modules_to_save", "[]"), ("of_the_future", "null"), ("lora_dropout", "0.99"),
    ])
  func acceptedAdapters(key: String, value: String) throws {
    let plain = try PEFTAdapter(folder: fixtures + "/adapter")
    try withCopy(of: "adapter") { folder in
      let changed = try adapter(key, value, in: folder)
      #expect(changed.factors == plain.factors)
    }
  }
}
