/// ROUGE-2: how much two texts share, in pairs of neighbouring words.
///
/// Words are lower-case runs of letters and digits, without stemming. A pair that occurs n times in
/// one text and m times in the other is shared min(n, m) times.
///
/// Source: Lin, "ROUGE: A Package for Automatic Evaluation of Summaries", 2004.
public enum BigramOverlap {
  /// F1 = 2 P R / (P + R), P and R being the shared pairs over those of each text; from 0 to 1, and
  /// 0 where a text has no pair.
  public static func f1(_ a: String, _ b: String) -> Double {
    let (a, b) = (bigrams(of: a), bigrams(of: b))
    let total = a.values.reduce(0, +) + b.values.reduce(0, +)
    let shared = a.map { min($1, b[$0] ?? 0) }.reduce(0, +)
    // With P = s / |a| and R = s / |b|, F1 is 2 s / (|a| + |b|).
    return total == 0 ? 0 : 2 * Double(shared) / Double(total)
  }

  private static func bigrams(of text: String) -> [[Substring]: Int] {
    let words = text.lowercased().split { !$0.isLetter && !$0.isNumber }
    return zip(words, words.dropFirst()).reduce(into: [:]) { $0[[$1.0, $1.1], default: 0] += 1 }
  }
}
