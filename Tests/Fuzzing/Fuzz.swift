import ArgumentParser
import Experiments
import Files
import Foundation
import Randomness
import Synchronization

/// Gives every reader mutated real files and reports each input on which it traps, hangs or asks for
/// memory out of proportion.
///
/// Each reader runs in a process of its own, which writes the number of the input it is at into a shared
/// page. When it dies or stands still, the input is made again from its number and kept, and a new process goes
/// on behind it.
@main
struct Fuzz: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "fuzz",
    abstract: "Give every reader mutated files, and keep those on which it fails.")

  @Option(help: "One reader, or all: \(Reader.all.map(\.name).joined(separator: ", ")).")
  var reader = "all"
  @Option(help: "Inputs of each reader.")
  var inputs = 1_000_000
  @Option var seed: UInt64 = 1
  @Option(help: "Where failing inputs go, as READER-SEED-NUMBER.")
  var failures = "fuzz-failures"
  @Option(help: "A CSV of campaigns that came to their end; the rows of other readers stay.")
  var output = "results/fuzz.csv"
  @Option(help: "Tests/Fixtures.")
  var fixtures = "Tests/Fixtures"
  @Option(help: "Read this input once instead, in this process.")
  var replay: String?
  @Option(help: .hidden) var from: Int?
  @Option(help: .hidden) var progress: String?
  @Option(help: .hidden) var prepared: String?

  /// An input may take this long. The slowest real one takes milliseconds.
  private static let patience: TimeInterval = 20
  /// Address space of a reader, which maps its files, beyond what the process has as it starts (a sanitizer's has
  /// terabytes): far above what any input here needs.
  private static let addressSpace: UInt = 4 << 30

  func validate() throws {
    if reader != "all", !Reader.all.contains(where: { $0.name == reader }) {
      throw ValidationError(
        "--reader: expected all or one of \(Reader.all.map(\.name).joined(separator: ", ")), "
          + "found \(reader)")
    }
    if inputs < 1 { throw ValidationError("--inputs: expected 1 or more, found \(inputs)") }
  }

  func run() throws {
    let readers = Reader.all.filter { reader == "all" || $0.name == reader }
    if let replay {
      let folder = try scratchFolder("replay")
      defer { try? FileManager.default.removeItem(atPath: folder) }
      try readers[0].prepare?(folder)
      return try read(readers[0], bytes: FileContents.bytes(of: replay), in: folder)
    }
    if let from, let progress {
      return try readAll(readers[0], from: from, progress, prepared: prepared)
    }
    var failed = 0
    for reader in readers { failed += try campaign(reader) }
    if failed > 0 {
      say("\(failed) failing inputs are in \(failures)/")
      throw ExitCode(1)
    }
  }

  /// Prints a line at once, into a pipe too: a campaign takes long.
  private func say(_ line: String) {
    FileHandle.standardOutput.write(Data((line + "\n").utf8))
  }

  // MARK: One process

  /// Of real files: those of the fixtures, or of what was prepared.
  private func mutation(_ reader: Reader, prepared: String?) throws -> Mutation {
    Mutation(
      seeds: try reader.seeds.map { try FileContents.bytes(of: (prepared ?? fixtures) + "/" + $0) })
  }

  private func input(_ number: Int, _ mutation: Mutation, _ reader: Reader) -> [UInt8] {
    var generator = SeededGenerator(seed: seed, stream: "\(reader.name) \(number)")
    return mutation.input(&generator)
  }

  private func scratchFolder(_ use: String) throws -> String {
    let base = FileManager.default.fileExists(atPath: "/dev/shm") ? "/dev/shm" : "/tmp"
    let folder = "\(base)/keystep-fuzz-\(ProcessInfo.processInfo.processIdentifier)-\(use)"
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    return folder
  }

  private func read(_ reader: Reader, bytes: [UInt8], in folder: String) throws {
    for name in reader.beside {
      let target = folder + "/" + URL(fileURLWithPath: name).lastPathComponent
      if !FileManager.default.fileExists(atPath: target) {
        try FileManager.default.copyItem(atPath: fixtures + "/" + name, toPath: target)
      }
    }
    let path = folder + "/" + reader.file
    guard let file = fopen(path, "w") else {
      throw FileError(file: path, expected: "a file to write", found: "none")
    }
    _ = bytes.withUnsafeBufferPointer { fwrite($0.baseAddress, 1, $0.count, file) }
    fclose(file)
    do { try reader.read(folder) } catch {}
  }

  private func readAll(
    _ reader: Reader, from: Int, _ progress: String, prepared: String?
  ) throws {
    #if os(Linux)
      let pages = try String(contentsOfFile: "/proc/self/statm", encoding: .utf8).split(
        separator: " "
      ).first
      let space = Self.addressSpace + UInt(getpagesize()) * (pages.flatMap { UInt($0) } ?? 0)
      var limit = rlimit(rlim_cur: space, rlim_max: space)
      setrlimit(__rlimit_resource_t(RLIMIT_AS.rawValue), &limit)
      var none = rlimit(rlim_cur: 0, rlim_max: 0)
      setrlimit(__rlimit_resource_t(RLIMIT_CORE.rawValue), &none)
    #endif
    let mutation = try mutation(reader, prepared: prepared)
    let folder = try scratchFolder("input")
    defer { try? FileManager.default.removeItem(atPath: folder) }
    for name in try prepared.map(FileContents.names) ?? [] {
      try FileManager.default.copyItem(
        atPath: "\(prepared ?? "")/\(name)", toPath: "\(folder)/\(name)")
    }
    let page = try ProgressPage(path: progress)
    for number in from..<inputs {
      page.number = number
      try read(reader, bytes: input(number, mutation, reader), in: folder)
    }
    page.number = inputs
  }

  // MARK: The campaign

  private func campaign(_ reader: Reader) throws -> Int {
    let start = Date()
    // Once, so that every process mutates the same files.
    var prepared: String?
    if let prepare = reader.prepare {
      let folder = try scratchFolder(reader.name)
      prepared = folder
      try prepare(folder)
    }
    defer { if let prepared { try? FileManager.default.removeItem(atPath: prepared) } }
    let mutation = try mutation(reader, prepared: prepared)
    let progress = NSTemporaryDirectory() + "keystep-fuzz-\(reader.name)-\(getpid())"
    _ = FileManager.default.createFile(atPath: progress, contents: Data(count: 8))
    defer { try? FileManager.default.removeItem(atPath: progress) }
    let page = try ProgressPage(path: progress)
    var (next, failed) = (0, 0)
    while next < inputs {
      page.number = next
      let reason = try untilItStops(reader, from: next, progress, page, prepared: prepared)
      if page.number == inputs, reason == nil { break }
      let number = page.number
      failed += 1
      try FileManager.default.createDirectory(
        atPath: failures, withIntermediateDirectories: true)
      let path = "\(failures)/\(reader.name)-\(seed)-\(number)"
      try Data(input(number, mutation, reader)).write(to: URL(fileURLWithPath: path))
      say("\(reader.name): input \(number) \(reason ?? "ended the process"): \(path)")
      next = number + 1
      if failed == 20 {
        say("\(reader.name): stopped after 20 failing inputs")
        break
      }
    }
    let seconds = Date().timeIntervalSince(start)
    let read = min(page.number, inputs)
    say(
      "\(reader.name): \(read) inputs, \(failed) failures, "
        + String(format: "%.0f s, %.0f inputs/s", seconds, Double(page.number) / seconds))
    try note([
      reader.name, "\(seed)", "\(read)", "\(failed)", String(format: "%.0f", seconds),
      CodeVersion().citation,
    ])
    return failed
  }

  private static let columns = ["reader", "seed", "inputs", "failures", "seconds", "commit"]

  /// Puts `row` in place of that of the same reader and seed.
  private func note(_ row: [String]) throws {
    let known =
      FileManager.default.fileExists(atPath: output)
      ? try String(contentsOfFile: output, encoding: .utf8).split(separator: "\n").dropFirst()
        .map { $0.split(separator: ",", omittingEmptySubsequences: false).map(String.init) } : []
    let rows = known.filter { $0.prefix(2) != row.prefix(2) } + [row]
    try AtomicFile.write(
      CSV.text([Self.columns] + rows.sorted { $0.prefix(2).joined() < $1.prefix(2).joined() }),
      to: output)
  }

  /// Runs a process from input `next` on. Returns why it did not reach the end; nil where it did.
  private func untilItStops(
    _ reader: Reader, from next: Int, _ progress: String, _ page: ProgressPage, prepared: String?
  ) throws -> String? {
    let child = Process()
    child.executableURL = URL(fileURLWithPath: CommandLine.arguments[0])
    child.arguments = [
      "--reader", reader.name, "--inputs", "\(inputs)", "--seed", "\(seed)", "--fixtures", fixtures,
      "--from", "\(next)", "--progress", progress,
    ]
    if let prepared { child.arguments? += ["--prepared", prepared] }
    // A trap is expected now and then: its backtrace would take seconds.
    child.environment = ProcessInfo.processInfo.environment.merging(["SWIFT_BACKTRACE": "enable=no"]
    ) {
      $1
    }
    child.standardOutput = FileHandle.nullDevice
    child.standardError = FileHandle.nullDevice
    try child.run()
    var last = (number: next, since: Date())
    while child.isRunning {
      usleep(50_000)
      if page.number != last.number {
        last = (page.number, Date())
      } else if Date().timeIntervalSince(last.since) > Self.patience {
        kill(child.processIdentifier, SIGKILL)
        child.waitUntilExit()
        return "took more than \(Int(Self.patience)) s"
      }
    }
    return child.terminationReason == .exit && child.terminationStatus == 0
      ? nil : "ended the process with \(child.terminationStatus)"
  }
}

/// A number in a file that two processes map.
private final class ProgressPage {
  private let memory: UnsafeMutablePointer<Int>

  init(path: String) throws {
    let descriptor = open(path, O_RDWR)
    guard descriptor >= 0,
      let memory = mmap(nil, 8, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0),
      memory != MAP_FAILED
    else { throw FileError(file: path, expected: "a file to map", found: "none") }
    close(descriptor)
    self.memory = memory.bindMemory(to: Int.self, capacity: 1)
  }

  deinit { munmap(memory, 8) }

  var number: Int {
    get { memory.pointee }
    set { memory.pointee = newValue }
  }
}
