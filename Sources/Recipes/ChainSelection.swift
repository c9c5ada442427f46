import Distillation
import Randomness
import Reasoning

/// Parts of a teacher's chains that experiments compare.
extension TeacherChains {
  /// The chains and pairs of `count` questions, or of all where there are no more, drawn by `seed`; a
  /// larger count has those of a smaller one and more.
  public func ofQuestions(_ count: Int, seed: UInt64) -> TeacherChains {
    let kept = Self.drawn(Set((correct + rectified).map(\.prompt)), count, seed, "questions")
    var part = self
    part.correct.removeAll { !kept.contains($0.prompt) }
    part.rectified.removeAll { !kept.contains($0.prompt) }
    part.pairs.removeAll { !kept.contains($0.prompt) }
    return part
  }

  /// The same with wrong chains for right ones: those of a `share` of the questions that have pairs,
  /// drawn by `seed`, whose right chains and pairs are left out.
  public func takingWrongForRight(share: Double, seed: UInt64) -> TeacherChains {
    let prompts = Set(pairs.map(\.prompt))
    let count = Int((share * Double(prompts.count)).rounded())
    let mistaken = Self.drawn(prompts, count, seed, "wrong for right")
    var changed = self
    changed.correct.removeAll { mistaken.contains($0.prompt) }
    changed.correct += pairs.filter { mistaken.contains($0.prompt) }.map(\.rejected)
    changed.rectified.removeAll { mistaken.contains($0.prompt) }
    changed.pairs.removeAll { mistaken.contains($0.prompt) }
    return changed
  }

  private static func drawn(
    _ prompts: Set<String>, _ count: Int, _ seed: UInt64, _ stream: String
  ) -> Set<String> {
    var generator = SeededGenerator(seed: seed, stream: stream)
    return Set(prompts.sorted().shuffled(using: &generator).prefix(count))
  }

  /// The pairs by the kind of mistake in their wrong chains: the stated one, else the guessed.
  public var pairsByMistake: [Mistake.Kind: [DualChainOfThought]] {
    Dictionary(grouping: pairs) { pair in
      let stated = pair.rejected.mistake?.kind ?? .unknown
      return stated == .unknown ? pair.guessedMistake : stated
    }
  }

  /// The same with `count` of `pairs`, drawn by `seed`, in place of its own.
  public func with(_ count: Int, of pairs: [DualChainOfThought], seed: UInt64) -> TeacherChains {
    var generator = SeededGenerator(seed: seed, stream: "pairs")
    var part = self
    part.pairs = Array(pairs.shuffled(using: &generator).prefix(count))
    return part
  }
}
