/// The tokens of a vocabulary by id, and their ids by content, compared byte for byte.
///
/// (A `Dictionary` keyed by `String` would take canonically equivalent tokens for one another.)
struct Vocabulary: Sendable {
  /// Ids at or above this are taken for damage.
  static let largestSize = 1 << 24

  /// Where the content of each id lies in `storage`; a length of -1 marks an id without a token.
  private var starts: [Int32] = []
  private var lengths: [Int32] = []
  private var storage: [UInt8] = []
  /// Open addressing: an id or -1, a power of two of them, at most half full.
  private var slots: [Int32] = Array(repeating: -1, count: 1024)
  private(set) var count = 0

  /// One more than the largest id.
  var endID: Int { lengths.count }

  /// Adds a token. Returns false, and adds nothing, when the content or the id is already there.
  /// Precondition: `id` is in 0 ..< `largestSize`.
  mutating func insert(_ content: some Collection<UInt8>, id: Int) -> Bool {
    precondition((0..<Self.largestSize).contains(id), "a token's id is \(id)")
    if id < lengths.count, lengths[id] >= 0 { return false }
    if 2 * (count + 1) > slots.count { grow() }
    let start = storage.count
    storage.append(contentsOf: content)
    let slot = storage.withUnsafeBufferPointer {
      slotOf(UnsafeBufferPointer(rebasing: $0[start...]))
    }
    guard slots[slot] < 0 else {
      storage.removeSubrange(start...)
      return false
    }
    while lengths.count <= id {
      starts.append(0)
      lengths.append(-1)
    }
    starts[id] = Int32(start)
    lengths[id] = Int32(storage.count - start)
    slots[slot] = Int32(id)
    count += 1
    return true
  }

  func id(of content: UnsafeBufferPointer<UInt8>) -> Int? {
    let id = slots[slotOf(content)]
    return id < 0 ? nil : Int(id)
  }

  func id(of content: some Collection<UInt8>) -> Int? {
    if let id = content.withContiguousStorageIfAvailable({ id(of: $0) }) { return id }
    return Array(content).withUnsafeBufferPointer { id(of: $0) }
  }

  /// The content of `id` in UTF-8, if there is such a token.
  func content(of id: Int) -> ArraySlice<UInt8>? {
    guard lengths.indices.contains(id), lengths[id] >= 0 else { return nil }
    return storage[Int(starts[id])..<Int(starts[id] + lengths[id])]
  }

  /// The slot that holds `content`, or the empty one where it would go.
  private func slotOf(_ content: UnsafeBufferPointer<UInt8>) -> Int {
    var hash: UInt64 = 0xcbf2_9ce4_8422_2325  // FNV-1a
    for byte in content { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3 }
    var slot = Int(truncatingIfNeeded: hash ^ hash >> 29) & (slots.count - 1)
    while slots[slot] >= 0 {
      let id = Int(slots[slot])
      if Int(lengths[id]) == content.count,
        storage[Int(starts[id])..<Int(starts[id]) + content.count].elementsEqual(content)
      {
        return slot
      }
      slot = (slot + 1) & (slots.count - 1)
    }
    return slot
  }

  private mutating func grow() {
    let ids = slots.filter { $0 >= 0 }
    slots = Array(repeating: -1, count: 2 * slots.count)
    storage.withUnsafeBufferPointer { storage in
      for id in ids {
        let start = Int(starts[Int(id)])
        slots[
          slotOf(UnsafeBufferPointer(rebasing: storage[start..<start + Int(lengths[Int(id)])]))] =
          id
      }
    }
  }
}
