import Files
import Foundation

/// The JSON Lines files that the toolkit reads and writes, one object per line.
///
/// | file | fields | and where known |
/// | --- | --- | --- |
/// | pairs | `prompt`, `chosen`, `rejected` (TRL's preference format) | `id`, `task`, `answer`, `chosen_origin`, `rejected_origin`, `mistake`, `mistake_step` |
/// | chains | `prompt`, and `response` or `completion`; or `messages` | `id`, `task`, `answer`, `is_correct`, `origin`, `mistake`, `mistake_step`, `teacher`, `tries` |
/// | prompts | `prompt` | `id`, `task`, `answer` |
///
/// `answer` is the gold one for pairs and prompts, a text or a number, and the chain's own for
/// chains. Other fields are ignored. Without an `id` it is `line 1` and so on. Refused are a blank
/// prompt, response or gold answer; pairs or prompts with the same `id`; and a file of pairs or
/// prompts without any. Several chains may have one `id`, that of their question.
///
/// Texts are read as they stand: a response follows its prompt without a space between them.
/// Conversational data is read too: a prompt, `chosen`, `rejected` or `completion` may be a list of
/// messages, of which `chosen` and `rejected` may begin with those of the prompt. Messages are kept
/// for a chat template (`Conversation`) and written out as plain text (`PromptText`); a message that
/// answers a prompt follows it after a space there.
public enum JSONLines {
  /// Reads dual chains of thought. Throws a `FileError` that names the line and field.
  public static func pairs(at path: String) throws -> [DualChainOfThought] {
    try items(at: path, "pair") { line in
      let (id, task) = try identity(line)
      let exchange = try Exchange(line, promptKey: "prompt", responses: ["chosen", "rejected"])
      let details = try PairDetails(line)
      func chain(_ index: Int, _ origin: ChainOfThought.Origin, _ mistake: Mistake?)
        -> ChainOfThought
      {
        ChainOfThought(
          questionID: id, task: task, prompt: exchange.prompt.text,
          text: exchange.responses[index], isCorrect: index == 0, origin: origin, mistake: mistake,
          conversation: exchange.conversation(index))
      }
      return (
        id,
        DualChainOfThought(
          chosen: chain(0, details.chosenOrigin, nil),
          rejected: chain(1, details.rejectedOrigin, details.mistake),
          goldAnswer: details.answer)
      )
    }
  }

  /// Reads chains of thought. Throws a `FileError` that names the line and field.
  public static func chains(at path: String) throws -> [ChainOfThought] {
    try JSONLinesFile.objects(of: path).map { line in
      let (id, task) = try identity(line)
      let conversation = ["messages", "conversations"].first { line[$0] != nil }
      let exchange =
        if let conversation, line["response"] == nil, line["completion"] == nil {
          try Exchange(conversation: conversation, of: line)
        } else {
          try Exchange(
            line, promptKey: "prompt",
            responses: [line["completion"] == nil ? "response" : "completion"])
        }
      return ChainOfThought(
        questionID: id, task: task, prompt: exchange.prompt.text, text: exchange.responses[0],
        answer: try line.optionalText("answer"), isCorrect: try line.optionalBool("is_correct"),
        origin: try line.choice("origin", of: ChainOfThought.Origin.self) ?? .recorded,
        mistake: try line.mistake(), teacher: try line.optionalString("teacher"),
        tries: try line.optionalInteger("tries"), conversation: exchange.conversation(0))
    }
  }

  /// Reads prompts. Throws a `FileError` that names the line and field.
  public static func prompts(at path: String) throws -> [Prompt] {
    try items(at: path, "prompt") { line in
      let (id, task) = try identity(line)
      let exchange = try Exchange(line, promptKey: "prompt", responses: [])
      return (
        id,
        Prompt(
          id: id, task: task, text: exchange.prompt.text,
          goldAnswer: try line.optionalGoldAnswer("answer"), conversation: exchange.conversation())
      )
    }
  }

  /// What `read` makes of each line, with its id. Throws if there is none, or an id is repeated.
  private static func items<Item>(
    at path: String, _ name: String, _ read: (JSONNode) throws -> (id: String, item: Item)
  ) throws -> [Item] {
    var ids = UniqueIDs()
    let items = try JSONLinesFile.objects(of: path).map { line in
      let (id, item) = try read(line)
      try ids.add(id, at: line)
      return item
    }
    guard !items.isEmpty else { throw FileError(nothingIn: path, expected: name) }
    return items
  }

  /// Writes dual chains of thought, the whole file or nothing.
  public static func write(_ pairs: [DualChainOfThought], to path: String) throws {
    try write(
      pairs.map { pair in
        Line(
          prompt: pair.prompt, chosen: pair.chosen.text, rejected: pair.rejected.text,
          id: pair.questionID, task: pair.task,
          answer: pair.goldAnswer, chosenOrigin: pair.chosen.origin,
          rejectedOrigin: pair.rejected.origin,
          mistake: pair.rejected.mistake?.kind, mistakeStep: pair.rejected.mistake?.step)
      }, to: path)
  }

  /// Writes chains of thought, the whole file or nothing.
  public static func write(_ chains: [ChainOfThought], to path: String) throws {
    try write(
      chains.map { chain in
        Line(
          prompt: chain.prompt, response: chain.text, id: chain.questionID, task: chain.task,
          answer: chain.answer,
          isCorrect: chain.isCorrect, origin: chain.origin, mistake: chain.mistake?.kind,
          mistakeStep: chain.mistake?.step, teacher: chain.teacher, tries: chain.tries)
      }, to: path)
  }

  /// Writes prompts, the whole file or nothing.
  public static func write(_ prompts: [Prompt], to path: String) throws {
    try write(
      prompts.map { Line(prompt: $0.text, id: $0.id, task: $0.task, answer: $0.goldAnswer) },
      to: path)
  }

  /// A line of any of the files; a field's name is its property's in snake case.
  private struct Line: Encodable {
    var prompt: String
    var chosen: String?
    var rejected: String?
    var response: String?
    var id: String
    var task: String
    var answer: String?
    var isCorrect: Bool?
    var origin: ChainOfThought.Origin?
    var chosenOrigin: ChainOfThought.Origin?
    var rejectedOrigin: ChainOfThought.Origin?
    var mistake: Mistake.Kind?
    var mistakeStep: Int?
    var teacher: String?
    var tries: Int?
  }

  private static func write(_ lines: [Line], to path: String) throws {
    let encoder = JSONEncoder()
    encoder.keyEncodingStrategy = .convertToSnakeCase
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    var data = Data()
    for line in lines {
      data += try encoder.encode(line)
      data.append(UInt8(ascii: "\n"))
    }
    let file = try AtomicFile(path: path)
    try file.write([UInt8](data))
    try file.commit()
  }

  private static func identity(_ line: JSONNode) throws -> (id: String, task: String) {
    (
      try line.optionalIdentifier("id") ?? line.line ?? "",
      try line.optionalString("task") ?? "unnamed"
    )
  }
}

/// What a line of pairs may say beside its texts.
package struct PairDetails {
  /// The gold answer.
  package var answer: String?
  package var chosenOrigin, rejectedOrigin: ChainOfThought.Origin
  /// The mistake in the rejected chain.
  package var mistake: Mistake?

  package init(_ line: JSONNode) throws(FileError) {
    answer = try line.optionalGoldAnswer("answer")
    chosenOrigin = try line.choice("chosen_origin", of: ChainOfThought.Origin.self) ?? .recorded
    rejectedOrigin =
      try line.choice("rejected_origin", of: ChainOfThought.Origin.self) ?? .recorded
    mistake = try line.mistake()
  }
}

extension JSONNode {
  fileprivate func mistake() throws(FileError) -> Mistake? {
    guard let kind = try choice("mistake", of: Mistake.Kind.self) else { return nil }
    return Mistake(kind: kind, step: try optionalInteger("mistake_step"))
  }

  /// The text or number at `key` as text; nil where it is absent, null or blank.
  fileprivate func optionalText(_ key: String) throws(FileError) -> String? {
    guard let node = self[key] else { return nil }
    switch node.value {
    case .string(let text): return text.allSatisfy(\.isWhitespace) ? nil : text
    case .integer, .number: return node.value.text()
    default: throw node.error(expected: "a text or a number")
    }
  }
}
