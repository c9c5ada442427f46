#if canImport(Darwin)
  import Darwin
#else
  import Glibc
#endif

/// A file's bytes, mapped read-only for as long as this object lives.
///
/// Sendable because nothing writes through the mapping. A file that is cut short by someone else
/// while it is mapped ends the process with a bus error, as with every mapping.
public final class MappedFile: @unchecked Sendable {
  public let path: String
  public let bytes: UnsafeRawBufferPointer

  /// Throws when the file cannot be opened or is empty.
  public init(path: String) throws(FileError) {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { throw MappedFile.failure(path, "a readable file") }
    defer { close(descriptor) }
    var status = stat()
    guard fstat(descriptor, &status) == 0 else { throw MappedFile.failure(path, "a readable file") }
    guard status.st_mode & S_IFMT == S_IFREG, status.st_size > 0 else {
      throw FileError(
        file: path, expected: "a regular file that is not empty",
        found: status.st_mode & S_IFMT == S_IFREG ? "an empty file" : "something else")
    }
    let size = Int(status.st_size)
    guard let start = mmap(nil, size, PROT_READ, MAP_PRIVATE, descriptor, 0), start != MAP_FAILED
    else {
      throw MappedFile.failure(path, "a file that can be mapped")
    }
    self.path = path
    bytes = UnsafeRawBufferPointer(start: start, count: size)
  }

  deinit {
    munmap(UnsafeMutableRawPointer(mutating: bytes.baseAddress), bytes.count)
  }

  private static func failure(_ path: String, _ expected: String) -> FileError {
    FileError(
      file: path, expected: expected, found: String(cString: strerror(errno)))
  }
}
