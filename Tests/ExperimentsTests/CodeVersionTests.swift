import Experiments
import Foundation
import TestSupport
import Testing

/// What git says of the code that runs.
@Suite struct CodeVersionTests {
  private func git(_ folder: TemporaryFolder, _ arguments: String...) throws {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
    process.arguments =
      ["git", "-C", folder.path, "-c", "user.name=t", "-c", "user.email=t@example.org"] + arguments
    process.standardOutput = FileHandle.nullDevice
    try process.run()
    process.waitUntilExit()
    #expect(process.terminationStatus == 0)
  }

  @Test("Changed code makes another version, each change its own; results do not")
  func changes() throws {
    let folder = try TemporaryFolder()
    func write(_ text: String, _ name: String) throws {
      try text.write(toFile: folder.path + "/" + name, atomically: true, encoding: .utf8)
    }
    try FileManager.default.createDirectory(
      atPath: folder.path + "/results", withIntermediateDirectories: false)
    try write("a", "main.swift")
    try write("a", "results/a.csv")
    try git(folder, "init", "--quiet")
    try git(folder, "add", ".")
    try git(folder, "commit", "--quiet", "--message", "first")

    let committed = CodeVersion(of: folder.path)
    #expect(!committed.isModified && committed.commit.count == 40)
    #expect(committed.citation == committed.commit && committed.key == committed.commit)
    try write("b", "results/a.csv")
    try write("new", "untracked")
    #expect(CodeVersion(of: folder.path).key == committed.key)
    // From a folder below, the whole is looked at.
    try write("b", "main.swift")
    let changed = CodeVersion(of: folder.path + "/results")
    #expect(changed.isModified && changed.commit == committed.commit)
    #expect(changed.citation == committed.commit + "+modified")
    #expect(changed.key == CodeVersion(of: folder.path).key && changed.key != committed.key)
    try write("c", "main.swift")
    #expect(CodeVersion(of: folder.path).key != changed.key)
  }

  @Test("Outside a repository the version is that of the program")
  func noRepository() throws {
    let version = CodeVersion(of: try TemporaryFolder().path)
    #expect(version.commit.wholeMatch(of: /program-[0-9a-f]{64}/) != nil && !version.isModified)
  }
}
