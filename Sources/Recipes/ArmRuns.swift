import Distillation
import Experiments

/// The paper's arms as an experiment's, and a whole run of one.
extension Arm {
  /// The arm called so, without the settings that its stages do not have.
  public init(_ arm: TrainingArm) {
    self.init(
      arm.name, without: Self.absentSettings(of: arm.stages.map(\.objective)), help: arm.help)
  }
}

extension DistillationSetup {
  /// Trains the run's arm, one of `TrainingArm.all`, through its stages, and scores its student.
  public func run(_ context: RunContext) throws -> [Metric] {
    guard let arm = TrainingArm(named: context.settings.arm) else {
      preconditionFailure("no arm is called \(context.settings.arm)")
    }
    var student = try firstStage(context, of: arm)
    var metrics: [Metric] = []
    if let stage = arm.stages.dropFirst().first {
      student = try secondStudent(after: student, context.settings)
      metrics = try secondStage(
        student, stage.objective, on: stage.data(training(context.settings)), context)
    }
    return metrics + (try measure(student, context, asking: arm.decoding))
  }
}
