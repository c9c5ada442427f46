import Foundation
import TestSupport
import Testing

/// Starts `keystep` or an experiment with all signals as a terminal gives them, standard error going to `errors`.
private func start(
  _ path: String, _ arguments: [String], in folder: String, output: Any = FileHandle.nullDevice
) throws -> (process: Process, errors: Pipe) {
  // A thread of a pool may have signals blocked, which its processes would inherit.
  var none = sigset_t()
  sigemptyset(&none)
  pthread_sigmask(SIG_SETMASK, &none, nil)
  // Nor is a signal to be ignored because these tests run in the background of a shell.
  for number in [SIGINT, SIGTERM, SIGUSR1, SIGHUP] { resetIfIgnored(number) }
  let process = newProcess(path, arguments)
  process.currentDirectoryURL = URL(fileURLWithPath: folder)
  let errors = Pipe()
  process.standardOutput = output
  process.standardError = errors
  process.standardInput = FileHandle.nullDevice
  try process.run()
  return (process, errors)
}

private func resetIfIgnored(_ number: Int32) {
  let before = signal(number, SIG_DFL)
  if unsafeBitCast(before, to: Int.self) != unsafeBitCast(SIG_IGN, to: Int.self) {
    signal(number, before)
  }
}

@Suite struct TrainReliabilityTests {
  private func arguments(_ place: Workplace, _ more: String...) throws -> [String] {
    let model = place.path + "/model"
    if !FileManager.default.fileExists(atPath: model) {
      let made = try numberedModel(in: place.path)
      if made != model { try FileManager.default.moveItem(atPath: made, toPath: model) }
    }
    return [
      "train", "--model", model, "--pairs", try place.pairs(somePairs), "--batch-size", "1",
      "--learning-rate", "1e-3", "--lora-rank", "2", "--workers", "1",
    ] + more
  }

  private func run(_ arguments: [String], _ more: String...) throws -> Call {
    try runExecutable(executable("keystep"), arguments + more)
  }

  private func names(_ place: Workplace, _ folder: String) -> [String] {
    ((try? FileManager.default.contentsOfDirectory(atPath: "\(place.path)/\(folder)")) ?? [])
      .sorted()
  }

  @Test(
    "A signal ends training after its step with the state saved and a line that goes on from it",
    arguments: [SIGINT, SIGTERM, SIGUSR1, SIGHUP])
  func signals(number: Int32) throws {
    let place = try Workplace()
    let base = try arguments(place, "--objective", "krsl", "--steps", "200000", "--json")
    let output = Pipe()
    let (process, errors) = try start(
      executable("keystep"), base + ["--output", place.path + "/out"], in: place.path,
      output: output)
    // It prints once it has taken a step.
    _ = output.fileHandleForReading.availableData
    DispatchQueue.global().async { _ = output.fileHandleForReading.readDataToEndOfFile() }
    kill(process.processIdentifier, number)
    let text = String(decoding: errors.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
    process.waitUntilExit()
    #expect(process.terminationReason == .exit && process.terminationStatus == 1)
    let match = try #require(
      text.firstMatch(of: /interrupted after step (\d+) of 200000; to go on: (.*) --resume\n/),
      "\(text)")
    #expect(String(match.2).hasSuffix("--output \(place.path)/out"))
    // Nothing that looks like a result.
    #expect(names(place, "out") == ["steps.csv", "training_state.safetensors"])
    let steps = try #require(Int(match.1))
    let rest = try run(
      arguments(place, "--objective", "krsl", "--steps", "\(steps + 3)", "--json"), "--resume",
      "--output", place.path + "/out")
    #expect(try rest.objects().map { $0["step"] as? Int } == [steps, steps + 1, steps + 2])
    #expect(rest.status == 0 && names(place, "out").contains("adapter_model.safetensors"))
  }

  @Test("A pipe gets each step's line as it is printed")
  func lines() throws {
    let place = try Workplace()
    let output = Pipe()
    let (process, _) = try start(
      executable("keystep"),
      arguments(
        place, "--objective", "krsl", "--steps", "200000", "--output", place.path + "/out"),
      in: place.path, output: output)
    let first = output.fileHandleForReading.availableData
    process.terminate()
    _ = output.fileHandleForReading.readDataToEndOfFile()
    process.waitUntilExit()
    let text = String(decoding: first, as: UTF8.self)
    #expect(text.hasPrefix("step 1 of 200000") && text.hasSuffix("\n"), "\(text)")
  }

  @Test("A finished run is continued with more steps, bit for bit")
  func longer() throws {
    let place = try Workplace()
    for (length, output) in [("7", "whole"), ("3", "parts")] {
      let call = try run(
        arguments(place, "--objective", "krsl", "--steps", length), "--output",
        "\(place.path)/\(output)")
      #expect(call.status == 0, "\(call.errors)")
    }
    let more = try run(
      arguments(place, "--objective", "krsl", "--steps", "7"), "--resume", "--output",
      place.path + "/parts")
    #expect(more.status == 0 && more.lines.count == 4 && more.lines[0].hasPrefix("step 4 of 7"))
    for file in ["adapter_model.safetensors", "adapter_config.json"] {
      #expect(try place.contents("whole/\(file)") == place.contents("parts/\(file)"))
    }
    // With nothing left to do it stays.
    let again = try run(
      arguments(place, "--objective", "krsl", "--steps", "7"), "--resume", "--output",
      place.path + "/parts")
    #expect(again.status == 0 && again.lines.isEmpty)
  }

  @Test(
    "A resumed run must be the same run",
    arguments: [
      (["--objective", "sft"], "objective"),
      (["--objective", "krsl", "--beta", "-0.3"], "parameters"),
      (["--objective", "krsl", "--alpha", "2"], "parameters"),
      (["--objective", "krsl", "--alignment-unit", "step"], "parameters"),
      (["--objective", "krsl", "--lora-alpha", "5"], "adapter alpha"),
      (["--objective", "krsl", "--lora-init", "pissa"], "adapter start"),
      (["--objective", "krsl", "--workers", "2"], "workers"),
      (["--objective", "krsl", "--tuning", "full"], "tuning"),
      (["--objective", "krsl", "--pairs", "other"], "sha256 examples"),
      (["--objective", "krsl", "--weights", "weights"], "parameters"),
      (["--objective", "krsl", "--model", "other model"], "sha256 model"),
    ])
  func otherRun(change: [String], location: String) throws {
    let place = try Workplace()
    let base = try arguments(place, "--steps", "2", "--output", place.path + "/out")
    #expect(try run(base, "--objective", "krsl").status == 0)
    let before = try place.contents("out/training_state.safetensors")
    let swapped = somePairs.map { ($0.0, $0.2, $0.1) }
    let other = try place.pairs(swapped, name: "other.jsonl")
    let weights = try place.file(
      "weights.jsonl",
      try String(contentsOfFile: place.pairs(somePairs), encoding: .utf8).split(separator: "\n")
        .enumerated().map { index, _ in
          let (_, chosen, rejected) = somePairs[index]
          func ones(_ text: String) -> [Int] { text.split(separator: " ").map { _ in 1 } + [1] }
          return
            #"{"index": \#(index), "chosen_weights": \#(ones(chosen)), "rejected_weights": \#(ones(rejected))}"#
        }.joined(separator: "\n"))
    let model = place.path + "/another"
    try FileManager.default.copyItem(atPath: place.path + "/model", toPath: model)
    let config = URL(fileURLWithPath: model + "/config.json")
    try (Data(contentsOf: config) + Data(" \n".utf8)).write(to: config)
    let files = ["other": other, "weights": weights, "other model": model]
    var arguments = base + ["--resume"]
    for index in stride(from: 0, to: change.count, by: 2) {
      let value = files[change[index + 1]] ?? change[index + 1]
      if let place = arguments.firstIndex(of: change[index]) {
        arguments[place + 1] = value
      } else {
        arguments += [change[index], value]
      }
    }
    let call = try run(arguments)
    #expect(call.status == 1 && call.output.isEmpty)
    #expect(
      call.errors.contains("/out/training_state.safetensors: ") && call.errors.contains(location),
      "\(call.errors)")
    #expect(try place.contents("out/training_state.safetensors") == before)
  }

  @Test("An earlier result stays until a later one is finished, and no NaN is ever written")
  func overEarlier() throws {
    let place = try Workplace()
    let output = place.path + "/out"
    let good = try run(
      arguments(place, "--objective", "krsl", "--steps", "2", "--output", output))
    #expect(good.status == 0)
    let before = try place.contents("out/adapter_model.safetensors")
    var arguments = try arguments(
      place, "--objective", "krsl", "--steps", "1", "--output", output)
    let rate = try #require(arguments.firstIndex(of: "--learning-rate"))
    arguments[rate + 1] = "1e308"
    let bad = try run(arguments)
    #expect(bad.status == 1 && bad.errors.contains("step 1: the parameters' norm"), "\(bad.errors)")
    #expect(try place.contents("out/adapter_model.safetensors") == before)
  }

  @Test("A model with NaN in it is refused by every command that uses it")
  func nanModel() throws {
    let place = try Workplace()
    let model = try numberedModel(in: place.path)
    let weights = URL(fileURLWithPath: model + "/model.safetensors")
    var data = try Data(contentsOf: weights)
    data.replaceSubrange(data.count - 4..<data.count, with: [0, 0, 0xC0, 0x7F])
    try data.write(to: weights)
    let pairs = try place.pairs(somePairs)
    let prompts = try place.file("prompts.jsonl", #"{"prompt": "3", "answer": "4"}"#)
    for call in [
      try keystep("loss", "--model", model, "--pairs", pairs),
      try keystep("loss", "--model", model, "--pairs", pairs, "--json"),
      try keystep("generate", "--model", model, "--prompts", prompts),
      try keystep("evaluate", "--model", model, "--prompts", prompts),
      try keystep("train", "--model", model, "--pairs", pairs, "--objective", "sft"),
    ] {
      #expect(call.status == 1 && call.output.isEmpty)
      #expect(call.errors.contains("expected finite numbers, found nan at"), "\(call.errors)")
    }
  }

  @Test("Pairs that have the same text on both sides teach nothing, and that is said")
  func identical() throws {
    let place = try Workplace()
    let model = try numberedModel(in: place.path)
    let pairs = try place.pairs([("3", "4 5", "4 5"), ("6", "7", "7")])
    let call = try keystep(
      "train", "--model", model, "--pairs", pairs, "--objective", "krsl", "--steps", "1")
    #expect(call.status == 1 && call.output.isEmpty)
    #expect(call.errors.contains("\(pairs): expected an example with a token of a weight"))
    #expect(
      try keystep(
        "train", "--model", model, "--pairs", pairs, "--objective", "sft", "--steps", "1"
      ).status == 0)
  }

  @Test("Training does not end where nobody reads what it prints, and the result is whole")
  func closedOutput() throws {
    let place = try Workplace()
    let line = { (output: String) in
      try arguments(place, "--objective", "krsl", "--steps", "300", "--output", output)
        .joined(separator: " ")
    }
    let whole = try shell("$keystep \(line("whole")) > /dev/null", in: place.path)
    #expect(whole.status == 0, "\(whole.errors)")
    for (index, end) in ["| head -n 1", ">&-", "--json | head -n 1", "--json >&-"].enumerated() {
      let output = "out-\(index)"
      let call = try shell(
        "set -o pipefail; $keystep \(line(output)) \(end)", in: place.path)
      #expect(
        call.status == 1 && call.errors.contains("standard output: expected"), "\(call.errors)")
      #expect(
        try place.contents("\(output)/adapter_model.safetensors")
          == place.contents("whole/adapter_model.safetensors"))
    }
  }

  @Test("A terminal that ends does not interrupt what nohup started")
  func ignoredSignal() throws {
    let place = try Workplace()
    let line = try arguments(
      place, "--objective", "krsl", "--steps", "2000", "--output", place.path + "/out")
    let output = Pipe()
    let (process, _) = try start(
      "/bin/bash",
      ["-c", "trap '' HUP; exec \"$@\"", "bash", executable("keystep")] + line, in: place.path,
      output: output)
    let first = output.fileHandleForReading.availableData
    kill(process.processIdentifier, SIGHUP)
    let text = first + output.fileHandleForReading.readDataToEndOfFile()
    process.waitUntilExit()
    #expect(process.terminationReason == .exit && process.terminationStatus == 0)
    #expect(String(decoding: text, as: UTF8.self).contains("step 2000 of 2000: "))
  }

  @Test("Files that vanish while a student trains cost no training")
  func vanished() throws {
    let place = try Workplace()
    let line = try arguments(
      place, "--objective", "krsl", "--steps", "1000", "--output", place.path + "/out")
    let output = Pipe()
    let (process, errors) = try start(executable("keystep"), line, in: place.path, output: output)
    _ = output.fileHandleForReading.availableData
    try FileManager.default.moveItem(atPath: place.path + "/model", toPath: place.path + "/away")
    _ = output.fileHandleForReading.readDataToEndOfFile()
    let text = String(decoding: errors.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
    process.waitUntilExit()
    #expect(process.terminationReason == .exit && process.terminationStatus == 1)
    #expect(text.contains("\(place.path)/out: expected a folder that"), "\(text)")
    try FileManager.default.moveItem(atPath: place.path + "/away", toPath: place.path + "/model")
    let rest = try run(line, "--resume")
    #expect(rest.status == 0 && rest.lines.isEmpty, "\(rest.errors)")
    #expect(names(place, "out").contains("tokenizer.json"))
  }

  @Test("Folders with spaces, quotes and other letters work, and so does a call without HOME")
  func paths() throws {
    let place = try Workplace()
    let folder = place.path + "/a b'c\"ü"
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    let base = try arguments(place, "--objective", "krsl", "--steps", "2")
    let process = newProcess(executable("keystep"), base + ["--output", folder + "/out put"])
    var environment = process.environment ?? [:]
    for name in ["HOME", "USER", "LOGNAME", "TMPDIR", "XDG_CACHE_HOME"] { environment[name] = nil }
    process.environment = environment
    process.standardOutput = FileHandle.nullDevice
    try process.run()
    process.waitUntilExit()
    #expect(process.terminationStatus == 0)
    #expect(FileManager.default.fileExists(atPath: folder + "/out put/adapter_model.safetensors"))
  }
}

@Suite struct ExperimentReliabilityTests {
  private static let flags =
    SweepTorture.smallSweep + [
      "--seeds", "1", "--beta", "-0.1", "--arms", "stage 1,KRSL", "--output", "out.csv",
    ]

  @Test(
    "A signal ends an experiment with its state saved and a line that goes on from it",
    arguments: [SIGINT, SIGUSR1, SIGHUP])
  func signals(number: Int32) throws {
    let place = try Workplace()
    var flags = Self.flags
    let steps = try #require(flags.firstIndex(of: "--stage1-steps"))
    flags[steps + 1] = "100000"
    let (process, errors) = try start(executable("key-step-ratio"), flags, in: place.path)
    // It reports once it trains.
    _ = errors.fileHandleForReading.availableData
    kill(process.processIdentifier, number)
    let text = String(decoding: errors.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
    process.waitUntilExit()
    #expect(process.terminationReason == .exit && process.terminationStatus == 1)
    #expect(text.contains("to go on: \(executable("key-step-ratio")) --train-questions 48 "))
    #expect(text.contains("--arms 'stage 1,KRSL'"))
    let stages = try FileManager.default.contentsOfDirectory(atPath: place.path + "/runs/stages")
    let work = try #require(stages.first { $0.hasSuffix(".work") })
    #expect(stages.count == 2 && stages.contains("claims"))
    #expect(
      FileManager.default.fileExists(
        atPath: "\(place.path)/runs/stages/\(work)/stage-1.safetensors"))
    #expect(!FileManager.default.fileExists(atPath: place.path + "/out.csv"))
  }

  @Test("A folder that cannot be written is an error before anything is trained")
  func unwritable() throws {
    for name in ["runs", "runs/key-step-ratio/records", "runs/stages", "out.csv"] {
      let place = try Workplace()
      let path = place.path + "/" + name
      // A file in the place of a folder, and a folder in that of a file, which root cannot write either.
      try FileManager.default.createDirectory(
        atPath: URL(fileURLWithPath: path).deletingLastPathComponent().path,
        withIntermediateDirectories: true)
      if name == "out.csv" {
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: false)
      } else {
        _ = try place.file(name, "")
      }
      let call = try runExecutable(
        executable("key-step-ratio"), Self.flags + ["--stage1-steps=100000"], in: place.path)
      #expect(call.status == 1 && call.errors.contains(name), "\(name): \(call.errors)")
      #expect(!call.errors.contains("Fatal error") && !call.errors.contains("stage 1 "))
    }
  }

  /// Calls `body` in a folder of a file system of so many kilobytes; not where the system forbids to mount one.
  private func withSmallDisk(_ kilobytes: Int, _ body: (Workplace) throws -> Void) throws {
    let place = try Workplace()
    let mount = try runExecutable(
      "/usr/bin/env", ["mount", "-t", "tmpfs", "-o", "size=\(kilobytes)k", "tmpfs", place.path])
    guard mount.status == 0 else { return }
    defer { _ = try? runExecutable("/usr/bin/env", ["umount", "-l", place.path]) }
    try body(place)
  }

  @Test(
    "A full disk is a clear error, what is finished stays, and the same call goes on when there is room"
  )
  func fullDisk() throws {
    try withSmallDisk(100_000) { place in
      #expect(
        try runExecutable(
          executable("key-step-ratio"), Self.flags + ["--arms=stage 1"], in: place.path
        ).status == 0)
      let records = place.path + "/runs/key-step-ratio/records"
      let before = try FileManager.default.contentsOfDirectory(atPath: records)
      #expect(before.count == 1)
      let csv = try place.text("out.csv")
      // All room is taken, but for less than a state needs.
      #expect(
        try shell("dd if=/dev/zero of=filler bs=4k 2>/dev/null; true", in: place.path).status == 0)
      let full = try runExecutable(executable("key-step-ratio"), Self.flags, in: place.path)
      #expect(full.status == 1 && full.errors.contains("No space left on device"), "\(full.errors)")
      #expect(!full.errors.contains("Fatal error"))
      #expect(try FileManager.default.contentsOfDirectory(atPath: records) == before)
      #expect(try place.text("out.csv") == csv)
      try FileManager.default.removeItem(atPath: place.path + "/filler")
      let rest = try runExecutable(executable("key-step-ratio"), Self.flags, in: place.path)
      #expect(rest.status == 0 && rest.output.contains("1 finished before"), "\(rest.errors)")
    }
  }

  @Test("A file that may not grow so large is an error, not the end of the process by a signal")
  func fileSize() throws {
    let place = try Workplace()
    let flags = Self.flags.map { "'\($0)'" }.joined(separator: " ")
    let call = try shell(
      "ulimit -f 500; '\(executable("key-step-ratio"))' \(flags)", in: place.path)
    #expect(call.status == 1 && call.errors.contains("File too large"), "\(call.errors)")
    let rest = try runExecutable(executable("key-step-ratio"), Self.flags, in: place.path)
    #expect(rest.status == 0, "\(rest.errors)")
  }

  @Test("A CSV that is a link stays one")
  func link() throws {
    let place = try Workplace()
    _ = try place.file("elsewhere.csv", "before")
    try FileManager.default.createSymbolicLink(
      atPath: place.path + "/out.csv", withDestinationPath: "elsewhere.csv")
    #expect(
      try runExecutable(
        executable("key-step-ratio"), Self.flags + ["--arms=stage 1"], in: place.path
      ).status == 0)
    #expect(try place.text("elsewhere.csv").hasPrefix("experiment,run,"))
    #expect(
      try FileManager.default.destinationOfSymbolicLink(atPath: place.path + "/out.csv")
        == "elsewhere.csv")
  }

  @Test("The last digits of a run depend neither on its neighbours nor on what is missing")
  func neighbours() throws {
    func rows(_ arguments: [String], _ place: Workplace) throws -> Set<String> {
      let call = try runExecutable(executable("key-step-ratio"), arguments, in: place.path)
      #expect(call.status == 0, "\(call.errors)")
      let rows = try place.text("out.csv").split(separator: "\n").map {
        $0.split(separator: ",", omittingEmptySubsequences: false)
      }
      let time = try #require(rows[0].firstIndex(of: "run_seconds"))
      return Set(
        rows.filter { !$0.contains("tokens/s") }.map { row in
          row.indices.filter { $0 != time }.map { String(row[$0]) }.joined(separator: ",")
        })
    }
    let (first, second) = (try Workplace(), try Workplace())
    let flags = SweepTorture.smallSweep + ["--output", "out.csv", "--beta", "-0.1"]
    let all = try rows(flags + ["--seeds", "2"], first)
    // A run alone, on as many cores, and one whose record was lost.
    let alone = try rows(flags + ["--seeds", "1", "--arms", "KRSL"], second)
    #expect(alone.count > 10 && alone.isSubset(of: all))
    let records = first.path + "/runs/key-step-ratio/records"
    let lost = try #require(try FileManager.default.contentsOfDirectory(atPath: records).first)
    try FileManager.default.removeItem(atPath: "\(records)/\(lost)")
    try FileManager.default.removeItem(atPath: first.path + "/runs/stages")
    #expect(try rows(flags + ["--seeds", "2", "--jobs", "1"], first) == all)
  }
}

@Suite struct HostileTextTests {
  @Test("Characters that control a terminal are named, not sent to it")
  func escapes() throws {
    let place = try Workplace()
    let model = try numberedModel(in: place.path)
    let file = try place.file(
      "pairs.jsonl",
      #"{"prompt": "3", "chosen": "4", "rejected": "5", "id": "\u001b]0;t\u0007\u202e\u2028", "answer": "\u001b[2J"}"#
    )
    let text = try keystep("align", "--tokenizer", model, "--pairs", file)
    #expect(text.status == 0 && text.output.contains("⟨U+1B⟩]0;t⟨U+7⟩⟨U+202E⟩⟨U+2028⟩"))
    #expect(text.output.unicodeScalars.allSatisfy { $0 == "\n" || $0.value >= 0x20 })
    let broken = try place.file("broken.jsonl", #"{"prompt": "3", "chosen": "\u001b[2J"}"#)
    let error = try keystep("align", "--tokenizer", model, "--pairs", broken)
    #expect(error.status == 1 && !error.errors.contains("\u{1B}"))
    let page = place.path + "/page.html"
    #expect(
      try keystep("align", "--tokenizer", model, "--pairs", file, "--html", page).status == 0)
    let html = try place.text("page.html")
    #expect(
      html.contains("<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'"))
    #expect(html.contains("⟨U+1B⟩[2J"))
    for scalar in ["\u{1B}", "\u{7}", "\u{202E}", "\u{2028}"] { #expect(!html.contains(scalar)) }
  }

  @Test(
    "Numbers beyond all use are refused",
    arguments: [
      ["train", "--model", "x", "--pairs", "y", "--objective", "sft", "--batch-size"],
      ["train", "--model", "x", "--pairs", "y", "--objective", "sft", "--epochs"],
      ["train", "--model", "x", "--pairs", "y", "--objective", "sft", "--steps"],
      ["train", "--model", "x", "--pairs", "y", "--objective", "sft", "--lora-rank"],
      ["train", "--model", "x", "--pairs", "y", "--objective", "sft", "--save-interval"],
      ["generate", "--model", "x", "--prompts", "y", "--batch"],
      ["generate", "--model", "x", "--prompts", "y", "--max-new-tokens"],
      ["edit-data", "--teacher", "procedural", "--output", "x", "--questions-count"],
      ["edit-data", "--teacher", "procedural", "--output", "x", "--validation"],
      ["edit-data", "--teacher", "procedural", "--output", "x", "--test"],
      ["annotate", "--teacher", "procedural", "--questions-count"],
      ["key-step-ratio", "--seeds"], ["key-step-ratio", "--stage1-steps"],
      ["key-step-ratio", "--jobs"], ["key-step-ratio", "--workers"],
      ["key-step-ratio", "--save-interval"],
    ])
  func bounds(arguments: [String]) throws {
    let isExperiment = arguments[0] == "key-step-ratio"
    let call = try runExecutable(
      executable(isExperiment ? "key-step-ratio" : "keystep"),
      arguments.dropFirst(isExperiment ? 1 : 0) + ["9223372036854775807"])
    #expect(call.status == 2, "\(call.status) \(call.errors.prefix(300))")
    #expect(call.output.isEmpty && call.errors.contains(arguments[arguments.count - 1]))
  }

  @Test("An output that is a pipe gets the page and the pairs")
  func streams() throws {
    let place = try Workplace()
    let model = try numberedModel(in: place.path)
    let pairs = try place.pairs(somePairs)
    let page = try shell(
      "$keystep align --tokenizer \(model) --pairs \(pairs) --html /dev/stdout | cat",
      in: place.path)
    #expect(page.status == 0 && page.output.hasPrefix("<!DOCTYPE html>"))
    let link = try shell(
      "ln -s target.html link.html; $keystep align --tokenizer \(model) --pairs \(pairs) --html link.html; readlink link.html",
      in: place.path)
    #expect(link.status == 0 && link.output.contains("target.html"))
    #expect(try place.text("target.html").hasPrefix("<!DOCTYPE html>"))
  }
}
