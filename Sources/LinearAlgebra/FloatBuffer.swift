#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// Floats in memory of their own, aligned to a cache line, zero at the start.
///
/// The pages come from the system zeroed and untouched, so a buffer costs only what of it is used.
public final class FloatBuffer {
  public let base: UnsafeMutablePointer<Float>
  public let count: Int
  private let byteCount: Int

  public init(count: Int) {
    precondition(count >= 0, "a buffer of \(count) floats")
    self.count = count
    byteCount = max(count, 1) * MemoryLayout<Float>.stride
    let memory = mmap(nil, byteCount, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
    guard let memory, memory != MAP_FAILED else {
      preconditionFailure("no memory for \(byteCount) bytes: \(String(cString: strerror(errno)))")
    }
    #if os(Linux)
      // MADV_HUGEPAGE: fewer address translations in large products.
      madvise(memory, byteCount, 14)
    #endif
    base = memory.bindMemory(to: Float.self, capacity: max(count, 1))
  }

  deinit { munmap(base, byteCount) }

  /// The whole buffer as a matrix of `rows` × `columns`, or the block of it that starts at
  /// `offset`.
  public func matrix(rows: Int, columns: Int, at offset: Int = 0) -> MatrixView {
    precondition(
      offset >= 0 && offset + rows * columns <= count,
      "\(rows) × \(columns) floats at \(offset) do not lie in a buffer of \(count)")
    return MatrixView(base + offset, rows: rows, columns: columns)
  }

  public var floats: UnsafeMutableBufferPointer<Float> {
    UnsafeMutableBufferPointer(start: base, count: count)
  }

  public func setZero() { base.update(repeating: 0, count: count) }

  public func copy(from other: FloatBuffer) {
    precondition(other.count == count, "cannot copy \(other.count) floats into \(count)")
    base.update(from: other.base, count: count)
  }
}
