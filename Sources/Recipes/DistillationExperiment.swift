import Experiments
import LanguageModel
import LinearAlgebra
import Reports

extension Experiment {
  /// An experiment on the data and the student of `DistillationSetup`; `run` is one run of it.
  ///
  /// With `--model`, whose runs take longer, three seeds run without `--seeds`, and the CSV has a name
  /// of its own.
  public init(
    distillation name: String, question: String, arms: [Arm], reference: String = Arm.stage1.name,
    settings: [Setting] = DistillationSetup.settings(),
    seeds: Int, summary: [MetricKey], example: String,
    notes: @escaping @Sendable (DistillationSetup) -> [String] = { _ in [] },
    run: @escaping @Sendable (DistillationSetup, RunContext) throws -> [Metric]
  ) {
    self.init(
      name: name, question: question, arms: arms, reference: reference, settings: settings,
      seeds: seeds,
      variant: Variant(setting: DistillationSetup.modelSetting, suffix: "checkpoint", seeds: 3),
      summary: summary, example: example
    ) { context in
      let setup = try DistillationSetup(context)
      return setup.prepared(notes: notes(setup), run: run)
    }
    report = { path, folder in
      // Of an unfinished sweep the reference may be missing.
      let arms = Set(try ResultFile(path: path).runs.map(\.arm))
      let report = try Report(path: path, reference: arms.contains(reference) ? reference : nil)
      let written = try report.write(beside: path)
      print("Report: \(written.joined(separator: ", "))")
      let page = try ReportPage(report, question: question, runs: folder).write(beside: path)
      print("HTML: \(page)")
    }
  }
}

extension [MetricKey] {
  /// The accuracies on validation and both tests.
  public static var accuracies: [MetricKey] {
    ["validation", "in domain", "out of domain"].map { MetricKey($0, .accuracy) }
  }
}

extension Machine {
  /// The BLAS with its core and threads, for records.
  package static var blas: [String: String] {
    [
      "blas": BLAS.configuration, "blas_core": BLAS.coreName,
      "blas_threads": "\(BLAS.threadCount)", "bf16": BFloat16Backend.description,
    ]
  }
}

extension RunContext {
  /// The run's threads, with the precision that its settings ask for.
  var workers: Workers {
    Workers(count: threads, precision: Precision(rawValue: settings.text("precision")) ?? .fp32)
  }
}
