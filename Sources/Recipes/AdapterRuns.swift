import Checkpoints
import Distillation
import Evaluation
import Experiments
import LanguageModel
import LinearAlgebra

/// Runs whose second stage trains a fresh adapter on the weights that stage 1 left.
extension DistillationSetup {
  /// The settings of that adapter, and of what is said of it.
  public static var adapterSettings: [Setting] {
    [
      Setting(
        "adapter_rank", .integer(1...4096), [.integer(4), .integer(16), .integer(64)],
        smoke: [.integer(4)], help: "of the second stage's adapter"),
      Setting(
        "adapter_start", .choice(LowRankAdapter.Start.allCases.map(\.rawValue)),
        LowRankAdapter.Start.allCases.map { .text($0.rawValue) },
        help: "A as noise and B as zero, or both from the weight's principal singular values"),
      Setting(
        "adapter_scale", .number(0.001...1000), [.number(0.5)], help: "its alpha over its rank"),
      Setting(
        "adapter_dropout", .number(0...0.99), [.integer(0)], help: "dropout of its input"),
      Setting(
        adapterTargetsSetting, .names(ProjectionName.allCases.map(\.rawValue)), [defaultTargets],
        help: "projections that it is on"),
      Setting(
        "overlap_directions", .integer(1...4096), [.integer(4)],
        help: "singular directions of the updates that are compared"),
    ]
  }

  /// Trains stage 1, then the objective that the run's arm is called after, through a fresh adapter as
  /// `adapterSettings` say; scores the student and says what the adapter learned. Any other arm is
  /// stage 1 alone.
  public func runAdapter(_ context: RunContext) throws -> [Metric] {
    let run = context.settings
    let first = try firstStage(context, on: training(run).chains)
    guard let objective = ObjectiveEntry(named: run.arm) else {
      return try measure(first, context)
    }
    let merged = first.merged()
    let student = try adapted(merged, run)
    let training = try secondStage(student, objective, on: training(run), context)
    return training + (try learned(by: student, on: merged, after: first, run))
      + (try measure(student, context))
  }

  private func adapted(_ decoder: Decoder, _ run: RunSettings) throws -> Decoder {
    let rank = run.integer("adapter_rank")
    let configuration = LowRankConfiguration(
      rank: rank, alpha: Float(run.number("adapter_scale")) * Float(rank),
      dropout: Float(run.number("adapter_dropout")),
      targets: run.names(Self.adapterTargetsSetting).compactMap(ProjectionName.init))
    if run.text("adapter_start") == LowRankAdapter.Start.pissa.rawValue {
      return try decoder.adaptedByPrincipalValues(configuration)
    }
    return try withFreshAdapter(decoder, configuration, run)
  }

  /// The update of each projection: singular values, effective and stable rank, its size beside the
  /// weight's, and how far it goes the way of stage 1's update; each figure's mean over projections
  /// first.
  private func learned(
    by student: Decoder, on merged: Decoder, after first: Decoder, _ run: RunSettings
  ) throws -> [Metric] {
    guard let adapter = student.adapter else { return [] }
    let before = try untrained(run)
    var means: [(name: MetricName, unit: MetricUnit, values: [Double])] = [
      (.effectiveRank, .directions, []), (.stableRank, .directions, []),
      (.updateOverWeight, .ratio, []), (.outputOverlap, .fraction, []),
      (.inputOverlap, .fraction, []),
    ]
    var metrics: [Metric] = []
    for layer in 0..<merged.configuration.layerCount {
      for target in adapter.configuration.targets {
        let place = "layer \(layer) \(target.rawValue)"
        let weight = merged.weight(of: target, layer: layer)
        let (left, right) = adapter.update(of: target, layer: layer)
        let update = try UpdateSpectrum(left: left, right: right)
        let overlap = update.overlap(
          with: try firstUpdate(of: target, layer, before, first),
          directions: run.integer("overlap_directions"))
        let size = weight.elements.reduce(0) { $0 + $1 * $1 }.squareRoot()
        let figures = [
          update.effectiveRank, update.stableRank, update.norm / size, overlap.outputs,
          overlap.inputs,
        ]
        for (index, value) in figures.enumerated() {
          means[index].values.append(value)
          metrics.append(
            Metric(means[index].name, group: place, unit: means[index].unit, value: value))
        }
        metrics.append(.singularValues(update.singularValues, of: place))
      }
    }
    return means.map { mean in
      Metric(
        mean.name, unit: mean.unit,
        value: mean.values.reduce(0, +) / Double(max(1, mean.values.count)))
    } + metrics
  }

  /// What stage 1 changed in a projection: its adapter's update, or the difference of the weights.
  private func firstUpdate(
    of target: ProjectionName, _ layer: Int, _ before: Decoder, _ after: Decoder
  ) throws -> UpdateSpectrum {
    if let adapter = after.adapter, adapter.configuration.targets.contains(target) {
      let (left, right) = adapter.update(of: target, layer: layer)
      return try UpdateSpectrum(left: left, right: right)
    }
    var change = after.weight(of: target, layer: layer)
    let start = before.weight(of: target, layer: layer)
    for index in change.elements.indices { change.elements[index] -= start.elements[index] }
    return try UpdateSpectrum(change)
  }
}

extension Metric {
  /// The singular values of an update as items, falling; their mean as the figure.
  fileprivate static func singularValues(_ values: [Double], of place: String) -> Metric {
    let mean = values.reduce(0, +) / Double(max(1, values.count))
    var metric = Metric(.singularValues, group: place, unit: .weight, value: mean)
    metric.count = values.count
    // Ids of one length keep their order.
    metric.items = MetricItems(
      values.enumerated().map { (id: "\(100_000 + $0)", value: $1, weight: 1) })
    return metric
  }
}
