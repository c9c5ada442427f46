import Foundation
import Randomness

/// Kills the processes of a small sweep at random moments, starts them again until the sweep is finished, and compares
/// what is left with an uninterrupted sweep. Sweeps follow each other in new folders until there were enough kills.
package struct SweepTorture {
  /// The experiment's executable and its flags.
  package var executable: String
  package var arguments: [String]
  /// Where the sweeps' folders are made.
  package var folder: String
  package var kills: Int
  /// How many processes work on one sweep at once.
  package var processes: Int
  package var seed: UInt64
  /// The longest time between two kills.
  package var longestPause = 1.2
  package var log: (String) -> Void = { _ in }

  package init(
    executable: String, arguments: [String], folder: String, kills: Int, processes: Int = 1,
    seed: UInt64
  ) {
    (self.executable, self.arguments, self.folder) = (executable, arguments, folder)
    (self.kills, self.processes, self.seed) = (kills, processes, seed)
  }

  /// Flags of a distillation experiment whose runs take a second, most of it saving.
  package static let smallSweep = [
    "--train-questions", "48", "--validation-questions", "6", "--test-questions", "6",
    "--max-new-tokens", "12", "--stage1-steps", "12", "--stage2-steps", "8", "--batch-size", "4",
    "--gamma", "0",
  ]

  /// What came of it.
  package struct Report {
    package var kills = 0
    package var sweeps = 0
    package var runs = 0
    /// Where an interrupted sweep differs from the uninterrupted one, or a run was made twice.
    package var problems: [String] = []
  }

  package func run() throws -> Report {
    var report = Report()
    var generator = SeededGenerator(seed: seed, stream: "torture")
    let whole = "\(folder)/whole"
    try start(in: whole).waitUntilExit()
    let expected = try Sweep(whole)
    report.runs = expected.records.count
    log("uninterrupted: \(expected.records.count) runs, \(expected.stages.count) stages")
    while report.kills < kills, report.problems.isEmpty {
      report.sweeps += 1
      try torture("\(folder)/sweep-\(report.sweeps)", expected, &report, &generator)
      log("sweep \(report.sweeps): \(report.kills) of \(kills) kills")
    }
    return report
  }

  /// One sweep, killed and started again until it is finished.
  private func torture(
    _ place: String, _ expected: Sweep, _ report: inout Report, _ generator: inout SeededGenerator
  ) throws {
    var running = try (0..<processes).map { _ in try start(in: place) }
    var seen: [String: Data] = [:]
    func look() {
      // A record that is there stays as it is: otherwise its run was made twice.
      for (name, data) in Sweep.records(place) {
        if let before = seen[name], before != data {
          report.problems.append("\(place): the record \(name) was written twice")
        }
        seen[name] = data
      }
    }
    while running.contains(where: \.isRunning) {
      let end = Date(timeIntervalSinceNow: longestPause * generator.uniform())
      while Date() < end, running.contains(where: \.isRunning) { usleep(2_000) }
      look()
      let victims = running.indices.filter { running[$0].isRunning }
      guard report.kills < kills, !victims.isEmpty else {
        for process in running { process.waitUntilExit() }
        break
      }
      let victim = victims[generator.index(below: victims.count)]
      kill(running[victim].processIdentifier, SIGKILL)
      running[victim].waitUntilExit()
      // It may have ended by itself in the meantime.
      if running[victim].terminationReason == .uncaughtSignal { report.kills += 1 }
      look()
      running[victim] = try start(in: place)
    }
    look()
    for process in running
    where process.terminationStatus != 0 || process.terminationReason != .exit {
      report.problems.append(
        "\(place): a process ended with status \(process.terminationStatus); see \(place)/log.txt")
    }
    let found = try Sweep(place)
    report.problems += found.differences(from: expected).map { "\(place): \($0)" }
    let errors = (try? String(contentsOfFile: place + "/log.txt", encoding: .utf8)) ?? ""
    for line in errors.split(separator: "\n")
    where ["FAILED", "damaged", "expected"].contains(where: line.contains) {
      report.problems.append("\(place): \(line)")
    }
  }

  private func start(in place: String) throws -> Process {
    try FileManager.default.createDirectory(atPath: place, withIntermediateDirectories: true)
    let path = place + "/log.txt"
    let descriptor = open(path, O_WRONLY | O_CREAT | O_APPEND, 0o644)
    guard descriptor >= 0 else { throw CocoaError(.fileWriteUnknown) }
    let errors = FileHandle(fileDescriptor: descriptor, closeOnDealloc: true)
    let process = Process()
    process.executableURL = URL(fileURLWithPath: executable)
    process.arguments = arguments + ["--output", "out.csv", "--save-interval", "0"]
    process.currentDirectoryURL = URL(fileURLWithPath: place)
    process.standardInput = FileHandle.nullDevice
    process.standardOutput = FileHandle.nullDevice
    process.standardError = errors
    try process.run()
    return process
  }
}

/// What a finished sweep left.
private struct Sweep {
  /// The CSV without the columns and rows that are times.
  var rows: [String]
  /// By name.
  var records: [String: Data]
  var checksums: [String: [String: String]]
  /// The files of each shared stage.
  var stages: [String: [String: Data]]
  /// The learning curves of runs, by name.
  var curves: [String: Data]
  /// Everything under `runs`, but for the files of finished records and stages.
  var leftovers: [String]

  init(_ place: String) throws {
    let text = try String(contentsOfFile: place + "/out.csv", encoding: .utf8)
    let rows = text.split(separator: "\n").map {
      $0.split(separator: ",", omittingEmptySubsequences: false)
    }
    let time = rows[0].firstIndex(of: "run_seconds")
    self.rows = rows.filter { !$0.contains("tokens/s") }.map { row in
      row.indices.filter { $0 != time }.map { String(row[$0]) }.joined(separator: ",")
    }
    records = Self.records(place)
    checksums = try records.mapValues { data in
      let record = try JSONSerialization.jsonObject(with: data) as? [String: Any]
      return record?["checksums"] as? [String: String] ?? [:]
    }
    curves = Self.files(place, in: "steps")
    stages = [:]
    let manager = FileManager.default
    let folder = place + "/runs/stages"
    for stage in try manager.contentsOfDirectory(atPath: folder) {
      var files: [String: Data] = [:]
      for name in (try? manager.contentsOfDirectory(atPath: "\(folder)/\(stage)")) ?? [] {
        files[name] = manager.contents(atPath: "\(folder)/\(stage)/\(name)")
      }
      stages[stage] = files
    }
    let names = manager.enumerator(atPath: place + "/runs")?.compactMap { $0 as? String } ?? []
    leftovers = names.filter { name in
      ["partial", "claim", "work", "damaged", "check"].contains(where: name.contains)
    }.sorted()
  }

  static func records(_ place: String) -> [String: Data] {
    files(place, in: "records").filter { $0.key.hasSuffix(".json") }
  }

  /// The files of each experiment's folder `part`, by name.
  private static func files(_ place: String, in part: String) -> [String: Data] {
    let manager = FileManager.default
    var files: [String: Data] = [:]
    for experiment in (try? manager.contentsOfDirectory(atPath: place + "/runs")) ?? [] {
      let folder = "\(place)/runs/\(experiment)/\(part)"
      for name in (try? manager.contentsOfDirectory(atPath: folder)) ?? [] {
        files[name] = manager.contents(atPath: "\(folder)/\(name)")
      }
    }
    return files
  }

  func differences(from expected: Sweep) -> [String] {
    var problems: [String] = []
    if rows != expected.rows {
      let first = zip(rows, expected.rows).first { $0 != $1 }
      problems.append(
        "the CSV differs: \(rows.count) rows for \(expected.rows.count)"
          + (first.map { ", first \($0.0) for \($0.1)" } ?? ""))
    }
    for (name, checksums) in expected.checksums where self.checksums[name] != checksums {
      problems.append("the weights of \(name) differ, or it is missing")
    }
    if Set(records.keys) != Set(expected.records.keys) { problems.append("other records") }
    if expected.checksums.values.contains(where: \.isEmpty) { problems.append("no checksums") }
    if curves.isEmpty || curves != expected.curves { problems.append("other learning curves") }
    if Set(stages.keys) != Set(expected.stages.keys) { problems.append("other stages") }
    for (id, files) in expected.stages {
      for (name, data) in files where stages[id]?[name] != data {
        problems.append("stage \(id): \(name) differs")
      }
    }
    problems += leftovers.map { "left over: \($0)" }
    return problems
  }
}
