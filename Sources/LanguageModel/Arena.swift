import LinearAlgebra

/// The workspace for the matrices of one pass, handed out in order and taken back all at once.
///
/// Memory grows to the largest pass and is reused by the next; nothing is zeroed.
final class Arena {
  private var chunks: [FloatBuffer] = []
  private var chunk = 0
  private var used = 0
  /// The most floats that were handed out at once, with what was left over at the ends of full chunks.
  private(set) var peak = 0

  /// A point to go back to.
  struct Mark {
    fileprivate var chunk: Int
    fileprivate var used: Int
  }

  var mark: Mark { Mark(chunk: chunk, used: used) }

  func release(to mark: Mark) {
    chunk = mark.chunk
    used = mark.used
  }

  func reset() {
    chunk = 0
    used = 0
  }

  func floats(_ count: Int) -> UnsafeMutablePointer<Float> {
    // Rounded up to whole cache lines.
    let rounded = (max(count, 1) + 15) & ~15
    while chunk < chunks.count, used + rounded > chunks[chunk].count {
      chunk += 1
      used = 0
    }
    if chunk == chunks.count { chunks.append(FloatBuffer(count: max(rounded, 1 << 22))) }
    let start = used
    used += rounded
    peak = max(peak, chunks[..<chunk].reduce(used) { $0 + $1.count })
    return chunks[chunk].base + start
  }

  func bfloat16(_ count: Int) -> UnsafeMutablePointer<UInt16> {
    UnsafeMutableRawPointer(floats((count + 1) / 2)).bindMemory(to: UInt16.self, capacity: count)
  }

  func matrix(_ rows: Int, _ columns: Int) -> MatrixView {
    MatrixView(floats(rows * columns), rows: rows, columns: columns)
  }
}
