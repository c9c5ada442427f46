import Files
import Foundation

/// The code that runs, as git has it.
package struct CodeVersion: Sendable {
  /// The checked-out commit; `unknown` outside a repository.
  package let commit: String
  /// The changes of tracked files since the commit, as a patch. Results are not code.
  private let patch: String

  package init(of folder: String = ".") {
    let head = Self.git(["rev-parse", "HEAD"], folder)?.trimmingCharacters(in: .newlines)
    commit = head ?? "unknown"
    patch =
      Self.git(
        [
          "diff", "--no-ext-diff", "--no-color", "--binary", "HEAD", "--", ":/",
          ":(top,exclude)results",
        ],
        folder
      ) ?? ""
  }

  package var isModified: Bool { !patch.isEmpty }

  /// The commit as results cite it, in full and with 12 digits.
  package var citation: String { commit + (isModified ? "+modified" : "") }
  package var shortCitation: String { commit.prefix(12) + (isModified ? "+modified" : "") }

  /// Differs if tracked code does.
  package var key: String { commit + (isModified ? "+\(SHA256.hex(of: patch))" : "") }

  private static func git(_ arguments: [String], _ folder: String) -> String? {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
    process.arguments = ["git", "-C", folder] + arguments
    let pipe = Pipe()
    process.standardOutput = pipe
    process.standardError = FileHandle.nullDevice
    guard (try? process.run()) != nil else { return nil }
    let data = pipe.fileHandleForReading.readDataToEndOfFile()
    process.waitUntilExit()
    return process.terminationStatus == 0 ? String(decoding: data, as: UTF8.self) : nil
  }
}
