import Experiments
import Files
import Foundation
import Synchronization
import TestSupport
import Testing

@Suite struct StageStoreTests {
  private struct Mishap: Error {}

  private func key(_ name: String = "key") -> Provenance {
    Provenance(of: name, code: "c", inputs: [:], settings: [:])
  }

  /// Calls `body` on several threads at once; throws the first error.
  private func parallel(_ count: Int, _ body: @Sendable (Int) throws -> Void) throws {
    let failure = Mutex<(any Error)?>(nil)
    DispatchQueue.concurrentPerform(iterations: count) { index in
      do { try body(index) } catch { failure.withLock { $0 = $0 ?? error } }
    }
    if let error = failure.withLock({ $0 }) { throw error }
  }

  @Test("A stage that many threads ask for at once is made once, and each gets it whole")
  func once() throws {
    let folder = try TemporaryFolder()
    let store = StageStore(folder: folder.path)
    let log = Log()
    try parallel(8) { index in
      let path = try store.stage(key("key \(index % 2)")) { path in
        log.add("made \(index % 2)")
        try "first".write(toFile: path + "/a", atomically: true, encoding: .utf8)
        Thread.sleep(forTimeInterval: 0.02)
        try "second".write(toFile: path + "/b", atomically: true, encoding: .utf8)
      }
      let text = try String(contentsOfFile: path + "/b", encoding: .utf8)
      #expect(text == "second")
    }
    #expect(log.all.sorted() == ["made 0", "made 1"])
    #expect(folder.names().count == 2)
  }

  @Test("A making that fails leaves nothing, and the next one is a new one")
  func failure() throws {
    let folder = try TemporaryFolder()
    let store = StageStore(folder: folder.path)
    #expect(throws: Mishap.self) {
      try store.stage(key()) { path in
        try "half".write(toFile: path + "/a", atomically: true, encoding: .utf8)
        throw Mishap()
      }
    }
    #expect(folder.names() == ["\(key().id).failure.json", "claims"])
    let path = try store.stage(key()) { path in
      let names = try FileManager.default.contentsOfDirectory(atPath: path)
      #expect(names.isEmpty)
    }
    #expect(
      try JSONNode(path: path + "/provenance.json").string("run") == "key")
    #expect(path.hasSuffix("/" + key().id))
  }

  @Test("Where the first of several makers fails, another makes it")
  func retry() throws {
    let folder = try TemporaryFolder()
    let store = StageStore(folder: folder.path)
    let log = Log()
    try parallel(4) { _ in
      _ = try? store.stage(key()) { _ in
        log.add("tried")
        if log.all.count == 1 { throw Mishap() }
      }
    }
    #expect(log.all.count == 2 && folder.names().count == 1)
  }

  @Test("What a killed process left is not taken for the stage, nor for a part of it")
  func killed() throws {
    let folder = try TemporaryFolder()
    let path = try StageStore(folder: folder.path).stage(key()) { _ in }
    try FileManager.default.removeItem(atPath: path)
    let partial = "\(path).partial-4711"
    try FileManager.default.createDirectory(atPath: partial, withIntermediateDirectories: true)
    try "half".write(toFile: partial + "/a", atomically: true, encoding: .utf8)
    let again = try StageStore(folder: folder.path).stage(key()) { making in
      let names = try FileManager.default.contentsOfDirectory(atPath: making)
      #expect(names.isEmpty)
      try "whole".write(toFile: making + "/b", atomically: true, encoding: .utf8)
    }
    #expect(again == path && folder.names() == [key().id])
    #expect(
      try FileManager.default.contentsOfDirectory(atPath: path).sorted() == [
        "SHA256SUMS", "b", "provenance.json",
      ])
  }

  @Test(
    "A stage whose files are damaged is set aside and made again", arguments: ["a", "SHA256SUMS"])
  func damaged(name: String) throws {
    let folder = try TemporaryFolder()
    func stage(_ content: String) throws -> String {
      try StageStore(folder: folder.path).stage(key()) { path in
        try content.write(toFile: path + "/a", atomically: true, encoding: .utf8)
      }
    }
    let path = try stage("first")
    #expect(try stage("second") == path && folder.text("\(key().id)/a") == "first")
    try folder.write("fir", to: "\(key().id)/\(name)")
    #expect(try stage("third") == path && folder.text("\(key().id)/a") == "third")
    #expect(folder.names() == [key().id, key().id + ".damaged"])
    #expect(try folder.text("\(key().id).damaged/\(name)") == "fir")
    // One that lacks a file.
    try FileManager.default.removeItem(atPath: path + "/a")
    #expect(try stage("fourth") == path && folder.text("\(key().id)/a") == "fourth")
  }

  @Test("The checksums of a stage are those of sha256sum")
  func checksums() throws {
    let folder = try TemporaryFolder()
    _ = try StageStore(folder: folder.path).stage(key()) { path in
      try "abc".write(toFile: path + "/a b", atomically: true, encoding: .utf8)
    }
    // FIPS 180-2, B.1.
    let digest = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    #expect(try folder.text("\(key().id)/SHA256SUMS").hasPrefix("\(digest)  a b\n"))
  }

  @Test("A folder of another provenance is refused with what differs")
  func mismatch() throws {
    let folder = try TemporaryFolder()
    let store = StageStore(folder: folder.path)
    func provenance(_ rate: Double) -> Provenance {
      Provenance(
        of: "stage 1", code: "c", inputs: ["objective": "sft"], settings: ["rate": .number(rate)])
    }
    let path = try store.stage(provenance(0.5)) { _ in }
    try FileManager.default.moveItem(
      atPath: path, toPath: folder.path + "/" + provenance(0.25).id)
    let error = #expect(throws: FileError.self) { try store.stage(provenance(0.25)) { _ in } }
    #expect(
      error?.description.hasSuffix(
        "setting rate: expected setting rate=0.25, found setting rate=0.5") == true)
  }
}
