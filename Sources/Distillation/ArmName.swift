import Reasoning

/// One stage of an arm's training.
public struct ArmStage: Sendable, Hashable {
  public var objective: ObjectiveName
  /// Whether rectified chains, and the pairs they are in, take part.
  public var includesRectified: Bool

  public init(_ objective: ObjectiveName, includesRectified: Bool = true) {
    self.objective = objective
    self.includesRectified = includesRectified
  }

  /// What of `data` takes part.
  public func data(_ data: TeacherChains) -> TeacherChains {
    includesRectified ? data : data.withoutRectified
  }
}

/// The arms of the paper's comparison, its ablations, and the controls of key-step learning.
public enum ArmName: String, CaseIterable, Sendable, Codable {
  case answerSFT = "answer-sft"
  case standardCoT = "std-cot"
  case multiTaskRationale = "mt-re"
  case multiTaskChain = "mt-cot"
  case multiTaskAnswerFirst = "mt-ra"
  case scott
  case cascade = "cascod"
  case edit
  case editWithoutRectified = "edit-without-rectified"
  case editWithoutKeySteps = "edit-without-krsl"
  case editWithoutKeyStepsLonger = "edit-without-krsl-longer"
  case editChosenOnly = "edit-right-only"
  case editRejectedOnly = "edit-wrong-only"
  case editRandomPositions = "edit-random-positions"
  case editAllTokens = "edit-all-tokens"

  /// Its stages: one, or stage 1 and what follows it.
  ///
  /// Baselines train on the teacher's originally right chains alone (Answer SFT has the answers of
  /// all); SCOTT, which wants wrong ones beside them, on the pairs of those. Without rectified wrong CoTs, stage 2 has all pairs all the
  /// same, as in method and paper: the ablation is stage 1's.
  public var stages: [ArmStage] {
    let first = ArmStage(.chains)
    switch self {
    case .answerSFT: return [ArmStage(.answers)]
    case .standardCoT: return [ArmStage(.chains, includesRectified: false)]
    case .multiTaskRationale: return [ArmStage(.multiTaskRationale, includesRectified: false)]
    case .multiTaskChain: return [ArmStage(.multiTaskChain, includesRectified: false)]
    case .multiTaskAnswerFirst: return [ArmStage(.multiTaskAnswerFirst, includesRectified: false)]
    case .scott: return [ArmStage(.scott, includesRectified: false)]
    case .cascade: return [ArmStage(.cascade, includesRectified: false)]
    case .edit: return [first, ArmStage(.keySteps)]
    case .editWithoutRectified:
      return [ArmStage(.chains, includesRectified: false), ArmStage(.keySteps)]
    case .editWithoutKeySteps: return [first]
    case .editWithoutKeyStepsLonger: return [first, first]
    case .editChosenOnly: return [first, ArmStage(.chosenOnly)]
    case .editRejectedOnly: return [first, ArmStage(.rejectedOnly)]
    case .editRandomPositions: return [first, ArmStage(.randomPositions)]
    case .editAllTokens: return [first, ArmStage(.allTokens)]
    }
  }

  /// How its student is asked for an answer.
  public func decoding(_ cues: TokenizedCues) -> ArmDecoding {
    stages[0].objective.decoding(cues)
  }

  public var help: String {
    switch self {
    case .answerSFT: "question → answer"
    case .standardCoT: "question → chain, the teacher's originally right ones"
    case .multiTaskRationale: "Distilling step-by-step: rationale and answer, each by its cue"
    case .multiTaskChain: "chain with answer, and answer, each by its cue"
    case .multiTaskAnswerFirst: "answer with its reasons, and answer, each by its cue"
    case .scott: "right chains, and the wrong answer after a wrong rationale"
    case .cascade: "CasCoD: rationale, then answer given question and rationale"
    case .edit: "stage 1 on right and rectified chains, then KRSL"
    case .editWithoutRectified: "EDIT, stage 1 on originally right chains alone"
    case .editWithoutKeySteps: "EDIT's stage 1 alone"
    case .editWithoutKeyStepsLonger: "EDIT's stage 1 trained on for as many steps as stage 2 takes"
    case .editChosenOnly: "EDIT, KRSL without its wrong side"
    case .editRejectedOnly: "EDIT, KRSL without its right side"
    case .editRandomPositions: "EDIT, KRSL's weights at random places"
    case .editAllTokens: "EDIT, KRSL's weights on all tokens"
    }
  }
}
