import Experiments

extension Experiment {
  /// An experiment on the data and the student of `DistillationSetup`; `run` is one run of it.
  ///
  /// On a checkpoint, whose runs are dear, three seeds run where `--seeds` is left out, and the CSV has
  /// a name of its own.
  public init(
    distillation name: String, question: String, arms: [Arm], reference: String = Arm.stage1.name,
    settings: [Setting] = DistillationSetup.settings(),
    seeds: Int, summary: [String], example: String,
    notes: @escaping @Sendable (DistillationSetup) -> [String] = { _ in [] },
    run: @escaping @Sendable (DistillationSetup, RunContext) throws -> [Metric]
  ) {
    let usesCheckpoint = DistillationSetup.usesCheckpoint()
    self.init(
      name: name, outputName: usesCheckpoint ? "\(name).checkpoint" : nil, question: question,
      arms: arms, reference: reference, settings: settings, seeds: usesCheckpoint ? 3 : seeds,
      summary: summary, example: example
    ) { context in
      let setup = try DistillationSetup(context)
      return Prepared(checksums: setup.checksums, notes: setup.notes + notes(setup)) {
        try run(setup, $0)
      }
    }
  }
}
