import LanguageModel

/// What a run takes: its tokens, steps and memory, counted without training.
public struct TrainingCost: Sendable, Hashable {
  /// Tokens of an epoch.
  public struct Tokens: Sendable, Hashable {
    /// Of the sequences, each counted whole.
    public var sequences: Int
    /// Those that are computed: what the sequences of an example begin with alike once, and nothing after the last
    /// weighted token.
    public var computed: Int
    /// Those that have a weight.
    public var weighted: Int

    public init(sequences: Int = 0, computed: Int = 0, weighted: Int = 0) {
      self.sequences = sequences
      self.computed = computed
      self.weighted = weighted
    }
  }

  /// Bytes.
  public struct Memory: Sendable, Hashable {
    /// The model's, with an adapter's, as they lie in memory; mapped ones as they lie in their file.
    public var weights: Int
    /// Each worker has its own.
    public var gradients: Int
    /// AdamW's two moments.
    public var optimiser: Int
    /// A copy of the parameters of the best validation.
    public var best: Int
    /// The workers' workspaces in the step that needs most.
    public var activations: Int

    public var total: Int { weights + gradients + optimiser + best + activations }
  }

  public var examples: Int
  public var tokens: Tokens
  public var steps: Int
  public var stepsPerEpoch: Int
  public var trainableParameters: Int
  public var totalParameters: Int
  public var memory: Memory
  /// Computed tokens of each step, up to `mostCountedSteps` of them.
  public var stepTokens: [Int]

  /// Steps whose tokens are counted, and those whose workspaces are. A longer run goes on like these.
  static let mostCountedSteps = 10_000
  static let mostPackedSteps = 500

  public var epochs: Double { Double(steps) / Double(stepsPerEpoch) }
  public var meanStepTokens: Double {
    Double(stepTokens.reduce(0, +)) / Double(max(1, stepTokens.count))
  }
  public var largestStepTokens: Int { stepTokens.max() ?? 0 }

  /// The counted steps, counted from 0, of median and of largest size.
  public var medianStep: Int {
    let order = stepTokens.indices.sorted { (stepTokens[$0], $0) < (stepTokens[$1], $1) }
    return order.isEmpty ? 0 : order[order.count / 2]
  }
  public var largestStep: Int { stepTokens.indices.max { stepTokens[$0] < stepTokens[$1] } ?? 0 }
}

/// How long steps take, from some that were taken.
public struct StepTimes: Sendable, Hashable {
  /// The mean seconds of the step of median and of the one of largest size.
  public var median: Double
  public var largest: Double
  /// How many steps were timed.
  public var steps: Int

  public init(median: Double, largest: Double, steps: Int) {
    self.median = median
    self.largest = largest
    self.steps = steps
  }

  /// The seconds of all steps of `cost`: of a step, a + b times its computed tokens, on the line through the two that
  /// were timed. Neither a nor b is negative.
  public func seconds(_ cost: TrainingCost) -> Double {
    guard !cost.stepTokens.isEmpty else { return 0 }
    let tokens = (
      median: Double(max(1, cost.stepTokens[cost.medianStep])),
      largest: Double(cost.largestStepTokens)
    )
    let proportional = median / tokens.median
    let slope =
      tokens.largest > tokens.median
      ? (largest - median) / (tokens.largest - tokens.median) : proportional
    let perToken = min(max(slope, 0), proportional)
    let constant = median - perToken * tokens.median
    return Double(cost.steps) * (constant + perToken * cost.meanStepTokens)
  }
}

extension Trainer {
  /// What the run takes from its first step on.
  public func cost() -> TrainingCost {
    let computed = objective.examples.map(\.tree.computedTokenCount)
    var tokens = TrainingCost.Tokens()
    tokens.computed = computed.reduce(0, +)
    for example in objective.examples {
      tokens.sequences += example.usefulTokens
      tokens.weighted += example.tree.segments.reduce(0) { $0 + $1.weights.count { $0 != 0 } }
    }
    let perEpoch = settings.stepsPerEpoch(exampleCount: objective.examples.count)
    func examples(_ step: Int) -> ArraySlice<Int> {
      batch(step % perEpoch, epoch: step / perEpoch)
    }
    let stepTokens = (0..<min(stepCount, TrainingCost.mostCountedSteps)).map { step in
      examples(step).reduce(0) { $0 + computed[$1] }
    }
    let trainable = MemoryLayout<Float>.stride * decoder.trainable.count
    var cost = TrainingCost(
      examples: objective.examples.count, tokens: tokens, steps: stepCount, stepsPerEpoch: perEpoch,
      trainableParameters: decoder.trainable.count, totalParameters: decoder.parameterCount,
      memory: TrainingCost.Memory(
        weights: decoder.weightBytes(workers.precision), gradients: workers.count * trainable,
        optimiser: 2 * trainable, best: best == nil ? 0 : trainable, activations: 0),
      stepTokens: stepTokens)
    // Not always the step with most tokens: what matters is how they are packed into passes.
    let measured = Array(stepTokens.indices.prefix(TrainingCost.mostPackedSteps))
    cost.memory.activations =
      (stepTokens.isEmpty ? [] : measured + [cost.largestStep]).map { step in
        workers.workspaceBytes(
          for: examples(step).map { objective.examples[$0].tree }, on: decoder, dropout: dropout)
      }.max() ?? 0
    return cost
  }

  /// Takes the steps of largest and of median size of `cost`, the run's own, and times them: the largest one first, to
  /// warm up if it is short, then both in turn until `seconds` have gone by.
  ///
  /// The parameters change as in training, so that this trainer is not to be used further. Throws as `step()`.
  public func timeSteps(of cost: TrainingCost, for seconds: Double = 10) throws -> StepTimes {
    func time(_ step: Int) throws -> Double {
      nextStep = step
      return try self.step().seconds
    }
    let first = try time(cost.largestStep)
    // What is set up once, such as the workspaces, matters to a short step alone.
    var largest = first < seconds ? [] : [first]
    var median: [Double] = []
    repeat {
      median.append(try time(cost.medianStep))
      if largest.isEmpty || first < seconds { largest.append(try time(cost.largestStep)) }
    } while (median + largest).reduce(0, +) < seconds
    func mean(_ values: [Double]) -> Double { values.reduce(0, +) / Double(values.count) }
    return StepTimes(
      median: mean(median), largest: mean(largest), steps: median.count + largest.count)
  }
}
