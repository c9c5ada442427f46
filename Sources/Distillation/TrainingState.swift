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

  /// What must be the same for a run to go on.
  private func identity() throws -> [String: String] {
    let encoder = JSONEncoder()
    encoder.outputFormatting = .sortedKeys
    return [
      "settings": String(decoding: try encoder.encode(settings), as: UTF8.self),
      "examples": String(objective.examples.count), "dropout": "\(dropout)",
    ]
  }

  /// Writes the state to `path`, the whole file or nothing.
  public func save(to path: String) throws {
    let tensors = zip(Self.parts, stores).flatMap { $1.sources(prefix: $0) }
    let metadata = try identity().merging(["steps": String(nextStep)]) { own, _ in own }
    try SafetensorsFile.save(tensors, metadata: metadata, to: path)
  }

  /// Goes on from the state at `path`. Throws a `FileError` where the file is damaged, or is
  /// of a run with other settings, examples or tensors; nothing is changed then.
  public func restore(from path: String) throws {
    let file = try SafetensorsFile(path: path)
    for (key, expected) in try identity().sorted(by: { $0.key < $1.key }) {
      guard file.metadata[key] == expected else {
        throw FileError(
          file: path, location: key, expected: expected, found: file.metadata[key] ?? "none")
      }
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
    optimiser.stepCount = steps
  }
}
