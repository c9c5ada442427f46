import Foundation
import LanguageModel
import LinearAlgebra
import Randomness

/// What one stage of training is run with.
public struct TrainingSettings: Sendable, Hashable, Codable {
  /// How long it goes on.
  public enum Length: Sendable, Hashable, Codable {
    case epochs(Int)
    case steps(Int)
  }

  public var learningRate: Double
  public var schedule: LearningRateSchedule
  public var optimiser: AdamWSettings
  public var length: Length
  /// Examples whose mean loss makes one step.
  public var batchSize: Int
  /// The norm that the gradient is scaled down to where it is larger; nil for none.
  public var clipNorm: Double?
  /// Data order and dropout draw from this seed's streams of those names.
  public var seed: UInt64
  /// Whether each epoch draws a new order; else the examples come in theirs.
  public var shuffles: Bool
  /// What happens at a step whose loss or gradient is not finite.
  public var nonFiniteStep: NonFiniteStep

  public init(
    learningRate: Double, schedule: LearningRateSchedule = .constant,
    optimiser: AdamWSettings = AdamWSettings(), length: Length, batchSize: Int,
    clipNorm: Double? = nil, seed: UInt64 = 0, shuffles: Bool = true,
    nonFiniteStep: NonFiniteStep = .stop
  ) {
    self.learningRate = learningRate
    self.schedule = schedule
    self.optimiser = optimiser
    self.length = length
    self.batchSize = batchSize
    self.clipNorm = clipNorm
    self.seed = seed
    self.shuffles = shuffles
    self.nonFiniteStep = nonFiniteStep
  }

  /// Stage 1 of the paper: supervised fine-tuning on right chains.
  public static let paperStage1 = TrainingSettings(
    learningRate: 2e-4, schedule: .exponentialPerEpoch(factor: 0.95),
    optimiser: AdamWSettings(weightDecay: 0.05), length: .epochs(15), batchSize: 256)

  /// Stage 2 of the paper: key reasoning steps learning on dual pairs.
  public static let paperStage2 = TrainingSettings(
    learningRate: 5e-6, schedule: .exponentialPerEpoch(factor: 0.95), length: .epochs(10),
    batchSize: 256)

  /// The steps that this length makes over `exampleCount` examples. The last batch of an epoch may
  /// be smaller than the others.
  public func stepCount(exampleCount: Int) -> Int {
    switch length {
    case .steps(let steps): steps
    case .epochs(let epochs): epochs * stepsPerEpoch(exampleCount: exampleCount)
    }
  }

  /// The steps of one pass over `exampleCount` examples.
  public func stepsPerEpoch(exampleCount: Int) -> Int { (exampleCount + batchSize - 1) / batchSize }
}

/// What happens at a step whose loss or gradient is not finite.
public enum NonFiniteStep: String, Sendable, Hashable, Codable, CaseIterable {
  /// The run ends with an error.
  case stop
  /// The step changes nothing, and the next one is taken.
  case skip
  /// As `skip`, and the learning rate is half of what it was from then on.
  case reduceRate = "reduce-rate"

  /// How many such steps may follow each other. A run whose parameters give no finite loss any more would otherwise
  /// go on to its end without learning.
  static let mostInARow = 10
}

/// What happened in one step.
public struct StepReport: Sendable {
  /// Counted from 0.
  public var step: Int
  public var stepCount: Int
  public var epoch: Int
  /// The step's loss before its update: the mean over its examples, or over groups of
  /// `Objective.examplesPerMean`.
  public var loss: Double
  /// The gradient's Euclidean norm before clipping.
  public var gradientNorm: Double
  public var learningRate: Double
  public var seconds: Double
  /// Tokens of the step's sequences, each counted whole.
  public var usefulTokens: Int
  /// -log p of the step's chosen and rejected responses, before its update.
  public var likelihood: ResponseLikelihood
  /// Why the step changed no parameter; nil for one that did.
  public var skipped: TrainingError?
  /// The figures of the validation after the step; empty where there was none.
  public var validation: [Validation.Figure] = []
}

/// What the steps of a run, since its beginning, amount to.
public struct TrainingTotals: Sendable, Hashable {
  public var firstLoss = 0.0
  public var lastLoss = 0.0
  public var gradientNormSum = 0.0
  public var seconds = 0.0
  public var usefulTokens = 0
  /// The steps that changed parameters, and those that did not since their loss or gradient was not finite.
  public var updates = 0
  public var skippedSteps = 0
  public var chosen = ChosenTrend()

  public var meanGradientNorm: Double { gradientNormSum / Double(max(1, updates)) }

  mutating func add(_ report: StepReport) {
    seconds += report.seconds
    usefulTokens += report.usefulTokens
    if report.skipped != nil {
      skippedSteps += 1
      return
    }
    if updates == 0 { firstLoss = report.loss }
    lastLoss = report.loss
    gradientNormSum += report.gradientNorm
    updates += 1
    if let value = report.likelihood.chosen { chosen.add(value, step: report.step) }
  }
}

/// A run that cannot go on.
public struct TrainingError: Error, CustomStringConvertible, Equatable, Sendable {
  /// Counted from 0; messages count from 1, as the progress does.
  public var step: Int
  /// What was not finite: the loss, the gradient or the parameters.
  public var quantity: String
  public var value: Double
  /// The examples of the step whose own loss or gradient is not finite; all where each alone is finite.
  public var examples: [String]

  public var description: String {
    let names = examples.prefix(8).joined(separator: ", ")
    let rest = examples.count > 8 ? " and \(examples.count - 8) more" : ""
    return "step \(step + 1): the \(quantity) is \(value)"
      + (examples.isEmpty ? "" : ", examples \(names)\(rest)")
  }
}

/// The one training loop: batches of an objective's examples, AdamW, a schedule, and nothing that
/// belongs to one method.
///
/// A step's result depends on the settings and the number of workers alone, so a run that was saved
/// with `TrainingState` goes on bit for bit.
public final class Trainer {
  public let decoder: Decoder
  public let objective: Objective
  public let settings: TrainingSettings
  public let workers: Workers
  /// How the run is validated; nil where it is not.
  public let validation: Validation?
  public let optimiser: AdamW
  /// The steps taken so far; one more for each call of `step`.
  public package(set) var nextStep = 0
  public package(set) var totals = TrainingTotals()
  /// The steps taken so far, one by one.
  public internal(set) var curve = LearningCurve()
  public package(set) var validations = ValidationHistory()
  /// The parameters of the best validation; nil where they are not kept.
  let best: ParameterStore?
  /// What the learning rate is multiplied by beside the schedule: halved by each `NonFiniteStep.reduceRate`.
  package var rateFactor = 1.0
  /// How many steps before the next one had no finite loss or gradient.
  package var skippedInARow = 0
  /// Computed once, since each saved state has it.
  private(set) lazy var examplesChecksum = Self.checksum(of: objective.examples)
  /// The loss that each example had when it was last trained, Σ weight · -log p; below 0 before that. Nil where the
  /// objective does not compare with it.
  let lastLosses: ParameterStore?
  private let gradients: ParameterStore
  private var order: (epoch: Int, indices: [Int])?

  /// Precondition: the objective has examples and the settings make sense.
  public init(
    _ decoder: Decoder, _ objective: Objective, _ settings: TrainingSettings, workers: Workers,
    validation: Validation? = nil
  ) {
    precondition(!objective.examples.isEmpty, "no examples to train on")
    precondition(settings.batchSize >= 1, "a batch of \(settings.batchSize) examples")
    self.decoder = decoder
    self.objective = objective
    self.settings = settings
    self.workers = workers
    self.validation = validation
    best = validation?.settings.keepsBest == true ? decoder.trainable.zeros() : nil
    optimiser = AdamW(settings.optimiser, for: decoder.trainable)
    gradients = decoder.trainable.zeros()
    lastLosses =
      objective.comparesWithEpochBefore
      ? ParameterStore([(name: "losses", shape: [objective.examples.count])]) : nil
    lastLosses?.buffer.floats.update(repeating: -1)
  }

  public var stepCount: Int { settings.stepCount(exampleCount: objective.examples.count) }

  /// The probability of dropout in the adapter's input: the adapter's own, unless the objective trains
  /// without it.
  var dropout: Float {
    objective.usesDropout ? decoder.adapter?.configuration.dropout ?? 0 : 0
  }

  /// Takes the next step.
  ///
  /// Throws a `TrainingError` where the loss or the gradient is not finite and `settings.nonFiniteStep` says stop, or
  /// too many such steps follow each other; the parameters are then those before that step.
  public func step() throws -> StepReport {
    let start = ContinuousClock.now
    let step = nextStep
    let perEpoch = settings.stepsPerEpoch(exampleCount: objective.examples.count)
    let epoch = step / perEpoch
    let indices = batch(step - epoch * perEpoch, epoch: epoch)
    let keys = dropoutKeys(step: step, count: indices.count)
    let (examples, means) = objective.averaged(indices.map { objective.examples[$0] })
    var trees = zip(examples, keys).map { example, key in
      var tree = example.tree
      tree.dropoutKey = key
      return tree
    }
    if let lastLosses {
      for (tree, index) in indices.enumerated() {
        trees[tree] = trees[tree].withReferences(lastLosses.buffer.base[index])
      }
    }
    let losses = workers.losses(
      of: trees, on: decoder, rule: objective.rule,
      dropout: dropout, gradients: gradients)

    // The loss travels as a sum and a weight, the number of means, and is divided once.
    let weight = Double(means)
    let loss = losses.reduce(0) { $0 + $1.loss } / weight
    let rate =
      rateFactor * settings.learningRate
      * settings.schedule.factor(step: step, of: stepCount, epoch: epoch)
    let norm = loss.isFinite ? workers.norm(of: gradients) / weight : .nan
    var failure: TrainingError?
    if !loss.isFinite {
      let bad = zip(examples, losses).filter { !$1.loss.isFinite }.map(\.0.id)
      failure = TrainingError(step: step, quantity: "loss", value: loss, examples: bad)
    } else if !norm.isFinite {
      failure = TrainingError(
        step: step, quantity: "gradient's norm", value: norm,
        examples: nonFiniteGradients(trees).map { examples[$0].id })
    }
    if var failure {
      if failure.examples.isEmpty { failure.examples = examples.map(\.id) }
      skippedInARow += 1
      guard settings.nonFiniteStep != .stop, skippedInARow <= NonFiniteStep.mostInARow else {
        throw failure
      }
      if settings.nonFiniteStep == .reduceRate { rateFactor /= 2 }
    } else {
      skippedInARow = 0
      // As torch.nn.utils.clip_grad_norm_ scales it.
      let clip = settings.clipNorm.map { min(1, $0 / (norm + 1e-6)) } ?? 1
      optimiser.step(
        decoder.trainable, gradients: gradients, gradientScale: Float(clip / weight),
        learningRate: Float(rate), workers: workers.count)
      if let lastLosses {
        for (index, loss) in zip(indices, losses) {
          lastLosses.buffer.base[index] = loss.tokens.reduce(0) {
            $0 + $1.prediction.weight * $1.loss.negativeLogLikelihood
          }
        }
      }
    }
    nextStep += 1
    let report = StepReport(
      step: step, stepCount: stepCount, epoch: epoch, loss: loss, gradientNorm: norm,
      learningRate: rate, seconds: (ContinuousClock.now - start) / .seconds(1),
      usefulTokens: examples.reduce(0) { $0 + $1.usefulTokens },
      likelihood: ResponseLikelihood(examples, losses), skipped: failure)
    totals.add(report)
    curve.add(report)
    return report
  }

  /// Notes on the learning curve what was measured after the last step.
  public func note(_ measured: [(name: String, value: Double)]) { curve.add(measured) }

  /// The indices of `trees` whose gradients, each computed alone, are not finite.
  private func nonFiniteGradients(_ trees: [PrefixTree]) -> [Int] {
    trees.indices.filter { index in
      _ = workers.losses(
        of: [trees[index]], on: decoder, rule: objective.rule, dropout: dropout,
        gradients: gradients)
      return !workers.norm(of: gradients).isFinite
    }
  }

  /// Throws a `TrainingError` where a parameter is not finite, which the loss of the next step would show.
  public func checkParameters() throws {
    let norm = workers.norm(of: decoder.trainable)
    guard norm.isFinite else {
      throw TrainingError(
        step: nextStep - 1, quantity: "parameters' norm after the update", value: norm, examples: []
      )
    }
  }

  /// The examples of the epoch's batch `index`. The order of an epoch follows from the seed and the
  /// epoch alone.
  func batch(_ index: Int, epoch: Int) -> ArraySlice<Int> {
    if order?.epoch != epoch {
      var indices = Array(objective.examples.indices)
      if settings.shuffles {
        var generator = SeededGenerator(seed: settings.seed, stream: "data order \(epoch)")
        indices.shuffle(using: &generator)
      }
      order = (epoch, indices)
    }
    let indices = order?.indices ?? []
    let start = index * settings.batchSize
    return indices[start..<min(start + settings.batchSize, indices.count)]
  }

  private func dropoutKeys(step: Int, count: Int) -> [UInt32] {
    var generator = SeededGenerator(seed: settings.seed, stream: "dropout \(step)")
    return (0..<count).map { _ in UInt32(truncatingIfNeeded: generator.next()) }
  }

  /// The norms of the gradients that the tokens with positive weight, and those with negative
  /// weight, have by themselves, of the mean loss over the first `count` examples.
  ///
  /// A right token's gradient fades as it is learned, while that of a wrong one that is pushed down
  /// does not; AdamW divides by the size of both together.
  public func gradientNorms(count: Int) -> (positive: Double, negative: Double) {
    let (examples, means) = objective.averaged(Array(objective.examples.prefix(count)))
    let trees = examples.map(\.tree)
    func norm(_ isKept: (Float) -> Bool) -> Double {
      let kept = trees.map { tree in
        var tree = tree
        for index in tree.segments.indices {
          tree.segments[index].weights = tree.segments[index].weights.map { isKept($0) ? $0 : 0 }
        }
        return tree
      }
      _ = workers.losses(of: kept, on: decoder, rule: objective.rule, gradients: gradients)
      return workers.norm(of: gradients) / Double(max(1, means))
    }
    return (norm { $0 > 0 }, norm { $0 < 0 })
  }
}
