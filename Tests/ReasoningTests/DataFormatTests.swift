import Files
import Foundation
import Reasoning
import Testing

/// Files as people bring them: each kind is read correctly or refused with its line and field.
@Suite("Data formats")
struct DataFormatTests {
  private func withFile<Result>(_ bytes: some Sequence<UInt8>, _ body: (String) throws -> Result)
    throws -> Result
  {
    let path = NSTemporaryDirectory() + "format-\(UUID().uuidString).jsonl"
    defer { try? FileManager.default.removeItem(atPath: path) }
    try Data(bytes).write(to: URL(fileURLWithPath: path))
    return try body(path)
  }

  struct Read: Sendable, CustomTestStringConvertible {
    let name, text: String
    var prompt = "Q: 3 * 2?\nA:"
    var chosen = " 6. The answer is 6"
    var rejected = " 5. The answer is 5"
    var count = 1
    var testDescription: String { name }

    init(
      _ name: String, _ text: String, prompt: String? = nil, chosen: String? = nil,
      rejected: String? = nil, count: Int = 1
    ) {
      (self.name, self.text, self.count) = (name, text, count)
      if let prompt { self.prompt = prompt }
      if let chosen { self.chosen = chosen }
      if let rejected { self.rejected = rejected }
    }
  }

  private static let prompt = #""prompt": "Q: 3 * 2?\nA:""#
  private static let sides =
    #""chosen": " 6. The answer is 6", "rejected": " 5. The answer is 5""#
  private static let plain = "{\(prompt), \(sides)}"
  private static let user = #"{"role": "user", "content": "Q: 3 * 2?\nA:"}"#

  private static func messages(_ key: String, _ before: [String] = [], _ answer: String) -> String {
    let last = #"{"role": "assistant", "content": "\#(answer)"}"#
    return "\"\(key)\": [\((before + [last]).joined(separator: ", "))]"
  }

  private static func sides(_ before: [String] = []) -> String {
    messages("chosen", before, "6. The answer is 6") + ", "
      + messages("rejected", before, "5. The answer is 5")
  }

  static let pairs: [Read] = [
    Read("one line without its end", plain),
    Read("a byte order mark", "\u{FEFF}" + plain + "\n" + plain, count: 2),
    Read("lines that end in CR LF", plain + "\r\n" + plain + "\r\n", count: 2),
    Read("blank lines", "\n" + plain + "\n\n  \t\n" + plain + "\n\n", count: 2),
    Read("other fields", #"{"score": 4, "meta": {"a": [1]}, "# + plain.dropFirst()),
    Read(
      "escapes", #"{"prompt": "caf\u00e9 \ud83d\ude00?", "chosen": " \u4f60", "rejected": " x"}"#,
      prompt: "café 😀?", chosen: " 你", rejected: " x"),
    Read(
      "line separators in a text",
      "{\"prompt\": \"a\u{2028}b\", \"chosen\": \"1\u{85} 2\", \"rejected\": \"3\"}",
      prompt: "a\u{2028}b", chosen: "1\u{85} 2", rejected: "3"),
    Read(
      "a NUL in a text", #"{"prompt": "a\u0000b", "chosen": "1", "rejected": "2"}"#,
      prompt: "a\u{0}b", chosen: "1", rejected: "2"),
    Read(
      "texts without a space between them",
      #"{"prompt": "3 * 2?", "chosen": "6", "rejected": "5"}"#,
      prompt: "3 * 2?", chosen: "6", rejected: "5"),
    Read("messages", "{\"prompt\": [\(user)], \(sides())}"),
    Read("messages after a plain prompt", "{\(prompt), \(sides())}"),
    Read(
      "a prompt that ends in a space, and messages",
      #"{"prompt": "3 * 2? ", "#
        + "\(sides())}", prompt: "3 * 2? ", chosen: "6. The answer is 6",
      rejected: "5. The answer is 5"),
    Read("messages that repeat the prompt (UltraFeedback)", "{\(prompt), \(sides([user]))}"),
    Read("messages that hold the prompt (implicit)", "{\(sides([user]))}"),
    Read(
      "a system message",
      #"{"prompt": [{"role": "system", "content": "Be brief."}, "# + "\(user)], \(sides())}",
      prompt: "Be brief.\n\nQ: 3 * 2?\nA:"),
    Read(
      "earlier turns",
      #"{"prompt": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello"}, "#
        + "\(user)], \(sides())}",
      prompt: "User: Hi\n\nAssistant: Hello\n\nUser: Q: 3 * 2?\nA:\n\nAssistant:"),
    Read(
      "a content of parts",
      #"{"prompt": [{"role": "user", "content": [{"type": "text", "text": "3 * "}, {"type": "text", "text": "2?"}]}], "#
        + "\(sides())}", prompt: "3 * 2?"),
    Read(
      "ShareGPT's preferences",
      #"{"conversations": [{"from": "human", "value": "Q: 3 * 2?\nA:"}], "chosen": {"from": "gpt", "value": "6. The answer is 6"}, "rejected": {"from": "gpt", "value": "5. The answer is 5"}}"#
    ),
    Read("plain and conversational lines", plain + "\n{\(prompt), \(sides())}", count: 2),
  ]

  @Test("of pairs are read", arguments: pairs)
  func reads(_ read: Read) throws {
    let pairs = try withFile(read.text.utf8) { try JSONLines.pairs(at: $0) }
    #expect(pairs.count == read.count)
    for pair in pairs {
      #expect(pair.prompt == read.prompt)
      #expect(pair.chosen.text == read.chosen)
      #expect(pair.rejected.text == read.rejected)
    }
  }

  struct Refused: Sendable, CustomTestStringConvertible {
    let name: String
    let bytes: [UInt8]
    let place: String?
    let expected, found: String
    var testDescription: String { name }

    init(_ name: String, _ text: String, _ place: String?, _ expected: String, _ found: String) {
      self.init(name, Array(text.utf8), place, expected, found)
    }

    init(_ name: String, _ bytes: [UInt8], _ place: String?, _ expected: String, _ found: String) {
      (self.name, self.bytes, self.place) = (name, bytes, place)
      (self.expected, self.found) = (expected, found)
    }
  }

  static let refused: [Refused] = [
    Refused(
      "half a gzip file", [0x1F, 0x8B, 8, 0], "byte 4 of the gzip data", "the rest",
      "the end of the file"),
    Refused("UTF-16", [0xFF, 0xFE, 0x7B, 0], nil, "a text file in UTF-8", "UTF-16"),
    Refused(
      "Latin-1", Array(#"{"prompt": "caf"#.utf8) + [0xE9] + Array("\"}".utf8), "line 1, byte 12",
      "a string in UTF-8", "other bytes"),
    Refused("nothing", "\n\n", nil, "at least one pair", "none"),
    Refused("lines that end in CR", plain + "\r" + plain, "line 1, byte 96", "the end", "{"),
    Refused(
      "an array", "[\(plain)]", "line 1", "a JSON object on a line of its own", "an array of 1"),
    Refused("an array over lines", "[\n\(plain)\n]", "line 1", "on a line of its own", "several"),
    Refused("an object over lines", "{\n\(prompt)\n}", "line 1", "on a line of its own", "several"),
    Refused("CSV", "prompt,chosen,rejected\n", "line 1, byte 0", "a JSON value", "prompt"),
    Refused("a comment", "// pairs\n", "line 1, byte 0", "a JSON value", "//"),
    Refused("single quotes", "{'prompt': 'x'}", "line 1, byte 1", "a member's name", "'prompt"),
    Refused("a comma at the end", #"{"prompt": "x",}"#, "line 1, byte 15", "name", "}"),
    Refused("NaN", #"{"score": NaN}"#, "line 1, byte 10", "a JSON value", "NaN"),
    Refused("-Infinity", #"{"score": -Infinity}"#, "line 1, byte 10", "a JSON value", "-Infinity"),
    Refused(
      "half a surrogate pair", #"{"prompt": "\ud83d x"}"#, "line 1, byte 18", "surrogate", "x"),
    Refused(
      "deep nesting", String(repeating: "[", count: 9999) + "]", "line 1, byte 64", "64 levels", "["
    ),
    Refused(
      "a repeated key", #"{"prompt": "x", "chosen": "1", "rejected": "2", "chosen": "3"}"#,
      "line 1, chosen", "one value", "twice"),
    Refused(
      "capital letters", #"{"Prompt": "x", "Chosen": "1", "Rejected": "2"}"#, "line 1, chosen",
      "a string", #"only the keys "Prompt", "Chosen", "Rejected""#),
    Refused(
      "no prompt", #"{"chosen": "x 1", "rejected": "x 2"}"#, "line 1, prompt", "a string",
      #"only the keys "chosen", "rejected""#),
    Refused(
      "responses that repeat their prompt",
      #"{"prompt": "Q: x\nA:", "chosen": "Q: x\nA: 1", "rejected": "Q: x\nA: 2"}"#,
      "line 1, chosen", "a response without its prompt", "begins with"),
    Refused(
      "a chain", #"{"prompt": "x", "response": "1"}"#, "line 1, chosen", "a string", "response"),
    Refused(
      "prompt and completion", #"{"prompt": "x", "completion": "1"}"#, "line 1, chosen", "a string",
      "completion"),
    Refused(
      "an empty side", #"{"prompt": "x", "chosen": "", "rejected": "2"}"#, "line 1, chosen", "text",
      "an empty string"),
    Refused(
      "a blank prompt", #"{"prompt": " ", "chosen": "1", "rejected": "2"}"#, "line 1, prompt",
      "text", "only white space"),
    Refused(
      "no messages", #"{"prompt": "x", "chosen": [], "rejected": "2"}"#, "line 1, chosen",
      "messages of which the last is the assistant's", "no messages"),
    Refused(
      "a prompt that ends with the assistant",
      "{\(messages("prompt", [user], "Hi")), \(sides())}", "line 1, prompt",
      "messages of which the last is the user's", "another"),
    Refused(
      "sides with different prompts",
      "{\(messages("chosen", [user], "6")), \(messages("rejected", [], "5"))}", "line 1, rejected",
      "the messages of \"chosen\" before its last one", "an array"),
    Refused(
      "a prompt that is not that of the messages", "{\"prompt\": \"other\", \(sides([user]))}",
      "line 1, prompt", "the prompt that the messages", "other"),
    Refused(
      "a tool's message",
      #"{"prompt": [{"role": "tool", "content": "4"}], "chosen": "1", "rejected": "2"}"#,
      "line 1, prompt[0].role", "a system, user or assistant", "tool"),
    Refused(
      "an image",
      #"{"prompt": [{"role": "user", "content": [{"type": "image"}]}], "chosen": "1", "rejected": "2"}"#,
      "line 1, prompt[0].content[0].type", "\"text\"", "image"),
    Refused(
      "an id that is a fraction", #"{"id": 7.5, "# + plain.dropFirst(), "line 1, id",
      "a string or a whole number", "7.5"),
    Refused(
      "an id twice",
      #"{"id": 7, "# + plain.dropFirst() + "\n" + #"{"id": "7", "# + plain.dropFirst(),
      "line 2, id", "an id of its own", #""7", which line 1 has too"#),
    Refused(
      "an empty answer", #"{"answer": "", "# + plain.dropFirst(), "line 1, answer", "an answer",
      "an empty string"),
    Refused(
      "a solution without an answer", #"{"answer": "2 + 2\n#### ", "# + plain.dropFirst(),
      "line 1, answer", "an answer", "####"),
    Refused(
      "a truth value as answer", #"{"answer": true, "# + plain.dropFirst(), "line 1, answer",
      "a text or a number", "true"),
    Refused(
      "a list of answers", #"{"answer": ["6"], "# + plain.dropFirst(), "line 1, answer",
      "a text or a number", "an array"),
  ]

  @Test("of pairs are refused with the line and field", arguments: refused)
  func refuses(_ refused: Refused) throws {
    try withFile(refused.bytes) { path in
      let error = try #require(throws: FileError.self) { try JSONLines.pairs(at: path) }
      #expect(error.file == path && error.location == refused.place, "\(error)")
      #expect(error.expected.contains(refused.expected), "\(error)")
      #expect(error.found.contains(refused.found), "\(error)")
    }
  }

  @Test(
    "of chains are read: prompt and response, prompt and completion, messages, ShareGPT",
    arguments: [
      #"{"prompt": "Q: x\nA:", "response": " 1"}"#, #"{"prompt": "Q: x\nA:", "completion": " 1"}"#,
      #"{"prompt": [{"role": "user", "content": "Q: x\nA:"}], "completion": [{"role": "assistant", "content": "1"}]}"#,
      #"{"messages": [{"role": "user", "content": "Q: x\nA:"}, {"role": "assistant", "content": "1"}]}"#,
      #"{"conversations": [{"from": "human", "value": "Q: x\nA:"}, {"from": "gpt", "value": "1"}]}"#,
    ])
  func chains(line: String) throws {
    let chains = try withFile(line.utf8) { try JSONLines.chains(at: $0) }
    #expect(chains.map(\.prompt) == ["Q: x\nA:"] && chains.map(\.text) == [" 1"])
    #expect(chains[0].isCorrect == nil && chains[0].questionID == "line 1")
  }

  @Test("of chains that are no chains are refused with the field")
  func otherChains() throws {
    for (line, place) in [
      (#"{"instruction": "Solve.", "input": "x", "output": "1"}"#, "line 1, response"),
      (#"{"question": "x", "answer": "1"}"#, "line 1, response"),
      (#"{"messages": [{"role": "user", "content": "x"}]}"#, "line 1, messages"),
    ] {
      try withFile(line.utf8) { path in
        let error = try #require(throws: FileError.self) { try JSONLines.chains(at: path) }
        #expect(error.location == place, "\(error)")
      }
    }
  }

  @Test(
    "Chains of one question may share its id; those known to be incorrect are removed and counted")
  func incorrectChains() throws {
    let text = [("true", 1), ("false", 2), ("null", 3), ("false", 4)].map {
      #"{"id": "q", "prompt": "p", "response": "\#($1)", "is_correct": \#($0)}"#
    }.joined(separator: "\n")
    var chains = try withFile(text.utf8) { try JSONLines.chains(at: $0) }
    #expect(chains.removeIncorrect() == 2)
    #expect(chains.map(\.text) == ["1", "3"] && chains.map(\.questionID) == ["q", "q"])
  }

  @Test("A long field that is not read is no obstacle")
  func longLine() throws {
    let line =
      #"{"extra": "\#(String(repeating: "x", count: 5_000_000))", "# + Self.plain.dropFirst()
    #expect(try withFile(line.utf8) { try JSONLines.pairs(at: $0) }.count == 1)
  }

  @Test(
    "A gold answer is a text, a number, or what follows the mark of a GSM8K solution",
    arguments: [
      (#""11""#, "11"), ("11", "11"), ("11.5", "11.5"), ("-3", "-3"), ("null", nil),
      (#""3*2=<<3*2=6>>6\n#### 6""#, "6"), ("\"#### 1,000\"", "1,000"), (#"" (A) ""#, " (A) "),
    ])
  func goldAnswers(json: String, answer: String?) throws {
    let prompts = try withFile(#"{"prompt": "x", "answer": \#(json)}"#.utf8) {
      try JSONLines.prompts(at: $0)
    }
    #expect(prompts.map(\.goldAnswer) == [answer])
  }

  @Test("A question's gold answer is the number of a GSM8K solution, and a blank one is refused")
  func questions() throws {
    let line = #"{"question": "3 pens?", "answer": "3*2=<<3*2=6>>6 dollars.\n#### 6"}"#
    for format in [QuestionFormat.jsonLines, .gsm8k] {
      let questions = try withFile(line.utf8) { try format.questions(at: $0) }
      #expect(questions.map(\.answer) == ["6"])
    }
    for (line, field) in [
      (#"{"question": "q", "answer": " "}"#, "line 1, answer"),
      (#"{"question": "q", "answer": "1\n####  "}"#, "line 1, answer"),
      (#"{"question": "q"}"#, "line 1, answer"),
    ] {
      try withFile(line.utf8) { path in
        let error = try #require(throws: FileError.self) {
          try QuestionFormat.jsonLines.questions(at: path)
        }
        #expect(error.location == field, "\(error)")
      }
    }
    let twice = #"{"question": "q", "answer": "1", "id": "a"}"#
    try withFile((twice + "\n" + twice).utf8) { path in
      let error = try #require(throws: FileError.self) {
        try QuestionFormat.jsonLines.questions(at: path)
      }
      #expect(error.location == "line 2, id", "\(error)")
    }
  }

  @Test(
    "A pair without a gold answer has the one that its chosen chain states by the rule of its task",
    arguments: [
      ("unnamed", " 3 * 2 = 6. The answer is 6", nil, "6", true),
      ("gsm8k", " 3 * 2 = 6\nA: 1,006", nil, "1006", true),
      ("arithmetic", "so ; ans 6", nil, "6", true), ("unnamed", " 3 * 2 = 6", nil, nil, false),
      ("unnamed", " The answer is ", nil, nil, false),
      ("unnamed", " The answer is 6", "7", "7", false),
    ])
  func derived(task: String, chosen: String, stated: String?, gold: String?, isDerived: Bool) {
    func chain(_ text: String) -> ChainOfThought {
      ChainOfThought(questionID: "q", task: task, prompt: "p", text: text, origin: .recorded)
    }
    let prompt = Prompt(
      DualChainOfThought(chosen: chain(chosen), rejected: chain("x"), goldAnswer: stated))
    #expect(prompt.goldAnswer == gold && prompt.isGoldAnswerDerived == isDerived)
    #expect(prompt.id == "q" && prompt.task == task && prompt.text == "p")
  }
}
