import Files
import Reasoning

/// A question with a student's response to it.
public struct AnsweredQuestion: Sendable, Hashable {
  public var id: String
  public var task: String
  /// What the student read.
  public var prompt: String
  public var goldAnswer: String?
  public var response: String
  public var isCorrect: Bool

  public init(_ prompt: Prompt, response: String, isCorrect: Bool) {
    (id, task, self.prompt) = (prompt.id, prompt.task, prompt.text)
    goldAnswer = prompt.goldAnswer
    self.response = response
    self.isCorrect = isCorrect
  }

  /// As a line of JSON Lines: `id`, `task`, `prompt`, `answer` (the gold answer), `response`, `is_correct`.
  public var json: JSONValue {
    .object([
      JSONMember(key: "id", value: .string(id)), JSONMember(key: "task", value: .string(task)),
      JSONMember(key: "prompt", value: .string(prompt)),
      JSONMember(key: "answer", value: goldAnswer.map { .string($0) } ?? .null),
      JSONMember(key: "response", value: .string(response)),
      JSONMember(key: "is_correct", value: .bool(isCorrect)),
    ])
  }

  /// Throws an error that names the place where `node` is no such line.
  public init(_ node: JSONNode) throws(FileError) {
    id = try node.string("id")
    task = try node.string("task")
    prompt = try node.string("prompt")
    goldAnswer = try node.optionalString("answer")
    response = try node.string("response")
    isCorrect = try node.bool("is_correct")
  }

  /// Those of the JSON Lines file at `path`. Throws an error that names the line that is none.
  public static func read(_ path: String) throws(FileError) -> [AnsweredQuestion] {
    var answered: [AnsweredQuestion] = []
    for node in try JSONLinesFile.objects(of: path) { answered.append(try AnsweredQuestion(node)) }
    return answered
  }
}
