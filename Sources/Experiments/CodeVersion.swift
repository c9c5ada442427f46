import Files
import Foundation

/// The code that runs, as git has it.
package struct CodeVersion: Sendable {
  /// The checked-out commit; outside a repository `program-` and the SHA-256 of the program.
  package let commit: String
  package let isModified: Bool
  /// Differs if tracked code does.
  package let key: String

  /// That of the repository in `folder`: its commit, and the changes of tracked files since then. Results are not code.
  package init(of folder: String = ".") {
    let head = Self.git(["rev-parse", "HEAD"], folder)?.trimmingCharacters(in: .newlines)
    commit = head ?? Self.program
    let patch =
      Self.git(
        [
          "diff", "--no-ext-diff", "--no-color", "--binary", "HEAD", "--", ":/",
          ":(top,exclude)results",
        ],
        folder
      ) ?? ""
    isModified = !patch.isEmpty
    key = commit + (isModified ? "+\(SHA256.hex(of: patch))" : "")
  }

  /// What stands for the commit where there is none.
  private static let program: String = {
    let path = Bundle.main.executablePath ?? CommandLine.arguments[0]
    return "program-" + ((try? SHA256.hex(ofFileAt: path)) ?? "unknown")
  }()

  /// The one with the key `key`: what a copy of a program was built from, wherever it runs.
  init(key: String) {
    let parts = key.split(separator: "+", maxSplits: 1)
    commit = parts.first.map(String.init) ?? "unknown"
    isModified = parts.count > 1
    self.key = key
  }

  /// The commit as results cite it, in full and with 12 digits.
  package var citation: String { commit + (isModified ? "+modified" : "") }
  package var shortCitation: String { commit.prefix(12) + (isModified ? "+modified" : "") }

  private static func git(_ arguments: [String], _ folder: String) -> String? {
    guard let outcome = try? ExternalCommand().run(["git", "-C", folder] + arguments),
      outcome.status == 0
    else { return nil }
    return outcome.output
  }
}
