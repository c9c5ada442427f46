import Foundation
import Reasoning
import Testing

/// The published data sets, where the environment says that they are here: `KEYSTEP_DATA` is a folder
/// with `bbh`, `bbh-teacher`, `gsm8k`, `arc` and `agieval` in it, each with its publisher's files.
private let data = ProcessInfo.processInfo.environment["KEYSTEP_DATA"] ?? ""

@Suite("Published data", .enabled(if: !data.isEmpty, "KEYSTEP_DATA names the folder of data sets"))
struct PublishedAccuracyTests {
  private func files(_ folder: String, _ ending: String) throws -> [String] {
    try FileManager.default.contentsOfDirectory(atPath: "\(data)/\(folder)")
      .filter { $0.hasSuffix(ending) && !$0.hasSuffix(".metrics.json") }.sorted()
      .map { "\(data)/\(folder)/\($0)" }
  }

  @Test("gives the published accuracy of every BIG-Bench Hard teacher output, to the response")
  func bigBenchHard() throws {
    let files = try files("bbh-teacher", ".json")
    #expect(files.count == 27)
    for file in files {
      let metrics = try JSONSerialization.jsonObject(
        with: Data(contentsOf: URL(fileURLWithPath: file.replacing(".json", with: ".metrics.json")))
      )
      let published = try #require((metrics as? [String: Double])?["accuracy"])
      let score = Score(
        try ResponseFormat.bigBenchHard.responses(at: file), by: .bigBenchHard)
      // Published are percentages whose last bit depends on how they were summed.
      #expect(abs(100 * score.accuracy - published) < 1e-12 * published, "\(file)")
    }
  }

  @Test("gives the published label of every GSM8K model solution")
  func gsm8k() throws {
    let score = Score(
      try ResponseFormat.gsm8kSolutions.responses(at: "\(data)/gsm8k/model_solutions.jsonl"),
      by: .gsm8k)
    #expect(score.total == 3600 && score.publishedAgreement == 3600)
  }

  @Test("is read whole: every question has a gold answer, and options where it chooses among them")
  func questions() throws {
    let hard = try files("bbh", ".json").flatMap {
      try QuestionFormat.bigBenchHard.questions(at: $0)
    }
    #expect(Set(hard.map(\.task)).count == 27 && hard.count == 6511)
    // Three answers of BIG-Bench Hard's multiple-choice tasks are no letters.
    let chosen = hard.filter { !$0.options.isEmpty }
    #expect(chosen.count { !($0.answer ?? "").hasPrefix("(") } == 3)
    let science = try files("arc", ".json").flatMap { try QuestionFormat.arc.questions(at: $0) }
    #expect(science.count == 1172 + 2376)
    for question in science {
      #expect(question.options.contains { "(\($0.label))" == question.answer }, "\(question)")
    }
    let exams = try files("agieval", ".jsonl").flatMap {
      try QuestionFormat.agiEval.questions(at: $0)
    }
    #expect(exams.count == 254 + 651 + 230 + 510 + 206 + 220)
    for question in exams where !question.options.isEmpty {
      #expect(question.options.contains { "(\($0.label))" == question.answer }, "\(question)")
    }
    for part in ["train", "test"] {
      let questions = try QuestionFormat.gsm8k.questions(at: "\(data)/gsm8k/\(part).jsonl")
      #expect(questions.count == (part == "train" ? 7473 : 1319))
    }
    for question in hard + science + exams {
      #expect(question.answer?.isEmpty == false, "\(question)")
    }
  }
}
