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
