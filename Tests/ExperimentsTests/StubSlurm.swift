import Foundation
import TestSupport

/// Programs in the place of Slurm's commands: `sbatch` notes its arguments and counts jobs from 101, `squeue` prints what
/// the test wrote, `scontrol` notes what it is asked.
final class StubSlurm: Sendable {
  let folder: TemporaryFolder

  /// With the commands alone in front of the system's own programs.
  var searchPath: String { "\(folder.path)/bin:/usr/bin:/bin" }

  init() throws {
    folder = try TemporaryFolder()
    try FileManager.default.createDirectory(
      atPath: folder.path + "/bin", withIntermediateDirectories: true)
    try setQueue("")
    try program(
      "sbatch",
      """
      cd '\(folder.path)'
      [ ! -e fail ] || [ "$(cat jobs 2>/dev/null | wc -l)" -lt "$(cat fail)" ] || { echo 'no such partition' >&2; exit 1; }
      printf '%s\\n' "$*" >>jobs
      printf '%s\\0' "$@" >"job-$(wc -l <jobs)"
      echo 'a line of the site'
      echo "$((100 + $(wc -l <jobs)));cluster"
      """)
    try program(
      "squeue",
      "cd '\(folder.path)'; [ ! -e down ] || { echo 'connection refused' >&2; exit 1; }; cat queue")
    try program(
      "scontrol",
      """
      printf '%s\\n' "$*" >>'\(folder.path)/scontrol'
      [ "$1" != show ] || echo 'MaxArraySize            = 4'
      """)
  }

  func program(_ name: String, _ text: String) throws {
    try folder.write("#!/bin/sh\n\(text)\n", to: "bin/\(name)")
    try FileManager.default.setAttributes(
      [.posixPermissions: 0o755], ofItemAtPath: folder.path + "/bin/\(name)")
  }

  /// What squeue prints.
  func setQueue(_ text: String) throws { try folder.write(text, to: "queue") }

  /// From the call with this number, counted from 0, on sbatch fails; nil for never.
  func failFrom(_ call: Int?) throws {
    if let call {
      try folder.write("\(call)\n", to: "fail")
    } else {
      try FileManager.default.removeItem(atPath: folder.path + "/fail")
    }
  }

  func takeDown() throws { try folder.write("", to: "down") }

  /// The arguments of each call of sbatch.
  func jobs() throws -> [[String]] {
    let count = (try? folder.text("jobs").split(separator: "\n").count) ?? 0
    return try (0..<count).map { index in
      try folder.text("job-\(index + 1)").split(separator: "\0").map(String.init)
    }
  }

  /// The calls of scontrol, one a line.
  func requests() -> [String] {
    ((try? folder.text("scontrol")) ?? "").split(separator: "\n").map(String.init)
  }
}
