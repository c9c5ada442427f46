import Experiments
import Files
import TestSupport
import Testing

@Suite struct SlurmOptionsTests {
  @Test(
    "A line is split as a shell splits it",
    arguments: [
      ("", []), ("  ", []), ("a b", ["a", "b"]), ("--comment='a b' c", ["--comment=a b", "c"]),
      (#"--x="a \" b""#, [#"--x=a " b"#]), (#"a\ b ''"#, ["a b", ""]), ("a\"b\"'c'", ["abc"]),
      (#""a\b""#, [#"a\b"#]),
    ])
  func words(line: String, expected: [String]) {
    #expect(ShellWords.split(line) == expected)
    // What is written as a line is read back.
    #expect(ShellWords.split(ShellCommand.line(expected)) == expected)
  }

  @Test("A line whose quotes are open has no words", arguments: ["'a", "\"a", "a\\", "\"a\\\""])
  func open(line: String) {
    #expect(ShellWords.split(line) == nil)
  }

  @Test("The site's options come first, the call's after them, and the last number of cores counts")
  func order() throws {
    let folder = try TemporaryFolder()
    try folder.write(
      """
      # Our cluster.
      partition = cpu
        cpus-per-task=2

      #SBATCH --exclusive --mem 4G
      -A project
      setup = module load openblas
      setup = ulimit -c 0
      run-with = apptainer exec --bind "/data x" keystep.sif

      """, to: "site")
    let options = try SlurmOptions(
      line: "--time=4:00:00 -c 4 --comment='a b'", defaults: folder.path + "/site")
    #expect(
      options.arguments == [
        "--partition=cpu", "--cpus-per-task=2", "--exclusive", "--mem", "4G", "-A", "project",
        "--time=4:00:00", "-c", "4", "--comment=a b",
      ])
    #expect(options.setup == ["module load openblas", "ulimit -c 0"])
    #expect(options.prefix == ["apptainer", "exec", "--bind", "/data x", "keystep.sif"])
    #expect(options.coresPerTask == 4)
    #expect(try SlurmOptions(line: "-c8", defaults: nil).coresPerTask == 8)
    #expect(try SlurmOptions(line: "", defaults: nil) == SlurmOptions())
  }

  @Test(
    "A bad line of the site's file is named by its number",
    arguments: [
      ("partition", "line 2: expected key = value"),
      ("partition =", "line 2: expected key = value"),
      ("Partition = p", "line 2: expected key = value"), ("= p", "line 2: expected key = value"),
      ("array = 1-3", "line 2: expected an option that the submission does not state itself"),
      ("--output=x", "line 2: expected an option that the submission does not state itself"),
      ("#SBATCH -J name", "found -J"),
      ("--mem 4 G", "line 2: expected an option of sbatch, found \"G\""),
      (
        "cpus-per-task = four", "line 2: expected --cpus-per-task with a whole number from 1 to 256"
      ),
      ("run-with = 'a", "line 2: expected words whose quotes are closed"),
    ])
  func badLine(line: String, message: String) throws {
    let folder = try TemporaryFolder()
    try folder.write("# a comment\n\(line)\n", to: "site")
    let path = folder.path + "/site"
    let error = #expect(throws: FileError.self) { try SlurmOptions(line: "", defaults: path) }
    #expect(error?.file == path && error?.description.contains(message) == true, "\(error as Any)")
  }

  @Test(
    "A bad option of the call is named",
    arguments: [
      ("p", "expected an option of sbatch, found \"p\""), ("--wrap=ls", "found --wrap"),
      ("--time='4", "words whose quotes are closed"), ("-c0", "found \"0\""), ("-d x", "found -d"),
    ])
  func badCall(line: String, message: String) {
    let error = #expect(throws: FileError.self) { try SlurmOptions(line: line, defaults: nil) }
    #expect(error?.file == "--slurm" && error?.description.contains(message) == true)
  }

  @Test("A missing file of options is an error where it is named")
  func missing() {
    #expect(throws: FileError.self) { try SlurmOptions(line: "", defaults: "/nowhere/site") }
  }

  @Test("Flags: the cores of a task are the workers of a run, and what makes no sense is refused")
  func flags() throws {
    func options(_ arguments: String...) throws -> ExperimentOptions {
      try ExperimentOptions(arguments, for: toyExperiment(), cores: 2)
    }
    let four = try options("--engine", "slurm", "--slurm=--cpus-per-task=4", "--jobs", "5000")
    #expect(four.workers == 4 && four.taskLimit == 5000)
    // The plan is made again from its flags, without the cluster's.
    #expect(four.flags == ["--workers=4"])
    #expect(try options("--workers=4").workers == 4)
    let two = try options("--engine=slurm", "--slurm=-c 4", "--workers", "2")
    #expect(two.workers == 2 && two.flags == ["--workers=2"])
    #expect(try options("--engine", "slurm").taskLimit == nil)
    #expect(try options("--engine", "local").slurm == nil)
    for (arguments, message) in [
      (["--engine", "pbs"], "--engine: expected local or slurm, found \"pbs\""),
      (["--slurm=-c 4"], "--slurm: expected only with --engine slurm"),
      (["--engine=slurm", "--slurm=-c 2", "--workers=3"], "--workers: expected at most 2"),
      (["--engine=slurm", "--slurm=-a 3"], "--slurm: expected an option that"),
      (["plan", "--engine=slurm"], "--engine: expected only without plan"),
      (["run", "x", "--engine=slurm"], "--engine: the plan states what is run"),
      (
        ["status", "--seeds", "2"],
        "--seeds=2: the plan states what is run; expected no flag after status"
      ),
      (["stage"], "stage: expected the id of a run of the plan, found none"),
      (["--submission", "x"], "--submission: expected only after run, stage or collect"),
    ] {
      let error = #expect(throws: (any Error).self) {
        try ExperimentOptions(arguments, for: toyExperiment(), cores: 2)
      }
      #expect("\(error as Any)".contains(message), "\(arguments): \(error as Any)")
    }
  }
}
