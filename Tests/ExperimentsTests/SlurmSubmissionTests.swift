import Experiments
import Files
import Foundation
import TestSupport
import Testing

@Suite struct SlurmSubmissionTests {
  private struct Mishap: Error, CustomStringConvertible { let description = "a mishap" }

  /// Six runs, whose stage is shared by the runs of a seed.
  private func experiment(
    stage: @escaping @Sendable (RunContext) throws -> Void = { _ in },
    run: @escaping @Sendable (RunContext) throws -> Void = { _ in }
  ) -> Experiment {
    toyExperiment(sharesStages: true) { context in
      let shared = context.stage("stage", reads: ["seed"])
      _ = try shared.folder { folder in
        try stage(shared.context)
        try "made".write(toFile: folder + "/x", atomically: true, encoding: .utf8)
      }
      try run(context)
      return [Metric(.score, unit: .fraction, value: 0.5)]
    }
  }

  private struct Place {
    let folder: TemporaryFolder
    let stub: StubSlurm
    var runs: String { folder.path + "/ru ns" }

    init() throws {
      folder = try TemporaryFolder()
      stub = try StubSlurm()
    }

    func submit(_ experiment: Experiment, _ more: String...) -> Int32 {
      experiment.run(
        ["--engine", "slurm", "--slurm=--partition=p", "--output", folder.path + "/toy.csv"] + more,
        folder: runs, searchPath: stub.searchPath)
    }

    func call(_ experiment: Experiment, _ arguments: String...) -> Int32 {
      experiment.run(arguments, folder: runs, searchPath: stub.searchPath)
    }

    var submissions: [String] { folder.names("ru ns/toy/slurm") }
    func path(_ name: String, of submission: Int) -> String {
      "ru ns/toy/slurm/\(submissions[submission])/\(name)"
    }
    func lines(_ name: String, of submission: Int) throws -> [String] {
      try folder.text(path(name, of: submission)).split(separator: "\n").map(String.init)
    }
    func plan() throws -> Plan { try Plan(path: runs + "/toy/plan.json") }
    func status() throws -> String {
      try SweepStatus("toy", root: runs, searchPath: stub.searchPath).text
    }
    /// Lines of squeue for the tasks of an array.
    func queued(
      _ job: Int, _ list: String, of submission: Int, _ indices: Range<Int>, state: String = "PD"
    )
      -> String
    {
      indices.map { "\(job)|\($0)|\(state)|Resources|toy.\(submissions[submission]).\(list)\n" }
        .joined()
    }
  }

  private func option(_ name: String, _ job: [String]) -> String? {
    job.first { $0.hasPrefix(name + "=") }.map { String($0.dropFirst(name.count + 1)) }
  }

  @Test(
    "Stages are submitted first, runs after them in arrays that the cluster takes, then the collecting job"
  )
  func first() throws {
    let place = try Place()
    #expect(place.submit(experiment(), "--jobs", "2") == 0)
    let jobs = try place.stub.jobs()
    #expect(jobs.map { option("--array", $0) } == ["0-1%2", "0-3%2", "0-1%2", nil])
    // With a limit the second array of runs waits for the first, so that it holds for both.
    #expect(
      jobs.map { option("--dependency", $0) }
        == [nil, "afterany:101", "afterany:101:102", "afterany:102:103"])
    #expect(jobs.allSatisfy { $0.contains("--partition=p") })
    let plan = try place.plan()
    #expect(
      try place.lines("runs-1.txt", of: 0) + place.lines("runs-2.txt", of: 0) == plan.runs.map(\.id)
    )
    let stages = try place.lines("stages-1.txt", of: 0).map {
      $0.split(separator: " ").map(String.init)
    }
    #expect(stages.map { $0[0] } == plan.runs[..<2].map(\.id))
    #expect(
      Set(stages.map { $0[1] }) == Set(plan.runs.compactMap(\.stage))
        && stages[0][1] != stages[1][1])
    #expect(plan.runs[0].stage == plan.runs[2].stage)
    // Nothing was made yet, and the program is a copy.
    #expect(place.folder.names("ru ns").sorted() == ["toy"])
    #expect(place.folder.names("ru ns/toy") == ["plan.json", "slurm"])
    #expect(
      FileManager.default.isExecutableFile(
        atPath: place.folder.path + "/" + place.path("toy", of: 0)))
    #expect(
      jobs.map { $0.last }
        == ["stages-1", "runs-1", "runs-2", "collect"].map {
          place.folder.path + "/" + place.path("\($0).sh", of: 0)
        })
  }

  @Test("A dry run submits and writes nothing")
  func dryRun() throws {
    let place = try Place()
    #expect(place.submit(experiment(), "--dry-run") == 0)
    #expect(try place.stub.jobs().isEmpty && place.folder.names().isEmpty)
  }

  @Test("The same call again submits what is neither finished, nor queued, nor under way")
  func again() throws {
    let place = try Place()
    #expect(place.submit(experiment()) == 0)
    // Everything waits, among jobs of others and lines that are none.
    let foreign =
      "7|0|R|None|toy.9-000000.runs-1\n1|N/A|PD|x|bash\nnonsense\n|||\n102|99|R|None|toy.\(place.submissions[0]).runs-1\n"
    let all =
      place.queued(101, "stages-1", of: 0, 0..<2) + place.queued(102, "runs-1", of: 0, 0..<4)
      + place.queued(103, "runs-2", of: 0, 0..<2)
    try place.stub.setQueue(foreign + all)
    #expect(place.submit(experiment()) == 0)
    #expect(try place.stub.jobs().count == 4 && place.submissions.count == 1)

    // One stage is queued still, one run is finished, one array has gone without any.
    let plan = try place.plan()
    #expect(place.call(experiment(), "run", plan.runs[1].id) == 0)
    try place.stub.setQueue(
      foreign + place.queued(101, "stages-1", of: 0, 0..<1, state: "R")
        + place.queued(103, "runs-2", of: 0, 0..<2))
    #expect(place.submit(experiment()) == 0)
    let jobs = try place.stub.jobs().dropFirst(4)
    #expect(
      try place.lines("runs-1.txt", of: 1) == [plan.runs[0], plan.runs[2], plan.runs[3]].map(\.id))
    // The runs wait for the stage that is queued, the collecting job for the runs that are, too.
    #expect(jobs.map { option("--dependency", $0) } == ["afterany:101", "afterany:103:105"])
    #expect(jobs.map { option("--array", $0) } == ["0-2", nil])
  }

  @Test("What another process works on is not submitted")
  func working() throws {
    let place = try Place()
    let experiment = experiment { _ in
    } run: { _ in
    }
    #expect(place.call(experiment, "plan") == 0)
    let run = try place.plan().runs[0]
    let claims = ClaimFolder(folder: place.runs + "/toy/claims")
    let claim = try #require(try claims.claim(run.id))
    // One of another host that still writes, and one that was given up.
    let other = ClaimFolder(
      folder: place.runs + "/toy/claims",
      owner: ProcessIdentity(host: "another", number: 7, start: "1"))
    let foreign = try #require(try other.claim(try place.plan().runs[1].id))
    try #require(try claims.claim(try place.plan().runs[2].id)).release()
    #expect(claims.working().count == 2)
    #expect(place.submit(experiment) == 0)
    #expect(try place.lines("runs-1.txt", of: 0) == place.plan().runs[2...5].map(\.id))
    // It has not written for longer than claims last.
    let old = Date(timeIntervalSinceNow: -200)
    for name in place.folder.names("ru ns/toy/claims") {
      try FileManager.default.setAttributes(
        [.modificationDate: old], ofItemAtPath: place.runs + "/toy/claims/" + name)
    }
    #expect(claims.working().keys.sorted() == [run.id])
    withExtendedLifetime((claim, foreign)) {}
  }

  @Test("Where all runs are finished the same call writes the CSV")
  func finished() throws {
    let place = try Place()
    #expect(place.submit(experiment()) == 0)
    for run in try place.plan().runs { #expect(place.call(experiment(), "run", run.id) == 0) }
    #expect(place.folder.names(ending: ".csv").isEmpty)
    #expect(place.submit(experiment()) == 0)
    #expect(try place.folder.text("toy.csv").split(separator: "\n").count == 7)
    #expect(try place.stub.jobs().count == 4)
  }

  @Test("A submission that breaks off is gone on with")
  func breakOff() throws {
    let place = try Place()
    try place.stub.failFrom(1)
    #expect(place.submit(experiment()) == 1)
    #expect(try place.stub.jobs().count == 1)
    try place.stub.failFrom(nil)
    try place.stub.setQueue(place.queued(101, "stages-1", of: 0, 0..<2))
    #expect(place.submit(experiment()) == 0)
    let jobs = try place.stub.jobs()
    #expect(
      jobs.dropFirst().map { option("--dependency", $0) } == [
        "afterany:101", "afterany:101", "afterany:102:103",
      ])
  }

  @Test("Where Slurm is missing, or does not answer, nothing is submitted twice")
  func missing() throws {
    let place = try Place()
    let empty = try TemporaryFolder()
    let arguments = ["--engine", "slurm", "--output", place.folder.path + "/toy.csv"]
    #expect(experiment().run(arguments, folder: place.runs, searchPath: empty.path) == 1)
    #expect(place.submit(experiment()) == 0)
    let count = try place.stub.jobs().count
    try place.stub.takeDown()
    #expect(place.submit(experiment()) == 1)
    #expect(try place.stub.jobs().count == count)
    // How far it is can be told without.
    #expect(try place.status().contains("6 waiting"))
    #expect(try place.status().contains("the queue is not known: squeue: status 1: expected"))
  }

  @Test("An answer of sbatch without a job's number is an error")
  func noNumber() throws {
    let place = try Place()
    try place.stub.program("sbatch", "echo Submitted; exit 0")
    #expect(place.submit(experiment()) == 1)
  }

  @Test(
    "The tasks of a submission are executed with the code of its program, whatever the folder has become"
  )
  func code() throws {
    let place = try Place()
    #expect(place.submit(experiment()) == 0)
    let submission = place.folder.path + "/ru ns/toy/slurm/" + place.submissions[0]
    // A plan of other code, as it is when the folder's code has changed since.
    var plan = try place.plan()
    var text = try place.folder.text("ru ns/toy/plan.json").replacing(
      plan.code, with: "0123456789abcdef+changed")
    plan.code = "0123456789abcdef+changed"
    for run in plan.runs {
      text = text.replacing(run.id, with: plan.provenance(of: run.settings).id)
    }
    try FileManager.default.removeItem(atPath: submission + "/plan.json")
    try place.folder.write(text, to: "ru ns/toy/slurm/\(place.submissions[0])/plan.json")
    let id = try Plan(path: submission + "/plan.json").runs[0].id
    #expect(place.call(experiment(), "run", id, "--submission", submission) == 1)
    #expect(place.call(experiment(), "stage", id, "--submission", submission) == 0)
    #expect(place.folder.names("ru ns/stages").count == 1)
  }

  @Test("A run whose stage was not made fails at once, with the reason, and makes none itself")
  func missingStage() throws {
    let place = try Place()
    let log = Log()
    let broken = experiment { context in
      log.add("stage \(context.settings.seed)")
      if context.settings.seed == 0 { throw Mishap() }
    } run: {
      log.add("run \($0.settings.seed)")
    }
    #expect(place.submit(broken) == 0 && log.all.isEmpty)
    let submission = place.folder.path + "/ru ns/toy/slurm/" + place.submissions[0]
    let runs = try place.plan().runs
    #expect(place.call(broken, "run", runs[1].id, "--submission", submission) == 1)
    #expect(log.all.isEmpty)
    #expect(place.call(broken, "stage", runs[0].id, "--submission", submission) == 1)
    #expect(place.call(broken, "stage", runs[1].id, "--submission", submission) == 0)
    #expect(log.all == ["stage 0", "stage 1"])
    #expect(place.call(broken, "run", runs[0].id, "--submission", submission) == 1)
    #expect(place.call(broken, "run", runs[1].id, "--submission", submission) == 0)
    #expect(log.all == ["stage 0", "stage 1", "run 1"])
    let text = try place.status()
    #expect(text.hasPrefix("toy: 6 runs: 1 done, 0 running, 4 waiting, 1 failed\n"))
    #expect(text.contains("shared stages: 1 of 2 made, 0 running, 0 waiting\n"))
    #expect(text.contains("    stage \(runs[0].stage ?? "") failed: a mishap\n"))
    #expect(
      text.contains(
        "expected the stage that an earlier job was to make, found that it failed: a mishap\n"))
    // It is made again by the next submission, and its failure is forgotten.
    #expect(place.submit(experiment()) == 0)
    #expect(try place.lines("stages-1.txt", of: 1).count == 1)
    #expect(place.call(experiment(), "stage", runs[0].id) == 0)
    #expect(try !place.status().contains("    stage "))
  }

  @Test("A task that is interrupted ends with status 75, a run as a stage")
  func interrupted() throws {
    let place = try Place()
    let stopped = experiment { _ in throw CancellationError() }
    #expect(place.call(stopped, "plan") == 0)
    let id = try place.plan().runs[0].id
    #expect(place.call(stopped, "stage", id) == 75 && place.call(stopped, "run", id) == 75)
    #expect(try place.status().contains("1 ended without a record"))
  }

  @Test("Each state of a run is told, with the end of its log and the time left")
  func status() throws {
    let place = try Place()
    let failing = experiment { _ in
    } run: {
      if $0.settings.seed == 1, $0.settings.arm == "without" { throw Mishap() }
    }
    #expect(place.submit(failing) == 0)
    #expect(
      try place.status()
        == "toy: 6 runs: 0 done, 0 running, 6 waiting, 0 failed\n  shared stages: 0 of 2 made, 0 running, 0 waiting\n  time left: unknown until a run is done"
    )
    let runs = try place.plan().runs
    #expect(
      place.call(failing, "run", runs[0].id) == 0 && place.call(failing, "run", runs[5].id) == 1)
    let claim = try #require(try ClaimFolder(folder: place.runs + "/toy/claims").claim(runs[1].id))
    try place.folder.write(
      "loading\n\u{1B}[31mstage 2 40 %\n\n", to: place.path("log/runs-1-1.txt", of: 0))
    try place.folder.write(
      "loading\nslurmstepd: oom-kill\n", to: place.path("log/runs-1-2.txt", of: 0))
    try place.folder.write("1\n2\n3\n4\n5\n", to: place.path("log/runs-2-1.txt", of: 0))
    try place.stub.setQueue(
      place.queued(102, "runs-1", of: 0, 3..<4)
        + place.queued(103, "runs-2", of: 0, 0..<1, state: "R"))
    let text = try place.status()
    #expect(
      text.hasPrefix(
        "toy: 6 runs: 1 done, 2 running, 1 waiting, 1 failed, 1 ended without a record\n"))
    #expect(text.contains("  in the queue: 1 (Resources)\n"))
    #expect(text.contains("  shared stages: 2 of 2 made"))
    #expect(text.contains("  time left: about 1 s with 2 at once\n"))
    #expect(text.contains("  \(runs[1].id)  \(runs[1].label), process \(getpid()) on "))
    #expect(text.contains("    | ⟨U+1B⟩[31mstage 2 40 %\n"))
    #expect(text.contains("  \(runs[4].id)  \(runs[4].label), job 103_0\n"))
    #expect(
      text.contains(
        "  a mishap\n    \(runs[5].id)  \(runs[5].label)\n      | 2\n      | 3\n      | 4\n      | 5"
      ))
    #expect(
      text.contains(
        "  ended without a record\n    \(runs[2].id)  \(runs[2].label)\n      | loading\n      | slurmstepd: oom-kill"
      ))
    claim.finish()
  }

  @Test("A local sweep has a status without Slurm")
  func local() throws {
    let folder = try TemporaryFolder()
    let experiment = experiment()
    #expect(
      experiment.run(["--output", folder.path + "/toy.csv"], folder: folder.path + "/runs") == 0)
    let text = try SweepStatus("toy", root: folder.path + "/runs", searchPath: "").text
    #expect(
      text
        == "toy: 6 runs: 6 done, 0 running, 0 waiting, 0 failed\n  all are done; CSV: \(folder.path)/toy.csv"
    )
    #expect(experiment.run(["status"], folder: folder.path + "/elsewhere") == 1)
  }
}
