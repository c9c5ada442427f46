import Files

/// Text of others as HTML.
package enum HTMLText {
  /// `text` with the characters that mean something in HTML, or control the direction of text, written so that they
  /// don't.
  package static func escaped(_ text: String) -> String {
    text.unicodeScalars.map { escaped($0) }.joined()
  }

  private static func escaped(_ scalar: Unicode.Scalar) -> String {
    switch scalar {
    case "&": "&amp;"
    case "<": "&lt;"
    case ">": "&gt;"
    case "\"": "&quot;"
    case "'": "&#39;"
    default: TerminalText.isControl(scalar) ? TerminalText.name(scalar) : String(scalar)
    }
  }

  /// `text` as HTML, with what would not be seen written as signs: ends of lines, spaces other than
  /// one before a word, characters of control.
  package static func visible(_ text: String) -> String {
    let scalars = Array(text.unicodeScalars)
    var html = ""
    for (index, scalar) in scalars.enumerated() {
      switch scalar {
      case "\n": html += "<i>↵</i>\n"
      case "\t": html += "<i>⇥</i>\t"
      case " ":
        let isBeforeWord =
          index + 1 < scalars.count && !scalars[index + 1].properties.isWhitespace
          && (index == 0 || !scalars[index - 1].properties.isWhitespace)
        html += isBeforeWord ? " " : "<i>·</i>"
      case "\u{200D}", "\u{FE0F}": html.unicodeScalars.append(scalar)
      default:
        switch scalar.properties.generalCategory {
        case .control, .format, .lineSeparator, .paragraphSeparator, .privateUse, .unassigned:
          html += "<i>U+\(String(scalar.value, radix: 16, uppercase: true))</i>"
        case .spaceSeparator: html += "<i>·</i>"
        default: html += escaped(scalar)
        }
      }
    }
    return html
  }

  /// `text` with what stands between backticks as code.
  package static func withCode(_ text: String) -> String {
    text.split(separator: "`", omittingEmptySubsequences: false).enumerated().map { index, part in
      index.isMultiple(of: 2) ? escaped(String(part)) : "<code>\(escaped(String(part)))</code>"
    }.joined()
  }

  /// A list of facts; the names are text, the values HTML.
  package static func facts(_ facts: [(String, String)]) -> String {
    "<dl>"
      + facts.map { "<div><dt>\(escaped($0))</dt><dd>\($1)</dd></div>" }.joined() + "</dl>"
  }
}
