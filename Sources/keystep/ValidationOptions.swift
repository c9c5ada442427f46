import ArgumentParser
import Distillation
import Evaluation
import Files
import LanguageModel
import Reasoning
import Recipes

/// How a run is validated, and what follows from it.
struct ValidationOptions: ParsableArguments {
  @Option(
    help: """
      Dual pairs to validate on: the objective's loss, -log p of chosen and rejected responses, and \
      key-token metrics.
      """)
  var validationPairs: String?
  @Option(help: "Chains to validate on, for objectives of chains.")
  var validationChains: String?
  @Option(help: "The weights of their tokens, where --weights has those of the examples.")
  var validationWeights: String?
  @Option(help: "Prompts with answers to validate on, for accuracy.")
  var validationPrompts: String?
  @Option(help: "The most tokens of an answer to them (default: 256).")
  var validationMaxNewTokens: Int?
  @Option(help: "Validate after every so many steps (default: after each epoch).")
  var validationInterval: Int?
  @Option(
    help: """
      What validations are compared by (default: loss, or accuracy with --validation-prompts alone).
      """)
  var validationMetric: ValidationMetric?
  @Flag(help: "Write the student of the best validation into --output, not the last one.")
  var keepBest = false
  @Option(help: "End the run after so many validations in a row without improvement.")
  var earlyStoppingPatience: Int?
  @Option(
    help: """
      Count only a validation that is better than the best one by more than this as an improvement \
      (default: 0).
      """)
  var earlyStoppingThreshold: Double?

  var files: ExampleFiles {
    ExampleFiles(pairs: validationPairs, chains: validationChains, weights: validationWeights)
  }

  var isGiven: Bool { files.isGiven || validationPrompts != nil }

  private var metric: ValidationMetric { validationMetric ?? (files.isGiven ? .loss : .accuracy) }

  func problems(_ objective: ObjectiveEntry, hasWeights: Bool, hasOutput: Bool) -> [String] {
    var problems: [String] = []
    let dependent =
      [
        ("interval", validationInterval != nil), ("metric", validationMetric != nil),
        ("weights", validationWeights != nil),
      ].filter(\.1).map { "--validation-\($0.0)" }
      + [
        ("keep-best", keepBest), ("early-stopping-patience", earlyStoppingPatience != nil),
        ("early-stopping-threshold", earlyStoppingThreshold != nil),
      ].filter(\.1).map { "--\($0.0)" }
    if !isGiven, !dependent.isEmpty {
      problems.append(
        dependent.joined(separator: ", ") + (dependent.count == 1 ? " needs" : " need")
          + " --validation-pairs, --validation-chains or --validation-prompts")
    }
    if validationPairs != nil, validationChains != nil {
      problems.append("give --validation-pairs or --validation-chains, not both")
    }
    if objective.data == .pairs, validationChains != nil {
      problems.append("\(objective.name) needs --validation-pairs, not --validation-chains")
    }
    if files.isGiven, hasWeights != (validationWeights != nil) {
      problems.append(
        hasWeights
          ? "with --weights, validation needs --validation-weights"
          : "--validation-weights needs --weights")
    }
    if validationMaxNewTokens != nil, validationPrompts == nil {
      problems.append("--validation-max-new-tokens needs --validation-prompts")
    }
    if isGiven {
      switch metric {
      case .loss, .chosenNLL:
        if !files.isGiven {
          problems.append(
            "--validation-metric \(metric.rawValue) needs --validation-pairs or --validation-chains"
          )
        }
      case .accuracy:
        if validationPrompts == nil {
          problems.append("--validation-metric accuracy needs --validation-prompts")
        }
      case .pairwiseAccuracy, .keyTokenAccuracy, .keyTokenNLL:
        if validationPairs == nil {
          problems.append("--validation-metric \(metric.rawValue) needs --validation-pairs")
        }
      }
    }
    if keepBest, !hasOutput { problems.append("--keep-best needs --output") }
    if let threshold = earlyStoppingThreshold {
      if earlyStoppingPatience == nil {
        problems.append("--early-stopping-threshold needs --early-stopping-patience")
      }
      if !(threshold >= 0 && threshold.isFinite) {
        problems.append(
          "--early-stopping-threshold must be a finite number, 0 or more, not \(threshold)")
      }
    }
    return problems
      + outOfRange([
        ("validation-interval", validationInterval, 1_000_000_000),
        ("validation-max-new-tokens", validationMaxNewTokens, 1_000_000),
        ("early-stopping-patience", earlyStoppingPatience, 1_000_000_000),
      ])
  }

  /// What validations depend on beside settings, for the check on resume.
  func provenance() throws -> [String: String] {
    var provenance: [String: String] = [:]
    for (name, path) in [
      ("pairs", validationPairs), ("chains", validationChains), ("weights", validationWeights),
      ("prompts", validationPrompts),
    ] {
      provenance["sha256 validation \(name)"] = try path.map(SHA256.hex(ofFileAt:))
    }
    provenance["validation max_new_tokens"] = validationMaxNewTokens.map(String.init)
    return provenance
  }

  /// The settings of a run of `stepCount` steps. Throws where no step would be validated.
  func settings(stepsPerEpoch: Int, stepCount: Int) throws -> ValidationSettings {
    let interval = validationInterval ?? stepsPerEpoch
    guard interval <= stepCount else {
      throw FileError(
        file: validationPairs ?? validationChains ?? validationPrompts ?? "",
        expected: "a --validation-interval of at most the run's \(stepCount) steps",
        found: validationInterval == nil
          ? "none, which is an epoch of \(interval) steps" : "\(interval)")
    }
    return ValidationSettings(
      interval: interval, metric: metric, patience: earlyStoppingPatience,
      threshold: earlyStoppingThreshold ?? 0, keepsBest: keepBest)
  }

  /// What measures `student`: the loss of `objective`, if there is one, the key-token metrics of `pairs`, and the
  /// answers to the prompts, asked as students of `entry` are.
  func measure(
    _ student: Student, _ objective: Objective?, _ pairs: [TokenizedPair], _ choice: KeyTokenChoice,
    asking entry: ObjectiveEntry, _ workers: Workers
  ) throws -> () throws -> [Validation.Figure] {
    let tokenizer = try student.exampleTokenizer()
    let prompts = try validationPrompts.map(JSONLines.prompts(at:)) ?? []
    let questions = try tokenizer.tokenize(prompts, file: validationPrompts ?? "")
    if let missing = MissingGoldAnswers(prompts), let file = validationPrompts {
      throw FileError(
        file: file, location: missing.questions[0], expected: "an \"answer\" to score by",
        found: "none")
    }
    var settings = EvaluationSettings()
    settings.choice = choice
    settings.maximumNewTokens = validationMaxNewTokens ?? settings.maximumNewTokens
    let evaluator = Evaluator(student.decoder, tokenizer, settings, workers: workers)
    let asking: Evaluator.Asking? = entry.asksPlainly ? nil : { cues in entry.decoding(cues) }
    return {
      let figures = objective?.figures(on: student.decoder, workers: workers) ?? []
      return try figures
        + evaluator.evaluate(questions, pairs, asking: asking).validationFigures
    }
  }
}

extension ValidationMetric: ExpressibleByArgument {}
