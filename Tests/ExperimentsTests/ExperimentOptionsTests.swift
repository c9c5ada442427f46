import Experiments
import Parameters
import Testing

@Suite struct ExperimentOptionsTests {
  private let experiment = toyExperiment()

  private func options(_ arguments: String...) throws -> ExperimentOptions {
    try ExperimentOptions(arguments, for: experiment, cores: 2)
  }

  private func problems(_ arguments: String...) -> [String] {
    do {
      _ = try ExperimentOptions(arguments, for: experiment, cores: 2)
      return []
    } catch let error as UsageError {
      return error.problems
    } catch {
      return ["\(error)"]
    }
  }

  @Test("Without flags an experiment's own values, seeds, arms and path hold")
  func defaults() throws {
    let options = try options()
    #expect(options.values["rate"] == [.number(0.1), .number(0.2)])
    #expect(options.values["pairs"] == [])
    #expect(options.seeds == [0, 1])
    #expect(options.arms.map(\.name) == ["with", "without"])
    #expect((options.jobs, options.output) == (2, "results/toy.csv"))
  }

  @Test(
    "A flag takes its value after a space or an equals sign, negative ones and lists too",
    arguments: [
      (["--rate", "-0.5"], [-0.5]), (["--rate=-0.5"], [-0.5]),
      (["--rate", "-1,-0.025,0"], [-1, -0.025, 0]), (["--rate=-.5,1e-1"], [-0.5, 0.1]),
      (["--rate", "0.5,5e-1,0.50"], [0.5]), (["--rate", "-0,0"], [0]),
    ])
  func values(arguments: [String], expected: [Double]) throws {
    let options = try ExperimentOptions(arguments, for: experiment, cores: 1)
    #expect(options.values["rate"] == expected.map { .number($0) })
  }

  @Test(
    "Seeds are how many or which ones, each once",
    arguments: [("5", [0, 1, 2, 3, 4]), ("0,3,7", [0, 3, 7]), ("3,3,1", [3, 1]), ("4,4", [4])])
  func seeds(text: String, expected: [Int]) throws {
    #expect(try options("--seeds", text).seeds == expected)
  }

  @Test("Arms keep the declaration's order; smoke values stand in where there are any")
  func arms() throws {
    #expect(try options("--arms", "without,with").arms.map(\.name) == ["with", "without"])
    #expect(try options("--arms", "without").arms.map(\.name) == ["without"])
    let smoke = try options("--smoke")
    #expect(smoke.values["rate"] == [.integer(0)] && smoke.values["batch_size"] == [.integer(8)])
    #expect(smoke.seeds == [0] && smoke.output == "results/scratch/toy.csv")
    #expect(try options("--smoke", "--rate", "0.3").values["rate"] == [.number(0.3)])
  }

  @Test(
    "A value that is not allowed is refused with what is",
    arguments: [
      ("--rate", "2", "a number from -1.0 to 1.0"), ("--rate", "nan", "a number"),
      ("--rate", "0.1,", "found \"\""), ("--rate", "", "found \"\""),
      ("--rate", "fast", "found \"fast\""), ("--batch-size", "0", "a whole number from 1 to 100"),
      ("--batch-size", "1.5", "found \"1.5\""), ("--mode", "slow", "one of plain, fast"),
      ("--data-seed", "1,2", "found \"1,2\""), ("--seeds", "0", "how many (5)"),
      ("--seeds", "1,-1", "which (0,3,7)"), ("--seeds", "1,,2", "which"), ("--jobs", "0", "256"),
      ("--arms", "others", "some of with, without"), ("--arms", "", "found \"\""),
    ])
  func refused(flag: String, value: String, expected: String) throws {
    for problems in [problems(flag, value), problems("\(flag)=\(value)")] {
      #expect(problems.count == 1)
      #expect(problems.first?.hasPrefix(flag) == true)
      #expect(problems.first?.contains(expected) == true, "\(problems)")
    }
  }

  @Test("A file whose name a spreadsheet would run as a formula is refused, since the CSV has it")
  func formulas() throws {
    #expect(
      problems("--pairs", "some/=1+1") == [
        "--pairs: expected a name that no spreadsheet runs as a formula: one that begins with none "
          + "of = + - @ and no tab, found \"=1+1\""
      ])
    #expect(try options("--pairs", "-some/x=1").values["pairs"] == [.text("-some/x=1")])
  }

  @Test("A text that is no axis keeps its commas")
  func commas() throws {
    #expect(try options("--pairs", "a,b.jsonl").values["pairs"] == [.text("a,b.jsonl")])
  }

  @Test(
    "A mistyped flag is answered with the nearest one, and its value is no second mistake",
    arguments: [
      (["--rates", "-0.1"], "--rate"), (["--bach-size=3"], "--batch-size"),
      (["--smok"], "--smoke"), (["--seed", "3"], "--seeds"),
    ])
  func unknown(arguments: [String], nearest: String) throws {
    let error = #expect(throws: UsageError.self) {
      try ExperimentOptions(arguments, for: experiment, cores: 1)
    }
    #expect(error?.problems.count == 1)
    #expect(error?.problems.first?.contains("did you mean \(nearest)?") == true)
  }

  @Test("All that is wrong is said at once")
  func together() {
    let found = problems("--rate", "9", "--mod", "fast", "--seeds", "x", "--smoke=yes", "--jobs")
    #expect(found.count == 5, "\(found)")
    for flag in ["--rate", "--mod:", "--seeds", "--smoke", "--jobs"] {
      #expect(found.contains { $0.hasPrefix(flag) }, "\(flag)")
    }
  }

  @Test("Help names every flag, and comes whatever else is wrong")
  func help() throws {
    let help = try options("--help").help(experiment)
    for text in ["--rate", "--batch-size", "--seeds", "without", "Example: toy --rate 0.1"] {
      #expect(help.contains(text))
    }
    #expect(try options("--rate", "9", "--help").action == .help)
  }

  @Test("The flag of the variant brings its defaults, settings, seeds and CSV, wherever it stands")
  func variant() throws {
    for arguments in [
      ["--model", "m"], ["--model=m", "--mode", "fast"], ["--smoke", "--model=m"],
    ] {
      let options = try ExperimentOptions(arguments, for: experiment, cores: 1)
      #expect(options.isVariant && options.values["depth"] == [.integer(2)])
      #expect(options.seeds.count == (options.isSmoke ? 1 : 3))
      #expect(options.output.hasSuffix("toy.checkpoint.csv"))
    }
    #expect(try options("--model", "m").values["rate"] == [.number(0.3)])
    #expect(try options("--model", "m", "--rate", "0.5").values["rate"] == [.number(0.5)])
    #expect(try options().values["depth"] == nil && !options().isVariant)
    #expect(problems("--depth", "3") == ["--depth: expected only with --model"])
    #expect(try options("--model", "m", "--help").help(experiment).contains("--depth"))
    #expect(try !options("--help").help(experiment).contains("--depth"))
  }

  @Test("A step takes the flags that say what is run, or the plan's")
  func steps() throws {
    #expect(try options("plan", "--rate", "0.5").action == .plan)
    #expect(try options("run", "0123").action == .run("0123"))
    #expect(try options("collect").action == .collect && options().action == .all)
    let flags = try options("--rate", "0.5", "--jobs", "2", "--smoke").flags
    #expect(flags == ["--smoke", "--rate=0.5"])
    #expect(problems("run").first?.hasPrefix("run: expected the id") == true)
    #expect(
      problems("run", "0123", "--rate", "0.5").first?.hasPrefix("--rate=0.5: the plan") == true)
    #expect(problems("run", "0123", "--jobs", "1").isEmpty)
  }
}

@Suite struct PlanTests {
  private func labels(_ arguments: String...) throws -> [String] {
    let experiment = toyExperiment()
    let options = try ExperimentOptions(arguments, for: experiment, cores: 1)
    return experiment.grid(options).map { run in
      [run.arm, run.values["rate"]?.description, run.values["mode"]?.description, "\(run.seed)"]
        .compactMap { $0 }.joined(separator: " ")
    }
  }

  @Test("An arm is multiplied by the axes it has, and seeds turn fastest")
  func grid() throws {
    #expect(
      try labels() == [
        "with 0.1 plain 0", "with 0.1 plain 1", "with 0.2 plain 0", "with 0.2 plain 1",
        "without plain 0", "without plain 1",
      ])
    #expect(
      try labels("--mode", "plain,fast", "--seeds", "1", "--rate", "0") == [
        "with 0 plain 0", "with 0 fast 0", "without plain 0", "without fast 0",
      ])
  }

  @Test("All runs of eight seeds come before those of the next")
  func wholeSeeds() throws {
    let expected = [0..<8, 8..<16, 16..<20].flatMap { seeds in
      ["with 0", "without"].flatMap { arm in seeds.map { "\(arm) plain \($0)" } }
    }
    #expect(try labels("--seeds", "20", "--rate", "0") == expected)
  }

  @Test("A setting without a value is none of a run's")
  func absent() throws {
    let experiment = toyExperiment()
    let options = try ExperimentOptions([], for: experiment, cores: 1)
    #expect(experiment.grid(options).allSatisfy { $0.values["pairs"] == nil })
  }
}
