/// Files of JSON Lines: one JSON object per line.
public enum JSONLinesFile {
  /// The objects of the file at `path`, in their order. Blank lines are ignored; lines count from 1.
  ///
  /// Throws an error that names the line that is not a JSON object.
  public static func objects(of path: String) throws(FileError) -> [JSONNode] {
    let bytes = try FileContents.bytes(of: path)
    var nodes: [JSONNode] = []
    var number = 0
    for line in bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false) {
      number += 1
      if line.allSatisfy({ $0 == 0x20 || $0 == 0x0D || $0 == 0x09 }) { continue }
      let location = "line \(number)"
      let node = JSONNode(
        try JSONValue(line, file: path, location: location), file: path, line: location)
      guard node.isObject else { throw node.error(expected: "a JSON object") }
      nodes.append(node)
    }
    return nodes
  }
}
