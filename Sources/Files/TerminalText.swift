/// Text of others, such as a teacher's chain, as a terminal may be given it.
package enum TerminalText {
  /// `text` with the characters that control a terminal, or the direction and the lines of text, written as `⟨U+1B⟩`.
  /// Ends of lines and tabs stay.
  package static func shown(_ text: String) -> String {
    guard text.unicodeScalars.contains(where: isControl) else { return text }
    var shown = ""
    for scalar in text.unicodeScalars {
      if isControl(scalar) {
        shown += name(scalar)
      } else {
        shown.unicodeScalars.append(scalar)
      }
    }
    return shown
  }

  /// `⟨U+1B⟩`.
  package static func name(_ scalar: Unicode.Scalar) -> String {
    "⟨U+\(String(scalar.value, radix: 16, uppercase: true))⟩"
  }

  /// Controls (Cc), separators of lines and paragraphs, and the controls of direction of Unicode's annex 9.
  package static func isControl(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar.value {
    case 0x09, 0x0A: false
    case 0x00...0x1F, 0x7F...0x9F, 0x2028, 0x2029: true
    case 0x061C, 0x200E, 0x200F, 0x202A...0x202E, 0x2066...0x2069: true
    default: false
    }
  }
}
