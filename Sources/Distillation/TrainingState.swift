import Checkpoints
import Files
import Foundation
import LanguageModel

/// The state of a run between two steps, in one safetensors file: the trained tensors, the
/// optimiser's moments, the steps taken, what they amount to, the settings, and a checksum of all; and, where
/// the objective compares with them, the examples' last losses; and of a run that is validated, what its validations
/// amount to and the parameters of the best one.
///
/// Data order and dropout follow from the seed and the step, so that a run that goes on from here
/// takes the steps it would have taken, bit for bit.
extension Trainer {
  private static let lengthKey = "setting length"
  private static let checksumKey = "sha256 state"

  /// The tensors, and what their names in the file begin with.
  private var parts: [(prefix: String, store: ParameterStore)] {
    [
      ("parameter.", decoder.trainable), ("first_moment.", optimiser.firstMoments),
      ("second_moment.", optimiser.secondMoments),
    ] + (lastLosses.map { [("example.", $0)] } ?? []) + (best.map { [("best.", $0)] } ?? [])
  }

  /// What must be the same for a run to go on, by key: the caller's `provenance`, every setting, the adapter, the
  /// workers, the validation's settings, and a checksum of the examples.
  private func identity(_ provenance: [String: String]) throws -> [String: String] {
    func members(_ value: some Encodable, _ name: String) throws -> [(String, String)] {
      let encoder = JSONEncoder()
      encoder.outputFormatting = .sortedKeys
      let node = JSONNode(
        try JSONValue([UInt8](try encoder.encode(value)), file: name), file: name)
      return try node.members().map { ("\(name) \($0.key)", $0.node.value.text()) }
    }
    var identity = provenance
    var parts = try members(settings, "setting")
    if let adapter = decoder.adapter { parts += try members(adapter.configuration, "adapter") }
    if let validation { parts += try members(validation.settings, "validation") }
    for (key, value) in parts { identity[key] = value }
    identity["dropout"] = "\(dropout)"
    identity["examplesPerMean"] = "\(objective.examplesPerMean)"
    identity["workers"] = "\(workers.count)"
    identity["precision"] = workers.precision.rawValue
    identity["sha256 examples"] = examplesChecksum
    return identity
  }

  /// SHA-256 of the tokens, weights and reference losses of `examples` in their order.
  static func checksum(of examples: [TrainingExample]) -> String {
    var hash = SHA256()
    for example in examples {
      for segment in example.tree.segments {
        hash.update(
          Array("\(segment.parent ?? -1) \(segment.tokens.count) \(segment.tokens)\n".utf8))
        segment.weights.withUnsafeBytes { hash.update($0) }
        (segment.references ?? []).withUnsafeBytes { hash.update($0) }
      }
      hash.update(Array("\n".utf8))
    }
    return hash.hexDigest()
  }

  /// What changes from step to step beside the tensors, each number by its key.
  private var progress: [String: String] {
    var progress = [
      "steps": "\(nextStep)", "optimiser_steps": "\(optimiser.stepCount)",
      "rate_factor": "\(rateFactor)", "skipped_in_a_row": "\(skippedInARow)",
      "first_loss": "\(totals.firstLoss)", "last_loss": "\(totals.lastLoss)",
      "gradient_norm_sum": "\(totals.gradientNormSum)", "seconds": "\(totals.seconds)",
      "useful_tokens": "\(totals.usefulTokens)", "updates": "\(totals.updates)",
      "skipped_steps": "\(totals.skippedSteps)", "chosen_steps": "\(totals.chosen.steps)",
      "chosen_first_sum": "\(totals.chosen.firstSum)", "chosen_recent": "\(totals.chosen.recent)",
      "chosen_collapse": "\(totals.chosen.collapse ?? -1)",
    ]
    if validation != nil {
      progress["best_step"] = "\(validations.best?.step ?? 0)"
      progress["best_value"] = "\(validations.best?.value ?? 0)"
      progress["validations_without_improvement"] = "\(validations.withoutImprovement)"
    }
    return progress
  }

  /// Writes the state to `path`, the whole file or nothing. `provenance` is what else the run depends
  /// on, by key: the objective with its parameters, the model, the data.
  ///
  /// Throws a `TrainingError` where a parameter is not finite, and leaves the file as it was.
  public func save(to path: String, provenance: [String: String] = [:]) throws {
    try checkParameters()
    var metadata = try identity(provenance).merging(progress) { own, _ in own }
    let digests = try digests { part in
      var hash = SHA256()
      for slot in part.store.slots {
        hash.update(UnsafeRawBufferPointer(UnsafeBufferPointer(part.store[slot.name])))
      }
      return hash.hexDigest()
    }
    metadata[Self.checksumKey] = Self.checksum(metadata, digests)
    let tensors = parts.flatMap { $0.store.sources(prefix: $0.prefix) }
    try SafetensorsFile.save(tensors, metadata: metadata, to: path)
  }

  /// The results of `digest` for the parts of the state, computed side by side.
  private func digests(
    _ digest: @escaping ((prefix: String, store: ParameterStore)) throws -> String
  ) throws -> [String] {
    let results = DigestResults(count: parts.count)
    try parallel(parts.count, sharing: (digest, parts, results)) { index, shared in
      let (digest, parts, results) = shared
      results.values[index] = try digest(parts[index])
    }
    return Array(results.values)
  }

  /// The digest of the tensors' digests and of the metadata, but for what the writer of the file adds.
  private static func checksum(_ metadata: [String: String], _ digests: [String]) -> String {
    let lines = metadata.filter { $0.key != checksumKey && $0.key != "format" }
      .sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)\n" }
    return SHA256.hex(of: lines.joined() + digests.joined(separator: "\n"))
  }

  /// The state at `path` with its tensors by name. Throws where the file cannot be read, or is not as it was written.
  func intactState(_ path: String) throws -> (metadata: [String: String], [String: StoredTensor]) {
    let file = try SafetensorsFile(path: path)
    let tensors = file.tensorsByName
    let digests = try digests { part in
      var hash = SHA256()
      for slot in part.store.slots {
        // One that is missing is an error of its own, later.
        guard let tensor = tensors[part.prefix + slot.name] else { continue }
        tensor.values.withUnsafeBytes { hash.update($0) }
      }
      return hash.hexDigest()
    }
    let checksum = Self.checksum(file.metadata, digests)
    // A state with other tensors is none that was damaged, but one of another run.
    let names = Set(parts.flatMap { part in part.store.slots.map { part.prefix + $0.name } })
    guard file.metadata[Self.checksumKey] == checksum || Set(tensors.keys) != names else {
      throw FileError(
        file: path, location: Self.checksumKey, expected: "\(checksum), that of the content",
        found: file.metadata[Self.checksumKey] ?? "none")
    }
    return (file.metadata, tensors)
  }

  /// Goes on from the state at `path`. Throws a `FileError` if the file is damaged, or is of a run with
  /// another provenance, other settings, examples or tensors, and names all that differs; nothing is
  /// changed then.
  ///
  /// The length may differ where the schedule does not depend on it, so that a run can be made longer.
  public func restore(from path: String, provenance: [String: String] = [:]) throws {
    let (metadata, tensors) = try intactState(path)
    try restore(metadata, tensors, file: path, provenance: provenance)
  }

  /// The same of a file that was read.
  package func restore(
    _ metadata: [String: String], _ stored: [String: StoredTensor], file path: String,
    provenance: [String: String]
  ) throws {
    let identity = try identity(provenance)
    let known = metadata.keys.filter {
      progress[$0] == nil && !["format", Self.checksumKey].contains($0)
    }
    let differing = Set(identity.keys).union(known).filter {
      metadata[$0] != identity[$0]
        && !($0 == Self.lengthKey && !settings.schedule.dependsOnLength)
    }.sorted()
    if !differing.isEmpty {
      func list(_ values: [String: String]) -> String {
        differing.map { "\($0)=\(values[$0] ?? "none")" }.joined(separator: ", ")
      }
      throw FileError(
        file: path, location: differing.joined(separator: ", "),
        expected: list(identity)
          + (differing.contains(Self.lengthKey)
            ? " (the learning rate's schedule ends with the run, whose length cannot change)" : ""),
        found: list(metadata))
    }
    func number<Number: LosslessStringConvertible & Comparable>(
      _ key: String, in range: ClosedRange<Number>
    ) throws(FileError) -> Number {
      let number = metadata[key].flatMap { Number($0) }
      guard let number, range.contains(number) else {
        throw FileError(
          file: path, location: key,
          expected: "a number from \(range.lowerBound) to \(range.upperBound)",
          found: metadata[key] ?? "none")
      }
      return number
    }
    func count(_ key: String) throws(FileError) -> Int { try number(key, in: 0...1 << 60) }
    func sum(_ key: String) throws(FileError) -> Double {
      try number(key, in: -Double.infinity...Double.infinity)
    }
    let steps = try count("steps")
    guard (0...stepCount).contains(steps) else {
      throw FileError(
        file: path, location: "steps", expected: "at most the \(stepCount) steps of this run",
        found: "\(steps) steps taken")
    }
    var totals = TrainingTotals()
    totals.firstLoss = try sum("first_loss")
    totals.lastLoss = try sum("last_loss")
    totals.gradientNormSum = try sum("gradient_norm_sum")
    totals.seconds = try sum("seconds")
    totals.usefulTokens = try count("useful_tokens")
    totals.updates = try count("updates")
    totals.skippedSteps = try count("skipped_steps")
    totals.chosen.steps = try count("chosen_steps")
    totals.chosen.firstSum = try sum("chosen_first_sum")
    totals.chosen.recent = try sum("chosen_recent")
    let collapse = try number("chosen_collapse", in: -1...1 << 60)
    totals.chosen.collapse = collapse < 0 ? nil : collapse
    var validations = ValidationHistory()
    if validation != nil {
      let step = try count("best_step")
      let value = try sum("best_value")
      validations.best = step == 0 ? nil : .init(step: step, value: value)
      validations.withoutImprovement = try count("validations_without_improvement")
    }
    let optimiserSteps = try count("optimiser_steps")
    let rateFactor = try sum("rate_factor")
    let skippedInARow = try count("skipped_in_a_row")
    let wanted = parts.flatMap { part in
      part.store.slots.map { (part.prefix + $0.name, $0, part.store) }
    }
    for (name, slot, _) in wanted {
      guard let tensor = stored[name], tensor.description.shape == slot.shape else {
        throw FileError(
          file: path, location: "tensor \(name)", expected: "shape \(slot.shape)",
          found: stored[name].map { "\($0.description.shape)" } ?? "no such tensor")
      }
    }
    for (name, slot, store) in wanted {
      if let tensor = stored[name] { _ = store[slot.name].update(fromContentsOf: tensor.values) }
    }
    for part in parts { part.store.didChange() }
    optimiser.stepCount = optimiserSteps
    nextStep = steps
    self.totals = totals
    self.validations = validations
    self.rateFactor = rateFactor
    self.skippedInARow = skippedInARow
  }
}

/// Texts that threads write, each to an index of its own.
private final class DigestResults {
  let values: UnsafeMutableBufferPointer<String>

  init(count: Int) {
    values = .allocate(capacity: count)
    values.initialize(repeating: "")
  }

  deinit {
    values.deinitialize()
    values.deallocate()
  }
}
