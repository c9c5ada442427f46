#if canImport(Darwin)
  import Darwin
#else
  import Glibc
#endif

/// A file under construction: written beside its final path and moved there only when complete.
///
/// An object that goes away before `commit` removes what it wrote, and leaves the final path as it
/// was.
final class AtomicFile {
  private let path: String
  private let partialPath: String
  private var descriptor: Int32

  init(path: String) throws {
    self.path = path
    partialPath = "\(path).partial-\(getpid())"
    descriptor = open(partialPath, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644)
    if descriptor < 0 { throw failure("a folder that can be written to") }
  }

  deinit {
    guard descriptor >= 0 else { return }
    close(descriptor)
    unlink(partialPath)
  }

  func write(_ bytes: UnsafeRawBufferPointer) throws {
    var rest = bytes[...]
    while !rest.isEmpty {
      let chunk = UnsafeRawBufferPointer(rebasing: rest)
      #if canImport(Darwin)
        let count = Darwin.write(descriptor, chunk.baseAddress, chunk.count)
      #else
        let count = Glibc.write(descriptor, chunk.baseAddress, chunk.count)
      #endif
      if count < 0 && errno == EINTR { continue }
      guard count > 0 else { throw failure("room for \(rest.count) more bytes") }
      rest = rest.dropFirst(count)
    }
  }

  /// Moves the file, whole and on disk, to its final path.
  func commit() throws {
    guard fsync(descriptor) == 0, close(descriptor) == 0 else {
      throw failure("a file that can be flushed")
    }
    descriptor = -1
    guard rename(partialPath, path) == 0 else {
      defer { unlink(partialPath) }
      throw failure("a path that can be written to")
    }
  }

  private func failure(_ expected: String) -> CheckpointError {
    CheckpointError(
      file: path, place: "file", expected: expected, found: String(cString: strerror(errno)))
  }

  /// Makes the folder at `path`, and those above it, where they are missing.
  static func makeFolder(_ path: String) throws {
    var end = path.startIndex
    while end != path.endIndex {
      end = path[path.index(after: end)...].firstIndex(of: "/") ?? path.endIndex
      guard mkdir(String(path[..<end]), 0o755) == 0 || errno == EEXIST || errno == EISDIR else {
        throw CheckpointError(
          file: path, place: "folder", expected: "a path where a folder can be made",
          found: String(cString: strerror(errno)))
      }
    }
  }
}
