import Distillation
import Experiments
import Foundation
import Reasoning
import Recipes
import Teachers
import TestSupport
import Testing
import Tokenizers

/// The paper's arms as runs of an experiment.
@Suite struct ArmRunsTests {
  @Test("Every arm is trained through its stages and scored, first stages shared where they agree")
  func runs() throws {
    let folder = try TemporaryFolder()
    let experiment = Experiment(
      name: "arms", question: "", arms: TrainingArm.all.map { Arm($0) },
      reference: TrainingArm.standardCoT.name,
      settings: DistillationSetup.settings(
        objectives: TrainingArm.all.flatMap { $0.stages.map(\.objective) }),
      seeds: 1, summary: [], example: ""
    ) { context in
      let setup = try DistillationSetup(context)
      return setup.prepared { try $0.run($1) }
    }
    let status = experiment.run(
      [
        "--train-questions", "12", "--validation-questions", "2", "--test-questions", "2",
        "--stage1-steps", "1", "--stage2-steps", "1", "--batch-size", "2", "--max-new-tokens", "3",
        "--output", folder.path + "/arms.csv",
      ], folder: folder.path + "/runs")
    #expect(status == 0)
    // Those of the seven baselines, and that on right and rectified chains.
    #expect(folder.names("runs/stages").count == 8)
    let rows = try folder.text("arms.csv").split(separator: "\n").map(String.init)
    for arm in TrainingArm.all {
      let own = rows.filter { $0.contains(",\(arm.name),") }
      #expect(own.contains { $0.contains(",out of domain,accuracy,") }, "\(arm)")
      #expect(
        own.contains { $0.contains("stage2_last_loss") } == (arm.stages.count == 2), "\(arm)")
    }
  }

  @Test("What an arm's student writes for an answer is read as the answer of its chain")
  func answers() throws {
    let folder = try TemporaryFolder()
    let data = try ExperimentData(
      procedural: .init(
        trainQuestions: 10, validationQuestions: 1, testQuestions: 1, outOfDomainQuestions: 1,
        seed: 3), folder: folder.path)
    let pieces = try data.trainingSets[0].pieces(of: data.trainingSets[0].correct)
    for (chain, pieces) in zip(data.trainingSets[0].correct.compactMap(\.source), pieces) {
      let alone = TrainingArm.multiTaskRationale.decoding(pieces.cues)
      let cascade = TrainingArm.cascade.decoding(pieces.cues)
      for tokens in [
        alone.lead + pieces.answer,
        cascade.lead + pieces.rationale + (cascade.continuation ?? []) + pieces.answer,
        ArmDecoding.plain.lead + pieces.chain,
      ] {
        let text = data.tokenizer.tokenizer.decode(tokens)
        #expect(AnswerRule.judging(task: chain.task).answer(in: text) == chain.answer, "\(text)")
      }
      #expect(
        pieces.chain == data.tokenizer.tokenizer.encode(chain.text), "\(chain.text)")
    }
  }
}
