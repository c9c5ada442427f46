import ArgumentParser
import Distillation
import Foundation
import Reasoning
import Tokenizers

struct PairCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "pair", abstract: "Make dual pairs of published right and wrong solutions.",
    discussion: """
      For each question with a right and a wrong solution the two with the smallest edit distance, as \
      JSON lines {"prompt","chosen","rejected",…} (TRL's preference format).

      Example: keystep pair --format gsm8k-solutions model_solutions.jsonl \
      --tokenizer models/SmolLM2-135M-Instruct.Q4_1.gguf --output pairs.jsonl
      """)

  enum Format: String, CaseIterable, ExpressibleByArgument {
    case gsm8kSolutions = "gsm8k-solutions"
  }

  @Argument(help: "The file of solutions.")
  var file: String
  @Option(help: "gsm8k-solutions: GSM8K's model_solutions.jsonl.")
  var format: Format
  @Option(help: "The tokenizer whose tokens the distance counts; words where left out.")
  var tokenizer: String?
  @Option(help: "Where the pairs go; standard output where left out.")
  var output: String?

  func run() throws {
    let tokens: (String) -> [Int]
    if let tokenizer {
      let tokenizer = try Tokenizer(path: tokenizer)
      tokens = { tokenizer.encode($0) }
    } else {
      var ids: [Substring: Int] = [:]
      tokens = { text in
        text.split(whereSeparator: \.isWhitespace).map { word in
          if let id = ids[word] { return id }
          ids[word] = ids.count
          return ids.count - 1
        }
      }
    }
    let result = GSM8K.dualChains(of: try GSM8K.solutions(at: file), tokens: tokens)
    try JSONLines.write(result.pairs, to: output ?? "/dev/stdout")
    let summary = """
      \(result.pairs.count) dual pairs; dropped: \(result.questionsWithoutBoth) questions without a \
      right and a wrong solution, \(result.repeatedSolutions) repeated solutions, \
      \(result.repeatedQuestions) repeated questions

      """
    FileHandle.standardError.write(Data(summary.utf8))
  }
}
