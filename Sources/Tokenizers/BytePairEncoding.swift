/// Byte-pair encoding: a piece of text becomes a row of symbols, and the pair of neighbours that
/// stands first in the list of merges is joined, the leftmost first, until no pair of neighbours is
/// in the list.
///
/// Pairs wait in a heap, so a piece of n symbols takes O(n log n).
///
/// Source: Sennrich, Haddow and Birch 2016, arXiv 1508.07909; details as in the `tokenizers`
/// library, 0.23.
struct BytePairEncoding: Sendable {
  /// What a piece is made of before the first merge.
  enum Symbols: Sendable {
    /// One symbol for each byte; the ids of the 256, -1 where the vocabulary lacks one.
    case bytes([Int32])
    /// One symbol for each Unicode scalar. `fallback`: the ids of "<0x00>" to "<0xFF>", -1 where
    /// missing, for scalars that the vocabulary lacks; nil where the model does without.
    case scalars(fallback: [Int32]?)
  }

  let vocabulary: Vocabulary
  let symbols: Symbols
  let merges: MergeTable
  /// What stands for a symbol that has no id; without it such a symbol is left out.
  var unknown: Int32?
  /// Whether neighbouring unknown symbols become one token.
  var fusesUnknown = false
  /// Whether a piece that is a token becomes that token at once, whatever the merges say.
  var ignoresMerges = false
  /// Whether no merge joins something with a "▁" to its right, so that text can be cut before each
  /// run of them.
  var cutsAtMetaspace = false

  /// Appends the tokens of `piece` to `ids`.
  func encode(_ piece: UTF8Text, into ids: inout [Int], _ workspace: Workspace) {
    guard cutsAtMetaspace else { return encodeWhole(piece, into: &ids, workspace) }
    var (start, index) = (0, 1)
    while index < piece.count {
      if piece[index] == metaspace[0], piece.starts(with: metaspace, at: index),
        !(index >= start + 3 && piece.starts(with: metaspace, at: index - 3))
      {
        encodeWhole(piece.part(start..<index), into: &ids, workspace)
        start = index
      }
      index += 1
    }
    if start < piece.count { encodeWhole(piece.part(start..<piece.count), into: &ids, workspace) }
  }

  private func encodeWhole(_ piece: UTF8Text, into ids: inout [Int], _ workspace: Workspace) {
    let key = PieceCache.Key(piece)
    if let key, workspace.cache.append(key, to: &ids) { return }
    let start = ids.count
    if ignoresMerges, let id = id(ofWhole: piece) {
      ids.append(id)
    } else {
      workspace.restart()
      appendSymbols(of: piece, to: workspace)
      workspace.merge(merges)
      for id in workspace.symbols where id >= 0 { ids.append(Int(id)) }
    }
    if let key { workspace.cache.store(key, ids[start...]) }
  }

  private func id(ofWhole piece: UTF8Text) -> Int? {
    switch symbols {
    case .bytes: vocabulary.id(of: ByteAlphabet.text(of: piece).utf8)
    case .scalars: vocabulary.id(of: piece)
    }
  }

  private func appendSymbols(of piece: UTF8Text, to workspace: Workspace) {
    // An unknown symbol waits here for others to fuse with. It waits past bytes of the fallback, as
    // in `tokenizers`.
    var waiting: Int32?
    func append(_ id: Int32) {
      if let unknown = waiting { workspace.symbols.append(unknown) }
      waiting = nil
      workspace.symbols.append(id)
    }
    func appendUnknown() {
      guard let unknown else { return }
      if !fusesUnknown, let last = waiting { workspace.symbols.append(last) }
      waiting = unknown
    }
    switch symbols {
    case .bytes(let idOfByte):
      for byte in piece {
        let id = idOfByte[Int(byte)]
        if id >= 0 { append(id) } else { appendUnknown() }
      }
    case .scalars(let fallback):
      var index = 0
      while index < piece.count {
        let end = piece.scalar(at: index).end
        let scalar = piece.part(index..<end)
        index = end
        if let id = vocabulary.id(of: scalar) {
          append(Int32(id))
        } else if let fallback, scalar.allSatisfy({ fallback[Int($0)] >= 0 }) {
          for byte in scalar { workspace.symbols.append(fallback[Int(byte)]) }
        } else {
          appendUnknown()
        }
      }
    }
    if let unknown = waiting { workspace.symbols.append(unknown) }
  }
}

/// The merges: for a pair of symbols its rank (lower is sooner) and the symbol it becomes.
struct MergeTable: Sendable {
  struct Merge: Sendable {
    let rank: Int32
    let result: Int32
  }

  /// Open addressing over pairs, packed into one word each; all ones marks an empty slot.
  private var keys: [UInt64]
  private var merges: [Merge]

  /// Room for `capacity` merges.
  init(capacity: Int) {
    var size = 16
    while size < 2 * capacity { size *= 2 }
    keys = Array(repeating: .max, count: size)
    merges = Array(repeating: Merge(rank: 0, result: 0), count: size)
  }

  /// Adds a merge; a pair that is there already takes the new rank, as a repeated line of a merges
  /// file does. Precondition: no more pairs are added than there is room for.
  mutating func insert(_ left: Int32, _ right: Int32, _ merge: Merge) {
    let slot = slot(of: left, right)
    keys[slot] = Self.key(left, right)
    merges[slot] = merge
  }

  @inline(__always)
  func find(_ left: Int32, _ right: Int32) -> Merge? {
    let slot = slot(of: left, right)
    return keys[slot] == .max ? nil : merges[slot]
  }

  @inline(__always)
  private static func key(_ left: Int32, _ right: Int32) -> UInt64 {
    UInt64(UInt32(bitPattern: left)) << 32 | UInt64(UInt32(bitPattern: right))
  }

  @inline(__always)
  private func slot(of left: Int32, _ right: Int32) -> Int {
    let key = Self.key(left, right)
    let mask = keys.count - 1
    var slot = Int(truncatingIfNeeded: (key &* 0x9E37_79B9_7F4A_7C15) >> 32) & mask
    while keys[slot] != key, keys[slot] != .max { slot = (slot + 1) & mask }
    return slot
  }
}

/// The working memory of one encoding at a time, used again by the next. (Sendable unchecked:
/// `Tokenizer` lends it to one call after another.)
final class Workspace: @unchecked Sendable {
  /// The ids of the piece's symbols; -1 where a merge took a symbol into the one before it.
  var symbols: [Int32] = []
  let cache = PieceCache()
  private var previous: [Int32] = []
  private var next: [Int32] = []
  /// A binary heap, least first, of (rank of a pair, position of its left symbol), packed into one
  /// word each.
  private var heap: [UInt64] = []

  func restart() {
    symbols.removeAll(keepingCapacity: true)
  }

  /// Merges `symbols` as far as `merges` go.
  func merge(_ merges: MergeTable) {
    let count = Int32(symbols.count)
    guard count > 1 else { return }
    previous.removeAll(keepingCapacity: true)
    next.removeAll(keepingCapacity: true)
    heap.removeAll(keepingCapacity: true)
    previous.append(contentsOf: -1..<count - 1)
    next.append(contentsOf: 1...count)
    for position in 0..<count - 1 { push(position, position + 1, merges) }
    while let (rank, position) = pop() {
      let left = symbols[Int(position)]
      let right = next[Int(position)]
      // An entry whose pair has changed since it was pushed is out of date.
      guard left >= 0, right < count, let merge = merges.find(left, symbols[Int(right)]),
        merge.rank == rank
      else { continue }
      symbols[Int(position)] = merge.result
      symbols[Int(right)] = -1
      let after = next[Int(right)]
      next[Int(position)] = after
      if after < count {
        previous[Int(after)] = position
        push(position, after, merges)
      }
      let before = previous[Int(position)]
      if before >= 0 { push(before, position, merges) }
    }
  }

  private func push(_ left: Int32, _ right: Int32, _ merges: MergeTable) {
    guard let merge = merges.find(symbols[Int(left)], symbols[Int(right)]) else { return }
    let entry = UInt64(UInt32(bitPattern: merge.rank)) << 32 | UInt64(UInt32(bitPattern: left))
    var child = heap.count
    heap.append(entry)
    while child > 0 {
      let parent = (child - 1) / 2
      guard entry < heap[parent] else { break }
      heap[child] = heap[parent]
      child = parent
    }
    heap[child] = entry
  }

  private func pop() -> (rank: Int32, position: Int32)? {
    guard let least = heap.first, let entry = heap.popLast() else { return nil }
    if !heap.isEmpty {
      var parent = 0
      while true {
        var child = 2 * parent + 1
        guard child < heap.count else { break }
        if child + 1 < heap.count, heap[child + 1] < heap[child] { child += 1 }
        guard heap[child] < entry else { break }
        heap[parent] = heap[child]
        parent = child
      }
      heap[parent] = entry
    }
    return (Int32(truncatingIfNeeded: least >> 32), Int32(truncatingIfNeeded: least))
  }
}

/// The tokens of pieces met before. Bounded: each piece has one slot, and the last one to come
/// keeps it.
final class PieceCache {
  /// A piece of at most 23 bytes with its length, in three words.
  struct Key: Equatable {
    fileprivate var words: (UInt64, UInt64, UInt64) = (0, 0, 0)

    /// The key of no piece that is ever encoded, the empty one.
    fileprivate init() {}

    init?(_ piece: UTF8Text) {
      guard piece.count < 24 else { return nil }
      withUnsafeMutableBytes(of: &words) {
        $0.copyMemory(from: UnsafeRawBufferPointer(piece))
        $0[23] = UInt8(piece.count)
      }
    }

    static func == (a: Key, b: Key) -> Bool { a.words == b.words }

    fileprivate var slot: Int {
      var hash = words.0 &* 0x9E37_79B9_7F4A_7C15
      hash = (hash ^ hash >> 32 ^ words.1) &* 0xBF58_476D_1CE4_E5B9
      hash = (hash ^ hash >> 32 ^ words.2) &* 0x94D0_49BB_1331_11EB
      return Int(truncatingIfNeeded: hash >> 32) & (PieceCache.slotCount - 1)
    }
  }

  private struct Entry {
    var key = Key()
    /// How many of `ids` count.
    var count = 0
    var ids = SIMD8<Int32>()
  }

  fileprivate static let slotCount = 1 << 15
  private var entries = Array(repeating: Entry(), count: PieceCache.slotCount)

  func append(_ key: Key, to ids: inout [Int]) -> Bool {
    let slot = key.slot
    guard entries[slot].key == key else { return false }
    for index in 0..<entries[slot].count { ids.append(Int(entries[slot].ids[index])) }
    return true
  }

  /// Keeps the tokens `ids` of a piece, unless there are more than eight.
  func store(_ key: Key, _ ids: ArraySlice<Int>) {
    guard ids.count <= 8 else { return }
    var entry = Entry(key: key, count: ids.count)
    for (index, id) in ids.enumerated() { entry.ids[index] = Int32(id) }
    entries[key.slot] = entry
  }
}
