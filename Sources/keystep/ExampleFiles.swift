import Distillation
import Files
import Parameters
import Reasoning

/// Files of examples, for training or for validation: dual pairs or chains, and maybe the weights of their tokens.
struct ExampleFiles {
  var pairs: String?
  var chains: String?
  var weights: String?

  var isGiven: Bool { pairs != nil || chains != nil }
  /// The path that errors name.
  var path: String { pairs ?? chains ?? "" }

  /// Reads and tokenizes them. Examples over `limit` are refused or left out. Chains that are known to be incorrect are
  /// left out. What is left out is counted on standard error.
  func read(_ tokenizer: ExampleTokenizer, _ limit: LengthLimit) throws -> Examples {
    // The limit is applied to what was tokenized, so that all long examples are known.
    var unlimited = tokenizer
    unlimited.maximumTokens = nil
    let examples: Examples
    if let pairs {
      let all = try unlimited.tokenize(JSONLines.pairs(at: pairs), file: pairs)
      examples = Examples(
        TrainingData(
          correct: all.map(\.chosenChain), pairs: all, tokenizer: tokenizer, file: pairs),
        try limit.selection(of: all, file: pairs))
    } else {
      var all = try JSONLines.chains(at: path)
      // Weights from a file refer to the lines of this one, incorrect chains included.
      let incorrect = weights == nil ? all.removeIncorrect() : 0
      if incorrect > 0 {
        StandardError.line("\(path): skipped \(incorrect) chains whose is_correct is false")
      }
      let tokenized = try unlimited.tokenize(all, file: path)
      examples = Examples(
        TrainingData(correct: tokenized, pairs: [], tokenizer: tokenizer, file: path),
        try limit.selection(of: tokenized, file: path))
    }
    examples.warnOfSkipped(limit)
    return examples
  }
}

/// The examples of some files.
struct Examples {
  /// All of them, and those that are not too long.
  private let all: TrainingData
  let kept: TrainingData
  private let selection: LengthLimit.Selection

  init(_ all: TrainingData, _ selection: LengthLimit.Selection) {
    self.all = all
    self.selection = selection
    var kept = all
    kept.correct = selection.kept.map { all.correct[$0] }
    kept.pairs = all.pairs.isEmpty ? [] : selection.kept.map { all.pairs[$0] }
    self.kept = kept
  }

  var skipped: [LengthLimit.Skipped] { selection.skipped }

  /// The objective that `entry` makes of them, or that the token weights of the file `weights` do.
  func objective(
    _ entry: ObjectiveEntry, _ values: ParameterValues, weights: String?, seed: UInt64,
    models: @escaping () throws -> ReferenceModels
  ) throws -> Objective {
    guard let weights else {
      return try entry.objective(kept, values.values, seed: seed, models: models)
    }
    // The lines of weights refer to all examples.
    let lines = try JSONLines.tokenWeights(at: weights)
    let negatives = NegativeForm.guarded(values)
    var objective: Objective =
      entry.data == .pairs
      ? try .weighted(all.pairs, by: lines, file: weights, negatives: negatives)
      : try .weighted(all.correct, by: lines, file: weights, negatives: negatives)
    objective.examples = selection.kept.map { objective.examples[$0] }
    return objective
  }

  fileprivate func warnOfSkipped(_ limit: LengthLimit) {
    guard !skipped.isEmpty else { return }
    let named = skipped.prefix(5).map { "\($0.id) (\($0.tokens) tokens)" }
    let rest = skipped.count - named.count
    StandardError.line(
      "\(all.file): skipped \(skipped.count) of \(skipped.count + selection.kept.count) examples, longer than the "
        + "\(limit.tokens) tokens of \(limit.owner): " + named.joined(separator: ", ")
        + (rest > 0 ? " and \(rest) more" : ""))
  }
}
