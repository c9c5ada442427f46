import Files

/// Slurm's commands, and what they print. All of it is outside data: lines that are not understood are errors where they
/// must be understood (the number of a new job), and left out where they may be of others (the queue).
package struct SlurmCommands: Sendable {
  private let command: ExternalCommand

  init(_ command: ExternalCommand = ExternalCommand()) { self.command = command }

  /// A job, or one task of an array, that is waiting or running.
  struct QueuedTask: Hashable {
    /// Of an array, that of the array.
    let job: String
    /// nil for a job that is no array.
    let index: Int?
    /// Such as `PD` and `R`.
    let state: String
    /// Why it waits.
    let reason: String
    let name: String

    var isRunning: Bool { state == "R" || state == "CG" || state == "CF" || state == "S" }
  }

  /// The user's jobs that are waiting or running, arrays task by task. Throws where squeue is missing or fails.
  func queue() throws(FileError) -> [QueuedTask] {
    let words = ["squeue", "--me", "--noheader", "--array", "--format=%F|%K|%t|%r|%j"]
    let outcome = try command.run(words)
    guard outcome.status == 0 else { throw failure(words, outcome, "the jobs of this user") }
    return outcome.lines.compactMap { line in
      let parts = line.split(separator: "|", maxSplits: 4, omittingEmptySubsequences: false)
        .map(String.init)
      guard parts.count == 5, Self.isNumber(parts[0]) else { return nil }
      return QueuedTask(
        job: parts[0], index: Int(parts[1]), state: parts[2], reason: parts[3], name: parts[4])
    }
  }

  /// Submits a job and returns its number. Throws where sbatch is missing, refuses, or prints none.
  func submit(_ words: [String]) throws(FileError) -> String {
    let outcome = try command.run(words)
    guard outcome.status == 0 else { throw failure(words, outcome, "a submitted job") }
    // A site may print lines of its own; with several clusters the number is followed by one's name.
    let numbers = outcome.lines.map { line in
      line.prefix { $0 != ";" }.filter { !$0.isWhitespace }
    }
    guard let number = numbers.last(where: Self.isNumber) else {
      throw failure(words, outcome, "a job's number")
    }
    return number
  }

  /// One more than the highest index of an array that the cluster takes; Slurm's own default where it does not say.
  func arrayLimit() -> Int {
    let outcome = try? command.run(["scontrol", "show", "config"])
    for line in outcome?.lines ?? [] {
      let parts = line.split(separator: "=").map { $0.filter { !$0.isWhitespace } }
      if parts.count == 2, parts[0] == "MaxArraySize", let limit = Int(parts[1]), limit > 0 {
        return limit
      }
    }
    return 1001
  }

  private static func isNumber(_ text: String) -> Bool {
    !text.isEmpty && text.count < 19 && text.utf8.allSatisfy { (0x30...0x39).contains($0) }
  }

  private func failure(
    _ words: [String], _ outcome: ExternalCommand.Outcome, _ expected: String
  ) -> FileError {
    let text = outcome.errors.isEmpty ? outcome.output : outcome.errors
    let said = text.split(whereSeparator: \.isNewline).suffix(5).joined(separator: "; ")
    return FileError(
      file: words.first ?? "", location: "status \(outcome.status)", expected: expected,
      found: said.isEmpty ? "no output" : "\"\(said)\"")
  }
}
