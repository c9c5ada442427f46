import Distillation
import Experiments
import Foundation
import LanguageModel
import Recipes
import TestSupport
import Testing

/// What may follow stage 1, as runs of an experiment.
@Suite struct SecondStageRunsTests {
  private static let tiny = [
    "--train-questions", "12", "--validation-questions", "2", "--test-questions", "2",
    "--stage1-steps", "1", "--stage2-steps", "1", "--batch-size", "2", "--max-new-tokens", "3",
  ]

  /// The rows of the CSV that an experiment leaves, on the embedded student or, by `arguments`, on a
  /// checkpoint.
  private func rows(
    _ arms: [Arm], _ settings: [Setting] = [], of objectives: [ObjectiveEntry] = [.keySteps],
    with arguments: [String] = tiny, in folder: TemporaryFolder,
    _ run: @escaping @Sendable (DistillationSetup, RunContext) throws -> [Metric]
  ) throws -> [String] {
    let experiment = Experiment(
      distillation: "rules", question: "", arms: arms,
      settings: DistillationSetup.settings(objectives: objectives) + settings, seeds: 1,
      summary: [], example: "", run: run)
    // The pretrained student's three seeds are not needed.
    let arguments = arguments + ["--seeds", "1"]
    let output = ["--output", folder.path + "/rules.csv"]
    #expect(experiment.run(arguments + output, folder: folder.path + "/runs") == 0)
    return try folder.text("rules.csv").split(separator: "\n").map(String.init)
  }

  @Test(
    "Every objective of a second stage is trained from one stage 1, with its own settings alone")
  func objectives() throws {
    let folder = try TemporaryFolder()
    let objectives = ObjectiveEntry.all.filter { $0.decodesPlainly }
    let rows = try rows(
      [.stage1] + objectives.map { Arm(then: $0) },
      of: objectives,
      with: Self.tiny + [
        "--alignment-unit", "step", "--kept-fraction", "0.5", "--preference-beta", "0.2",
        "--reference-steps", "1",
      ], in: folder
    ) { try $0.run($1, then: ObjectiveEntry(named: $1.settings.arm)) }
    #expect(folder.names("runs/stages").count == 1)
    let header = rows[0].split(separator: ",").map(String.init)
    func cells(_ row: String, _ names: String...) throws -> [String] {
      let fields = row.split(separator: ",", omittingEmptySubsequences: false).map(String.init)
      return try names.map { fields[try #require(header.firstIndex(of: $0))] }
    }
    for objective in objectives {
      let own = rows.filter { $0.contains(",\(objective.name),") }
      #expect(own.contains { $0.contains(",out of domain,accuracy,") }, "\(objective.name)")
      #expect(own.contains { $0.contains(",stage2_last_loss,") }, "\(objective.name)")
      #expect(own.contains { $0.contains(",stage2_pairs,") } == (objective.data == .pairs))
    }
    func settings(_ arm: String) throws -> [String] {
      let row = try #require(rows.first { $0.contains(",\(arm),") })
      return try cells(
        row, "learning_rate", "beta", "guard", "clip", "alignment_unit", "kept_fraction",
        "preference_beta",
        "reference_steps")
    }
    #expect(try settings("stage 1") == ["", "", "", "", "", "", "", ""])
    #expect(try settings("krsl") == ["0.0001", "-0.025", "20", "", "step", "", "", ""])
    #expect(try settings("clipped") == ["0.0001", "-0.025", "", "5", "step", "", "", ""])
    #expect(try settings("rho-1") == ["0.0001", "", "", "", "", "0.5", "", "1"])
    #expect(try settings("cdpo") == ["0.0001", "", "", "", "", "", "0.2", "1"])
  }

  @Test("Rejected tokens of the first divergent run alone are another objective than all")
  func rejectedTokens() throws {
    let folder = try TemporaryFolder()
    let rows = try rows(
      [.stage1, Arm(then: .keySteps)],
      with: Self.tiny + ["--rejected-tokens", "all,first-run"], in: folder
    ) { try $0.run($1, then: ObjectiveEntry(named: $1.settings.arm)) }
    let losses = ["all", "first-run"].map { tokens in
      rows.first { $0.contains(",\(tokens),") && $0.contains(",stage2_first_loss,") }
        .map { $0.split(separator: ",", omittingEmptySubsequences: false).suffix(7).first }
    }
    #expect(losses[0] != nil && losses[1] != nil && losses[0] != losses[1], "\(losses)")
    #expect(Set(rows.dropFirst().map { $0.split(separator: ",")[1] }).count == 3)
  }

  @Test("An adapter's runs say what it learned, by projection and in the mean")
  func adapters() throws {
    let folder = try TemporaryFolder()
    let rows = try rows(
      [.stage1, Arm(then: .keySteps)],
      DistillationSetup.adapterSettings.with("adapter_rank", [.integer(2)]), in: folder
    ) { try $0.runAdapter($1) }
    #expect(folder.names("runs/stages").count == 1)
    for start in LowRankAdapter.Start.allCases {
      let own = rows.filter { $0.contains(",krsl,") && $0.contains(",\(start.rawValue),") }
      for metric in [
        "effective_rank,", "stable_rank,", "update_over_weight,", "input_overlap_with_stage1,",
        "effective_rank,layer 2 v_proj", "singular_values,layer 0 q_proj",
      ] {
        #expect(own.contains { $0.contains(",\(metric),") }, "\(metric)")
      }
      // Two directions, and for what began with singular values as many again.
      let values = try #require(own.first { $0.contains(",singular_values,layer 0 q_proj,") })
      let items = values.split(separator: ",", omittingEmptySubsequences: false).dropLast(2).last
      let found = items?.split(separator: " ") ?? []
      #expect(found.count == (start == .noise ? 2 : 4))
      #expect(found.allSatisfy { $0.hasSuffix("/1") && Double($0.dropLast(2)) != nil }, "\(found)")
    }
    #expect(!rows.contains { $0.contains(",stage 1,") && $0.contains("effective_rank") })
  }

  @Test("A pretrained student's second adapter is on the weights with the first one in them")
  func pretrained() throws {
    let folder = try TemporaryFolder()
    let lines = (0..<8).map { index in
      #"{"prompt": "\#(10 + index) 4", "chosen": "5 \#(30 + index)", "rejected": "6 7", "answer": "5"}"#
    }
    try folder.write(lines.joined(separator: "\n"), to: "pairs.jsonl")
    let rows = try rows(
      [.stage1, Arm(then: .directPreference)],
      DistillationSetup.adapterSettings.with("adapter_rank", [.integer(2)]),
      of: [.directPreference],
      with: [
        "--model", try numberedModel(in: folder.path), "--pairs", folder.path + "/pairs.jsonl",
        "--validation-questions", "1", "--test-questions", "2", "--max-new-tokens", "2",
        "--stage1-steps", "2", "--stage2-steps", "2", "--batch-size", "4", "--lora-rank", "3",
      ], in: folder
    ) { try $0.runAdapter($1) }
    #expect(folder.names("runs/stages").count == 1)
    for start in LowRankAdapter.Start.allCases {
      let own = rows.filter { $0.contains(",dpo,") && $0.contains(",\(start.rawValue),") }
      #expect(own.contains { $0.contains(",in domain,accuracy,") })
      #expect(own.contains { $0.contains(",singular_values,layer 0 v_proj,") })
      // DPO's first loss is log 2 where the student is the reference model.
      let loss = own.first { $0.contains(",stage2_first_loss,") }
      #expect(loss?.contains(",0.693") == true, "\(loss ?? "")")
    }
  }

  @Test("A preset's student has its own stage 1, and its arms run with the size they are given")
  func presets() throws {
    let folder = try TemporaryFolder()
    let names = [StudentPreset.proceduralSmall, .procedural].map(\.rawValue)
    let rows = try rows(
      [.stage1], [Setting("preset", .choice(names), names.map { .text($0) }, help: "")], in: folder
    ) { try $0.run($1, then: nil) }
    #expect(folder.names("runs/stages").count == 2)
    for name in names { #expect(rows.contains { $0.contains(",\(name),") }) }
  }

  @Test("Presets grow from a tenth of a million parameters to four")
  func sizes() {
    let sizes = StudentPreset.allCases.map { preset in
      preset.configuration(vocabularySize: 65).tensorShapes
        .reduce(0) { $0 + $1.shape.reduce(1, *) }
    }
    #expect(sizes == [127_488, 500_736, 1_488_768, 3_952_128])
  }

  @Test("An arm that is optional runs only if it is named, in a variant only there")
  func optional() throws {
    let arms = [
      Arm("one", help: ""), Arm("two", optional: .always, help: ""),
      Arm("three", optional: .pretrained, help: ""), Arm("four", optional: .fromScratch, help: ""),
    ]
    let experiment = Experiment(
      name: "toy", question: "", arms: arms, reference: "one",
      settings: [Setting("model", .file, [], isAxis: false, help: "")], seeds: 1,
      variant: .init(setting: "model", suffix: "checkpoint", seeds: 1), summary: [], example: ""
    ) { _ in Prepared(checksums: [:]) { _ in [] } }
    func names(_ arguments: String...) throws -> [String] {
      try ExperimentOptions(arguments, for: experiment, cores: 1).arms.map(\.name)
    }
    #expect(try names() == ["one", "three"] && names("--arms", "two") == ["two"])
    #expect(try names("--model", "m") == ["one", "four"])
    #expect(try names("--arms", "one,two,three", "--model", "m") == ["one", "two", "three"])
  }
}

extension ObjectiveEntry {
  /// Whether its student answers as stage 1's does.
  fileprivate var decodesPlainly: Bool {
    ![
      ObjectiveEntry.answers, .multiTaskRationale, .multiTaskChain, .multiTaskAnswerFirst, .scott,
      .cascade,
    ].contains(self)
  }
}
