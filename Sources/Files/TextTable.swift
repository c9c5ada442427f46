/// A table of text: aligned for a terminal, or as Markdown.
public struct TextTable: Hashable, Sendable {
  /// How the cells of a column are aligned in `text`.
  public enum Alignment: Sendable {
    case left, right
  }

  /// The first row is the header. All rows have as many cells.
  public var rows: [[String]]
  /// The alignment of each column; `left` for those beyond the end.
  public var alignments: [Alignment]

  public init(_ rows: [[String]], alignments: [Alignment] = []) {
    self.rows = rows
    self.alignments = alignments
  }

  /// Columns as wide as their widest cell, two spaces apart; lines end without spaces.
  public var text: String {
    let columns = rows.map(\.count).max() ?? 0
    let widths = (0..<columns).map { column in
      rows.map { column < $0.count ? $0[column].count : 0 }.max() ?? 0
    }
    return rows.map { row in
      var line = row.enumerated().map { column, cell in
        let space = String(repeating: " ", count: widths[column] - cell.count)
        let isRight = column < alignments.count && alignments[column] == .right
        return isRight ? space + cell : cell + space
      }.joined(separator: "  ")
      while line.last == " " { line.removeLast() }
      return line
    }.joined(separator: "\n")
  }

  /// The table in GitHub's Markdown.
  public var markdown: String {
    var lines = rows.map { row in
      "| " + row.map { $0.replacing("|", with: "\\|") }.joined(separator: " | ") + " |"
    }
    lines.insert(
      "|" + String(repeating: " --- |", count: rows.first?.count ?? 0),
      at: Swift.min(1, lines.count))
    return lines.joined(separator: "\n")
  }
}
