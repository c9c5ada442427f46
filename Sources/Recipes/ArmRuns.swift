import Distillation
import Experiments

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
    return training + (try measure(student, context, asking: arm.decoding))
  }
}
