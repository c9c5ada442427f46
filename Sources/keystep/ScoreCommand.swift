import ArgumentParser
import Evaluation
import Files
import Reasoning
import Statistics

struct ScoreCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "score",
    abstract: "Find the answers in written responses and count the correct ones.",
    discussion: """
      The formats bbh and gsm8k-solutions are matched as their accuracies were published, jsonl as \
      evaluate does. Accuracies are fractions with Wilson's 95 % interval; the majority baseline is \
      the accuracy of each task's most frequent gold answer.

      With --json a line for each file, {"file","correct","total","accuracy","low_95","high_95",\
      "unparsed","majority_baseline","match"}, unparsed counting the responses without a cue or a \
      value; "published_agreement" if the file says itself which are correct. A file with several \
      tasks has "macro_accuracy", the mean over tasks, and is followed by a line for each "task". \
      With --per-item a line before them for each response: \
      {"file","id","task","answer","gold","is_correct"}.

      Example: keystep score --format bbh navigate.json word_sorting.json --json
      """)

  @Argument(help: "Files of responses.")
  var files: [String]
  @Option(
    help:
      "bbh: BIG-Bench Hard's published outputs; gsm8k-solutions: GSM8K's; jsonl: response, answer.")
  var format: ResponseFormat
  @OptionGroup var match: MatchOptions
  @Flag(help: "Show each response too.")
  var perItem = false
  @Flag(help: "Print JSON lines.")
  var json = false

  private struct Line: Encodable {
    var file: String
    var task: String?
    var correct: Int
    var total: Int
    var accuracy: Double
    var low95: Double
    var high95: Double
    var unparsed: Int
    var majorityBaseline: Double
    var macroAccuracy: Double?
    var match: String
    var publishedAgreement: Int?

    // The strategy for snake case does not separate letters from digits.
    enum CodingKeys: String, CodingKey {
      case file, task, correct, total, accuracy, unparsed, majorityBaseline, macroAccuracy, match
      case publishedAgreement
      case low95 = "low_95"
      case high95 = "high_95"
    }
  }

  private struct ItemLine: Encodable {
    var file: String
    var id: String
    var task: String
    var answer: String?
    var gold: String
    var isCorrect: Bool
  }

  func run() throws {
    var all: [Score.Item] = []
    for file in files {
      let responses = try format.responses(at: file)
      guard !responses.isEmpty else { throw FileError(nothingIn: file, expected: "response") }
      let scores = TaskScores(
        Score(responses) { format.rule(forTask: $0, matching: match.match) })
      if perItem { try show(scores.score.items, of: file) }
      try show(scores, file)
      all += scores.score.items
    }
    guard files.count > 1, !json else { return }
    let scores = TaskScores(Score(items: all))
    show(scores.score, scores.micro, named: "all \(files.count) files")
    print("  mean of \(scores.tasks.count) tasks: \(shown(scores.macro.accuracy))")
  }

  /// A file's scores, and if it has several tasks those of each.
  private func show(_ scores: TaskScores, _ file: String) throws {
    let parts = scores.tasks.count > 1 ? Array(zip(scores.score.byTask, scores.tasks)) : []
    guard json else {
      show(scores.score, scores.micro, named: file)
      for (part, task) in parts { show(part.score, task.average, named: "  \(task.task)") }
      return
    }
    func line(_ score: Score, _ average: TaskScores.Average, _ task: String? = nil) -> Line {
      Line(
        file: file, task: task, correct: score.correct, total: score.total,
        accuracy: score.accuracy, low95: average.accuracy.low, high95: average.accuracy.high,
        unparsed: score.unparsed, majorityBaseline: average.majorityBaseline, match: match.name,
        publishedAgreement: score.publishedAgreement)
    }
    var whole = line(scores.score, scores.micro)
    if !parts.isEmpty { whole.macroAccuracy = scores.macro.accuracy.value }
    try printJSONLine(whole)
    for (part, task) in parts { try printJSONLine(line(part.score, task.average, task.task)) }
  }

  private func show(_ items: [Score.Item], of file: String) throws {
    for item in items {
      if json {
        try printJSONLine(
          ItemLine(
            file: file, id: item.id, task: item.task, answer: item.answer, gold: item.gold,
            isCorrect: item.isCorrect))
      } else {
        let answer = item.answer.map { "\"\($0)\"" } ?? "none"
        let line =
          "\(item.isCorrect ? "right" : "wrong") \(item.id): \(answer), gold \"\(item.gold)\""
        print(TerminalText.shown(line))
      }
    }
  }

  private func show(_ score: Score, _ average: TaskScores.Average, named name: String) {
    print(
      "\(name): \(score.correct) of \(score.total) correct, accuracy \(shown(average.accuracy)), "
        + "unparsed \(rounded(average.unparsed.value)), "
        + "majority baseline \(rounded(average.majorityBaseline))"
        + (score.publishedAgreement.map { ", as published in \($0)" } ?? ""))
  }
}

extension ResponseFormat: ExpressibleByArgument {}
