/// How many responses gave the gold answer.
public struct Score: Hashable, Sendable {
  public var correct: Int
  public var total: Int
  /// Responses in which no answer was found: those without the cue (strict) or any value of the
  /// gold answer's kind (flexible).
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
    public var isCorrect: Bool
    /// What the source itself calls it; nil where it does not say.
    public var publishedAsCorrect: Bool?
  }

  /// Scores `responses` by `rule`.
  public init(_ responses: [Response], by rule: AnswerRule) {
    self.init(responses) { _ in rule }
  }

  /// Scores `responses`, each by the rule of its task.
  public init(_ responses: [Response], by rule: (_ task: String) -> AnswerRule) {
    (correct, total, unparsed, items) = (0, responses.count, 0, [])
    items.reserveCapacity(responses.count)
    for response in responses {
      let reading = rule(response.task).read(
        response.text, gold: response.gold, options: response.options)
      if reading.isCorrect { correct += 1 }
      if !reading.isParsed { unparsed += 1 }
      items.append(
        Item(
          id: response.id, task: response.task, answer: reading.answer, gold: response.gold,
          isCorrect: reading.isCorrect, publishedAsCorrect: response.publishedAsCorrect))
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

/// What a guess of the same answer for each question of a task scores: the share of its most
/// frequent gold answer.
public struct GuessingFloor: Hashable, Codable, Sendable {
  public var task: String
  /// The most frequent gold answer, of several the first in alphabetical order.
  public var answer: String
  /// Its share of the task's questions, from 0 to 1.
  public var accuracy: Double
  public var questions: Int

  /// The floor of each task in `questions`, by name of task. Questions without a gold answer are
  /// left out.
  public static func byTask(_ questions: [Question]) -> [GuessingFloor] {
    byTask(
      questions.compactMap { question in question.answer.map { (task: question.task, gold: $0) } })
  }

  /// The floor of each task, by name of task, from the gold answers of all questions.
  public static func byTask(_ answers: [(task: String, gold: String)]) -> [GuessingFloor] {
    Dictionary(grouping: answers) { $0.task }.map { task, answers in
      let counts = Dictionary(grouping: answers) { $0.gold }.mapValues(\.count)
      let (answer, count) = counts.max { ($0.value, $1.key) < ($1.value, $0.key) } ?? ("", 0)
      return GuessingFloor(
        task: task, answer: answer, accuracy: Double(count) / Double(answers.count),
        questions: answers.count)
    }.sorted { $0.task < $1.task }
  }

  /// What guessing each task's floor answer scores over all questions; 0 where there are none.
  public static func overall(_ questions: [Question]) -> Double { overall(byTask(questions)) }

  /// What guessing each floor's answer scores over the questions of all of them.
  public static func overall(_ floors: [GuessingFloor]) -> Double {
    let total = floors.map(\.questions).reduce(0, +)
    return floors.map { $0.accuracy * Double($0.questions) }.reduce(0, +) / Double(max(total, 1))
  }
}
