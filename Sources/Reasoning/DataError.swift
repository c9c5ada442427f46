/// What is wrong with a data file: which file, where in it, what was expected there and what was
/// found.
public struct DataError: Error, Hashable, CustomStringConvertible {
  public let file: String
  /// Where in the file (`"line 3"`, `"example 17"`); nil for the file as a whole.
  public let place: String?
  public let expected: String
  public let found: String

  public init(file: String, place: String?, expected: String, found: String) {
    self.file = file
    self.place = place
    self.expected = expected
    self.found = found
  }

  /// That `file` holds nothing of a kind of which at least one is wanted.
  public init(nothingIn file: String, expected: String) {
    self.init(file: file, place: nil, expected: "at least one \(expected)", found: "none")
  }

  public var description: String {
    "\(file)\(place.map { ", \($0)" } ?? ""): expected \(expected), found \(found)"
  }
}
