/// What is wrong with a tokenizer's file: where, what was expected there and what was found.
public struct TokenizerError: Error, Equatable, CustomStringConvertible {
  /// The file as the caller named it, or a description of where the vocabulary came from.
  public let file: String
  /// The place in the file, as a JSON path (`$.pre_tokenizer.type`), a metadata key or a byte
  /// offset.
  public let place: String
  public let expected: String
  public let found: String

  package init(file: String, place: String, expected: String, found: String) {
    (self.file, self.place, self.expected, self.found) = (file, place, expected, found)
  }

  public var description: String {
    "\(file): \(place): expected \(expected), found \(found)"
  }
}
