import Distillation
import Experiments
import Foundation
import LanguageModel
import Recipes
import TestSupport
import Testing

/// Settings of experiments: each is a column of the CSV and changes what runs.
@Suite struct HyperparameterTests {
  private let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  private static let sizes = [
    "--validation-questions", "2", "--test-questions", "2", "--max-new-tokens", "2",
    "--stage1-steps", "2", "--stage2-steps", "2", "--batch-size", "4", "--seeds", "1",
  ]
  private static let scratch = sizes + ["--train-questions", "12"]

  /// A pretrained student of tokens that are numbers, with dual pairs for it.
  private func pretrained(model: String? = nil) throws -> [String] {
    let lines = (0..<8).map { index in
      #"{"prompt": "\#(10 + index) 4", "chosen": "5 \#(30 + index)", "rejected": "6 7 8 9", "#
        + #""answer": "5"}"#
    }
    try folder.write(lines.joined(separator: "\n"), to: "pairs.jsonl")
    return Self.sizes + [
      "--model", try model ?? numberedModel(in: folder.path), "--pairs",
      folder.path + "/pairs.jsonl", "--lora-rank", "2",
    ]
  }

  /// A row of a CSV.
  private struct Row {
    var cells: [String: String]
    /// Empty where there is no such column, as in an arm without the setting.
    subscript(column: String) -> String { cells[column] ?? "" }
  }

  /// The CSV that an experiment of `arms` leaves.
  private func rows(
    _ arms: [Arm] = [.stage1, Arm(then: .keySteps)], of objectives: [ObjectiveEntry] = [.keySteps],
    adding settings: [Setting] = [], with arguments: [String],
    _ run: @escaping @Sendable (DistillationSetup, RunContext) throws -> [Metric] = {
      try $0.run($1, then: ObjectiveEntry(named: $1.settings.arm))
    }
  ) throws -> [Row] {
    let experiment = Experiment(
      distillation: "tiny", question: "", arms: arms, reference: arms[0].name,
      settings: DistillationSetup.settings(objectives: objectives) + settings, seeds: 1,
      summary: [], example: "", run: run)
    let output = ["--output", folder.path + "/tiny.csv"]
    #expect(experiment.run(arguments + output, folder: folder.path + "/runs") == 0)
    let lines = try folder.text("tiny.csv").split(separator: "\n").map {
      $0.split(separator: ",", omittingEmptySubsequences: false).map(String.init)
    }
    return lines.dropFirst().map { line in
      Row(cells: Dictionary(uniqueKeysWithValues: zip(lines[0], line)))
    }
  }

  /// The values of `metric`, by the value of `setting` that they were found with.
  private func values(_ metric: String, by setting: String, _ rows: [Row])
    -> [String: Set<String>]
  {
    var values: [String: Set<String>] = [:]
    for row in rows where row["metric"] == metric {
      values[row[setting], default: []].insert(row["value"])
    }
    return values
  }

  @Test("The options that follow the released code have our values where they are left out")
  func defaults() throws {
    let experiment = Experiment(
      distillation: "tiny", question: "", arms: [.stage1], settings: DistillationSetup.settings(),
      seeds: 1, summary: [], example: ""
    ) { try $0.run($1, then: nil) }
    func values(_ arguments: String...) throws -> [String: String] {
      try ExperimentOptions(arguments, for: experiment, cores: 1).values.mapValues {
        $0.map(\.description).joined(separator: ",")
      }
    }
    let shared = [
      "alignment_scope": "response", "guard_token": "predicted", "chains_per_mean": "1",
    ]
    let pretrained = [
      "stage2_adapter": "continue", "lora_targets": "q_proj+v_proj", "special_tokens": "true",
    ]
    let (scratch, checkpoint) = (try values(), try values("--model", "m"))
    for (name, value) in shared {
      #expect(scratch[name] == value && checkpoint[name] == value, "\(name)")
    }
    for (name, value) in pretrained {
      #expect(scratch[name] == nil && checkpoint[name] == value, "\(name)")
    }
    #expect(throws: (any Error).self) {
      try ExperimentOptions(
        ["--model", "m", "--lora-targets", "q_proj+x_proj"], for: experiment, cores: 1)
    }
    #expect(
      try values("--model", "m", "--lora-targets", "v_proj+q_proj,o_proj")["lora_targets"]
        == "q_proj+v_proj,o_proj")
  }

  @Test("Alignment of padded sequences finds other key tokens, with a column for it")
  func alignmentScope() throws {
    // The two responses of a procedural pair have one length; those of these pairs have not.
    let rows = try rows(
      with: pretrained() + ["--alignment-scope", "response,padded-sequence"])
    let fractions = values("stage2_key_tokens", by: "alignment_scope", rows)
    #expect(Set(fractions.keys) == ["response", "padded-sequence"])
    #expect(fractions["response"] != fractions["padded-sequence"])
  }

  @Test("The guard's token is a column and decides which weights are dropped")
  func guardToken() throws {
    // Near random weights every token has some log 65 = 4.2 nats; a guard there drops some.
    let rows = try rows(
      with: Self.scratch + [
        "--guard-token", "predicted,repeated", "--guard", "4.17", "--beta", "-1",
        "--stage1-steps", "0",
      ])
    let losses = values("stage2_first_loss", by: "guard_token", rows)
    #expect(Set(losses.keys) == ["predicted", "repeated"])
    #expect(losses["predicted"] != losses["repeated"])
  }

  @Test("Chains per mean is a setting of stage 1, which is trained for each value")
  func chainsPerMean() throws {
    let rows = try rows(
      [.stage1, Arm(then: .chains)], of: [.chains],
      with: Self.scratch + ["--chains-per-mean", "1,4"])
    #expect(folder.names("runs/stages").count == 2)
    let losses = values("stage2_first_loss", by: "chains_per_mean", rows)
    #expect(Set(losses.keys) == ["1", "4"] && losses["1"] != losses["4"])
    #expect(rows.allSatisfy { $0["chains_per_mean"] != "" })
  }

  @Test("λ is a setting of the multi-task arms and CasCoD, and their stage 1 follows it")
  func lambda() throws {
    let arms: [TrainingArm] = [.standardCoT, .multiTaskRationale, .cascade]
    let rows = try rows(
      arms.map { Arm($0) }, of: arms.map { $0.stages[0].objective },
      with: Self.scratch + ["--lambda", "0.1,0.5"]
    ) { try $0.run($1) }
    #expect(folder.names("runs/stages").count == 5)
    for arm in arms {
      let own = Set(rows.filter { $0["arm"] == arm.name }.map { $0["lambda"] })
      #expect(own == (arm == .standardCoT ? [""] : ["0.1", "0.5"]), "\(arm.name)")
    }
  }

  @Test("A fresh adapter of the second stage is on the weights with stage 1's merged into them")
  func secondAdapter() throws {
    // Without dropout both begin with the same loss, and then go different ways.
    let rows = try rows(
      with: pretrained() + ["--stage2-adapter", "continue,fresh", "--lora-dropout", "0"]
    ) { setup, run in
      let first = try setup.firstStage(run, on: setup.data.trainingSets[0].chains)
      let second = try setup.secondStudent(after: first, run.settings)
      let isFresh = run.settings["stage2_adapter"] == .text("fresh")
      #expect((second === first) == !isFresh)
      let workers = Workers(count: 1)
      let tokens = [10, 4, 5, 30]
      #expect(
        relativeError(
          workers.logits(of: tokens, on: second).elements,
          workers.logits(of: tokens, on: first).elements) < 1e-5)
      if isFresh {
        let adapter = try #require(second.adapter)
        #expect(adapter.configuration == first.adapter?.configuration)
        for slot in adapter.parameters.slots {
          let isZero = adapter.parameters[slot.name].allSatisfy { $0 == 0 }
          #expect(isZero == slot.name.hasSuffix("lora_B.weight"))
        }
        #expect(
          second.weight(of: .query, layer: 0).elements
            != first.weight(of: .query, layer: 0).elements)
        #expect(
          second.weight(of: .output, layer: 0).elements
            == first.weight(of: .output, layer: 0).elements)
      }
      return try setup.run(run, then: ObjectiveEntry(named: run.settings.arm))
    }
    #expect(folder.names("runs/stages").count == 1)
    #expect(rows.filter { $0["arm"] == "stage 1" }.allSatisfy { $0["stage2_adapter"] == "" })
    let first = values("stage2_first_loss", by: "stage2_adapter", rows)
    let last = values("stage2_last_loss", by: "stage2_adapter", rows)
    #expect(Set(first.keys) == ["continue", "fresh"])
    let losses = first.mapValues { Double($0.first ?? "") ?? .nan }
    #expect(abs(losses["continue", default: .nan] - losses["fresh", default: .nan]) < 1e-4)
    #expect(last["continue"] != last["fresh"])
  }

  @Test("The projections of a pretrained student's adapter are a setting of stage 1")
  func targets() throws {
    let rows = try rows(
      [.stage1], with: pretrained() + ["--lora-targets", "q_proj+v_proj,o_proj+down_proj"])
    #expect(Set(rows.map { $0["lora_targets"] }) == ["q_proj+v_proj", "o_proj+down_proj"])
    let configurations = try folder.names("runs/stages").map {
      try folder.text("runs/stages/\($0)/adapter_config.json")
    }
    #expect(configurations.count == 2)
    #expect(configurations.count { $0.contains("down_proj") && !$0.contains("q_proj") } == 1)
  }

  @Test("A later adapter's projections and dropout are settings of its own")
  func laterAdapter() throws {
    let rows = try rows(
      adding: DistillationSetup.adapterSettings.with("adapter_rank", [.integer(2)])
        .with("adapter_start", [.text("noise")]),
      with: pretrained() + [
        "--adapter-targets", "q_proj,o_proj+down_proj", "--adapter-dropout", "0,0.5",
      ]
    ) { try $0.runAdapter($1) }
    var places: [String: Set<Substring>] = [:]
    for row in rows where row["metric"] == "effective_rank" && row["group"] != "" {
      places[row["adapter_targets"], default: []].formUnion(
        row["group"].split(separator: " ").suffix(1))
    }
    #expect(places["q_proj"] == ["q_proj"])
    #expect(places["o_proj+down_proj"] == ["o_proj", "down_proj"])
    let losses = values("stage2_last_loss", by: "adapter_dropout", rows)
    #expect(Set(losses.keys) == ["0", "0.5"] && losses["0"] != losses["0.5"])
    #expect(rows.filter { $0["arm"] == "stage 1" }.allSatisfy { $0["adapter_targets"] == "" })
  }

  @Test("Start tokens can be left out of prompts, which is another run with another stage 1")
  func specialTokens() throws {
    let model = try numberedModel(in: folder.path)
    let path = URL(fileURLWithPath: model + "/tokenizer.json")
    var tokenizer = try #require(
      JSONSerialization.jsonObject(with: Data(contentsOf: path)) as? [String: Any])
    tokenizer["post_processor"] = [
      "type": "TemplateProcessing",
      "single": [
        ["SpecialToken": ["id": "<s>", "type_id": 0]], ["Sequence": ["id": "A", "type_id": 0]],
      ],
      "pair": [],
      "special_tokens": ["<s>": ["id": "<s>", "ids": [1], "tokens": ["<s>"]]],
    ]
    try JSONSerialization.data(withJSONObject: tokenizer).write(to: path)
    for (index, value) in ["true", "false"].enumerated() {
      let rows = try rows(
        [.stage1], with: pretrained(model: model) + ["--special-tokens=\(value)"]
      ) { setup, run in
        let starts = setup.data.trainingSets[0].chains.map { $0.prompt.prefix(1) == [1] }
        #expect(starts.allSatisfy { $0 == (value == "true") } && !starts.isEmpty)
        return try setup.run(run, then: nil)
      }
      #expect(Set(rows.map { $0["special_tokens"] }) == [value])
      #expect(folder.names("runs/stages").count == index + 1)
    }
  }
}
