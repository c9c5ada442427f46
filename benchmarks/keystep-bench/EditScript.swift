import ArgumentParser
import KeySteps
import Randomness

struct EditScript: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "edit-script", abstract: "Key tokens of a dual pair, both sides.")

  @Option(help: "Tokens of each side.")
  var length = 125
  @Option(help: "The share of tokens that differ.")
  var changed = 0.45

  func run() throws {
    var generator = SeededGenerator(seed: 1, stream: "edit script")
    let pairs = (0..<200).map { _ -> ([Int], [Int]) in
      let chosen = (0..<length).map { _ in generator.index(below: 49152) }
      let rejected = chosen.map { generator.chance(changed) ? generator.index(below: 49152) : $0 }
      return (chosen, rejected)
    }
    var distances = 0
    let rounds = (0..<21).map { _ in
      seconds {
        for (chosen, rejected) in pairs {
          distances += KeyTokens(chosen: chosen, rejected: rejected).distance
        }
      } / Double(pairs.count)
    }
    try printLine([
      "work": "edit script", "length": length, "microseconds_median": rounds.median * 1e6,
      "distance_mean": Double(distances) / Double(21 * pairs.count),
    ])
  }
}
