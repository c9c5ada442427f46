import Parameters
import Testing

@Suite struct ParameterTests {
  private let rate = Parameter("rate", .number(-1...1), default: .number(0.5), help: "a rate")
  private let count = Parameter(
    "batch_count", .integer(1...9), default: .integer(3), help: "a count")
  private let kind = Parameter(
    "kind", .choice(["all", "some"]), default: .text("all"), help: "a kind")
  private let shared = Parameter("shared", .flag, default: .text("false"), help: "a switch")
  private var all: [Parameter] { [rate, count, kind, shared] }

  private func values(_ arguments: String...) throws(UsageError) -> ParameterValues {
    try ParameterValues(reading: arguments, of: all, owner: "toy", others: ["--lambda"])
  }

  @Test("Flags without a value in the call have their defaults")
  func defaults() throws {
    let values = try values()
    #expect(values.number(rate) == 0.5 && values.number(count) == 3)
    #expect(values.text(kind) == "all" && !values.isOn(shared))
    #expect(values == ParameterValues(all))
  }

  @Test("A value follows its flag or an equals sign, and may begin with a minus")
  func given() throws {
    let values = try values("--rate", "-0.25", "--batch-count=9", "--shared", "--kind", "some")
    #expect(values.float(rate) == -0.25 && values.number(count) == 9)
    #expect(values.text(kind) == "some" && values.isOn(shared))
    #expect(try !self.values("--shared=false").isOn(shared))
    #expect(try self.values("--rate", "1", "--rate", "0").number(rate) == 0)
  }

  @Test(
    "What a call gets wrong is named with what was expected",
    arguments: [
      (["--rate", "2"], "--rate: expected a number from -1.0 to 1.0, found \"2\""),
      (["--rate", "nan"], "--rate: expected a number from -1.0 to 1.0, found \"nan\""),
      (["--batch-count", "0"], "--batch-count: expected a whole number from 1 to 9, found \"0\""),
      (["--kind", "none"], "--kind: expected one of all, some, found \"none\""),
      (["--shared=yes"], "--shared: expected true or false, found \"yes\""),
      (["--kind"], "--kind: expected a value, found none"),
      (["--kind", "--shared"], "--kind: expected a value, found none"),
      (
        ["--lambda", "1"],
        "--lambda: toy does not have it; it has --rate, --batch-count, --kind, --shared"
      ),
      (["one"], "one: expected a flag; toy has --rate, --batch-count, --kind, --shared"),
      (
        ["--stps=1"],
        "--stps: no such flag; did you mean --steps? toy has --rate, --batch-count, --kind, --shared"
      ),
      (
        ["--rte", "1"],
        "--rte: no such flag; did you mean --rate? toy has --rate, --batch-count, --kind, --shared"
      ),
    ])
  func problems(arguments: [String], problem: String) {
    let error = #expect(throws: UsageError.self) {
      try ParameterValues(
        reading: arguments, of: all, owner: "toy", others: ["--lambda"], flags: ["--steps"])
    }
    #expect(error?.problems == [problem])
  }

  @Test("Names are joined by +, in the order of their declaration, each once")
  func names() throws {
    let targets = Parameter(
      "targets", .names(["q", "k", "v"]), default: .text("q+v"), help: "projections")
    #expect(targets.kind.value("v+q") == .text("q+v") && targets.kind.value("k+k") == .text("k"))
    for text in ["", "q+", "q+x", "q,v"] { #expect(targets.kind.value(text[...]) == nil) }
    #expect(targets.kind.allowed == "some of q, k, v, joined by +")
  }

  @Test("All problems are reported at once")
  func several() {
    let error = #expect(throws: UsageError.self) {
      try values("--rate", "2", "--lambda", "3", "--kind", "none")
    }
    #expect(error?.problems.count == 3)
  }

  @Test("Help shows each flag with its range and its default")
  func help() {
    #expect(
      [rate, count].help == """
          --rate         a rate (a number from -1.0 to 1.0; 0.5)
          --batch-count  a count (a whole number from 1 to 9; 3)
        """)
  }
}
