#if canImport(Darwin)
  import Darwin
#else
  import Glibc
#endif

/// A process as others can recognise it: its host, its number, and when it began, since numbers are reused.
package struct ProcessIdentity: Hashable, Sendable {
  /// What processes share that see each other's numbers: on Linux the kernel's boot id and the namespace of process
  /// numbers. Containers on one machine have different ones.
  package let host: String
  package let number: Int32
  /// The start in clock ticks since the boot; empty where the system does not say.
  package let start: String

  package init(host: String, number: Int32, start: String) {
    (self.host, self.number, self.start) = (host, number, start)
  }

  /// This process.
  package static let current = ProcessIdentity(
    host: currentHost, number: getpid(), start: start(of: getpid()) ?? "")

  /// Whether the process is known to have ended; false where its host is another one, which nobody here can tell.
  package var hasEnded: Bool {
    guard host == Self.current.host, number > 0 else { return false }
    if kill(number, 0) != 0, errno == ESRCH { return true }
    guard !start.isEmpty, let found = Self.start(of: number) else { return false }
    return found != start
  }

  /// Whether the process is known to run.
  package var isRunning: Bool { host == Self.current.host && !hasEnded }

  /// The machine's name, for messages.
  package static let hostName: String = {
    var name = [CChar](repeating: 0, count: 256)
    guard gethostname(&name, name.count - 1) == 0 else { return "unknown" }
    return name.withUnsafeBufferPointer { $0.baseAddress.map { String(cString: $0) } ?? "unknown" }
  }()

  private static let currentHost: String = {
    let boot = (try? FileContents.bytes(of: "/proc/sys/kernel/random/boot_id")) ?? []
    let text = String(decoding: boot, as: UTF8.self).filter { !$0.isWhitespace }
    guard !text.isEmpty else { return hostName }
    return text + " " + (SymbolicLink.target(of: "/proc/self/ns/pid") ?? "")
  }()

  /// The 22nd field of `/proc/PID/stat`, counted after the name, which may hold spaces. A process that has ended and
  /// was not waited for (state Z) has no start.
  ///
  /// Source: proc_pid_stat(5).
  private static func start(of number: Int32) -> String? {
    guard let bytes = try? FileContents.bytes(of: "/proc/\(number)/stat"),
      let end = bytes.lastIndex(of: UInt8(ascii: ")"))
    else { return nil }
    let fields = String(decoding: bytes[(end + 1)...], as: UTF8.self).split(separator: " ")
    guard fields.count > 19 else { return nil }
    return fields[0] == "Z" ? "ended" : String(fields[19])
  }
}

/// Symbolic links.
package enum SymbolicLink {
  /// What the link at `path` says; nil where it is none.
  package static func target(of path: String) -> String? {
    var bytes = [CChar](repeating: 0, count: Int(PATH_MAX))
    let count = readlink(path, &bytes, bytes.count)
    guard count >= 0 else { return nil }
    return String(decoding: bytes[..<count].map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }

  /// The path that `path` leads to after all links of its last part; that file need not exist.
  ///
  /// Throws where links lead around in a circle.
  package static func resolved(_ path: String) throws(FileError) -> String {
    var current = path
    for _ in 0..<40 {
      guard let target = target(of: current) else { return current }
      current = target.hasPrefix("/") ? target : "\(AtomicFile.folder(of: current))/\(target)"
    }
    throw FileError(
      file: path, expected: "a path where a file can be written",
      found: "symbolic links in a circle")
  }
}
