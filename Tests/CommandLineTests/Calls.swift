import Foundation
import Testing

/// What came of a call of an executable.
struct Call {
  /// The exit status; the negative number of the signal that ended it.
  var status: Int32
  var output: String
  var errors: String

  var lines: [String] { output.split(separator: "\n").map(String.init) }

  /// Each line of the output as a JSON object.
  func objects() throws -> [[String: Any]] {
    try lines.map { line in
      try #require(
        JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any], "\(line)")
    }
  }
}

/// The folder of the built executables: where the test bundle lies.
private let products: URL = {
  #if os(macOS)
    for bundle in Bundle.allBundles where bundle.bundlePath.hasSuffix(".xctest") {
      return bundle.bundleURL.deletingLastPathComponent()
    }
  #endif
  return Bundle.main.bundleURL
}()

func executable(_ name: String) -> String { products.appendingPathComponent(name).path }

/// A process that is to run the executable at `path`; NO_COLOR is not set unless `environment` has
/// it.
func newProcess(_ path: String, _ arguments: [String], environment: [String: String] = [:])
  -> Process
{
  let process = Process()
  process.executableURL = URL(fileURLWithPath: path)
  process.arguments = arguments
  var all = ProcessInfo.processInfo.environment
  all["NO_COLOR"] = nil
  process.environment = all.merging(environment) { _, new in new }
  return process
}

/// Runs the executable at `path` and waits for its end.
func runExecutable(
  _ path: String, _ arguments: [String], environment: [String: String] = [:],
  in folder: String? = nil
) throws -> Call {
  let process = newProcess(path, arguments, environment: environment)
  if let folder { process.currentDirectoryURL = URL(fileURLWithPath: folder) }
  let (output, errors) = (Pipe(), Pipe())
  process.standardInput = FileHandle.nullDevice
  process.standardOutput = output
  process.standardError = errors
  try process.run()
  let text = output.fileHandleForReading.readDataToEndOfFile()
  let problems = errors.fileHandleForReading.readDataToEndOfFile()
  process.waitUntilExit()
  let status = process.terminationStatus
  return Call(
    status: process.terminationReason == .exit ? status : -status,
    output: String(decoding: text, as: UTF8.self), errors: String(decoding: problems, as: UTF8.self)
  )
}

/// The same for what takes long, on a thread of its own, so that other tests keep theirs.
func runLongExecutable(_ path: String, _ arguments: [String]) async throws -> Call {
  try await onThread { try runExecutable(path, arguments) }
}

/// What `body` returns on a thread of its own, which does not wait for other tests to give one back.
func onThread<Result: Sendable>(_ body: @escaping @Sendable () throws -> Result) async throws
  -> Result
{
  try await withCheckedThrowingContinuation { call in
    Thread.detachNewThread { call.resume(with: Swift.Result { try body() }) }
  }
}

/// Runs `keystep`.
func keystep(_ arguments: String..., environment: [String: String] = [:]) throws -> Call {
  try runExecutable(executable("keystep"), arguments, environment: environment)
}

/// Runs `keystep` and kills it once it has printed `lines` lines. Nobody reads on, so that it cannot
/// print, and so not run, to its end.
func killKeystep(afterLines lines: Int, _ arguments: [String]) throws {
  let process = newProcess(executable("keystep"), arguments)
  let pipe = Pipe()
  process.standardOutput = pipe
  process.standardError = FileHandle.nullDevice
  try process.run()
  var read = Data()
  while read.count(where: { $0 == UInt8(ascii: "\n") }) < lines {
    let more = pipe.fileHandleForReading.availableData
    if more.isEmpty { break }
    read += more
  }
  kill(process.processIdentifier, SIGKILL)
  process.waitUntilExit()
  #expect(process.terminationReason == .uncaughtSignal)
}

/// Runs a line of bash in which `$keystep` is the executable.
func shell(_ line: String, in folder: String) throws -> Call {
  try runExecutable(
    "/usr/bin/env", ["bash", "-c", line], environment: ["keystep": executable("keystep")],
    in: folder)
}

/// A folder with a numbered model, that goes away with this object.
final class Workplace {
  let path = NSTemporaryDirectory() + "keystep-\(UUID().uuidString)"

  init() throws {
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
  }

  deinit { try? FileManager.default.removeItem(atPath: path) }

  /// Writes a file and returns its path.
  func file(_ name: String, _ text: String) throws -> String {
    try data(name, Data(text.utf8))
  }

  func data(_ name: String, _ data: Data) throws -> String {
    let path = "\(self.path)/\(name)"
    try data.write(to: URL(fileURLWithPath: path))
    return path
  }

  func contents(_ name: String) throws -> Data {
    try Data(contentsOf: URL(fileURLWithPath: "\(path)/\(name)"))
  }

  func text(_ name: String) throws -> String {
    String(decoding: try contents(name), as: UTF8.self)
  }

  /// A pairs file of (prompt, chosen, rejected).
  func pairs(_ pairs: [(String, String, String)], name: String = "pairs.jsonl") throws -> String {
    try file(
      name,
      pairs.map { #"{"prompt": "\#($0.0)", "chosen": "\#($0.1)", "rejected": "\#($0.2)"}"# + "\n" }
        .joined())
  }
}

/// Dual pairs in the numbered model's words.
let somePairs = [
  ("10 11", "20 21 22", "20 23 22"), ("12 13 14", "30 31", "32 31 33"),
  ("15", "40 41 42 43", "40 41 43"), ("16 17", "50", "51"),
]
