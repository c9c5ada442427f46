/// Files of JSON Lines: one JSON object per line.
public enum JSONLinesFile {
  /// The objects of the file at `path`, in their order. Blank lines are ignored; lines count from 1.
  ///
  /// Throws an error that names the line that is not a JSON object, or the key that an object has
  /// twice (readers of JSON disagree on which of the two counts).
  public static func objects(of path: String) throws(FileError) -> [JSONNode] {
    let bytes = try FileContents.text(of: path)
    var nodes: [JSONNode] = []
    var number = 0
    for line in bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false) {
      number += 1
      let isSpace: (UInt8) -> Bool = { $0 == 0x20 || $0 == 0x0D || $0 == 0x09 }
      guard let first = line.firstIndex(where: { !isSpace($0) }) else { continue }
      let location = "line \(number)"
      let expected = "a JSON object on a line of its own (JSON Lines)"
      if line[first...].allSatisfy({ isSpace($0) || $0 == UInt8(ascii: "[") })
        || line[first...].allSatisfy({ isSpace($0) || $0 == UInt8(ascii: "{") })
      {
        throw FileError(
          file: path, location: location, expected: expected,
          found: "a JSON text that goes over several lines")
      }
      let node = JSONNode(
        try JSONValue(line, file: path, location: location), file: path, line: location)
      guard node.isObject else { throw node.error(expected: expected) }
      try node.refuseRepeatedKeys()
      nodes.append(node)
    }
    return nodes
  }
}

extension JSONNode {
  /// Throws where an object here, or in what it holds, has a key twice.
  fileprivate func refuseRepeatedKeys() throws(FileError) {
    switch value {
    case .object(let members):
      var keys: Set<[Unicode.Scalar]> = []
      for member in members {
        guard keys.insert(Array(member.key.unicodeScalars)).inserted else {
          throw child(member.key).error(expected: "one value", found: "the key twice")
        }
      }
      for (_, node) in try self.members() { try node.refuseRepeatedKeys() }
    case .array:
      for node in try elements() { try node.refuseRepeatedKeys() }
    default: break
    }
  }
}
