import Foundation
import Statistics

/// One way to train that an experiment compares.
public struct Arm: Sendable {
  /// As the CSV names it, such as `KRSL`.
  public let name: String
  /// The settings it does not have, whose axes do not multiply it.
  public let without: Set<String>
  /// Whether it runs only where `--arms` names it.
  public let isOptional: Bool
  public let help: String

  public init(
    _ name: String, without: Set<String> = [], isOptional: Bool = false, help: String
  ) {
    self.name = name
    self.without = without
    self.isOptional = isOptional
    self.help = help
  }
}

/// An experiment: its question, its grid, and how one run of it goes. The library does the rest:
/// plan, progress, records, resuming, CSV.
public struct Experiment: Sendable {
  public let name: String
  /// What its CSV is called, so that a run on other inputs does not write over the default's.
  public let outputName: String
  /// What it asks, in one line.
  public let question: String
  public let arms: [Arm]
  /// The arm that differences are taken to.
  public let reference: String
  public let settings: [Setting]
  /// How many seeds run where `--seeds` is left out, and with `--smoke`.
  public let seeds: Int
  public let smokeSeeds: Int
  /// The metrics, by `split metric`, that the summary shows.
  public let summary: [String]
  /// A call to show in `--help`.
  public let example: String
  /// Made once, before the first run: reads data, and may add checksums to every run's settings.
  public let prepare: @Sendable (PreparationContext) throws -> Prepared

  public init(
    name: String, outputName: String? = nil, question: String, arms: [Arm], reference: String,
    settings: [Setting], seeds: Int,
    smokeSeeds: Int = 1, summary: [String], example: String,
    prepare: @escaping @Sendable (PreparationContext) throws -> Prepared
  ) {
    precondition(arms.contains { $0.name == reference }, "no arm is called \(reference)")
    self.name = name
    self.outputName = outputName ?? name
    self.question = question
    self.arms = arms
    self.reference = reference
    self.settings = settings
    self.seeds = seeds
    self.smokeSeeds = smokeSeeds
    self.summary = summary
    self.example = example
    self.prepare = prepare
  }
}

/// What an experiment prepares with: the settings that have one value in all runs, and room for
/// files.
public struct PreparationContext: Sendable {
  public let settings: RunSettings
  public let folder: String
}

/// What is ready before the first run.
public struct Prepared: Sendable {
  /// SHA-256 of data and model, by name; part of every run's identity.
  public var checksums: [String: String]
  /// Lines to print before the runs start: what the data is, and the guessing floors.
  public var notes: [String]
  /// One run. It may run on several threads at once.
  public var run: @Sendable (RunContext) throws -> [Metric]

  public init(
    checksums: [String: String], notes: [String],
    run: @escaping @Sendable (RunContext) throws -> [Metric]
  ) {
    self.checksums = checksums
    self.notes = notes
    self.run = run
  }
}

/// One figure that a run leaves.
public struct Metric: Sendable, Hashable, Codable {
  /// `in domain` and so on; empty for a figure of the training itself.
  public var split: String
  public var name: String
  /// `share`, `nats`, `seconds` and so on.
  public var unit: String
  public var value: Double
  /// The ends of its 95 % interval; nil where it has none.
  public var low: Double?
  public var high: Double?
  /// What it is counted over; 0 where nothing is counted.
  public var count: Int
  /// The questions or pairs that the figure is made of; nil where it is made of none.
  public var items: MetricItems?

  public init(split: String = "", _ name: String, unit: String, value: Double) {
    self.split = split
    self.name = name
    self.unit = unit
    self.value = value
    count = 0
  }

  public init(
    split: String, _ name: String, unit: String, _ estimate: Estimate,
    items: MetricItems? = nil
  ) {
    self.init(split: split, name, unit: unit, value: estimate.value)
    low = estimate.low.isFinite ? estimate.low : nil
    high = estimate.high.isFinite ? estimate.high : nil
    count = estimate.count
    self.items = items
  }

  /// How the summary names it.
  var key: String { split.isEmpty ? name : "\(split) \(name)" }
}

/// A figure question by question (or pair by pair), so that arms can be compared on the same ones: the
/// figure is the sum of the values over the sum of the weights.
public struct MetricItems: Sendable, Hashable, Codable {
  /// Rising.
  public let ids: [String]
  /// 1 for a right answer and 0 for a wrong one, or a sum over some of a pair's tokens.
  public let values: [Double]
  /// How many tokens; nil where each item counts once.
  public let weights: [Double]?

  /// Of each id the first item counts.
  public init(_ items: [(id: String, value: Double, weight: Double)]) {
    let sorted = Dictionary(items.map { ($0.id, $0) }) { first, _ in first }
      .values.sorted { $0.id < $1.id }
    ids = sorted.map(\.id)
    values = sorted.map(\.value)
    weights = sorted.allSatisfy { $0.weight == 1 } ? nil : sorted.map(\.weight)
  }

  /// Of yes and no.
  public init(_ items: [(id: String, isTrue: Bool)]) {
    self.init(items.map { (id: $0.id, value: $0.isTrue ? 1 : 0, weight: 1) })
  }

  /// As the CSV has them, in the order of the ids: `0110` where all are 0 or 1, else `3.21/4 0.5/2`, four
  /// digits of each value over its weight.
  var text: String {
    if weights == nil, values.allSatisfy({ $0 == 0 || $0 == 1 }) {
      return values.map { $0 == 1 ? "1" : "0" }.joined()
    }
    return values.indices.map { index in
      let weight: Double = weights?[index] ?? 1
      return String(format: "%.4g/%g", values[index], weight)
    }.joined(separator: " ")
  }
}
