import Files
import Foundation

/// Another program, run to its end.
struct ExternalCommand {
  struct Outcome {
    /// The exit status; the negative number of the signal that ended it.
    let status: Int32
    let output: String
    let errors: String

    var lines: [Substring] { output.split(whereSeparator: \.isNewline) }
  }

  /// Folders in which programs are looked for, separated by colons.
  let searchPath: String

  init(searchPath: String = ProcessInfo.processInfo.environment["PATH"] ?? "") {
    self.searchPath = searchPath
  }

  /// The path of the program `name`; nil where there is none.
  func path(of name: String) -> String? {
    for folder in searchPath.split(separator: ":") {
      let path = "\(folder)/\(name)"
      if access(path, X_OK) == 0, !FileContents.isFolder(path) { return path }
    }
    return nil
  }

  /// Runs the program `words[0]` with the arguments that follow it. Throws where there is no such program, or it cannot
  /// be started.
  func run(_ words: [String]) throws(FileError) -> Outcome {
    guard let name = words.first, let path = path(of: name) else {
      throw FileError(
        file: words.first ?? "", expected: "a program in one of PATH's folders",
        found: "none in \(searchPath.isEmpty ? "an empty PATH" : searchPath)")
    }
    let process = Process()
    process.executableURL = URL(fileURLWithPath: path)
    process.arguments = Array(words.dropFirst())
    let (output, errors) = (Pipe(), Pipe())
    process.standardInput = FileHandle.nullDevice
    process.standardOutput = output
    process.standardError = errors
    do { try process.run() } catch {
      throw FileError(file: path, expected: "a program that can be started", found: "\(error)")
    }
    // Both are read at once: a program that fills one pipe while nobody reads it would wait for ever.
    let reading = PipeReading(errors)
    let text = output.fileHandleForReading.readDataToEndOfFile()
    let problems = reading.wait()
    process.waitUntilExit()
    let status = process.terminationStatus
    return Outcome(
      status: process.terminationReason == .exit ? status : -status,
      output: String(decoding: text, as: UTF8.self),
      errors: String(decoding: problems, as: UTF8.self))
  }
}

/// A pipe that is read to its end on a thread of its own.
private final class PipeReading: @unchecked Sendable {
  private let done = DispatchSemaphore(value: 0)
  private var data = Data()

  init(_ pipe: Pipe) {
    let handle = pipe.fileHandleForReading
    Thread.detachNewThread {
      self.data = handle.readDataToEndOfFile()
      self.done.signal()
    }
  }

  func wait() -> Data {
    done.wait()
    return data
  }
}
