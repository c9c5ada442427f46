import Files
import Foundation

/// The files of questions that are read, each in its publisher's own format.
public enum QuestionFormat: String, CaseIterable, Sendable {
  /// BIG-Bench Hard: `{"examples": [{"input", "target"}]}`; the task is the file's name.
  case bigBenchHard = "bbh"
  /// GSM8K: lines of `{"question", "answer"}`, the gold answer after `#### `.
  case gsm8k
  /// ARC as the paper's authors lay it out: `[{"input", "target"}]`.
  case arc
  /// AGIEval v1's English multiple-choice sets: lines of `{"passage", "question", "options",
  /// "label"}`; the task is the file's name.
  case agiEval = "agieval"
  /// Lines of `{"question", "answer"}`, with `id` and `task` where they are known; options are
  /// written as BIG-Bench Hard's. Of an answer that is a solution in GSM8K's form the gold answer is
  /// what follows the last `#### `.
  case jsonLines = "jsonl"

  /// Reads the questions of the file at `path`. Ids are the task's name and the question's number
  /// in the file, from 0.
  ///
  /// Questions that a file repeats are all returned (`Question.normalisedText` finds them). Throws
  /// a `FileError` that names the line or example, and the field.
  public func questions(at path: String) throws -> [Question] {
    let file = URL(fileURLWithPath: path).deletingPathExtension().lastPathComponent
    switch self {
    case .bigBenchHard:
      return try JSONNode(path: path).elements("examples").enumerated().map {
        number, example in
        try multipleChoice(example, id: "\(file)-\(number)", task: file)
      }
    case .arc:
      return try JSONNode(path: path).elements().enumerated().map { number, example in
        try multipleChoice(example, id: "\(file)-\(number)", task: file)
      }
    case .gsm8k:
      return try JSONLinesFile.objects(of: path).enumerated().map { number, line in
        let solution = try line.filledString("answer")
        guard solution.contains("#### ") else {
          throw line.error(
            "answer", expected: "a solution that ends with \"#### \" and a number",
            found: "\"\(solution.suffix(40))\"")
        }
        return Question(
          id: "gsm8k-\(file)-\(number)", task: "gsm8k", text: try line.filledString("question"),
          answer: try line.goldAnswer("answer"))
      }
    case .agiEval:
      return try JSONLinesFile.objects(of: path).enumerated().map { number, line in
        try agiEvalQuestion(line, id: "\(file)-\(number)", task: file)
      }
    case .jsonLines:
      var ids = UniqueIDs()
      return try JSONLinesFile.objects(of: path).enumerated().map { number, line in
        let text = try line.filledString("question")
        let id = try line.optionalIdentifier("id") ?? "\(file)-\(number)"
        try ids.add(id, at: line)
        return Question(
          id: id, task: try line.optionalString("task") ?? file, text: text,
          options: Question.options(in: text), answer: try line.goldAnswer("answer"))
      }
    }
  }

  private func multipleChoice(_ example: JSONNode, id: String, task: String) throws -> Question {
    let text = try example.filledString("input")
    return Question(
      id: id, task: task, text: text, options: Question.options(in: text),
      answer: try example.filledString("target"))
  }

  private func agiEvalQuestion(_ line: JSONNode, id: String, task: String) throws -> Question {
    let written = try line.strings("options")
    let letters = written.indices.map { String(UnicodeScalar(UInt8(ascii: "A") + UInt8($0 % 26))) }
    // Some sets write (A), some A) or A., some the letter and a space; a bare text keeps all of
    // itself.
    let marks = ["(%)", "%)", "%.", "% "].map { mark in
      letters.map { mark.replacing("%", with: $0) }
    }
    let mark = marks.first { mark in zip(written, mark).allSatisfy { $0.hasPrefix($1) } }
    let options = written.indices.map { i in
      Question.Option(
        label: letters[i], text: written[i].dropFirst(mark?[i].count ?? 0).trimmingSpace())
    }
    // One letter, several of them, or null beside an answer that is no option.
    let labels =
      line["label"]?.isArray == true
      ? try line.strings("label") : [try line.optionalString("label")].compactMap(\.self)
    let gold =
      labels.isEmpty
      ? try line.optionalString("answer") : labels.map { "(\($0))" }.joined(separator: " ")
    var parts = [try line.optionalString("passage") ?? "", try line.filledString("question")].filter
    { !$0.isEmpty }
    if !options.isEmpty {
      parts.append("Options:")
      parts += options.map { "(\($0.label)) \($0.text)" }
    }
    return Question(
      id: id, task: task, text: parts.joined(separator: "\n"), options: options, answer: gold)
  }
}
