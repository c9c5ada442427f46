import Distillation
import Randomness
import Reasoning

/// Parts of a teacher's chains that experiments compare. They share the tokens of the whole.
extension TrainingData {
  /// The chains and pairs of `count` questions, or of all where there are no more, drawn by `seed`; a
  /// larger count has those of a smaller one and more.
  public func ofQuestions(_ count: Int, seed: UInt64) -> TrainingData {
    let kept = Self.drawn(chains.map(\.question), count, seed, "questions")
    var part = self
    part.correct.removeAll { !kept.contains($0.question) }
    part.rectified.removeAll { !kept.contains($0.question) }
    part.pairs.removeAll { !kept.contains($0.question) }
    return part
  }

  /// The same with rejected chains for correct ones: those of a `fraction` of the questions that have
  /// pairs, drawn by `seed`, whose correct chains and pairs are left out.
  public func takingRejectedForCorrect(fraction: Double, seed: UInt64) -> TrainingData {
    let questions = Set(pairs.map(\.question))
    let count = Int((fraction * Double(questions.count)).rounded())
    let mistaken = Self.drawn(questions, count, seed, "wrong for right")
    var changed = self
    changed.correct.removeAll { mistaken.contains($0.question) }
    changed.correct += pairs.filter { mistaken.contains($0.question) }.map(\.rejectedChain)
    changed.rectified.removeAll { mistaken.contains($0.question) }
    changed.pairs.removeAll { mistaken.contains($0.question) }
    return changed
  }

  private static func drawn(
    _ questions: some Sequence<String>, _ count: Int, _ seed: UInt64, _ stream: String
  ) -> Set<String> {
    var generator = SeededGenerator(seed: seed, stream: stream)
    return Set(Set(questions).sorted().shuffled(using: &generator).prefix(count))
  }

  /// The pairs by the kind of mistake in their rejected chains: the stated one, else the guessed.
  public var pairsByMistake: [Mistake.Kind: [TokenizedPair]] {
    Dictionary(grouping: pairs) { pair in
      let stated = pair.source?.rejected.mistake?.kind ?? .unknown
      return stated == .unknown ? pair.source?.guessedMistake ?? .unknown : stated
    }
  }

  /// The same with `count` of `pairs`, drawn by `seed`, in place of its own.
  public func with(_ count: Int, of pairs: [TokenizedPair], seed: UInt64) -> TrainingData {
    var generator = SeededGenerator(seed: seed, stream: "pairs")
    var part = self
    part.pairs = Array(pairs.shuffled(using: &generator).prefix(count))
    return part
  }
}

extension TokenizedChain {
  /// The text of its prompt.
  fileprivate var question: String { source?.prompt ?? "" }
}

extension TokenizedPair {
  /// The text of its prompt.
  fileprivate var question: String { source?.prompt ?? "" }
}
