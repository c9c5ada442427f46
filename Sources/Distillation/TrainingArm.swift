/// One of the arms of the paper's comparison, of its ablations, or of the controls of key-step learning:
/// the stages that a student is trained through.
public struct TrainingArm: Sendable, Hashable {
  /// One stage of an arm's training.
  public struct Stage: Sendable, Hashable {
    public var objective: ObjectiveEntry
    /// Whether rectified chains, and the pairs they are in, take part.
    public var includesRectified: Bool

    public init(_ objective: ObjectiveEntry, includesRectified: Bool = true) {
      self.objective = objective
      self.includesRectified = includesRectified
    }

    /// What of `data` takes part.
    public func data(_ data: TrainingData) -> TrainingData {
      includesRectified ? data : data.withoutRectified
    }
  }

  /// As experiments and `--arm` name it.
  public let name: String
  /// One or two.
  public let stages: [Stage]
  public let help: String

  /// Precondition: there is a stage.
  public init(_ name: String, _ stages: [Stage], help: String) {
    precondition(!stages.isEmpty, "\(name) has no stage")
    self.name = name
    self.stages = stages
    self.help = help
  }

  /// How its student is asked for an answer.
  public func decoding(_ cues: TokenizedCues) -> ArmDecoding { stages[0].objective.decoding(cues) }

  /// Stage 1 of EDIT.
  private static let sft = Stage(.chains)

  /// Baselines train on the teacher's originally correct chains alone (Answer SFT has the answers of
  /// all); SCOTT, which needs incorrect ones beside them, on the pairs of those.
  private static func baseline(_ name: String, _ objective: ObjectiveEntry, help: String)
    -> TrainingArm
  {
    TrainingArm(name, [Stage(objective, includesRectified: false)], help: help)
  }

  public static let answerSFT = TrainingArm(
    "answer-sft", [Stage(.answers)], help: "question → answer")
  public static let standardCoT = baseline(
    "std-cot", .chains, help: "question → chain, the teacher's originally correct ones")
  public static let multiTaskRationale = baseline(
    "mt-re", .multiTaskRationale,
    help: "Distilling step-by-step: rationale and answer, each by its cue")
  public static let multiTaskChain = baseline(
    "mt-cot", .multiTaskChain, help: "chain with answer, and answer, each by its cue")
  public static let multiTaskAnswerFirst = baseline(
    "mt-ra", .multiTaskAnswerFirst, help: "answer with its reasons, and answer, each by its cue")
  public static let scott = baseline(
    "scott", .scott, help: "correct chains, and the incorrect answer after an incorrect rationale")
  public static let cascade = baseline(
    "cascod", .cascade, help: "CasCoD: rationale, then answer given question and rationale")
  public static let edit = TrainingArm(
    "edit", [sft, Stage(.keySteps)], help: "stage 1 on correct and rectified chains, then KRSL")
  /// Stage 2 has all pairs, as in method and paper: the ablation is stage 1's.
  public static let editWithoutRectified = TrainingArm(
    "edit-without-rectified", [Stage(.chains, includesRectified: false), Stage(.keySteps)],
    help: "EDIT, stage 1 on originally correct chains alone")
  public static let editWithoutKeySteps = TrainingArm(
    "edit-without-krsl", [sft], help: "EDIT's stage 1 alone")
  public static let editWithoutKeyStepsLonger = TrainingArm(
    "edit-without-krsl-longer", [sft, sft],
    help: "EDIT's stage 1 continued for as many steps as stage 2 takes")
  public static let editChosenOnly = TrainingArm(
    "edit-right-only", [sft, Stage(.chosenOnly)], help: "EDIT, KRSL without its rejected side")
  public static let editRejectedOnly = TrainingArm(
    "edit-wrong-only", [sft, Stage(.rejectedOnly)], help: "EDIT, KRSL without its chosen side")
  public static let editRandomPositions = TrainingArm(
    "edit-random-positions", [sft, Stage(.randomPositions)],
    help: "EDIT, KRSL's weights at random places")
  public static let editAllTokens = TrainingArm(
    "edit-all-tokens", [sft, Stage(.allTokens)], help: "EDIT, KRSL's weights on all tokens")

  public static let all: [TrainingArm] = [
    .answerSFT, .standardCoT, .multiTaskRationale, .multiTaskChain, .multiTaskAnswerFirst, .scott,
    .cascade, .edit, .editWithoutRectified, .editWithoutKeySteps, .editWithoutKeyStepsLonger,
    .editChosenOnly, .editRejectedOnly, .editRandomPositions, .editAllTokens,
  ]

  /// The arm called `name`; nil where there is none.
  public init?(named name: String) {
    guard let arm = Self.all.first(where: { $0.name == name }) else { return nil }
    self = arm
  }
}
