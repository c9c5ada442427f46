/// The words of a line as a shell splits it: quotes group, a backslash takes the next character as it is, and nothing
/// is expanded.
package enum ShellWords {
  /// nil where a quote is not closed, or a backslash is the last character.
  package static func split(_ line: String) -> [String]? {
    var words: [String] = []
    var word: String?
    var rest = line[...]
    while let character = rest.popFirst() {
      switch character {
      case "'":
        guard let end = rest.firstIndex(of: "'") else { return nil }
        word = (word ?? "") + rest[..<end]
        rest = rest[rest.index(after: end)...]
      case "\"":
        word = word ?? ""
        while true {
          guard let next = rest.popFirst() else { return nil }
          if next == "\"" { break }
          if next == "\\", let escaped = rest.first, "\"\\$`".contains(escaped) {
            word?.append(rest.removeFirst())
          } else {
            word?.append(next)
          }
        }
      case "\\":
        guard let next = rest.popFirst() else { return nil }
        word = (word ?? "") + String(next)
      case _ where character.isWhitespace:
        if let finished = word { words.append(finished) }
        word = nil
      default: word = (word ?? "") + String(character)
      }
    }
    if let word { words.append(word) }
    return words
  }
}

/// The call of this process as a line for a shell.
package enum ShellCommand {
  package static var current: String { line(CommandLine.arguments) }

  /// `words` as a line, quoted where that is needed.
  package static func line(_ words: [String]) -> String {
    words.map { word in
      let isPlain = !word.isEmpty && word.utf8.allSatisfy { plainBytes.contains($0) }
      return isPlain ? word : "'\(word.replacing("'", with: "'\\''"))'"
    }.joined(separator: " ")
  }

  private static let plainBytes = Set(
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_=+,./:@%".utf8)
}
