import Files

/// What a site and a call ask of sbatch, beside what a submission states itself.
package struct SlurmOptions: Sendable, Hashable {
  /// Options of sbatch, as words; of two that contradict each other the later one counts.
  package private(set) var arguments: [String] = []
  /// Lines of shell before the program, such as `module load openblas`.
  package private(set) var setup: [String] = []
  /// Words before the program, such as `apptainer exec keystep.sif`.
  package private(set) var prefix: [String] = []
  /// The cores of a task; nil where nothing says it.
  package private(set) var coresPerTask: Int?

  /// The file of a site's options, which is read where it exists.
  package static let defaultsFile = "slurm.defaults"

  /// Options that a submission states itself, or that would make it something else.
  private static let reserved: Set = [
    "--array", "-a", "--chdir", "-D", "--dependency", "-d", "--error", "-e", "--help", "-h",
    "--input", "-i", "--job-name", "-J", "--output", "-o", "--parsable", "--test-only", "--usage",
    "--version", "-V", "--wait", "-W", "--wrap",
  ]

  package init() {}

  /// The options of the file `defaults`, or of `slurm.defaults` where that is nil and it exists, and then those of
  /// `line`, which is split into words as a shell does. Throws a `FileError` that names the line of the file, or
  /// `--slurm`.
  package init(line: String, defaults: String?) throws(FileError) {
    if defaults != nil || FileContents.exists(Self.defaultsFile) {
      try read(defaults ?? Self.defaultsFile)
    }
    guard let words = ShellWords.split(line) else {
      throw FileError(
        file: "--slurm", expected: "words whose quotes are closed", found: "\"\(line)\"")
    }
    try add(words, file: "--slurm", location: nil)
  }

  private mutating func read(_ path: String) throws(FileError) {
    let text = String(decoding: try FileContents.text(of: path), as: UTF8.self)
    let lines = text.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline)
    for (index, line) in lines.enumerated() {
      let location = "line \(index + 1)"
      var line = line.trimmed
      if line.hasPrefix("#SBATCH ") {
        line = line.dropFirst("#SBATCH".count).trimmed
      } else if line.isEmpty || line.hasPrefix("#") {
        continue
      }
      func words(_ text: Substring) throws(FileError) -> [String] {
        if let words = ShellWords.split(String(text)) { return words }
        throw FileError(
          file: path, location: location, expected: "words whose quotes are closed",
          found: "\"\(text)\"")
      }
      if line.hasPrefix("-") {
        try add(words(line), file: path, location: location)
        continue
      }
      let parts = line.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
        .map(\.trimmed)
      guard parts.count == 2, Self.isKey(parts[0]), !parts[1].isEmpty else {
        throw FileError(
          file: path, location: location,
          expected: "key = value, an option of sbatch (--exclusive), or a comment (#)",
          found: "\"\(line)\"")
      }
      switch parts[0] {
      case "setup": setup.append(String(parts[1]))
      case "run-with": prefix = try words(parts[1])
      default: try add(["--\(parts[0])=\(parts[1])"], file: path, location: location)
      }
    }
  }

  private static func isKey(_ text: Substring) -> Bool {
    text.first?.isLetter == true
      && text.utf8.allSatisfy { byte in
        byte == UInt8(ascii: "-") || (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte)
          || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
      }
  }

  private mutating func add(_ words: [String], file: String, location: String?) throws(FileError) {
    func failure(_ expected: String, _ found: String) -> FileError {
      FileError(file: file, location: location, expected: expected, found: found)
    }
    /// An option without its value, and may that follow?
    var previous: String?
    for word in words {
      guard word.hasPrefix("-"), word.count > 1 else {
        guard let option = previous else {
          throw failure("an option of sbatch", "\"\(word)\"")
        }
        try note(option, word, failure)
        arguments.append(word)
        previous = nil
        continue
      }
      let (name, value) = Self.parts(of: word)
      guard !Self.reserved.contains(name) else {
        throw failure("an option that the submission does not state itself", name)
      }
      if let value { try note(name, value, failure) }
      arguments.append(word)
      previous = value == nil ? name : nil
    }
  }

  /// `--name=value` and `-nvalue` in two; without a value nil.
  private static func parts(of word: String) -> (name: String, value: String?) {
    if word.hasPrefix("--") {
      let parts = word.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
      return (String(parts[0]), parts.count == 2 ? String(parts[1]) : nil)
    }
    let value = word.dropFirst(2)
    return (String(word.prefix(2)), value.isEmpty ? nil : String(value))
  }

  private mutating func note(
    _ option: String, _ value: String, _ failure: (String, String) -> FileError
  ) throws(FileError) {
    guard option == "--cpus-per-task" || option == "-c" else { return }
    let range = ExperimentOptions.workerRange
    guard let cores = Int(value), range.contains(cores) else {
      throw failure(
        "\(option) with a whole number from \(range.lowerBound) to \(range.upperBound)",
        "\"\(value)\"")
    }
    coresPerTask = cores
  }
}

extension StringProtocol {
  /// Without white space at either end.
  fileprivate var trimmed: Substring {
    guard let start = firstIndex(where: { !$0.isWhitespace }),
      let end = lastIndex(where: { !$0.isWhitespace })
    else { return "" }
    return Substring(self[start...end])
  }
}
