import Statistics

/// Which figure of a run: a metric of a split, or of a group within it.
public struct MetricKey: Hashable, Sendable, CustomStringConvertible {
  /// `in domain` and so on; empty for a figure of the training itself.
  public var split: String
  public var name: MetricName
  /// The task, or the projection, that the figure is restricted to; empty for all of the split.
  public var group: String

  public init(_ split: String, _ name: MetricName, group: String = "") {
    self.split = split
    self.name = name
    self.group = group
  }

  /// A figure of the training.
  public init(_ name: MetricName, group: String = "") { self.init("", name, group: group) }

  /// `in domain accuracy, arithmetic`.
  public var description: String {
    (split.isEmpty ? "" : split + " ") + name.rawValue + (group.isEmpty ? "" : ", \(group)")
  }
}

/// One figure that a run records.
public struct Metric: Sendable, Hashable {
  public var key: MetricKey
  public var unit: MetricUnit
  public var value: Double
  /// The ends of its 95 % interval; nil if it has none.
  public var low: Double?
  public var high: Double?
  /// The number of questions, pairs or values that it is computed from; 0 if nothing is counted.
  public var count: Int
  /// The questions or pairs that it is computed from; nil if there are none.
  public var items: MetricItems?

  public init(
    split: String = "", _ name: MetricName, group: String = "", unit: MetricUnit, value: Double
  ) {
    key = MetricKey(split, name, group: group)
    self.unit = unit
    self.value = value
    count = 0
  }

  public init(
    split: String = "", _ name: MetricName, group: String = "", unit: MetricUnit,
    _ estimate: Estimate,
    items: MetricItems? = nil
  ) {
    self.init(split: split, name, group: group, unit: unit, value: estimate.value)
    low = estimate.low.isFinite ? estimate.low : nil
    high = estimate.high.isFinite ? estimate.high : nil
    count = estimate.count
    self.items = items
  }
}

/// A figure question by question (or pair by pair), so that arms can be compared on the same ones:
/// the figure is Σ values / Σ weights.
public struct MetricItems: Sendable, Hashable {
  /// Rising and unique.
  public let ids: [String]
  /// 1 for a correct answer and 0 for a wrong one, or a sum over some of a pair's tokens.
  public let values: [Double]
  /// How many tokens; nil if each item counts once.
  public let weights: [Double]?

  /// An id that occurs again gets its number: `q7`, `q7 (2)`.
  public init(_ items: [(id: String, value: Double, weight: Double)]) {
    var times: [String: Int] = [:]
    let unique = items.map { item in
      times[item.id, default: 0] += 1
      let number = times[item.id] ?? 1
      return (
        id: number == 1 ? item.id : "\(item.id) (\(number))", value: item.value,
        weight: item.weight
      )
    }
    let sorted = unique.sorted { $0.id < $1.id }
    self.init(
      ids: sorted.map(\.id), values: sorted.map(\.value),
      weights: sorted.allSatisfy { $0.weight == 1 } ? nil : sorted.map(\.weight))
  }

  /// Of outcomes: 1 for true and 0 for false.
  public init(_ items: [(id: String, isTrue: Bool)]) {
    self.init(items.map { (id: $0.id, value: $0.isTrue ? 1 : 0, weight: 1) })
  }

  init(ids: [String], values: [Double], weights: [Double]?) {
    self.ids = ids
    self.values = values
    self.weights = weights
  }
}
