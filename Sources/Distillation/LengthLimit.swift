import Files

/// How long an example may be, and what happens to a longer one. None is ever cut.
///
/// An example's length is that of its prompt and one response, end of sequence included; a pair is as long as its longer
/// side.
public struct LengthLimit: Sendable, Hashable {
  public enum Excess: String, Sendable, Codable, CaseIterable {
    /// A longer example is an error.
    case refuse
    /// It is left out.
    case skip
  }

  /// An example that was left out.
  public struct Skipped: Sendable, Hashable {
    public var id: String
    public var tokens: Int

    public init(id: String, tokens: Int) {
      self.id = id
      self.tokens = tokens
    }
  }

  /// What came of a file's examples.
  public struct Selection: Sendable, Hashable {
    /// The indices of those that are not too long.
    public var kept: [Int]
    public var skipped: [Skipped]

    public init(kept: [Int] = [], skipped: [Skipped] = []) {
      self.kept = kept
      self.skipped = skipped
    }
  }

  public var tokens: Int
  /// Whose limit it is, for messages: `the model's context`.
  public var owner: String
  public var excess: Excess

  public init(_ tokens: Int, of owner: String, excess: Excess = .refuse) {
    self.tokens = tokens
    self.owner = owner
    self.excess = excess
  }

  /// Which of the pairs of `file` are not too long. Throws a `FileError` that names the first one that is, where such
  /// ones are refused, and where all of them are too long.
  public func selection(of pairs: [TokenizedPair], file: String) throws(FileError) -> Selection {
    try selection(
      pairs.map { pair in
        (
          id: pair.id,
          sides: [("chosen", pair.chosen), ("rejected", pair.rejected)].map {
            (name: ", \($0)", tokens: pair.prompt.count + $1.count)
          }
        )
      }, "pair", file)
  }

  /// Which of the chains of `file` are not too long; throws as for pairs.
  public func selection(of chains: [TokenizedChain], file: String) throws(FileError) -> Selection {
    try selection(
      chains.map { (id: $0.id, sides: [(name: "", tokens: $0.tokenCount)]) }, "chain", file)
  }

  private func selection(
    _ examples: [(id: String, sides: [(name: String, tokens: Int)])], _ kind: String, _ file: String
  ) throws(FileError) -> Selection {
    var selection = Selection()
    for (index, example) in examples.enumerated() {
      guard let side = example.sides.first(where: { $0.tokens > tokens }) else {
        selection.kept.append(index)
        continue
      }
      guard excess == .skip else {
        throw FileError(
          file: file, location: "\(kind) \(index + 1) (\(example.id))\(side.name)",
          expected: "at most the \(tokens) tokens of \(owner)", found: "\(side.tokens) tokens")
      }
      selection.skipped.append(
        Skipped(id: example.id, tokens: example.sides.map(\.tokens).max() ?? side.tokens))
    }
    if selection.kept.isEmpty, let shortest = selection.skipped.map(\.tokens).min() {
      throw FileError(
        file: file, expected: "a \(kind) of at most the \(tokens) tokens of \(owner)",
        found: "\(examples.count) longer ones, the shortest with \(shortest)")
    }
    return selection
  }
}
