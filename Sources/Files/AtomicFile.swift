#if canImport(Darwin)
  import Darwin
#else
  import Glibc
#endif

/// A file under construction: written beside its final path and moved there only when complete.
///
/// An object that goes away before `commit` removes what it wrote, and leaves the final path as it
/// was.
public final class AtomicFile {
  private let path: String
  private let partialPath: String
  private var descriptor: Int32

  /// Opens a file beside `path`, in the same folder. Throws where it cannot be created.
  public init(path: String) throws(FileError) {
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

  /// Appends the UTF-8 bytes of `text`.
  public func write(_ text: String) throws(FileError) { try write(Array(text.utf8)) }

  public func write(_ bytes: [UInt8]) throws(FileError) {
    let result = bytes.withUnsafeBytes { bytes in
      Result { () throws(FileError) in try write(bytes) }
    }
    try result.get()
  }

  public func write(_ bytes: UnsafeRawBufferPointer) throws(FileError) {
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

  /// Moves the file, whole and on disk, to its final path, and flushes the folder's entry.
  public func commit() throws(FileError) {
    guard fsync(descriptor) == 0, close(descriptor) == 0 else {
      throw failure("a file that can be flushed")
    }
    descriptor = -1
    guard rename(partialPath, path) == 0 else {
      defer { unlink(partialPath) }
      throw failure("a path that can be written to")
    }
    let folder = Self.folder(of: path)
    let entry = open(folder, O_RDONLY | O_CLOEXEC)
    // Some file systems refuse to flush a folder; the file itself is on disk by now.
    if entry >= 0 {
      fsync(entry)
      close(entry)
    }
  }

  /// Writes `text` to `path`, the whole file or nothing; folders above it are created.
  public static func write(_ text: String, to path: String) throws(FileError) {
    try write(Array(text.utf8), to: path)
  }

  /// Writes `bytes` to `path`, the whole file or nothing; folders above it are created.
  public static func write(_ bytes: [UInt8], to path: String) throws(FileError) {
    let folder = folder(of: path)
    if folder != ".", folder != "/" { try makeFolder(folder) }
    let file = try AtomicFile(path: path)
    try file.write(bytes)
    try file.commit()
  }

  /// The folder that holds `path`.
  public static func folder(of path: String) -> String {
    path.lastIndex(of: "/").map { $0 == path.startIndex ? "/" : String(path[..<$0]) } ?? "."
  }

  private func failure(_ expected: String) -> FileError {
    FileError(
      file: path, expected: expected, found: String(cString: strerror(errno)))
  }

  /// Makes the folder at `path`, and those above it, where they are missing.
  public static func makeFolder(_ path: String) throws(FileError) {
    var end = path.startIndex
    while end != path.endIndex {
      end = path[path.index(after: end)...].firstIndex(of: "/") ?? path.endIndex
      guard mkdir(String(path[..<end]), 0o755) == 0 || errno == EEXIST || errno == EISDIR else {
        throw FileError(
          file: path, expected: "a path where a folder can be created",
          found: String(cString: strerror(errno)))
      }
    }
  }
}
