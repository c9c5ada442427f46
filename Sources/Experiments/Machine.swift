import Foundation
import LinearAlgebra

/// Where a run ran and what code it ran, for its record.
package enum Machine {
  /// Processor, cores, memory in GiB, and the BLAS core with its threads.
  package static func description() -> [String: String] {
    let memory = Double(ProcessInfo.processInfo.physicalMemory) / Double(1 << 30)
    return [
      "processor": processor,
      "cores": "\(ProcessInfo.processInfo.activeProcessorCount)",
      "memory_gib": "\((10 * memory).rounded() / 10)",
      "blas": BLAS.configuration,
      "blas_core": BLAS.coreName,
      "blas_threads": "\(BLAS.threadCount)",
      "system": ProcessInfo.processInfo.operatingSystemVersionString,
    ]
  }

  private static var processor: String {
    let lines = (try? String(contentsOfFile: "/proc/cpuinfo", encoding: .utf8)) ?? ""
    let line = lines.split(separator: "\n").first { $0.hasPrefix("model name") }
    let name = line?.split(separator: ":", maxSplits: 1).last?.trimmingCharacters(in: .whitespaces)
    return name ?? "unknown"
  }

  /// The checked-out commit and whether a tracked file differs from it; `unknown` outside a
  /// repository.
  package static func commit() -> (hash: String, isModified: Bool) {
    guard let hash = git(["rev-parse", "HEAD"])?.trimmingCharacters(in: .whitespacesAndNewlines),
      !hash.isEmpty
    else { return ("unknown", false) }
    return (hash, !(git(["status", "--porcelain", "--untracked-files=no"]) ?? "").isEmpty)
  }

  private static func git(_ arguments: [String]) -> String? {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
    process.arguments = ["git"] + arguments
    let pipe = Pipe()
    process.standardOutput = pipe
    process.standardError = FileHandle.nullDevice
    guard (try? process.run()) != nil else { return nil }
    let data = pipe.fileHandleForReading.readDataToEndOfFile()
    process.waitUntilExit()
    return process.terminationStatus == 0 ? String(decoding: data, as: UTF8.self) : nil
  }
}
