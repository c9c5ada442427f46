import ArgumentParser
import Distillation
import Foundation
import LanguageModel
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
  @Option var workers = ProcessInfo.processInfo.activeProcessorCount

  func run() throws {
    let student = try Student(path: model)
    let tokenizer = try student.exampleTokenizer()
    let prompts = try JSONLines.prompts(at: prompts).prefix(batch).enumerated().map {
      try tokenizer.prompt($1.text, file: self.prompts, place: "prompt \($0 + 1)")
    }
    let generator = Generator(workers: workers, batch: batch)
    let settings = SamplingSettings(
      temperature: 0, maximumNewTokens: newTokens, stop: [])
    var times: [Double] = []
    for _ in 0...runs {
      times.append(seconds { _ = generator.generate(prompts, on: student.decoder, settings) })
    }
    let median = Array(times.dropFirst()).median
    try printLine([
      "work": "decode", "batch": prompts.count, "new_tokens": newTokens, "workers": workers,
      "seconds_median": median,
      "new_tokens_per_second": Double(prompts.count * newTokens) / median,
      "peak_rss_gib": peakResidentGiB(),
    ])
  }
}
