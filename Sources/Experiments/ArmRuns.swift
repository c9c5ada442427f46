import Distillation

/// The paper's arms as an experiment's, and a whole run of one.
extension Arm {
  /// The arm called so, without the settings that its stages do not have.
  public init(_ arm: ArmName) {
    let second = arm.stages.dropFirst().first?.objective
    self.init(
      arm.rawValue, without: second?.absentSettings ?? ObjectiveName.secondStageSettings,
      help: arm.help)
  }
}

extension DistillationSetup {
  /// The settings of EDIT's second stage, at the paper's weights.
  public static func secondStageSettings(checkpoint: Bool = usesCheckpoint()) -> [Setting] {
    [
      Setting(
        "learning_rate", .number(0...1), [.number(checkpoint ? 5e-5 : 1e-4)],
        help: "of the second stage"),
      Setting("alpha", .number(0...100), [.integer(1)], help: "weight of right key tokens"),
      Setting("beta", .number(-100...0), [.number(-0.025)], help: "weight of wrong key tokens"),
      Setting(
        "gamma", .number(0...100), [.integer(0)], help: "weight of the right chain's other tokens"),
      Setting(
        "guard", .number(0...1000), [.integer(20)],
        help: "nats above which wrong tokens are let be"),
    ]
  }

  /// Trains the run's arm, an `ArmName`, through its stages, and scores its student.
  public func run(_ context: RunContext) throws -> [Metric] {
    guard let arm = ArmName(rawValue: context.settings.arm) else {
      preconditionFailure("no arm is called \(context.settings.arm)")
    }
    let student = try firstStage(context, of: arm)
    var training: [Metric] = []
    if let stage = arm.stages.dropFirst().first {
      training = try secondStage(student, stage.objective, on: stage.data(data.chains), context)
    }
    let cues = try TokenizedCues(data.chains.cues, data.tokenizer)
    return training + (try measure(student, context, decoding: arm.decoding(cues)))
  }
}
