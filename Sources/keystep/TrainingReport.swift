import Distillation
import Files
import Foundation

/// What a run of `keystep train` prints and records.
struct TrainingReport {
  private let run: TrainingRun
  private var trainer: Trainer { run.trainer }

  init(_ run: TrainingRun) { self.run = run }

  // MARK: Steps

  private struct Line: Encodable {
    struct Step: Encodable {
      var step: Int
      var loss: Double
      var gradientNorm: Double
      var learningRate: Double
      var seconds: Double
      var usefulTokens: Int
      var usefulTokensPerSecond: Double
      var chosenNll: Double?
      var rejectedNll: Double?
      var peakRssGib: Double
      var bestStep: Int?
    }
    var step: Step
    /// With the names of the learning curve's columns.
    var validation: [Validation.Figure]

    private struct Name: CodingKey {
      var stringValue: String
      var intValue: Int? { nil }
      init(stringValue: String) { self.stringValue = stringValue }
      init?(intValue: Int) { nil }
    }

    func encode(to encoder: any Encoder) throws {
      try step.encode(to: encoder)
      var fields = encoder.container(keyedBy: Name.self)
      for figure in validation {
        try fields.encode(figure.value, forKey: Name(stringValue: "validation_\(figure.name)"))
      }
    }
  }

  func show(_ report: StepReport) throws {
    try print(report)
    warn(of: trainer.totals.chosen, at: report)
  }

  private func print(_ report: StepReport) throws {
    if let failure = report.skipped { StandardError.line("\(failure); the step is skipped") }
    let rate = Double(report.usefulTokens) / report.seconds
    let best = report.validation.isEmpty ? nil : trainer.validations.best
    if run.command.json {
      // JSON has no number for a loss that is not finite.
      guard report.skipped == nil else { return }
      try printJSONLine(
        Line(
          step: Line.Step(
            step: report.step, loss: report.loss, gradientNorm: report.gradientNorm,
            learningRate: report.learningRate, seconds: report.seconds,
            usefulTokens: report.usefulTokens, usefulTokensPerSecond: rate,
            chosenNll: report.likelihood.chosen, rejectedNll: report.likelihood.rejected,
            peakRssGib: peakResidentGiB(), bestStep: best?.step),
          validation: report.validation))
      return
    }
    Swift.print(
      "step \(report.step + 1) of \(report.stepCount): loss \(report.loss), "
        + "gradient norm \(report.gradientNorm), \(Int(rate)) tokens/s")
    guard !report.validation.isEmpty else { return }
    Swift.print(
      "  validation: "
        + report.validation.map { "\($0.name) \(Float($0.value))" }.joined(separator: ", ")
        + (best.map { "; best after step \($0.step)" } ?? ""))
  }

  private func warn(of trend: ChosenTrend, at report: StepReport) {
    guard trend.collapse == report.step, let first = trend.first else { return }
    func nats(_ value: Double) -> String { String(format: "%.2f", value) }
    StandardError.line(
      "step \(report.step + 1): -log p of the chosen responses rose from \(nats(first)) to "
        + "\(nats(trend.recent)) nats a token; a lower learning rate, or weaker negative weights or "
        + "--guard, may keep them likely")
  }

  // MARK: The end

  /// Tells of an early end, and which student is written.
  func showEnd() {
    guard let settings = trainer.validation?.settings, let metric = settings.metric else { return }
    if trainer.hasStoppedEarly {
      StandardError.line(
        "stopped after step \(trainer.nextStep) of \(trainer.stepCount): validation "
          + "\(metric.rawValue) did not improve \(trainer.validations.withoutImprovement) times in a row"
      )
    }
    guard settings.keepsBest else { return }
    if let best = trainer.validations.best {
      StandardError.line(
        "the student after step \(best.step) is written, with validation \(metric.rawValue) "
          + "\(Float(best.value)), the best")
    } else {
      StandardError.line(
        "no validation had a finite \(metric.rawValue); the student after the last step is written")
    }
  }

  private struct Summary: Encodable {
    struct Skipped: Encodable {
      var id: String
      var tokens: Int
    }
    var steps: Int
    var stepCount: Int
    var stoppedEarly: Bool
    /// The steps after which the parameters that are written were trained.
    var writtenStep: Int
    var validationMetric: String?
    var bestStep: Int?
    var bestValue: Double?
    var maxLength: Int
    var examples: Int
    var skippedExamples: [Skipped]
    var skippedValidationExamples: [Skipped]
  }

  /// Writes `training_summary.json` to the folder `output`.
  func write(to output: String, writtenStep: Int) throws {
    func skipped(_ examples: Examples?) -> [Summary.Skipped] {
      examples?.skipped.map { Summary.Skipped(id: $0.id, tokens: $0.tokens) } ?? []
    }
    let encoder = JSONEncoder()
    encoder.keyEncodingStrategy = .convertToSnakeCase
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
    let summary = Summary(
      steps: trainer.nextStep, stepCount: trainer.stepCount, stoppedEarly: trainer.hasStoppedEarly,
      writtenStep: writtenStep,
      validationMetric: trainer.validation?.settings.metric?.rawValue,
      bestStep: trainer.validations.best?.step, bestValue: trainer.validations.best?.value,
      maxLength: run.limit.tokens, examples: trainer.objective.examples.count,
      skippedExamples: skipped(run.examples),
      skippedValidationExamples: skipped(run.validationExamples))
    try AtomicFile.write(
      [UInt8](encoder.encode(summary)) + [UInt8(ascii: "\n")],
      to: output + "/training_summary.json")
  }
}
