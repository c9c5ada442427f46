import Distillation
import Evaluation
import Experiments
import Files
import KeySteps
import Reasoning
import Statistics
import Teachers
import Tokenizers

/// Dual pairs whose rejected chain has its first mistake marked, and what their key tokens say of it.
public struct LabelledPairs: Sendable {
  public let pairs: [TokenizedPair]
  private let tokenizer: ExampleTokenizer
  /// Chains that made no pair: nothing is marked in them, or there is no right chain.
  public let leftOut: Int

  private init(
    _ pairs: [DualChainOfThought], _ tokenizer: ExampleTokenizer, leftOut: Int, file: String
  ) throws {
    guard !pairs.isEmpty else {
      throw FileError(nothingIn: file, expected: "marked chain that a right one can be found for")
    }
    self.pairs = try tokenizer.tokenize(pairs, file: file)
    self.tokenizer = tokenizer
    self.leftOut = leftOut
  }

  /// A simulated teacher's chains for `questions` problems of each kind in turn. `folder` takes the tokenizer's file.
  public static func simulated(questions: Int, seed: UInt64, folder: String) throws -> LabelledPairs
  {
    let settings = ProceduralData.Settings(
      tasks: ProceduralTask.allCases, trainQuestions: questions, validationQuestions: 0,
      testQuestions: 0, outOfDomainQuestions: 0, steps: [2, 3, 4, 5], seed: seed)
    let data = try ProceduralData(settings).train
    let path = folder + "/tokenizer.json"
    try AtomicFile.write([UInt8](try WordVocabulary(settings.tasks).tokenizerJSON()), to: path)
    return try LabelledPairs(
      data.pairs, ExampleTokenizer(Tokenizer(path: path)), leftOut: data.withoutPair.count,
      file: "procedural problems of seed \(seed)")
  }

  /// The marked chains of BIG-Bench Mistake's file at `path`, each with itself put right by program.
  public static func corrected(_ path: String, _ tokenizer: ExampleTokenizer) throws
    -> LabelledPairs
  {
    let chains = try LabelledChain.bigBenchMistake(at: path)
    let pairs = chains.filter { $0.mistake != nil }.compactMap { chain in
      chain.correctedSteps.map { chain.pair(with: LabelledChain.text(of: $0)) }
    }
    return try LabelledPairs(
      pairs, tokenizer, leftOut: chains.count - pairs.count, file: path)
  }

  /// MR-GSM8K's wrong solutions at `path`, each with the solution that is published with its question, or with
  /// `solutions`, GSM8K's file of model solutions, with the nearest of that one and the right ones among them.
  public static func published(
    _ path: String, nearestOf solutions: String? = nil, _ tokenizer: ExampleTokenizer
  ) throws -> LabelledPairs {
    let chains = try LabelledChain.mrGSM8K(at: path)
    var others: [String: [String]] = [:]
    for entry in try solutions.map(GSM8K.solutions) ?? [] {
      others[entry.question.normalisedText, default: []] += entry.solutions.filter(\.isCorrect)
        .map { " " + LabelledChain.withoutNotes($0.text) }
    }
    let pairing = Pairing.nearest { tokenizer.tokenizer.encode($0) }
    var pairs: [DualChainOfThought] = []
    for chain in chains {
      guard let solution = chain.solution else { continue }
      let question = Question(id: chain.id, task: chain.task, text: chain.question, answer: nil)
      let alternatives = others[question.normalisedText] ?? []
      if solutions != nil, alternatives.isEmpty { continue }
      let candidates = [" " + solution] + alternatives
      let own = candidates.map { chain.pair(with: $0) }
      let nearest = pairing.pair(
        own.map(\.chosen) + own.prefix(1).map(\.rejected), goldAnswer: chain.gold)
      if let nearest { pairs.append(nearest) }
    }
    return try LabelledPairs(pairs, tokenizer, leftOut: chains.count - pairs.count, file: path)
  }

  /// Where the key tokens of the rejected chains stand that `choice` finds, as figures of the group `source`. Fractions
  /// are Σ over pairs / Σ over pairs.
  public func metrics(of choice: KeyTokenChoice, source: String) -> [Metric] {
    let found = pairs.map { (pair: $0, coverage: MistakeCoverage($0, choice, tokenizer)) }
    let known = found.compactMap { found in found.coverage.map { (id: found.pair.id, $0) } }
    typealias Count = (MistakeCoverage) -> Int
    func fraction(_ name: MetricName, _ part: Count, of whole: Count) -> Metric {
      let (parts, wholes) = (known.map { Double(part($0.1)) }, known.map { Double(whole($0.1)) })
      var ratio = Estimate.ratio(of: parts, over: wholes)
      (ratio.low, ratio.high) = (max(0, ratio.low), min(1, ratio.high))
      return Metric(name, group: source, unit: .fraction, ratio)
    }
    func share(_ name: MetricName, _ isTrue: (MistakeCoverage) -> Bool) -> Metric {
      Metric(
        name, group: source, unit: .fraction, .share(known.count { isTrue($0.1) }, of: known.count),
        items: MetricItems(known.map { (id: $0.id, isTrue: isTrue($0.1)) }))
    }
    return [
      fraction(.keyTokens, { $0.keyTokens.total }, of: { $0.tokens.total }),
      fraction(.keyTokensBeforeMistake, { $0.keyTokens.before }, of: { $0.keyTokens.total }),
      fraction(.keyTokensInMistake, { $0.keyTokens.within }, of: { $0.keyTokens.total }),
      fraction(.keyTokensAfterMistake, { $0.keyTokens.after }, of: { $0.keyTokens.total }),
      fraction(.tokensBeforeMistake, { $0.tokens.before }, of: { $0.tokens.total }),
      fraction(.tokensInMistake, { $0.tokens.within }, of: { $0.tokens.total }),
      fraction(.tokensAfterMistake, { $0.tokens.after }, of: { $0.tokens.total }),
      fraction(.mistakeTokensFound, { $0.keyTokens.within }, of: { $0.tokens.within }),
      share(.mistakeRecall) { $0.keyTokens.within > 0 },
      share(.firstRunInMistake, \.beginsInStep),
    ]
  }
}

extension LabelledChain {
  /// Its pair with the right chain `chosen`.
  fileprivate func pair(with chosen: String) -> DualChainOfThought {
    func chain(_ text: String, isCorrect: Bool) -> ChainOfThought {
      ChainOfThought(
        questionID: id, task: task, prompt: question + "\n", text: text, answer: nil,
        isCorrect: isCorrect, origin: .recorded,
        mistake: isCorrect ? nil : Mistake(kind: .unknown, step: mistake, range: mistakeRange))
    }
    return DualChainOfThought(
      chosen: chain(chosen, isCorrect: true), rejected: chain(text, isCorrect: false),
      goldAnswer: gold)
  }
}
