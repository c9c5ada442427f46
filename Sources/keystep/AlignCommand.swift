import ArgumentParser
import Distillation
import Foundation
import KeySteps
import Reasoning
import Tokenizers

struct AlignCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "align", abstract: "Show the key tokens of dual pairs.",
    discussion: """
      Without --json, each pair's two responses with their key tokens marked: coloured in a terminal, \
      in [brackets] elsewhere and where NO_COLOR is set. Indices count the response's tokens from 0, \
      the end-of-sequence token included.

      Example: keystep align --tokenizer models/SmolLM2-135M-Instruct.Q4_1.gguf --pairs pairs.jsonl --json
      """)

  @Option(help: "A tokenizer.json, a folder that holds one, or a .gguf file.")
  var tokenizer: String
  @Option(help: "Dual pairs as JSON lines with prompt, chosen and rejected.")
  var pairs: String
  @OptionGroup var choice: KeyTokenOptions
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
  }

  func run() throws {
    let tokenizer = try ExampleTokenizer(Tokenizer(path: tokenizer))
    let pairs = try JSONLines.pairs(at: pairs)
    let tokenized = try tokenizer.tokenize(pairs, file: self.pairs, unit: choice.unit)
    for (index, pair) in tokenized.enumerated() {
      let keys = choice.choice.keyTokens(of: pair)
      if json {
        try printJSONLine(
          Line(
            index: index, promptTokens: pair.prompt, chosenTokens: pair.right,
            rejectedTokens: pair.wrong, chosenKey: keys.right, rejectedKey: keys.wrong,
            distance: keys.distance))
      } else {
        let share = (1000 * keys.share).rounded() / 10
        print("pair \(index) (\(pair.id)): distance \(keys.distance), key tokens \(share) %")
        print("  chosen  ", marked(pair.right, keys.right, colour: 32, tokenizer.tokenizer))
        print("  rejected", marked(pair.wrong, keys.wrong, colour: 31, tokenizer.tokenizer))
      }
    }
  }

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
      let text = whole.dropFirst(before).replacing("\n", with: "⏎")
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
