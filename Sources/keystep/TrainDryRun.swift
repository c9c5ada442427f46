import Distillation
import Foundation

/// `keystep train --dry-run`: what a run takes.
extension TrainingRun {
  private struct Cost: Encodable {
    var examples: Int
    var skippedExamples: Int
    var promptTokens: Int
    var responseTokens: Int
    var weightedTokens: Int
    var sequenceTokens: Int
    var computedTokens: Int
    var batchSize: Int
    var steps: Int
    var stepsPerEpoch: Int
    var epochs: Double
    var meanStepTokens: Double
    var largestStepTokens: Int
    var trainableParameters: Int
    var totalParameters: Int
    var weightsBytes: Int
    var gradientsBytes: Int
    var optimiserBytes: Int
    var bestBytes: Int
    var activationsBytes: Int
    /// Program, tokenizer and data, as measured.
    var otherBytes: Int
    var memoryBytes: Int
    /// Of the dry run itself.
    var peakRssGib: Double
    var timedSteps: Int
    var medianStepSeconds: Double
    var largestStepSeconds: Double
    var stepsSeconds: Double
    var validations: Int
    var validationSeconds: Double
    var seconds: Double
  }

  /// Counts what the run takes, times some of its steps and one validation, and prints it. The student that is in memory
  /// changes; nothing is written.
  func showCost() throws {
    let cost = trainer.cost()
    let validationStart = ContinuousClock.now
    _ = try trainer.validation?.measure()
    let validationSeconds =
      trainer.validation == nil ? 0 : (ContinuousClock.now - validationStart) / .seconds(1)
    let times = try trainer.timeSteps(of: cost)
    let validations = trainer.validation.map { cost.steps / $0.settings.interval } ?? 0
    let other = max(
      0, Int(residentBefore * Double(1 << 30)) - student.decoder.weightBytes(.fp32))
    // A pair's prompt is counted once.
    let pairs = command.objective.objective.data == .pairs ? examples.kept.pairs : []
    let chains = pairs.isEmpty ? examples.kept.chains : []
    let stepsSeconds = times.seconds(cost)
    try show(
      Cost(
        examples: cost.examples, skippedExamples: examples.skipped.count,
        promptTokens: pairs.reduce(0) { $0 + $1.prompt.count }
          + chains.reduce(0) { $0 + $1.prompt.count },
        responseTokens: pairs.reduce(0) { $0 + $1.chosen.count + $1.rejected.count }
          + chains.reduce(0) { $0 + $1.response.count },
        weightedTokens: cost.tokens.weighted, sequenceTokens: cost.tokens.sequences,
        computedTokens: cost.tokens.computed, batchSize: trainer.settings.batchSize,
        steps: cost.steps, stepsPerEpoch: cost.stepsPerEpoch, epochs: cost.epochs,
        meanStepTokens: cost.meanStepTokens, largestStepTokens: cost.largestStepTokens,
        trainableParameters: cost.trainableParameters, totalParameters: cost.totalParameters,
        weightsBytes: cost.memory.weights, gradientsBytes: cost.memory.gradients,
        optimiserBytes: cost.memory.optimiser, bestBytes: cost.memory.best,
        activationsBytes: cost.memory.activations, otherBytes: other,
        memoryBytes: cost.memory.total + other, peakRssGib: peakResidentGiB(),
        timedSteps: times.steps, medianStepSeconds: times.median,
        largestStepSeconds: times.largest, stepsSeconds: stepsSeconds, validations: validations,
        validationSeconds: validationSeconds,
        seconds: stepsSeconds + Double(validations) * validationSeconds))
  }

  private func show(_ cost: Cost) throws {
    if command.json { return try printJSONLine(cost) }
    func line(_ name: String, _ text: String) {
      print(name.padding(toLength: 14, withPad: " ", startingAt: 0) + text)
    }
    func gib(_ bytes: Int) -> String { String(format: "%.2f", Double(bytes) / Double(1 << 30)) }
    func short(_ seconds: Double) -> String { String(format: "%.3g s", seconds) }
    line(
      "examples",
      "\(cost.examples)" + (cost.skippedExamples > 0 ? ", \(cost.skippedExamples) skipped" : ""))
    line(
      "tokens",
      "prompts \(cost.promptTokens), responses \(cost.responseTokens), weighted "
        + "\(cost.weightedTokens); \(cost.sequenceTokens) in whole sequences, \(cost.computedTokens) computed"
    )
    line(
      "steps",
      "\(cost.steps) of up to \(cost.batchSize) examples: \(String(format: "%.4g", cost.epochs)) epochs "
        + "of \(cost.stepsPerEpoch)")
    line(
      "a step",
      "computes \(Int(cost.meanStepTokens.rounded())) tokens on average, at most \(cost.largestStepTokens)"
    )
    line(
      "parameters", "\(cost.trainableParameters) trained, \(cost.totalParameters) in all")
    line(
      "memory",
      "\(gib(cost.memoryBytes)) GiB: weights \(gib(cost.weightsBytes)), gradients "
        + "\(gib(cost.gradientsBytes)), optimiser \(gib(cost.optimiserBytes))"
        + (cost.bestBytes > 0 ? ", best parameters \(gib(cost.bestBytes))" : "")
        + ", activations \(gib(cost.activationsBytes)), program and data \(gib(cost.otherBytes)); "
        + String(format: "this dry run took %.2f", cost.peakRssGib))
    line(
      "time",
      duration(cost.seconds)
        + ": \(short(cost.medianStepSeconds)) for the step of median size, "
        + "\(short(cost.largestStepSeconds)) for the largest (\(cost.timedSteps) steps were timed)"
        + (cost.validations > 0
          ? ", \(cost.validations) validations of \(short(cost.validationSeconds))" : ""))
  }

  /// Such as `2 h 5 min`.
  private func duration(_ seconds: Double) -> String {
    let whole = Int(min(seconds.rounded(), 1e15))
    let (days, hours, minutes) = (whole / 86_400, whole / 3600 % 24, whole / 60 % 60)
    if days > 0 { return "\(days) d \(hours) h" }
    if hours > 0 { return "\(hours) h \(minutes) min" }
    if minutes > 0 { return "\(minutes) min \(whole % 60) s" }
    return String(format: "%.1f s", seconds)
  }
}
