import Files
import Foundation
import Synchronization
import TestSupport
import Testing

@Suite struct FileWritingTests {
  @Test(
    "A symbolic link stays, and the file that it leads to is replaced, be it missing or in another folder"
  )
  func links() throws {
    let folder = try TemporaryFolder()
    try FileManager.default.createDirectory(
      atPath: folder.path + "/other", withIntermediateDirectories: true)
    try folder.write("before", to: "other/file")
    for (link, target) in [("link", "other/file"), ("second", "link"), ("new", "other/missing")] {
      try FileManager.default.createSymbolicLink(
        atPath: folder.path + "/" + link, withDestinationPath: target)
      try AtomicFile.write(link, to: folder.path + "/" + link)
      let attributes = try FileManager.default.attributesOfItem(atPath: folder.path + "/" + link)
      #expect(attributes[.type] as? FileAttributeType == .typeSymbolicLink)
      #expect(try folder.text(link) == link)
    }
    #expect(try folder.text("other/file") == "second" && folder.text("other/missing") == "new")
    #expect(folder.names("other") == ["file", "missing"])
    for (link, target) in [("x", "y"), ("y", "x")] {
      try FileManager.default.createSymbolicLink(
        atPath: folder.path + "/" + link, withDestinationPath: target)
    }
    #expect(throws: FileError.self) { try AtomicFile.write("", to: folder.path + "/x") }
  }

  @Test("A pipe and a device take the bytes and stay")
  func streams() throws {
    let folder = try TemporaryFolder()
    let pipe = folder.path + "/pipe"
    try #require(mkfifo(pipe, 0o600) == 0)
    // Opened for both, it does not wait for a writer.
    let reader = open(pipe, O_RDWR)
    defer { close(reader) }
    try AtomicFile.write("through", to: pipe)
    var bytes = [UInt8](repeating: 0, count: 7)
    #expect(read(reader, &bytes, 7) == 7 && String(decoding: bytes, as: UTF8.self) == "through")
    var status = stat()
    #expect(stat(pipe, &status) == 0 && status.st_mode & S_IFMT == S_IFIFO)
    // A node of its own with the numbers of /dev/full; only root may make one.
    let full = folder.path + "/full"
    guard mknod(full, S_IFCHR | 0o600, dev_t(1 << 8 | 7)) == 0 else { return }
    let error = #expect(throws: FileError.self) { try AtomicFile.write("x", to: full) }
    #expect(error?.file == full && error?.found == String(cString: strerror(ENOSPC)))
    #expect(stat(full, &status) == 0 && status.st_mode & S_IFMT == S_IFCHR)
    #expect(folder.names() == ["full", "pipe"])
  }

  @Test(
    "What an ended process of this host left of a file goes, what a living or a foreign one writes stays"
  )
  func abandoned() throws {
    let folder = try TemporaryFolder()
    // A file under construction shows the form of the names.
    let file = try AtomicFile(path: folder.path + "/file")
    let name = try #require(folder.names().first)
    let own = ProcessIdentity.current
    #expect(name.hasPrefix("file.partial-") && name.contains("-\(own.number)-\(own.start)-"))
    let ended = name.replacing("-\(own.number)-", with: "-4194304-")
    let reused = name.replacing("-\(own.start)-", with: "-1-")
    let foreign = "file.partial-00000000-4194304-1-1"
    let others = ["file2.partial-x", "another.partial-1"]
    for name in [ended, reused, foreign] + others { try folder.write("half", to: name) }
    try AtomicFile.write("whole", to: folder.path + "/file")
    #expect(folder.names() == (["file", name, foreign] + others).sorted())
    try file.commit()
    #expect(try folder.text("file").isEmpty)
  }

  @Test("A folder in the place of a file, and a file in the place of a folder, are errors")
  func places() throws {
    let folder = try TemporaryFolder()
    let inPlace = #expect(throws: FileError.self) { try AtomicFile.write("", to: folder.path) }
    #expect(inPlace?.found == "a folder")
    try folder.write("", to: "file")
    let below = #expect(throws: FileError.self) {
      try AtomicFile.write("", to: folder.path + "/file/x")
    }
    #expect(below?.found == "\(folder.path)/file, which is no folder")
    try AtomicFile.check(folder.path + "/a b/ü/file")
    #expect(folder.names("a b/ü").isEmpty)
    #expect(throws: FileError.self) { try AtomicFile.check(folder.path + "/file/x") }
  }

  @Test("A folder is made although others remove the one above it whenever that is empty")
  func vanishingParent() throws {
    let folder = try TemporaryFolder()
    let parent = folder.path + "/work"
    let failures = Mutex<[String]>([])
    DispatchQueue.concurrentPerform(iterations: 4) { thread in
      for _ in 0..<1000 {
        do {
          try AtomicFile.makeFolder("\(parent)/\(thread)")
          try FileContents.removeFolder("\(parent)/\(thread)")
        } catch { failures.withLock { $0.append("\(error)") } }
        FileContents.removeIfEmpty(parent)
      }
    }
    #expect(failures.withLock { $0 } == [])
  }

  @Test("A folder is removed with what is in it, and links in it are not followed")
  func removal() throws {
    let folder = try TemporaryFolder()
    try AtomicFile.write("x", to: folder.path + "/a/b/c")
    try AtomicFile.write("y", to: folder.path + "/kept/d")
    try FileManager.default.createSymbolicLink(
      atPath: folder.path + "/a/link", withDestinationPath: folder.path + "/kept")
    try FileContents.removeFolder(folder.path + "/a")
    try FileContents.removeFolder(folder.path + "/none")
    #expect(folder.names() == ["kept"] && folder.names("kept") == ["d"])
  }

  @Test("A JSON object with its checksum is read back, and any change of it is an error")
  func checksums() throws {
    let value = JSONValue.object([
      JSONMember(key: "é\"\n", value: .array([.number(0.1), .number(-0.0), .integer(3), .null])),
      JSONMember(key: "b", value: .string("\u{7f}\u{1}ü")),
    ])
    let text = value.withChecksum().text(isIndented: true)
    let node = try JSONNode(checksummed: Array(text.utf8), file: "f")
    #expect(node.value == value)
    for (old, new) in [("0.1", "0.2"), ("3", "4"), ("ü", "u"), ("sha256", "sha255")] {
      let changed = text.replacing(old, with: new, maxReplacements: 1)
      #expect(changed != text)
      let error = #expect(throws: FileError.self) {
        try JSONNode(checksummed: Array(changed.utf8), file: "f")
      }
      #expect(error?.location == "sha256")
    }
    #expect(throws: FileError.self) {
      try JSONNode(checksummed: Array(text.utf8.dropLast(9)), file: "f")
    }
    #expect(throws: FileError.self) { try JSONNode(checksummed: Array("[]".utf8), file: "f") }
  }
}
