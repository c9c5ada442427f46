import ArgumentParser
import Distillation
import Files
import Foundation
import LanguageModel
import LinearAlgebra
import Reasoning

struct Decode: ParsableCommand {
  static let configuration = CommandConfiguration(abstract: "Batched greedy decoding.")

  @Option var model = "models/SmolLM2-135M-Instruct.Q4_1.gguf"
  @Option(help: "Prompts as JSON lines.")
  var prompts: String
  @Option var batch = 32
  @Option(help: "Tokens of each continuation; none ends before.")
  var newTokens = 64
  @Option var runs = 3
  @Option var workers = AvailableCores.count
  @Option var precision: Precision = .fp32
  @Option(help: "fp32, or stored: the model's matrices in their file's types.")
  var baseDtype: Decoder.WeightForm = .fp32

  func run() throws {
    let student = try Student(path: model, weights: baseDtype)
    let tokenizer = try student.exampleTokenizer()
    let prompts = try JSONLines.prompts(at: prompts).prefix(batch).enumerated().map {
      try tokenizer.prompt($1.text, file: self.prompts, place: "prompt \($0 + 1)")
    }
    let generator = Generator(workers: workers, batch: batch, precision: precision)
    let settings = SamplingSettings(
      temperature: 0, maximumNewTokens: newTokens, stop: [])
    var prompt = settings
    prompt.maximumNewTokens = 1
    func measured(_ settings: SamplingSettings) -> [Double] {
      (0..<runs).map { _ in
        seconds { _ = generator.generate(prompts, on: student.decoder, settings) }
      }
    }
    _ = generator.generate(prompts, on: student.decoder, settings)
    let prefill = measured(prompt).median
    var peak = measuredPeak(workers: workers, precision)
    _ = generator.takeProfile()
    let times = measured(settings)
    let profile = generator.takeProfile()
    peak = max(peak, measuredPeak(workers: workers, precision))
    try printLine(
      [
        "work": "decode", "precision": precision.rawValue, "base_dtype": baseDtype.rawValue,
        "batch": prompts.count,
        "new_tokens": newTokens, "workers": workers,
        "prompt_tokens": prompts.reduce(0) { $0 + $1.count }, "seconds_median": times.median,
        "prefill_seconds": prefill,
        "new_tokens_per_second": Double(prompts.count * newTokens) / times.median,
        "gflop_per_step": profile.operations / Double(runs) / 1e9,
        "peak_rss_gib": peakResidentGiB(), "kernel": kernel(precision),
      ].merging(breakdown(profile, wall: times.reduce(0, +), workers: workers, peak: peak)) {
        own, _ in own
      })
  }
}
