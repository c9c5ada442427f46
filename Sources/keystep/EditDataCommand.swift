import Annotation
import ArgumentParser
import Distillation
import Evaluation
import Files
import Foundation
import Randomness
import Reasoning
import Teachers

/// The student whose own responses are the wrong chains.
struct StudentSampleOptions: ParsableArguments {
  @Option(help: "--mistakes student: a .gguf file or a Hugging Face folder.")
  var student: String?
  @Option(help: "--mistakes student: a PEFT adapter's folder, put on it.")
  var studentAdapter: String?
  @Option(help: "--mistakes student: responses to each question.")
  var samples = 4
  @Option(help: "--mistakes student: their temperature.")
  var sampleTemperature: Float = 0.8

  func validate() throws {
    guard (1...1000).contains(samples) else {
      throw ValidationError("--samples must be from 1 to 1000, not \(samples)")
    }
    guard sampleTemperature > 0, sampleTemperature.isFinite else {
      throw ValidationError(
        "--sample-temperature must be finite and above 0, not \(sampleTemperature)")
    }
    guard student != nil || studentAdapter == nil else {
      throw ValidationError("--student-adapter needs --student")
    }
  }
}

/// Questions of another domain.
struct OutOfDomainFile: ExpressibleByArgument {
  var format: QuestionFormat
  var path: String

  init?(argument: String) {
    let parts = argument.split(separator: "=", maxSplits: 1)
    guard parts.count == 2, let format = QuestionFormat(rawValue: String(parts[0])) else {
      return nil
    }
    (self.format, path) = (format, String(parts[1]))
  }
}

struct EditDataCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "edit-data",
    abstract: "From questions to dual chains of thought that are ready to train on.",
    discussion: """
      Annotates, rectifies, corrupts, pairs and splits by question. Leaves in the folder, for train, \
      validation and test, PART.prompts.jsonl, PART.chains.jsonl (right and rectified) and \
      PART.pairs.jsonl, with annotated.jsonl (every chain that was kept) and split.json. The procedural \
      teacher adds an out-of-domain part and tokenizer.json.

      With --mistakes student the teacher corrupts no chain: wrong chains are the student's own responses to the \
      questions with a right chain, each question's nearest two being its pair. Train stage 1 on the chains of \
      a first call, then call again with the same teacher. With --mistakes program they are the right chains with \
      one value of the reasoning, and the answer, changed.

      Example: keystep edit-data --teacher procedural --questions-count 1000 --seed 1 --output data

      Example: keystep edit-data --teacher recorded --recorded chains.json --recorded-format bbh \
      --mistakes student --student model.gguf --student-adapter stage1 --output data
      """)

  @OptionGroup var options: AnnotationOptions
  @Option(help: "Questions for validation; a tenth where left out, 200 made-up ones.")
  var validation: Int?
  @Option(help: "Questions for the test; a tenth where left out, 500 made-up ones.")
  var test: Int?
  @Option(
    parsing: .singleValue,
    help: """
      A file of questions of another domain, as FORMAT=FILE (the formats of --questions): a second test that the \
      teacher is not asked; several with several --out-of-domain.
      """)
  var outOfDomain: [OutOfDomainFile] = []
  @OptionGroup var filter: PairFilterOptions
  @OptionGroup var sampled: StudentSampleOptions
  @Option(help: "The folder, made where it is missing.")
  var output: String

  /// Who makes the wrong chains in place of the teacher; nil where it does.
  private var mistakeSource: MistakeSource? {
    options.teacher.mistakes.first { $0.kind == nil }
  }

  func validate() throws {
    guard (mistakeSource == .student) == (sampled.student != nil) else {
      throw ValidationError("--mistakes student and --student must be given together")
    }
    if !outOfDomain.isEmpty, options.teacher.teacher == .procedural {
      throw ValidationError("--teacher procedural makes up its out-of-domain questions")
    }
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
    let others = try outOfDomain.flatMap { try $0.format.questions(at: $0.path) }
      .withoutRepeats()
    let first = questions.map { AnnotationRequest(.annotate, $0) }
    if options.dryRun {
      print(try await setup.remaining(first, second: true))
      return
    }
    if !others.isEmpty {
      try JSONLines.write(others.map(Prompt.init), to: output + "/out-of-domain.prompts.jsonl")
      print("out-of-domain: \(others.count) questions")
    }
    try description.data.write(
      to: URL(fileURLWithPath: "\(output)/\(description.name)"), options: .atomic)
    let firsts = await setup.run(first, "annotate")
    // Kept whatever becomes of the second step.
    try JSONLines.write(
      firsts.outcomes.compactMap { $0?.chain }, to: output + "/annotated.jsonl")
    let second = zip(questions, firsts.outcomes).compactMap { question, outcome in
      // Where the mistakes are another's, the teacher corrupts no right chain.
      outcome?.chain.flatMap {
        mistakeSource != nil && $0.isCorrect == true
          ? nil : AnnotationRequest(after: $0, to: question)
      }
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
    let (made, wrong) =
      switch mistakeSource {
      case .student: try studentPairs(annotated, questions)
      case .program: programPairs(annotated, questions)
      default: (annotated.pairs, annotated.corrupted)
      }
    let (pairs, tally) = try filter.filter(limit: options.limit).kept(
      of: made, unpaired: annotated.correct.count + annotated.incorrect.count - made.count)
    tallies.append(tally)

    try JSONLines.write(
      annotated.correct + annotated.incorrect + annotated.rectified + wrong,
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

  /// The pairs of `annotated`'s right chains with the student's wrong responses, and those responses.
  private func studentPairs(_ annotated: AnnotatedQuestions, _ questions: [Question]) throws -> (
    [DualChainOfThought], [ChainOfThought]
  ) {
    let compute = options.teacher.compute
    var student = try Student(path: sampled.student ?? "", weights: compute.baseWeights)
    if let adapter = sampled.studentAdapter { student = try student.adapted(from: adapter) }
    let right = annotated.correctAndRectified
    let answered = Set(right.map(\.questionID))
    var settings = EvaluationSettings()
    settings.temperature = sampled.sampleTemperature
    settings.topP = options.prompts.topP
    settings.maximumNewTokens = options.prompts.maxNewTokens
    settings.seed = options.prompts.seed
    let mistakes = try StudentMistakes(
      of: student.decoder, student.exampleTokenizer(),
      to: questions.filter { answered.contains($0.id) }, samples: sampled.samples, settings,
      workers: compute.team, file: "the questions")
    StandardError.line(
      """
      student: \(answered.count * sampled.samples) responses to \(answered.count) questions, \
      \(mistakes.right) right, \(mistakes.wrong) wrong, \(mistakes.unparsed) without an answer, \
      \(mistakes.truncated) truncated
      """)
    let tokenizer = student.tokenizer
    let golds = Dictionary(uniqueKeysWithValues: questions.map { ($0.id, $0.answer) })
    let pairs = try Pairing.nearest { tokenizer.encode($0) }
      .pairs(of: right + mistakes.chains, file: output).pairs.map { pair in
        var pair = pair
        pair.goldAnswer = golds[pair.questionID] ?? pair.goldAnswer
        return pair
      }
    return (pairs, mistakes.chains)
  }

  /// The pairs of `annotated`'s right chains with what a program makes of them, and those chains.
  private func programPairs(_ annotated: AnnotatedQuestions, _ questions: [Question]) -> (
    [DualChainOfThought], [ChainOfThought]
  ) {
    let byID = Dictionary(uniqueKeysWithValues: questions.map { ($0.id, $0) })
    let pairs = annotated.correctAndRectified.compactMap { right -> DualChainOfThought? in
      guard let question = byID[right.questionID] else { return nil }
      var generator = SeededGenerator(
        seed: options.prompts.seed, stream: "corruption of \(question.id)")
      return right.corrupted(for: question, using: &generator).map {
        DualChainOfThought(chosen: right, rejected: $0, goldAnswer: question.answer)
      }
    }
    return (pairs, pairs.map(\.rejected))
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
