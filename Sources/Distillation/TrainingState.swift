import Checkpoints
import Files
import Foundation
import LanguageModel

/// The state of a run between two steps, in one safetensors file: the trained tensors, the
/// optimiser's moments, the steps taken and the settings.
///
/// Data order and dropout follow from the seed and the step, so that a run that goes on from here
/// takes the steps it would have taken, bit for bit.
extension Trainer {
  private static let parts = ["parameter.", "first_moment.", "second_moment."]

  private var stores: [ParameterStore] {
    [decoder.trainable, optimiser.firstMoments, optimiser.secondMoments]
  }

  /// What must be the same for a run to go on, by key: the caller's `provenance`, every setting, and a
  /// checksum of the examples.
  private func identity(_ provenance: [String: String]) throws -> [String: String] {
    let encoder = JSONEncoder()
    encoder.outputFormatting = .sortedKeys
    let encoded = [UInt8](try encoder.encode(settings))
    var identity = provenance
    for (key, node) in try JSONNode(JSONValue(encoded, file: "settings"), file: "settings")
      .members()
    {
      identity["setting \(key)"] = node.value.text()
    }
    identity["dropout"] = "\(dropout)"
    identity["examplesPerMean"] = "\(objective.examplesPerMean)"
    identity["sha256 examples"] = examplesChecksum
    return identity
  }

  /// SHA-256 of the examples' tokens, weights and reference losses in their order.
  private var examplesChecksum: String {
    var hash = SHA256()
    for example in objective.examples {
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

  /// Writes the state to `path`, the whole file or nothing. `provenance` is what else the run depends
  /// on, by key: the objective with its parameters, the model, the data.
  public func save(to path: String, provenance: [String: String] = [:]) throws {
    let tensors = zip(Self.parts, stores).flatMap { $1.sources(prefix: $0) }
    let metadata = try identity(provenance).merging(["steps": String(nextStep)]) { own, _ in own }
    try SafetensorsFile.save(tensors, metadata: metadata, to: path)
  }

  /// Goes on from the state at `path`. Throws a `FileError` if the file is damaged, or is of a run with
  /// another provenance, other settings, examples or tensors, and names all that differs; nothing is
  /// changed then.
  public func restore(from path: String, provenance: [String: String] = [:]) throws {
    let file = try SafetensorsFile(path: path)
    let identity = try identity(provenance)
    let differing = identity.keys.filter { file.metadata[$0] != identity[$0] }.sorted()
    if !differing.isEmpty {
      func list(_ values: [String: String]) -> String {
        differing.map { "\($0)=\(values[$0] ?? "none")" }.joined(separator: ", ")
      }
      throw FileError(
        file: path, location: differing.joined(separator: ", "), expected: list(identity),
        found: list(file.metadata))
    }
    guard let steps = file.metadata["steps"].flatMap({ Int($0) }), steps >= 0 else {
      throw FileError(
        file: path, location: "steps", expected: "the number of steps taken",
        found: file.metadata["steps"] ?? "none")
    }
    let stored = Dictionary(
      uniqueKeysWithValues: file.tensors.map { ($0.description.name, $0) })
    let wanted = zip(Self.parts, stores).flatMap { prefix, store in
      store.slots.map { (prefix + $0.name, $0, store) }
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
    for store in stores { store.didChange() }
    optimiser.stepCount = steps
  }
}
