import Synchronization

#if canImport(Darwin)
  import Darwin
#else
  import Glibc
#endif

/// A file under construction: written beside its final path and moved there only when complete.
///
/// An object that goes away before `commit` removes what it wrote, and leaves the final path as it was. What a killed
/// process left is removed by the next one that writes the same file. A symbolic link stays: the file that it leads to
/// is replaced. A pipe, a device or one of the process's own descriptors (`/dev/stdout`) takes the bytes as they come.
public final class AtomicFile {
  /// As the caller gave it.
  private let path: String
  /// `path` without links; nil where the bytes go straight to `path`.
  private let target: String?
  private let partialPath: String
  private var descriptor: Int32

  private static let count = Atomic(0)

  /// Opens a file beside `path`, in the same folder. Throws where it cannot be created.
  public init(path: String) throws(FileError) {
    self.path = path
    descriptor = -1
    if let stream = Self.stream(path) {
      (target, partialPath) = (nil, path)
      descriptor = stream()
      if descriptor < 0 { throw failure("a device or a pipe that can be written to") }
      return
    }
    let target = try SymbolicLink.resolved(path)
    self.target = target
    let number = Self.count.add(1, ordering: .relaxed).newValue
    partialPath = "\(target).\(PartialName.current)-\(number)"
    if FileContents.isFolder(target) {
      throw FileError(file: path, expected: "a path where a file can be written", found: "a folder")
    }
    PartialName.removeAbandoned(of: target)
    descriptor = open(partialPath, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644)
    if descriptor < 0 { throw failure("a folder that can be written to") }
  }

  deinit {
    guard descriptor >= 0 else { return }
    close(descriptor)
    if target != nil { unlink(partialPath) }
  }

  /// What opens the pipe, the device or the descriptor that `path` names; nil where it names a file, or nothing yet.
  private static func stream(_ path: String) -> (() -> Int32)? {
    let own = ["/dev/stdout": "1", "/dev/stderr": "2"][path]
    let prefix = ["/dev/fd/", "/proc/self/fd/"].first { path.hasPrefix($0) }
    if let number = own ?? prefix.map({ String(path.dropFirst($0.count)) }),
      let descriptor = Int32(number)
    {
      return { fcntl(descriptor, F_DUPFD_CLOEXEC, 3) }
    }
    var status = stat()
    guard stat(path, &status) == 0, ![S_IFREG, S_IFDIR].contains(status.st_mode & S_IFMT) else {
      return nil
    }
    return { open(path, O_WRONLY | O_CLOEXEC) }
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
    guard let target else {
      defer { descriptor = -1 }
      guard close(descriptor) == 0 else {
        throw failure("a device or a pipe that can be written to")
      }
      return
    }
    guard fsync(descriptor) == 0, close(descriptor) == 0 else {
      throw failure("a file that can be flushed")
    }
    descriptor = -1
    guard rename(partialPath, target) == 0 else {
      let error = failure("a path that can be written to")
      unlink(partialPath)
      throw error
    }
    Self.flushFolder(Self.folder(of: target))
  }

  /// Writes `text` to `path`, the whole file or nothing; folders above it are created.
  public static func write(_ text: String, to path: String) throws(FileError) {
    try write(Array(text.utf8), to: path)
  }

  /// Writes `bytes` to `path`, the whole file or nothing; folders above it are created.
  public static func write(_ bytes: [UInt8], to path: String) throws(FileError) {
    try makeFolder(folder(of: path))
    let file = try AtomicFile(path: path)
    try file.write(bytes)
    try file.commit()
  }

  /// Throws where a file cannot be written at `path`, which stays as it is; folders above it are created.
  public static func check(_ path: String) throws(FileError) {
    try makeFolder(folder(of: path))
    let file = try AtomicFile(path: path)
    // A disk without a free block takes an empty file.
    if file.target != nil { try file.write([0]) }
  }

  /// The folder that holds `path`.
  public static func folder(of path: String) -> String {
    path.lastIndex(of: "/").map { $0 == path.startIndex ? "/" : String(path[..<$0]) } ?? "."
  }

  private func failure(_ expected: String) -> FileError {
    FileError(
      file: path, expected: expected, found: String(cString: strerror(errno)))
  }

  /// Flushes the entries of a folder. Some file systems refuse; the files themselves are on disk by then.
  package static func flushFolder(_ path: String) {
    let entry = open(path, O_RDONLY | O_CLOEXEC)
    guard entry >= 0 else { return }
    fsync(entry)
    close(entry)
  }

  /// Makes the folder at `path`, and those above it, where they are missing. Others may remove folders above it
  /// meanwhile, while they are empty.
  public static func makeFolder(_ path: String) throws(FileError) {
    guard !FileContents.isFolder(path) else { return }
    var end = path.startIndex
    var removals = 0
    while end != path.endIndex {
      end = path[path.index(after: end)...].firstIndex(of: "/") ?? path.endIndex
      let part = String(path[..<end])
      if mkdir(part, 0o755) == 0 {
        flushFolder(folder(of: part))
        continue
      }
      let reason = errno
      guard !FileContents.isFolder(part) else { continue }
      // What was there a moment ago is gone: from the start again.
      if reason == ENOENT || reason == EEXIST && !FileContents.exists(part), removals < 100 {
        removals += 1
        end = path.startIndex
        continue
      }
      throw FileError(
        file: path, expected: "a path where a folder can be created",
        found: reason == EEXIST
          ? "\(part), which is no folder" : String(cString: strerror(reason)))
    }
  }
}

/// The names of files under construction: `NAME.partial-HOST-PROCESS-START-NUMBER`.
enum PartialName {
  /// Eight digits for the host, so that the number is looked up only where it means something.
  private static let host = String(SHA256.hex(of: ProcessIdentity.current.host).prefix(8))

  /// The part between the file's name and the number.
  static let current =
    "partial-\(host)-\(ProcessIdentity.current.number)-\(ProcessIdentity.current.start)"

  /// Removes what ended processes of this host left of the file at `target`.
  static func removeAbandoned(of target: String) {
    let folder = AtomicFile.folder(of: target)
    let name = target.split(separator: "/").last.map(String.init) ?? target
    for found in (try? FileContents.names(inFolder: folder)) ?? []
    where found.hasPrefix("\(name).partial-\(host)-") {
      let parts = found.dropFirst("\(name).partial-".count)
        .split(separator: "-", omittingEmptySubsequences: false)
      guard parts.count == 4, let number = Int32(parts[1]) else { continue }
      let owner = ProcessIdentity(
        host: ProcessIdentity.current.host, number: number, start: String(parts[2]))
      if owner.hasEnded { unlink("\(folder)/\(found)") }
    }
  }
}
