import Experiments

/// An experiment whose runs take no time: two arms, the second of which has no `rate`.
func toyExperiment(
  checksums: [String: String] = [:], sharesStages: Bool = false,
  run: @escaping @Sendable (RunContext) throws -> [Metric] = { _ in
    [Metric(.score, unit: .fraction, value: 0.5)]
  }
) -> Experiment {
  Experiment(
    name: "toy", question: "Does it run?",
    arms: [Arm("with", help: "with a rate"), Arm("without", without: ["rate"], help: "without")],
    reference: "without",
    settings: [
      Setting(
        "rate", .number(-1...1), [.number(0.1), .number(0.2)], smoke: [.integer(0)],
        variant: [.number(0.3)], help: ""),
      Setting("batch_size", .integer(1...100), [.integer(8)], help: ""),
      Setting("mode", .choice(["plain", "fast"]), [.text("plain")], help: ""),
      Setting("data_seed", .integer(0...9), [.integer(1)], isAxis: false, help: ""),
      Setting("pairs", .file, [], isAxis: false, help: ""),
      Setting("model", .file, [], isAxis: false, help: ""),
      Setting("depth", .integer(1...9), [.integer(2)], availability: .inVariant, help: ""),
    ],
    seeds: 2, variant: .init(setting: "model", suffix: "checkpoint", seeds: 3),
    summary: [MetricKey(.score)], example: "toy --rate 0.1"
  ) { _ in
    Prepared(
      checksums: checksums, conditions: ["precision": "double"], machine: ["blas": "toy"],
      notes: ["a note"], sharesStages: sharesStages, run: run)
  }
}

extension MetricName {
  static let score = MetricName("score")
}
