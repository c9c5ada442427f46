import ArgumentParser
import Evaluation
import Reasoning
import Statistics

struct MistakesCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "mistakes",
    abstract: "Find the kind of mistake in the rejected chain of each pair.",
    discussion: """
      A kind stated in the file is kept. Otherwise a rejected chain has a calculation mistake if it \
      states false arithmetic (12 * 4 = 46, <<12*4=46>>) and the chosen chain does not; all other \
      kinds stay unknown. Where the file states kinds, the guess is scored against them: precision \
      is the fraction of guessed calculation mistakes that are stated as such, recall the fraction \
      of stated calculation mistakes that were found, each with Wilson's 95 % interval.

      With --json one line, {"pairs","logical","knowledge","calculation","unknown","stated",\
      "precision","recall"}; precision and recall have {"value","low_95","high_95","count"}.

      Example: keystep mistakes --pairs pairs.jsonl --output pairs-with-mistakes.jsonl
      """)

  @Option(help: "Dual pairs as JSON lines with prompt, chosen and rejected.")
  var pairs: String
  @Option(help: "Where the pairs go with their \"mistake\"; nowhere where left out.")
  var output: String?
  @Flag(help: "Print a JSON line.")
  var json = false

  private struct Line: Encodable {
    var pairs: Int
    var logical: Int
    var knowledge: Int
    var calculation: Int
    var unknown: Int
    var stated: Int
    var precision: Share?
    var recall: Share?
  }

  private struct Share: Encodable {
    var value, low95, high95: Double
    var count: Int

    enum CodingKeys: String, CodingKey {
      case value, count
      case low95 = "low_95"
      case high95 = "high_95"
    }

    /// Nil of nothing.
    init?(_ estimate: Estimate) {
      guard estimate.count > 0 else { return nil }
      (value, low95, high95) = (estimate.value, estimate.low, estimate.high)
      count = estimate.count
    }
  }

  func run() throws {
    var pairs = try JSONLines.pairs(at: pairs)
    var stated: [(kind: Mistake.Kind, guess: Mistake.Kind)] = []
    for index in pairs.indices {
      let guess = pairs[index].guessedMistake
      if let mistake = pairs[index].rejected.mistake, mistake.kind != .unknown {
        stated.append((mistake.kind, guess))
      } else {
        pairs[index].rejected.mistake = Mistake(kind: guess)
      }
    }
    if let output { try JSONLines.write(pairs, to: output) }
    let kinds = Dictionary(grouping: pairs) { $0.rejected.mistake?.kind ?? .unknown }
      .mapValues(\.count)
    let guessed = stated.filter { $0.guess == .calculation }
    let real = stated.filter { $0.kind == .calculation }
    let found = guessed.count { $0.kind == .calculation }
    let precision = Estimate.share(found, of: guessed.count)
    let recall = Estimate.share(found, of: real.count)
    if json {
      try printJSONLine(
        Line(
          pairs: pairs.count, logical: kinds[.logical] ?? 0, knowledge: kinds[.knowledge] ?? 0,
          calculation: kinds[.calculation] ?? 0, unknown: kinds[.unknown] ?? 0,
          stated: stated.count, precision: Share(precision), recall: Share(recall)))
    } else {
      let counts = Mistake.Kind.allCases.map { "\($0.rawValue) \(kinds[$0] ?? 0)" }
      print("\(pairs.count) pairs: \(counts.joined(separator: ", "))")
      guard !stated.isEmpty else { return }
      print("calculation mistakes guessed, against the \(stated.count) kinds that the file states:")
      for (name, share) in [("precision", precision), ("recall", recall)] {
        print("  \(name) \(shown(share)), of \(share.count)")
      }
    }
  }
}
