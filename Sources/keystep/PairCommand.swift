import Annotation
import ArgumentParser
import Files
import Foundation
import Reasoning

/// Which pairs are left out.
struct PairFilterOptions: ParsableArguments {
  @Option(help: "Drop pairs whose ROUGE-2 (F1, from 0 to 1) is above this; 1.01 drops none.")
  var maxRouge = 1.01

  func filter(limit: ChainLimitOptions) throws -> PairFilter {
    PairFilter(bigramOverlap: maxRouge, limit: try limit.limit())
  }
}

struct PairCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "pair",
    abstract:
      "Make dual pairs of a teacher's chains, or of published correct and incorrect solutions.",
    discussion: """
      Of chains: each correct first answer with its corruption, each rectified one with the incorrect \
      first answer. Of solutions: for each question with a correct and an incorrect one, the two with \
      the smallest edit distance. Writes JSON lines {"prompt","chosen","rejected",…} (TRL's preference format).

      Example: keystep pair --chains annotated.jsonl --chains rectified.jsonl --chains corrupted.jsonl \
      --output pairs.jsonl

      Example: keystep pair --format gsm8k-solutions model_solutions.jsonl \
      --tokenizer models/SmolLM2-135M-Instruct.Q4_1.gguf --output pairs.jsonl
      """)

  enum Format: String, CaseIterable, ExpressibleByArgument {
    case gsm8kSolutions = "gsm8k-solutions"
  }

  @Argument(help: "The file of solutions.")
  var file: String?
  @Option(help: "gsm8k-solutions: GSM8K's model_solutions.jsonl.")
  var format: Format?
  @Option(
    parsing: .singleValue,
    help: "What annotate, rectify or corrupt wrote; several with several --chains.")
  var chains: [String] = []
  @OptionGroup var filter: PairFilterOptions
  @OptionGroup var limit: ChainLimitOptions
  @Option(help: "Where the pairs go; standard output if omitted.")
  var output: String?

  func validate() throws {
    guard chains.isEmpty == (file != nil), (file == nil) == (format == nil) else {
      throw ValidationError("give either --chains, or --format (gsm8k-solutions) and its file")
    }
  }

  func run() throws {
    let filter = try filter.filter(limit: limit)
    if let file {
      let result = GSM8K.dualChains(of: try GSM8K.solutions(at: file), tokens: try limit.tokens())
      let (pairs, tally) = filter.kept(of: result.pairs, unpaired: 0)
      try JSONLines.write(pairs, to: output ?? "/dev/stdout")
      StandardError.line(
        """
        \(pairs.count) dual pairs; dropped: \(result.questionsWithoutBoth) questions without a \
        correct and an incorrect solution, \(result.repeatedSolutions) repeated solutions, \
        \(result.repeatedQuestions) repeated questions
        """)
      if pairs.count < result.pairs.count { StandardError.line("\(ClosingTable([tally]))") }
    } else {
      let all = try chains.flatMap(JSONLines.chains(at:))
      let made = try Pairing.byOrigin.pairs(
        of: all, file: chains.joined(separator: ", "))
      let (pairs, tally) = filter.kept(of: made.pairs, unpaired: made.unpaired)
      try JSONLines.write(pairs, to: output ?? "/dev/stdout")
      StandardError.line("\(ClosingTable([tally]))")
    }
  }
}
