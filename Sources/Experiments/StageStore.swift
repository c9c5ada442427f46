import Files
import Foundation

/// What runs share: a folder for each stage, made once and named by the id of its provenance.
///
/// Beside the folder `ID` there may be `ID.partial-N`, which is being filled, and `ID.work`, from which a stage that was
/// interrupted is gone on with. Only the process that has the claim on `ID` writes there.
package final class StageStore: @unchecked Sendable {
  private let folder: String
  let claims: ClaimFolder
  private let pause: Duration
  private let condition = NSCondition()
  private var beingMade: Set<String> = []
  /// The stages whose files this process has made or compared with their checksums.
  private var checked: Set<String> = []

  /// `pause` is the time between two looks at a stage that another process makes.
  package init(
    folder: String, expiry: Duration = .seconds(120), pause: Duration = .milliseconds(500)
  ) {
    self.folder = folder
    self.pause = pause
    claims = ClaimFolder(folder: "\(folder)/claims", expiry: expiry)
  }

  /// The folder of the stage of this provenance; `make` fills it if it is missing.
  ///
  /// One that is being made by another run or process is waited for; `wait` is called again and again and may throw. A
  /// folder takes its name only when it is whole. One whose files are damaged is named on standard error, set aside as
  /// `ID.damaged`, and made again. Throws an error that names what differs if the folder is of another provenance.
  package func stage(
    _ provenance: Provenance, wait: () throws -> Void = {}, make: (String) throws -> Void
  ) throws -> String {
    let name = provenance.id
    condition.lock()
    while beingMade.contains(name) {
      if !condition.wait(until: Date(timeIntervalSinceNow: pause / .seconds(1))) {
        do { try wait() } catch {
          condition.unlock()
          throw error
        }
      }
    }
    beingMade.insert(name)
    condition.unlock()
    defer {
      condition.lock()
      beingMade.remove(name)
      condition.broadcast()
      condition.unlock()
    }
    while true {
      if try isWhole(provenance) {
        removeLeftovers(name)
        return path(name)
      }
      if let claim = try claims.claim(name) {
        do {
          // Another process may have made it before the claim was free.
          if try !isWhole(provenance) { try fill(provenance, claim, make) }
          try FileContents.remove(failurePath(name))
        } catch {
          if !(error is CancellationError), !claim.isLost { note("\(error)", of: name) }
          claim.release()
          throw error
        }
        claim.finish()
        return path(name)
      }
      try wait()
      Thread.sleep(forTimeInterval: pause / .seconds(1))
    }
  }

  /// The folder in which a part of the stage may keep what it goes on from. It goes when the stage is made.
  package func workFolder(_ provenance: Provenance) -> String { path(provenance.id) + ".work" }

  private func path(_ name: String) -> String { "\(folder)/\(name)" }

  /// Whether the stage with this id is there; its files are not read.
  func isMade(_ id: String) -> Bool { FileContents.exists("\(path(id))/\(Self.provenanceFile)") }

  /// Why the stage with this id could not be made the last time; nil where nothing is known of it.
  func failure(of id: String) -> String? {
    try? JSONNode(checksummedAt: failurePath(id)).string("failure")
  }

  private func failurePath(_ id: String) -> String { path(id) + ".failure.json" }

  /// The stage is missing either way, so that a note that cannot be written is no error of its own.
  private func note(_ failure: String, of id: String) {
    let json = JSONValue.members(("failure", .string(failure)))
    try? AtomicFile.write(json.withChecksum().text() + "\n", to: failurePath(id))
  }

  private func fill(_ provenance: Provenance, _ claim: Claim, _ make: (String) throws -> Void)
    throws
  {
    let path = path(provenance.id)
    // What processes left that ended while they had the claim.
    for found in try FileContents.names(inFolder: folder)
    where found.hasPrefix(provenance.id + ".partial") {
      try FileContents.removeFolder("\(folder)/\(found)")
    }
    if FileContents.exists(path) {
      try FileContents.removeFolder(path + ".damaged")
      try FileManager.default.moveItem(atPath: path, toPath: path + ".damaged")
    }
    let partial = "\(path).partial-\(UUID().uuidString)"
    try AtomicFile.makeFolder(partial)
    do {
      try make(partial)
      try AtomicFile.write(
        provenance.json.text(isIndented: true) + "\n", to: "\(partial)/\(Self.provenanceFile)")
      try FolderChecksums.write(to: partial)
      try claim.check()
      guard rename(partial, path) == 0 else {
        throw FileError(
          file: path, expected: "a path where the stage's folder can be moved",
          found: String(cString: strerror(errno)))
      }
    } catch {
      try? FileContents.removeFolder(partial)
      throw error
    }
    AtomicFile.flushFolder(folder)
    try FileContents.removeFolder(workFolder(provenance))
    noteChecked(provenance.id)
  }

  /// Removes what a process left that ended between making the stage and tidying up.
  private func removeLeftovers(_ name: String) {
    guard FileContents.exists(path(name) + ".work") || claims.hasFiles(of: name),
      let claim = try? claims.claim(name)
    else { return }
    try? FileContents.removeFolder(path(name) + ".work")
    claim.finish()
  }

  private static let provenanceFile = "provenance.json"

  /// Whether the stage is there with its files as they were written.
  private func isWhole(_ provenance: Provenance) throws -> Bool {
    let path = path(provenance.id)
    guard FileContents.exists(path) else { return false }
    guard !isChecked(provenance.id) else { return true }
    do {
      try FolderChecksums.check(path)
    } catch {
      StandardError.line("\(error); the stage is damaged and is made again")
      return false
    }
    let file = "\(path)/\(Self.provenanceFile)"
    try provenance.check(Provenance(JSONNode(path: file)), file: file)
    noteChecked(provenance.id)
    return true
  }

  private func isChecked(_ name: String) -> Bool {
    condition.lock()
    defer { condition.unlock() }
    return checked.contains(name)
  }

  private func noteChecked(_ name: String) {
    condition.lock()
    defer { condition.unlock() }
    checked.insert(name)
  }
}

/// The SHA-256 of each file of a folder, in a file that `sha256sum --check` reads.
enum FolderChecksums {
  private static let name = "SHA256SUMS"

  /// Flushes all files of `folder`, which has no folders in it, and writes their checksums.
  static func write(to folder: String) throws {
    var lines = ""
    for name in try FileContents.names(inFolder: folder) {
      let path = "\(folder)/\(name)"
      let descriptor = open(path, O_RDONLY | O_CLOEXEC)
      if descriptor >= 0 {
        fsync(descriptor)
        close(descriptor)
      }
      lines += "\(try SHA256.hex(ofFileAt: path))  \(name)\n"
    }
    try AtomicFile.write(lines, to: "\(folder)/\(name)")
  }

  /// Throws an error that names the file that is missing, or has another checksum.
  static func check(_ folder: String) throws {
    let list = "\(folder)/\(name)"
    let lines = String(decoding: try FileContents.bytes(of: list), as: UTF8.self)
    var known: [String: String] = [:]
    for line in lines.split(separator: "\n") {
      let parts = line.split(separator: " ", maxSplits: 1).map { $0.drop { $0 == " " } }
      guard parts.count == 2 else {
        throw FileError(
          file: list, location: "line \(known.count + 1)", expected: "a checksum and a name",
          found: "\"\(line)\"")
      }
      known[String(parts[1])] = String(parts[0])
    }
    guard known["provenance.json"] != nil else {
      throw FileError(file: list, expected: "a line for provenance.json", found: "none")
    }
    for (name, digest) in known.sorted(by: { $0.key < $1.key }) {
      let path = "\(folder)/\(name)"
      let found =
        FileContents.exists(path) ? try SHA256.hex(ofFileAt: path) : "no such file"
      guard found == digest else {
        throw FileError(
          file: path, location: "sha256", expected: "\(digest), as in \(list)", found: found)
      }
    }
  }
}
