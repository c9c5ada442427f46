import Foundation

/// Messages to standard error. One that cannot be written is dropped: a closed standard error ends no program.
package enum StandardError {
  package static func write(_ text: String) {
    var text = text
    text.withUTF8 { bytes in
      var rest = UnsafeRawBufferPointer(bytes)
      while !rest.isEmpty {
        let written = Foundation.write(STDERR_FILENO, rest.baseAddress, rest.count)
        if written < 0, errno == EINTR { continue }
        guard written > 0 else { return }
        rest = UnsafeRawBufferPointer(rebasing: rest.dropFirst(written))
      }
    }
  }

  /// A line; characters that control a terminal are named, since messages quote what files and endpoints say.
  package static func line(_ text: String) { write("\(TerminalText.shown(text))\n") }
}
