import Foundation
import Synchronization

/// A folder that goes away with this object.
package final class TemporaryFolder: Sendable {
  package let path = NSTemporaryDirectory() + "keystep-\(UUID().uuidString)"

  package init() throws {
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
  }

  deinit { try? FileManager.default.removeItem(atPath: path) }

  /// The names in the folder `name`, sorted; none where it does not exist.
  package func names(_ name: String = "", ending: String = "") -> [String] {
    ((try? FileManager.default.contentsOfDirectory(atPath: "\(path)/\(name)")) ?? [])
      .filter { $0.hasSuffix(ending) }.sorted()
  }

  package func text(_ name: String) throws -> String {
    try String(contentsOfFile: "\(path)/\(name)", encoding: .utf8)
  }

  package func write(_ text: String, to name: String) throws {
    try text.write(toFile: "\(path)/\(name)", atomically: true, encoding: .utf8)
  }
}

/// What happened, in the order in which threads say so.
package final class Log: Sendable {
  private let lines = Mutex<[String]>([])

  package init() {}

  package func add(_ line: String) { lines.withLock { $0.append(line) } }
  package var all: [String] { lines.withLock { $0 } }
}
