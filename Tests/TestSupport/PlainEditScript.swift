/// The minimum edit script from one token sequence to another by the plain dynamic programme over the whole table,
/// nothing trimmed: O(n m) time and space, the reference for the bit-parallel one.
public struct PlainEditScript {
  /// For each token of the first sequence, whether the script deletes or replaces it.
  public let deletesOrReplaces: [Bool]
  /// For each token of the second sequence, whether the script inserts it or puts it in another's place.
  public let insertsOrPuts: [Bool]
  /// The Levenshtein distance.
  public let distance: Int

  /// The script from `a` to `b`; the back-trace prefers deletion, then insertion, then the diagonal.
  public init(from a: [Int], to b: [Int]) {
    var d = (0...a.count).map { i in (0...b.count).map { j in i == 0 ? j : j == 0 ? i : 0 } }
    for i in a.indices {
      for j in b.indices {
        d[i + 1][j + 1] = min(d[i][j + 1] + 1, d[i + 1][j] + 1, d[i][j] + (a[i] == b[j] ? 0 : 1))
      }
    }
    var deleted = Array(repeating: false, count: a.count)
    var inserted = Array(repeating: false, count: b.count)
    var (i, j) = (a.count, b.count)
    while i > 0 || j > 0 {
      if i > 0, d[i][j] == d[i - 1][j] + 1 {
        i -= 1
        deleted[i] = true
      } else if j > 0, d[i][j] == d[i][j - 1] + 1 {
        j -= 1
        inserted[j] = true
      } else {
        (i, j) = (i - 1, j - 1)
        deleted[i] = a[i] != b[j]
        inserted[j] = a[i] != b[j]
      }
    }
    (deletesOrReplaces, insertsOrPuts) = (deleted, inserted)
    distance = d[a.count][b.count]
  }
}
