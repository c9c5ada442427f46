import Experiments
import Foundation
import TestSupport
import Testing

/// The scripts of a submission, executed by bash with programs in the place of the experiment and of scontrol.
@Suite struct SlurmScriptTests {
  private static let tasks = ["a", "b", "c"].map { SlurmScript.Task(run: $0) }

  private func submission(_ folder: String, _ options: SlurmOptions = SlurmOptions())
    -> SlurmScript.Submission
  {
    SlurmScript.Submission(
      name: "toy", folder: folder, id: "1-abcdef", workingFolder: "/some where/100 %",
      options: options, workers: 2, flags: ["--save-interval=60"])
  }

  @Test("What a submission settles comes after what the site and the call ask for")
  func command() throws {
    let options = try SlurmOptions(line: "--partition=p --signal=B:USR1@600", defaults: nil)
    let runs = SlurmScript(.runs, tasks: Self.tasks, limit: 2)
    #expect(
      runs.command(submission("runs/toy/slurm/1-abcdef", options), after: ["7", "8"]) == [
        "sbatch", "--requeue", "--open-mode=append", "--signal=B:USR1@120", "--cpus-per-task=2",
        "--partition=p", "--signal=B:USR1@600", "--parsable", "--job-name=toy.1-abcdef.runs-1",
        "--array=0-2%2", "--dependency=afterany:7:8", "--chdir=/some where/100 %",
        "--output=runs/toy/slurm/1-abcdef/log/runs-1-%a.txt", "runs/toy/slurm/1-abcdef/runs-1.sh",
      ])
    let collect = SlurmScript(.collect).command(submission("/50 % of/1-abcdef"), after: ["9"])
    #expect(collect.contains("--output=/50 %% of/1-abcdef/log/collect.txt"))
    #expect(collect.contains("--dependency=afterany:9") && collect.contains("--cpus-per-task=1"))
    #expect(!collect.contains { $0.hasPrefix("--array") || $0.hasPrefix("--signal") })
    let stages = SlurmScript(.stages, number: 2, tasks: Self.tasks)
    let words = stages.command(submission("f"), after: [])
    #expect(words.contains("--array=0-2") && words.contains("--job-name=toy.1-abcdef.stages-2"))
    #expect(!words.contains { $0.hasPrefix("--dependency") })
  }

  @Test("The site's lines of shell and its words before the program are in every script")
  func site() throws {
    let folder = try TemporaryFolder()
    try folder.write(
      "setup = module load openblas\nrun-with = apptainer exec 'a b.sif'\n", to: "site")
    let options = try SlurmOptions(line: "", defaults: folder.path + "/site")
    for kind in [SlurmScript.Kind.stages, .runs, .collect] {
      let text = SlurmScript(kind, tasks: Self.tasks).text(submission("f", options))
      #expect(text.hasPrefix("#!/usr/bin/env bash\n"))
      #expect(text.contains("\nmodule load openblas\n"))
      #expect(
        text.contains(
          "apptainer exec 'a b.sif' f/toy \(kind == .collect ? "collect" : kind == .runs ? "run" : "stage") "
        ))
    }
  }

  /// Starts the task with `index` of an array of runs whose program is the shell text `program`.
  private func start(
    _ program: String, _ stub: StubSlurm, index: Int, restarts: Int = 0
  ) throws -> Process {
    let folder = stub.folder.path + "/a b"
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    let script = SlurmScript(.runs, tasks: Self.tasks)
    try stub.folder.write("#!/bin/bash\n\(program)\n", to: "a b/toy")
    try FileManager.default.setAttributes(
      [.posixPermissions: 0o755], ofItemAtPath: folder + "/toy")
    try stub.folder.write("a\nb\nc\n", to: "a b/runs-1.txt")
    try stub.folder.write(script.text(submission(folder)), to: "a b/runs-1.sh")
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/bin/bash")
    process.arguments = [folder + "/runs-1.sh"]
    process.environment = [
      "PATH": stub.searchPath, "SLURM_ARRAY_TASK_ID": "\(index)", "SLURM_ARRAY_JOB_ID": "7",
      "SLURM_RESTART_COUNT": "\(restarts)", "here": stub.folder.path,
    ]
    process.standardOutput = FileHandle.nullDevice
    process.standardError = FileHandle.nullDevice
    // Threads of a test block signals, and a process starts with the mask of the thread that starts it.
    var (none, before) = (sigset_t(), sigset_t())
    sigemptyset(&none)
    pthread_sigmask(SIG_SETMASK, &none, &before)
    defer { pthread_sigmask(SIG_SETMASK, &before, nil) }
    try process.run()
    return process
  }

  private func wait(for name: String, _ stub: StubSlurm) {
    for _ in 0..<1000 where !FileManager.default.fileExists(atPath: "\(stub.folder.path)/\(name)") {
      usleep(10_000)
    }
  }

  @Test(
    "A task calls run with its line of the list, and ends with its status", arguments: [0, 1, 3])
  func status(expected: Int32) throws {
    let stub = try StubSlurm()
    let process = try start(
      #"printf '%s\n' "$*" >"$here/called"; exit \#(expected)"#, stub, index: 1)
    process.waitUntilExit()
    #expect(process.terminationStatus == expected && stub.requests().isEmpty)
    #expect(
      try stub.folder.text("called")
        == "run b --submission=\(stub.folder.path)/a b --save-interval=60\n")
  }

  @Test("A task beyond the list is an error")
  func beyond() throws {
    // Its folder, which holds the script, lasts as long as the stub.
    let stub = try StubSlurm()
    let process = try start("exit 0", stub, index: 3)
    process.waitUntilExit()
    #expect(process.terminationStatus == 1 && stub.requests().isEmpty)
  }

  /// Saves its state for a while when it is signalled, and ends with `status`.
  private func saving(_ status: Int) -> String {
    """
    trap 'sleep 0.3; touch "$here/saved"; exit \(status)' USR1
    touch "$here/begun"
    while :; do sleep 0.02; done
    """
  }

  @Test(
    "At the scheduler's warning the program saves, and the task goes back to the queue; at the end of the job it only saves",
    arguments: [
      (SIGUSR1, 75, 0, ["requeue 7_2"]), (SIGUSR1, 138, 0, ["requeue 7_2"]), (SIGTERM, 75, 0, []),
      (SIGUSR1, 1, 0, []), (SIGUSR1, 0, 0, []), (SIGUSR1, 75, 200, []),
    ] as [(Int32, Int, Int, [String])])
  func signals(number: Int32, status: Int, restarts: Int, requests: [String]) throws {
    let stub = try StubSlurm()
    let process = try start(saving(status), stub, index: 2, restarts: restarts)
    wait(for: "begun", stub)
    kill(process.processIdentifier, number)
    process.waitUntilExit()
    #expect(FileManager.default.fileExists(atPath: stub.folder.path + "/saved"))
    #expect(process.terminationStatus == Int32(status) && stub.requests() == requests)
  }

  @Test("A program that the warning ends before it can save goes back to the queue")
  func early() throws {
    let stub = try StubSlurm()
    let process = try start(#"touch "$here/begun"; exec sleep 20"#, stub, index: 0)
    wait(for: "begun", stub)
    usleep(100_000)
    kill(process.processIdentifier, SIGUSR1)
    process.waitUntilExit()
    #expect(process.terminationStatus == 138 && stub.requests() == ["requeue 7_0"])
  }
}
