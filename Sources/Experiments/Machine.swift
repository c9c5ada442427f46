import Files
import Foundation

/// Where a run ran, for its record.
package enum Machine {
  /// Processor, cores that may be used, memory in GiB, and the system.
  package static func description() -> [String: String] {
    let memory = Double(ProcessInfo.processInfo.physicalMemory) / Double(1 << 30)
    return [
      "processor": processor,
      "cores": "\(AvailableCores.count)",
      "memory_gib": "\((10 * memory).rounded() / 10)",
      "system": ProcessInfo.processInfo.operatingSystemVersionString,
    ]
  }

  private static var processor: String {
    let lines = (try? String(contentsOfFile: "/proc/cpuinfo", encoding: .utf8)) ?? ""
    let line = lines.split(separator: "\n").first { $0.hasPrefix("model name") }
    let name = line?.split(separator: ":", maxSplits: 1).last?.trimmingCharacters(in: .whitespaces)
    return name ?? "unknown"
  }
}
