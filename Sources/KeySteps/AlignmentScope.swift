/// Which sequences of a dual pair are aligned to find its key tokens.
public enum AlignmentScope: String, CaseIterable, Hashable, Sendable, Codable {
  /// The two responses.
  case response
  /// Prompt and response, padded with `padding` or cut to `length` tokens, as in the released code of
  /// EDIT.
  case paddedSequence = "padded-sequence"

  /// Tokens of a padded sequence.
  public static let length = 1024
  /// The id that fills a padded sequence.
  public static let padding = 0
}

extension KeyTokens {
  /// Finds the key tokens by the edit script over the responses padded with `AlignmentScope.padding`,
  /// or cut, to `length` tokens. Padding is no part of the result, and what was cut is no key token.
  ///
  /// Both sequences have one length, so a script that inserts n tokens more than it deletes in the
  /// responses must also delete n padding tokens; it replaces more tokens where that is cheaper.
  /// `distance` counts the edits of padding too. A prompt before both responses changes no script,
  /// because the common start is trimmed: it only takes its tokens off `length`.
  ///
  /// `chosenUnits` and `rejectedUnits` are the indices where a unit begins, rising from 0, each token
  /// where they are nil; each padding token is a unit of its own.
  ///
  /// Source: `custom_tokenize` (`src/datasets/utils.py`) and `levenshtein_operations_tokens`
  /// (`edit_dis_precal.py`) of https://github.com/C-W-D/CasCoD at 3468d15.
  public init(
    chosen: [Int], rejected: [Int], chosenUnits: [Int]? = nil, rejectedUnits: [Int]? = nil,
    paddedTo length: Int, scripts: Scripts = .eachSide
  ) {
    precondition(length >= 0, "\(length) tokens of a padded sequence")
    func padded(_ tokens: [Int]) -> [Int] {
      tokens.prefix(length)
        + Array(repeating: AlignmentScope.padding, count: max(0, length - tokens.count))
    }
    func padded(_ units: [Int], count: Int) -> [Int] {
      units.filter { $0 < length } + (min(count, length)..<length)
    }
    let keys =
      if let chosenUnits, let rejectedUnits {
        KeyTokens(
          chosen: padded(chosen), rejected: padded(rejected),
          chosenUnits: padded(chosenUnits, count: chosen.count),
          rejectedUnits: padded(rejectedUnits, count: rejected.count), scripts: scripts)
      } else {
        KeyTokens(chosen: padded(chosen), rejected: padded(rejected), scripts: scripts)
      }
    self.init(
      chosen: keys.chosen.filter { $0 < chosen.count },
      rejected: keys.rejected.filter { $0 < rejected.count }, chosenCount: chosen.count,
      rejectedCount: rejected.count, distance: keys.distance)
  }
}
