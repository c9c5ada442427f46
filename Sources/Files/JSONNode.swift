/// A value of a JSON file together with the place where it stands, so that errors can name it.
///
/// The location is the line of a JSON Lines file, if it is one, and the path of keys from there:
/// `line 3, messages[0].role`, `rope_scaling.factor`.
public struct JSONNode: Sendable {
  public let value: JSONValue
  public let file: String
  /// `line 3` of a JSON Lines file; nil in other files.
  public let line: String?
  /// The keys and indices that lead here from the top; empty at the top.
  public let path: String

  public init(_ value: JSONValue, file: String, line: String? = nil, path: String = "") {
    (self.value, self.file, self.line, self.path) = (value, file, line, path)
  }

  /// The value of the JSON file at `path`.
  public init(path: String) throws(FileError) {
    self.init(try JSONValue(FileContents.text(of: path), file: path), file: path)
  }

  /// Where the value stands, in words; nil for a whole file.
  public var location: String? {
    let parts = [line, path.isEmpty ? nil : path].compactMap { $0 }
    return parts.isEmpty ? nil : parts.joined(separator: ", ")
  }

  /// That something else than `expected` stands here.
  public func error(expected: String) -> FileError { error(expected: expected, found: "\(value)") }

  public func error(expected: String, found: String) -> FileError {
    FileError(file: file, location: location, expected: expected, found: found)
  }

  /// That something else than `expected` stands at `key`.
  public func error(_ key: String, expected: String) -> FileError {
    let node = child(key)
    return node.isNull && !hasMember(key)
      ? node.error(expected: expected, found: "no such key") : node.error(expected: expected)
  }

  public func error(_ key: String, expected: String, found: String) -> FileError {
    child(key).error(expected: expected, found: found)
  }

  // MARK: Structure

  public var isNull: Bool { value == .null }
  public var isArray: Bool { if case .array = value { true } else { false } }
  public var isObject: Bool { if case .object = value { true } else { false } }

  /// The member at `key`; nil where it is absent or null, or where this is no object. Of a key that
  /// is repeated the last member counts, as in Python's json module.
  public subscript(key: String) -> JSONNode? {
    let node = child(key)
    return node.isNull ? nil : node
  }

  /// The member at `key`, null where there is none.
  public func child(_ key: String) -> JSONNode {
    var found = JSONValue.null
    if case .object(let members) = value {
      found =
        members.last { $0.key.unicodeScalars.elementsEqual(key.unicodeScalars) }?.value ?? .null
    }
    return JSONNode(found, file: file, line: line, path: path.isEmpty ? key : "\(path).\(key)")
  }

  /// The member at `key`, null where there is none. Throws where this is neither an object nor null.
  public func member(_ key: String) throws(FileError) -> JSONNode {
    guard isObject || isNull else { throw error(expected: "an object") }
    return child(key)
  }

  /// Whether this is an object with a member at `key`, be it null.
  public func hasMember(_ key: String) -> Bool {
    if case .object(let members) = value { members.contains { $0.key == key } } else { false }
  }

  /// The keys of an object in their order; none of another value.
  public var keys: [String] {
    if case .object(let members) = value { members.map(\.key) } else { [] }
  }

  /// The members of an object in their order. Throws where this is no object.
  public func members() throws(FileError) -> [(key: String, node: JSONNode)] {
    guard case .object(let members) = value else { throw error(expected: "an object") }
    return members.map { member in
      let path = path.isEmpty ? member.key : "\(path).\(member.key)"
      return (member.key, JSONNode(member.value, file: file, line: line, path: path))
    }
  }

  /// The elements of an array. Throws where this is no array.
  public func elements() throws(FileError) -> [JSONNode] {
    guard case .array(let values) = value else { throw error(expected: "an array") }
    return values.enumerated().map {
      JSONNode($1, file: file, line: line, path: "\(path)[\($0)]")
    }
  }

  // MARK: Values

  public func string() throws(FileError) -> String {
    guard case .string(let string) = value else { throw error(expected: "a string") }
    return string
  }

  public func integer() throws(FileError) -> Int {
    switch value {
    case .integer(let integer): return integer
    case .number(let number):
      if let integer = Int(exactly: number) { return integer }
    default: break
    }
    throw error(expected: "a whole number")
  }

  public func number() throws(FileError) -> Double {
    switch value {
    case .integer(let value): return Double(value)
    case .number(let value): return value
    default: throw error(expected: "a number")
    }
  }

  /// The truth value, `absent` where this is null.
  public func bool(absent: Bool) throws(FileError) -> Bool { isNull ? absent : try bool() }

  public func bool() throws(FileError) -> Bool {
    guard case .bool(let value) = value else { throw error(expected: "true or false") }
    return value
  }

  // MARK: Members

  /// The object at `key`; nil where it is absent or null.
  public func object(_ key: String) throws(FileError) -> JSONNode? {
    guard let node = self[key] else { return nil }
    guard node.isObject else { throw node.error(expected: "an object") }
    return node
  }

  /// The string at `key`, or `absent` where there is none. Throws where neither exists.
  public func string(_ key: String, absent: String? = nil) throws(FileError) -> String {
    if let node = self[key] { return try node.string() }
    guard let absent else { throw missing(key, expected: "a string") }
    return absent
  }

  /// The string at `key`; nil where it is absent or null.
  public func optionalString(_ key: String) throws(FileError) -> String? {
    guard let node = self[key] else { return nil }
    return try node.string()
  }

  /// The string at `key`, which must hold more than white space.
  public func filledString(_ key: String) throws(FileError) -> String {
    let text = try string(key)
    guard text.contains(where: { !$0.isWhitespace }) else {
      throw child(key).error(
        expected: "text", found: text.isEmpty ? "an empty string" : "only white space")
    }
    return text
  }

  /// The string or whole number at `key`, as text; nil where it is absent or null.
  public func optionalIdentifier(_ key: String) throws(FileError) -> String? {
    guard let node = self[key] else { return nil }
    switch node.value {
    case .string(let text): return text
    case .integer(let value): return "\(value)"
    default: throw node.error(expected: "a string or a whole number")
    }
  }

  /// The whole number at `key`, or `absent` where there is none. Throws where neither exists.
  public func integer(_ key: String, absent: Int? = nil) throws(FileError) -> Int {
    if let node = self[key] { return try node.integer() }
    guard let absent else { throw missing(key, expected: "a whole number") }
    return absent
  }

  /// The whole number at `key`; nil where it is absent or null.
  public func optionalInteger(_ key: String) throws(FileError) -> Int? {
    guard let node = self[key] else { return nil }
    return try node.integer()
  }

  /// The whole numbers at `key`, which holds one, an array of them, or nothing.
  public func integers(_ key: String) throws(FileError) -> [Int] {
    guard let node = self[key] else { return [] }
    guard node.isArray else { return [try node.integer()] }
    var integers: [Int] = []
    for element in try node.elements() { integers.append(try element.integer()) }
    return integers
  }

  /// The number at `key`, or `absent` where there is none. Throws where neither exists.
  public func number(_ key: String, absent: Double? = nil) throws(FileError) -> Double {
    if let node = self[key] { return try node.number() }
    guard let absent else { throw missing(key, expected: "a number") }
    return absent
  }

  /// The numbers in the array at `key`; nil where it is absent or null.
  public func optionalNumbers(_ key: String) throws(FileError) -> [Double]? {
    guard let node = self[key] else { return nil }
    var numbers: [Double] = []
    for element in try node.elements() { numbers.append(try element.number()) }
    return numbers
  }

  /// The truth value at `key`, or `absent` where there is none. Throws where neither exists.
  public func bool(_ key: String, absent: Bool? = nil) throws(FileError) -> Bool {
    if let node = self[key] { return try node.bool() }
    guard let absent else { throw missing(key, expected: "true or false") }
    return absent
  }

  /// The truth value at `key`; nil where it is absent or null.
  public func optionalBool(_ key: String) throws(FileError) -> Bool? {
    guard let node = self[key] else { return nil }
    return try node.bool()
  }

  /// The strings in the array at `key`; none where it is absent or null.
  public func strings(_ key: String) throws(FileError) -> [String] {
    var strings: [String] = []
    for element in try self[key]?.elements() ?? [] { strings.append(try element.string()) }
    return strings
  }

  /// The elements of the array at `key`. Throws where there is none.
  public func elements(_ key: String) throws(FileError) -> [JSONNode] {
    guard let node = self[key] else { throw missing(key, expected: "an array") }
    return try node.elements()
  }

  /// The string at `key` as one of `Value`'s raw values; nil where it is absent or null.
  public func choice<Value: RawRepresentable & CaseIterable>(_ key: String, of: Value.Type)
    throws(FileError) -> Value?
  where Value.RawValue == String {
    guard let text = try optionalString(key) else { return nil }
    guard let value = Value(rawValue: text) else {
      let allowed = Value.allCases.map { "\"\($0.rawValue)\"" }.joined(separator: ", ")
      throw child(key).error(expected: "one of \(allowed)")
    }
    return value
  }

  private func missing(_ key: String, expected: String) -> FileError {
    if !isObject { return error(expected: "an object") }
    if hasMember(key) { return child(key).error(expected: expected) }
    let keys = self.keys.map { "\"\($0)\"" }.joined(separator: ", ")
    return child(key).error(
      expected: expected, found: keys.isEmpty ? "no keys" : "only the keys \(keys)")
  }
}
