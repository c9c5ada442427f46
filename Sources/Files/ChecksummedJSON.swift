/// JSON files that carry the SHA-256 of their content, so that one that was damaged is known from one that was not.
extension JSONValue {
  /// The object with a last member `sha256`: the digest of the object's compact text without that member.
  package func withChecksum() -> JSONValue {
    guard case .object(let members) = self else {
      preconditionFailure("a checksum of \(self), which is no object")
    }
    let digest = SHA256.hex(of: text())
    return .object(members + [JSONMember(key: JSONNode.checksumKey, value: .string(digest))])
  }
}

extension JSONNode {
  fileprivate static let checksumKey = "sha256"

  /// The object of the JSON file at `path`, without its checksum. Throws where the file cannot be read, or its checksum
  /// is missing or wrong.
  package init(checksummedAt path: String) throws(FileError) {
    try self.init(checksummed: FileContents.bytes(of: path), file: path)
  }

  /// The same of the bytes of `file`.
  package init(checksummed bytes: [UInt8], file: String) throws(FileError) {
    let node = JSONNode(try JSONValue(bytes, file: file), file: file)
    guard case .object(let members) = node.value else { throw node.error(expected: "an object") }
    let content = JSONValue.object(members.filter { $0.key != Self.checksumKey })
    let digest = SHA256.hex(of: content.text())
    let found = try node.string(Self.checksumKey)
    guard found == digest else {
      throw node.error(
        Self.checksumKey, expected: "\(digest), that of the content", found: found)
    }
    self.init(content, file: file)
  }
}
