import Files
import Foundation
import GRDB
import Reasoning
import Synchronization
import Teachers

/// An answer of a teacher as the store keeps it.
public struct StoredAnswer: Hashable, Sendable {
  public var answer: TeacherAnswer
  /// How long the teacher took.
  public var seconds: Double
  /// When the answer was recorded.
  public var date: Date

  public init(answer: TeacherAnswer, seconds: Double, date: Date) {
    self.answer = answer
    self.seconds = seconds
    self.date = date
  }
}

/// Every answer that a teacher gave, in one SQLite file, each under its `AnnotationKey`.
///
/// An answer is on disk when `record` returns. Several threads and processes may share a file: whoever
/// asks takes a claim first, which its store renews while it lives, so that no two ask the
/// same at the same time and the claims of a killed process lapse.
///
/// The methods throw a `FileError` that names the file where it is damaged or can't be used.
public final class AnnotationStore: Sendable {
  /// "KeyS", in the file's header where SQLite keeps what a file is for.
  private static let applicationID = 0x4b65_7953
  private static let schemaVersion = 2

  public let path: String
  private let database: DatabaseQueue
  /// Tells this store's claims from those of others on the same file.
  private let owner = UUID().uuidString
  /// How long a claim holds after it was last renewed, in seconds.
  private let claimLife: Double
  /// The hashes of the keys that this store has claimed.
  private let claimed = Mutex<Set<String>>([])

  /// Opens the store at `path`, or makes it where there is no file.
  ///
  /// - Parameter claimLife: How long a killed process's claims hold, in seconds.
  public init(path: String, claimLife: Double = 15) throws {
    self.path = path
    self.claimLife = claimLife
    var configuration = Configuration()
    configuration.busyMode = .timeout(60)
    database = try Self.naming(path) {
      let database = try DatabaseQueue(path: path, configuration: configuration)
      _ = try database.read { try Self.checkSchema(of: $0, path) }
      // A reader or another opener may be in the way for a moment, which this statement, unlike
      // others, does not wait for.
      try Self.retryingWhileBusy {
        try database.writeWithoutTransaction { try $0.execute(sql: "PRAGMA journal_mode = WAL") }
      }
      try database.write { connection in
        switch try Self.checkSchema(of: connection, path) {
        case .empty: try connection.execute(sql: Self.schema)
        case .firstVersion: try connection.execute(sql: Self.upgrade)
        case .current: break
        }
      }
      return database
    }
    renewClaims()
  }

  /// The answer recorded for `key`, if there is one.
  public func answer(_ key: AnnotationKey) throws -> StoredAnswer? {
    try Self.naming(path) { try database.read { try Self.answer(key, in: $0, path) } }
  }

  /// Records what the teacher said and gives up the claim. The first answer to a key stays: gives
  /// what the store holds from now on.
  ///
  /// - Parameter seconds: How long the teacher took.
  @discardableResult
  public func record(
    _ answer: TeacherAnswer, for key: AnnotationKey, seconds: Double, date: Date = Date()
  ) throws -> StoredAnswer {
    defer { claimed.withLock { _ = $0.remove(key.hash) } }
    return try Self.naming(path) {
      try database.write { connection in
        try connection.execute(
          sql: """
            INSERT OR IGNORE INTO answers
              (key, teacher, step, question, prompt, sampling, texts, prompt_tokens,
               completion_tokens, ending, omitted, seconds, date)
            VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
            """,
          arguments: [
            key.hash, key.teacher, key.prompt.step.rawValue, key.prompt.question.id,
            key.prompt.text, try Self.json(key.sampling), try Self.json(answer.texts),
            answer.promptTokens, answer.completionTokens, answer.ending?.rawValue,
            answer.omitted.isEmpty ? nil : try Self.json(answer.omitted), seconds, date,
          ])
        try deleteClaim(key.hash, in: connection)
        return try Self.answer(key, in: connection, path)
          ?? StoredAnswer(answer: answer, seconds: seconds, date: date)
      }
    }
  }

  /// What there is to do about a question.
  package enum Claim {
    /// Nothing: this is the answer.
    case answered(StoredAnswer)
    /// To ask, which nobody else will do before `record` or `release`.
    case granted
    /// To wait: somebody else asks.
    case taken
  }

  /// Claims the right to ask for `key`.
  package func claim(_ key: AnnotationKey) throws -> Claim {
    if let stored = try answer(key) { return .answered(stored) }
    let claim: Claim = try Self.naming(path) {
      try database.write { connection in
        if let stored = try Self.answer(key, in: connection, path) { return .answered(stored) }
        let now = Date().timeIntervalSince1970
        // Renewed in the future: the clock was set back since.
        try connection.execute(
          sql: "DELETE FROM claims WHERE abs(? - renewed) > ?", arguments: [now, claimLife])
        try connection.execute(
          sql: "INSERT OR IGNORE INTO claims (key, owner, renewed) VALUES (?, ?, ?)",
          arguments: [key.hash, owner, now])
        return connection.changesCount > 0 ? .granted : .taken
      }
    }
    if case .granted = claim { claimed.withLock { _ = $0.insert(key.hash) } }
    return claim
  }

  /// Gives up the claim to `key`, which was not answered. Where that fails the claim lapses.
  package func release(_ key: AnnotationKey) {
    claimed.withLock { _ = $0.remove(key.hash) }
    try? database.write { try deleteClaim(key.hash, in: $0) }
  }

  private func deleteClaim(_ hash: String, in connection: Database) throws {
    try connection.execute(
      sql: "DELETE FROM claims WHERE key = ? AND owner = ?", arguments: [hash, owner])
  }

  /// Renews the claims three times in each life, for as long as the store is in use: on a thread
  /// of its own, since a teacher may keep all others busy.
  private func renewClaims() {
    DispatchQueue.global().asyncAfter(deadline: .now() + claimLife / 3) { [weak self] in
      guard let self else { return }
      let hashes = claimed.withLock { $0 }
      if !hashes.isEmpty {
        // A claim that could not be renewed lapses, which costs a question asked twice at worst.
        try? database.write { connection in
          for hash in hashes {
            try connection.execute(
              sql: "UPDATE claims SET renewed = ? WHERE key = ? AND owner = ?",
              arguments: [Date().timeIntervalSince1970, hash, owner])
          }
        }
      }
      renewClaims()
    }
  }

  private static func answer(_ key: AnnotationKey, in connection: Database, _ path: String) throws
    -> StoredAnswer?
  {
    let row = try Row.fetchOne(
      connection,
      sql: """
        SELECT texts, prompt_tokens, completion_tokens, ending, omitted, seconds, date
        FROM answers WHERE key = ?
        """, arguments: [key.hash])
    guard let row else { return nil }
    // Row's own subscript stops the program where a value is of another type.
    func wrong(_ column: String, expected: String) -> FileError {
      let value: DatabaseValue = row[column]
      return FileError(
        file: path, location: "answer \(key.hash), \(column)", expected: expected,
        found: "\("\(value)".prefix(40))")
    }
    func optional<Value: DatabaseValueConvertible>(_ column: String) throws -> Value? {
      let value: DatabaseValue = row[column]
      if value.isNull { return nil }
      guard let value = Value.fromDatabaseValue(value) else {
        throw wrong(column, expected: "\(Value.self) or NULL")
      }
      return value
    }
    func value<Value: DatabaseValueConvertible>(_ column: String) throws -> Value {
      guard let value: Value = try optional(column) else {
        throw wrong(column, expected: "\(Value.self)")
      }
      return value
    }
    func strings(_ column: String) throws -> [String]? {
      guard let json: String = try optional(column) else { return nil }
      guard let strings = try? JSONDecoder().decode([String].self, from: Data(json.utf8)) else {
        throw wrong(column, expected: "a JSON array of strings")
      }
      return strings
    }
    guard let texts = try strings("texts") else {
      throw wrong("texts", expected: "a JSON array of strings")
    }
    let ending = try (optional("ending") as String?).map { name in
      guard let ending = TextEnding(rawValue: name) else {
        throw wrong(
          "ending",
          expected: "NULL or one of "
            + TextEnding.allCases.map { "\"\($0.rawValue)\"" }.joined(separator: ", "))
      }
      return ending
    }
    return StoredAnswer(
      answer: TeacherAnswer(
        texts: texts, promptTokens: try optional("prompt_tokens"),
        completionTokens: try optional("completion_tokens"), ending: ending,
        omitted: try strings("omitted") ?? []),
      seconds: try value("seconds"), date: try value("date"))
  }

  /// `texts` is a JSON array, so that each text is kept byte for byte, zero bytes included.
  private static let schema = """
    CREATE TABLE answers (
      key TEXT PRIMARY KEY,
      teacher TEXT NOT NULL,
      step TEXT NOT NULL,
      question TEXT NOT NULL,
      prompt TEXT NOT NULL,
      sampling TEXT NOT NULL,
      texts TEXT NOT NULL,
      prompt_tokens INTEGER,
      completion_tokens INTEGER,
      seconds REAL NOT NULL,
      date TEXT NOT NULL,
      ending TEXT,
      omitted TEXT
    );
    CREATE TABLE claims (
      key TEXT PRIMARY KEY,
      owner TEXT NOT NULL,
      renewed REAL NOT NULL
    );
    PRAGMA application_id = \(applicationID);
    PRAGMA user_version = \(schemaVersion);
    """

  /// Version 1 did not record how a text ended or which settings were left out.
  private static let upgrade = """
    ALTER TABLE answers ADD COLUMN ending TEXT;
    ALTER TABLE answers ADD COLUMN omitted TEXT;
    PRAGMA user_version = \(schemaVersion);
    """

  private enum Contents { case empty, firstVersion, current }

  /// Throws where the file holds anything but a store of this version or an earlier one.
  private static func checkSchema(of connection: Database, _ path: String) throws -> Contents {
    func number(_ sql: String) throws -> Int { try Int.fetchOne(connection, sql: sql) ?? 0 }
    let application = try number("PRAGMA application_id")
    let version = try number("PRAGMA user_version")
    if application == 0, version == 0, try number("SELECT count(*) FROM sqlite_master") == 0 {
      return .empty
    }
    guard application == applicationID else {
      throw FileError(
        file: path, expected: "an annotation store",
        found: "an SQLite database of something else")
    }
    switch version {
    case schemaVersion: return .current
    case 1: return .firstVersion
    default:
      throw FileError(
        file: path, expected: "an annotation store of version 1 or \(schemaVersion)",
        found: "version \(version)")
    }
  }

  /// Runs `body` again while the database is busy, for ten seconds at most.
  private static func retryingWhileBusy(_ body: () throws -> Void) throws {
    for _ in 0..<1000 {
      do { return try body() } catch let error as DatabaseError
        where error.resultCode == .SQLITE_BUSY
      { Thread.sleep(forTimeInterval: 0.01) }
    }
    try body()
  }

  /// Turns SQLite's errors into ones that name the file.
  private static func naming<Value>(_ path: String, _ body: () throws -> Value) throws -> Value {
    do { return try body() } catch let error as DatabaseError {
      let message = error.message ?? "\(error.resultCode)"
      switch error.resultCode {
      case .SQLITE_NOTADB, .SQLITE_CORRUPT:
        throw FileError(
          file: path, expected: "an annotation store",
          found: "a damaged one or another kind of file (\(message))")
      default:
        throw FileError(
          file: path, expected: "an annotation store that can be read and written",
          found: message)
      }
    }
  }

  private static func json(_ value: some Encodable) throws -> String {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    return String(decoding: try encoder.encode(value), as: UTF8.self)
  }
}
