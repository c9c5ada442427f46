import ArgumentParser
import Foundation
import Reasoning
import Teachers

struct ProblemsCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "problems",
    abstract: "Write procedural problems with a simulated teacher's chains of thought.",
    discussion: """
      Leaves tokenizer.json and, for train, validation, test and out-of-domain questions, \
      PART.prompts.jsonl, PART.chains.jsonl (right and rectified) and PART.pairs.jsonl in the folder.

      Example: keystep problems --output data --seed 1
      """)

  @Option(help: "The folder, made where it is missing.")
  var output: String
  @Option(help: "Seed of the problems and of the teacher's mistakes.")
  var seed: UInt64 = 0
  @Option(help: "Questions for training.")
  var train = 1000
  @Option(help: "Questions for each test, in domain and out of it.")
  var test = 500
  @Option(help: "Questions for validation.")
  var validation = 200

  func run() throws {
    let settings = ProceduralData.Settings(
      trainQuestions: train, validationQuestions: validation, testQuestions: test,
      outOfDomainQuestions: test, seed: seed)
    let data = try ProceduralData(settings)
    try FileManager.default.createDirectory(
      atPath: output, withIntermediateDirectories: true)
    try WordVocabulary(settings.tasks).tokenizerJSON()
      .write(to: URL(fileURLWithPath: output + "/tokenizer.json"), options: .atomic)
    for (name, part) in [
      ("train", data.train), ("validation", data.validation), ("test", data.test),
      ("out-of-domain", data.outOfDomain),
    ] {
      let path = "\(output)/\(name)"
      try JSONLines.write(part.questions.map(JSONLines.Prompt.init), to: path + ".prompts.jsonl")
      try JSONLines.write(part.rightAndRectified, to: path + ".chains.jsonl")
      try JSONLines.write(part.pairs, to: path + ".pairs.jsonl")
      print("\(name): \(part.questions.count) questions, \(part.right.count) answered right, "
        + "\(part.rectified.count) rectified, \(part.pairs.count) dual pairs")
    }
  }
}
