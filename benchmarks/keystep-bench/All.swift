import ArgumentParser
import Experiments
import Files
import Foundation
import LanguageModel
import LinearAlgebra

struct All: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Every measurement, each in a process of its own, as a table and as CSV.")

  @Option var model = "models/SmolLM2-135M-Instruct.Q4_1.gguf"
  @Option(help: "Dual pairs, of which krsl and sft take the first; their prompts are decoded.")
  var pairs: String?
  @Option(help: "The CSV.")
  var output = "results/steps.csv"

  /// The columns of the CSV that are a measurement's own fields; `share_…` are of the workers' time.
  private static let fields =
    [
      "work", "precision", "base_dtype", "batch", "workers", "seconds_median", "prefill_seconds",
      "useful_tokens_per_second", "new_tokens_per_second", "gflop_per_step", "peak_gflops",
      "share_of_peak", "peak_rss_gib",
    ] + phases.map { "share_\($0)" } + ["kernel"]
  private static let phases =
    Phase.allCases.map { "\($0)" } + [
      "other_in_pass", "optimiser_and_waiting", "products", "expansion", "rounding",
    ]

  func run() throws {
    var lines: [[String: Any]] = []
    var rows = [
      [
        "work", "precision", "weights", "batch", "seconds", "tokens/s", "GFLOP", "of peak", "GiB",
        "where the workers' time goes",
      ]
    ]
    let precisions = BFloat16Backend.selected == .emulated ? [.fp32] : Precision.allCases
    for precision in precisions {
      let peak = try measure(["peak", "--precision", precision.rawValue])
      print(
        "\(precision) peak \(number(peak["gflops"], 0)) GFLOP/s (\(peak["workers"] ?? "") workers, \(peak["kernel"] ?? ""))"
      )
    }
    let hasModel = FileManager.default.fileExists(atPath: model)
    var works: [[String]] = [["step", "--work", "scratch", "--batch", "16", "--steps", "40"]]
    if hasModel {
      works.append(["step", "--work", "krsl-shared", "--model", model])
      if let pairs {
        works.append(["step", "--work", "krsl", "--model", model, "--pairs", pairs])
        works.append(["step", "--work", "sft", "--model", model, "--pairs", pairs, "--steps", "3"])
        for form in Decoder.WeightForm.allCases {
          works.append([
            "decode", "--model", model, "--prompts", pairs, "--base-dtype", form.rawValue,
          ])
        }
      }
    }
    for work in works.flatMap({ work in precisions.map { work + ["--precision", $0.rawValue] } }) {
      let line = try measure(work)
      lines.append(line)
      let breakdown = Self.phases.compactMap { phase in
        (line["share_\(phase)"] as? Double).map {
          "\(phase.replacingOccurrences(of: "_", with: " ")) \(Int((100 * $0).rounded())) %"
        }
      }
      rows.append([
        "\(line["work"] ?? "")", "\(line["precision"] ?? "")", "\(line["base_dtype"] ?? "")",
        "\(line["batch"] ?? "")",
        number(line["seconds_median"], 3),
        number(line["useful_tokens_per_second"] ?? line["new_tokens_per_second"], 0),
        number(line["gflop_per_step"], 1), percent(line["share_of_peak"]),
        number(line["peak_rss_gib"], 2), breakdown.joined(separator: ", "),
      ])
    }
    print(TextTable(rows).text)
    try write(lines)
    let script = try measure(["edit-script"])
    print(
      "key tokens of a 125-token pair, both sides: \(number(script["microseconds_median"], 1)) µs")
    if !hasModel { print("\(model) is missing (make student): its steps are left out") }
    if pairs == nil { print("without --pairs the krsl and sft steps and decoding are left out") }
  }

  private func write(_ lines: [[String: Any]]) throws {
    let machine = Machine.description()
    let about =
      ["processor", "cores", "memory_gib"].map { machine[$0] ?? "" }
      + [CodeVersion().citation]
    let header = Self.fields + ["processor", "cores", "memory_gib", "commit"]
    let rows = lines.map { line in Self.fields.map { line[$0].map { "\($0)" } ?? "" } + about }
    try AtomicFile.write(CSV.text([header] + rows), to: output)
    print("CSV: \(output)")
  }

  private func number(_ value: Any?, _ digits: Int) -> String {
    (value as? Double).map { String(format: "%.\(digits)f", $0) } ?? ""
  }

  private func percent(_ value: Any?) -> String {
    (value as? Double).map { String(format: "%.0f %%", 100 * $0) } ?? ""
  }

  /// Runs one measurement of this executable and reads its line.
  private func measure(_ arguments: [String]) throws -> [String: Any] {
    guard
      let line = try JSONSerialization.jsonObject(with: outputOfBench(arguments)) as? [String: Any]
    else { throw ValidationError("\(arguments.joined(separator: " ")) gave no result") }
    return line
  }
}
