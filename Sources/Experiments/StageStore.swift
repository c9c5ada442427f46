import Files
import Foundation

/// What runs share: a folder for each stage, made once and named by the id of its provenance.
package final class StageStore: @unchecked Sendable {
  private let folder: String
  private let condition = NSCondition()
  private var beingMade: Set<String> = []

  package init(folder: String) { self.folder = folder }

  /// The folder of the stage of this provenance; `make` fills it if it is missing.
  ///
  /// One that is being made by another run is waited for. A folder takes its name only when it is
  /// whole. Throws an error that names what differs if the folder is of another provenance.
  package func stage(_ provenance: Provenance, make: (String) throws -> Void) throws -> String {
    let name = provenance.id
    let path = "\(folder)/\(name)"
    condition.lock()
    while beingMade.contains(name) { condition.wait() }
    if FileContents.exists(path) {
      condition.unlock()
      try check(provenance, path)
      return path
    }
    beingMade.insert(name)
    condition.unlock()
    defer {
      condition.lock()
      beingMade.remove(name)
      condition.broadcast()
      condition.unlock()
    }
    let partial = "\(path).partial-\(ProcessInfo.processInfo.processIdentifier)"
    // Process numbers are reused, and a killed process may have left this folder.
    try? FileManager.default.removeItem(atPath: partial)
    try FileManager.default.createDirectory(atPath: partial, withIntermediateDirectories: true)
    do {
      try make(partial)
      try AtomicFile.write(
        provenance.json.text(isIndented: true) + "\n", to: "\(partial)/\(Self.file)")
    } catch {
      try? FileManager.default.removeItem(atPath: partial)
      throw error
    }
    // Another process may have made the same stage in the meantime; then that one is used.
    do {
      try FileManager.default.moveItem(atPath: partial, toPath: path)
    } catch  where FileManager.default.fileExists(atPath: path) {
      try? FileManager.default.removeItem(atPath: partial)
    }
    return path
  }

  /// The name of the file in a stage's folder that holds its provenance.
  private static let file = "provenance.json"

  private func check(_ provenance: Provenance, _ path: String) throws(FileError) {
    let file = "\(path)/\(Self.file)"
    try provenance.check(Provenance(JSONNode(path: file)), file: file)
  }
}
