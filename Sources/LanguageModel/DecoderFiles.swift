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
}

extension LowRankAdapter {
  /// The adapter that PEFT wrote for a model of this shape.
  ///
  /// Throws a `FileError` that names `file` where it adapts something else than the seven
  /// projections of every layer it names, or has other shapes.
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
    self.init(
      empty: LowRankConfiguration(
        rank: stored.rank, alpha: Float(stored.alpha), dropout: Float(stored.dropout),
        targets: model.projections.filter(targets.contains)), for: model)
    var missing = Set(parameters.slots.map(\.name))
    for factors in stored.factors {
      for (side, values, shape) in [
        ("A", factors.a, [stored.rank, factors.inputSize]),
        ("B", factors.b, [factors.outputSize, stored.rank]),
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
        missing.remove(name)
      }
    }
    if let name = missing.min() {
      throw FileError(
        file: file, location: "tensor \(name)", expected: "one for every layer",
        found: "no such tensor")
    }
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
        a: rowsAboveStart(slot.name), b: columnsBesideStart(b.name))
    }
    try PEFTAdapter(
      rank: doubling * configuration.rank, alpha: Double(doubling) * Double(configuration.alpha),
      dropout: Double(configuration.dropout), baseModel: baseModel, factors: factors
    ).write(to: folder)
  }

  /// A [r, in], or [A; A₀] [2r, in] where there is a start.
  func rowsAboveStart(_ name: String) -> [Float] {
    Array(parameters[name]) + (start.map { Array($0[name]) } ?? [])
  }

  /// B [out, r], or [B, -B₀] [out, 2r] where there is a start.
  func columnsBesideStart(_ name: String) -> [Float] {
    let values = Array(parameters[name])
    guard let start = start.map({ Array($0[name]) }) else { return values }
    let rank = configuration.rank
    return stride(from: 0, to: values.count, by: rank).flatMap { row in
      values[row..<row + rank] + start[row..<row + rank].map { -$0 }
    }
  }
}
