import Annotation
import ArgumentParser
import Files
import Foundation
import Reasoning
import Teachers

struct EditDataCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "edit-data",
    abstract: "From questions to dual chains of thought that are ready to train on.",
    discussion: """
      Annotates, rectifies, corrupts, pairs and splits by question. Leaves in the folder, for train, \
      validation and test, PART.prompts.jsonl, PART.chains.jsonl (right and rectified) and \
      PART.pairs.jsonl, with annotated.jsonl (every chain that was kept) and split.json. The procedural \
      teacher adds an out-of-domain part and tokenizer.json.

      Example: keystep edit-data --teacher procedural --questions-count 1000 --seed 1 --output data
      """)

  @OptionGroup var options: AnnotationOptions
  @Option(help: "Questions for validation; a tenth where left out, 200 made-up ones.")
  var validation: Int?
  @Option(help: "Questions for the test; a tenth where left out, 500 made-up ones.")
  var test: Int?
  @OptionGroup var filter: PairFilterOptions
  @Option(help: "The folder, made where it is missing.")
  var output: String

  func validate() throws {
    for (name, value) in [("validation", validation), ("test", test)] {
      if let value, !(0...QuestionOptions.mostQuestions).contains(value) {
        throw ValidationError(
          "--\(name) must be from 0 to \(QuestionOptions.mostQuestions), not \(value)")
      }
    }
  }

  func run() async throws {
    try FileManager.default.createDirectory(atPath: output, withIntermediateDirectories: true)
    let setup = try options.setup(
      for: Set(AnnotationStep.allCases), in: output, validation: validation, test: test)
    let (parts, description) = try parts(of: setup)
    let questions = parts.flatMap(\.questions)
    let first = questions.map { AnnotationRequest(.annotate, $0) }
    if options.dryRun {
      print(try await setup.remaining(first, second: true))
      return
    }
    try description.data.write(
      to: URL(fileURLWithPath: "\(output)/\(description.name)"), options: .atomic)
    let firsts = await setup.run(first, "annotate")
    // Kept whatever becomes of the second step.
    try JSONLines.write(
      firsts.outcomes.compactMap { $0?.chain }, to: output + "/annotated.jsonl")
    let second = zip(questions, firsts.outcomes).compactMap { question, outcome in
      outcome?.chain.map { AnnotationRequest(after: $0, to: question) }
    }
    let seconds =
      firsts.failure == nil
      ? await setup.run(second, "rectify and corrupt")
      : AnnotationPipeline.Result(unfinished: second.count, failure: firsts.failure)

    var tallies = AnnotationStep.allCases.map {
      StepTally($0, first + second, firsts.outcomes + seconds.outcomes)
    }
    if setup.problems == nil {
      tallies[0].dropped[.repeatedQuestion] = setup.questions.count - questions.count
    }
    let secondChains = Dictionary(
      uniqueKeysWithValues: zip(second, seconds.outcomes).compactMap { request, outcome in
        outcome?.chain.map { (request.question.id, $0) }
      })
    let annotated = AnnotatedQuestions(
      questions, first: firsts.outcomes.map { $0?.chain },
      second: questions.map { secondChains[$0.id] })
    let (pairs, tally) = try filter.filter(limit: options.limit).kept(
      of: annotated.pairs,
      unpaired: annotated.correct.count + annotated.incorrect.count - annotated.pairs.count)
    tallies.append(tally)

    try JSONLines.write(
      annotated.correct + annotated.incorrect + annotated.rectified + annotated.corrupted,
      to: output + "/annotated.jsonl")
    for part in parts {
      let ids = Set(part.questions.map(\.id))
      let path = "\(output)/\(part.name)"
      let chains = annotated.correctAndRectified.filter { ids.contains($0.questionID) }
      let pairs = pairs.filter { ids.contains($0.questionID) }
      try JSONLines.write(part.questions.map(Prompt.init), to: path + ".prompts.jsonl")
      try JSONLines.write(chains, to: path + ".chains.jsonl")
      try JSONLines.write(pairs, to: path + ".pairs.jsonl")
      print(
        "\(part.name): \(part.questions.count) questions, \(chains.count) right chains, "
          + "\(pairs.count) dual pairs")
    }
    StandardError.line("\(ClosingTable(tallies))")
    (firsts.causeLines + seconds.causeLines).forEach(StandardError.line)
    try setup.check(seconds.failure)
  }

  /// The questions of each part, none of which repeats another, and the file that goes with them:
  /// the split, or the made-up problems' tokenizer.
  private func parts(of setup: AnnotationSetup) throws -> (
    parts: [(name: String, questions: [Question])], description: (name: String, data: Data)
  ) {
    if let problems = setup.problems {
      let parts = [
        ("train", problems.train), ("validation", problems.validation), ("test", problems.test),
        ("out-of-domain", problems.outOfDomain),
      ].map { (name: $0, questions: $1.map(\.question)) }
      let tokenizer = try WordVocabulary(problems.settings.tasks).tokenizerJSON()
      return (parts, ("tokenizer.json", tokenizer))
    }
    let questions = setup.questions.withoutRepeats()
    let split = QuestionSplit(
      questions.map { ($0.id, $0.text) }, validation: validation ?? questions.count / 10,
      test: test ?? questions.count / 10, seed: options.prompts.seed)
    let part = split.parts
    let parts = QuestionSplit.Part.allCases.map { name in
      (name: name.rawValue, questions: questions.filter { part[$0.id] == name })
    }
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
    return (parts, ("split.json", try encoder.encode(split)))
  }
}
