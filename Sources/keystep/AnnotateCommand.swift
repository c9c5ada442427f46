import Annotation
import ArgumentParser
import Files
import Foundation
import Reasoning
import Teachers

/// A command that asks a teacher for one step's chains and writes those it keeps.
protocol AnnotationCommand: AsyncParsableCommand {
  static var step: AnnotationStep { get }
  var options: StepOptions { get }
  /// What is to be asked about `questions`, of which none repeats another.
  func requests(_ questions: [Question]) throws -> [AnnotationRequest]
}

/// What the commands of one step share.
struct StepOptions: ParsableArguments {
  @OptionGroup var annotation: AnnotationOptions
  @Option(help: "Where the chains go; standard output where left out.")
  var output: String?
}

extension AnnotationCommand {
  mutating func run() async throws {
    let output = options.output ?? "/dev/stdout"
    let folder = URL(fileURLWithPath: output).deletingLastPathComponent().path
    let setup = try options.annotation.setup(
      for: [Self.step], in: folder.hasPrefix("/dev") ? "." : folder)
    let questions = setup.questions.withoutRepeats()
    let requests = try self.requests(questions)
    if options.annotation.dryRun {
      print(try await setup.remaining(requests, second: false))
      return
    }
    let result = await setup.run(requests, Self.step.rawValue)
    try JSONLines.write(result.outcomes.compactMap { $0?.chain }, to: output)
    var tally = StepTally(Self.step, requests, result.outcomes)
    if Self.step == .annotate {
      tally.dropped[.repeatedQuestion] = setup.questions.count - questions.count
    }
    StandardError.line("\(ClosingTable([tally]))")
    result.causeLines.forEach(StandardError.line)
    try setup.check(result.failure)
  }
}

/// One that asks again, about the first answers in a file: the right ones where it corrupts, the
/// wrong ones where it rectifies.
protocol SecondAnnotationCommand: AnnotationCommand {
  /// The file that annotate wrote.
  var chains: String { get }
}

extension SecondAnnotationCommand {
  func requests(_ questions: [Question]) throws -> [AnnotationRequest] {
    let known = Dictionary(uniqueKeysWithValues: questions.map { ($0.id, $0) })
    return try JSONLines.chains(at: chains).enumerated().compactMap { number, chain in
      let place = "chain \(number + 1) (\(chain.questionID))"
      guard let isCorrect = chain.isCorrect else {
        throw FileError(
          file: chains, location: place, expected: "the field \"is_correct\"", found: "none")
      }
      guard isCorrect == (Self.step == .corrupt), [.original, .recorded].contains(chain.origin)
      else { return nil }
      guard let question = known[chain.questionID], question.prompt == chain.prompt else {
        throw FileError(
          file: chains, location: place, expected: "the id and prompt of one of the questions",
          found: "\"\(chain.prompt.prefix(40))\"")
      }
      return AnnotationRequest(after: chain, to: question)
    }
  }
}

struct AnnotateCommand: AnnotationCommand {
  static let configuration = CommandConfiguration(
    commandName: "annotate",
    abstract: "Ask a teacher for chains of thought (few-shot CoT).",
    discussion: """
      Writes JSON lines {"prompt","response","id","task","answer","is_correct","origin","teacher",\
      "tries"}, the right and the wrong ones, in the order of the questions; a table of what was kept \
      and dropped goes to standard error.

      Example: keystep annotate --questions bbh/navigate.json --format bbh --teacher endpoint \
      --base-url http://localhost:8000/v1 --model llama --output annotated.jsonl
      """)
  static let step = AnnotationStep.annotate

  @OptionGroup var options: StepOptions

  func requests(_ questions: [Question]) -> [AnnotationRequest] {
    questions.map { AnnotationRequest(.annotate, $0) }
  }
}

struct RectifyCommand: SecondAnnotationCommand {
  static let configuration = CommandConfiguration(
    commandName: "rectify",
    abstract: "Ask a teacher for right chains, the answer given as a hint (AHP).",
    discussion: """
      For each question whose first answer is wrong. Writes the lines that annotate does.

      Example: keystep rectify --chains annotated.jsonl --questions bbh/navigate.json --format bbh \
      --teacher endpoint --base-url http://localhost:8000/v1 --model llama --output rectified.jsonl
      """)
  static let step = AnnotationStep.rectify

  @Option(help: "What annotate wrote.")
  var chains: String
  @OptionGroup var options: StepOptions
}

struct CorruptCommand: SecondAnnotationCommand {
  static let configuration = CommandConfiguration(
    commandName: "corrupt",
    abstract: "Ask a teacher to corrupt correct chains (CCP).",
    discussion: """
      For each question whose first answer is right. Writes the lines that annotate does, with the \
      kind of mistake where it is known.

      Example: keystep corrupt --chains annotated.jsonl --questions bbh/navigate.json --format bbh \
      --teacher endpoint --base-url http://localhost:8000/v1 --model llama --output corrupted.jsonl
      """)
  static let step = AnnotationStep.corrupt

  @Option(help: "What annotate wrote.")
  var chains: String
  @OptionGroup var options: StepOptions
}
