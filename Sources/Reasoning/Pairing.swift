import Files
import KeySteps

/// How the two chains of a question's pair are selected from all chains for the question.
public struct Pairing: Sendable {
  private let select: @Sendable ([ChainOfThought], [ChainOfThought]) -> Sides?

  private typealias Sides = (chosen: ChainOfThought, rejected: ChainOfThought)

  /// An original correct chain with its corruption, else a rectified one with the original
  /// incorrect chain; the first of each. Recorded chains stand for original, rectified and corrupted
  /// ones.
  public static let byOrigin = Pairing { correct, incorrect in
    func pair(_ chosen: ChainOfThought.Origin, _ rejected: ChainOfThought.Origin) -> Sides? {
      guard let chosen = correct.first(where: { [chosen, .recorded].contains($0.origin) }),
        let rejected = incorrect.first(where: { [rejected, .recorded].contains($0.origin) })
      else { return nil }
      return (chosen, rejected)
    }
    return pair(.original, .corrupted) ?? pair(.rectified, .original)
  }

  /// The correct and the incorrect chain with the smallest edit distance between their texts' token
  /// ids; the first of equally near ones, correct chains before incorrect ones.
  public static func nearest(tokens: @escaping @Sendable (String) -> [Int]) -> Pairing {
    Pairing { correct, incorrect in
      let ids = incorrect.map { tokens($0.text) }
      return correct.flatMap { chosen in
        let chosenIDs = tokens(chosen.text)
        return zip(incorrect, ids).map { rejected, rejectedIDs in
          (
            sides: (chosen: chosen, rejected: rejected),
            distance: KeyTokens(chosen: chosenIDs, rejected: rejectedIDs).distance
          )
        }
      }.min { $0.distance < $1.distance }?.sides
    }
  }

  /// The pair of one question's chains; nil if they have none. Chains of which it is not known
  /// whether they are correct are ignored.
  ///
  /// Precondition: all respond to the same prompt.
  public func pair(_ chains: [ChainOfThought], goldAnswer: String?) -> DualChainOfThought? {
    let sides = select(
      chains.filter { $0.isCorrect == true }, chains.filter { $0.isCorrect == false })
    return sides.map {
      DualChainOfThought(chosen: $0.chosen, rejected: $0.rejected, goldAnswer: goldAnswer)
    }
  }

  /// The pairs of the chains of many questions, told apart by their ids, in the order of each
  /// question's first chain; the gold answer is the chosen chain's.
  ///
  /// Throws a `FileError` that names the question whose chains have different prompts; `file` is
  /// where the chains are from.
  public func pairs(of chains: [ChainOfThought], file: String) throws -> (
    pairs: [DualChainOfThought], unpaired: Int
  ) {
    var order: [String] = []
    var byQuestion: [String: [ChainOfThought]] = [:]
    for chain in chains {
      if byQuestion[chain.questionID] == nil { order.append(chain.questionID) }
      byQuestion[chain.questionID, default: []].append(chain)
    }
    let pairs = try order.compactMap { id -> DualChainOfThought? in
      let group = byQuestion[id] ?? []
      if let other = group.first(where: { $0.prompt != group[0].prompt }) {
        throw FileError(
          file: file, location: "question \(id)", expected: "one prompt for all its chains",
          found: "\"\(group[0].prompt.prefix(40))\" and \"\(other.prompt.prefix(40))\"")
      }
      guard var pair = pair(group, goldAnswer: nil) else { return nil }
      pair.goldAnswer = pair.chosen.answer
      return pair
    }
    return (pairs, order.count - pairs.count)
  }
}
