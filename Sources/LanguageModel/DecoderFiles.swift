import Checkpoints
import Files

extension ParameterStore {
  /// The tensors for a writer, none copied, each name with `prefix` before it.
  package func sources(prefix: String = "") -> [TensorSource] {
    slots.map { slot in
      TensorSource(name: prefix + slot.name, shape: slot.shape) { body in
        try body(UnsafeBufferPointer(self[slot.name]))
      }
    }
  }
}

extension Decoder {
  /// Writes the model as a Hugging Face folder (`config.json`, `model.safetensors` in F32) that
  /// Transformers loads; the adapter is left out. Throws a `FileError` where a file cannot be
  /// written.
  public func write(to folder: String) throws {
    try Checkpoint.writeHuggingFace(
      configuration, tensors: weights.sources(configuration), to: folder)
  }

  /// The same with all tensors rounded to `type`: F32, F16 or BF16. Returns what that changed. Throws also where a
  /// number is not finite, or too large for `type`.
  public func write(to folder: String, roundedTo type: ElementType) throws -> RoundingShift {
    try Checkpoint.writeHuggingFace(
      configuration, tensors: weights.sources(configuration), roundedTo: type, to: folder)
  }

  /// Writes the model as a GGUF with matrices in `type` (F32, F16, BF16 or Q8_0), which llama.cpp runs; the adapter is
  /// left out. Throws as `Checkpoint.writeGGUF` does.
  ///
  /// - Parameter metadata: its tokenizer's and its name.
  public func writeGGUF(
    to path: String, type: ElementType, metadata: [String: GGUFValue] = [:]
  ) throws -> GGUFExport {
    try Checkpoint.writeGGUF(
      configuration, tensors: weights.sources(configuration), type: type, metadata: metadata,
      to: path)
  }

  /// ‖W − V‖ / ‖V‖ with W all of the model's own weights and V those of `base`, a model of the same shape; the Frobenius
  /// norm over all tensors together.
  public func relativeDistance(from base: Decoder) -> Double {
    precondition(configuration == base.configuration, "two models of different shapes")
    var (difference, norm) = (0.0, 0.0)
    for (name, _) in configuration.tensorShapes {
      for (a, b) in zip(weights.values(name), base.weights.values(name)) {
        difference += Double(a - b) * Double(a - b)
        norm += Double(b) * Double(b)
      }
    }
    return (difference / max(norm, .leastNormalMagnitude)).squareRoot()
  }
}

extension LowRankAdapter {
  /// The adapter that PEFT wrote for a model of this shape.
  ///
  /// Throws a `FileError` that names `file` where it adapts something else than the seven
  /// projections of every layer, or of those it names, or has other shapes.
  public convenience init(_ stored: PEFTAdapter, for model: ModelConfiguration, file: String) throws
  {
    let targets = try stored.targetModules.map { name in
      guard let target = ProjectionName(rawValue: name), model.projections.contains(target) else {
        throw FileError(
          file: file, location: "target module \(name)",
          expected: model.projections.map(\.rawValue).joined(separator: ", "), found: name)
      }
      return target
    }
    let configuration = LowRankConfiguration(
      rank: stored.rank, alpha: Float(stored.alpha), dropout: Float(stored.dropout),
      targets: model.projections.filter(targets.contains))
    let factors = Dictionary(
      stored.factors.map { ($0.module, $0) }, uniquingKeysWith: { first, _ in first })
    for layer in 0..<model.layerCount where stored.layers?.contains(layer) != false {
      for target in configuration.targets {
        let module = model.architecture.family.module(target, layer: layer)
        guard factors[module] == nil else { continue }
        throw FileError(
          file: file, location: "tensor \(module).lora_A.weight",
          expected: stored.layers == nil
            ? "one for every layer" : "one for every layer of layers_to_transform",
          found: "no such tensor")
      }
    }
    let parameters = Self.emptyStore(configuration, model, ranks: factors.mapValues(\.rank))
    for factors in stored.factors {
      for (side, values, shape) in [
        ("A", factors.a, [factors.rank, factors.inputSize]),
        ("B", factors.b, [factors.outputSize, factors.rank]),
      ] {
        let name = "\(factors.module).lora_\(side).weight"
        guard let slot = parameters.slot(name), slot.shape == shape else {
          throw FileError(
            file: file, location: "tensor \(name)",
            expected: parameters.slot(name).map { "shape \($0.shape)" }
              ?? "a projection of the model",
            found: "\(shape)")
        }
        _ = parameters[name].update(fromContentsOf: values)
      }
    }
    self.init(
      configuration, model, parameters,
      alphas: factors.compactMapValues { $0.alpha.map(Float.init) })
  }

  /// Writes the adapter so that PEFT loads it (`adapter_config.json`, `adapter_model.safetensors`)
  /// onto the model as it was before any adapter.
  ///
  /// One that began with principal singular values becomes a plain LoRA of twice the rank and alpha,
  /// [B, -B₀] [A; A₀], as PEFT's own conversion of PiSSA makes it
  /// (`path_initial_model_for_weight_conversion`): the model it changes is then the original one, not
  /// the residual.
  public func write(to folder: String, baseModel: String?) throws {
    let suffix = ".lora_A.weight"
    let doubling = start == nil ? 1 : 2
    let factors = parameters.slots.filter { $0.name.hasSuffix(suffix) }.compactMap {
      slot -> PEFTAdapter.Factors? in
      let module = String(slot.name.dropLast(suffix.count))
      guard let b = parameters.slot(module + ".lora_B.weight") else { return nil }
      return PEFTAdapter.Factors(
        module: module, inputSize: slot.shape[1], outputSize: b.shape[0],
        alpha: alphas[module].map { Double(doubling) * Double($0) },
        a: rowsAboveStart(slot.name), b: columnsBesideStart(b.name))
    }
    let layers = (0..<model.layerCount).filter { layer in
      configuration.targets.contains { rank(of: $0, layer: layer) != nil }
    }
    try PEFTAdapter(
      rank: doubling * configuration.rank, alpha: Double(doubling) * Double(configuration.alpha),
      dropout: Double(configuration.dropout), baseModel: baseModel,
      layers: layers.count == model.layerCount ? nil : layers, factors: factors
    ).write(to: folder)
  }

  /// A [r, in], or [A; A₀] [2r, in] where there is a start.
  func rowsAboveStart(_ name: String) -> [Float] {
    Array(parameters[name]) + (start.map { Array($0[name]) } ?? [])
  }

  /// B [out, r], or [B, -B₀] [out, 2r] where there is a start.
  func columnsBesideStart(_ name: String) -> [Float] {
    let values = Array(parameters[name])
    guard let start = start.map({ Array($0[name]) }), let slot = parameters.slot(name) else {
      return values
    }
    let rank = slot.columns
    return stride(from: 0, to: values.count, by: rank).flatMap { row in
      values[row..<row + rank] + start[row..<row + rank].map { -$0 }
    }
  }
}
