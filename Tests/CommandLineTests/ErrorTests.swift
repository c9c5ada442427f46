import Foundation
import TestSupport
import Testing

@Suite struct ErrorTests {
  /// A call that fails with one message on standard error, and no crash report.
  private func expectFailure(
    _ call: Call, status: Int32 = 1, naming texts: [String],
    sourceLocation: SourceLocation = #_sourceLocation
  ) {
    #expect(call.status == status, "\(call.errors)", sourceLocation: sourceLocation)
    #expect(call.output.isEmpty, sourceLocation: sourceLocation)
    #expect(!call.errors.contains("Fatal error"), sourceLocation: sourceLocation)
    #expect(call.errors.hasPrefix("Error: "), "\(call.errors)", sourceLocation: sourceLocation)
    for text in texts {
      #expect(
        call.errors.contains(text), "\(text) is not in \(call.errors)",
        sourceLocation: sourceLocation)
    }
  }

  @Test(
    "A pairs file that is not as it should be is named with its line, what was expected and found",
    arguments: [
      (#"{"prompt": "3", "chosen": "4"}"#, ["line 2, rejected", "\"prompt\", \"chosen\""]),
      (#"{"prompt": "3", "chosen": "", "rejected": "5"}"#, ["line 2, chosen", "an empty string"]),
      (#"{"prompt": "3", "chosen": "4", "rejected": " "}"#, ["line 2, rejected", "space"]),
      (#"{"prompt": "", "chosen": "4", "rejected": "5"}"#, ["line 2, prompt", "an empty string"]),
      (#"{"prompt": 3, "chosen": "4", "rejected": "5"}"#, ["line 2, prompt", "a string"]),
      (#"{"prompt": "3", "chosen": "4","#, ["line 2, byte 30", "a member's name"]),
      ("[1]", ["line 2", "a JSON object", "an array"]),
    ])
  func pairs(line: String, texts: [String]) throws {
    let place = try Workplace()
    let model = try numberedModel(in: place.path)
    let file = try place.file(
      "bad.jsonl", #"{"prompt": "3", "chosen": "4", "rejected": "5"}"# + "\n" + line + "\n")
    let texts = [file, "expected", "found"] + texts
    expectFailure(
      try keystep("align", "--tokenizer", model, "--pairs", file, "--json"), naming: texts)
    expectFailure(try keystep("loss", "--model", model, "--pairs", file, "--json"), naming: texts)
    expectFailure(
      try keystep(
        "train", "--model", model, "--pairs", file, "--objective", "krsl", "--steps", "1",
        "--output", place.path + "/out"), naming: texts)
    #expect(!FileManager.default.fileExists(atPath: place.path + "/out"))
    expectFailure(try keystep("evaluate", "--model", model, "--pairs", file), naming: texts)
  }

  @Test("A path that is not UTF-8 is refused by its place, and no file of another name is touched")
  func otherBytes() throws {
    let place = try Workplace()
    let model = try numberedModel(in: place.path)
    _ = try place.pairs(somePairs)
    // Another name, which a reader that replaces the bytes would take.
    _ = try place.pairs(somePairs, name: "p\u{FFFD}.jsonl")
    _ = try shell(#"cp pairs.jsonl $'p\xff.jsonl'"#, in: place.path)
    let before = try shell("ls -1b", in: place.path).output
    for arguments in [
      #"align --tokenizer \#(model) --pairs $'p\xff.jsonl'"#,
      #"align --tokenizer \#(model) --pairs pairs.jsonl --html $'\xc3\x28.html'"#,
      #"train --model \#(model) --pairs pairs.jsonl --objective krsl --steps 1 --output $'o\xed\xa0\x80'"#,
    ] {
      let call = try shell("$keystep " + arguments, in: place.path)
      #expect(call.status == 2 && call.output.isEmpty)
      #expect(call.errors.contains("argument ") && call.errors.contains("expected UTF-8"))
      #expect(!call.errors.contains("Fatal error"))
    }
    let experiment = try runExecutable(
      "/usr/bin/env",
      ["bash", "-c", #""\#(executable("components"))" --smoke --output $'a\xff.csv'"#],
      in: place.path)
    #expect(experiment.status == 2 && experiment.errors.contains("argument 3: expected UTF-8"))
    #expect(try shell("ls -1b", in: place.path).output == before)
  }

  @Test("A missing file or model is named, by every command")
  func missing() throws {
    let place = try Workplace()
    let model = try numberedModel(in: place.path)
    let pairs = try place.pairs(somePairs)
    let prompts = try place.file("prompts.jsonl", #"{"prompt": "3"}"#)
    let no = place.path + "/nowhere"
    for call in [
      try keystep("align", "--tokenizer", model, "--pairs", no),
      try keystep("align", "--tokenizer", no, "--pairs", pairs),
      try keystep("loss", "--model", model, "--pairs", no),
      try keystep("loss", "--model", no, "--pairs", pairs),
      try keystep("loss", "--model", no + ".gguf", "--pairs", pairs),
      try keystep("loss", "--model", model, "--adapter", no, "--pairs", pairs),
      try keystep("loss", "--model", model, "--tokenizer", no, "--pairs", pairs),
      try keystep("train", "--model", no, "--pairs", pairs, "--objective", "sft"),
      try keystep("train", "--model", model, "--chains", no, "--objective", "sft"),
      try keystep(
        "train", "--model", model, "--pairs", pairs, "--objective", "sft", "--output", no,
        "--resume"),
      try keystep("generate", "--model", model, "--prompts", no),
      try keystep("generate", "--model", no, "--prompts", prompts),
      try keystep("evaluate", "--model", model, "--prompts", no),
      try keystep("info", no), try keystep("pair", "--format", "gsm8k-solutions", no),
    ] { expectFailure(call, naming: [no]) }
  }

  @Test("A file that is cut off, made of noise, empty or a folder is an error of every command")
  func damaged() throws {
    let place = try Workplace()
    let noise = Data((0..<3000).map { UInt8(truncatingIfNeeded: $0 &* 7919 >> 3) })
    let pairs = try place.pairs(somePairs)
    let damages: [(String, (Data) -> Data)] = [
      ("half", { $0.prefix($0.count / 2) }), ("empty", { _ in Data() }), ("noise", { _ in noise }),
      ("start", { noise.prefix(64) + $0.dropFirst(64) }),
    ]
    for file in ["config.json", "model.safetensors", "tokenizer.json"] {
      for (name, damage) in damages {
        let model = try numberedModel(in: place.path)
        let url = URL(fileURLWithPath: "\(model)/\(file)")
        try damage(Data(contentsOf: url)).write(to: url)
        for call in [
          try keystep("loss", "--model", model, "--pairs", pairs), try keystep("info", model),
        ] {
          #expect(call.status == 1, "\(file), \(name): \(call.errors)")
          #expect(call.errors.contains(file), "\(file), \(name): \(call.errors)")
          #expect(!call.errors.contains("Fatal error"))
        }
      }
    }
    let model = try numberedModel(in: place.path)
    for bytes in [noise, Data([0xff, 0x0a, 0x00]), Data("{}\n".utf8), Data("null".utf8)] {
      let file = try place.data("noise", bytes)
      expectFailure(try keystep("align", "--tokenizer", model, "--pairs", file), naming: [file])
      expectFailure(try keystep("align", "--tokenizer", file, "--pairs", pairs), naming: [file])
      expectFailure(try keystep("generate", "--model", model, "--prompts", file), naming: [file])
      expectFailure(
        try keystep("train", "--model", model, "--chains", file, "--objective", "sft"),
        naming: [file])
      expectFailure(try keystep("pair", "--format", "gsm8k-solutions", file), naming: [file])
      let gguf = try place.data("noise.gguf", bytes)
      expectFailure(try keystep("info", gguf), naming: [gguf])
    }
    expectFailure(
      try keystep("align", "--tokenizer", model, "--pairs", place.path), naming: [place.path])
    expectFailure(
      try keystep(
        "pair", "--format", "gsm8k-solutions", fixture("reasoning/gsm8k-solutions.jsonl").path,
        "--output", place.path + "/no/such/folder"), naming: [place.path + "/no/such/folder"])
  }

  @Test("A file without pairs or prompts is an error of every command")
  func empty() throws {
    let place = try Workplace()
    let model = try numberedModel(in: place.path)
    let file = try place.file("empty.jsonl", "\n\n")
    for objective in ["sft", "krsl"] {
      expectFailure(
        try keystep("train", "--model", model, "--pairs", file, "--objective", objective),
        naming: [file, "at least one"])
    }
    expectFailure(
      try keystep("align", "--tokenizer", model, "--pairs", file, "--json"),
      naming: [file, "at least one"])
    for command in ["loss", "evaluate"] {
      expectFailure(
        try keystep(command, "--model", model, "--pairs", file, "--json"),
        naming: [file, "at least one"])
    }
    expectFailure(
      try keystep("generate", "--model", model, "--prompts", file, "--json"),
      naming: [file, "at least one"])
  }

  @Test("An architecture or a tensor type that is not known is named before any work")
  func unknown() throws {
    let place = try Workplace()
    let pairs = try place.pairs(somePairs)
    let model = try numberedModel(in: place.path)
    let config = URL(fileURLWithPath: model + "/config.json")
    let text = try String(contentsOf: config, encoding: .utf8)
    try text.replacing("llama", with: "mamba").replacing("Llama", with: "Mamba")
      .write(to: config, atomically: true, encoding: .utf8)
    expectFailure(
      try keystep("loss", "--model", model, "--pairs", pairs),
      naming: [config.path, "mamba", "llama"])
    try text.write(to: config, atomically: true, encoding: .utf8)

    let weights = URL(fileURLWithPath: model + "/model.safetensors")
    var data = try Data(contentsOf: weights)
    let range = try #require(data.range(of: Data("\"F32\"".utf8)))
    data.replaceSubrange(range, with: Data("\"X32\"".utf8))
    try data.write(to: weights)
    expectFailure(
      try keystep("loss", "--model", model, "--pairs", pairs), naming: [weights.path, "X32"])
  }

  @Test("A sequence beyond the model's context is named, with both lengths")
  func context() throws {
    let place = try Workplace()
    let model = try numberedModel(in: place.path)
    let long = Array(repeating: "5", count: 62).joined(separator: " ")
    // 1 + 62 and the end of sequence just fit.
    let fits = try place.pairs([("3", long, "5")], name: "fits.jsonl")
    #expect(try keystep("loss", "--model", model, "--pairs", fits).status == 0)
    let file = try place.pairs([("3", "4", "5"), ("3 4", "5", long)])
    for command in ["loss", "evaluate"] {
      expectFailure(
        try keystep(command, "--model", model, "--pairs", file),
        naming: [file, "pair 2", "rejected", "64", "65"])
    }
    let prompts = try place.file("prompts.jsonl", #"{"prompt": "\#(long) 1 2 3"}"#)
    expectFailure(
      try keystep("generate", "--model", model, "--prompts", prompts),
      naming: [prompts, "prompt 1", "64", "65"])
    // Where the answer fills the context, it ends there.
    let full = try place.file("full.jsonl", #"{"prompt": "\#(long)"}"#)
    let call = try keystep("generate", "--model", model, "--prompts", full, "--json")
    #expect(call.status == 0)
    let reason = try call.objects().first?["reason"] as? String
    #expect(reason == "context" || reason == "stop")
  }

  @Test(
    "A call that makes no sense is status 2 and says why",
    arguments: [
      (["align", "--tokeniser", "x", "--pairs", "y"], "--tokenizer"),
      (["align", "--pairs", "y"], "--tokenizer"), (["aline"], "aline"),
      (["loss", "--model", "x", "--pairs", "y", "--beta", "low"], "--beta"),
      (["loss", "--model", "x", "--pairs", "y", "--alpha", "nan"], "--alpha"),
      (["loss", "--model", "x", "--pairs", "y", "--workers", "0"], "--workers"),
      (["train", "--objective", "ppo", "--model", "x", "--pairs", "y"], "krsl"),
      (["train", "--objective", "sft"], "--model or --preset"),
      (["train", "--objective", "krsl", "--model", "x", "--chains", "y"], "--pairs"),
      (["train", "--objective", "sft", "--model", "x", "--pairs", "y", "--steps", "0"], "--steps"),
      (
        [
          "train", "--objective", "sft", "--model", "x", "--pairs", "y", "--lora-targets", "x_proj",
        ],
        "q_proj"
      ),
      (
        [
          "train", "--objective", "sft", "--model", "x", "--pairs", "y", "--adapter", "z",
          "--lora-rank", "4",
        ],
        "--lora-rank: expected only without --adapter"
      ),
      (
        [
          "train", "--objective", "sft", "--model", "x", "--pairs", "y", "--adapter", "z",
          "--tuning", "full",
        ],
        "--adapter goes with --tuning lora"
      ),
      (
        ["train", "--objective", "sft", "--model", "x", "--pairs", "y", "--lora-targets", ""],
        "--lora-targets"
      ),
      (
        ["train", "--objective", "sft", "--model", "x", "--pairs", "y", "--lora-alpha", "nan"],
        "--lora-alpha"
      ),
      (
        ["train", "--objective", "sft", "--model", "x", "--pairs", "y", "--max-grad-norm", "0"],
        "--max-grad-norm"
      ),
      (
        ["train", "--objective", "sft", "--model", "x", "--pairs", "y", "--weight-decay", "-1"],
        "--weight-decay"
      ),
      (
        [
          "train", "--objective", "sft", "--model", "x", "--pairs", "y", "--steps", "1", "--resume",
        ],
        "--output"
      ),
      (["generate", "--model", "x", "--prompts", "y", "--batch", "0"], "--batch"),
      (["generate", "--model", "x", "--prompts", "y", "--temperature", "-1"], "--temperature"),
      (["generate", "--model", "x", "--prompts", "y", "--top-p", "2"], "--top-p"),
      (["evaluate", "--model", "x"], "--prompts"), (["pair", "x"], "--format"),
      (["pair", "x", "--format", "alpaca"], "gsm8k-solutions"), (["info"], "path"),
      (["pair"], "--chains"), (["annotate", "--teacher", "oracle"], "endpoint"),
      (["annotate", "--teacher", "local", "--questions", "x", "--format", "bbh"], "--model"),
      (["annotate", "--teacher", "local", "--model", "x"], "--questions"),
      (["annotate", "--teacher", "recorded", "--recorded", "x"], "--recorded-format"),
      (["annotate", "--teacher", "procedural", "--tries", "0"], "--tries"),
      (["edit-data", "--teacher", "procedural", "--output", "x", "--test", "-1"], "--test"),
    ])
  func usage(arguments: [String], text: String) throws {
    let call = try runExecutable(executable("keystep"), arguments)
    #expect(call.status == 2, "\(call.errors)")
    #expect(call.output.isEmpty && call.errors.contains(text), "\(call.errors)")
  }

  @Test(
    "Help is on standard output, with an example",
    arguments: [
      "edit-data", "annotate", "rectify", "corrupt", "pair", "align", "loss", "train", "merge",
      "generate", "evaluate", "report", "info", "objectives",
    ])
  func help(command: String) throws {
    for call in [try keystep(command, "--help"), try keystep("help", command)] {
      #expect(call.status == 0 && call.errors.isEmpty)
      #expect(call.output.contains("Example: keystep \(command) "))
    }
    #expect(try keystep("--help").output.contains("  \(command) "))
  }

  @Test("No command has a flag twice")
  func distinctFlags() throws {
    let commands = try keystep("--help").lines.drop { $0 != "SUBCOMMANDS:" }
      .compactMap { $0.firstMatch(of: #/^  ([a-z][a-z-]+) /#).map { String($0.1) } }
    #expect(commands.count > 15 && commands.contains("serve"), "\(commands)")
    for command in commands {
      let flags = try keystep("help", command).lines
        .compactMap { $0.firstMatch(of: #/^  (?:-[a-z], )?(--[a-z0-9-]+)/#).map { String($0.1) } }
      #expect(flags.count == Set(flags).count, "keystep \(command): \(flags)")
    }
  }

  @Test("An output that cannot be written is an error, not a crash")
  func fullDisk() throws {
    guard FileManager.default.fileExists(atPath: "/dev/full") else { return }
    let place = try Workplace()
    let model = try numberedModel(in: place.path)
    _ = try place.pairs(somePairs)
    for line in [
      "$keystep align --tokenizer \(model) --pairs pairs.jsonl --json > /dev/full",
      "$keystep align --tokenizer \(model) --pairs pairs.jsonl > /dev/full",
      "$keystep info \(model) > /dev/full",
      "$keystep pair --format gsm8k-solutions \(fixture("reasoning/gsm8k-solutions.jsonl").path) > /dev/full",
      "$keystep align --tokenizer \(model) --pairs pairs.jsonl --json >&-",
    ] {
      let call = try shell(line, in: place.path)
      #expect(call.status == 1 && !call.errors.isEmpty, "\(line): \(call.status) \(call.errors)")
      #expect(!call.errors.contains("Fatal error"))
    }
  }
}

@Suite struct InterruptionTests {
  @Test(
    "An interrupted experiment ends with its step, and leaves its state and nothing that is half made"
  )
  func interrupt() throws {
    let place = try Workplace()
    let process = newProcess(
      executable("key-step-ratio"),
      [
        "--smoke", "--jobs", "1", "--stage1-steps", "100000", "--output", place.path + "/out.csv",
      ])
    process.currentDirectoryURL = URL(fileURLWithPath: place.path)
    let errors = Pipe()
    process.standardOutput = FileHandle.nullDevice
    process.standardError = errors
    // A thread of a pool may have signals blocked, which its processes would inherit.
    var none = sigset_t()
    sigemptyset(&none)
    pthread_sigmask(SIG_SETMASK, &none, nil)
    try process.run()
    // It reports once it trains.
    _ = errors.fileHandleForReading.availableData
    kill(process.processIdentifier, SIGINT)
    process.waitUntilExit()
    #expect(process.terminationReason == .exit && process.terminationStatus == 1)
    #expect(!FileManager.default.fileExists(atPath: place.path + "/out.csv"))
    let runs = place.path + "/runs"
    let stages = try FileManager.default.contentsOfDirectory(atPath: runs + "/stages")
    #expect(stages.count == 2 && stages.contains { $0.hasSuffix(".work") })
    let names = try FileManager.default.contentsOfDirectory(atPath: runs + "/key-step-ratio")
    #expect(names.sorted() == ["claims", "data", "plan.json", "records"])
  }
}
