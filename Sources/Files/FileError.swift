#if canImport(Darwin)
  import Darwin
#else
  import Glibc
#endif

/// What is wrong with a file: which file, where in it, what was expected there and what was found.
///
/// Every reader and writer of the package throws this one type, so that a message always has the
/// same form: `pairs.jsonl: line 3: expected …, found …`.
public struct FileError: Error, Hashable, Sendable, CustomStringConvertible {
  /// The path as the caller gave it.
  public let file: String
  /// The place in the file (`line 3`, `tensor lm_head.weight`, `byte 17`); nil for the whole file.
  public let location: String?
  public let expected: String
  public let found: String

  public init(file: String, location: String? = nil, expected: String, found: String) {
    self.file = file
    self.location = location
    self.expected = expected
    self.found = found
  }

  /// `file` holds none of the items of which it must hold at least one.
  public init(nothingIn file: String, expected: String) {
    self.init(file: file, expected: "at least one \(expected)", found: "none")
  }

  /// Whether a disk, or what its user may have of it, is full.
  package var isLackOfRoom: Bool {
    [ENOSPC, EDQUOT].contains { found == String(cString: strerror($0)) }
  }

  public var description: String {
    "\(file): \(location.map { "\($0): " } ?? "")expected \(expected), found \(found)"
  }
}
