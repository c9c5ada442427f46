import Files
import Foundation
import Testing

@Suite("JSON")
struct JSONTests {
  private func value(_ text: String) throws -> JSONValue {
    try JSONValue(text.utf8, file: "file.json")
  }

  @Test(
    "values are read as RFC 8259 defines them",
    arguments: [
      ("null", JSONValue.null), (" true ", .bool(true)), ("-12", .integer(-12)),
      ("1.5e3", .number(1500)), ("9223372036854775808", .number(9_223_372_036_854_775_808)),
      (#""a\"\\\/\n\u00e9\ud83d\ude00""#, .string("a\"\\/\né😀")), ("[]", .array([])),
      ("[1, [2]]", .array([.integer(1), .array([.integer(2)])])),
      (
        #"{"b": 1, "a": {}}"#,
        .object([
          JSONMember(key: "b", value: .integer(1)), JSONMember(key: "a", value: .object([])),
        ])
      ),
    ])
  func read(text: String, expected: JSONValue) throws {
    #expect(try value(text) == expected)
  }

  @Test("keys that are canonically equivalent but differ in scalars are different keys")
  func keys() throws {
    let node = JSONNode(try value("{\"\u{E9}\": 1, \"e\u{301}\": 2}"), file: "f")
    #expect(try node.integer("\u{E9}") == 1)
    #expect(try node.integer("e\u{301}") == 2)
  }

  @Test("of a repeated key the last member counts")
  func repeated() throws {
    #expect(try JSONNode(value(#"{"a": 1, "a": 2}"#), file: "f").integer("a") == 2)
  }

  @Test(
    "text that is not JSON is refused with its byte offset",
    arguments: [
      ("", "byte 0"), ("{", "byte 1"), ("[1,]", "byte 3"), ("NaN", "byte 0"), ("01", "byte 0"),
      ("-", "byte 0"), ("1.", "byte 0"), ("\"a\nb\"", "byte 2"),
      ("+1", "byte 0"), ("1 2", "byte 2"), (#"{"a" 1}"#, "byte 5"), (#""\x""#, "byte 2"),
      (#""\ud800""#, "byte 7"), (#""abc"#, "byte 4"), ("[1e999999]", "byte 1"),
    ])
  func refused(text: String, location: String) {
    let error = #expect(throws: FileError.self) { try value(text) }
    #expect(error?.file == "file.json")
    #expect(error?.location == location)
  }

  @Test("nesting is limited, so that a hostile file cannot exhaust the stack")
  func depth() throws {
    let deepest = JSONValue.maximumDepth
    _ = try value(String(repeating: "[", count: deepest) + String(repeating: "]", count: deepest))
    let error = #expect(throws: FileError.self) {
      try value(String(repeating: "[", count: 100_000))
    }
    #expect(error?.expected == "at most \(deepest) levels of nesting")
  }

  @Test("text that is written is read back as the same value, indented or not")
  func written() throws {
    let original: JSONValue = .object([
      "text": .string("a\"\\\n\t\u{1}é😀"), "list": .array([.integer(1), .number(0.1), .null]),
      "empty": .array([]), "object": .object([JSONMember(key: "z", value: .bool(false))]),
    ])
    #expect(try value(original.text()) == original)
    #expect(try value(original.text(isIndented: true)) == original)
    #expect(
      original.text()
        == #"{"empty":[],"list":[1,0.1,null],"object":{"z":false},"text":"a\"\\\n\t\u0001é😀"}"#)
  }

  @Test("errors name the line of a JSON Lines file and the path of keys")
  func locations() throws {
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent(UUID().uuidString)
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    let path = folder.appendingPathComponent("data.jsonl").path
    // A byte order mark, a blank line, and line ends of Windows.
    try Data("\u{FEFF}{\"a\": [{\"b\": 1}]}\r\n\r\n{\"c\": null}\n".utf8).write(
      to: URL(fileURLWithPath: path))
    let lines = try JSONLinesFile.objects(of: path)
    #expect(lines.map(\.line) == ["line 1", "line 3"])
    let error = #expect(throws: FileError.self) { try lines[0].elements("a")[0].string("b") }
    #expect(error?.description == "\(path): line 1, a[0].b: expected a string, found 1")
    let missing = #expect(throws: FileError.self) { try lines[1].filledString("d") }
    #expect(
      missing?.description == "\(path): line 3, d: expected a string, found only the keys \"c\"")
    #expect(try lines[1].optionalString("c") == nil)
  }

  @Test("a line that is no object is refused", arguments: ["[1]", "3", "{\"a\": }"])
  func badLine(line: String) throws {
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent(UUID().uuidString)
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    let path = folder.appendingPathComponent("data.jsonl").path
    try Data("{}\n\(line)\n".utf8).write(to: URL(fileURLWithPath: path))
    let error = #expect(throws: FileError.self) { try JSONLinesFile.objects(of: path) }
    #expect(error?.location?.hasPrefix("line 2") == true)
  }
}

@Suite("Files on disk")
struct FileTests {
  private let folder = FileManager.default.temporaryDirectory
    .appendingPathComponent("keystep-files-\(UUID().uuidString)").path

  @Test("a file that is written atomically appears whole, with the folders above it")
  func atomic() throws {
    defer { try? FileManager.default.removeItem(atPath: folder) }
    let path = folder + "/a/b/file.txt"
    try AtomicFile.write("one", to: path)
    try AtomicFile.write("two", to: path)
    #expect(try FileContents.bytes(of: path) == Array("two".utf8))
    #expect(try FileManager.default.contentsOfDirectory(atPath: folder + "/a/b") == ["file.txt"])
  }

  @Test("a file that is not committed leaves nothing behind")
  func abandoned() throws {
    defer { try? FileManager.default.removeItem(atPath: folder) }
    try AtomicFile.makeFolder(folder)
    do {
      let file = try AtomicFile(path: folder + "/file.txt")
      try file.write("half")
    }
    #expect(try FileManager.default.contentsOfDirectory(atPath: folder).isEmpty)
  }

  @Test("a missing file and a folder in its place are errors that name the path")
  func unreadable() {
    let missing = #expect(throws: FileError.self) { try FileContents.bytes(of: folder + "/none") }
    #expect(missing?.description == "\(folder)/none: expected a readable file, found no such file")
    let isFolder = #expect(throws: FileError.self) { try FileContents.bytes(of: "/") }
    #expect(isFolder?.file == "/")
    let mapped = #expect(throws: FileError.self) { try MappedFile(path: folder + "/none") }
    #expect(mapped?.expected == "a readable file")
  }
}
