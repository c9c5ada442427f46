/// What is wrong with a checkpoint: which file, where in it, what was expected and what was found.
public struct CheckpointError: Error, Hashable, Sendable, CustomStringConvertible {
  /// The path of the file at fault.
  public let file: String
  /// The place in the file: a tensor, a key, a byte offset.
  public let place: String
  public let expected: String
  public let found: String

  package init(file: String, place: String, expected: String, found: String) {
    self.file = file
    self.place = place
    self.expected = expected
    self.found = found
  }

  public var description: String {
    "\(file): \(place): expected \(expected), found \(found)"
  }
}
