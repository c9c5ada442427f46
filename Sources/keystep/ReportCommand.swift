import ArgumentParser
import Experiments
import Files
import Foundation
import Reasoning
import Reports

struct ReportCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "report",
    abstract: "Analyze an experiment's CSV: intervals, paired tests, response surfaces.",
    discussion: """
      Prints tables and findings, and writes them to NAME.report.md, every comparison to \
      NAME.comparisons.csv. Settings are chosen on validation; each arm at each of its settings is \
      compared with the reference on every test, question by question. docs/statistics.md says how each figure is made.

      With --html it also writes NAME.html, one page for the browser that loads nothing from elsewhere: the \
      answer in a sentence, forest plots, curves over the settings, learning curves, accuracy by task, chains side \
      by side. docs/reports.md describes it.

      With --json it prints a line for each comparison instead, with the columns of \
      NAME.comparisons.csv; empty columns are left out.

      Example: keystep report key-step-ratio --reference "stage 1" --html
      """)

  @Argument(help: "An experiment's name, whose CSV is results/NAME.csv; or the path of a CSV.")
  var experiment: String
  @Option(
    help:
      "The arm that others are compared with; std-cot, edit-without-krsl or stage 1, or the first.")
  var reference: String?
  @Option(help: "Resamples of the bootstrap, the check on the intervals.")
  var resamples = 10_000
  @Option(help: "Seed of the resampling.")
  var seed: UInt64 = 0
  @Option(help: "Folder for the files; default: that of the CSV.")
  var outputFolder: String?
  @Flag(help: "Write NAME.html too.")
  var html = false
  @Flag(help: "Print JSON lines.")
  var json = false

  func validate() throws {
    guard (100...1_000_000).contains(resamples) else {
      throw ValidationError(
        "--resamples: expected a number from 100 to 1000000, found \(resamples)")
    }
  }

  func run() throws {
    let path = try path()
    let report: Report
    do {
      report = try Report(path: path, reference: reference, resamples: resamples, seed: seed)
    } catch let error as Report.UnknownArm {
      throw ValidationError("\(error)")
    }
    var written = try report.write(beside: path, folder: outputFolder)
    if html {
      let question = ReportPage.question(of: report.experiment)
      written.append(
        try ReportPage(report, question: question).write(beside: path, folder: outputFolder))
    }
    if json {
      for object in report.objects { print(object.text()) }
    } else {
      print(report.text)
      print("\nWritten: \(written.joined(separator: ", "))")
    }
  }

  /// The CSV that `experiment` names. Throws a `FileError` that lists those that are there where it is not.
  private func path() throws -> String {
    let isPath = experiment.hasSuffix(".csv") || experiment.contains("/")
    let path = isPath ? experiment : "results/\(experiment).csv"
    guard !FileManager.default.fileExists(atPath: path) else { return path }
    let folder = URL(fileURLWithPath: path).deletingLastPathComponent().path
    let names = ((try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? [])
      .filter { $0.hasSuffix(".csv") && !$0.hasSuffix(".comparisons.csv") }
      .map { $0.dropLast(".csv".count) }.sorted()
    throw FileError(
      file: path, location: nil,
      expected: "an experiment's CSV"
        + (names.isEmpty ? "" : ", such as those of \(names.joined(separator: ", "))"),
      found: "no such file")
  }
}
