import KeySteps
import Parameters

/// Parameters that several objectives have. One that a single objective has stands in its file.
extension Parameter {
  /// α, β and γ of `KeyStepWeights`.
  public static let alpha = Parameter(
    "alpha", .number(-100...100), default: .number(1),
    help: "weight of the chosen response's key tokens")
  public static let beta = Parameter(
    "beta", .number(-100...100), default: .number(-0.025),
    help: "weight of the rejected response's key tokens; below 0 makes them less likely")
  public static let gamma = Parameter(
    "gamma", .number(-100...100), default: .number(0),
    help: "weight of the chosen response's other tokens")
  /// See `NegativeForm.guarded`.
  public static let guardThreshold = Parameter(
    "guard", .number(0...1000), default: .number(20),
    help: "-log p in nats above which a token with a negative weight is ignored")
  /// See `NegativeForm.GuardToken`.
  public static let guardToken = Parameter(
    "guard_token", .choice(NegativeForm.GuardToken.allCases.map(\.rawValue)),
    default: .text(NegativeForm.GuardToken.predicted.rawValue),
    help:
      "whose -log p the guard tests: the predicted token's, or that of its repetition right after "
      + "it, as the released code does")

  /// The parts of `KeyTokenChoice`.
  public static let alignmentUnit = Parameter(
    "alignment_unit", .choice(AlignmentUnit.allCases.map(\.rawValue)),
    default: .text(AlignmentUnit.token.rawValue),
    help: "what is aligned; step aligns tokens and marks the whole sentence of each key token")
  public static let alignmentScope = Parameter(
    "alignment_scope", .choice(AlignmentScope.allCases.map(\.rawValue)),
    default: .text(AlignmentScope.response.rawValue),
    help: "response aligns the responses; padded-sequence prompt and response padded with id 0 to "
      + "\(AlignmentScope.length) tokens, as the released code does")
  public static let rejectedTokens = Parameter(
    "rejected_tokens", .choice(["all", "first-run"]), default: .text("all"),
    help: "key tokens of the rejected response: all, or those of the first divergent run")
  public static let sharedScript = Parameter(
    "shared_script", .flag, default: .text("false"),
    help: "take both responses' key tokens from one edit script instead of one for each")

  /// λ of the multi-task arms, SCOTT and CasCoD.
  public static let lambda = Parameter(
    "lambda", .number(0...1), default: .number(0.5), help: "weight of the answer in the loss")
  /// See `Objective.examplesPerMean`.
  public static let chainsPerMean = Parameter(
    "chains_per_mean", .integer(1...1_000_000), default: .integer(1),
    help:
      "chains of a step whose tokens are averaged together: 1 for each chain by itself, 16 for the "
      + "micro-batches of the released code")
  public static let keptFraction = Parameter(
    "kept_fraction", .number(0.001...1), default: .number(0.2),
    help: "fraction of a response's tokens that are kept")
  public static let preferenceBeta = Parameter(
    "preference_beta", .number(0.0001...100), default: .number(0.1), help: "β of the preference")

  /// Steps of fine-tuning for the models that an objective compares with. Experiments train those
  /// models; `keystep train` reads them.
  public static let referenceSteps = Parameter(
    "reference_steps", .integer(0...10_000_000), default: .integer(200),
    help: "steps that the reference models are fine-tuned for")
}

extension [Parameter] {
  /// How key tokens are found.
  public static let keyTokens: [Parameter] = [
    .alignmentUnit, .alignmentScope, .rejectedTokens, .sharedScript,
  ]
  /// The guard of tokens with negative weights.
  public static let guards: [Parameter] = [.guardThreshold, .guardToken]
  public static let keyStepWeights: [Parameter] = [.alpha, .beta, .gamma]
}

extension KeyTokenChoice {
  /// As `.keyTokens` are set; those that are not there have their defaults.
  public init(_ values: ParameterValues) {
    self.init()
    if values.has(.sharedScript) { sharesScript = values.isOn(.sharedScript) }
    if values.has(.rejectedTokens) {
      onlyFirstRejectedRun = values.text(.rejectedTokens) == "first-run"
    }
    if values.has(.alignmentUnit) {
      unit = AlignmentUnit(rawValue: values.text(.alignmentUnit)) ?? unit
    }
    if values.has(.alignmentScope) {
      scope = AlignmentScope(rawValue: values.text(.alignmentScope)) ?? scope
    }
  }
}

extension KeyStepWeights {
  /// As `.keyStepWeights` are set; one that is not there is 0.
  public init(_ values: ParameterValues) {
    func weight(_ parameter: Parameter) -> Float {
      values.has(parameter) ? values.float(parameter) : 0
    }
    self.init(alpha: weight(.alpha), beta: weight(.beta), gamma: weight(.gamma))
  }
}

extension NegativeForm {
  /// The guard as `.guards` are set.
  public static func guarded(_ values: ParameterValues) -> NegativeForm {
    .guarded(
      above: values.float(.guardThreshold),
      testing: GuardToken(rawValue: values.text(.guardToken)) ?? .predicted)
  }
}
