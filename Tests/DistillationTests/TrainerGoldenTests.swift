import Checkpoints
import Distillation
import LanguageModel
import TestSupport
import Testing

/// Five steps of AdamW with clipping against `torch.optim.AdamW` and `clip_grad_norm_`.
@Suite struct TrainerGoldenTests {
  @Test(
    "Losses, gradient norms and the parameters after five steps equal those of PyTorch",
    arguments: ["untied", "lora-all", "lora-qv"], [1, 2])
  func training(name: String, workers: Int) throws {
    let goldens = try Goldens("decoder/\(name)/training.safetensors")
    let batch = try Goldens("decoder/\(name)/golden.safetensors")
    let decoder = try model(name)
    let settings = TrainingSettings(
      learningRate: 1e-3,
      optimiser: AdamWSettings(beta2: 0.98, weightDecay: 0.01, decaysVectors: true),
      length: .steps(5), batchSize: 1, clipNorm: 1)
    // The goldens' loss is a sum over sequences, so all of them are one example here.
    let example = TrainingExample(id: "all", tree: forest(batch), usefulTokens: 0)
    let trainer = Trainer(
      decoder, Objective(examples: [example]), settings, workers: Workers(count: workers))
    var reports: [StepReport] = []
    try trainer.run(report: { reports.append($0) })
    #expect(reports.count == 5)
    for (report, (loss, norm)) in zip(reports, zip(goldens["losses"], goldens["gradient_norms"])) {
      #expect(abs(report.loss - Double(loss)) < 1e-4 * Double(abs(loss)))
      #expect(abs(report.gradientNorm - Double(norm)) < 1e-4 * Double(norm))
    }
    for slot in decoder.trainable.slots {
      let prefix = name == "untied" ? "final." : "final.base_model.model."
      #expect(
        relativeError(decoder.trainable[slot.name], goldens[prefix + slot.name]) < 1e-4,
        "\(slot.name)")
    }
  }

  private func model(_ name: String) throws -> Decoder {
    let base = try Decoder(Checkpoint(path: fixture("decoder/untied").path))
    guard name != "untied" else { return base }
    let targets: [ProjectionName] =
      name == "lora-all" ? Architecture.llama.family.projections : [.query, .value]
    let adapter = LowRankAdapter(
      empty: LowRankConfiguration(rank: 4, alpha: 8, dropout: 0, targets: targets),
      for: base.configuration)
    let stored = try Goldens("decoder/\(name)/adapter_model.safetensors")
    for slot in adapter.parameters.slots {
      let values = stored["base_model.model." + slot.name]
      try #require(values.count == slot.count)
      _ = adapter.parameters[slot.name].update(fromContentsOf: values)
    }
    return base.adapted(by: adapter)
  }

  /// All sequences of the goldens as roots of one forest.
  private func forest(_ batch: Goldens) -> PrefixTree {
    var start = 0
    var segments: [Segment] = []
    for (length, divisor) in zip(batch["lengths"].map({ Int($0) }), batch["divisors"]) {
      let range = start..<start + length
      segments.append(
        Segment(
          tokens: batch["input_ids"][range].map { Int($0) },
          weights: batch["weights"][range].map { $0 / divisor }))
      start += length
    }
    return PrefixTree(segments)
  }
}
