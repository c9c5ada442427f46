import Distillation
import Experiments
import KeySteps
import Parameters

extension ObjectiveEntry {
  /// The parameters that it has in an experiment: its own, and how long the models that it compares
  /// with are fine-tuned.
  var experimentParameters: [Parameter] {
    parameters + (references.isEmpty ? [] : [.referenceSteps])
  }
}

extension [Setting] {
  /// The parameters that some of `objectives` have, in their order, as settings.
  ///
  /// A parameter whose default differs between them has no value, so that each takes its own.
  public static func parameters(of objectives: [ObjectiveEntry]) -> [Setting] {
    let all = objectives.flatMap(\.experimentParameters)
    var names: Set<String> = []
    return all.filter { names.insert($0.name).inserted }.map { parameter in
      // Runs of a pretrained student take longer.
      if parameter == .referenceSteps {
        return Setting(parameter, smoke: [.integer(2)], variant: [.integer(20)])
      }
      let defaults = Set(all.filter { $0.name == parameter.name }.map(\.default))
      return Setting(parameter, defaults.count == 1 ? nil : [])
    }
  }
}

extension Arm {
  /// The settings of second stages that are no parameter of an objective.
  private static let secondStageSettings = DistillationSetup.secondStageTrainingSettings.union([
    "adapter_rank", "adapter_start", "adapter_scale", "adapter_dropout",
    DistillationSetup.adapterTargetsSetting, "overlap_directions",
  ])

  /// The settings that an arm of `stages` does not have.
  static func absentSettings(of stages: [ObjectiveEntry]) -> Set<String> {
    let all = Set(ObjectiveEntry.all.flatMap(\.experimentParameters).map(\.name))
    let own = Set(stages.flatMap(\.experimentParameters).map(\.name))
    return all.subtracting(own).union(stages.count == 1 ? secondStageSettings : [])
  }

  /// Stage 1 alone.
  public static let stage1 = Arm(
    "stage 1", without: absentSettings(of: [.chains]),
    help: "supervised fine-tuning on right chains, original and rectified")

  /// Stage 1 and then `objective`, under the objective's name where none is given.
  ///
  /// `absent` are settings that it does not have though the objective does: it takes their defaults.
  public init(
    _ name: String? = nil, then objective: ObjectiveEntry, without absent: Set<String> = [],
    optional: Condition = .never, help: String? = nil
  ) {
    self.init(
      name ?? objective.name,
      without: Self.absentSettings(of: [.chains, objective]).union(absent), optional: optional,
      help: help ?? (objective == .chains ? "stage 1 continued" : objective.help))
  }
}

extension DistillationSetup {
  /// Trains stage 1 on the correct and rectified chains of `first`, then `objective`, where there is
  /// one, on `second`, and scores the student. What is left out is all of the teacher's.
  public func run(
    _ context: RunContext, firstStageOn first: TrainingData? = nil,
    then objective: ObjectiveEntry?, on second: TrainingData? = nil
  ) throws -> [Metric] {
    let all = training(context.settings)
    let (first, second) = (first ?? all, second ?? all)
    var student = try firstStage(context, on: first.chains)
    var metrics: [Metric] = []
    if let objective {
      student = try secondStudent(after: student, context.settings)
      metrics =
        try secondStage(student, objective, on: second, context)
        + makeUp(of: second, for: objective, context.settings)
    }
    return metrics + (try measure(student, context))
  }

  /// How many pairs an objective had, and the mean fraction of key tokens in them.
  private func makeUp(
    of training: TrainingData, for objective: ObjectiveEntry, _ run: RunSettings
  ) -> [Metric] {
    guard objective.data == .pairs else { return [] }
    let count = training.pairs.count
    var metrics = [Metric(.stage2Pairs, unit: .pairs, value: Double(count))]
    let parameters = ParameterValues(objective.parameters, given: run.values)
    if parameters.has(.alignmentUnit) {
      let choice = KeyTokenChoice(parameters)
      let fractions = training.pairs.map { $0.keyTokens(choice).fraction }
      metrics.append(
        Metric(
          .stage2KeyTokens, unit: .fraction,
          value: fractions.reduce(0, +) / Double(max(1, count))))
    }
    return metrics
  }
}
