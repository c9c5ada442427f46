/// The table of Levenshtein distances between every start of one token sequence and every start of
/// another, kept as two bits an entry, from which minimum edit scripts are traced back.
///
/// Legend: a (n tokens, the rows) and b (m tokens, the columns); D(i, j) is the distance between
/// the first i tokens of a and the first j of b; p is the length of their common start.
///
/// The two bits of an entry are all that a back-trace with unit costs asks for:
///
///     above(i, j)  ⇔  D(i, j) = D(i-1, j) + 1     a minimum script to (i, j) may delete a's token i
///     before(i, j) ⇔  D(i, j) = D(i, j-1) + 1     a minimum script to (i, j) may insert b's token j
///
/// A column of 64 rows is computed in one go, in about twenty operations on words.
///
/// The common start is trimmed first. That cannot change a script: D(p, j) = j - p and D(i, p) = i
/// - p for all j, i ≥ p, so a path that reaches row p or column p has its one way along it to (p,
/// p), whatever it prefers, and from there on every step is a match. (A common *end* must stay, as
/// ties are broken in it.)
///
/// Source: Myers, "A fast bit-vector algorithm for approximate string matching", JACM 46(3), 1999,
/// in the form of Hyyrö, "A bit-vector algorithm for computing Levenshtein and Damerau edit
/// distances", NJC 10, 2003.
struct EditTable {
  /// Which of several minimum scripts the back-trace takes, from the end of both sides to their
  /// start.
  enum Preference {
    /// Deleting from a, then inserting from b, then the diagonal: the script from a to b.
    case deleting
    /// Inserting from b, then deleting from a, then the diagonal: the script from b to a, whose
    /// deletions these are.
    case inserting
  }

  let rows: Int
  let columns: Int
  /// p, how many tokens the two sides begin with alike.
  let commonStart: Int
  /// D(n, m).
  let distance: Int

  /// Words that hold the rows after the common start, one bit a row.
  private let words: Int
  /// `above` and `before` in turns: column c of the trimmed table, word w, at `2 * (c * words + w)`
  /// and the one after.
  private let bits: [UInt64]

  init(from a: [Int], to b: [Int]) {
    rows = a.count
    columns = b.count
    var p = 0
    while p < a.count, p < b.count, a[p] == b[p] { p += 1 }
    commonStart = p
    let (n, m) = (a.count - p, b.count - p)
    guard n > 0, m > 0 else {
      (words, bits, distance) = (0, [], max(n, m))
      return
    }

    let words = (n + 63) / 64
    var distance = n
    let lastRow: UInt64 = 1 << ((n - 1) % 64)
    self.words = words
    bits = Array(unsafeUninitializedCapacity: 2 * m * words) { bits, count in
      Occurrences.with(a[p...], words: words) { occurrences in
        withUnsafeTemporaryAllocation(of: UInt64.self, capacity: 2 * words) { column in
          // D rises by one from row to row in column 0: the positive deltas are all set, the negative
          // ones all clear.
          for w in 0..<words { (column[2 * w], column[2 * w + 1]) = (.max, 0) }
          for c in 0..<m {
            let kind = occurrences.kind(of: b[p + c])
            // D rises by one from column to column in row 0.
            var (positiveCarry, negativeCarry): (UInt64, UInt64) = (1, 0)
            for w in 0..<words {
              let (positive, negative) = (column[2 * w], column[2 * w + 1])
              let match = occurrences.word(w, ofKind: kind)
              let crossing = match | negative
              let start = match | negativeCarry
              let diagonal = (((start & positive) &+ positive) ^ positive) | start
              let across = negative | ~(diagonal | positive)
              let back = diagonal & positive
              if w == words - 1 {
                if across & lastRow != 0 { distance += 1 }
                if back & lastRow != 0 { distance -= 1 }
              }
              let shifted = (across << 1) | positiveCarry
              let shiftedBack = (back << 1) | negativeCarry
              (positiveCarry, negativeCarry) = (across >> 63, back >> 63)
              column[2 * w] = shiftedBack | ~(crossing | shifted)
              column[2 * w + 1] = shifted & crossing
              bits[2 * (c * words + w)] = column[2 * w]
              bits[2 * (c * words + w) + 1] = across
            }
          }
        }
      }
      count = 2 * m * words
    }
    self.distance = distance
  }

  /// The indices, rising, of a's tokens that the minimum script `preference` picks deletes or
  /// replaces, and of b's that it inserts or puts there. a and b are those of `init`.
  func script(_ a: [Int], _ b: [Int], preferring preference: Preference)
    -> (deleted: [Int], inserted: [Int])
  {
    // Indices are found from the end to the start, and so written from the back. Each place is
    // written whether its token is replaced or not, and passed only where it is: a branch on that
    // would be foreseen half of the time.
    withUnsafeTemporaryAllocation(of: Int.self, capacity: rows + columns + 2) { room in
      let deleted = UnsafeMutableBufferPointer(rebasing: room[...rows])
      let inserted = UnsafeMutableBufferPointer(rebasing: room[(rows + 1)...])
      var (firstDeleted, firstInserted) = (rows + 1, columns + 1)
      let p = commonStart
      var (i, j) = (rows - p, columns - p)
      bits.withUnsafeBufferPointer { bits in
        while i > 0, j > 0 {
          let entry = 2 * ((j - 1) * words + (i - 1) / 64)
          let row = UInt64((i - 1) % 64)
          let above = (bits[entry] >> row) & 1 != 0
          let before = (bits[entry + 1] >> row) & 1 != 0
          if above, preference == .deleting || !before {
            i -= 1
            firstDeleted -= 1
            deleted[firstDeleted] = p + i
          } else if before {
            j -= 1
            firstInserted -= 1
            inserted[firstInserted] = p + j
          } else {
            (i, j) = (i - 1, j - 1)
            (deleted[firstDeleted - 1], inserted[firstInserted - 1]) = (p + i, p + j)
            let replaced = a[p + i] == b[p + j] ? 0 : 1
            firstDeleted -= replaced
            firstInserted -= replaced
          }
        }
      }
      while i > 0 {
        i -= 1
        firstDeleted -= 1
        deleted[firstDeleted] = p + i
      }
      while j > 0 {
        j -= 1
        firstInserted -= 1
        inserted[firstInserted] = p + j
      }
      return (Array(deleted[firstDeleted...]), Array(inserted[firstInserted...]))
    }
  }
}

/// In which rows each token of a sequence stands, as bits, found by hashing (open addressing, at
/// least three of four slots free), in memory that lasts as long as the call of `with`.
private struct Occurrences {
  private let words: Int
  /// The slots less one, a mask.
  private let lastSlot: Int
  /// The kind of the token that hashes to a slot, counted from 1; 0 where the slot is empty.
  private let kinds: UnsafeMutableBufferPointer<Int32>
  /// The token of each kind, from kind 1.
  private let tokens: UnsafeMutableBufferPointer<Int>
  /// `words` words for each kind; those of kind 0, the tokens that do not occur, are zero.
  private let rows: UnsafeMutableBufferPointer<UInt64>

  /// Calls `body` with the occurrences of the tokens of `sequence`.
  static func with(_ sequence: ArraySlice<Int>, words: Int, _ body: (Occurrences) -> Void) {
    var slots = 4
    while slots < 4 * sequence.count { slots *= 2 }
    withUnsafeTemporaryAllocation(of: Int32.self, capacity: slots) { kinds in
      withUnsafeTemporaryAllocation(of: Int.self, capacity: sequence.count + 1) { tokens in
        withUnsafeTemporaryAllocation(of: UInt64.self, capacity: (sequence.count + 1) * words) {
          kinds.initialize(repeating: 0)
          tokens[0] = 0
          $0.initialize(repeating: 0)
          let occurrences = Occurrences(
            words: words, lastSlot: slots - 1, kinds: kinds, tokens: tokens, rows: $0)
          occurrences.fill(sequence)
          body(occurrences)
        }
      }
    }
  }

  private func fill(_ sequence: ArraySlice<Int>) {
    var (row, count) = (0, 0)
    for token in sequence {
      let slot = slot(of: token)
      if kinds[slot] == 0 {
        count += 1
        tokens[count] = token
        kinds[slot] = Int32(count)
      }
      rows[Int(kinds[slot]) * words + row / 64] |= 1 << UInt64(row % 64)
      row += 1
    }
  }

  /// The kind of `token`, 0 where it does not occur.
  func kind(of token: Int) -> Int {
    Int(kinds[slot(of: token)])
  }

  /// Rows 64 `w` to 64 `w` + 63, the first in the lowest bit.
  func word(_ w: Int, ofKind kind: Int) -> UInt64 {
    rows[kind * words + w]
  }

  /// Where `token` is, or would go.
  private func slot(of token: Int) -> Int {
    // Fibonacci hashing: token ids that lie close together spread over the slots.
    let hash = UInt(bitPattern: token) &* 0x9e37_79b9_7f4a_7c15
    var slot = Int(hash >> 32) & lastSlot
    while true {
      let kind = Int(kinds[slot])
      // Both are looked at, so that a token that occurs and one that does not take the same way.
      let (isEmpty, isFound) = (kind == 0, tokens[kind] == token)
      if (isEmpty ? 1 : 0) | (isFound ? 1 : 0) != 0 { return slot }
      slot = (slot + 1) & lastSlot
    }
  }
}
