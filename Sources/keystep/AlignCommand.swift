import ArgumentParser
import Distillation
import Evaluation
import Files
import Foundation
import KeySteps
import LanguageModel
import Parameters
import Reasoning
import Reports
import Tokenizers

struct AlignCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "align", abstract: "Show the key tokens of dual pairs.",
    discussion: """
      Without --json, each pair's two responses with their key tokens marked: coloured in a terminal, \
      in [brackets] elsewhere and where NO_COLOR is set. Indices count the response's tokens from 0, \
      the end-of-sequence token included.

      --html FILE writes one page to be opened in a browser, with the weights that key-step learning \
      would give each token. With --model, the page and the JSON lines have each token's \
      log-probability in nats (chosen_log_probs, rejected_log_probs).

      Key tokens, and the weights that the page shows:
      \(ObjectiveEntry.keySteps.parameters.help)

      Example: keystep align --tokenizer models/SmolLM2-135M-Instruct.Q4_1.gguf --pairs pairs.jsonl --json
      """)

  @Option(help: "A tokenizer.json, its folder, or a .gguf file; the model's own where left out.")
  var tokenizer: String?
  @OptionGroup var specialTokens: SpecialTokenOptions
  @OptionGroup var chat: ChatOptions
  @Option(help: "Dual pairs as JSON lines with prompt, chosen and rejected.")
  var pairs: String
  @Option(help: "Write a page for the browser to this file.")
  var html: String?
  @Option(
    help: """
      A .gguf file or a Hugging Face folder: its tokenizer, and with --html or --json its \
      log-probabilities.
      """)
  var model: String?
  @Option(help: "With --model: a PEFT adapter's folder, put on the model.")
  var adapter: String?
  @OptionGroup var parameters: ParameterOptions
  @OptionGroup var compute: ComputeOptions
  @Flag(help: "Print a JSON line for each pair.")
  var json = false

  private struct Line: Encodable {
    var index: Int
    var promptTokens: [Int]
    var chosenTokens: [Int]
    var rejectedTokens: [Int]
    var chosenKey: [Int]
    var rejectedKey: [Int]
    var distance: Int
    var chosenLogProbs: [Float]?
    var rejectedLogProbs: [Float]?
  }

  private func values() throws(UsageError) -> ParameterValues {
    try parameters.values(
      of: ObjectiveEntry.keySteps.parameters, owner: "align", command: Self.self)
  }

  private var showsLogProbabilities: Bool { html != nil || json }

  func validate() throws {
    var problems: [String] = []
    if tokenizer == nil, model == nil { problems.append("give --tokenizer or --model") }
    if adapter != nil, model == nil { problems.append("--adapter needs --model") }
    if adapter != nil, !showsLogProbabilities {
      problems.append("--adapter needs --html or --json, which show log-probabilities")
    }
    try report(problems) { () throws(UsageError) in _ = try values() }
  }

  func run() throws {
    let values = try values()
    let choice = KeyTokenChoice(values)
    let student =
      try showsLogProbabilities
      ? model.map { path in
        let student = try Student(
          path: path, tokenizer: self.tokenizer, includesSpecialTokens: specialTokens.specialTokens,
          weights: compute.baseWeights, chat: chat.choice)
        return try adapter.map(student.adapted(from:)) ?? student
      } : nil
    let source = self.tokenizer ?? model ?? ""
    let tokenizer =
      try student?.exampleTokenizer()
      ?? ExampleTokenizer(
        Tokenizer(path: source), includesSpecialTokens: specialTokens.specialTokens,
        chat: ChatSetting(chat.choice, model: model ?? source))
    let pairs = try JSONLines.pairs(at: pairs)
    let tokenized = try tokenizer.tokenize(pairs, file: self.pairs)
    let keys = tokenized.map { $0.keyTokens(choice) }
    let losses = try student.map {
      try PairLosses.losses(
        of: tokenized, on: $0.decoder, workers: compute.team)
    }
    if let html {
      let needsRepeats = NegativeForm.guarded(values).needsRepeats
      let repeats = try student.flatMap {
        needsRepeats
          ? try PairLosses.repeats(
            of: tokenized, on: $0.decoder, workers: compute.team) : nil
      }
      let entries = pairs.indices.map {
        PairPage.Pair(
          tokenized[$0].source ?? pairs[$0], tokens: tokenized[$0], keys: keys[$0],
          losses: losses?[$0],
          rejectedRepeats: repeats?[$0])
      }
      let names = [model, adapter].compactMap(\.self).map(name)
      try PairPage(
        entries, tokenizer: tokenizer.tokenizer, weights: KeyStepWeights(values),
        guardThreshold: values.float(.guardThreshold), source: name(self.pairs),
        model: names.isEmpty ? nil : names.joined(separator: " with ")
      ).write(to: html)
    }
    for (index, (pair, keys)) in zip(tokenized, keys).enumerated() {
      if json {
        try printJSONLine(
          Line(
            index: index, promptTokens: pair.prompt, chosenTokens: pair.chosen,
            rejectedTokens: pair.rejected, chosenKey: keys.chosen, rejectedKey: keys.rejected,
            distance: keys.distance,
            chosenLogProbs: losses?[index].chosen.map { -$0.negativeLogLikelihood },
            rejectedLogProbs: losses?[index].rejected.map { -$0.negativeLogLikelihood }))
      } else if html == nil {
        let percentage = (1000 * keys.fraction).rounded() / 10
        print(
          "pair \(index) (\(TerminalText.shown(pair.id))): distance \(keys.distance), key tokens \(percentage) %"
        )
        print("  chosen  ", marked(pair.chosen, keys.chosen, colour: 32, tokenizer.tokenizer))
        print("  rejected", marked(pair.rejected, keys.rejected, colour: 31, tokenizer.tokenizer))
      }
    }
  }

  private func name(_ path: String) -> String { URL(fileURLWithPath: path).lastPathComponent }

  /// The response's text with each run of key tokens coloured or in brackets.
  private func marked(_ tokens: [Int], _ keys: [Int], colour: Int, _ tokenizer: Tokenizer) -> String
  {
    let isColoured =
      isatty(STDOUT_FILENO) == 1 && (ProcessInfo.processInfo.environment["NO_COLOR"] ?? "").isEmpty
    let keys = Set(keys)
    var result = ""
    // What stands between two words is known only where they are decoded together.
    var before = 0
    var start = 0
    while start < tokens.count {
      var end = start + 1
      while end < tokens.count, keys.contains(end) == keys.contains(start) { end += 1 }
      let whole = tokenizer.decode(Array(tokens[..<end]))
      let text = TerminalText.shown(String(whole.dropFirst(before)).replacing("\n", with: "⏎"))
      before = whole.count
      if !keys.contains(start) {
        result += text
      } else if isColoured {
        result += "\u{1B}[1;\(colour)m\(text)\u{1B}[0m"
      } else {
        result += "[\(text)]"
      }
      start = end
    }
    return result
  }
}
