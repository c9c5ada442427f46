import LanguageModel

/// What a run's validations are compared by.
public enum ValidationMetric: String, Sendable, Hashable, Codable, CaseIterable {
  /// The objective's own loss on the validation examples.
  case loss
  /// Mean -log p of the weighted tokens of the chosen responses; see `ResponseLikelihood`.
  case chosenNLL = "chosen_nll"
  /// The fraction of prompts that are answered correctly.
  case accuracy
  /// The fraction of pairs whose chosen response has the higher mean log-likelihood.
  case pairwiseAccuracy = "pairwise_accuracy"
  /// The fraction of the chosen responses' key tokens that are the most likely token, and their mean -log p.
  case keyTokenAccuracy = "key_token_accuracy"
  case keyTokenNLL = "key_token_nll"

  public var isHigherBetter: Bool {
    switch self {
    case .loss, .chosenNLL, .keyTokenNLL: false
    case .accuracy, .pairwiseAccuracy, .keyTokenAccuracy: true
    }
  }
}

/// When a run is validated, and what follows from it. Patience and threshold mean what they mean to
/// `EarlyStoppingCallback` of Transformers.
public struct ValidationSettings: Sendable, Hashable, Codable {
  /// The run is validated after the steps whose number, counted from 1, is a multiple of this.
  public var interval: Int
  /// What validations are compared by; nil where their figures are only recorded.
  public var metric: ValidationMetric?
  /// After how many validations in a row without improvement the run ends; nil for never.
  public var patience: Int?
  /// Only a validation that is better than the best one by more than this is an improvement.
  public var threshold: Double
  /// Whether the parameters of the best validation are kept.
  public var keepsBest: Bool

  /// Precondition: there is a metric where there is a patience or the best parameters are kept.
  public init(
    interval: Int, metric: ValidationMetric? = .loss, patience: Int? = nil, threshold: Double = 0,
    keepsBest: Bool = false
  ) {
    precondition(interval >= 1, "a validation every \(interval) steps")
    precondition(metric != nil || patience == nil && !keepsBest, "validations are not compared")
    self.interval = interval
    self.metric = metric
    self.patience = patience
    self.threshold = threshold
    self.keepsBest = keepsBest
  }
}

/// How a run is validated.
public struct Validation {
  /// A figure by its name, such as `loss`; a learning curve has it as `validation_loss`.
  public typealias Figure = (name: String, value: Double)

  public var settings: ValidationSettings
  /// Computes the figures of the student as it is.
  public var measure: () throws -> [Figure]

  public init(_ settings: ValidationSettings, measure: @escaping () throws -> [Figure]) {
    self.settings = settings
    self.measure = measure
  }
}

/// A validation that has no figure of the metric that it is compared by.
public struct MissingFigureError: Error, CustomStringConvertible {
  public var metric: String
  public var figures: [String]
  public var description: String {
    "validation: expected a figure \(metric), found \(figures.joined(separator: ", "))"
  }
}

/// What the validations of a run so far amount to.
public struct ValidationHistory: Sendable, Hashable {
  /// The best one so far: the steps that had been taken, and its value of the metric.
  public struct Best: Sendable, Hashable {
    public var step: Int
    public var value: Double

    public init(step: Int, value: Double) {
      self.step = step
      self.value = value
    }
  }

  /// Of equally good ones the first; nil where none had a finite value.
  public package(set) var best: Best?
  /// How many there were since the last improvement.
  public package(set) var withoutImprovement = 0

  public init() {}

  /// Notes the value after `step` steps; returns whether it is the best one so far.
  ///
  /// As in Transformers, a value that is better than the best one becomes the best one, however little it is better,
  /// and is an improvement where it is better by more than `settings.threshold`. A value that is not finite is neither.
  public mutating func add(_ value: Double, step: Int, _ settings: ValidationSettings) -> Bool {
    let isHigherBetter = settings.metric?.isHigherBetter == true
    let gain = best.map { isHigherBetter ? value - $0.value : $0.value - value }
    let isBest = value.isFinite && gain ?? .infinity > 0
    if isBest, gain ?? .infinity > settings.threshold {
      withoutImprovement = 0
    } else {
      withoutImprovement += 1
    }
    if isBest { best = Best(step: step, value: value) }
    return isBest
  }

  /// Whether `settings.patience` has run out.
  public func isOutOfPatience(_ settings: ValidationSettings) -> Bool {
    settings.patience.map { withoutImprovement >= $0 } ?? false
  }
}

extension Objective {
  /// The loss on all its examples, and -log p of their chosen and rejected responses: `loss`, `chosen_nll` and
  /// `rejected_nll`, as the steps of a run that trains on it have them, without dropout and without an update.
  ///
  /// The loss is the mean over the examples, or over groups of `examplesPerMean` of them in their order. Where the
  /// objective compares with the epoch before, it is the loss of a first epoch.
  public func figures(on decoder: Decoder, workers: Workers) -> [Validation.Figure] {
    let (examples, means) = averaged(self.examples)
    var losses: [ExampleLoss] = []
    // A few at a time, since what a pass says of each token takes room.
    for start in stride(from: 0, to: examples.count, by: 256) {
      let trees = examples[start..<min(start + 256, examples.count)].map { example in
        comparesWithEpochBefore ? example.tree.withReferences(-1) : example.tree
      }
      losses += workers.losses(of: trees, on: decoder, rule: rule)
    }
    let likelihood = ResponseLikelihood(examples, losses)
    return [("loss", losses.reduce(0) { $0 + $1.loss } / Double(max(1, means)))]
      + (likelihood.chosen.map { [("chosen_nll", $0)] } ?? [])
      + (likelihood.rejected.map { [("rejected_nll", $0)] } ?? [])
  }
}

extension PrefixTree {
  /// The same with `value` as every token's reference.
  func withReferences(_ value: Float) -> PrefixTree {
    var tree = self
    for index in tree.segments.indices {
      tree.segments[index].references = tree.segments[index].tokens.map { _ in value }
    }
    return tree
  }
}

extension Trainer {
  /// Validates the run if its last step is one after which that is due. Returns the figures, which the learning curve
  /// then has as well.
  ///
  /// Throws what the validation throws, and a `MissingFigureError` where its figures lack the metric.
  func validateIfDue() throws -> [Validation.Figure] {
    guard let validation, nextStep.isMultiple(of: validation.settings.interval) else { return [] }
    let figures = try validation.measure()
    note(figures.map { (name: "validation_\($0.name)", value: $0.value) })
    guard let metric = validation.settings.metric else { return figures }
    guard let value = figures.first(where: { $0.name == metric.rawValue })?.value else {
      throw MissingFigureError(metric: metric.rawValue, figures: figures.map(\.name))
    }
    if validations.add(value, step: nextStep, validation.settings) {
      best?.buffer.copy(from: decoder.trainable.buffer)
    }
    return figures
  }

  /// Whether the run ended since validation did not improve any more.
  public var hasStoppedEarly: Bool {
    validation.map { validations.isOutOfPatience($0.settings) } ?? false
  }

  /// Whether no step is left to take.
  public var isFinished: Bool { nextStep >= stepCount || hasStoppedEarly }

  /// Gives the decoder the parameters of the best validation, if they are kept and there is one; returns the steps
  /// after which the parameters that it has now were trained. To be called after the last step: what is trained or
  /// saved later would start from these.
  @discardableResult
  public func useBest() -> Int {
    guard let best, let step = validations.best?.step else { return nextStep }
    decoder.trainable.buffer.copy(from: best.buffer)
    decoder.trainable.didChange()
    return step
  }
}
