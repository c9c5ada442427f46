/// How many responses gave the gold answer.
public struct Score: Hashable, Sendable {
  public var correct: Int
  public var total: Int
  /// Responses in which no answer was found: blank ones, and those without the cue (strict) or any
  /// value of the gold answer's kind (flexible).
  public var unparsed: Int
  public var items: [Item]

  /// Correct responses over all, from 0 to 1; 0 where there are none.
  public var accuracy: Double { total == 0 ? 0 : Double(correct) / Double(total) }

  /// In how many responses `isCorrect` is what their source says of them; nil where it says nothing.
  public var publishedAgreement: Int? {
    let published = items.filter { $0.publishedAsCorrect != nil }
    return published.isEmpty ? nil : published.count { $0.isCorrect == $0.publishedAsCorrect }
  }

  /// One response and how it was read.
  public struct Item: Hashable, Codable, Sendable {
    public var id: String
    public var task: String
    /// The answer that was found; nil where none was.
    public var answer: String?
    public var gold: String
    /// Whether an answer was told apart from the rest of the response.
    public var isParsed: Bool
    public var isCorrect: Bool
    /// What the source itself calls it; nil where it does not say.
    public var publishedAsCorrect: Bool?
  }

  /// Scores `responses` by `rule`.
  public init(_ responses: [Response], by rule: AnswerRule) {
    self.init(responses) { _ in rule }
  }

  /// Scores `responses`, each by the rule of its task. A blank response is never correct.
  public init(_ responses: [Response], by rule: (_ task: String) -> AnswerRule) {
    self.init(
      items: responses.map { response in
        let isBlank = response.text.allSatisfy(\.isWhitespace)
        let reading =
          isBlank
          ? AnswerRule.Reading(answer: nil, isParsed: false, isCorrect: false)
          : rule(response.task).read(response.text, gold: response.gold, options: response.options)
        return Item(
          id: response.id, task: response.task, answer: reading.answer, gold: response.gold,
          isParsed: reading.isParsed, isCorrect: reading.isCorrect,
          publishedAsCorrect: response.publishedAsCorrect)
      })
  }

  package init(items: [Item]) {
    self.items = items
    total = items.count
    correct = items.count { $0.isCorrect }
    unparsed = items.count { !$0.isParsed }
  }

  /// The score of each task, by name of task.
  public var byTask: [(task: String, score: Score)] {
    Dictionary(grouping: items, by: \.task).sorted { $0.key < $1.key }.map {
      (task: $0.key, score: Score(items: $0.value))
    }
  }

  /// A response to be scored.
  public struct Response: Hashable, Sendable {
    public var id: String
    public var task: String
    public var text: String
    public var gold: String
    public var options: [Question.Option]
    /// What the source itself calls it; nil where it does not say.
    public var publishedAsCorrect: Bool?

    public init(
      id: String, task: String, text: String, gold: String, options: [Question.Option] = [],
      publishedAsCorrect: Bool? = nil
    ) {
      self.id = id
      self.task = task
      self.text = text
      self.gold = gold
      self.options = options
      self.publishedAsCorrect = publishedAsCorrect
    }
  }
}

/// What answering every question of a task with its most frequent gold answer scores.
public struct MajorityBaseline: Hashable, Codable, Sendable {
  public var task: String
  /// The most frequent gold answer, of several the first in alphabetical order.
  public var answer: String
  /// Its fraction of the task's questions, from 0 to 1.
  public var accuracy: Double
  public var questions: Int

  /// The baseline of each task, by name of task, from the gold answers of all questions.
  public static func byTask(_ answers: [(task: String, gold: String)]) -> [MajorityBaseline] {
    Dictionary(grouping: answers) { $0.task }.map { task, answers in
      let counts = Dictionary(grouping: answers) { $0.gold }.mapValues(\.count)
      let (answer, count) = counts.max { ($0.value, $1.key) < ($1.value, $0.key) } ?? ("", 0)
      return MajorityBaseline(
        task: task, answer: answer, accuracy: Double(count) / Double(answers.count),
        questions: answers.count)
    }.sorted { $0.task < $1.task }
  }

  /// Micro average: over the questions of all tasks, each answered with its task's answer; 0 if
  /// there are none.
  public static func overall(_ baselines: [MajorityBaseline]) -> Double {
    let total = baselines.map(\.questions).reduce(0, +)
    return baselines.map { $0.accuracy * Double($0.questions) }.reduce(0, +)
      / Double(max(total, 1))
  }

  /// Macro average: the mean over tasks; 0 if there are none.
  public static func mean(_ baselines: [MajorityBaseline]) -> Double {
    baselines.map(\.accuracy).reduce(0, +) / Double(max(baselines.count, 1))
  }
}
