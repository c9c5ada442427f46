/// A question of a task, with the answer that its source calls right.
public struct Question: Hashable, Codable, Sendable {
  /// Unique within its data set.
  public var id: String
  /// The task it belongs to, by which scores are told apart: `"navigate"`,
  /// `"gsm8k"`.
  public var task: String
  /// What is asked, with its options where it has some.
  public var text: String
  /// The options of a multiple-choice question, in their order; empty for others.
  public var options: [Option]
  /// The gold answer as its source writes it; nil where the source gives none.
  public var answer: String?

  /// One option of a multiple-choice question.
  public struct Option: Hashable, Codable, Sendable {
    /// The letter or digit it goes by, without parentheses.
    public var label: String
    public var text: String

    public init(label: String, text: String) {
      self.label = label
      self.text = text
    }
  }

  public init(id: String, task: String, text: String, options: [Option] = [], answer: String?) {
    self.id = id
    self.task = task
    self.text = text
    self.options = options
    self.answer = answer
  }

  /// What the student reads: `Q: {question}\nA:`. A response to it begins with one space.
  public var prompt: String { "Q: \(text)\nA:" }

  /// The options that stand after a line `Options:`, each on a line that begins with its label:
  /// `(A) 12/24/1937`.
  package static func options(in text: String) -> [Option] {
    guard let heading = text.ranges(of: "Options:").last else { return [] }
    return text[heading.upperBound...].split(separator: "\n").compactMap { line in
      let line = line.drop(while: \.isWhitespace)
      guard line.first == "(", let close = line.firstIndex(of: ")") else { return nil }
      let label = line[line.index(after: line.startIndex)..<close]
      return Option(
        label: String(label), text: line[line.index(after: close)...].trimmingSpace())
    }
  }

  /// The question's text with case and runs of white space evened out: questions that agree in it
  /// are the same question asked twice.
  public var normalisedText: String { Self.normalised(text) }

  static func normalised(_ text: String) -> String {
    text.lowercased().split(whereSeparator: \.isWhitespace).joined(separator: " ")
  }
}
