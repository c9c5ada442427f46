import Distillation
import Foundation
import KeySteps
import Parameters
import Testing

/// What the registry promises of its entries.
@Suite struct ObjectiveRegistryTests {
  private static let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
    .appendingPathComponent("../..").standardizedFileURL

  @Test("Every entry that a file of Objectives declares is registered, once")
  func complete() throws {
    let folder = Self.root.appendingPathComponent("Sources/Distillation/Objectives")
    let files = try FileManager.default.contentsOfDirectory(atPath: folder.path)
    let sources = try files.filter { $0.hasSuffix(".swift") }.map {
      try String(contentsOf: folder.appendingPathComponent($0), encoding: .utf8)
    }
    let declared = sources.flatMap { source in
      source.matches(of: /static let \w+ = (?:ObjectiveEntry|multiTask)\(\s*"([a-z0-9-]+)"/).map {
        String($0.1)
      }
    }
    let names = ObjectiveEntry.all.map(\.name)
    #expect(declared.sorted() == names.sorted())
    #expect(Set(names).count == names.count)
  }

  @Test("An entry is found by its name")
  func names() {
    for entry in ObjectiveEntry.all { #expect(ObjectiveEntry(named: entry.name) == entry) }
    #expect(ObjectiveEntry(named: "ppo") == nil)
    for arm in TrainingArm.all { #expect(TrainingArm(named: arm.name) == arm) }
    #expect(Set(TrainingArm.all.map(\.name)).count == TrainingArm.all.count)
  }

  @Test("A parameter has one name, one range and one help in all objectives")
  func parameters() {
    for (name, same) in Dictionary(grouping: ObjectiveEntry.all.flatMap(\.parameters), by: \.name) {
      #expect(Set(same.map(\.kind)).count == 1, "\(name)")
      #expect(Set(same.map(\.help)).count == 1, "\(name)")
    }
    for entry in ObjectiveEntry.all {
      #expect(Set(entry.parameters.map(\.name)).count == entry.parameters.count, "\(entry.name)")
    }
  }

  @Test("The defaults are those of the functions that make the objectives")
  func defaults() {
    let values = ParameterValues(ObjectiveEntry.keySteps.parameters)
    #expect(KeyStepWeights(values) == KeyStepWeights())
    #expect(KeyTokenChoice(values) == KeyTokenChoice())
    #expect(NegativeForm.guarded(values) == .guarded(above: 20))
  }

  @Test("Key tokens are chosen as the parameters say")
  func choice() {
    let values = ParameterValues(
      .keyTokens,
      given: [
        "alignment_unit": .text("step"), "rejected_tokens": .text("first-run"),
        "shared_script": .text("true"),
      ])
    #expect(
      KeyTokenChoice(values)
        == KeyTokenChoice(sharesScript: true, onlyFirstRejectedRun: true, unit: .step))
  }

  @Test("Parameters change the objective they belong to")
  func effects() throws {
    let teachings = try Teachings()
    let weights = try teachings.segments(.keySteps, ["beta": .number(-0.5)])[2].weights
    #expect(weights.contains { $0 < -0.05 })
    let plain = try teachings.segments(.keySteps)[2].weights
    let first = try teachings.segments(.keySteps, ["rejected_tokens": .text("first-run")])[2]
      .weights
    #expect(first.count { $0 != 0 } < plain.count { $0 != 0 })
    let step = try teachings.segments(.keySteps, ["alignment_unit": .text("step")])[2].weights
    #expect(step.count { $0 != 0 } > plain.count { $0 != 0 })
  }

  @Test("docs/objectives.md holds the tables of the registry (keystep objectives prints them)")
  func documented() throws {
    let text = try String(
      contentsOf: Self.root.appendingPathComponent("docs/objectives.md"), encoding: .utf8)
    #expect(text.contains(ObjectiveEntry.markdown))
  }
}
