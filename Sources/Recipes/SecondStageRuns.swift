import Distillation
import Experiments
import KeySteps

/// Runs of what may follow stage 1: an objective by its name, set by the run's settings.
extension ObjectiveName {
  /// The settings, beside steps and learning rate, that some objectives have.
  private static let ownSettings: Set = [
    "alpha", "beta", "gamma", "guard", "clip", "alignment_unit", "wrong_tokens", "kept_share",
    "preference_beta", "reference_steps",
  ]

  /// All that a second stage may have.
  static let secondStageSettings = ownSettings.union(
    DistillationSetup.secondStageTrainingSettings
  ).union([
    "adapter_rank", "adapter_start", "adapter_scale",
    "overlap_directions",
  ])

  /// Those that this one has.
  private var settings: Set<String> {
    switch self {
    case .keySteps, .randomPositions:
      ["alpha", "beta", "gamma", "guard", "alignment_unit", "wrong_tokens"]
    case .chosenOnly: ["alpha", "gamma", "alignment_unit"]
    case .rejectedOnly: ["beta", "guard", "alignment_unit", "wrong_tokens"]
    case .allTokens: ["alpha", "beta", "guard"]
    case .clipped: ["alpha", "beta", "gamma", "clip", "alignment_unit", "wrong_tokens"]
    case .unlikelihood: ["alpha", "beta", "gamma", "alignment_unit", "wrong_tokens"]
    case .entropy: ["kept_share"]
    case .excessLoss: ["kept_share", "reference_steps"]
    case .directPreference, .positivePreference, .stepPreference: ["preference_beta"]
    case .criticalTokens: ["preference_beta", "reference_steps"]
    case .reinforcement: ["guard"]
    default: []
    }
  }

  /// Those that it does not have.
  var absentSettings: Set<String> { Self.ownSettings.subtracting(settings) }

  /// Whether it weights key tokens.
  fileprivate var hasKeyTokens: Bool { settings.contains("alignment_unit") }
}

extension ObjectiveOptions {
  /// What a run's settings name; the rest has the paper's values.
  init(_ run: RunSettings) {
    self.init()
    func number(_ name: String) -> Double? {
      run.values[name] == nil ? nil : run.number(name)
    }
    if let alpha = number("alpha") { weights.alpha = Float(alpha) }
    if let beta = number("beta") { weights.beta = Float(beta) }
    if let gamma = number("gamma") { weights.gamma = Float(gamma) }
    if let threshold = number("guard") ?? number("clip") { guardThreshold = Float(threshold) }
    if let unit = run.values["alignment_unit"] {
      choice.unit = AlignmentUnit(rawValue: unit.description) ?? choice.unit
    }
    choice.onlyFirstRejectedRun = run.values["wrong_tokens"] == .text("first-run")
    keptShare = number("kept_share").map { Float($0) }
    preferenceBeta = number("preference_beta")
    seed = run.seed
  }
}

extension Arm {
  /// Stage 1 alone.
  public static let stage1 = Arm(
    "stage 1", without: ObjectiveName.secondStageSettings,
    help: "supervised fine-tuning on right chains, original and rectified")

  /// Stage 1 and then `objective`, called as that is.
  public init(then objective: ObjectiveName) {
    self.init(
      objective.rawValue, without: objective.absentSettings,
      help: objective == .chains ? "stage 1 trained on" : objective.help)
  }
}

extension DistillationSetup {
  /// Trains stage 1 on the right and rectified chains of `first`, then `objective`, where there is one,
  /// on `second`, and scores the student. What is left out is all of the teacher's.
  public func run(
    _ context: RunContext, firstStageOn first: TeacherChains? = nil, then objective: ObjectiveName?,
    on second: TeacherChains? = nil
  ) throws -> [Metric] {
    let (first, second) = (first ?? data.chains, second ?? data.chains)
    let student = try firstStage(
      context, on: data.tokenizer.tokenize(first.correct + first.rectified, file: first.file))
    var metrics: [Metric] = []
    if let objective {
      metrics =
        try secondStage(student, objective, on: second, context)
        + makeUp(of: second, for: objective, context.settings)
    }
    return metrics + (try measure(student, context))
  }

  /// How many pairs an objective had, and the mean share of key tokens in them.
  private func makeUp(of chains: TeacherChains, for objective: ObjectiveName, _ run: RunSettings)
    throws -> [Metric]
  {
    guard objective.wantsPairs else { return [] }
    let count = chains.pairs.count
    var metrics = [Metric(.stage2Pairs, unit: .pairs, value: Double(count))]
    if objective.hasKeyTokens {
      let choice = ObjectiveOptions(run).choice
      let pairs = try data.tokenizer.tokenize(chains.pairs, file: chains.file, unit: choice.unit)
      let shares = pairs.map { choice.keyTokens(of: $0).fraction }
      metrics.append(
        Metric(
          .stage2KeyTokens, unit: .fraction, value: shares.reduce(0, +) / Double(max(1, count))))
    }
    return metrics
  }
}
