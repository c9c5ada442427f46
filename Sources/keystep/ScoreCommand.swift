import ArgumentParser
import Evaluation
import Files
import Reasoning
import Statistics

struct ScoreCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "score",
    abstract: "Find the answers in written responses and count the right ones.",
    discussion: """
      The formats bbh and gsm8k-solutions are matched as their accuracies were published; \
      --match flexible compares values instead of texts ((B) and B, 1,000 and 1000.0, YES and yes). \
      Accuracies are shares with Wilson's 95 % interval; the floor is what the most frequent gold \
      answer of each task scores.

      With --json a line for each file, {"file","correct","total","accuracy","low_95","high_95",\
      "unparsed","floor"}, unparsed counting the responses without a cue or a value; \
      "published_agreement" where the file says itself which are correct. With --per-item a line \
      before them for each response: {"file","id","task","answer","gold","is_correct"}.

      Example: keystep score --format bbh navigate.json word_sorting.json --json
      """)

  @Argument(help: "Files of responses.")
  var files: [String]
  @Option(
    help:
      "bbh: BIG-Bench Hard's published outputs; gsm8k-solutions: GSM8K's; jsonl: response, answer.")
  var format: ResponseFormat
  @Option(help: "strict or flexible; the format's own where left out.")
  var match: AnswerRule.Matching?
  @Flag(help: "Show each response too.")
  var perItem = false
  @Flag(help: "Print JSON lines.")
  var json = false

  private struct Line: Encodable {
    var file: String
    var correct: Int
    var total: Int
    var accuracy: Double
    var low95: Double
    var high95: Double
    var unparsed: Int
    var floor: Double
    var publishedAgreement: Int?

    // The strategy for snake case does not part letters from digits.
    enum CodingKeys: String, CodingKey {
      case file, correct, total, accuracy, unparsed, floor, publishedAgreement
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
    var all: [Score.Response] = []
    for file in files {
      let responses = try format.responses(at: file)
      guard !responses.isEmpty else { throw FileError(nothingIn: file, expected: "response") }
      let score = score(responses)
      if perItem { try show(score.items, of: file) }
      if json {
        let accuracy = Estimate.share(score.correct, of: score.total)
        try printJSONLine(
          Line(
            file: file, correct: score.correct, total: score.total, accuracy: score.accuracy,
            low95: accuracy.low, high95: accuracy.high, unparsed: score.unparsed,
            floor: floor(of: responses), publishedAgreement: score.publishedAgreement))
      } else {
        show(score, named: file, floor: floor(of: responses))
        let tasks = byTask(responses)
        if tasks.count > 1 {
          for (task, responses) in tasks {
            show(self.score(responses), named: "  \(task)", floor: floor(of: responses))
          }
        }
      }
      all += responses
    }
    guard files.count > 1, !json else { return }
    show(score(all), named: "all \(files.count) files", floor: floor(of: all))
    let tasks = byTask(all).map { score($1).items.map(\.isCorrect) }
    print("  mean of \(tasks.count) tasks: \(shown(.macroAccuracy(tasks)))")
  }

  private func score(_ responses: [Score.Response]) -> Score {
    Score(responses) { format.rule(forTask: $0, matching: match) }
  }

  private func floor(of responses: [Score.Response]) -> Double {
    GuessingFloor.overall(GuessingFloor.byTask(responses.map { (task: $0.task, gold: $0.gold) }))
  }

  private func byTask(_ responses: [Score.Response]) -> [(String, [Score.Response])] {
    Dictionary(grouping: responses, by: \.task).sorted { $0.key < $1.key }.map {
      ($0.key, $0.value)
    }
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
        print("\(item.isCorrect ? "right" : "wrong") \(item.id): \(answer), gold \"\(item.gold)\"")
      }
    }
  }

  private func show(_ score: Score, named name: String, floor: Double) {
    print(
      "\(name): \(score.correct) of \(score.total) correct, accuracy "
        + "\(shown(.share(score.correct, of: score.total))), unparsed "
        + "\(rounded(Double(score.unparsed) / Double(score.total))), floor \(rounded(floor))"
        + (score.publishedAgreement.map { ", as published in \($0)" } ?? ""))
  }
}

extension ResponseFormat: ExpressibleByArgument {}
extension AnswerRule.Matching: ExpressibleByArgument {}
