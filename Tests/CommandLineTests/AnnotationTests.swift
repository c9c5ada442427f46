import Foundation
import TestSupport
import Testing

@Suite struct AnnotationTests {
  private func objects(_ place: Workplace, _ name: String) throws -> [[String: Any]] {
    try Call(status: 0, output: place.text(name), errors: "").objects()
  }

  @Test("annotate, rectify, corrupt and pair make step by step what edit-data makes at once")
  func steps() throws {
    let place = try Workplace()
    let teacher = [
      "--teacher", "procedural", "--questions-count", "20", "--seed", "4", "--accuracy", "0.5",
      "--mistakes", "logical", "--mistakes", "calculation",
    ]
    func run(_ arguments: String...) throws -> Call {
      let call = try runExecutable(executable("keystep"), arguments)
      #expect(call.status == 0, "\(call.errors)")
      return call
    }
    func path(_ name: String) -> String { "\(place.path)/\(name)" }
    func step(_ name: String, _ arguments: String..., output: String) throws -> Call {
      let call = try runExecutable(
        executable("keystep"), [name] + arguments + teacher + ["--output", path(output)])
      #expect(call.status == 0 && call.output.isEmpty, "\(call.errors)")
      return call
    }
    let annotated = try step("annotate", output: "annotated.jsonl")
    #expect(annotated.errors.contains("asked for        20\nkept             20\n"))
    let chosen = try objects(place, "annotated.jsonl").filter { $0["is_correct"] as? Bool == true }
    #expect(0 < chosen.count && chosen.count < 20)
    _ = try step("rectify", "--chains", path("annotated.jsonl"), output: "rectified.jsonl")
    _ = try step("corrupt", "--chains", path("annotated.jsonl"), output: "corrupted.jsonl")
    #expect(try objects(place, "corrupted.jsonl").count == chosen.count)
    #expect(try objects(place, "rectified.jsonl").count == 20 - chosen.count)
    let paired = try run(
      "pair", "--chains", path("annotated.jsonl"), "--chains", path("rectified.jsonl"),
      "--chains", path("corrupted.jsonl"), "--output", path("pairs.jsonl"))
    #expect(paired.errors == "           pair\nasked for    20\nkept         20\n")

    let whole = try runExecutable(
      executable("keystep"),
      ["edit-data", "--output", path("data")] + teacher)
    #expect(whole.status == 0, "\(whole.errors)")
    #expect(
      whole.lines[0] == "train: 20 questions, 20 right chains, 20 dual pairs"
        && whole.errors.contains("annotate  rectify  corrupt  pair"))
    #expect(try place.text("data/train.pairs.jsonl") == place.text("pairs.jsonl"))
    for pair in try objects(place, "pairs.jsonl") {
      #expect(["logical", "calculation"].contains(pair["mistake"] as? String))
    }
  }

  @Test("With --mistakes student wrong chains are the student's own, each nearest to its right one")
  func studentMistakes() throws {
    let place = try Workplace()
    func path(_ name: String) -> String { "\(place.path)/\(name)" }
    let teacher = [
      "edit-data", "--teacher", "procedural", "--questions-count", "24", "--validation", "3",
      "--test", "3", "--seed", "2",
    ]
    func run(_ arguments: [String]) throws -> Call {
      let call = try runExecutable(executable("keystep"), arguments)
      #expect(call.status == 0, "\(call.errors)")
      return call
    }
    _ = try run(teacher + ["--output", path("data")])
    // A student that has only begun to learn.
    _ = try run([
      "train", "--preset", "procedural", "--tokenizer", path("data/tokenizer.json"), "--chains",
      path("data/train.chains.jsonl"), "--objective", "sft", "--tuning", "full",
      "--learning-rate", "5e-3", "--batch-size", "24", "--steps", "80", "--seed", "1", "--output",
      path("student"),
    ])
    func mistakes(_ output: String) throws -> Call {
      try run(
        teacher + [
          "--mistakes", "student", "--student", path("student"), "--samples", "3",
          "--sample-temperature", "1", "--max-new-tokens", "100", "--output", path(output),
        ])
    }
    let call = try mistakes("own")
    let told = try #require(
      call.errors.firstMatch(
        of:
          /student: (\d+) responses to (\d+) questions, (\d+) right, (\d+) wrong, (\d+) without an answer, (\d+) truncated/
      ))
    let counts = [told.1, told.2, told.3, told.4, told.5, told.6].compactMap { Int($0) }
    #expect(counts[0] == 3 * counts[1] && counts[0] == counts[2...].reduce(0, +))
    let pairs = try objects(place, "own/train.pairs.jsonl")
    #expect(!pairs.isEmpty && pairs.count <= 24)
    for pair in pairs {
      #expect(pair["rejected_origin"] as? String == "sampled")
      #expect(pair["chosen_origin"] as? String != "sampled")
      let answer = try #require(pair["answer"] as? String)
      #expect((pair["chosen"] as? String)?.hasSuffix("ans \(answer)") == true)
      #expect((pair["rejected"] as? String)?.hasSuffix("ans \(answer)") == false)
    }
    // The right chains and the parts are those of a call without the student.
    for name in ["train.chains", "train.prompts", "test.prompts"] {
      #expect(try place.text("own/\(name).jsonl") == place.text("data/\(name).jsonl"))
    }
    _ = try mistakes("again")
    #expect(try place.text("again/train.pairs.jsonl") == place.text("own/train.pairs.jsonl"))

    for (arguments, message) in [
      (["--mistakes", "student"], "--mistakes student and --student must be given together"),
      (["--student", "m"], "--mistakes student and --student must be given together"),
      (["--mistakes", "student", "logical", "--student", "m"], "--mistakes student stands alone"),
      (["--out-of-domain", "arc=a.json"], "--teacher procedural makes up its out-of-domain"),
    ] {
      let refused = try runExecutable(
        executable("keystep"), teacher + arguments + ["--output", path("none")])
      #expect(refused.status != 0 && refused.errors.contains(message), "\(refused.errors)")
    }
  }

  @Test("With --mistakes program wrong chains are right ones with one value changed")
  func programMistakes() throws {
    let place = try Workplace()
    let outputs = (0..<12).map { n in
      """
      {"input": "Q: What is \(n) plus 5?\\nA:", "prediction": " \(n) + 5 = \(n + 5). So the answer is \(n + 5).", \
      "target": "\(n + 5)"}
      """
    }
    let recorded = try place.file(
      "sums.json", "{\"outputs\": [\(outputs.joined(separator: ", "))]}")
    func run(_ output: String) throws {
      let call = try keystep(
        "edit-data", "--teacher", "recorded", "--recorded", recorded, "--recorded-format", "bbh",
        "--validation", "2", "--test", "2", "--mistakes", "program", "--output",
        "\(place.path)/\(output)")
      #expect(call.status == 0, "\(call.errors)")
    }
    try run("data")
    let pairs = try objects(place, "data/train.pairs.jsonl")
    #expect((5...8).contains(pairs.count))
    for pair in pairs {
      #expect(pair["rejected_origin"] as? String == "corrupted")
      let answer = try #require(pair["answer"] as? String)
      #expect((pair["chosen"] as? String)?.hasSuffix("the answer is \(answer).") == true)
      #expect((pair["rejected"] as? String)?.contains("the answer is \(answer).") == false)
    }
    try run("again")
    #expect(
      try place.text("again/train.pairs.jsonl") == place.text("data/train.pairs.jsonl"))
    for source in ["program", "student"] {
      let refused = try keystep(
        "annotate", "--teacher", "procedural", "--questions-count", "3", "--mistakes", source,
        "--output", place.path + "/none.jsonl")
      #expect(
        refused.status == 2
          && refused.errors.contains("--mistakes \(source) is for edit-data alone"),
        "\(refused.errors)")
    }
  }

  @Test("edit-data takes several recorded files, and questions of another domain as a second test")
  func severalFiles() throws {
    let place = try Workplace()
    func recorded(_ name: String, _ answer: Int) throws -> String {
      try place.file(
        name,
        """
        {"prompt": "How many are \(answer) and 0?", "chosen": "The answer is \(answer).", \
        "rejected": "The answer is 99.", "answer": "\(answer)"}
        """)
    }
    let other = try place.file(
      "other.jsonl", #"{"question": "How many legs has a cat?", "answer": "4"}"# + "\n")
    let call = try keystep(
      "edit-data", "--teacher", "recorded", "--recorded-format", "trl", "--recorded",
      try recorded("a.jsonl", 5), "--recorded", try recorded("b.jsonl", 6), "--validation", "0",
      "--test", "1", "--out-of-domain", "jsonl=\(other)", "--output", place.path + "/data")
    #expect(
      call.status == 0 && call.output.contains("out-of-domain: 1 questions"), "\(call.errors)")
    let questions = try ["train", "test"].flatMap { try objects(place, "data/\($0).prompts.jsonl") }
    #expect(Set(questions.compactMap { $0["answer"] as? String }) == ["5", "6"])
    let others = try objects(place, "data/out-of-domain.prompts.jsonl")
    #expect(others.count == 1 && others[0]["answer"] as? String == "4")
    let refused = try keystep(
      "edit-data", "--teacher", "recorded", "--recorded-format", "trl", "--recorded", other,
      "--out-of-domain", "csv=\(other)", "--output", place.path + "/data")
    #expect(refused.status != 0 && refused.errors.contains("csv="), "\(refused.errors)")
  }

  private let solutions = fixture("reasoning/gsm8k-solutions.jsonl").path

  @Test("edit-data takes recorded solutions and splits them by question")
  func recorded() throws {
    let place = try Workplace()
    let call = try keystep(
      "edit-data", "--teacher", "recorded", "--recorded", solutions, "--recorded-format",
      "gsm8k-solutions", "--test", "1", "--output", place.path + "/data")
    #expect(call.status == 0, "\(call.errors)")
    let split = try #require(
      JSONSerialization.jsonObject(with: place.contents("data/split.json")) as? [String: Any])
    #expect((split["train"] as? [String])?.count == 2 && (split["test"] as? [String])?.count == 1)
    let pairs = try ["train", "validation", "test"].flatMap {
      try objects(place, "data/\($0).pairs.jsonl")
    }
    #expect(Set(pairs.compactMap { $0["answer"] as? String }) == ["1200", "3"] && pairs.count == 2)
    let chains = try objects(place, "data/annotated.jsonl")
    #expect(chains.allSatisfy { ($0["teacher"] as? String)?.hasPrefix("recorded ") == true })
  }

  @Test("A spent budget ends the run with what was finished, and the store goes on from there")
  func budget() throws {
    let place = try Workplace()
    let arguments = [
      "annotate", "--teacher", "recorded", "--recorded", solutions, "--recorded-format",
      "gsm8k-solutions", "--concurrency", "1", "--output", place.path + "/chains.jsonl",
    ]
    let spent = try runExecutable(executable("keystep"), arguments + ["--max-requests", "2"])
    #expect(spent.status == 1)
    for text in ["budget is spent", "not finished", place.path + "/annotations.sqlite"] {
      #expect(spent.errors.contains(text), "\(spent.errors)")
    }
    #expect(try objects(place, "chains.jsonl").count == 2)
    let store = ["--store", place.path + "/annotations.sqlite"]
    let dry = try runExecutable(executable("keystep"), arguments + store + ["--dry-run"])
    #expect(dry.status == 0 && dry.output.hasPrefix("1 calls to come, about "), "\(dry.output)")
    #expect(
      dry.output.contains("4 bytes a token") && dry.output.contains("2 requests are answered"))
    let rest = try runExecutable(
      executable("keystep"), arguments + store + ["--max-requests", "1"])
    #expect(rest.status == 0, "\(rest.errors)")
    #expect(try objects(place, "chains.jsonl").count == 3)
  }

  /// A chat completion that says the request's number, and yes.
  private static func yes(_ number: Int) -> StubEndpoint.Reply {
    .answer(
      200,
      #"{"choices": [{"message": {"content": "\#(number). The answer is yes."}}], "usage": {"prompt_tokens": 9, "completion_tokens": 6}}"#
    )
  }

  /// Arguments to ask `endpoint` about `count` questions.
  private func annotation(
    of count: Int, by endpoint: StubEndpoint, concurrency: Int, in place: Workplace
  ) throws -> [String] {
    let questions = try place.file(
      "questions.jsonl",
      (0..<count).map {
        #"{"question": "Is \#($0) less than \#($0 + 1)?", "answer": "yes"}"# + "\n"
      }.joined())
    return [
      "annotate", "--teacher", "endpoint", "--base-url", endpoint.baseURL, "--model", "stub",
      "--questions", questions, "--format", "jsonl", "--concurrency", "\(concurrency)", "--output",
      place.path + "/chains.jsonl",
    ]
  }

  @Test(
    "An interrupted run ends with what was finished, and asks for the rest alone when it goes on")
  func interrupt() throws {
    let place = try Workplace()
    let endpoint = try StubEndpoint { _, number in
      Thread.sleep(forTimeInterval: 0.1)
      return Self.yes(number)
    }
    let arguments = try annotation(of: 30, by: endpoint, concurrency: 2, in: place)
    let process = newProcess(executable("keystep"), arguments)
    let errors = Pipe()
    process.standardError = errors
    var none = sigset_t()
    sigemptyset(&none)
    pthread_sigmask(SIG_SETMASK, &none, nil)
    try process.run()
    while endpoint.requests.count < 5, process.isRunning { Thread.sleep(forTimeInterval: 0.01) }
    kill(process.processIdentifier, SIGINT)
    let message = String(
      decoding: errors.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
    process.waitUntilExit()
    #expect(process.terminationReason == .exit && process.terminationStatus == 1, "\(message)")
    #expect(message.contains("interrupted\nWhat was finished is written."), "\(message)")
    let finished = try objects(place, "chains.jsonl").count
    #expect(4..<30 ~= finished && finished == endpoint.requests.count)

    let rest = try runExecutable(executable("keystep"), arguments)
    #expect(rest.status == 0, "\(rest.errors)")
    #expect(try objects(place, "chains.jsonl").count == 30)
    #expect(endpoint.requests.count == 30)
    let dry = try runExecutable(executable("keystep"), arguments + ["--dry-run"])
    #expect(dry.output.hasPrefix("0 calls to come"), "\(dry.output)")
  }

  /// Refuses the key after longer than the progress display takes to appear.
  private static func late401() -> StubEndpoint.Reply {
    Thread.sleep(forTimeInterval: 2.3)
    return .answer(401, #"{"error": {"message": "Incorrect API key provided"}}"#)
  }

  @Test("A run whose first request fails late ends with the endpoint's error")
  func lateFailure() async throws {
    let place = try Workplace()
    let endpoint = try StubEndpoint { _, _ in Self.late401() }
    let call = try await runLongExecutable(
      executable("keystep"), try annotation(of: 3, by: endpoint, concurrency: 2, in: place))
    #expect(call.status == 1)
    for text in ["status 401", "Incorrect API key provided", "What was finished is written."] {
      #expect(call.errors.contains(text), "\(call.errors)")
    }
    #expect(try place.text("chains.jsonl").isEmpty)
  }

  @Test("edit-data keeps the chains of its first step when the second fails")
  func secondStepFails() async throws {
    let place = try Workplace()
    let endpoint = try StubEndpoint { request, number in
      let messages = request.fields["messages"] as? [[String: Any]]
      let text = messages?.first?["content"] as? String ?? ""
      let asked = text.components(separatedBy: "\n\nQ: ").last ?? ""
      return asked.contains("Right response:") ? Self.late401() : Self.yes(number)
    }
    var arguments = try annotation(of: 4, by: endpoint, concurrency: 2, in: place)
    arguments[0] = "edit-data"
    let call = try await runLongExecutable(
      executable("keystep"), arguments.dropLast() + [place.path + "/data"])
    #expect(call.status == 1 && call.errors.contains("status 401"), "\(call.errors)")
    #expect(try objects(place, "data/annotated.jsonl").count == 4)
  }

  @Test("Of a killed run every stored answer is kept and none asked for again")
  func killed() async throws {
    let place = try Workplace()
    let afterKill = DispatchSemaphore(value: 0)
    let endpoint = try StubEndpoint { _, number in
      if number >= 20 {
        afterKill.wait()
        afterKill.signal()
      }
      return Self.yes(number)
    }
    let arguments = try annotation(of: 40, by: endpoint, concurrency: 4, in: place)
    let process = newProcess(executable("keystep"), arguments)
    try process.run()
    let id = process.processIdentifier
    try await onThread {
      // Twenty answers are stored then, and four requests under way.
      while endpoint.requests.count < 24, kill(id, 0) == 0 { usleep(10_000) }
      kill(id, SIGKILL)
    }
    process.waitUntilExit()
    afterKill.signal()
    #expect(
      process.terminationReason == .uncaughtSignal && process.terminationStatus == SIGKILL)
    let dry = try runExecutable(executable("keystep"), arguments + ["--dry-run"])
    #expect(
      dry.output.hasPrefix("20 calls to come") && dry.output.contains("20 requests are answered"),
      "\(dry.output)")

    // Waits until the claims of the killed run lapse.
    let rest = try await runLongExecutable(executable("keystep"), arguments)
    #expect(rest.status == 0, "\(rest.errors)")
    let asked = endpoint.requests.map { request in
      let messages = request.fields["messages"] as? [[String: Any]]
      return (messages?[0]["content"] as? String)?.components(separatedBy: "\n\nQ: ").last ?? ""
    }
    // Each question once, but for the four that were under way.
    #expect(asked.count == 44 && Set(asked).count == 40)
    #expect(Set(asked[..<24]).count == 24 && Set(asked[24...]).count == 20)
    // The request that brought each question's answer: the first twenty are there still.
    let origins = try objects(place, "chains.jsonl").map { chain in
      let (prompt, text) = (chain["prompt"] as? String, chain["response"] as? String)
      let number = try #require(text?.split(separator: ".").first.flatMap { Int($0.dropFirst()) })
      #expect(prompt == "Q: " + asked[number])
      return number
    }
    #expect(Set(origins) == Set(0..<20).union(24..<44))
  }

  @Test("A template that is wrong is an error of one line that names it")
  func template() throws {
    let place = try Workplace()
    let file = try place.file("corrupt.mustache", "Q: {{question}}\n{{rightresponse}}\n")
    let call = try keystep(
      "edit-data", "--teacher", "procedural", "--templates", place.path, "--output",
      place.path + "/data")
    #expect(call.status == 1 && call.output.isEmpty)
    #expect(call.errors.hasPrefix("Error: \(file): line 2: expected tags of "), "\(call.errors)")
  }
}
