import Files
import Foundation

/// The JSON-lines files that the toolkit reads and writes, one object a line.
///
/// | file | fields | and where known |
/// | --- | --- | --- |
/// | pairs | `prompt`, `chosen`, `rejected` (TRL's preference format) | `id`, `task`, `answer`, `chosen_origin`, `rejected_origin`, `mistake`, `mistake_step` |
/// | chains | `prompt`, `response` | `id`, `task`, `answer`, `is_correct`, `origin`, `mistake`, `mistake_step`, `teacher`, `tries` |
/// | prompts | `prompt` | `id`, `task`, `answer` |
///
/// `answer` is the gold one for pairs and prompts, the chain's own for chains. Other fields are
/// passed over. Where no `id` is given it is `line 1` and so on. An empty or blank prompt, or side
/// of a pair, is an error.
public enum JSONLines {
  /// Reads dual chains of thought. Throws a `FileError` that names the line and field.
  public static func pairs(at path: String) throws -> [DualChainOfThought] {
    try JSONLinesFile.objects(of: path).map { line in
      let (id, task) = try identity(line)
      let prompt = try line.filledString("prompt")
      return DualChainOfThought(
        chosen: ChainOfThought(
          questionID: id, task: task, prompt: prompt, text: try line.filledString("chosen"),
          isCorrect: true,
          origin: try line.choice("chosen_origin", of: ChainOfThought.Origin.self) ?? .recorded),
        rejected: ChainOfThought(
          questionID: id, task: task, prompt: prompt, text: try line.filledString("rejected"),
          isCorrect: false,
          origin: try line.choice("rejected_origin", of: ChainOfThought.Origin.self) ?? .recorded,
          mistake: try mistake(line)),
        goldAnswer: try line.optionalString("answer"))
    }
  }

  /// Reads chains of thought. Throws a `FileError` that names the line and field.
  public static func chains(at path: String) throws -> [ChainOfThought] {
    try JSONLinesFile.objects(of: path).map { line in
      let (id, task) = try identity(line)
      return ChainOfThought(
        questionID: id, task: task, prompt: try line.filledString("prompt"),
        text: try line.filledString("response"),
        answer: try line.optionalString("answer"), isCorrect: try line.optionalBool("is_correct"),
        origin: try line.choice("origin", of: ChainOfThought.Origin.self) ?? .recorded,
        mistake: try mistake(line), teacher: try line.optionalString("teacher"),
        tries: try line.optionalInteger("tries"))
    }
  }

  /// A prompt to be answered, with the gold answer where it is known.
  public struct Prompt: Hashable, Sendable {
    public var id: String
    public var task: String
    public var text: String
    public var goldAnswer: String?

    public init(id: String, task: String, text: String, goldAnswer: String?) {
      self.id = id
      self.task = task
      self.text = text
      self.goldAnswer = goldAnswer
    }

    public init(_ question: Question) {
      self.init(
        id: question.id, task: question.task, text: question.prompt, goldAnswer: question.answer)
    }
  }

  /// Reads prompts. Throws a `FileError` that names the line and field.
  public static func prompts(at path: String) throws -> [Prompt] {
    try JSONLinesFile.objects(of: path).map { line in
      let (id, task) = try identity(line)
      return Prompt(
        id: id, task: task, text: try line.filledString("prompt"),
        goldAnswer: try line.optionalString("answer"))
    }
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
    try write(data, to: path)
  }

  /// A pipe or a device takes the bytes as they come; a file takes its name when it is whole.
  private static func write(_ data: Data, to path: String) throws {
    do {
      if path == "/dev/stdout" {
        try FileHandle.standardOutput.write(contentsOf: data)
      } else if isStream(path) {
        guard let handle = FileHandle(forWritingAtPath: path) else {
          throw CocoaError(.fileWriteNoPermission)
        }
        try handle.write(contentsOf: data)
      } else {
        try data.write(to: URL(fileURLWithPath: path), options: .atomic)
      }
    } catch {
      throw FileError(
        file: path, expected: "a file that can be written",
        found: error.localizedDescription)
    }
  }

  /// Whether `path` is one of the process's own descriptors, a pipe or a device.
  private static func isStream(_ path: String) -> Bool {
    if path.hasPrefix("/dev/") || path.hasPrefix("/proc/") { return true }
    let type = try? FileManager.default.attributesOfItem(atPath: path)[.type] as? FileAttributeType
    return type == .typeUnknown || type == .typeCharacterSpecial
  }

  private static func identity(_ line: JSONNode) throws -> (id: String, task: String) {
    (
      try line.optionalIdentifier("id") ?? line.line ?? "",
      try line.optionalString("task") ?? "unnamed"
    )
  }

  private static func mistake(_ line: JSONNode) throws -> Mistake? {
    guard let kind = try line.choice("mistake", of: Mistake.Kind.self) else { return nil }
    return Mistake(kind: kind, step: try line.optionalInteger("mistake_step"))
  }
}
