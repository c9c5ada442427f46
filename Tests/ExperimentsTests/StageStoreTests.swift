import Experiments
import Foundation
import LanguageModel
import Testing

@Suite struct StageStoreTests {
  private struct Mishap: Error {}

  @Test("A stage that many threads ask for at once is made once, and each gets it whole")
  func once() throws {
    let folder = try TemporaryFolder()
    let store = StageStore(folder: folder.path)
    let log = Log()
    try parallel(8) { index in
      let path = try store.stage("key \(index % 2)") { path in
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
      try store.stage("key") { path in
        try "half".write(toFile: path + "/a", atomically: true, encoding: .utf8)
        throw Mishap()
      }
    }
    #expect(folder.names().isEmpty)
    let path = try store.stage("key") { path in
      let names = try FileManager.default.contentsOfDirectory(atPath: path)
      #expect(names.isEmpty)
    }
    let key = try String(contentsOfFile: path + "/key.txt", encoding: .utf8)
    #expect(key == "key")
  }

  @Test("Where the first of several makers fails, another makes it")
  func retry() throws {
    let folder = try TemporaryFolder()
    let store = StageStore(folder: folder.path)
    let log = Log()
    concurrently(4) { _ in
      _ = try? store.stage("key") { _ in
        log.add("tried")
        if log.all.count == 1 { throw Mishap() }
      }
    }
    #expect(log.all.count == 2 && folder.names().count == 1)
  }

  @Test("What a killed process left is not taken for the stage, nor for a part of it")
  func killed() throws {
    let folder = try TemporaryFolder()
    let path = try StageStore(folder: folder.path).stage("key") { _ in }
    try FileManager.default.removeItem(atPath: path)
    // As the process numbers of containers do, this one's came round again.
    let partial = "\(path).partial-\(ProcessInfo.processInfo.processIdentifier)"
    try FileManager.default.createDirectory(atPath: partial, withIntermediateDirectories: true)
    try "half".write(toFile: partial + "/a", atomically: true, encoding: .utf8)
    let again = try StageStore(folder: folder.path).stage("key") { making in
      let names = try FileManager.default.contentsOfDirectory(atPath: making)
      #expect(names.isEmpty)
      try "whole".write(toFile: making + "/b", atomically: true, encoding: .utf8)
    }
    #expect(again == path)
    #expect(try FileManager.default.contentsOfDirectory(atPath: path).sorted() == ["b", "key.txt"])
  }
}
