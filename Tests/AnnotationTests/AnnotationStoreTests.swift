import Annotation
import Files
import Foundation
import GRDB
import Reasoning
import Teachers
import Testing

@Suite("The annotation store")
struct AnnotationStoreTests {
  private let folder: Folder
  private let answer = TeacherAnswer(texts: ["So 1 + 1 = 2."], promptTokens: 7, completionTokens: 8)

  init() throws { folder = try Folder() }

  private func key(_ id: String) -> AnnotationKey {
    AnnotationKey(
      teacher: "t", prompt: prompt(id), sampling: TeacherSampling(temperature: 0, maximumTokens: 9))
  }

  private func isGranted(_ claim: AnnotationStore.Claim) -> Bool {
    if case .granted = claim { true } else { false }
  }

  @Test("An answer is kept byte for byte, with its counts, its time and its date")
  func round() throws {
    let texts = [
      "", " two\r\nlines\n\n", "zero \0 byte", "e\u{301} and \u{e9}", "\u{feff}🧮 \u{2028}\"\\/",
    ]
    let answer = TeacherAnswer(
      texts: texts, promptTokens: 3, completionTokens: nil, ending: .toolCall, omitted: ["seed"])
    let date = Date(timeIntervalSince1970: 1_700_000_000.25)
    do {
      let store = try AnnotationStore(path: folder["store"])
      #expect(try store.answer(key("1")) == nil)
      try store.record(answer, for: key("1"), seconds: 1.5, date: date)
    }
    let stored = try #require(
      try AnnotationStore(path: folder["store"]).answer(key("1")))
    #expect(stored == StoredAnswer(answer: answer, seconds: 1.5, date: date))
    // Swift holds canonically equal texts equal; their bytes need not be.
    #expect(stored.answer.texts.map { Array($0.utf8) } == texts.map { Array($0.utf8) })
    #expect(try AnnotationStore(path: folder["store"]).answer(key("2")) == nil)
  }

  @Test("A row says who was asked what, and how")
  func row() throws {
    let store = try AnnotationStore(path: folder["store"])
    try store.record(answer, for: key("1"), seconds: 1)
    let row = try DatabaseQueue(path: folder["store"]).read {
      try #require(try Row.fetchOne($0, sql: "SELECT * FROM answers"))
    }
    func text(_ column: String) -> String { row[column] ?? "" }
    #expect(text("key") == key("1").hash)
    #expect(text("teacher") == "t")
    #expect(text("step") == "annotate")
    #expect(text("question") == "1")
    #expect(text("prompt") == "Q: 1?")
    #expect(
      text("sampling")
        == #"{"attempt":0,"maximumTokens":9,"seed":0,"stop":[],"temperature":0}"#)
    #expect(text("texts") == #"["So 1 + 1 = 2."]"#)
    let tokens: [Int] = [row["prompt_tokens"], row["completion_tokens"]]
    #expect(tokens == [7, 8])
  }

  @Test("The first answer to a key stays")
  func first() throws {
    let store = try AnnotationStore(path: folder["store"])
    try store.record(answer, for: key("1"), seconds: 1)
    let second = try store.record(TeacherAnswer(texts: ["other"]), for: key("1"), seconds: 1)
    #expect(second.answer == answer)
    #expect(try store.answer(key("1"))?.answer == answer)
  }

  @Test("A store that many open at once is made once, and takes what all of them record")
  func manyOpeners() async throws {
    let path = folder["store"]
    try await withThrowingTaskGroup(of: Void.self) { group in
      for opener in 0..<8 {
        group.addTask {
          let store = try AnnotationStore(path: path)
          for id in 0..<10 {
            try store.record(
              TeacherAnswer(texts: ["\(opener) \(id)"]), for: key("\(opener) \(id)"), seconds: 0)
          }
        }
      }
      try await group.waitForAll()
    }
    let store = try AnnotationStore(path: path)
    for opener in 0..<8 {
      for id in 0..<10 {
        #expect(try store.answer(key("\(opener) \(id)"))?.answer.texts == ["\(opener) \(id)"])
      }
    }
  }

  @Test("What a killed process leaves has every answer it recorded and nothing half-written")
  func killed() async throws {
    let store = try AnnotationStore(path: folder["store"])
    for id in 0..<20 { try store.record(answer, for: key("\(id)"), seconds: 0) }
    #expect(isGranted(try store.claim(key("asked"))))
    // A second connection stands in the midst of writing while the files are copied as they lie:
    // what a kill at this moment would leave.
    let other = try DatabaseQueue(path: folder["store"])
    try other.inTransaction(.immediate) { connection in
      try connection.execute(sql: "PRAGMA cache_spill = 1; PRAGMA cache_size = 1")
      try connection.execute(sql: "UPDATE answers SET texts = 'half', prompt = zeroblob(100000)")
      for suffix in ["", "-wal"] {
        try FileManager.default.copyItem(
          atPath: folder["store\(suffix)"], toPath: folder["left\(suffix)"])
      }
      return .rollback
    }
    let left = try AnnotationStore(path: folder["left"], claimLife: 0.3)
    for id in 0..<20 { #expect(try left.answer(key("\(id)"))?.answer == answer) }
    // Its claim is that of a process that will never answer, and lapses.
    let start = Date()
    while !isGranted(try left.claim(key("asked"))) {
      try #require(Date().timeIntervalSince(start) < 10)
      try await Task.sleep(for: .milliseconds(20))
    }
  }

  @Test("A claim keeps others from asking until it is given up or answered")
  func claims() throws {
    let (one, two) = (
      try AnnotationStore(path: folder["store"]), try AnnotationStore(path: folder["store"])
    )
    #expect(isGranted(try one.claim(key("1"))))
    #expect(!isGranted(try one.claim(key("1"))))
    #expect(!isGranted(try two.claim(key("1"))))
    #expect(isGranted(try two.claim(key("2"))))
    two.release(key("1"))
    #expect(!isGranted(try two.claim(key("1"))))
    one.release(key("1"))
    #expect(isGranted(try two.claim(key("1"))))
    try two.record(answer, for: key("1"), seconds: 0)
    guard case .answered(let stored) = try one.claim(key("1")) else {
      Issue.record("an answered key was not answered")
      return
    }
    #expect(stored.answer == answer)
  }

  @Test("A claim is renewed for as long as its store lives, and lapses after it")
  func renewal() async throws {
    var one: AnnotationStore? = try AnnotationStore(path: folder["store"], claimLife: 2)
    let two = try AnnotationStore(path: folder["store"], claimLife: 2)
    #expect(isGranted(try #require(one).claim(key("1"))))
    for _ in 0..<5 {
      try await Task.sleep(for: .milliseconds(500))
      #expect(!isGranted(try two.claim(key("1"))))
    }
    one = nil
    let start = Date()
    while !isGranted(try two.claim(key("1"))) {
      try #require(Date().timeIntervalSince(start) < 10)
      try await Task.sleep(for: .milliseconds(20))
    }
  }

  @Test("A file that is no store of this version is refused, with its name, and left as it was")
  func otherFiles() throws {
    func expectRefusal(_ name: String, _ found: String) throws {
      let before = try Data(contentsOf: URL(fileURLWithPath: folder[name]))
      let error = try #require(throws: FileError.self) {
        _ = try AnnotationStore(path: folder[name])
      }
      #expect(error.file == folder[name])
      #expect(error.expected.hasPrefix("an annotation store"))
      #expect(error.found.contains(found), "\(error)")
      #expect(try Data(contentsOf: URL(fileURLWithPath: folder[name])) == before)
    }
    try Data(#"{"prompt": "a JSON line"}"#.utf8).write(
      to: URL(fileURLWithPath: folder["text"]))
    try expectRefusal("text", "another kind of file")

    try DatabaseQueue(path: folder["other"]).write {
      try $0.execute(sql: "CREATE TABLE answers (key TEXT)")
    }
    try expectRefusal("other", "an SQLite database of something else")

    for version in [0, 3] {
      let name = "version \(version)"
      _ = try AnnotationStore(path: folder[name])
      let database = try DatabaseQueue(path: folder[name])
      try database.write { try $0.execute(sql: "PRAGMA user_version = \(version)") }
      try database.close()
      try expectRefusal(name, name)
    }

    let missing = folder["no such folder/store"]
    let error = try #require(throws: FileError.self) { _ = try AnnotationStore(path: missing) }
    #expect(error.file == missing)
  }

  @Test("A store of version 1 keeps its answers and takes new ones")
  func firstVersion() throws {
    let date = Date(timeIntervalSince1970: 1_700_000_000)
    do {
      let store = try AnnotationStore(path: folder["store"])
      try store.record(answer, for: key("1"), seconds: 2, date: date)
    }
    try DatabaseQueue(path: folder["store"]).write {
      try $0.execute(
        sql: """
          ALTER TABLE answers DROP COLUMN ending;
          ALTER TABLE answers DROP COLUMN omitted;
          PRAGMA user_version = 1
          """)
    }
    for _ in 0..<2 {
      let store = try AnnotationStore(path: folder["store"])
      #expect(
        try store.answer(key("1")) == StoredAnswer(answer: answer, seconds: 2, date: date))
      var cut = answer
      cut.ending = .truncated
      #expect(try store.record(cut, for: key("2"), seconds: 1).answer == cut)
    }
  }

  @Test("A damaged store says so where the damage is met")
  func damage() throws {
    do {
      let store = try AnnotationStore(path: folder["store"])
      for id in 0..<200 { try store.record(answer, for: key("\(id)"), seconds: 0) }
    }
    // Everything after the first page, which holds the schema.
    let file = try FileHandle(forUpdating: URL(fileURLWithPath: folder["store"]))
    let size = try file.seekToEnd()
    try #require(size > 8192)
    try file.seek(toOffset: 4096)
    try file.write(contentsOf: Data(repeating: 0xa5, count: Int(size) - 4096))
    try file.close()
    let error = try #require(throws: FileError.self) {
      let store = try AnnotationStore(path: folder["store"])
      for id in 0..<200 { _ = try store.answer(key("\(id)")) }
    }
    #expect(error.file == folder["store"])
    #expect(error.found.hasPrefix("a damaged one"), "\(error)")
  }

  @Test(
    "A row that something else has written is an error that names the file, the answer and the column",
    arguments: [
      ("texts", "'not JSON'"), ("texts", "'[1]'"), ("texts", "x'ff'"), ("seconds", "'long'"),
      ("prompt_tokens", "'seven'"), ("date", "'yesterday'"), ("ending", "'sudden'"),
      ("omitted", "'seed'"),
    ])
  func wrongRow(_ column: String, _ value: String) throws {
    let store = try AnnotationStore(path: folder["store"])
    try store.record(answer, for: key("1"), seconds: 1)
    try DatabaseQueue(path: folder["store"]).write {
      try $0.execute(sql: "UPDATE answers SET \(column) = \(value)")
    }
    let error = try #require(throws: FileError.self) { _ = try store.answer(key("1")) }
    #expect(error.file == folder["store"])
    #expect(error.location == "answer \(key("1").hash), \(column)")
  }
}

/// A folder of a test's own, which goes when it is let go.
final class Folder: Sendable {
  private let path: String

  init() throws {
    path =
      FileManager.default.temporaryDirectory
      .appendingPathComponent("annotation-\(UUID().uuidString)").path
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
  }

  deinit { try? FileManager.default.removeItem(atPath: path) }

  /// The path of the file `name` in it.
  subscript(name: String) -> String { "\(path)/\(name)" }

  /// The bytes of all its files.
  func bytes() throws -> Data {
    try FileManager.default.contentsOfDirectory(atPath: path).sorted()
      .map { try Data(contentsOf: URL(fileURLWithPath: self[$0])) }.reduce(Data(), +)
  }
}
