import LanguageModel
import Parameters

/// A way to train, declared: what it is called, what it needs, what it can be set to, and how it is
/// made.
///
/// Flags of `keystep train`, settings of experiments, help texts and `docs/objectives.md` follow from
/// the entry. Each objective has a file with its entry, beside the function that makes it, and a line in
/// `ObjectiveEntry.all`.
public struct ObjectiveEntry: Sendable {
  /// Which stage of EDIT's it takes the place of, and with it the paper's learning rate, weight decay and
  /// number of epochs.
  public enum Stage: Int, Sendable {
    /// Supervised fine-tuning.
    case first = 1
    /// What follows supervised fine-tuning.
    case second
  }

  /// What its examples are made of.
  public enum Data: String, Sendable {
    /// Correct chains, or the chosen sides of pairs.
    case chains
    case pairs
  }

  /// A model that it compares the student with, beside the student as training starts.
  public enum Reference: String, Sendable, CaseIterable {
    /// Fine-tuned on correct chains.
    case positive
    /// Fine-tuned on incorrect chains.
    case negative

    /// The flag that names it to `keystep train`.
    public var flag: String { self == .positive ? "--reference" : "--negative-reference" }
  }

  /// As `--objective` and experiments name it, such as `krsl`.
  public let name: String
  public let stage: Stage
  public let data: Data
  public let references: [Reference]
  public let parameters: [Parameter]
  /// Whether token weights of a file may take the place of its own.
  public let takesWeights: Bool
  /// One line.
  public let help: String
  private let decode: (@Sendable (TokenizedCues) -> ArmDecoding)?
  private let build: @Sendable (ObjectiveInput) throws -> Objective

  /// `decoding` says how a student trained by it is asked for its answer; the prompt as it is and a
  /// chain with its answer where it is left out.
  public init(
    _ name: String, stage: Stage, data: Data, references: [Reference] = [],
    parameters: [Parameter] = [], takesWeights: Bool = false, help: String,
    decoding: (@Sendable (TokenizedCues) -> ArmDecoding)? = nil,
    build: @escaping @Sendable (ObjectiveInput) throws -> Objective
  ) {
    self.name = name
    self.stage = stage
    self.data = data
    self.references = references
    self.parameters = parameters
    self.takesWeights = takesWeights
    self.help = help
    decode = decoding
    self.build = build
  }

  /// The objective on `data`. Objectives of chains take all correct ones.
  ///
  /// `parameters` by name; what is left out has its default, and names that it does not have are
  /// ignored. `seed` is that of what it draws at random. `models` is asked only where the objective
  /// compares. Throws a `FileError` where a chain cannot be split or a cue cannot be tokenized.
  /// Precondition: parameters are in their ranges, and `models` has the references.
  public func objective(
    _ data: TrainingData, _ parameters: [String: Parameter.Value] = [:], seed: UInt64 = 0,
    models: @escaping () throws -> ReferenceModels
  ) throws -> Objective {
    let values = ParameterValues(self.parameters, given: parameters)
    var objective = try build(
      ObjectiveInput(data: data, parameters: values, seed: seed, models: models))
    if values.has(.chainsPerMean) {
      objective.examplesPerMean = Int(values.number(.chainsPerMean))
    }
    return objective
  }

  /// Whether a student trained by it is given prompts as they are, so that no cues are needed.
  public var asksPlainly: Bool { decode == nil }

  /// How a student trained by it is asked for its answer.
  public func decoding(_ cues: TokenizedCues) -> ArmDecoding {
    var decoding = decode?(cues) ?? .plain
    decoding.startTokens = cues.startTokens
    return decoding
  }
}

extension ObjectiveEntry: Hashable {
  public static func == (a: ObjectiveEntry, b: ObjectiveEntry) -> Bool { a.name == b.name }
  public func hash(into hasher: inout Hasher) { hasher.combine(name) }
}

/// What an objective is made of.
public struct ObjectiveInput {
  public let data: TrainingData
  /// Those that the entry declares.
  public let parameters: ParameterValues
  public let seed: UInt64
  public let models: () throws -> ReferenceModels
}

/// The models that an objective compares the student with.
public struct ReferenceModels {
  /// The student as training starts: π_ref of the preferences.
  public var student: Decoder
  /// RHO-1's reference; cDPO's model of correct chains.
  public var positive: Decoder?
  /// cDPO's model of incorrect chains.
  public var negative: Decoder?
  public var workers: Workers

  public init(
    student: Decoder, positive: Decoder? = nil, negative: Decoder? = nil, workers: Workers
  ) {
    self.student = student
    self.positive = positive
    self.negative = negative
    self.workers = workers
  }

  /// One of the references. Precondition: it is there.
  func model(_ reference: ObjectiveEntry.Reference) -> Decoder {
    guard let model = reference == .positive ? positive : negative else {
      preconditionFailure("the objective compares with a \(reference.rawValue) reference model")
    }
    return model
  }
}
