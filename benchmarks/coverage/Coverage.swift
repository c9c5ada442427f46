import ArgumentParser
import Foundation
import Statistics

/// Simulates experiments with a known difference and measures the intervals of `keystep report`; `make coverage`.
@main struct Coverage: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "coverage",
    abstract: "Measure by simulation how often 95 % intervals cover the true difference.")

  @Option(help: "Simulated experiments of each design.")
  var replicates = 1000

  @Option(help: "Resamples of each bootstrap.")
  var resamples = 1000

  @Option(help: "The seed of the simulation.")
  var seed: UInt64 = 0

  @Option(help: "The CSV to write.")
  var output = "results/coverage.csv"

  func validate() throws {
    if replicates < 1 { throw ValidationError("--replicates must be at least 1.") }
    if resamples < 1 { throw ValidationError("--resamples must be at least 1.") }
  }

  /// The true differences: none, for false positives, and 5 points, for power.
  static let differences = [0, 0.05]

  func run() async throws {
    let questions: [(Design.Tasks, Int)] = [
      (.one, 50), (.one, 200), (.one, 500), (.fixed(4), 200), (.drawn(20), 200),
    ]
    let stages: [(Design.FirstStages, Double)] = [
      (.shared, 0.04), (.independent, 0.04), (.independent, 0.08),
    ]
    let designs = stages.flatMap { firstStages, seedSpread in
      questions.flatMap { tasks, count in
        [2, 3, 5, 10].flatMap { seeds in
          Self.differences.map {
            Design(
              firstStages: firstStages, tasks: tasks, seeds: seeds, questions: count,
              difference: $0, seedSpread: seedSpread)
          }
        }
      }
    }
    let found = await withTaskGroup(of: (Int, [Measurement.Method: Measurement]).self) { group in
      for (index, design) in designs.enumerated() {
        group.addTask {
          (
            index,
            Measurement.of(design, replicates: replicates, resamples: resamples, seed: seed)
          )
        }
      }
      var found = designs.map { _ in [Measurement.Method: Measurement]() }
      for await (index, measured) in group { found[index] = measured }
      return found
    }
    printTable(designs, found)
    try csv(designs, found).write(toFile: output, atomically: true, encoding: .utf8)
    print("\n\(output)")
  }

  /// A line for each design, with both true differences: the coverage and the width are means of the two.
  private func printTable(_ designs: [Design], _ found: [[Measurement.Method: Measurement]]) {
    let methods = Measurement.Method.allCases
    func padded(_ text: String, _ width: Int) -> String {
      text.padding(toLength: max(width, text.count), withPad: " ", startingAt: 0)
    }
    func line(_ design: [String], _ cells: [String]) {
      let widths = [14, 9, 10, 7, 11]
      let left = zip(design, widths).map(padded).joined()
      print(left + cells.map { padded($0, 32) }.joined().trimmingCharacters(in: .whitespaces))
    }
    print(
      "\(replicates) replicates, \(resamples) resamples, seed \(seed). Coverage of the 95 % "
        + "interval, mean width in points,\nseed sd of an arm's accuracy in points, false positives without a difference, power at a\n"
        + "difference of \(100 * Self.differences[1]) points, both at p < 0.05.\n")
    line(["", "", "", "", ""], methods.map(\.rawValue))
    line(
      ["first stages", "seed sd", "tasks", "seeds", "questions"],
      methods.map { _ in "cover  width  false +  power" })
    for index in stride(from: 0, to: designs.count, by: 2) {
      let design = designs[index]
      let cells = methods.map { method -> String in
        guard let none = found[index][method], let some = found[index + 1][method] else {
          return ""
        }
        return String(
          format: "%.3f  %5.1f  %.3f    %.3f", (none.coverage + some.coverage) / 2,
          50 * (none.meanWidth + some.meanWidth), none.rejections, some.rejections)
      }
      line(
        [
          design.firstStages.rawValue, "\(100 * design.seedSpread)", design.tasksLabel,
          "\(design.seeds)", "\(design.questions)",
        ], cells)
    }
  }

  private func csv(_ designs: [Design], _ found: [[Measurement.Method: Measurement]]) -> String {
    let header =
      "first_stages,seed_sd,tasks,seeds,questions,true_difference,method,replicates,resamples,coverage,"
      + "mean_width,rejected\n"
    let rows = zip(designs, found).flatMap { design, found in
      Measurement.Method.allCases.compactMap { method in
        found[method].map { measured in
          [
            design.firstStages.rawValue, "\(design.seedSpread)", design.tasksLabel,
            "\(design.seeds)",
            "\(design.questions)", String(format: "%.4f", design.truth), method.rawValue,
            "\(replicates)", "\(resamples)", String(format: "%.4f", measured.coverage),
            String(format: "%.4f", measured.meanWidth),
            String(format: "%.4f", measured.rejections),
          ].joined(separator: ",") + "\n"
        }
      }
    }
    return header + rows.joined()
  }
}
