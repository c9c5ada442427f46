/// Comma-separated values (RFC 4180).
public enum CSV {
  /// A row with the line of the file in which it begins, counted from 1.
  public struct Row: Hashable, Sendable {
    public let line: Int
    public let fields: [String]
  }

  /// A field, in quotes if it contains a comma, a quote or a line break.
  public static func quoted(_ field: String) -> String {
    guard field.contains(where: { $0 == "," || $0 == "\"" || $0.isNewline }) else { return field }
    return "\"\(field.replacing("\"", with: "\"\""))\""
  }

  /// Whether a spreadsheet may run `field`, or a part of it that it takes for a cell of its own, as a formula. Numbers
  /// are none, signs included.
  ///
  /// Source: OWASP's page on CSV injection.
  package static func isFormula(_ field: String) -> Bool {
    func isSpace(_ character: Character) -> Bool { character == "\t" || character.isNewline }
    if let first = field.first, isSpace(first) { return true }
    return field.split { $0 == ";" || isSpace($0) }.contains { cell in
      cell.unicodeScalars.first.map { "=+-@＝＋－＠".unicodeScalars.contains($0) } == true
        && Double(cell) == nil
    }
  }

  /// What a text of others must be that becomes a field, in words.
  package static let plainField =
    "a name that no spreadsheet runs as a formula: one that begins with none of = + - @ and no tab"

  /// The text of `rows`, each ending in a line feed.
  public static func text(_ rows: [[String]]) -> String {
    rows.map { $0.map(quoted).joined(separator: ",") + "\n" }.joined()
  }

  /// The rows of the file at `path`. Empty lines are ignored; lines may end in CR LF.
  ///
  /// Throws an error that names the line where quotes are not closed, or do not enclose a whole field.
  public static func rows(of path: String) throws(FileError) -> [Row] {
    try rows(FileContents.bytes(of: path), file: path)
  }

  /// The rows of `bytes`, the contents of `file`.
  public static func rows(_ bytes: [UInt8], file: String) throws(FileError) -> [Row] {
    var reader = CSVReader(bytes: bytes, file: file)
    return try reader.read()
  }
}

private struct CSVReader {
  let bytes: [UInt8]
  let file: String
  private var rows: [CSV.Row] = []
  private var fields: [String] = []
  private var field: [UInt8] = []
  /// The present line, and that in which the row began.
  private var (line, start) = (1, 1)
  /// Within quotes, and after the quotes that end a field.
  private var (isQuoted, isClosed) = (false, false)

  init(bytes: [UInt8], file: String) {
    self.bytes = bytes
    self.file = file
  }

  mutating func read() throws(FileError) -> [CSV.Row] {
    let (quote, comma) = (UInt8(ascii: "\""), UInt8(ascii: ","))
    let (newline, carriageReturn) = (UInt8(ascii: "\n"), UInt8(ascii: "\r"))
    var index = 0
    while index < bytes.count {
      let byte = bytes[index]
      let next = index + 1 < bytes.count ? bytes[index + 1] : newline
      index += 1
      if isQuoted, byte == quote, next == quote, index < bytes.count {
        field.append(quote)
        index += 1
      } else if isQuoted, byte == quote {
        (isQuoted, isClosed) = (false, true)
      } else if isQuoted {
        if byte == newline { line += 1 }
        field.append(byte)
      } else if byte == comma {
        endField()
      } else if byte == newline {
        endRow()
        line += 1
        start = line
      } else if byte == carriageReturn, next == newline {
        continue
      } else if byte == quote, field.isEmpty, !isClosed {
        isQuoted = true
      } else if byte == quote || isClosed {
        throw FileError(
          file: file, location: "line \(line)",
          expected: "quotes around a whole field, doubled within",
          found: "\"\(String(decoding: field.prefix(40), as: UTF8.self))\" and more")
      } else {
        field.append(byte)
      }
    }
    if isQuoted {
      throw FileError(
        file: file, location: "line \(start)", expected: "a field's closing quotes",
        found: "the end of the file")
    }
    if !field.isEmpty || !fields.isEmpty || isClosed { endRow() }
    return rows
  }

  private mutating func endField() {
    fields.append(String(decoding: field, as: UTF8.self))
    field.removeAll(keepingCapacity: true)
    isClosed = false
  }

  private mutating func endRow() {
    endField()
    if fields != [""] { rows.append(CSV.Row(line: start, fields: fields)) }
    fields = []
  }
}
