import Files
import LanguageModel
import Reasoning

/// Objectives whose weights come from a file beside the examples' (see `JSONLines.tokenWeights`).
///
/// As in KRSL, the weighted sum over a response's tokens is divided by their number, end-of-sequence
/// included.
extension Objective {
  /// `pairs` weighted by the lines of `file`, negative weights in the form of `negatives`.
  ///
  /// Throws a `FileError` that names the line where it fits no pair, one that has a line already,
  /// or has another number of weights than the response has tokens; and the first pair without a
  /// line.
  public static func weighted(
    _ pairs: [TokenizedPair], by weights: [TokenWeights], file: String,
    negatives: NegativeForm = .plain
  ) throws -> Objective {
    let examples = try match(weights, to: pairs.map(\.id), file: file) { index, line in
      let pair = pairs[index]
      return example(
        pair,
        chosen: try values(line.chosen, "chosen_weights", pair.chosen, line, pair.id, file),
        rejected: try values(line.rejected, "rejected_weights", pair.rejected, line, pair.id, file))
    }
    return Objective(examples: examples, negatives: negatives)
  }

  /// `chains` weighted by the lines of `file`; throws as for pairs.
  public static func weighted(
    _ chains: [TokenizedChain], by weights: [TokenWeights], file: String,
    negatives: NegativeForm = .plain
  ) throws -> Objective {
    let examples = try match(weights, to: chains.map(\.id), file: file) { index, line in
      let chain = chains[index]
      guard line.rejected == nil else {
        throw FileError(
          file: file, location: line.place, expected: "the weights of a chain",
          found: "\"rejected_weights\"")
      }
      let weights = try values(line.chosen, "weights", chain.response, line, chain.id, file)
      return TrainingExample(
        id: chain.id,
        tree: PrefixTree(
          prompt: chain.prompt, response: chain.response,
          weights: weights.map { $0 / Float(weights.count) }),
        usefulTokens: chain.tokenCount)
    }
    return Objective(examples: examples, negatives: negatives)
  }

  /// What `example` makes of each line, in the order of the examples' ids.
  private static func match(
    _ weights: [TokenWeights], to ids: [String], file: String,
    _ example: (Int, TokenWeights) throws -> TrainingExample
  ) throws -> [TrainingExample] {
    let byID = Dictionary(grouping: ids.indices) { ids[$0] }
    var found = [(place: String, example: TrainingExample)?](repeating: nil, count: ids.count)
    for line in weights {
      func failure(_ expected: String, _ found: String) -> FileError {
        FileError(file: file, location: line.place, expected: expected, found: found)
      }
      let index: Int
      switch line.target {
      case .index(let number):
        guard ids.indices.contains(number) else {
          throw failure("an index from 0 to \(ids.count - 1)", "\(number)")
        }
        index = number
      case .id(let id):
        guard let indices = byID[id], indices.count == 1 else {
          throw failure(
            "the id of one example", "\"\(id)\", which \(byID[id]?.count ?? 0) examples have")
        }
        index = indices[0]
      }
      if let other = found[index] {
        throw failure("one line for each example", "\(ids[index]) again, after \(other.place)")
      }
      found[index] = (line.place, try example(index, line))
    }
    return try zip(ids, found).map { id, found in
      guard let found else {
        throw FileError(file: file, expected: "a line for \(id)", found: "none")
      }
      return found.example
    }
  }

  private static func values(
    _ weights: [Float]?, _ field: String, _ tokens: [Int], _ line: TokenWeights, _ id: String,
    _ file: String
  ) throws -> [Float] {
    let weights = weights ?? tokens.map { _ in 0 }
    guard weights.count == tokens.count else {
      throw FileError(
        file: file, location: line.place,
        expected: "\(tokens.count) \(field), one for each token of \(id)",
        found: "\(weights.count)")
    }
    guard weights.allSatisfy(\.isFinite) else {
      throw FileError(
        file: file, location: line.place, expected: "finite \(field)", found: "one beyond a float")
    }
    return weights
  }
}
