import Files
import Foundation

/// What runs share: a folder for each stage, made once and known by the hash of what made it.
package final class StageStore: @unchecked Sendable {
  private let folder: String
  private let condition = NSCondition()
  private var beingMade: Set<String> = []

  package init(folder: String) { self.folder = folder }

  /// The folder of the stage with this key; `make` fills it where it is missing.
  ///
  /// One that is being made by another run is waited for. A folder takes its name only when it is
  /// whole.
  package func stage(_ key: String, make: (String) throws -> Void) throws -> String {
    let name = String(SHA256.hex(of: key).prefix(16))
    let path = "\(folder)/\(name)"
    condition.lock()
    while beingMade.contains(name) { condition.wait() }
    if FileManager.default.fileExists(atPath: path) {
      condition.unlock()
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
    // Process numbers come round again, and with them what a killed process left.
    try? FileManager.default.removeItem(atPath: partial)
    try FileManager.default.createDirectory(atPath: partial, withIntermediateDirectories: true)
    do {
      try make(partial)
      try key.write(toFile: partial + "/key.txt", atomically: true, encoding: .utf8)
    } catch {
      try? FileManager.default.removeItem(atPath: partial)
      throw error
    }
    // Another process may have made the same one meanwhile; then its own is as good.
    do {
      try FileManager.default.moveItem(atPath: partial, toPath: path)
    } catch  where FileManager.default.fileExists(atPath: path) {
      try? FileManager.default.removeItem(atPath: partial)
    }
    return path
  }
}
