import Experiments
import Files
import Testing

@Suite struct ProvenanceTests {
  private func provenance(
    _ part: String = "toy", code: String = "c", inputs: [String: String] = ["sha256 data": "abc"],
    settings: [String: SettingValue] = ["rate": .number(0.5), "seed": .integer(1)]
  ) -> Provenance {
    Provenance(of: part, code: code, inputs: inputs, settings: settings)
  }

  @Test("The id is the hash of one line for each part, and changes with any of them only")
  func id() {
    let first = provenance()
    #expect(
      first.text == "code=c\nrun=toy\nsetting rate=0.5\nsetting seed=1\nsha256 data=abc\n")
    // By sha256sum.
    #expect(first.id == String(SHA256.hex(of: first.text).prefix(16)))
    // A number is one value however it is held.
    #expect(provenance(settings: ["seed": .number(1), "rate": .number(0.5)]).id == first.id)
    let others = [
      provenance("toys"), provenance(code: "d"), provenance(inputs: ["sha256 data": "abd"]),
      provenance(inputs: [:]), provenance(settings: ["rate": .number(0.5)]),
      provenance(settings: ["rate": .number(0.50000001), "seed": .integer(1)]),
    ]
    #expect(Set(([first] + others).map(\.id)).count == 1 + others.count)
  }

  @Test("A run and a stage differ with the code, with a checksum, and with a literal's setting")
  func plan() throws {
    let experiment = toyExperiment()
    let options = try ExperimentOptions(["--seeds", "1"], for: experiment, cores: 1)
    func ids(_ code: String, _ inputs: [String: String]) -> [String] {
      experiment.plan(options, code: code, inputs: inputs).runs.map(\.id)
    }
    let first = ids("c", ["sha256 data": "a"])
    #expect(Set(first).count == first.count)
    for other in [ids("d", ["sha256 data": "a"]), ids("c", ["sha256 data": "b"]), ids("c", [:])] {
      #expect(Set(first).isDisjoint(with: other))
    }
    #expect(first == ids("c", ["sha256 data": "a"]))
  }

  @Test("Settings that a stage does not declare to read are not part of its view")
  func limited() {
    let run = RunSettings(["rate": .number(0.5), "seed": .integer(1), "mode": .text("fast")])
    let limited = run.limited(to: ["seed", "rate", "preset"])
    #expect(Set(limited.values.keys) == ["seed", "rate"])
    #expect(limited.number("rate") == 0.5 && limited["preset"] == nil)
    #expect(Set(limited.limited(to: ["seed", "mode"]).values.keys) == ["seed"])
  }

  @Test("Reading a setting that a stage does not declare is a precondition failure")
  func undeclared() async {
    await #expect(processExitsWith: .failure) {
      _ = RunSettings(["rate": .number(0.5)]).limited(to: ["seed"])["rate"]
    }
  }
}
