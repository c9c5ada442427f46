/// The arguments of this process.
package enum ProgramArguments {
  /// Throws a `FileError` for the first argument that is not UTF-8: Swift reads it as another text, so that another file
  /// would be read or written.
  package static func check() throws(FileError) {
    for index in 1..<max(1, Int(CommandLine.argc)) {
      guard let argument = CommandLine.unsafeArgv[index],
        String(validatingCString: argument) == nil
      else { continue }
      throw FileError(
        file: "argument \(index)", expected: "UTF-8 (a path in other bytes must be renamed)",
        found: "\"\(TerminalText.shown(String(cString: argument)))\"")
    }
  }
}
