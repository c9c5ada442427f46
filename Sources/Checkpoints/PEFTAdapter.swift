import Files

/// A low-rank adapter (LoRA) in PEFT's folder layout: `adapter_config.json` and
/// `adapter_model.safetensors`.
///
/// A projection W `[out, in]` becomes W + (alpha / rank) · B · A, with A `[rank, in]` and B `[out,
/// rank]`.
///
/// Source: Hu et al., "LoRA", arXiv 2106.09685, equation 3; PEFT's `LoraConfig`.
public struct PEFTAdapter: Hashable, Sendable {
  /// The two factors of one projection's update.
  public struct Factors: Hashable, Sendable {
    /// The projection's name without its last part, such as `model.layers.0.self_attn.q_proj`.
    public let module: String
    public let inputSize: Int
    public let outputSize: Int
    /// A, row-major `[rank, in]`.
    public let a: [Float]
    /// B, row-major `[out, rank]`.
    public let b: [Float]

    /// Precondition: both factors have the same rank.
    public init(module: String, inputSize: Int, outputSize: Int, a: [Float], b: [Float]) {
      precondition(
        a.count * outputSize == b.count * inputSize,
        "\(module): A has \(a.count) values for \(inputSize) inputs, B \(b.count) for \(outputSize) outputs"
      )
      self.module = module
      self.inputSize = inputSize
      self.outputSize = outputSize
      self.a = a
      self.b = b
    }
  }

  public var rank: Int
  public var alpha: Double
  /// The probability that an input of A is dropped while training.
  public var dropout: Double
  /// Where the model lies that the adapter belongs to; nil when it was not recorded.
  public var baseModel: String?
  /// In the order of their modules' names.
  public var factors: [Factors]

  /// Precondition: every factor has rank `rank`.
  public init(
    rank: Int, alpha: Double, dropout: Double, baseModel: String? = nil, factors: [Factors]
  ) {
    for factor in factors {
      precondition(
        factor.a.count == rank * factor.inputSize,
        "\(factor.module): A has \(factor.a.count) values, not rank \(rank)")
    }
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

  private static let prefix = "base_model.model."
  private static let suffixA = ".lora_A.weight"
  private static let suffixB = ".lora_B.weight"

  /// Reads the adapter in `folder`.
  ///
  /// Throws `FileError` when a file is missing or damaged, or when the adapter is no plain
  /// LoRA.
  public init(folder: String) throws {
    let json = try JSONNode(path: folder + "/adapter_config.json")
    try PEFTAdapter.refuseOtherThanPlainLoRA(json)
    let rank = try json.integer("r")
    let file = try SafetensorsFile(path: folder + "/adapter_model.safetensors")
    var tensors = Dictionary(uniqueKeysWithValues: file.tensors.map { ($0.description.name, $0) })
    guard !tensors.isEmpty else {
      throw FileError(
        file: folder + "/adapter_model.safetensors", location: "tensors",
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
          file: folder + "/adapter_model.safetensors", location: "tensor \(nameB)",
          expected: "B beside A",
          found: "no such tensor")
      }
      for (tensor, axis) in [(a, 0), (b, 1)] {
        let shape = tensor.description.shape
        guard shape.count == 2, shape[axis] == rank else {
          throw FileError(
            file: tensor.description.file, location: "tensor \(tensor.description.name)",
            expected: axis == 0 ? "shape [\(rank), in]" : "shape [out, \(rank)]", found: "\(shape)")
        }
      }
      factors.append(
        Factors(
          module: module, inputSize: a.description.shape[1], outputSize: b.description.shape[0],
          a: a.values, b: b.values))
    }
    if let name = tensors.keys.min() {
      throw FileError(
        file: folder + "/adapter_model.safetensors", location: "tensor \(name)",
        expected:
          "only \(PEFTAdapter.prefix)MODULE\(PEFTAdapter.suffixA) and \(PEFTAdapter.suffixB)",
        found: "another one")
    }
    self.init(
      rank: rank, alpha: try json.number("lora_alpha"),
      dropout: try json.number("lora_dropout", absent: 0),
      baseModel: try json.optionalString("base_model_name_or_path"),
      factors: factors)
  }

  private static func refuseOtherThanPlainLoRA(_ json: JSONNode) throws {
    guard try json.string("peft_type") == "LORA" else {
      throw json.error("peft_type", expected: "LORA")
    }
    guard try json.string("bias", absent: "none") == "none" else {
      throw json.error("bias", expected: "none")
    }
    guard try json.integer("r") > 0 else { throw json.error("r", expected: "a positive number") }
    for key in ["fan_in_fan_out", "use_rslora", "use_dora", "use_qalora", "lora_bias"] {
      guard try !json.bool(key, absent: false) else { throw json.error(key, expected: "false") }
    }
    for key in ["rank_pattern", "alpha_pattern", "modules_to_save"] {
      switch json.child(key).value {
      case .null, .array([]), .object([]): break
      default: throw json.error(key, expected: "nothing")
      }
    }
  }

  /// Writes the adapter into `folder`, made where it is missing, so that PEFT loads it onto a
  /// causal language model.
  public func write(to folder: String) throws {
    let json: JSONValue = .object([
      "peft_type": .string("LORA"),
      "task_type": .string("CAUSAL_LM"),
      "base_model_name_or_path": baseModel.map(JSONValue.string) ?? .null,
      "r": .integer(rank),
      "lora_alpha": Int(exactly: alpha).map(JSONValue.integer) ?? .number(alpha),
      "lora_dropout": .number(dropout),
      "target_modules": .array(targetModules.map(JSONValue.string)),
      "bias": .string("none"),
      "fan_in_fan_out": .bool(false),
      "inference_mode": .bool(true),
      "init_lora_weights": .bool(true),
      "use_rslora": .bool(false),
      "use_dora": .bool(false),
      "rank_pattern": .object([:]),
      "alpha_pattern": .object([:]),
      "modules_to_save": .null,
    ])
    let tensors = factors.flatMap { factor in
      let name = PEFTAdapter.prefix + factor.module
      return [
        TensorSource(
          name: name + PEFTAdapter.suffixA, shape: [rank, factor.inputSize], values: factor.a),
        TensorSource(
          name: name + PEFTAdapter.suffixB, shape: [factor.outputSize, rank], values: factor.b),
      ]
    }
    try AtomicFile.makeFolder(folder)
    let weights = try SafetensorsFile.write(tensors, path: folder + "/adapter_model.safetensors")
    let config = try AtomicFile(path: folder + "/adapter_config.json")
    try config.write(json.text(isIndented: true))
    try weights.commit()
    try config.commit()
  }
}
