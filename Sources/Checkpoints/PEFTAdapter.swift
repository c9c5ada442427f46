import Files

/// A low-rank adapter (LoRA) in PEFT's folder layout: `adapter_config.json` and
/// `adapter_model.safetensors`.
///
/// A projection W `[out, in]` becomes W + (alpha / rank) · B · A, with A `[rank, in]` and B `[out,
/// rank]`. Projections may differ in rank and alpha.
///
/// Source: Hu et al., "LoRA", arXiv 2106.09685, equation 3; PEFT's `LoraConfig`.
public struct PEFTAdapter: Hashable, Sendable {
  /// The two factors of one projection's update.
  public struct Factors: Hashable, Sendable {
    /// The projection's name without its last part, such as `model.layers.0.self_attn.q_proj`.
    public let module: String
    public let inputSize: Int
    public let outputSize: Int
    /// nil: the adapter's.
    public let alpha: Double?
    /// A, row-major `[rank, in]`.
    public let a: [Float]
    /// B, row-major `[out, rank]`.
    public let b: [Float]

    public var rank: Int { a.count / inputSize }

    /// Precondition: both factors have the same rank, above zero.
    public init(
      module: String, inputSize: Int, outputSize: Int, alpha: Double? = nil, a: [Float], b: [Float]
    ) {
      let rank = inputSize > 0 ? a.count / inputSize : 0
      precondition(
        rank > 0 && a.count == rank * inputSize && b.count == rank * outputSize,
        "\(module): A has \(a.count) values for \(inputSize) inputs, B \(b.count) for \(outputSize) outputs"
      )
      self.module = module
      self.inputSize = inputSize
      self.outputSize = outputSize
      self.alpha = alpha
      self.a = a
      self.b = b
    }
  }

  /// The rank that is written as the adapter's; factors of another one are written beside it.
  public var rank: Int
  /// The alpha of factors that have none of their own.
  public var alpha: Double
  /// The probability that an input of A is dropped while training.
  public var dropout: Double
  /// Where the model lies that the adapter belongs to; nil when it was not recorded.
  public var baseModel: String?
  /// The layers whose projections are adapted, in ascending order; nil: all of the model's.
  public var layers: [Int]?
  /// In the order of their modules' names.
  public var factors: [Factors]

  public init(
    rank: Int, alpha: Double, dropout: Double, baseModel: String? = nil, layers: [Int]? = nil,
    factors: [Factors]
  ) {
    self.layers = layers
    self.rank = rank
    self.alpha = alpha
    self.dropout = dropout
    self.baseModel = baseModel
    self.factors = factors.sorted { $0.module < $1.module }
  }

  /// The kinds of projection that are adapted, such as `q_proj`.
  public var targetModules: [String] {
    Set(factors.map { String($0.module.split(separator: ".").last ?? "") }).sorted()
  }

  private static let configurationName = "adapter_config.json"
  private static let weightsName = "adapter_model.safetensors"
  /// The files of an adapter's folder.
  static let fileNames = [configurationName, weightsName]

  private static let prefix = "base_model.model."
  private static let suffixA = ".lora_A.weight"
  private static let suffixB = ".lora_B.weight"

  /// Reads the adapter in `folder`.
  ///
  /// Throws `FileError` when a file is missing or damaged, when a number is not finite, or when the adapter is no plain
  /// or rank-stabilized LoRA.
  public init(folder: String) throws {
    let folder = try Checkpoint.resolved(folder)
    let json = try JSONNode(path: "\(folder)/\(PEFTAdapter.configurationName)")
    try PEFTAdapter.refuseOtherThanPlainLoRA(json)
    let rank = try json.integer("r")
    let ranks = try ModulePatterns(json.child("rank_pattern")) { node in
      guard try node.integer() > 0 else { throw node.error(expected: "a positive number") }
      return try node.integer()
    }
    let alphas = try ModulePatterns(json.child("alpha_pattern")) { try $0.number() }
    let layers = try LayerPatterns(json)
    // rsLoRA (2312.03732) scales by alpha / √rank, which is plain LoRA with alpha · √rank.
    let isRankStabilized = try json.bool("use_rslora", absent: false)
    func plain(_ alpha: Double, rank: Int) -> Double {
      isRankStabilized ? alpha * Double(rank).squareRoot() : alpha
    }
    let alpha = try json.number("lora_alpha")
    let file = try SafetensorsFile(path: "\(folder)/\(PEFTAdapter.weightsName)")
    for tensor in file.tensors { try tensor.checkFinite() }
    var tensors = file.tensorsByName
    guard !tensors.isEmpty else {
      throw FileError(
        file: "\(folder)/\(PEFTAdapter.weightsName)", location: "tensors",
        expected: "at least one pair", found: "none")
    }
    var factors: [Factors] = []
    for name in tensors.keys.sorted()
    where name.hasPrefix(PEFTAdapter.prefix) && name.hasSuffix(PEFTAdapter.suffixA) {
      let module = String(
        name.dropFirst(PEFTAdapter.prefix.count).dropLast(PEFTAdapter.suffixA.count))
      let nameB = PEFTAdapter.prefix + module + PEFTAdapter.suffixB
      guard let a = tensors.removeValue(forKey: name), let b = tensors.removeValue(forKey: nameB)
      else {
        throw FileError(
          file: "\(folder)/\(PEFTAdapter.weightsName)", location: "tensor \(nameB)",
          expected: "B beside A",
          found: "no such tensor")
      }
      guard layers.contain(module) else {
        throw FileError(
          file: a.description.file, location: "tensor \(name)",
          expected: "one of a layer that layers_to_transform names", found: "another layer's")
      }
      let moduleRank = ranks.value(of: module) ?? rank
      for (tensor, axis) in [(a, 0), (b, 1)] {
        let shape = tensor.description.shape
        guard shape.count == 2, shape[axis] == moduleRank, shape[1 - axis] > 0 else {
          throw FileError(
            file: tensor.description.file, location: "tensor \(tensor.description.name)",
            expected: axis == 0 ? "shape [\(moduleRank), in]" : "shape [out, \(moduleRank)]",
            found: "\(shape)")
        }
      }
      let moduleAlpha = plain(alphas.value(of: module) ?? alpha, rank: moduleRank)
      factors.append(
        Factors(
          module: module, inputSize: a.description.shape[1], outputSize: b.description.shape[0],
          alpha: moduleAlpha == plain(alpha, rank: rank) ? nil : moduleAlpha,
          a: a.values, b: b.values))
    }
    if let name = tensors.keys.min() {
      throw FileError(
        file: "\(folder)/\(PEFTAdapter.weightsName)", location: "tensor \(name)",
        expected:
          "only \(PEFTAdapter.prefix)MODULE\(PEFTAdapter.suffixA) and \(PEFTAdapter.suffixB)",
        found: "another one")
    }
    self.init(
      rank: rank, alpha: plain(alpha, rank: rank),
      dropout: try json.number("lora_dropout", absent: 0),
      baseModel: try json.optionalString("base_model_name_or_path"), layers: layers.layers,
      factors: factors)
  }

  /// The keys of `adapter_config.json` that do not change what a plain LoRA computes: where it came
  /// from, which modules it adapts (the tensors tell), and how its factors were initialised.
  private static let ignoredKeys: Set = [
    "task_type", "peft_version", "auto_mapping", "base_model_name_or_path", "revision",
    "inference_mode", "target_modules", "exclude_modules", "megatron_core", "qalora_group_size",
    "loftq_config", "eva_config", "corda_config",
    "lora_ga_config",
  ]

  /// The keys that are read.
  private static let readKeys: Set = [
    "peft_type", "r", "lora_alpha", "lora_dropout", "bias", "init_lora_weights", "use_rslora",
    "rank_pattern", "alpha_pattern", "layers_to_transform", "layers_pattern",
  ]

  /// The keys of features that are off where the value is false, null or empty.
  private static let absentFeatures: Set = [
    "fan_in_fan_out", "use_dora", "use_qalora", "lora_bias", "modules_to_save", "megatron_config",
    "layer_replication",
    "trainable_token_indices", "target_parameters", "alora_invocation_tokens", "arrow_config",
    "ensure_weight_tying", "merge_weights", "enable_lora",
  ]

  /// The initialisations that leave the model's own weights as they are. PiSSA, OLoRA, LoftQ and
  /// others change them, so that their factors belong to another model than the one they name.
  private static let plainInitialisations: [JSONValue] = [
    .null, .bool(true), .bool(false), .string("gaussian"), .string("orthogonal"), .string("eva"),
  ]

  /// Throws, by its key, where an adapter computes something else than W + scale B A. A key
  /// that is not known here may change the result, and is refused unless it is null.
  private static func refuseOtherThanPlainLoRA(_ json: JSONNode) throws {
    guard try json.string("peft_type") == "LORA" else {
      throw json.error("peft_type", expected: "LORA")
    }
    guard try json.string("bias", absent: "none") == "none" else {
      throw json.error("bias", expected: "none")
    }
    guard try json.integer("r") > 0 else { throw json.error("r", expected: "a positive number") }
    guard (0..<1).contains(try json.number("lora_dropout", absent: 0)) else {
      throw json.error("lora_dropout", expected: "a probability below 1")
    }
    guard plainInitialisations.contains(json.child("init_lora_weights").value) else {
      throw json.error(
        "init_lora_weights",
        expected: "true, false, gaussian, orthogonal or eva (PEFT converts other adapters to plain "
          + "LoRA: path_initial_model_for_weight_conversion of save_pretrained)")
    }
    for (key, node) in try json.members() where !ignoredKeys.union(readKeys).contains(key) {
      switch node.value {
      case .null: break
      case .bool(false), .array([]), .object([]):
        guard absentFeatures.contains(key) else {
          throw json.error(key, expected: "no such key: it is not known here")
        }
      default:
        throw json.error(
          key,
          expected: absentFeatures.contains(key)
            ? "nothing: only plain LoRA is read" : "no such key: it is not known here")
      }
    }
  }

  /// Throws a `FileError` where `folder` holds the weights of a model. Transformers would load an adapter's base model
  /// from there and this package the model alone; which of the two is meant only the caller knows, and the weights may
  /// be the only copy.
  package static func checkFolder(_ folder: String) throws {
    if FileContents.isFolder(folder),
      let weights = try Checkpoint.weightsOfModel(folder: folder).first
    {
      throw FileError(
        file: weights, expected: "a folder without a model, for an adapter",
        found: "the weights of a model")
    }
  }

  /// Writes the adapter into `folder`, made where it is missing, so that PEFT loads it onto a
  /// causal language model. Throws as `checkFolder` does, and writes nothing then.
  public func write(to folder: String) throws {
    try Self.checkFolder(folder)
    let json: JSONValue = .object([
      "peft_type": .string("LORA"),
      "task_type": .string("CAUSAL_LM"),
      "base_model_name_or_path": baseModel.map(JSONValue.string) ?? .null,
      "r": .integer(rank),
      "lora_alpha": Self.alphaJSON(alpha),
      "lora_dropout": .number(dropout),
      "target_modules": .array(targetModules.map(JSONValue.string)),
      "bias": .string("none"),
      "fan_in_fan_out": .bool(false),
      "inference_mode": .bool(true),
      "init_lora_weights": .bool(true),
      "use_rslora": .bool(false),
      "use_dora": .bool(false),
      "layers_to_transform": layers.map { .array($0.map(JSONValue.integer)) } ?? .null,
      "rank_pattern": pattern { $0.rank == rank ? nil : .integer($0.rank) },
      "alpha_pattern": pattern { $0.alpha.map(Self.alphaJSON) },
      "modules_to_save": .null,
    ])
    let tensors = factors.flatMap { factor in
      let name = PEFTAdapter.prefix + factor.module
      return [
        TensorSource(
          name: name + PEFTAdapter.suffixA, shape: [factor.rank, factor.inputSize], values: factor.a
        ),
        TensorSource(
          name: name + PEFTAdapter.suffixB, shape: [factor.outputSize, factor.rank],
          values: factor.b),
      ]
    }
    try AtomicFile.makeFolder(folder)
    let weights = try SafetensorsFile.write(tensors, path: "\(folder)/\(PEFTAdapter.weightsName)")
    let config = try AtomicFile(path: "\(folder)/\(PEFTAdapter.configurationName)")
    try config.write(json.text(isIndented: true))
    try weights.commit()
    try config.commit()
  }

  private static func alphaJSON(_ alpha: Double) -> JSONValue {
    Int(exactly: alpha).map(JSONValue.integer) ?? .number(alpha)
  }

  /// What `value` has for modules that differ from the others, by a regular expression for each.
  private func pattern(_ value: (Factors) -> JSONValue?) -> JSONValue {
    .object(
      factors.compactMap { factor in
        value(factor).map {
          JSONMember(
            key: factor.module.split(separator: ".").joined(separator: #"\."#), value: $0)
        }
      })
  }
}
