#if canImport(Darwin)
  import Darwin
#else
  import Glibc
#endif

/// Whole files as bytes.
public enum FileContents {
  /// The bytes of the file, pipe or device at `path`, without a UTF-8 byte order mark.
  ///
  /// Throws where it cannot be opened or read.
  public static func bytes(of path: String) throws(FileError) -> [UInt8] {
    var bytes: [UInt8] = []
    var status = stat()
    if stat(path, &status) == 0, status.st_mode & S_IFMT == S_IFREG {
      bytes.reserveCapacity(Int(status.st_size))
    }
    try readPieces(of: path) { bytes.append(contentsOf: $0) }
    return withoutByteOrderMark(bytes)
  }

  /// Hands over the bytes of the file, pipe or device at `path` in pieces. Throws where it cannot be opened or read.
  static func readPieces(of path: String, _ take: (UnsafeRawBufferPointer) -> Void)
    throws(FileError)
  {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { throw unreadable(path) }
    defer { close(descriptor) }
    var piece = [UInt8](repeating: 0, count: 1 << 18)
    while true {
      let count = read(descriptor, &piece, piece.count)
      if count < 0, errno == EINTR { continue }
      guard count >= 0 else { throw unreadable(path) }
      if count == 0 { return }
      piece.withUnsafeBytes { take(UnsafeRawBufferPointer(rebasing: $0[..<count])) }
    }
  }

  private static func withoutByteOrderMark(_ bytes: [UInt8]) -> [UInt8] {
    bytes.starts(with: [0xEF, 0xBB, 0xBF]) ? Array(bytes.dropFirst(3)) : bytes
  }

  /// The bytes of the text file at `path`, as `bytes(of:)` gives them; of a file whose first bytes are those of gzip,
  /// whatever its name, the bytes that were compressed.
  ///
  /// Throws where its first bytes are those of UTF-16, or where gzip data are damaged or grow beyond all measure.
  public static func text(of path: String) throws(FileError) -> [UInt8] {
    var bytes = try bytes(of: path)
    if bytes.starts(with: Gzip.magic) {
      bytes = withoutByteOrderMark(try Gzip.decompress(bytes, file: path))
    }
    if bytes.starts(with: [0xFE, 0xFF]) || bytes.starts(with: [0xFF, 0xFE]) {
      throw FileError(
        file: path, expected: "a text file in UTF-8",
        found: "UTF-16, which must be converted first")
    }
    return bytes
  }

  /// Whether something exists at `path`.
  public static func exists(_ path: String) -> Bool { access(path, F_OK) == 0 }

  /// Whether a folder exists at `path`.
  public static func isFolder(_ path: String) -> Bool {
    var status = stat()
    return stat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFDIR
  }

  /// The names in the folder at `path`, sorted. Throws where it cannot be read.
  public static func names(inFolder path: String) throws(FileError) -> [String] {
    guard let folder = opendir(path) else { throw unreadable(path) }
    defer { closedir(folder) }
    var names: [String] = []
    while let entry = readdir(folder) {
      let name = withUnsafePointer(to: &entry.pointee.d_name) { pointer in
        pointer.withMemoryRebound(to: CChar.self, capacity: Int(NAME_MAX) + 1) {
          String(cString: $0)
        }
      }
      if name != ".", name != ".." { names.append(name) }
    }
    return names.sorted()
  }

  /// Removes the file at `path`, if there is one. Throws where that fails.
  public static func remove(_ path: String) throws(FileError) {
    guard unlink(path) == 0 || errno == ENOENT else {
      throw FileError(
        file: path, expected: "a file that can be removed", found: String(cString: strerror(errno)))
    }
  }

  /// Removes the folder at `path` with all that is in it, if there is one. Links in it are removed, not followed. Throws
  /// where that fails.
  package static func removeFolder(_ path: String) throws(FileError) {
    var status = stat()
    guard lstat(path, &status) == 0 else { return }
    guard status.st_mode & S_IFMT == S_IFDIR else { return try remove(path) }
    for name in try names(inFolder: path) { try removeFolder("\(path)/\(name)") }
    guard rmdir(path) == 0 || errno == ENOENT else {
      throw FileError(
        file: path, expected: "a folder that can be removed",
        found: String(cString: strerror(errno)))
    }
  }

  /// Removes the folder at `path` if there is nothing in it.
  package static func removeIfEmpty(_ path: String) { rmdir(path) }

  static func unreadable(_ path: String) -> FileError {
    let reason = errno
    return FileError(
      file: path, expected: "a readable file",
      found: reason == ENOENT ? "no such file" : String(cString: strerror(reason)))
  }
}
