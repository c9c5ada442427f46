import Files
import KeySteps
import LanguageModel
import Randomness
import Reasoning

/// What objectives are made of: chains and dual pairs as texts, and how they are read.
public struct TeacherChains: Sendable {
  /// The teacher's originally right chains, and those it gave with the answer as a hint.
  public var correct: [ChainOfThought]
  public var rectified: [ChainOfThought]
  public var pairs: [DualChainOfThought]
  public var tokenizer: ExampleTokenizer
  /// By task: what takes its chains apart, and the cues of its arms.
  public var rule: @Sendable (_ task: String) -> AnswerRule
  public var cues: @Sendable (_ task: String) -> ArmCues
  /// What errors name.
  public var file: String

  public init(
    correct: [ChainOfThought], rectified: [ChainOfThought] = [], pairs: [DualChainOfThought],
    tokenizer: ExampleTokenizer,
    rule: @escaping @Sendable (_ task: String) -> AnswerRule = AnswerRule.usual(forTask:),
    cues: @escaping @Sendable (_ task: String) -> ArmCues = ArmCues.usual(forTask:), file: String
  ) {
    self.correct = correct
    self.rectified = rectified
    self.pairs = pairs
    self.tokenizer = tokenizer
    self.rule = rule
    self.cues = cues
    self.file = file
  }

  /// The same without what was rectified: neither those chains nor their pairs.
  public var withoutRectified: TeacherChains {
    var data = self
    data.rectified = []
    data.pairs = pairs.filter { $0.chosen.origin != .rectified }
    return data
  }
}

/// What the objectives can be set to; what is left out has the paper's value.
public struct ObjectiveOptions: Sendable, Hashable {
  /// Of KRSL and its controls.
  public var weights = KeyStepWeights()
  /// Nats above which a negative token is let be, or where a clipped one stops counting.
  public var guardThreshold: Float = 20
  public var choice = KeyTokenChoice()
  /// λ, the answer's share in the multi-task arms, SCOTT and CasCoD.
  public var lambda: Float = 0.5
  /// The share of tokens that `entropy` and `rho-1` keep; theirs where nil, 0.2 and 0.6.
  public var keptShare: Float?
  /// The weights of prompt and response in `prompt-weighted`.
  public var promptWeight: Float = 0.1
  public var responseWeight: Float = 1
  /// β of the preferences; theirs where nil, 0.1 and 0.4 for Step-DPO.
  public var preferenceBeta: Double?
  /// λ of DPOP, and α of REDI.
  public var preferencePenalty: Double = 50
  public var reinforcementAlpha: Float = 0.8
  /// Of random positions.
  public var seed: UInt64 = 0

  public init() {}
}

/// The models that an objective compares the student with.
public struct ReferenceModels: Sendable {
  /// The student as training starts: π_ref of the preferences.
  public var student: Decoder
  /// RHO-1's reference; cDPO's model of right chains.
  public var positive: Decoder?
  /// cDPO's model of wrong chains.
  public var negative: Decoder?
  public var workers: Workers

  public init(
    student: Decoder, positive: Decoder? = nil, negative: Decoder? = nil, workers: Workers
  ) {
    self.student = student
    self.positive = positive
    self.negative = negative
    self.workers = workers
  }
}

/// Every objective by name.
public enum ObjectiveName: String, CaseIterable, Sendable, Codable {
  case chains = "sft"
  case answers = "answer-sft"
  case multiTaskRationale = "mt-re"
  case multiTaskChain = "mt-cot"
  case multiTaskAnswerFirst = "mt-ra"
  case scott
  case cascade = "cascod"
  case keySteps = "krsl"
  case randomPositions = "random-positions"
  case allTokens = "all-tokens"
  case chosenOnly = "right-only"
  case rejectedOnly = "wrong-only"
  case unlikelihood
  case clipped
  case dynamic = "dft"
  case entropy
  case excessLoss = "rho-1"
  case answerTokens = "answer-tokens"
  case promptWeighted = "prompt-weighted"
  case directPreference = "dpo"
  case positivePreference = "dpop"
  case stepPreference = "step-dpo"
  case criticalTokens = "cdpo"
  case reinforcement = "redi"

  /// Whether it is made of dual pairs; else of right chains.
  public var wantsPairs: Bool {
    switch self {
    case .chains, .answers, .multiTaskRationale, .multiTaskChain, .multiTaskAnswerFirst, .cascade,
      .dynamic, .entropy, .excessLoss, .answerTokens, .promptWeighted:
      false
    default: true
    }
  }

  /// Whether it wants `ReferenceModels.positive`, and `negative` too.
  public var wantsPositive: Bool { self == .excessLoss || self == .criticalTokens }
  public var wantsNegative: Bool { self == .criticalTokens }

  /// Whether it follows supervised fine-tuning, and so takes the values of EDIT's second stage.
  public var isSecondStage: Bool {
    switch self {
    case .chains, .answers, .multiTaskRationale, .multiTaskChain, .multiTaskAnswerFirst, .scott,
      .cascade, .dynamic, .entropy, .excessLoss, .promptWeighted:
      false
    default: true
    }
  }

  public var help: String {
    switch self {
    case .chains: "fine-tuning on right chains"
    case .answers: "on answers alone"
    case .multiTaskRationale: "rationale and answer by two cues (Distilling step-by-step)"
    case .multiTaskChain: "chain with answer, and answer, by two cues"
    case .multiTaskAnswerFirst: "answer and then why, and answer, by two cues"
    case .scott: "right chains, and wrong answers after wrong rationales"
    case .cascade: "rationale, then answer given the rationale"
    case .keySteps: "EDIT's second stage, key tokens weighted"
    case .randomPositions: "KRSL's weights at random places"
    case .allTokens: "KRSL's weights on all tokens"
    case .chosenOnly: "KRSL without its wrong side"
    case .rejectedOnly: "KRSL without its right side"
    case .unlikelihood: "KRSL with -log(1 - p) on wrong key tokens"
    case .clipped: "KRSL with wrong key tokens' -log p clipped at --guard"
    case .dynamic: "-log p times p"
    case .entropy: "the tokens of highest entropy"
    case .excessLoss: "the tokens of highest excess loss over --reference"
    case .answerTokens: "the answer's tokens after the chain"
    case .promptWeighted: "prompt tokens weighted too"
    case .directPreference: "right chain preferred to wrong one"
    case .positivePreference: "DPO that keeps right chains likely"
    case .stepPreference: "DPO on the first step that differs"
    case .criticalTokens: "DPO weighted by --reference and --negative-reference"
    case .reinforcement: "likelihood of right chains less that of wrong ones"
    }
  }

  /// The objective on `data`. Objectives of chains take the right and the rectified ones.
  ///
  /// `references` is asked only where the objective compares. Throws a `FileError` where a chain
  /// cannot be tokenized or taken apart. Precondition: references that `wantsPositive` and
  /// `wantsNegative` ask for are there.
  public func objective(
    _ data: TeacherChains, _ options: ObjectiveOptions = ObjectiveOptions(),
    references: () throws -> ReferenceModels
  ) throws -> Objective {
    let (tokenizer, file) = (data.tokenizer, data.file)
    let correct = data.correct + data.rectified
    func chains() throws -> [TokenizedChain] { try tokenizer.tokenize(correct, file: file) }
    func pieces(_ chains: [ChainOfThought]) throws -> [ChainPieces] {
      try data.pieces(of: chains)
    }
    func pairs(_ unit: AlignmentUnit? = nil) throws -> [TokenizedPair] {
      try tokenizer.tokenize(data.pairs, file: file, unit: unit ?? options.choice.unit)
    }
    func keySteps(
      _ weights: KeyStepWeights? = nil, _ negatives: NegativeForm? = nil
    ) throws -> Objective {
      .keySteps(
        try pairs(), weights: weights ?? options.weights,
        negatives: negatives ?? .guarded(above: options.guardThreshold), choice: options.choice)
    }
    var weights = options.weights
    let beta = options.preferenceBeta ?? 0.1
    switch self {
    case .chains: return .chainsOfThought(try chains())
    case .answers: return .answers(try pieces(correct))
    case .multiTaskRationale:
      return .multiTask(try pieces(correct), .rationale, lambda: options.lambda)
    case .multiTaskChain:
      return .multiTask(try pieces(correct), .chain, lambda: options.lambda)
    case .multiTaskAnswerFirst:
      return .multiTask(try pieces(correct), .answerFirst, lambda: options.lambda)
    case .scott:
      return .scott(
        chosen: try pieces(data.pairs.map(\.chosen)),
        rejected: try pieces(data.pairs.map(\.rejected)),
        lambda: options.lambda)
    case .cascade: return .cascade(try pieces(correct), lambda: options.lambda)
    case .keySteps: return try keySteps()
    case .randomPositions:
      var generator = SeededGenerator(seed: options.seed, stream: "random positions")
      return .randomPositions(
        try pairs(), weights: weights, guardThreshold: options.guardThreshold,
        choice: options.choice, using: &generator)
    case .allTokens:
      return .allTokens(
        try pairs(.token), weights: weights, guardThreshold: options.guardThreshold)
    case .chosenOnly:
      weights.beta = 0
      return try keySteps(weights)
    case .rejectedOnly:
      (weights.alpha, weights.gamma) = (0, 0)
      return try keySteps(weights)
    case .unlikelihood: return try keySteps(weights, .unlikelihood)
    case .clipped: return try keySteps(weights, .clipped(at: options.guardThreshold))
    case .dynamic: return .dynamic(try chains())
    case .entropy: return .highEntropy(try chains(), share: options.keptShare ?? 0.2)
    case .excessLoss:
      let models = try references()
      return .excessLoss(
        try chains(), share: options.keptShare ?? 0.6, reference: models.wanted(models.positive),
        workers: models.workers)
    case .answerTokens: return .answerTokens(try pieces(correct))
    case .promptWeighted:
      return .promptAndResponse(
        try chains(), promptWeight: options.promptWeight, responseWeight: options.responseWeight)
    case .directPreference:
      let models = try references()
      return .directPreference(
        try pairs(.token), beta: beta, reference: models.student, workers: models.workers)
    case .positivePreference:
      let models = try references()
      return .positivePreference(
        try pairs(.token), beta: beta, penalty: options.preferencePenalty,
        reference: models.student, workers: models.workers)
    case .stepPreference:
      let models = try references()
      return .stepPreference(
        try pairs(.step), beta: options.preferenceBeta ?? 0.4, reference: models.student,
        workers: models.workers)
    case .criticalTokens:
      let (models, pairs) = (try references(), try pairs(.token))
      let scores = Objective.criticalTokenScores(
        pairs, positive: models.wanted(models.positive), negative: models.wanted(models.negative),
        workers: models.workers)
      return .criticalTokenPreference(
        pairs, scores: scores, beta: beta, reference: models.student, workers: models.workers)
    case .reinforcement:
      return .reinforcement(
        try pairs(.token), alpha: options.reinforcementAlpha,
        negatives: .guarded(above: options.guardThreshold))
    }
  }

  /// How a student that was trained on this is asked for its answer.
  public func decoding(_ cues: TokenizedCues) -> ArmDecoding {
    var decoding = ArmDecoding.plain
    switch self {
    case .answers: decoding.lead = cues.conclusion
    case .multiTaskRationale: (decoding.after, decoding.lead) = (cues.answer, cues.conclusion)
    case .multiTaskChain, .multiTaskAnswerFirst:
      (decoding.after, decoding.lead) = (cues.prediction, cues.conclusion)
    case .scott: decoding.before = cues.factual
    case .cascade: (decoding.after, decoding.continuation) = (cues.cascade, cues.conclusion)
    default: break
    }
    return decoding
  }
}

extension ReferenceModels {
  fileprivate func wanted(_ model: Decoder?) -> Decoder {
    guard let model else { preconditionFailure("the objective wants a reference model") }
    return model
  }
}
