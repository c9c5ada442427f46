import Files

/// Everything that can change a number: what is run, the version of the code, checksums of data,
/// model and tokenizer, precision, and every setting.
///
/// The id of a run, the key of a stage that runs share, and the checks when one goes on are
/// comparisons of this value.
public struct Provenance: Hashable, Sendable {
  /// Each part by its key: `run`, `code`, `sha256 data`, `precision`, `setting learning_rate`.
  public private(set) var parts: [String: String] = [:]

  /// - Parameters:
  ///   - part: what is run: an experiment, or a stage that experiments share.
  ///   - code: the version of the code.
  ///   - inputs: further parts by key: checksums, precision.
  public init(
    of part: String, code: String, inputs: [String: String], settings: [String: SettingValue]
  ) {
    parts["run"] = part
    parts["code"] = code
    for (key, value) in inputs { parts[key] = value }
    for (name, value) in settings { parts["setting " + name] = value.description }
  }

  init(parts: [String: String]) { self.parts = parts }

  /// One line for each part, by key.
  public var text: String {
    parts.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)\n" }.joined()
  }

  /// The first 16 hexadecimal digits of the text's SHA-256.
  public var id: String { String(SHA256.hex(of: text).prefix(16)) }

  /// Throws an error that names every part in which `found`, which `file` has, differs.
  func check(_ found: Provenance, file: String, help: String = "") throws(FileError) {
    let keys = Set(parts.keys).union(found.parts.keys).sorted()
      .filter { parts[$0] != found.parts[$0] }
    guard !keys.isEmpty else { return }
    func list(_ provenance: Provenance) -> String {
      keys.map { "\($0)=\(provenance.parts[$0] ?? "none")" }.joined(separator: ", ")
    }
    throw FileError(
      file: file, location: keys.joined(separator: ", "), expected: list(self) + help,
      found: list(found))
  }
}

extension Provenance {
  var json: JSONValue { .object(parts.mapValues { .string($0) }) }

  init(_ node: JSONNode) throws(FileError) {
    for (key, node) in try node.members() { parts[key] = try node.string() }
  }
}
